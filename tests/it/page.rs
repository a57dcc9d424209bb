//! The chat page in a real browser, against the simulator and a bot on its wire.

#![expect(
    clippy::unwrap_used,
    clippy::format_collect,
    reason = "tests: a failure here is the failure of the test, and nothing is hot"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moonbell::sim::FaultOrder;
use moonbell::sim::Options;
use moonbell::sim::Say;
use moonbell::sim::Sim;
use serde_json::json;

use crate::browser::Bot;
use crate::browser::Browser;

const OWNER: &str = "manager4220";
const ALICE: &str = "Alice Chen";

async fn sim() -> Sim {
    Sim::start(Options::default()).await.unwrap()
}

#[tokio::test]
async fn two_people_talk_to_the_bot_and_each_sees_the_own_answer() {
    let sim = sim().await;
    let mut bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;

    page.act_as(OWNER).await;
    page.say("ping").await;
    let heard = bot.hear().await;
    assert_eq!((heard.text.as_str(), heard.from.as_str()), ("ping", OWNER));
    bot.answer(&heard, "pong for the owner").await;
    page.until_answer("pong for the owner").await;

    page.act_as(ALICE).await;
    assert_eq!(page.text().await, "", "another person's direct chat is another chat");
    page.say("你好\nsecond line").await;
    let heard = bot.hear().await;
    assert_eq!(heard.text, "你好\nsecond line");
    bot.answer_markdown(&heard, "**hello** Alice\n\n| a | b |\n|--:|---|\n| 1 | 2 |").await;
    page.until_answer("hello Alice").await;
    assert_eq!(
        page.run("return getComputedStyle(document.querySelector('.rich td')).textAlign").await,
        "right"
    );

    page.act_as(OWNER).await;
    page.until_text("pong for the owner").await;
    assert_eq!(
        page.console().await,
        Vec::<String>::new(),
        "the policy of the page refuses nothing that it needs"
    );
    page.close().await;
}

#[tokio::test]
async fn a_card_streams_to_its_end_and_its_buttons_reach_the_bot() {
    let sim = sim().await;
    let mut bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;
    page.act_as(OWNER).await;

    let buttons = json!([{ "id": "again", "text": "Run again" }]).to_string();
    bot.card(OWNER, "card-1", json!({ "title": "build", "buttons": buttons })).await;
    page.until_card("processing").await;
    bot.stream("card-1", "line one", None).await;
    page.until_card("inputing").await;
    let long: String = (1..=80).map(|line| format!("line {line}\n")).collect();
    bot.stream("card-1", &format!("```\n{long}```"), None).await;
    page.until("the card follows its tail", "const body = document.querySelector('[data-test=card-body]'); \
        return body.scrollHeight > body.clientHeight && body.scrollTop + body.clientHeight > body.scrollHeight - 30").await;
    bot.stream("card-1", "all done", Some(Ok(()))).await;
    page.until_card("finished").await;
    assert_eq!(page.card_text().await, "all done");
    assert_eq!(page.find("[data-test=card-state]").await.text().await.unwrap(), "Done");

    let (clicked, ()) = tokio::join!(bot.hear_click(), page.click("[data-test=card-button]"));
    assert_eq!(clicked, ("again".to_owned(), OWNER.to_owned()));

    bot.card(OWNER, "card-2", json!({ "title": "broken" })).await;
    bot.stream("card-2", "no such file", Some(Err(()))).await;
    page.until_card("failed").await;
    page.close().await;
}

#[tokio::test]
async fn in_a_group_the_bot_hears_only_what_mentions_it() {
    let sim = sim().await;
    let mut bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;
    page.act_as(OWNER).await;
    page.open_chat(&sim.group(0)).await;

    page.click("[data-test=mention]").await;
    page.say("lunch?").await;
    page.until_text("lunch?").await;
    page.click("[data-test=mention]").await;
    page.say("ping").await;
    let heard = bot.hear().await;
    assert_eq!(heard.text, "ping", "the message without a mention never reached the bot");
    page.until_text("@moonbell").await;
    page.close().await;
}

#[tokio::test]
async fn what_the_bot_says_elsewhere_is_marked_unread_until_it_is_opened() {
    let sim = sim().await;
    let mut bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;
    page.act_as(OWNER).await;
    sim.say(&Say::in_chat(sim.group(0), OWNER, "status")).unwrap();
    let heard = bot.hear().await;
    bot.answer(&heard, "all well").await;
    assert_eq!(page.find("[data-test=unread]").await.text().await.unwrap(), "1");
    page.open_chat(&sim.group(0)).await;
    page.until_answer("all well").await;
    page.until("nothing is unread", "return !document.querySelector('[data-test=unread]')").await;
    page.close().await;
}

