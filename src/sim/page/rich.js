// HTML that the server has already sanitised, made comfortable: links leave the page, tables and code scroll.

import { copy, h, icon } from "./dom.js";
import { t } from "./strings.js";

/** An element that holds `html`. Only for HTML that the server has sanitised. */
export function rich(html, actions) {
  const template = document.createElement("template");
  // Markdown aligns columns with a style attribute, which the page's policy refuses: app.css knows `data-side`.
  const aligned = html.replace(/<(t[dh]) style="text-align: (left|center|right)">/g, '<$1 data-side="$2">');
  template.innerHTML = aligned; // inert: nothing loads or runs before it is put on the page
  const root = template.content;
  for (const link of root.querySelectorAll("a")) settleLink(link, actions);
  for (const table of root.querySelectorAll("table")) {
    const frame = h("div", { class: "table", tabindex: "0", role: "region", "aria-label": t("table") });
    table.replaceWith(frame);
    frame.append(table);
  }
  for (const code of root.querySelectorAll("pre")) {
    const text = code.textContent;
    const button = h("button", { type: "button", class: "tool copy-code", title: t("copy"), "aria-label": t("copy") }, icon("copy"));
    button.addEventListener("click", async () => {
      await copy(text);
      actions.toast(t("copied"));
    });
    const frame = h("div", { class: "code" });
    code.setAttribute("tabindex", "0");
    code.replaceWith(frame);
    frame.append(code, button);
  }
  return h("div", { class: "rich", "data-test": "text" }, root);
}

// DingTalk's own scheme: a link that says something in the chat when it is pressed.
const SAYS = "dtmd://dingtalkclient/sendMessage?";

function settleLink(link, actions) {
  const href = link.getAttribute("href") ?? "";
  if (href.startsWith(SAYS)) {
    link.removeAttribute("target");
    link.setAttribute("role", "button");
    link.setAttribute("href", "#");
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const content = new URLSearchParams(href.slice(SAYS.length)).get("content");
      if (content) actions.say(content);
    });
    return;
  }
  link.setAttribute("target", "_blank");
  link.setAttribute("rel", "noopener noreferrer");
}
