// Where a message is written: text, files, a reply, and whether the bot is mentioned.

import { find, h, icon, size } from "./dom.js";
import { upload } from "./net.js";
import { t } from "./strings.js";
import { nameOf, on, state } from "./store.js";

const box = find("#text");
const tray = find("#tray");
const replyBar = find("#reply-bar");
const mentionButton = find("#mention");
const drop = find("#drop");

const KEPT = 50;
// Eight lines, in pixels; the same number stands in app.css.
const MAX_HEIGHT = 180;
const PICTURE = /\.(png|jpe?g|gif|webp|bmp)$/i;
// The same words stand in app.css: there a tap brings out the tools of a message.
const TOUCH = matchMedia("(hover: none) and (pointer: coarse), (max-width: 760px)");
let actions;
let files = [];
let replyTo = null;
let history = new Map();
let recalled = -1;
// Off is remembered per group: some rooms are for people.
const silent = new Set();
const drafts = new Map();
let place = "";

export function start(given) {
  actions = given;
  on("all place language connection", draw);
  TOUCH.addEventListener("change", draw);
  // Found once, the hint is only in the way.
  find("#messages").addEventListener("focusin", () => {
    document.body.dataset.tapped = "true";
  });
  find("#composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  box.addEventListener("input", () => {
    recalled = -1;
    grow();
  });
  box.addEventListener("keydown", keys);
  box.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) {
      event.preventDefault();
      attach(event.clipboardData.files);
    }
  });
  window.addEventListener("resize", grow);
  mentionButton.addEventListener("click", () => {
    if (silent.has(state.chat)) silent.delete(state.chat);
    else silent.add(state.chat);
    draw();
    box.focus();
  });
  find("#attach").addEventListener("click", () => find("#file").click());
  find("#file").addEventListener("change", (event) => {
    attach(event.target.files);
    event.target.value = "";
  });
  dropping(find("#main"));
}

export function reply(message) {
  replyTo = message;
  draw();
  box.focus();
}

function draw() {
  const here = `${state.me}|${state.chat}`;
  if (here !== place) {
    if (place) drafts.set(place, box.value);
    place = here;
    box.value = drafts.get(place) ?? "";
    recalled = -1;
    if (replyTo && replyTo.chat !== state.chat) replyTo = null;
    grow();
  }
  const chat = state.chats.get(state.chat);
  const bot = state.bot.name;
  const group = chat?.kind === "group";
  box.placeholder = group ? t("compose_group", { title: chat.title }) : t("compose", { bot });
  box.setAttribute("aria-label", t("compose_label"));
  mentionButton.hidden = !group;
  const mentioned = group && !silent.has(state.chat);
  mentionButton.setAttribute("aria-pressed", String(mentioned));
  mentionButton.textContent = `@${bot}`;
  find("#mention-note").textContent = group ? t(mentioned ? "mention_on" : "mention_off", { bot }) : "";
  find("#mention-note").classList.toggle("warn", group && !mentioned);
  find("#keys").textContent = t(TOUCH.matches ? "keys_touch" : "keys");
  drawReply();
  drawTray();
}

function drawReply() {
  replyBar.hidden = !replyTo;
  if (!replyTo) {
    replyBar.replaceChildren();
    return;
  }
  const text = replyTo.kind === "card" ? state.cards.get(replyTo.card)?.text : replyTo.text;
  replyBar.replaceChildren(
    icon("reply"),
    h("span", { class: "reply-text" }, h("b", {}, t("reply_to", { name: nameOf(replyTo.from) })), " ", (text || replyTo.title || t("picture")).slice(0, 120)),
    h("button", { type: "button", class: "tool", "aria-label": t("cancel_reply"), title: t("cancel_reply"), onclick: () => {
      replyTo = null;
      draw();
      box.focus();
    } }, icon("close")));
}

function drawTray() {
  tray.hidden = files.length === 0;
  tray.replaceChildren(...files.map((file) => h("li", { class: "chip-file", "data-test": "attached", "data-ready": String(Boolean(file.id)) },
    icon("file"),
    h("span", { class: "file-name" }, file.name),
    h("span", { class: "faint" }, file.id ? size(file.size) : t("uploading")),
    h("button", { type: "button", class: "tool", "aria-label": t("remove_file", { name: file.name }), onclick: () => {
      files = files.filter((one) => one !== file);
      drawTray();
      box.focus();
    } }, icon("close")))));
}

