//! What nobody's message starts: events of the organisation, clicks on cards, timers and hooks that fail.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::stage::{ALICE, LINA, OWNER, STRANGER, Setup, Stage};

/// All kinds of events that scripts can name.
const KINDS: &[&str] = &[
    "chat_add_member",
    "chat_disband",
    "chat_quit",
    "chat_remove_member",
    "chat_update_owner",
    "chat_update_title",
    "robot_msg_read",
    "robot_msg_recall",
    "user_add_org",
    "user_leave_org",
];

/// The data of a recorded frame.
fn data(kind: &str) -> Value {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/event_{kind}.json"));
    let frame: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    serde_json::from_str(frame["data"].as_str().unwrap()).unwrap()
}

/// Rows of the inbox that look so.
fn rows(host: &Stage, what: &str) -> i64 {
    host.journal(&format!("SELECT count(*) FROM inbox WHERE {what}"))
}

/// Somebody with a role has written: the bot knows which organisation it is of, so clicks can count.
pub(super) async fn known(host: &Stage) {
    host.say(LINA, "echo hello");
    host.until("she is answered", |seen| seen.to(LINA) == ["hello"]).await;
}

pub(super) fn click(host: &Stage, from: &str, action: &str) {
    let payload = json!({
        "cardPrivateData": { "actionIds": [action], "params": { "id": 42, "note": { "deep": true } } },
    });
    let data = json!({
        "type": "actionCallback",
        "outTrackId": "card-1",
        "userId": from,
        "corpId": host.sim.corp_id(),
        "spaceId": host.sim.group(0),
        "spaceType": "im",
        "content": payload.to_string(),
        "value": payload.to_string(),
    });
    host.sim.callback("/v1.0/card/instances/callback", &data);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_event_reaches_its_handlers_under_plain_names() {
    let mut script = String::from(
        r#"
        local function note(name, event)
            local parts = { name, event.kind, tostring(event.chat_id ~= nil), table.concat(event.users, "+"),
                tostring(event.operator), tostring(event.owner), tostring(event.title),
                string.format("%d", event.at), tostring(event.message_key ~= nil) }
            assert(#event.id > 0 and event.born_at > 1.7e9 and type(event.data) == "table")
            shell.sh("echo \"$1\" >> $2/seen", table.concat(parts, " "), "{home}")
        end
        bot.on("event", function(event) note("any", event) end)
        "#,
    );
    for kind in KINDS {
        writeln!(script, "bot.on(\"{kind}\", function(event) note(\"one\", event) end)").unwrap();
    }
    let host = Setup::new().script("events.luau", &script).start().await;
    for kind in KINDS {
        host.sim.event(kind, &data(kind));
    }
    host.sim.event("bpms_task_change", &json!({ "taskId": 7, "timeStamp": "1767852000000" }));
    host.until_true("all are seen", || host.lines("seen").len() == 2 * KINDS.len() + 1).await;
    let mut seen = host.lines("seen");
    seen.retain(|line| line.starts_with("one") || line.contains("bpms"));
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            "any bpms_task_change false  nil nil nil 1767852000 false",
            "one chat_add_member true 015412345678901234 manager4220 nil nil 1767852000 false",
            "one chat_disband true  manager4220 nil nil 1767852000 false",
            "one chat_quit true  015412345678901234 nil nil 1767852000 false",
            "one chat_remove_member true 015412345678901234 manager4220 nil nil 1767852000 false",
            "one chat_update_owner true  nil manager4220 nil 1767852000 false",
            "one chat_update_title true  manager4220 nil 新群名 1767852000 false",
            "one robot_msg_read true manager4220 nil nil nil 1767852000 true",
            "one robot_msg_recall true manager4220 nil nil nil 1767852000 true",
            "one user_add_org false 015412345678901234 nil nil nil 1767852000 false",
            "one user_leave_org false 015412345678901234 nil nil nil 1767852000 false",
        ]
    );
    host.until_true("every row is done", || {
        rows(&host, "state = 'done'") == i64::try_from(KINDS.len()).unwrap() + 1
    })
    .await;
    assert_eq!(
        rows(&host, "handler = 'events.luau: on event, events.luau: on chat_add_member'"),
        1
    );
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_event_leads_to_is_said_and_its_failure_is_told_once() {
    let script = r#"
        bot.on("user_add_org", function(event)
            bot.send("owner", "welcome " .. event.users[1])
        end)
        bot.on("user_leave_org", function(event) return event.titel end)
    "#;
    let host = Setup::new().script("events.luau", script).start().await;
    host.sim.event("user_add_org", &data("user_add_org"));
    host.until("it is said", |seen| seen.to(OWNER) == ["welcome 015412345678901234"]).await;
    for failed in 1..=3 {
        host.sim.event("user_leave_org", &data("user_leave_org"));
        host.until_true("the row has failed", || rows(&host, "state = 'failed'") == failed).await;
    }
    host.sim.event("user_add_org", &data("user_add_org"));
    host.until("the owner", |seen| {
        seen.to(OWNER).iter().filter(|text| text.starts_with("welcome")).count() == 2
    })
    .await;
    host.until("the owner heard", |seen| seen.to(OWNER).len() == 3).await;
    host.look(|seen| {
        let told: Vec<_> = seen.to(OWNER).into_iter().filter(|text| text.contains("⚠️")).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("events.luau: `on user_leave_org` failed (run ")
                && told[0].contains("`event` has no `titel`; did you mean `title`?"),
            "{told:?}"
        );
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_on_a_card_reaches_handlers_if_its_person_has_a_role() {
    let script = r#"
        bot.on("card", function(action)
            bot.send({ chat = action.chat.id }, table.concat({ action.user.id, action.user.role, tostring(action.user.name),
                action.card_id, action.action_ids[1], tostring(action.params.id + 1), tostring(action.params.note.deep) }, " "))
        end)
    "#;
    let host = Setup::new().script("clicks.luau", script).start().await;
    known(&host).await;
    click(&host, STRANGER, "approve");
    click(&host, ALICE, "approve");
    click(&host, OWNER, "reject");
    host.until("two of three", |seen| seen.in_group(0).len() == 2).await;
    host.look(|seen| {
        assert_eq!(
            seen.in_group(0),
            [
                format!("{ALICE} guest nil card-1 approve 43 true"),
                format!("{OWNER} owner nil card-1 reject 43 true"),
            ]
        );
    });
    host.until_true("the stranger was refused", || {
        rows(&host, "state = 'done' AND error LIKE 'denied: `015412345604` has no role%'") == 1
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_handled_by_every_script_and_a_slow_one_holds_up_no_other() {
    let slow = r#"
        bot.on("chat_quit", function() shell.sh("echo slow >> $1/entered; cat $1/slow.gate", "{home}") end)
    "#;
    let quick = r#"bot.on("chat_quit", function() bot.send("owner", "noted") end)"#;
    let quicker =
        r#"bot.on("chat_quit", function() shell.sh("echo quick >> $1/entered", "{home}") end)"#;
    let host = Setup::new()
        .script("a.luau", slow)
        .script("b.luau", quick)
        .script("c.luau", quicker)
        .start()
        .await;
    let gate = host.hold("slow");
    host.sim.event("chat_quit", &data("chat_quit"));
    host.entered(&["slow", "quick"]).await;
    host.say(OWNER, "runs");
    host.until("the owner sees the run", |seen| {
        seen.to(OWNER)
            .iter()
            .any(|text| text.contains(" · running · ") && text.contains("on chat_quit"))
    })
    .await;
    host.say(ALICE, "stop");
    host.until("it is not hers", |seen| seen.to(ALICE) == ["Nothing of yours is running."]).await;
    gate.open();
    host.until("said with the end of the row", |seen| seen.to(OWNER).contains(&"noted")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_and_timers_that_fail_are_told_to_the_owner_once_and_when_they_are_well() {
    let script = r#"
        bot.on("start", function() error("no disk") end)
        bot.every("100ms", function()
            assert(kv.incr("beats") > 5, "not yet")
            if kv.get("beats") == 10 then bot.send("owner", "ten") end
        end)
    "#;
    let host = Setup::new().script("timers.luau", script).start().await;
    host.until("the tenth beat", |seen| seen.to(OWNER).contains(&"ten")).await;
    host.look(|seen| {
        let mut told = seen.to(OWNER);
        told.sort_unstable();
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(told[0], "ten");
        assert!(told[1].starts_with("⚠️ timers.luau: `every 100ms` failed (run "), "{told:?}");
        assert!(told[2].starts_with("⚠️ timers.luau: `on start` failed (run "), "{told:?}");
        assert!(told[2].contains("timers.luau:2: no disk"), "{told:?}");
        assert_eq!(told[3], "✅ timers.luau: `every 100ms` works again");
    });
    host.stop().await;
}
