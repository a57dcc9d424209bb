// The left column: who you are, and the chats of that person.

import { avatar, botAvatar, find, groupAvatar, h } from "./dom.js";
import { cardTitle } from "./card.js";
import { clock } from "./conversation.js";
import { t } from "./strings.js";
import { actAs, chatsOf, messagesOf, nameOf, on, openChat, state, unread } from "./store.js";

export function start({ chosen }) {
  const draw = () => {
    drawPeople();
    drawChats(chosen);
  };
  on("all place message seen language", draw);
  on("card", ({ before }) => !before && draw());
}

function drawPeople() {
  const focused = document.activeElement?.closest?.("#people [data-id]")?.dataset.id;
  find("#people").replaceChildren(...[...state.people.values()].map((person) => {
    const me = person.staff_id === state.me;
    const waiting = me ? 0 : chatsOf(person.staff_id).reduce((sum, chat) => sum + (chat.kind === "dm" ? unread(person.staff_id, chat.id) : 0), 0);
    return h("button", {
      type: "button",
      class: "person",
      "aria-pressed": String(me),
      "aria-label": [me ? person.nick : t("act_as", { name: person.nick }), roleOf(person), waiting && t("unread", { n: waiting })].filter(Boolean).join(", "),
      title: [person.nick, roleOf(person)].filter(Boolean).join(" · "),
      "data-test": "person",
      "data-id": person.staff_id,
      "data-nick": person.nick,
      onclick: () => actAs(person.staff_id),
    }, h("span", { class: "seat" }, avatar(person), waiting > 0 && h("span", { class: "dot" })), h("span", { class: "person-name" }, shortName(person.nick)));
  }));
  if (focused) find(`#people [data-id="${CSS.escape(focused)}"]`)?.focus();
  const me = state.people.get(state.me);
  find("#me").textContent = me ? [me.nick, roleOf(me)].filter(Boolean).join(" · ") : "";
}

// Fits under the picture; the whole name is in the label and below the row.
const shortName = (nick) => (/\p{Script=Han}/u.test(nick) ? nick : nick.split(/\s+/)[0]);

const ROLES = ["owner", "member", "external"];
const roleOf = (person) => (ROLES.includes(person.role_hint) ? t(`role_${person.role_hint}`) : person.role_hint);

function drawChats(chosen) {
  const focused = document.activeElement?.closest?.("#chats [data-id]")?.dataset.id;
  const chats = chatsOf(state.me).sort((a, b) => (a.kind === b.kind ? 0 : a.kind === "dm" ? -1 : 1));
  find("#chats").replaceChildren(...chats.map((chat) => {
    const count = unread(state.me, chat.id);
    const last = messagesOf(chat.id).at(-1);
    const name = chatTitle(chat);
    const here = chat.id === state.chat;
    return h("li", {}, h("button", {
      type: "button",
      class: "chat",
      "aria-current": here ? "true" : null,
      "data-test": "chat",
      "data-id": chat.id,
      "data-title": name,
      onclick: () => {
        openChat(chat.id);
        chosen();
      },
    },
    chat.kind === "dm" ? botAvatar() : groupAvatar(),
    h("span", { class: "chat-text" },
      h("span", { class: "chat-line" }, h("span", { class: "chat-title" }, name), last && h("time", {}, clock(last.at_ms))),
      h("span", { class: "chat-line" },
        h("span", { class: "chat-last" }, last ? preview(last, chat) : chat.kind === "dm" ? t("direct") : t("group")),
        count > 0 && h("span", { class: "count", "aria-label": t("unread", { n: count }), "data-test": "unread" }, count > 99 ? "99+" : String(count))))));
  }));
  if (focused) find(`#chats [data-id="${CSS.escape(focused)}"]`)?.focus();
  const elsewhere = chats.some((chat) => unread(state.me, chat.id) > 0);
  find("#menu-dot").hidden = !elsewhere;
}

export const chatTitle = (chat) => (chat.kind === "dm" ? state.bot.name : chat.title);

function preview(message, chat) {
  const who = chat.kind === "group" || message.from === state.me ? `${message.from === state.me ? t("you") : nameOf(message.from)}: ` : "";
  if (message.recalled) return t("recalled", { name: nameOf(message.from) });
  const card = message.kind === "card" ? state.cards.get(message.card) : null;
  const what = card ? `[${t("card")}] ${cardTitle(card)}` : message.title || message.text || (message.files?.[0] ? `[${message.files[0].picture ? t("picture") : message.files[0].name}]` : "");
  return (who + what).slice(0, 80);
}
