// Elements without innerHTML: whatever comes from a chat is only ever inserted as text.

const SVG = "http://www.w3.org/2000/svg";

const paths = {
  menu: ["M4 7h16", "M4 12h16", "M4 17h16"],
  close: ["M6 6l12 12", "M18 6L6 18"],
  send: ["M5 12h13", "M12.5 6l6 6-6 6"],
  attach: ["M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1l8.6-8.6a3.4 3.4 0 0 1 4.8 4.8l-8.4 8.4a1.7 1.7 0 0 1-2.4-2.4l7.7-7.7"],
  reply: ["M9 7l-5 5 5 5", "M4 12h9a7 7 0 0 1 7 7"],
  copy: ["M9 9h11v11H9z", "M5 15H4V4h11v1"],
  wire: ["M8 6l-5 6 5 6", "M16 6l5 6-5 6"],
  fault: ["M13 3L5 14h6l-1 7 8-11h-6z"],
  down: ["M12 5v14", "M6 13l6 6 6-6"],
  file: ["M7 3h7l5 5v13H7z", "M14 3v5h5"],
  people: ["M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z", "M2.5 20a6.5 6.5 0 0 1 13 0", "M16 4.5a3.5 3.5 0 0 1 0 6.5", "M18 14.2a6.5 6.5 0 0 1 3.5 5.8"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  cross: ["M7 7l10 10", "M17 7L7 17"],
  dots: ["M6 12h.01", "M12 12h.01", "M18 12h.01"],
  pen: ["M4 20l4-1L19 8l-3-3L5 16z"],
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  for (const d of paths[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** The moon and bell of the page head, for the bot's avatar. */
export function mark() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 64 64");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", "#moonbell-mark");
  svg.append(use);
  return svg;
}

/** `h("button", { class: "x", onclick: f }, "text", node)`; `null`, `false` and `undefined` are left out. */
export function h(tag, props = {}, ...kids) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...kids.flat().filter((kid) => kid !== null && kid !== undefined && kid !== false));
  return element;
}

export const find = (selector) => document.querySelector(selector);

/** A person's round picture: initials on their colour, ink chosen so that it can be read. */
export function avatar(person, extra = "") {
  const element = h("span", { class: `avatar ${extra}`, "aria-hidden": "true" }, initials(person.nick));
  const colour = /^#[0-9a-f]{6}$/i.test(person.color ?? "") ? person.color : "#5b6275";
  element.style.setProperty("--avatar", colour);
  element.style.setProperty("--avatar-ink", luminance(colour) > 0.3 ? "#14161f" : "#ffffff");
  return element;
}

export const botAvatar = (extra = "") => h("span", { class: `avatar avatar-bot ${extra}`, "aria-hidden": "true" }, mark());
export const groupAvatar = (extra = "") => h("span", { class: `avatar avatar-group ${extra}`, "aria-hidden": "true" }, icon("people"));

// Chinese names are known by their last two letters, others by the first letter of two words.
function initials(nick) {
  const name = (nick ?? "").trim();
  if (/\p{Script=Han}/u.test(name)) return [...name.replace(/[^\p{Script=Han}]/gu, "")].slice(-2).join("");
  return name.split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? "").join("").toUpperCase() || "?";
}

function luminance(hex) {
  const part = (at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the clipboard permission the old way still works.
    const area = h("textarea", { class: "offscreen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

export function size(bytes) {
  if (!(bytes >= 0)) return "";
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
