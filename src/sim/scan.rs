//! What a phone shows after it has scanned the code of the device flow: create the bot, or refuse.
//!
//! Whoever has the code may decide, as at DingTalk; pages of other origins are kept out as everywhere here.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::RawForm;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::response::Response;
use maud::DOCTYPE;
use maud::Markup;
use maud::html;

use super::Shared;
use super::registration::Scanned;

/// As the chat page's, and a form that leads back here.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

pub(super) async fn show(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let code = fields(query.unwrap_or_default().as_bytes()).remove("user_code").unwrap_or_default();
    if shared.world().may_scan(&code) {
        let name = shared.world().options.bot_name.clone();
        page(StatusCode::OK, &question(&code, &name))
    } else {
        page(StatusCode::NOT_FOUND, &said("This code is over.", "这个二维码已失效。"))
    }
}

pub(super) async fn decide(State(shared): State<Arc<Shared>>, RawForm(form): RawForm) -> Response {
    let mut form = fields(&form);
    let code = form.remove("user_code").unwrap_or_default();
    let (scanned, done) = match form.get("do").map(String::as_str) {
        Some("create") => (
            Scanned::Create,
            said("The bot is there. Go back to the terminal.", "机器人已创建，请回到终端继续。"),
        ),
        Some("refuse") => (
            Scanned::Refuse { reason: "用户拒绝了授权".to_owned() },
            said("Refused. The terminal says so, too.", "已拒绝，终端也会提示。"),
        ),
        _ => {
            return page(
                StatusCode::BAD_REQUEST,
                &said("Press one of the buttons.", "请点击其中一个按钮。"),
            );
        }
    };
    match shared.world().scan(Some(&code), scanned) {
        Ok(()) => page(StatusCode::OK, &done),
        Err(_) => page(StatusCode::NOT_FOUND, &said("This code is over.", "这个二维码已失效。")),
    }
}

fn fields(encoded: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

fn question(code: &str, name: &str) -> Markup {
    html! {
        h1 { "Create the bot “" (name) "”?" }
        p { "创建机器人“" (name) "”？" }
        p.scan-code data-test="user-code" { (code) }
        p.faint { "The same code is shown in the terminal." br; "请与终端中显示的代码核对。" }
        form method="post" action="/sim/scan" {
            input type="hidden" name="user_code" value=(code);
            button type="submit" name="do" value="create" data-test="create" { "Create the bot · 创建" }
            button.plain type="submit" name="do" value="refuse" data-test="refuse" { "Refuse · 拒绝" }
        }
    }
}

fn said(en: &str, zh: &str) -> Markup {
    html! { h1 data-test="said" { (en) } p { (zh) } }
}

fn page(status: StatusCode, content: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "moonbell simulator" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="/sim/favicon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/sim/app.css";
            }
            body.scan { main.scan-card { p.faint { "simulated DingTalk · 模拟钉钉" } (content) } }
        }
    };
    let headers: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (status, headers, page.into_string()).into_response()
}
