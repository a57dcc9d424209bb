// The wire panel: every frame and call in both directions, newest last, raw JSON on demand.

import { copy, find, h, icon } from "./dom.js";
import { get } from "./net.js";
import { locale, t } from "./strings.js";
import { on } from "./store.js";

// A long afternoon of traffic; beyond it the oldest lines leave the page (the simulator keeps its own limit).
const KEPT = 600;

const list = find("#wire-list");
const filter = find("#wire-filter");
const direction = find("#wire-direction");
const unfold = find("#wire-unfold");
let entries = [];
let rows = new Map();
let actions;
let last = 0;

export function start(given) {
  actions = given;
  filter.addEventListener("input", redraw);
  direction.addEventListener("change", redraw);
  unfold.addEventListener("change", redraw);
  find("#wire-clear").addEventListener("click", () => {
    entries = [];
    redraw();
  });
  on("language", redraw);
}

// While older lines are being fetched, new ones wait their turn.
let waiting = null;

/** Fetches what passed while nobody listened. */
export async function refresh() {
  if (waiting) return;
  waiting = [];
  let missed = [];
  try {
    missed = await get(`/sim/api/wire?after=${last}`);
  } finally {
    const late = waiting;
    waiting = null;
    for (const entry of [...missed, ...late]) add(entry);
  }
}

export function add(entry) {
  if (waiting) {
    waiting.push(entry);
    return;
  }
  if (entry.seq <= last) return;
  last = entry.seq;
  entries.push(entry);
  if (entries.length > KEPT) {
    const gone = entries.shift();
    rows.get(gone.seq)?.remove();
    rows.delete(gone.seq);
  }
  if (!matches(entry)) {
    note();
    return;
  }
  const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(row(entry));
  note();
  if (follows) list.scrollTop = list.scrollHeight;
}

/** The panel has just become visible: the newest lines are what it was opened for. */
export function shown() {
  list.scrollTop = list.scrollHeight;
}

function redraw() {
  rows = new Map();
  list.replaceChildren(...entries.filter(matches).map(row));
  list.scrollTop = list.scrollHeight;
  note();
}

function note() {
  const none = find("#wire-none");
  none.hidden = rows.size > 0;
  none.textContent = entries.length ? t("wire_none") : t("wire_empty");
}

function matches(entry) {
  if (direction.value !== "all" && entry.dir !== direction.value) return false;
  const words = filter.value.trim().toLowerCase();
  if (!words) return true;
  entry.hay ??= `${entry.summary} ${entry.path ?? ""} ${entry.status ?? ""} ${entry.kind} ${raw(entry)}`.toLowerCase();
  return words.split(/\s+/).every((word) => entry.hay.includes(word));
}

function row(entry) {
  const incoming = entry.dir === "in";
  const bad = entry.status >= 400;
  const words = t(incoming ? "wire_in" : "wire_out");
  const summary = h("summary", {},
    h("span", { class: `arrow ${entry.dir}`, title: words }, incoming ? "←" : "→", h("span", { class: "offscreen" }, words)),
    h("span", { class: "wire-kind" }, t(`kind_${entry.kind}`)),
    h("span", { class: "wire-summary" }, entry.summary || entry.path || ""),
    entry.status ? h("span", { class: `status ${bad ? "bad" : ""}` }, String(entry.status)) : null,
    h("time", {}, precise(entry.at_ms)));
  const details = h("details", { class: "wire-row", "data-test": "wire-row", "data-dir": entry.dir, "data-kind": entry.kind }, summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(body(entry));
  });
  rows.set(entry.seq, details);
  return details;
}

function body(entry) {
  const copyButton = h("button", { type: "button", class: "plain small", onclick: async () => {
    await copy(raw(entry));
    actions.toast(t("copied"));
  } }, icon("copy"), t("wire_copy"));
  const text = pretty(entry);
  return h("div", { class: "wire-body" },
    h("div", { class: "wire-tools" }, entry.path ? h("code", { class: "path" }, entry.path) : h("span"), copyButton),
    text ? h("pre", { tabindex: "0", "data-test": "wire-json" }, ...coloured(text)) : h("p", { class: "faint" }, t("wire_nobody")));
}

const raw = (entry) => {
  if (entry.body === undefined || entry.body === null) return "";
  return typeof entry.body === "string" ? entry.body : JSON.stringify(entry.body, null, 2);
};

function pretty(entry) {
  let value = entry.body;
  if (typeof value === "string") {
    try {
      value = JSON.parse(value);
    } catch {
      return value;
    }
  }
  if (value === undefined || value === null) return "";
  return JSON.stringify(unfold.checked ? unfolded(value) : value, null, 2);
}

// DingTalk packs JSON into strings of JSON (`data`, `cardParamMap`, `msgParam`): readable only when opened up.
function unfolded(value, depth = 0) {
  if (depth > 6) return value;
  if (typeof value === "string" && /^\s*[[{]/.test(value)) {
    try {
      return unfolded(JSON.parse(value), depth + 1);
    } catch {
      return value;
    }
  }
  if (Array.isArray(value)) return value.map((one) => unfolded(one, depth + 1));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, unfolded(one, depth + 1)]));
  }
  return value;
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function coloured(text) {
  // Colouring 16 MB would freeze the page; plain text is fine there.
  if (text.length > 200_000) return [text];
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.push(text.slice(from, match.index));
    const [whole, string, colon] = match;
    if (string && colon) parts.push(h("span", { class: "j-key" }, string), colon);
    else parts.push(h("span", { class: string ? "j-string" : "j-word" }, whole));
    from = match.index + whole.length;
  }
  parts.push(text.slice(from));
  return parts;
}

const precise = (at_ms) => {
  const date = new Date(at_ms);
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${date.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false })}.${ms}`;
};
