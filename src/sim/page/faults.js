// The faults menu: one line per thing that can go wrong at DingTalk.

import { find, h } from "./dom.js";
import { get, post } from "./net.js";
import { t } from "./strings.js";
import { on, state } from "./store.js";

// Name, order, and how much of it is armed: a number of times, Infinity until it is cleared, 0 when it is not.
const never = () => 0;
const calls = (kind) => (armed) => (armed.http ?? [])
  .filter((rule) => rule.kind === kind)
  .reduce((sum, rule) => sum + (rule.calls ?? Infinity), 0);
const FAULTS = [
  ["close", { close: true }, never],
  ["disconnect", { disconnect: "persistent connection is timeout" }, never],
  ["zombie", { zombie: true }, (armed) => (armed.zombie ? Infinity : 0)],
  ["duplicate", { duplicate: 1 }, (armed) => armed.duplicate ?? 0],
  ["throttle", { http: [{ kind: "throttle", calls: 3 }] }, calls("throttle")],
  ["error", { http: [{ kind: "status", status: 500, calls: 3 }] }, calls("status")],
  ["slow", { http: [{ kind: "slow", delay_ms: 3000 }] }, calls("slow")],
  ["expire", { expire_tokens: true }, never],
  ["clear", { clear: true }, never],
];
// Traffic uses armed faults up; a burst of it asks once.
const ASK_AFTER_MS = 250;

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
  if (open) {
    menu.querySelector("button").focus();
    ask();
  }
  else if (within) opener.focus();
}

let asking;

/** Traffic went by: what is armed may be used up. */
export function traffic() {
  if (asking || (menu.hidden && total() === 0)) return;
  asking = setTimeout(() => {
    asking = undefined;
    ask();
  }, ASK_AFTER_MS);
}

async function ask() {
  try {
    state.faults = await get("/sim/api/faults");
    draw();
  } catch {
    // The page says by itself that the simulator is gone.
  }
}

const total = () => FAULTS.filter(([, , armed]) => armed(state.faults) > 0).length;

function draw() {
  const focused = document.activeElement?.closest?.("#faults-menu [data-id]")?.dataset.id;
  const count = find("#faults-count");
  count.hidden = total() === 0;
  count.textContent = String(total());
  opener.setAttribute("aria-label", total() ? `${t("faults_title")}, ${t("faults_armed", { n: total() })}` : t("faults_title"));
  menu.replaceChildren(
    h("p", { class: "menu-title" }, t("faults_title")),
    h("p", { class: "faint" }, t("faults_text")),
    ...FAULTS.map(([name, body, armed]) => {
      const left = armed(state.faults);
      return h("button", {
        type: "button",
        class: "menu-item",
        "data-test": "fault",
        "data-id": name,
        "data-armed": left > 0 ? "true" : null,
        onclick: () => make(name, body, left),
      },
      h("b", {}, t(`fault_${name}`),
        left > 0 && h("em", { class: "armed" }, left === Infinity ? t("fault_on") : t("fault_left", { n: left }))),
      h("span", { class: "faint" }, t(`fault_${name}_hint`)));
    }));
  if (focused) menu.querySelector(`[data-id="${focused}"]`)?.focus();
}

async function make(name, body, left) {
  toggle(false);
  try {
    // What is on until it is cleared is not turned on twice.
    if (left !== Infinity) state.faults = await post("/sim/api/faults", body);
    draw();
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
