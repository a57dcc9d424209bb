// Starts the page: fetches the state, follows the event stream, and joins the parts.

import * as composer from "./composer.js";
import * as conversation from "./conversation.js";
import * as faults from "./faults.js";
import * as sidebar from "./sidebar.js";
import * as wire from "./wire.js";
import { botAvatar, find, groupAvatar, h } from "./dom.js";
import { get, hasToken, listen, post, Refused, retakeToken } from "./net.js";
import { language, languages, speak, t } from "./strings.js";
import { emit, markSeen, on, replaceAll, setConnected, state, upsertCard, upsertMessage } from "./store.js";

// Below these widths a column is a drawer over the conversation; the same numbers stand in app.css.
const NARROW = matchMedia("(max-width: 760px)");
const WIRE_DRAWER = matchMedia("(max-width: 1080px)");

const actions = {
  reply: composer.reply,
  say: composer.say,
  toast,
  empty,
  enlarge,
  deliver: (message) => post("/sim/api/say", message),
  async click(card, button) {
    try {
      const answer = await post("/sim/api/click", { card: card.id, from: state.me, action_id: button.id, params: button.params ?? {} });
      if (answer.outcome === "timed_out") toast(t("click_timed_out"), true);
      if (answer.outcome === "not_sent") toast(t("click_failed", { why: answer.why }), true);
    } catch (error) {
      toast(t("click_failed", { why: error.message }), true);
    }
  },
};

function texts() {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.title = t("title");
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", t(node.dataset.label));
    if (node.dataset.tip !== undefined) node.title = t(node.dataset.label);
  }
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
  find("#languages").replaceChildren(...languages.map(({ id, name }) => h("button", {
    type: "button",
    lang: id,
    "aria-pressed": String(id === language()),
    "data-test": `language-${id}`,
    onclick: () => {
      speak(id);
      texts();
      emit("language");
      find(`#languages [lang="${id}"]`).focus();
    },
  }, name)));
}

function drawHead() {
  const chat = state.chats.get(state.chat);
  if (!chat) return;
  const group = chat.kind === "group";
  find("#chat-avatar").replaceChildren(group ? groupAvatar() : botAvatar());
  find("#chat-title").textContent = sidebar.chatTitle(chat);
  find("#chat-hint").textContent = group
    ? `${t("members", { n: chat.members.length })} · ${chat.members.map((id) => state.people.get(id)?.nick ?? id).join(", ")}`
    : `${t("direct")} · ${state.people.get(state.me)?.nick ?? ""}`;
  const pill = find("#connection");
  pill.dataset.connected = String(state.bot.connected);
  find("#connection-text").textContent = t(state.bot.connected ? "bot_connected" : "bot_offline");
  pill.title = state.bot.connected ? state.bot.client_id : t("bot_offline_hint");
  find("#offline").hidden = state.bot.connected || !state.ready;
}

function empty(isEmpty) {
  const place = find("#empty");
  place.hidden = !isEmpty || !state.ready;
  if (place.hidden) {
    place.replaceChildren();
    return;
  }
  const group = state.chats.get(state.chat)?.kind === "group";
  const chips = [["help", "chip_help"], ["ping", "chip_ping"], ["sys", "chip_sys"], ["sh ls -la", "chip_sh"]];
  place.replaceChildren(
    botAvatar("big"),
    h("h2", {}, t("empty_title", { bot: state.bot.name })),
    h("p", {}, t(group ? "empty_group" : "empty_text")),
    h("div", { class: "chips", role: "group", "aria-label": t("try_one") }, chips.map(([text, hint]) =>
      h("button", { type: "button", class: "chip", "data-test": "chip", "data-text": text, onclick: () => composer.say(text) },
        h("code", {}, text), h("span", {}, t(hint))))));
}

let toastTimer;
function toast(text, bad = false) {
  const place = find("#toast");
  place.textContent = text;
  place.classList.toggle("bad", bad);
  place.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    place.hidden = true;
  }, bad ? 7000 : 2200);
}

