//! Pictures of the chat page, for the README and for the eyes of whoever changes it.
//!
//! They are taken only when `MOONBELL_TEST_SCREENSHOTS` names a folder; `tests/screenshots FOLDER` does. Without it the
//! same walk through the page is still a test: whatever the size and the colours, nothing sticks out sideways and the
//! browser has nothing to complain about. With `MOONBELL_TEST_PAGE` the pictures are of a page that is served already,
//! such as the one that `moonbell dev` prints.

#![expect(
    clippy::unwrap_used,
    clippy::format_collect,
    reason = "tests: a failure here is the failure of the test, and nothing is hot"
)]

use std::env;
use std::path::PathBuf;

use moonbell::sim::Options;
use moonbell::sim::Say;
use moonbell::sim::Sim;
use serde_json::json;

use crate::browser::Bot;
use crate::browser::Browser;
use crate::browser::Page;

const OWNER: &str = "manager4220";

/// Name, width, height, dark.
const VIEWS: [(&str, u32, u32, bool); 5] = [
    ("desktop-light", 1280, 800, false),
    ("desktop-dark", 1280, 800, true),
    ("phone-light", 390, 844, false),
    ("phone-dark", 390, 844, true),
    ("phone-narrow", 360, 740, false),
];

#[tokio::test]
async fn at_every_size_and_in_both_colours_nothing_sticks_out() {
    let folder = env::var_os("MOONBELL_TEST_SCREENSHOTS").map(PathBuf::from);
    if let Ok(url) = env::var("MOONBELL_TEST_PAGE") {
        let page = Browser::open(&url).await;
        walk(&page, folder.as_ref(), "dev").await;
        page.close().await;
        return;
    }
    let sim = Sim::start(Options::default()).await.unwrap();
    let mut bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;
    page.act_as(OWNER).await;
    walk(&page, folder.as_ref(), "first").await;
    converse(&sim, &mut bot).await;
    page.until_card("inputing").await;
    let at_end = "const log = document.querySelector('#log'); return log.scrollTop + log.clientHeight > log.scrollHeight - 4";
    page.until("the newest line is in view", at_end).await;
    walk(&page, folder.as_ref(), "chat").await;
    assert_eq!(page.console().await, Vec::<String>::new());
    page.close().await;
}

/// Looks at the conversation, then at each drawer or panel, in every view.
async fn walk(page: &Page, folder: Option<&PathBuf>, name: &str) {
    for (view, width, height, dark) in VIEWS {
        page.size(width, height).await;
        page.dark(dark).await;
        if width < 760 {
            let out =
                "return document.querySelector('#sidebar').getBoundingClientRect().right <= 0";
            page.until("the drawer is out", out).await;
        }
        page.run("const log = document.querySelector('#log'); log.scrollTop = log.scrollHeight")
            .await;
        look(page, folder, &format!("{name}-{view}"), width).await;
        page.run("document.querySelector('#log').scrollTop = 0").await;
        look(page, folder, &format!("{name}-{view}-top"), width).await;
        page.click("[data-test=wire-open]").await;
        look(page, folder, &format!("{name}-{view}-wire"), width).await;
        page.run("document.querySelector('#wire-close').click()").await;
        if width < 760 {
            page.click("[data-test=menu]").await;
            page.until(
                "the drawer is in",
                "return document.querySelector('#sidebar').getBoundingClientRect().left === 0",
            )
            .await;
            look(page, folder, &format!("{name}-{view}-menu"), width).await;
            page.run("document.querySelector('#menu-close').click()").await;
            page.until(
                "the drawer is out",
                "return document.querySelector('#sidebar').getBoundingClientRect().right <= 0",
            )
            .await;
        }
    }
    page.size(1280, 800).await;
    page.dark(false).await;
}

async fn look(page: &Page, folder: Option<&PathBuf>, name: &str, width: u32) {
    let wide = page.run("return document.documentElement.scrollWidth").await;
    assert_eq!(wide, json!(width), "{name} is wider than the screen");
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).unwrap();
        page.screenshot(folder.join(format!("{name}.png"))).await;
    }
}

/// Something of everything: Chinese, a table, code, a long card, a failed one, buttons, a file, and one that streams.
async fn converse(sim: &Sim, bot: &mut Bot) {
    sim.say(&Say::direct(OWNER, "sys")).unwrap();
    let heard = bot.hear().await;
    bot.answer_markdown(
        &heard,
        "### web-01 状态\n\n已运行 **12 天 3 小时**，负载 `0.42 0.38 0.31`\n\n\
         | 磁盘 | 已用 | 可用 |\n|---|--:|--:|\n| / | 41 GB | 12 GB |\n| /home | 180 GB | 320 GB |",
    )
    .await;
    sim.say(&Say::direct(OWNER, "sh ls -la")).unwrap();
    bot.hear().await;
    let files: String = (1..=40)
        .map(|n| format!("-rw-r--r--  1 me  me  {:>6}  Nov 22 14:{n:02}  file-{n}.txt\n", n * 137))
        .collect();
    bot.card(OWNER, "shot-1", json!({ "title": "ls -la" })).await;
    bot.stream("shot-1", &format!("```\n{files}```\n\nexit 0 · 0.02 s"), Some(Ok(()))).await;
    let quoted = sim.state().messages[0].id.clone();
    sim.say(&Say::direct(OWNER, "deploy prod").quoting(quoted)).unwrap();
    bot.hear().await;
    let buttons = json!([
        { "id": "again", "text": "Deploy again" }, { "id": "log", "text": "看日志" }, { "id": "stop", "text": "Stop", "color": "red" },
    ]);
    bot.card(OWNER, "shot-2", json!({ "title": "deploy prod", "buttons": buttons.to_string() }))
        .await;
    let failed =
        "Deploying **v2.3.1**\n\n```\nerror: health check of web-02 answered 503\n```\n\nexit 1";
    bot.stream("shot-2", failed, Some(Err(()))).await;
    let notes = sim.upload("notes of today's release.txt", "notes");
    sim.say(&Say { text: String::new(), ..Say::direct(OWNER, "") }.with_file(notes)).unwrap();
    bot.hear().await;
    sim.say(&Say::direct(OWNER, "cargo build 🦀")).unwrap();
    bot.hear().await;
    let stop = json!([{ "id": "stop", "text": "Stop", "color": "red" }]).to_string();
    bot.card(OWNER, "shot-3", json!({ "title": "cargo build", "progress": "15", "buttons": stop }))
        .await;
    let lines: String = (1..=6).map(|n| format!("[{n}/40] compiling crate-{n}\n")).collect();
    bot.stream("shot-3", &format!("```\n{lines}```"), None).await;
}