#[tokio::test]
async fn k4_nothing_from_a_chat_is_ever_run_as_markup() {
    let evil = "<img src=x onerror=\"window.broken=1\"><script>window.broken=1</script><b>bold</b>";
    let mut options = Options::default();
    // Names of people and groups are as free as texts.
    for person in &mut options.people {
        person.nick = format!("{} {evil}", person.nick);
    }
    for group in &mut options.groups {
        group.title = format!("{} {evil}", group.title);
    }
    let sim = Sim::start(options).await.unwrap();
    let mut bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;
    page.act_as(OWNER).await;
    let upload = sim.upload(&format!("{evil}.txt"), &b"<script>window.broken=1</script>"[..]);
    sim.say(&Say::direct(OWNER, "").with_file(upload)).unwrap();
    page.until_text("bold").await;
    page.say(evil).await;
    let heard = bot.hear().await;
    page.until_text(evil).await;
    bot.answer_markdown(&heard, &format!("{evil} [link](javascript:window.broken=1) end")).await;
    page.until_answer("end").await;
    bot.card(OWNER, "card-x", json!({ "title": evil })).await;
    bot.stream("card-x", evil, Some(Ok(()))).await;
    page.until_card("finished").await;
    assert_eq!(page.run("return window.broken ?? null").await, json!(null));
    assert_eq!(
        page.run("return document.querySelectorAll('#messages script').length").await,
        json!(0)
    );
    page.open_chat(&sim.group(0)).await;
    assert_eq!(page.run("return window.broken ?? null").await, json!(null));
    assert_eq!(
        page.run("return document.querySelectorAll('img[src=\"x\"]').length").await,
        json!(0)
    );
    page.close().await;
}

#[tokio::test]
async fn the_key_leaves_the_address_bar_and_without_it_the_page_is_locked() {
    let sim = sim().await;
    let page = Browser::open(&sim.page_url()).await;
    assert_eq!(page.url().await, format!("{}/sim/", sim.url()));
    page.run("sessionStorage.clear()").await;
    page.go(&format!("{}/sim/", sim.url())).await;
    page.find("[data-test=locked]").await;
    page.go(&format!("{}/sim/#token=wrong", sim.url())).await;
    page.until(
        "it says what to do",
        "return document.querySelector('#locked').innerText.includes('moonbell dev')",
    )
    .await;
    page.close().await;
}

#[tokio::test]
async fn the_wire_panel_shows_every_frame_and_call_as_json() {
    let sim = sim().await;
    let mut bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;
    page.act_as(OWNER).await;
    page.click("[data-test=wire-open]").await;
    page.say("ping over the wire").await;
    let heard = bot.hear().await;
    bot.answer(&heard, "pong").await;
    page.until_answer("pong").await;
    page.find("[data-test=wire-filter]").await.send_keys("over the wire").await.unwrap();
    page.until(
        "one frame matches",
        "return document.querySelectorAll('[data-test=wire-row]').length === 1",
    )
    .await;
    page.click("[data-test=wire-row] summary").await;
    page.until("its JSON is unfolded", "return document.querySelector('[data-test=wire-json]')?.innerText.includes('\"senderStaffId\": \"manager4220\"')").await;
    page.close().await;
}

#[tokio::test]
async fn the_connection_is_told_in_words_and_a_fault_from_the_menu_is_felt() {
    let sim = sim().await;
    let page = Browser::open(&sim.page_url()).await;
    page.until(
        "it says that nobody is there",
        "return document.querySelector('[data-test=connection]').innerText === 'Bot not connected'",
    )
    .await;
    let bot = Bot::connect(&sim).await;
    page.until(
        "it says that the bot is there",
        "return document.querySelector('[data-test=connection]').innerText === 'Bot connected'",
    )
    .await;
    page.click("[data-test=faults]").await;
    page.click("[data-test=fault][data-id=close]").await;
    page.until(
        "the bot is gone",
        "return document.querySelector('[data-test=connection]').innerText === 'Bot not connected'",
    )
    .await;
    sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    drop(bot);
    page.close().await;
}

#[tokio::test]
async fn a_reader_who_scrolled_up_stays_there_and_is_told_of_what_is_new() {
    let sim = sim().await;
    let mut bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;
    page.act_as(OWNER).await;
    for n in 1..=40 {
        sim.say(&Say::direct(OWNER, format!("line {n}"))).unwrap();
    }
    page.until_text("line 40").await;
    let heard = bot.hear().await;
    let at_end = "const log = document.querySelector('#log'); return log.scrollTop + log.clientHeight > log.scrollHeight - 4";
    page.until("the newest line is in view", at_end).await;
    page.run("document.querySelector('#log').scrollTop = 0").await;
    page.until("the page took notice", "return !document.querySelector('#log').matches('.at-end')")
        .await;
    bot.answer(&heard, "news").await;
    page.click("[data-test=to-bottom]").await;
    page.until("the newest line is in view", at_end).await;
    page.close().await;
}

#[tokio::test]
async fn a_simulator_that_ends_is_missed_and_its_successor_asks_for_its_own_key() {
    let first = sim().await;
    let page = Browser::open(&first.page_url()).await;
    let port = url::Url::parse(first.url()).unwrap().port().unwrap();
    first.stop().await;
    page.until("the loss is told", "return !document.querySelector('[data-test=lost]').hidden")
        .await;
    let second = Sim::start(Options { port, ..Options::default() }).await.unwrap();
    page.until(
        "the old key is refused",
        "return !document.querySelector('[data-test=locked]').hidden",
    )
    .await;
    page.go(&second.page_url()).await;
    page.until(
        "the new key opens it",
        "return document.querySelector('[data-test=locked]').hidden",
    )
    .await;
    page.close().await;
}

