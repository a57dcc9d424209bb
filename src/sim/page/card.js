// A card: title, state in words, a body that follows its own tail, buttons. Updated in place while it streams.

import { h, icon } from "./dom.js";
import { rich } from "./rich.js";
import { t } from "./strings.js";

const ICONS = { processing: "dots", inputing: "pen", finished: "check", failed: "cross" };

export function cardElement(card, actions) {
  const node = h("section", { class: "card", "data-test": "card", "data-card": card.id, "aria-label": t("card") },
    h("div", { class: "card-head" }),
    h("div", { class: "card-progress" }),
    h("div", { class: "card-body", "data-test": "card-body" }),
    h("div", { class: "card-buttons" }),
    h("div", { class: "card-foot" }));
  updateCard(node, card, actions);
  return node;
}

export function updateCard(node, card, actions) {
  if (!node.classList.contains("card")) {
    node.replaceWith(cardElement(card, actions));
    return;
  }
  node.dataset.state = card.state;
  const { title, html } = headed(card);
  const [head, progress, body, buttons, foot] = node.children;
  head.replaceChildren(
    h("span", { class: "card-title", title }, title),
    h("span", { class: `state state-${card.state}`, "data-test": "card-state" },
      icon(ICONS[card.state] ?? "dots"), t(`card_${card.state}`)));
  fillProgress(progress, card);
  fill(body, card, html, actions);
  fillButtons(buttons, card, actions);
  const count = card.calls === 1 ? t("update") : t("updates", { n: card.calls ?? 0 });
  foot.textContent = count;
}

// Templates with one variable have the title as a bold line at its beginning.
const FIRST_LINE = /^\s*<p><strong>((?:(?!<\/?(?:strong|p)>).)*)<\/strong><\/p>\s*/s;

function headed(card) {
  const given = card.params?.title ?? card.params?.msgTitle;
  const html = card.html ?? "";
  if (typeof given === "string" && given.trim()) return { title: given, html };
  const line = FIRST_LINE.exec(html);
  if (!line) return { title: t("card"), html };
  const probe = document.createElement("template");
  probe.innerHTML = line[1]; // inert, and only its text is used
  return { title: probe.content.textContent, html: html.slice(line[0].length) };
}

/** What a card is called in a list. */
export const cardTitle = (card) => headed(card).title;

// A share from 0 to 1, or percent.
function fillProgress(place, card) {
  const given = Number.parseFloat(card.params?.progress);
  if (!Number.isFinite(given)) {
    place.replaceChildren();
    return;
  }
  const percent = Math.round(Math.min(100, Math.max(0, given > 0 && given < 1 ? given * 100 : given)));
  const bar = h("progress", { max: "100", "aria-label": t("progress") });
  bar.value = percent;
  place.replaceChildren(bar, h("span", {}, `${percent} %`));
}

function fill(body, card, html, actions) {
  if (body.shownHtml === html && body.shownState === card.state) return;
  const follows = body.scrollHeight - body.scrollTop - body.clientHeight < 24;
  const working = card.state === "processing" || card.state === "inputing";
  body.shownHtml = html;
  body.shownState = card.state;
  if (html) body.replaceChildren(rich(html, actions));
  else if (card.text && !card.html) body.replaceChildren(h("div", { class: "plain-text" }, card.text));
  else if (working) body.replaceChildren(h("div", { class: "waiting", "aria-hidden": "true" }, h("i"), h("i"), h("i")));
  else body.replaceChildren(h("span", { class: "faint" }, t("card_empty")));
  // Once it has more than fits it must be reachable by keyboard; the tail is what matters, so follow it.
  requestAnimationFrame(() => {
    if (follows) body.scrollTop = body.scrollHeight;
    if (body.scrollHeight > body.clientHeight + 1) {
      body.setAttribute("tabindex", "0");
      body.setAttribute("role", "region");
      body.setAttribute("aria-label", t("card_output"));
    }
  });
}

function fillButtons(place, card, actions) {
  const wanted = JSON.stringify(card.buttons ?? []);
  if (place.shown === wanted) return;
  place.shown = wanted;
  place.replaceChildren(...(card.buttons ?? []).map((button, index) => {
    const node = h("button", {
      type: "button",
      class: `button ${index === 0 && button.color !== "red" ? "primary" : ""} ${/red|danger/.test(button.color ?? "") ? "danger" : ""}`,
      "data-test": "card-button",
      "data-id": button.id,
      disabled: ["disabled", "disable", "done"].includes(button.status),
    }, button.text || button.id);
    node.addEventListener("click", async () => {
      node.disabled = true;
      node.setAttribute("aria-busy", "true");
      await actions.click(card, button);
      node.removeAttribute("aria-busy");
      node.disabled = ["disabled", "disable", "done"].includes(button.status);
    });
    return node;
  }));
}
