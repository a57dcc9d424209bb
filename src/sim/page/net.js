// Everything that goes over the network: the key of this page, calls, uploads, and the event stream.

import { t } from "./strings.js";

const KEY = "moonbell.token";

// The key arrives behind `#`, so it reaches no server log and no Referer; then it leaves the address bar too.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return given ?? sessionStorage.getItem(KEY) ?? "";
}

let token = takeToken();
export const hasToken = () => token !== "";

/** Takes the key of an address pasted into this same tab; true if there was one. */
export function retakeToken() {
  const before = token;
  token = takeToken();
  return token !== before;
}

export class Refused extends Error {}

async function call(path, init = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      credentials: "omit",
      cache: "no-store",
    });
  } catch {
    throw new Error(t("offline"));
  }
  if (answer.ok) return answer;
  const text = await answer.text().catch(() => "");
  let why = text.trim().slice(0, 300) || `HTTP ${answer.status}`;
  try {
    const body = JSON.parse(text);
    const said = body.error ?? body.message;
    if (said) why = body.hint ? `${said} (${body.hint})` : String(said);
  } catch {
    // Not JSON: the text itself says why.
  }
  if (answer.status === 401) throw new Refused(why);
  throw new Error(why);
}

const json = async (answer) => {
  const text = await answer.text();
  return text === "" ? {} : JSON.parse(text);
};

export const get = async (path) => json(await call(path));

export const post = async (path, body) =>
  json(await call(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }));

export async function upload(file) {
  const form = new FormData();
  form.append("file", file, file.name || "picture.png");
  return json(await call("/sim/api/upload", { method: "POST", body: form }));
}

/** The address of a file of this server, which carries its own key; anything else is refused. */
export function fileUrl(url) {
  return typeof url === "string" && /^\/sim\/files\/[^\\]/.test(url) ? url : "about:blank#refused";
}

const EVENTS = ["message", "card", "wire", "connection", "state"];
// Soon enough to feel instant after a restart of the simulator, rare enough to cost nothing overnight.
const RETRY_MS = [300, 600, 1200, 2500, 5000];

/** Keeps the event stream open for ever: `lost` on every loss, `event(kind, data)` for the rest. */
export function listen({ lost, event }) {
  let attempt = 0;
  let source;
  let timer;
  const open = () => {
    source = new EventSource(`/sim/api/events?token=${encodeURIComponent(token)}`);
    source.onopen = () => {
      attempt = 0;
    };
    source.onerror = () => {
      source.close();
      lost();
      timer = setTimeout(open, RETRY_MS[Math.min(attempt++, RETRY_MS.length - 1)]);
    };
    for (const kind of EVENTS) {
      source.addEventListener(kind, (e) => {
        let data;
        try {
          data = JSON.parse(e.data);
        } catch {
          return;
        }
        event(kind, data);
      });
    }
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