#[tokio::test]
async fn on_a_phone_the_columns_are_drawers_and_nothing_is_cut_off() {
    let sim = sim().await;
    let page = Browser::open(&sim.page_url()).await;
    page.size(360, 740).await;
    page.until("the sidebar is out of reach", "return document.querySelector('#sidebar').inert")
        .await;
    page.click("[data-test=menu]").await;
    page.until(
        "the sidebar is in",
        "return document.querySelector('#sidebar').getBoundingClientRect().left === 0",
    )
    .await;
    page.act_as(ALICE).await;
    page.open_chat(&sim.group(0)).await;
    page.until(
        "choosing a chat closes the drawer",
        "return document.querySelector('#sidebar').inert",
    )
    .await;
    page.say("from a phone").await;
    page.until_text("from a phone").await;
    assert_eq!(page.run("return document.documentElement.scrollWidth").await, json!(360));
    page.close().await;
}

#[tokio::test]
async fn files_and_pictures_are_attached_and_shown() {
    let sim = sim().await;
    let mut bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;
    page.act_as(OWNER).await;
    let folder = tempfile::tempdir().unwrap();
    let (notes, dot) = (folder.path().join("笔记.txt"), folder.path().join("dot.png"));
    std::fs::write(&notes, "notes").unwrap();
    std::fs::write(&dot, STANDARD.decode(DOT_PNG).unwrap()).unwrap();
    page.attach(&notes).await;
    page.type_keys("\u{e007}").await;
    page.until_text("笔记.txt").await;
    bot.hear().await;
    page.attach(&dot).await;
    page.type_keys("\u{e007}").await;
    page.until(
        "the picture is shown",
        "return document.querySelector('[data-test=picture] img')?.naturalWidth === 1",
    )
    .await;
    bot.hear().await;
    page.close().await;
}

#[tokio::test]
async fn pictures_are_pasted_and_dropped_and_shown_large_and_the_up_arrow_brings_back_what_was_said()
 {
    let sim = sim().await;
    let mut bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;
    page.act_as(OWNER).await;
    let file = |name: &str| {
        format!(
            "const bytes = Uint8Array.from(atob('{DOT_PNG}'), (c) => c.charCodeAt(0)); const data = new DataTransfer(); \
             data.items.add(new File([bytes], '{name}', {{ type: 'image/png' }})); "
        )
    };
    page.run(&format!("{} document.querySelector('#text').dispatchEvent(new ClipboardEvent('paste', {{ clipboardData: data, bubbles: true, cancelable: true }}))", file("pasted.png"))).await;
    page.run(&format!("{} for (const kind of ['dragenter', 'dragover', 'drop']) document.querySelector('#main').dispatchEvent(new DragEvent(kind, {{ dataTransfer: data, bubbles: true, cancelable: true }}))", file("dropped.png"))).await;
    page.until(
        "both are uploaded",
        "return document.querySelectorAll('[data-test=attached][data-ready=true]').length === 2",
    )
    .await;
    page.say("two dots").await;
    bot.hear().await;
    page.until_text("two dots").await;
    page.click("[data-test=picture]").await;
    page.until("it is shown large", "return document.querySelector('#lightbox').open").await;
    page.run("document.querySelector('#lightbox').click()").await;
    page.until("it is closed", "return !document.querySelector('#lightbox').open").await;

    page.go(&sim.page_url()).await;
    page.type_keys("\u{e013}").await;
    page.until(
        "the last message is back, also after the page was loaded again",
        "return document.querySelector('#text').value === 'two dots'",
    )
    .await;
    page.close().await;
}

#[tokio::test]
async fn a_bold_first_line_is_the_title_of_a_card_and_armed_faults_are_counted_down() {
    let sim = sim().await;
    let bot = Bot::connect(&sim).await;
    let page = Browser::open(&sim.page_url()).await;
    page.act_as(OWNER).await;
    page.click("[data-test=faults]").await;
    page.click("[data-test=fault][data-id=throttle]").await;
    page.until(
        "one kind of fault is armed",
        "return document.querySelector('[data-test=faults-count]').innerText === '1'",
    )
    .await;
    sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    bot.card(OWNER, "titled", json!({})).await;
    bot.stream("titled", "**ls &amp; more**\n\nfile", Some(Ok(()))).await;
    page.until_card("finished").await;
    page.until(
        "the title is in the head",
        "return document.querySelector('.card-title').innerText === 'ls & more'",
    )
    .await;
    assert_eq!(page.card_text().await, "file");
    page.until(
        "traffic took notice that nothing is armed",
        "return document.querySelector('[data-test=faults-count]').hidden",
    )
    .await;
    page.close().await;
}

/// One dark pixel, in base 64.
const DOT_PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGOQVg74DwACeQGOk3++yQAAAABJRU5ErkJggg==";
