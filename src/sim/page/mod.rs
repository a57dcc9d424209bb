//! The chat page: plain HTML, CSS and JavaScript modules out of the binary, with nothing from anywhere else.
//!
//! The files carry no secret and are served to anybody on this computer; the page brings its key in the fragment of its
//! address (`/sim/#token=…`) and shows it with every call. The policy below allows only these files, so markup that
//! slipped through the sanitiser still could not load or run anything.
//!
//! Knows nothing of the simulator behind it: that is the `/sim/api/…` calls the scripts make.

use axum::Router;
use axum::http::HeaderName;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use axum::routing::get;
use maud::DOCTYPE;
use maud::Markup;
use maud::html;

/// Everything the page may load is its own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPTS: [(&str, &str); 12] = [
    ("/sim/app.js", include_str!("app.js")),
    ("/sim/card.js", include_str!("card.js")),
    ("/sim/composer.js", include_str!("composer.js")),
    ("/sim/conversation.js", include_str!("conversation.js")),
    ("/sim/dom.js", include_str!("dom.js")),
    ("/sim/faults.js", include_str!("faults.js")),
    ("/sim/net.js", include_str!("net.js")),
    ("/sim/rich.js", include_str!("rich.js")),
    ("/sim/sidebar.js", include_str!("sidebar.js")),
    ("/sim/store.js", include_str!("store.js")),
    ("/sim/strings.js", include_str!("strings.js")),
    ("/sim/wire.js", include_str!("wire.js")),
];
const STYLE: &str = include_str!("app.css");
const ICON: &str = include_str!("favicon.svg");

/// The page and its files, to be merged into the simulator's router, whatever that one's state is.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut router = Router::new()
        .route("/sim", get(async || Redirect::permanent("/sim/")))
        .route("/sim/", get(async || served("text/html; charset=utf-8", page().into_string())))
        .route("/sim/app.css", get(async || served("text/css; charset=utf-8", STYLE)))
        .route("/sim/favicon.svg", get(async || served("image/svg+xml", ICON)));
    for (path, text) in SCRIPTS {
        router = router.route(path, get(async move || script(text)));
    }
    router
}

fn script(text: &'static str) -> Response {
    served("text/javascript; charset=utf-8", text)
}

fn served(kind: &'static str, body: impl IntoResponse) -> Response {
    let headers: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        // The next version of the binary serves other files under the same names.
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

fn page() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "moonbell simulator" }
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                link rel="icon" href="/sim/favicon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/sim/app.css";
                script type="module" src="/sim/app.js" {}
            }
            body {
                (mark())
                noscript { p.notice { "This page needs JavaScript: all of it is served from this computer. 此页面需要启用 JavaScript。" } }
                div #app {
                    (sidebar())
                    (conversation())
                    (wire())
                    div #scrim hidden {}
                }
                (locked())
                dialog #lightbox { button type="button" data-label="close" { img #lightbox-image alt=""; } }
                div #toast role="status" data-test="toast" hidden {}
                div #announcer .offscreen aria-live="polite" {}
            }
        }
    }
}

/// A crescent that holds a bell; every other place on the page points here.
fn mark() -> Markup {
    html! {
        svg width="0" height="0" aria-hidden="true" class="offscreen" {
            symbol id="moonbell-mark" viewBox="0 0 64 64" {
                path class="moon" d="M24.7 5.5A28 28 0 1 0 56.8 41.2 24 24 0 0 1 24.7 5.5Z" {}
                path class="bell" d="M43 8.5a3 3 0 0 1 3 3v.8c5.6 1.4 9 6.1 9 12.2v6.2l3.4 4.9a1.6 1.6 0 0 1-1.3 2.5H28.9a1.6 1.6 0 0 1-1.3-2.5l3.4-4.9v-6.2c0-6.1 3.4-10.8 9-12.2v-.8a3 3 0 0 1 3-3Z" {}
                circle class="bell" cx="43" cy="42.4" r="3.6" {}
            }
        }
    }
}