function enlarge(url, name) {
  const dialog = find("#lightbox");
  find("#lightbox-image").src = url;
  find("#lightbox-image").alt = name ?? "";
  dialog.showModal();
}

// Drawers: on a narrow screen a hidden column must be out of reach of Tab as well as out of sight.
function setDrawer(id, open, { focus = true } = {}) {
  const drawer = find(`#${id}`);
  const opener = find(id === "sidebar" ? "#menu-open" : "#wire-open");
  const overlay = (id === "sidebar" ? NARROW : WIRE_DRAWER).matches;
  const wasWithin = drawer.contains(document.activeElement);
  drawer.classList.toggle("open", open);
  drawer.inert = !open && (overlay || id === "wire");
  opener.setAttribute("aria-expanded", String(open));
  if (id === "wire") {
    find("#app").classList.toggle("with-wire", open);
    if (open) wire.shown();
  }
  find("#main").inert = overlay && open;
  find("#scrim").hidden = !(NARROW.matches && find("#sidebar").classList.contains("open"))
    && !(WIRE_DRAWER.matches && find("#wire").classList.contains("open"));
  if (!focus) return;
  if (open && overlay) drawer.querySelector("button, input")?.focus();
  else if (!open && wasWithin) opener.focus();
}

function drawers() {
  const isOpen = (id) => find(`#${id}`).classList.contains("open");
  find("#menu-open").addEventListener("click", () => setDrawer("sidebar", true));
  find("#menu-close").addEventListener("click", () => setDrawer("sidebar", false));
  find("#wire-open").addEventListener("click", () => setDrawer("wire", !isOpen("wire")));
  find("#wire-close").addEventListener("click", () => setDrawer("wire", false));
  const closeAll = () => {
    if (NARROW.matches) setDrawer("sidebar", false);
    if (WIRE_DRAWER.matches) setDrawer("wire", false);
  };
  find("#scrim").addEventListener("click", closeAll);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (faults.isOpen()) faults.toggle(false);
    else closeAll();
  });
  const settle = () => {
    setDrawer("sidebar", false, { focus: false });
    setDrawer("wire", isOpen("wire") && !WIRE_DRAWER.matches, { focus: false });
  };
  NARROW.addEventListener("change", settle);
  WIRE_DRAWER.addEventListener("change", settle);
  settle();
}

function locked(why) {
  find("#locked").hidden = false;
  find("#app").inert = true;
  find("#locked-why").textContent = why ?? "";
}

function apply(kind, data) {
  if (kind === "message") upsertMessage(data);
  else if (kind === "card") upsertCard(data);
  else if (kind === "wire") {
    wire.add(data);
    faults.traffic();
  }
  else if (kind === "connection") setConnected(Boolean(data.connected));
  // The first event of every stream is the whole state, so a reconnection heals whatever was missed.
  else if (kind === "state") whole(data);
}

let wasLost = false;

function whole(data) {
  replaceAll(data);
  document.body.dataset.stream = "open";
  find("#lost").hidden = true;
  if (wasLost) toast(t("stream_back"));
  wasLost = false;
  wire.refresh().catch((error) => toast(t("failed", { why: error.message }), true));
}

function connect() {
  const stop = listen({
    event: apply,
    async lost() {
      document.body.dataset.stream = "lost";
      wasLost = state.ready;
      find("#lost").hidden = false;
      try {
        await get("/sim/api/state");
      } catch (error) {
        // A refused key looks like any other loss to an event stream; a plain call tells them apart.
        if (!(error instanceof Refused)) return;
        stop();
        locked(error.message);
      }
    },
  });
}

texts();
drawers();
sidebar.start({ chosen: () => NARROW.matches && setDrawer("sidebar", false) });
conversation.start(actions);
composer.start(actions);
wire.start(actions);
faults.start(actions);
on("all place connection language", drawHead);
document.addEventListener("visibilitychange", markSeen);
find("#lightbox").addEventListener("click", () => find("#lightbox").close());
window.addEventListener("hashchange", () => {
  if (retakeToken()) location.reload();
});

if (hasToken()) connect();
else locked();
