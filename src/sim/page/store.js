// What the page knows. Changes are told to whoever asked with `on`; nothing here touches the page itself.

const listeners = new Map();

export function on(kinds, listener) {
  for (const kind of kinds.split(" ")) {
    if (!listeners.has(kind)) listeners.set(kind, []);
    listeners.get(kind).push(listener);
  }
}

export function emit(kind, detail) {
  for (const listener of listeners.get(kind) ?? []) listener(detail);
}

export const state = {
  bot: { name: "moonbell", client_id: "", connected: false },
  people: new Map(),
  chats: new Map(),
  messages: new Map(),
  byChat: new Map(),
  cards: new Map(),
  faults: {},
  me: null,
  chat: null,
  ready: false,
};

// Newest message of a chat that a person has seen, in server time: `person|chat` → ms.
const seen = new Map(JSON.parse(sessionStorage.getItem("moonbell.seen") ?? "[]"));
const place = JSON.parse(sessionStorage.getItem("moonbell.place") ?? "{}");

export const isBot = (from) => from === "bot";
export const nameOf = (from) => (isBot(from) ? state.bot.name : (state.people.get(from)?.nick ?? from));
export const messagesOf = (chat) => state.byChat.get(chat) ?? [];
export const chatsOf = (person) => [...state.chats.values()].filter((chat) => chat.members.includes(person));

export function replaceAll(fresh) {
  state.bot = { ...state.bot, ...fresh.bot };
  state.people = new Map(fresh.people.map((person) => [person.staff_id, person]));
  state.chats = new Map(fresh.chats.map((chat) => [chat.id, chat]));
  state.cards = new Map((fresh.cards ?? []).map((card) => [card.id, card]));
  state.messages = new Map();
  state.byChat = new Map();
  state.faults = fresh.faults ?? {};
  for (const message of fresh.messages ?? []) insert(message);
  if (!state.ready) {
    // What was said before this page opened is history, not news.
    for (const person of state.people.keys()) {
      for (const chat of chatsOf(person)) {
        const key = `${person}|${chat.id}`;
        if (!seen.has(key)) seen.set(key, newest(chat.id));
      }
    }
  }
  state.ready = true;
  if (!state.people.has(state.me)) {
    const person = state.people.has(place.me) ? place.me : fresh.people[0]?.staff_id;
    if (person) actAs(person, place.chat);
  } else if (!state.chats.has(state.chat)) {
    actAs(state.me);
  }
  markSeen();
  emit("all");
}

function insert(message) {
  const known = state.messages.get(message.id);
  state.messages.set(message.id, message);
  if (!state.byChat.has(message.chat)) state.byChat.set(message.chat, []);
  const list = state.byChat.get(message.chat);
  if (known) {
    list[list.indexOf(known)] = message;
    return false;
  }
  list.push(message);
  if (list.length > 1 && list.at(-2).at_ms > message.at_ms) list.sort((a, b) => a.at_ms - b.at_ms);
  return true;
}

export function upsertMessage(message) {
  const isNew = insert(message);
  markSeen();
  emit("message", { message, isNew });
}

export function upsertCard(card) {
  const known = state.cards.get(card.id);
  // A refetched state may already be ahead of an event that waited in the queue.
  if (known && (known.updated_ms > card.updated_ms || known.calls > card.calls)) return;
  state.cards.set(card.id, card);
  emit("card", { card, before: known });
}

export function setConnected(connected) {
  if (state.bot.connected === connected) return;
  state.bot.connected = connected;
  emit("connection");
}

/** Becomes `person`, in `chat` if that is theirs, else in their direct chat. */
export function actAs(person, chat) {
  state.me = person;
  const mine = chatsOf(person);
  const stay = mine.find((one) => one.id === (chat ?? (state.chats.get(state.chat)?.kind === "group" ? state.chat : null)));
  openChat((stay ?? mine.find((one) => one.kind === "dm") ?? mine[0])?.id ?? null);
}

export function openChat(chat) {
  state.chat = chat;
  sessionStorage.setItem("moonbell.place", JSON.stringify({ me: state.me, chat }));
  markSeen();
  emit("place");
}

const newest = (chat) => messagesOf(chat).at(-1)?.at_ms ?? 0;

export function unread(person, chat) {
  const since = seen.get(`${person}|${chat}`) ?? 0;
  let count = 0;
  const list = messagesOf(chat);
  for (let at = list.length - 1; at >= 0 && list[at].at_ms > since; at--) {
    if (list[at].from !== person) count++;
  }
  return count;
}

export function markSeen() {
  if (!state.chat || document.hidden) return;
  const key = `${state.me}|${state.chat}`;
  const now = newest(state.chat);
  if (seen.get(key) === now) return;
  seen.set(key, now);
  sessionStorage.setItem("moonbell.seen", JSON.stringify([...seen]));
  emit("seen");
}