fn use_mark() -> Markup {
    html! { svg class="mark" viewBox="0 0 64 64" aria-hidden="true" { use href="#moonbell-mark" {} } }
}

/// A line drawing of 24 by 24, as `icon` in `dom.js` makes them.
fn icon(paths: &[&str]) -> Markup {
    html! { svg class="icon" viewBox="0 0 24 24" aria-hidden="true" { @for d in paths { path d=(d) {} } } }
}

fn sidebar() -> Markup {
    html! {
        aside #sidebar data-label="menu" data-test="sidebar" {
            header.brand {
                (use_mark())
                h1 { "moonbell" }
                span.tag data-t="tagline" { "simulator" }
                button #menu-close .tool.drawer-only type="button" data-label="close" data-tip="" { (icon(&["M6 6l12 12", "M18 6L6 18"])) }
            }
            section aria-labelledby="you-are" {
                h2 #you-are .label data-t="you_are" { "You are" }
                div #people role="group" aria-labelledby="you-are" {}
                p #me .faint {}
            }
            nav aria-labelledby="chats-label" {
                h2 #chats-label .label data-t="chats" { "Chats" }
                ul #chats {}
            }
            footer {
                p.faint data-t="made_up" {}
                div #languages role="group" data-label="language" {}
            }
        }
    }
}

fn conversation() -> Markup {
    html! {
        main #main {
            header #head {
                button #menu-open .tool.drawer-only type="button" data-label="menu" data-tip="" data-test="menu" aria-expanded="false" aria-controls="sidebar" {
                    (icon(&["M4 7h16", "M4 12h16", "M4 17h16"]))
                    span #menu-dot .dot hidden {}
                }
                span #chat-avatar {}
                div.chat-name { h2 #chat-title { "moonbell" } p #chat-hint .faint {} }
                span #connection .pill role="status" data-test="connection" data-connected="false" { i aria-hidden="true" {} span #connection-text {} }
                div.menu-anchor {
                    button #faults-open .head-button type="button" aria-expanded="false" aria-controls="faults-menu" data-label="faults_title" data-tip="" data-test="faults" {
                        (icon(&["M13 3L5 14h6l-1 7 8-11h-6z"])) span data-t="faults" {} b #faults-count .armed data-test="faults-count" hidden {}
                    }
                    div #faults-menu hidden {}
                }
                button #wire-open .head-button type="button" aria-expanded="false" aria-controls="wire" data-label="wire_show" data-tip="" data-test="wire-open" {
                    (icon(&["M8 6l-5 6 5 6", "M16 6l5 6-5 6"])) span data-t="wire" {}
                }
            }
            div #lost .strip.bad role="alert" data-t="stream_lost" data-test="lost" hidden {}
            div #offline .strip role="status" data-t="bot_offline_hint" data-test="offline" hidden {}
            div #log role="log" aria-live="off" tabindex="0" data-label="messages" {
                div #empty hidden {}
                div #messages data-test="messages" {}
            }
            button #below .plain type="button" data-test="to-bottom" hidden { (icon(&["M12 5v14", "M6 13l6 6 6-6"])) span data-t="new_below" {} }
            form #composer {
                div #reply-bar data-test="reply-bar" hidden {}
                ul #tray hidden {}
                div.mention-line {
                    button #mention type="button" aria-pressed="true" aria-describedby="mention-note" data-test="mention" hidden {}
                    span #mention-note data-test="mention-note" {}
                }
                div.compose-row {
                    button #attach .tool type="button" data-label="attach" data-tip="" data-test="attach" {
                        (icon(&["M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1l8.6-8.6a3.4 3.4 0 0 1 4.8 4.8l-8.4 8.4a1.7 1.7 0 0 1-2.4-2.4l7.7-7.7"]))
                    }
                    input #file type="file" multiple hidden data-test="file-input";
                    textarea #text rows="1" autocomplete="off" spellcheck="false" enterkeyhint="send" data-test="composer" {}
                    button #send type="submit" data-label="send" data-tip="" data-test="send" { (icon(&["M5 12h13", "M12.5 6l6 6-6 6"])) }
                }
                p #keys .faint {}
            }
            div #drop data-t="drop_here" hidden {}
        }
    }
}