async function attach(given) {
  await Promise.all([...given].map(async (file) => {
    const entry = { name: file.name || "picture.png", size: file.size, id: null };
    files.push(entry);
    drawTray();
    entry.done = upload(file).then((answer) => {
      entry.id = answer.id;
    }).catch((error) => {
      files = files.filter((one) => one !== entry);
      actions.toast(t("upload_failed", { name: entry.name, why: error.message }), true);
    });
    await entry.done;
    drawTray();
  }));
}

async function submit() {
  const text = box.value.trim();
  if (!state.chat || (!text && files.length === 0)) return;
  const sending = { text, files, replyTo, at: state.chats.get(state.chat)?.kind === "group" && !silent.has(state.chat) };
  const from = state.me;
  const chat = state.chat;
  if (text) remember(from, text);
  box.value = "";
  files = [];
  replyTo = null;
  recalled = -1;
  grow();
  draw();
  let unsent = sending.files;
  try {
    await Promise.all(sending.files.map((file) => file.done));
    unsent = sending.files.filter((file) => file.id);
    // DingTalk sends a file as a message of its own; pictures may stand with words.
    for (const file of unsent.filter((one) => !PICTURE.test(one.name))) {
      await actions.deliver({ chat, from, text: "", at_bot: sending.at, files: [file.id] });
      unsent = unsent.filter((one) => one !== file);
    }
    if (!text && unsent.length === 0) return;
    await actions.deliver({
      chat,
      from,
      text,
      at_bot: sending.at,
      ...(sending.replyTo ? { quote: sending.replyTo.id } : {}),
      files: unsent.map((file) => file.id),
    });
  } catch (error) {
    actions.toast(t("say_failed", { why: error.message }), true);
    // Nothing typed is ever lost, unless something newer has been typed over it.
    if (box.value === "" && state.chat === chat) {
      box.value = text;
      files = unsent.filter((file) => file.id);
      replyTo = sending.replyTo;
      grow();
      draw();
    }
  }
}

/** Says `text` in the open chat as the current person, mentioning the bot where that is on. */
export function say(text) {
  const group = state.chats.get(state.chat)?.kind === "group";
  remember(state.me, text);
  return actions.deliver({ chat: state.chat, from: state.me, text, at_bot: group && !silent.has(state.chat) })
    .catch((error) => actions.toast(t("say_failed", { why: error.message }), true));
}

/** What a person said, newest first: in this page, or else as the chats have it. */
function linesOf(person) {
  if (!history.has(person)) {
    const said = [...state.messages.values()].filter((message) => message.from === person && message.text && !message.recalled);
    history.set(person, [...new Set(said.map((message) => message.text).reverse())].slice(0, KEPT));
  }
  return history.get(person);
}

function remember(person, text) {
  const lines = linesOf(person).filter((line) => line !== text);
  lines.unshift(text);
  history.set(person, lines.slice(0, KEPT));
}

function keys(event) {
  // While an input method composes (Chinese!), Enter and the arrows belong to it.
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.altKey) {
    event.preventDefault();
    submit();
    return;
  }
  const lines = linesOf(state.me);
  const browsing = recalled >= 0;
  if (event.key === "ArrowUp" && (box.value === "" || browsing) && recalled + 1 < lines.length) {
    event.preventDefault();
    recall(recalled + 1, lines);
  } else if (event.key === "ArrowDown" && browsing) {
    event.preventDefault();
    recall(recalled - 1, lines);
  } else if (event.key === "Escape" && replyTo) {
    event.stopPropagation();
    replyTo = null;
    draw();
  }
}

function recall(at, lines) {
  recalled = at;
  box.value = at < 0 ? "" : lines[at];
  box.setSelectionRange(box.value.length, box.value.length);
  grow();
}

function grow() {
  box.style.setProperty("height", "auto");
  box.style.setProperty("height", `${Math.min(box.scrollHeight, MAX_HEIGHT)}px`);
  box.style.setProperty("overflow-y", box.scrollHeight > MAX_HEIGHT ? "auto" : "hidden");
}

function dropping(area) {
  let depth = 0;
  const show = (on) => {
    drop.hidden = !on;
  };
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  area.addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    depth++;
    show(true);
  });
  area.addEventListener("dragleave", (event) => {
    if (carries(event) && --depth <= 0) show(false);
  });
  area.addEventListener("dragover", (event) => {
    if (carries(event)) event.preventDefault();
  });
  area.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    attach(event.dataTransfer.files);
    box.focus();
  });
}
