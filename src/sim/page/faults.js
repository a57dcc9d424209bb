// The faults menu: one line per thing that can go wrong at DingTalk.

import { find, h } from "./dom.js";
import { post } from "./net.js";
import { t } from "./strings.js";
import { on, state } from "./store.js";

const FAULTS = [
  ["close", { close: true }],
  ["disconnect", { disconnect: "persistent connection is timeout" }],
  ["zombie", { zombie: true }],
  ["duplicate", { duplicate: 1 }],
  ["throttle", { http: [{ kind: "throttle", calls: 3 }] }],
  ["error", { http: [{ kind: "status", status: 500, calls: 3 }] }],
  ["slow", { http: [{ kind: "slow", delay_ms: 3000 }] }],
  ["expire", { expire_tokens: true }],
  ["clear", { clear: true }],
];

const menu = find("#faults-menu");
const opener = find("#faults-open");
let actions;

export function start(given) {
  actions = given;
  opener.addEventListener("click", () => toggle(menu.hidden));
  document.addEventListener("click", (event) => {
    if (!menu.hidden && !menu.contains(event.target) && !opener.contains(event.target)) toggle(false);
  });
  menu.addEventListener("keydown", move);
  on("all language", draw);
  draw();
}

export const isOpen = () => !menu.hidden;

export function toggle(open) {
  const within = menu.contains(document.activeElement);
  menu.hidden = !open;
  opener.setAttribute("aria-expanded", String(open));
  if (open) menu.querySelector("button").focus();
  else if (within) opener.focus();
}

function draw() {
  menu.replaceChildren(
    h("p", { class: "menu-title" }, t("faults_title")),
    h("p", { class: "faint" }, t("faults_text")),
    ...FAULTS.map(([name, body]) => h("button", {
      type: "button",
      class: "menu-item",
      "data-test": "fault",
      "data-id": name,
      onclick: () => make(name, body),
    }, h("b", {}, t(`fault_${name}`)), h("span", { class: "faint" }, t(`fault_${name}_hint`)))));
}

async function make(name, body) {
  toggle(false);
  try {
    state.faults = await post("/sim/api/faults", body);
    actions.toast(t("fault_done", { what: t(`fault_${name}`) }));
  } catch (error) {
    actions.toast(t("failed", { why: error.message }), true);
  }
}

function move(event) {
  const items = [...menu.querySelectorAll("button")];
  const at = items.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  items[(at + step + items.length) % items.length].focus();
}