fn wire() -> Markup {
    html! {
        aside #wire data-label="wire_title" data-test="wire" {
            header {
                div { h2 data-t="wire_title" {} p.faint data-t="wire_text" {} }
                button #wire-close .tool type="button" data-label="close" data-tip="" { (icon(&["M6 6l12 12", "M18 6L6 18"])) }
            }
            div.wire-controls {
                input #wire-filter type="search" autocomplete="off" data-placeholder="wire_filter" data-label="wire_filter" data-test="wire-filter";
                select #wire-direction data-label="wire_title" {
                    option value="all" data-t="wire_all" {}
                    option value="in" data-t="wire_in" {}
                    option value="out" data-t="wire_out" {}
                }
                label { input #wire-unfold type="checkbox" checked; span data-t="wire_unfold" {} }
                button #wire-clear .plain.small type="button" data-t="wire_clear" {}
            }
            p #wire-none .faint {}
            div #wire-list data-test="wire-list" {}
        }
    }
}

fn locked() -> Markup {
    html! {
        div #locked role="alertdialog" aria-labelledby="locked-title" aria-describedby="locked-text" data-test="locked" hidden {
            div {
                (use_mark())
                h2 #locked-title data-t="no_token_title" {}
                p #locked-text data-t="no_token_text" {}
                p #locked-why .faint {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_no_file_that_is_not_served_and_nothing_outside() {
        let html = page().into_string();
        for (_, text) in SCRIPTS {
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let (_, from) =
                    line.split_once("from \"./").expect("scripts import only their neighbours");
                let path = format!("/sim/{}", from.trim_end_matches("\";"));
                assert!(
                    SCRIPTS.iter().any(|(served, _)| *served == path),
                    "{line}: {path} is not served"
                );
            }
        }
        for attribute in ["src=\"", "href=\""] {
            for rest in html.split(attribute).skip(1) {
                let target = rest.split('"').next().expect("split yields one part at least");
                let served = SCRIPTS.iter().any(|(path, _)| *path == target)
                    || ["/sim/app.css", "/sim/favicon.svg", "#moonbell-mark"].contains(&target);
                assert!(served, "{target} is not served by this page");
            }
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"), "the style loads nothing");
    }

    #[test]
    fn nothing_in_the_page_needs_inline_script_or_style() {
        let html = page().into_string();
        assert!(!html.contains("style=\"") && !html.contains("<style"), "{html}");
        assert!(!html.contains(" onclick=") && html.matches("<script").count() == 1, "{html}");
    }

    #[test]
    fn every_text_of_the_page_is_in_both_languages() {
        let catalogue =
            SCRIPTS.iter().find(|(path, _)| path.ends_with("strings.js")).expect("the catalogue").1;
        let (english, chinese) = catalogue.split_once("\n  zh: {").expect("two languages");
        let keys = |part: &str| -> Vec<String> {
            let lines = part.lines().filter_map(|line| line.strip_prefix("    "));
            lines.filter_map(|line| Some(line.split_once(": \"")?.0.to_owned())).collect()
        };
        assert_eq!(keys(english), keys(chinese));
        let html = page().into_string();
        for attribute in ["data-t=\"", "data-label=\"", "data-placeholder=\""] {
            for rest in html.split(attribute).skip(1) {
                let key = rest.split('"').next().expect("split yields one part at least");
                assert!(keys(english).iter().any(|known| known == key), "no text for `{key}`");
            }
        }
    }
}
