// The conversation: messages in order, each a keyed element that is replaced when the message changes.

import { avatar, botAvatar, copy, find, h, icon, size } from "./dom.js";
import { cardElement, updateCard } from "./card.js";
import { fileUrl } from "./net.js";
import { rich } from "./rich.js";
import { locale, t } from "./strings.js";
import { isBot, messagesOf, nameOf, on, state } from "./store.js";

// Enough to scroll through an afternoon, few enough to lay out in a blink; the rest is one click away.
const PAGE = 200;
// Messages of one person this close together share a head.
const JOIN_MS = 3 * 60 * 1000;

const log = find("#log");
const list = find("#messages");
const below = find("#below");
let shown = PAGE;
let nodes = new Map();
let stick = true;
let lastTop = 0;
let actions;

export function start(given) {
  actions = given;
  on("all place language", () => {
    shown = PAGE;
    draw();
  });
  on("message", ({ message, isNew }) => arrive(message, isNew));
  on("card", ({ card, before }) => progress(card, before));
  log.addEventListener("scroll", () => {
    // Content that grows under a reader at the end moves nothing up: only going up is a wish to stay there.
    if (log.scrollHeight - log.scrollTop - log.clientHeight < 48) {
      stick = true;
      below.hidden = true;
    } else if (log.scrollTop < lastTop - 1) {
      stick = false;
    }
    lastTop = log.scrollTop;
    log.classList.toggle("at-end", stick);
  }, { passive: true });
  below.addEventListener("click", toBottom);
  // Pictures that load late and cards that grow keep the newest line in view, but only for a reader who is there.
  const grown = new ResizeObserver(() => {
    if (stick) log.scrollTop = log.scrollHeight;
  });
  grown.observe(list);
  grown.observe(log);
}

export function toBottom() {
  stick = true;
  below.hidden = true;
  log.scrollTop = log.scrollHeight;
}

function draw() {
  nodes = new Map();
  const messages = messagesOf(state.chat);
  const hidden = Math.max(0, messages.length - shown);
  const parts = [];
  if (hidden > 0) {
    parts.push(h("button", { class: "plain more", type: "button", onclick: showMore }, t("more", { n: hidden })));
  }
  let before;
  for (const message of messages.slice(hidden)) {
    parts.push(...withDay(message, before));
    before = message;
  }
  list.replaceChildren(...parts);
  actions.empty(messages.length === 0);
  toBottom();
}

function showMore() {
  const fromEnd = log.scrollHeight - log.scrollTop;
  shown += PAGE;
  draw();
  stick = false;
  log.scrollTop = log.scrollHeight - fromEnd;
}

function arrive(message, isNew) {
  if (message.chat !== state.chat) return;
  const messages = messagesOf(state.chat);
  const old = nodes.get(message.id);
  if (old) {
    const at = messages.indexOf(message);
    const fresh = element(message, messages[at - 1]);
    old.replaceWith(fresh);
    return;
  }
  if (!isNew) return;
  if (messages.at(-1) !== message) {
    draw();
    return;
  }
  actions.empty(false);
  list.append(...withDay(message, messages.at(-2)));
  if (message.from === state.me) toBottom();
  else {
    if (!stick) below.hidden = false;
    if (message.kind !== "card") announce(nameOf(message.from), message.text || message.title || t("picture"));
  }
}

function progress(card, before) {
  const node = list.querySelector(`[data-card="${CSS.escape(card.id)}"]`);
  if (!node) return;
  updateCard(node, card, actions);
  const ended = card.state === "finished" || card.state === "failed";
  if (ended && before?.state !== card.state) {
    announce(state.bot.name, `${t(`card_${card.state}`)}. ${(card.text ?? "").slice(-300)}`);
  }
}

// One polite voice for a screen reader; a card speaks when it ends, not with every letter.
function announce(name, text) {
  find("#announcer").textContent = t("arrived", { name, text: text.slice(0, 500) });
}

function withDay(message, before) {
  const day = new Date(message.at_ms).toDateString();
  const parts = [];
  if (!before || new Date(before.at_ms).toDateString() !== day) {
    parts.push(h("div", { class: "day", role: "separator" }, h("span", {}, dayName(message.at_ms))));
  }
  parts.push(element(message, parts.length ? undefined : before));
  return parts;
}

function dayName(at_ms) {
  const day = 24 * 60 * 60 * 1000;
  const date = new Date(at_ms);
  if (date.toDateString() === new Date().toDateString()) return t("today");
  if (date.toDateString() === new Date(Date.now() - day).toDateString()) return t("yesterday");
  return date.toLocaleDateString(locale(), { year: "numeric", month: "short", day: "numeric" });
}

export const clock = (at_ms) =>
  new Date(at_ms).toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit", hour12: false });

