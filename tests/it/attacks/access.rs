//! Group A: who may act.

use std::fs;

use serde_json::{Value, json};

use super::super::access::push;
use super::super::moments::click;
use super::super::process::{HostProcess, settings};
use super::super::stage::{ALICE, BOB, LINA, OWNER, STRANGER, Setup, Stage};
use super::{count, run, unowned};

const REFUSED: &str = "Sorry, I only work for people whom my owner has let in.";

/// Whoever runs it is written down, with the rights of the run.
const WHO: &str = r#"
bot.command("act <text...>", { queue = "none", run = function(ctx)
    shell.sh("echo \"$1\" >> $2", ctx.user.id .. " " .. ctx.user.role .. " " .. ctx.args.text, "{home}/acted")
    ctx:reply("acted " .. ctx.user.id)
end })
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a1_a_fresh_install_serves_nobody_and_says_so_once() {
    let stage = Setup::new().stage().await;
    unowned(&stage);
    let host = run(stage).await;
    for person in [OWNER, ALICE, STRANGER] {
        for text in
            ["trace one", "echo two", "help", "runs", "stop", "lock", "allow me owner", "yes 1234"]
        {
            host.say(person, text);
        }
        host.say_in(0, person, "trace three");
    }
    host.until("all were taken", |seen| seen.state.counters.acks >= 27).await;
    host.until_true("all are decided", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 27
    })
    .await;
    host.until("each was told", |seen| seen.all().len() >= 3).await;
    let (_, stage) = host.terminate().await;
    let said =
        stage.look(|seen| seen.all().iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
    assert_eq!(said, [REFUSED; 3]);
    assert!(stage.lines("ran").is_empty());
    assert_eq!(
        stage.journal(
            "SELECT count(*) FROM inbox WHERE error NOT LIKE 'denied: %' OR error IS NULL"
        ),
        0
    );
    for person in [OWNER, ALICE, STRANGER] {
        assert!(
            count(&stage, &[("who", person), ("verdict", "deny"), ("reason", "unclaimed")]) >= 1
        );
    }
    assert_eq!(count(&stage, &[("verdict", "allow")]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_before_there_is_an_owner_no_role_serves_anybody() {
    let stage = Setup::new().stage().await;
    let path = settings(&stage);
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("owner")).collect();
    fs::write(&path, kept.join("\n")).unwrap();
    let host = run(stage).await;
    host.say(ALICE, "trace one");
    host.until("she is refused, whatever her role", |seen| seen.to(ALICE) == [REFUSED]).await;
    let (_, stage) = host.terminate().await;
    assert!(stage.lines("ran").is_empty());
    assert_eq!(count(&stage, &[("who", ALICE), ("reason", "unclaimed")]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_an_odd_staff_id_is_nobodys() {
    let host = Setup::new().script("who.luau", WHO).spawn().await;
    let wide: String =
        OWNER.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
    let odd = [
        json!(null),
        json!(""),
        json!(4220),
        json!([OWNER]),
        json!({ "id": OWNER }),
        json!(true),
        json!("m".repeat(10_000)),
        json!(format!(" {OWNER}")),
        json!(format!("{OWNER} ")),
        json!(format!("{OWNER}\u{200b}")),
        json!(format!("{OWNER}\u{0}")),
        json!(OWNER.to_uppercase()),
        json!(wide),
        json!("*"),
        json!("group:x"),
        json!("host"),
        json!("local"),
        json!("owner"),
    ];
    for (n, id) in odd.iter().enumerate() {
        push(&host, &format!("m{n}"), "act odd", |data| data["senderStaffId"] = id.clone());
    }
    push(&host, "none", "act odd", |data| {
        drop(data.as_object_mut().unwrap().remove("senderStaffId"));
    });
    host.until("all were taken", |seen| seen.state.counters.acks > odd.len() as u64).await;
    host.say(OWNER, "act well");
    host.until("the owner is served", |seen| !seen.to(OWNER).is_empty()).await;
    let denied = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: %'";
    let expected = i64::try_from(odd.len()).unwrap() + 1;
    host.until_true("all are denied", || host.journal(denied) == expected).await;
    let stage = host.stop().await;
    assert_eq!(stage.lines("acted"), [format!("{OWNER} owner well")]);
}

/// Sends as the owner, but for what `change` does, and sees that it is nothing.
async fn nobody(change: impl Fn(&mut Value) + Copy) {
    let host = Setup::new().script("who.luau", WHO).spawn().await;
    for (n, text) in
        ["act now", "owner: act now", "allow me admin", "lock", "help"].iter().enumerate()
    {
        push(&host, &format!("m{n}"), text, change);
    }
    let denied = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: %'";
    host.until_true("all are denied", || host.journal(denied) == 5).await;
    host.say(OWNER, "act well");
    host.until("the owner is served", |seen| {
        seen.to(OWNER).iter().any(|text| text.starts_with("acted"))
    })
    .await;
    let stage = host.stop().await;
    assert_eq!(stage.lines("acted"), [format!("{OWNER} owner well")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_a_nick_or_a_text_that_says_owner_is_nothing() {
    nobody(|data| {
        data["senderStaffId"] = STRANGER.into();
        data["senderNick"] = "王小明".into();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a4_an_admin_of_the_organisation_is_nobody_here() {
    nobody(|data| {
        data["senderStaffId"] = STRANGER.into();
        data["isAdmin"] = true.into();
        data["isBoss"] = true.into();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a5_the_same_staff_id_in_another_organisation_is_nobody() {
    nobody(|data| data["senderCorpId"] = "dingcorp2".into()).await;
}

const CLICKS: &str = r#"
bot.on("card", function(action) shell.sh("echo $1 >> {home}/clicks", action.user.id) end)
"#;

/// A press of Stop on `card`, changed.
fn stop(host: &Stage, card: &str, change: impl FnOnce(&mut Value)) {
    let pressed = json!({ "cardPrivateData": { "actionIds": ["stop"], "params": {} } }).to_string();
    let mut data = json!({
        "type": "actionCallback", "outTrackId": card, "userId": OWNER, "userIdType": 1,
        "corpId": host.sim.corp_id(), "spaceType": "im", "spaceId": host.sim.direct_chat(OWNER),
        "content": pressed, "value": pressed,
    });
    change(&mut data);
    host.sim.callback("/v1.0/card/instances/callback", &data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a5_a_click_counts_only_with_a_staff_id_of_the_bots_own_organisation() {
    let host = Setup::new().script("clicks.luau", CLICKS).spawn().await;
    // Before anybody has written there is nothing to compare it with.
    stop(&host, "early", |_| {});
    host.until("it says what to do", |seen| {
        seen.to(OWNER).iter().any(|text| text.contains("Send me a message, then click again."))
    })
    .await;
    let gate = host.hold("one");
    host.say(OWNER, "card one");
    host.entered(&["one"]).await;
    host.until("it is there", |seen| seen.state.cards.len() == 1).await;
    let card = host.look(|seen| seen.state.cards[0].id.clone());
    let changes: [fn(&mut Value); 6] = [
        |data| data["corpId"] = "dingother".into(),
        |data| data["corpId"] = Value::Null,
        |data| data["corpId"] = json!(["dingother"]),
        |data| data["userIdType"] = 2.into(),
        |data| data["userIdType"] = "2".into(),
        |data| data["userIdType"] = "unionId".into(),
    ];
    for change in changes {
        stop(&host, &card, change);
        // To a handler of clicks, too.
        stop(&host, "card of a script", change);
    }
    let denied = "SELECT count(*) FROM inbox WHERE key LIKE 'card%' AND error LIKE 'denied: %'";
    host.until_true("all are denied", || host.journal(denied) == 13).await;
    host.say(OWNER, "runs");
    host.until("it goes on", |seen| seen.to(OWNER).iter().any(|text| text.contains("card"))).await;
    assert!(host.lines("clicks").is_empty());
    stop(&host, "card of a script", |_| {});
    host.until_true("a handler has the right one", || host.lines("clicks") == [OWNER]).await;
    stop(&host, &card, |_| {});
    host.until("the right one stops it", |seen| seen.state.cards[0].text.contains("stopped")).await;
    drop(gate);
    let (_, stage) = host.terminate().await;
    let foreign = format!("{OWNER}@dingother");
    let record = [("who", foreign.as_str()), ("door", "card"), ("reason", "other_organisation")];
    assert_eq!(count(&stage, &record), 2);
    assert_eq!(count(&stage, &[("reason", "unknown_organisation")]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a5_the_bots_organisation_is_learnt_once_and_no_message_changes_it() {
    let host = Setup::new().script("who.luau", WHO).spawn().await;
    host.say(OWNER, "act first");
    host.until("it is served", |seen| !seen.to(OWNER).is_empty()).await;
    // The app is used by another organisation too: there the bot is of that one.
    let elsewhere = |data: &mut Value| {
        data["senderCorpId"] = "dingother".into();
        data["chatbotCorpId"] = "dingother".into();
    };
    let denied = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: %'";
    push(&host, "m1", "act elsewhere", elsewhere);
    host.until_true("it is denied", || host.journal(denied) == 1).await;
    // Over a restart, too.
    let (_, stage) = host.terminate().await;
    let host = HostProcess::spawn(stage).await;
    push(&host, "m2", "act elsewhere", elsewhere);
    host.until_true("it is denied again", || host.journal(denied) == 2).await;
    host.say(OWNER, "act second");
    host.until_true("the owner is served", || host.lines("acted").len() == 2).await;
    let (_, stage) = host.terminate().await;
    // Unless the settings say which it is: the learnt one counts no more.
    let path = settings(&stage);
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("[dingtalk]", "[dingtalk]\ncorp_id = \"dingother\"");
    fs::write(&path, text).unwrap();
    let host = run(stage).await;
    push(&host, "m3", "act elsewhere", elsewhere);
    host.until_true("the other is served", || host.lines("acted").len() == 3).await;
    host.say(OWNER, "act third");
    host.until_true("and this one is not", || host.journal(denied) == 3).await;
    let (_, stage) = host.terminate().await;
    assert_eq!(
        stage.lines("acted"),
        ["first", "second", "elsewhere"].map(|text| format!("{OWNER} owner {text}"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a5_whoever_is_let_in_as_anybody_teaches_no_organisation() {
    let anybody = "[access.roles]\nanybody = [\"*\"]";
    let host = Setup::new().script("who.luau", WHO).toml(anybody).spawn().await;
    // The app is used by another organisation too, and somebody there is the first to write.
    push(&host, "m1", "act first", |data| {
        data["senderCorpId"] = "dingother".into();
        data["chatbotCorpId"] = "dingother".into();
        data["senderStaffId"] = "somebody".into();
    });
    host.until_true("everybody is served", || host.lines("acted").len() == 1).await;
    assert_eq!(count(&host, &[("event", "organisation")]), 0);
    // The bot is of the owner's, whoever wrote before.
    host.say(OWNER, "act second");
    host.until_true("the owner is served", || host.lines("acted").len() == 2).await;
    let own = host.sim.corp_id();
    let record = [("event", "organisation"), ("who", OWNER), ("reason", &*own)];
    host.until_true("it is learnt", || count(&host, &record) == 1).await;
    push(&host, "m2", "act third", |data| {
        data["senderCorpId"] = "dingother".into();
        data["chatbotCorpId"] = "dingother".into();
        data["senderStaffId"] = "somebody".into();
    });
    let denied = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: %'";
    host.until_true("the others are of another one now", || host.journal(denied) == 1).await;
    let (_, stage) = host.terminate().await;
    assert_eq!(stage.lines("acted").len(), 2);
}

/// The first group of the simulator, as a list names it.
const GROUP: &str = "group:cidGrpc2ltdWxhdGVkIGdyb3VwIDA=";

const OPS: &str = "[access.roles]\nops = [\"group:cidGrpc2ltdWxhdGVkIGdyb3VwIDA=\"]";

const PLACES: &str = r#"
bot.command("ops", { role = "ops", run = function(ctx) ctx:reply("ops here") end })
bot.command("private", { scope = "dm", run = function(ctx) ctx:reply("private here") end })
bot.command("public", { scope = "group", run = function(ctx) ctx:reply("public here") end })
bot.command("one", { scope = { "{group}" }, run = function(ctx) ctx:reply("one here") end })
bot.match("^hello", { scope = "dm", run = function(ctx) ctx:reply("hi there") end })
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a7_a_right_in_one_chat_is_none_in_another() {
    // Whoever writes in the first group; the stranger is in the second one too.
    let stage = Setup::new().toml(OPS).stage().await;
    assert_eq!(GROUP, format!("group:{}", stage.sim.group(0)));
    stage.write("places.luau", &PLACES.replace("{group}", &stage.sim.group(0)));
    let host = stage.spawn().await;
    host.say_in(0, STRANGER, "ops");
    host.until("it is theirs in the group", |seen| seen.in_group(0) == ["ops here"]).await;
    host.say(STRANGER, "ops");
    host.until("and not elsewhere", |seen| seen.to(STRANGER) == [REFUSED]).await;
    host.say_in(1, LINA, "ops");
    host.until("nor in another group", |seen| {
        seen.in_group(1) == ["Sorry, you may not use `ops`."]
    })
    .await;

    for (text, here, there) in [
        ("private", "private here", "`private` is not for this chat."),
        ("hello", "hi there", "There is no command `hello`. Send help to see them all."),
    ] {
        host.say(LINA, text);
        host.until("it is for a direct chat", |seen| seen.to(LINA).contains(&here)).await;
        host.say_in(1, LINA, text);
        host.until("and not for a group", |seen| seen.in_group(1).last() == Some(&there)).await;
    }
    host.say(LINA, "public");
    host.until("groups alone", |seen| {
        seen.to(LINA).last() == Some(&"`public` is not for this chat.")
    })
    .await;
    host.say_in(0, LINA, "one");
    host.until("its own group", |seen| seen.in_group(0).last() == Some(&"one here")).await;
    host.say_in(1, LINA, "one");
    host.until("no other", |seen| seen.in_group(1).last() == Some(&"`one` is not for this chat."))
        .await;
    // Help lists what is there, where it is.
    host.say_in(1, LINA, "help");
    host.until("help", |seen| {
        seen.in_group(1).last().is_some_and(|text| {
            text.contains("public")
                && !text.contains("private")
                && !text.contains("one\n")
                && !text.contains("ops")
        })
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a7_a_staff_id_that_reads_like_a_group_has_nothing_of_that_group() {
    let stage = Setup::new().toml(OPS).stage().await;
    stage.write("places.luau", &PLACES.replace("{group}", &stage.sim.group(0)));
    let host = stage.spawn().await;
    for (id, chat) in [("m1", host.sim.direct_chat(STRANGER)), ("m2", host.sim.group(1))] {
        push(&host, id, "ops", |data| {
            data["senderStaffId"] = GROUP.into();
            data["conversationType"] = if id == "m1" { "1" } else { "2" }.into();
            data["conversationId"] = chat.into();
        });
    }
    let denied = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: %'";
    host.until_true("both are denied", || host.journal(denied) == 2).await;
    // In the group itself everybody has the role: this one is nobody there, too.
    push(&host, "m3", "ops", |data| {
        data["senderStaffId"] = GROUP.into();
        data["conversationType"] = "2".into();
        data["conversationId"] = host.sim.group(0).into();
    });
    host.until_true("and there", || host.journal(denied) == 3).await;
    host.look(|seen| assert!(!seen.all().contains(&"ops here"), "{:?}", seen.all()));
    let stage = host.stop().await;
    assert_eq!(count(&stage, &[("who", "-"), ("reason", "no_staff_id"), ("verdict", "deny")]), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a8_a_conversation_id_in_other_letters_is_another_chat() {
    let host = Setup::new()
        .toml(OPS)
        .script("places.luau", "bot.command('ops', { role = 'ops', run = function(ctx) shell.sh('echo ran >> {home}/acted') end })")
        .spawn()
        .await;
    for (n, change) in [str::to_lowercase, str::to_uppercase].iter().enumerate() {
        let id = change(&host.sim.group(0));
        push(&host, &format!("m{n}"), "ops", |data| {
            data["senderStaffId"] = STRANGER.into();
            data["conversationType"] = "2".into();
            data["conversationId"] = id.clone().into();
        });
    }
    let denied = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: %'";
    host.until_true("both are denied", || host.journal(denied) == 2).await;
    host.say_in(0, STRANGER, "ops");
    host.until_true("the group itself is served", || host.lines("acted") == ["ran"]).await;
    host.stop().await;
}

const LIVING: &str = r#"
bot.command("ask", function(ctx)
    local answer, err = ctx:ask("well?")
    shell.sh("echo answered >> {home}/acted")
    ctx:reply("heard " .. tostring(answer))
end)
bot.on("card", function(action)
    shell.sh("echo \"$1\" >> {home}/acted", "clicked " .. action.user.id)
end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a9_whoever_is_removed_is_stopped_with_all_that_lives() {
    let host = Setup::new().script("living.luau", LIVING).spawn().await;
    let gate = host.hold("a");
    host.say(BOB, "hold a");
    host.entered(&["a"]).await;
    host.say(BOB, "trace later");
    host.say_in(0, BOB, "ask");
    let card = host.hold("b");
    host.say_in(1, BOB, "card b");
    host.entered(&["b"]).await;
    host.until("she is asked", |seen| seen.in_group(0).len() == 1).await;
    host.say(ALICE, "echo still here");
    host.until("others are served", |seen| seen.to(ALICE) == ["still here"]).await;

    host.say(OWNER, &format!("deny {BOB}"));
    host.until("the owner is asked", |seen| seen.to(OWNER).len() == 1).await;
    let asked = host.look(|seen| seen.to(OWNER)[0].to_owned());
    assert!(asked.contains(BOB) && asked.contains("loses every role"), "{asked}");
    host.say(
        OWNER,
        asked.rsplit_once("yes ").map(|(_, code)| format!("yes {code}")).unwrap().as_str(),
    );
    // The run, the dialog, the card: each ends, and says so where it was.
    let gone = "you may not use it any more.";
    host.until("all three are stopped", |seen| {
        seen.to(BOB).iter().any(|text| text.contains(gone))
            && seen.in_group(0).iter().any(|text| text.contains(gone))
            && seen.in_group(1).iter().any(|text| text.contains(gone))
    })
    .await;
    // What waited, and what comes, is refused.
    host.say_in(0, BOB, "my answer");
    click(&host, BOB, "agree");
    click(&host, ALICE, "agree");
    host.until_true("a click of somebody else counts", || {
        host.lines("acted") == [format!("clicked {ALICE}")]
    })
    .await;
    let denied = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: %'";
    host.until_true("six are denied", || host.journal(denied) == 6).await;
    drop((gate, card));
    host.say(ALICE, "echo the end");
    host.until("the rest goes on", |seen| seen.to(ALICE).last() == Some(&"the end")).await;
    let stage = host.stop().await;
    assert!(stage.lines("ran").is_empty());
    assert_eq!(stage.lines("acted"), [format!("clicked {ALICE}")]);
    assert_eq!(count(&stage, &[("event", "stopped"), ("who", BOB)]), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a10_two_people_in_one_group_keep_their_own_names_and_rights() {
    let host = Setup::new().script("who.luau", WHO).spawn().await;
    for n in 0..20 {
        host.say_in(0, OWNER, &format!("act {n}"));
        host.say_in(0, BOB, &format!("act {n}"));
        host.say_in(0, STRANGER, &format!("act {n}"));
    }
    host.until_true("all who may have acted", || host.lines("acted").len() == 40).await;
    let stage = host.stop().await;
    let lines = stage.lines("acted");
    for line in &lines {
        assert!(
            line.starts_with(&format!("{OWNER} owner "))
                || line.starts_with(&format!("{BOB} guest ")),
            "{line}"
        );
    }
    assert_eq!(lines.iter().filter(|line| line.contains("owner")).count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_what_is_quoted_is_no_command() {
    let host = Setup::new().script("who.luau", WHO).spawn().await;
    let bait = host.say_in(0, STRANGER, "act quoted");
    let lock = host.say_in(0, STRANGER, "lock");
    for (quoted, text) in
        [(&bait, "what is this"), (&lock, "echo mine"), (&bait, "@Alice Chen look")]
    {
        let say =
            moonbell::sim::Say::in_chat(host.sim.group(0), OWNER, text).quoting(quoted.as_str());
        host.sim.say(&say).unwrap();
    }
    host.until("the new text counts", |seen| seen.in_group(0).contains(&"mine")).await;
    host.say(LINA, "act free");
    host.until_true("nothing is locked", || host.lines("acted") == [format!("{LINA} guest free")])
        .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a12_of_two_texts_under_one_id_the_first_wins() {
    let host = Setup::new().script("who.luau", WHO).spawn().await;
    push(&host, "same", "act first", |_| {});
    host.until_true("it acted", || host.lines("acted").len() == 1).await;
    push(&host, "same", "act second", |_| {});
    push(&host, "same", "act third", |data| data["senderStaffId"] = BOB.into());
    push(&host, "other", "act last", |_| {});
    host.until_true("the last acted", || host.lines("acted").len() == 2).await;
    let stage = host.stop().await;
    let lines = stage.lines("acted");
    assert!(lines[0].ends_with("first") && lines[1].ends_with("last"), "{lines:?}");
}