function element(message, before) {
  const mine = message.from === state.me;
  const name = nameOf(message.from);
  if (message.recalled) {
    const note = h("div", { class: "note", "data-test": "recalled", "data-id": message.id }, t("recalled", { name }));
    nodes.set(message.id, note);
    return note;
  }
  const joined = before && !before.recalled && before.from === message.from && message.at_ms - before.at_ms < JOIN_MS;
  const when = clock(message.at_ms);
  const head = h("header", { class: "head" },
    h("span", { class: "name" }, name),
    isBot(message.from) && h("span", { class: "badge" }, t("bot_badge")),
    h("time", { datetime: new Date(message.at_ms).toISOString() }, when));
  const node = h("article", {
    class: `message ${mine ? "mine" : "theirs"} ${joined ? "joined" : ""}`,
    "aria-label": `${name}, ${when}`,
    tabindex: "-1",
    "data-test": "message",
    "data-id": message.id,
    "data-from": message.from,
    "data-kind": message.kind,
  },
  isBot(message.from) ? botAvatar() : avatar(state.people.get(message.from) ?? { nick: message.from }),
  h("div", { class: "column" }, head, ...contents(message), reactions(message)),
  tools(message));
  nodes.set(message.id, node);
  return node;
}

function tools(message) {
  const copyButton = h("button", { type: "button", class: "tool", title: t("copy"), "aria-label": t("copy") }, icon("copy"));
  copyButton.addEventListener("click", async () => {
    const text = message.kind === "card" ? state.cards.get(message.card)?.text : message.text;
    await copy(text ?? "");
    actions.toast(t("copied"));
  });
  return h("div", { class: "tools" },
    h("button", {
      type: "button",
      class: "tool",
      title: t("reply"),
      "aria-label": t("reply_to", { name: nameOf(message.from) }),
      "data-test": "reply",
      onclick: () => actions.reply(message),
    }, icon("reply")),
    copyButton);
}

function contents(message) {
  const parts = [];
  const bubble = h("div", { class: "bubble" });
  if (message.quote) bubble.append(quote(message.quote));
  if (message.kind === "card") {
    const card = state.cards.get(message.card);
    parts.push(card ? cardElement(card, actions) : h("div", { class: "bubble faint", "data-card": message.card }, t("card_processing")));
    return parts;
  }
  // As in DingTalk: the title of Markdown is for the list of chats, that of a link for the message.
  if (message.kind === "link" && message.title) bubble.append(h("div", { class: "title" }, message.title));
  const asHtml = ["markdown", "rich_text", "action_card", "link"].includes(message.kind);
  if (asHtml && message.html) bubble.append(rich(message.html, actions));
  else if (message.text || message.at?.length) bubble.append(plain(message));
  if (bubble.childNodes.length) parts.push(bubble);
  for (const file of message.files ?? []) parts.push(file.picture ? picture(file) : fileRow(file));
  return parts;
}

// Mentions that the text spells out are marked in place; the others stand before it.
function plain(message) {
  const text = message.text ?? "";
  const people = [...state.people.values()];
  // A bot writes the id of whom it mentions; DingTalk shows the name.
  const ids = new Map(people.map((person) => [`@${person.staff_id}`, `@${person.nick}`]));
  const names = [...[state.bot.name, ...people.map((person) => person.nick)].map((name) => `@${name}`), ...ids.keys()];
  names.sort((a, b) => b.length - a.length);
  const node = h("div", { class: "plain-text", "data-test": "text" });
  for (const id of message.at ?? []) {
    const name = `@${nameOf(id)}`;
    if (!text.includes(name) && !text.includes(`@${id}`)) node.append(h("span", { class: "mention" }, name), " ");
  }
  const pattern = new RegExp(`(https?://[^\\s<>"'）】，。]+|${names.map(escape).join("|")})`, "u");
  for (const piece of text.split(pattern)) {
    if (names.includes(piece)) node.append(h("span", { class: "mention" }, ids.get(piece) ?? piece));
    else if (/^https?:\/\/./.test(piece)) {
      node.append(h("a", { href: piece, target: "_blank", rel: "noopener noreferrer" }, piece));
    } else node.append(piece);
  }
  return node;
}

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\\-/]/g, "\\$&");

function quote(quoted) {
  return h("button", {
    type: "button",
    class: "quote",
    "data-test": "quote",
    onclick: () => {
      const target = nodes.get(quoted.id);
      target?.scrollIntoView({ block: "center" });
      target?.classList.add("found");
      setTimeout(() => target?.classList.remove("found"), 1600);
    },
  }, h("b", {}, nameOf(quoted.from)), h("span", {}, quoted.text || t("picture")));
}

function picture(file) {
  const name = file.name || t("picture");
  const image = h("img", { alt: name, src: fileUrl(file.url) });
  return h("button", {
    type: "button",
    class: "picture",
    "data-test": "picture",
    "aria-label": t("open_picture", { name }),
    onclick: () => actions.enlarge(image.src, name),
  }, image);
}

function fileRow(file) {
  return h("a", {
    class: "file",
    href: fileUrl(file.url),
    download: file.name,
    "data-test": "file",
    "aria-label": t("download", { name: file.name }),
  }, icon("file"), h("span", { class: "file-name" }, file.name), h("span", { class: "faint" }, size(file.size)));
}

function reactions(message) {
  if (!message.reactions?.length) return null;
  return h("div", { class: "reactions" }, message.reactions.map((reaction) => {
    const what = typeof reaction === "string" ? reaction : (reaction.text ?? reaction.name ?? reaction.emotion ?? "");
    const name = typeof reaction === "object" && reaction.from ? nameOf(reaction.from) : state.bot.name;
    return h("span", { class: "reaction", title: t("reaction_by", { what, name }) }, what);
  }));
}
