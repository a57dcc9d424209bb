//! Group J: approvals, by the buttons of a card and by a number.

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Read as _};
use std::os::unix::fs::PermissionsExt as _;

use moonbell::sim::{Button, Card, CardState, Click, MessageKind};
use serde_json::json;

use super::super::stage::{ALICE, BOB, LINA, OWNER, STRANGER, Setup, Stage};
use super::{count, records};

const SCRIPT: &str = r#"
local function ran(text) shell.sh("echo \"$1\" >> {home}/ran", text) end
bot.command("deploy <env> [tag=latest]", { confirm = "Deploy {tag} to {env}?", run = function(ctx)
    ran(ctx.args.env .. " " .. ctx.args.tag)
    ctx:reply("deployed " .. ctx.args.env)
end })
bot.command("wipe <what>", { queue = "none", confirm = { "Wipe {what}?", approvers = "admin" }, run = function(ctx)
    ran("wiped " .. ctx.args.what)
end })
bot.command("short", { confirm = { "Now?", timeout = "4s" }, run = function() ran("short") end })
bot.command("say <text...>", { confirm = "Say it?", run = function(ctx)
    local file = assert(fs.write("said", ctx.args.text))
end })
bot.command("pick", function(ctx)
    local env, err = ctx:choose("Where to?", { "staging", "prod" })
    ctx:reply(if env then "to " .. env else "nowhere: " .. err.kind)
end)
bot.command("sure", function(ctx)
    local yes, err = ctx:confirm("Sure?")
    ctx:reply(if yes == nil then err.kind else tostring(yes))
end)
bot.command("start <word...>", function(ctx)
    local command = { "{home}/tool", ctx.args.word, cwd = "{home}", env = { MODE = "safe" } }
    local approval, err = ctx:approve(command, { question = "Start it?" })
    if not approval then return ctx:reply("not started: " .. err.kind) end
    for _, change in {
        { "{home}/tool", ctx.args.word .. " ", cwd = "{home}", env = { MODE = "safe" } },
        { "{home}/tool", ctx.args.word, cwd = "/", env = { MODE = "safe" } },
        { "{home}/tool", ctx.args.word, cwd = "{home}", env = { MODE = "unsafe" } },
        { "{home}/tool", ctx.args.word, cwd = "{home}", env = { MODE = "safe" }, stdin = "x" },
        { "{home}/tool", cwd = "{home}", env = { MODE = "safe" } },
    } do
        change.approved = approval
        local ok, why = pcall(shell.run, change)
        assert(not ok and tostring(why):find("not what was approved"), tostring(why))
    end
    command.approved = approval
    assert(shell.run(command)).ok = nil
    local ok, why = pcall(shell.run, command)
    assert(not ok and tostring(why):find("used already"), tostring(why))
    ctx:reply("started by " .. approval.by)
end)
"#;

fn words() -> Setup {
    let admins = format!("[access.roles]\nadmin = [{LINA:?}, {BOB:?}]");
    Setup::new().script("approve.luau", SCRIPT).toml(&admins)
}

fn setup() -> Setup {
    words().toml("[cards]\nbuttons = 4")
}

/// Waits for the newest card that asks, with so many buttons.
pub(super) async fn asked(host: &Stage, text: &str) -> Card {
    let is = |card: &&Card| !card.buttons.is_empty() && card.text.contains(text);
    host.until(text, |seen| seen.state.cards.iter().any(|card| is(&card))).await;
    host.look(|seen| seen.state.cards.iter().find(is).unwrap().clone())
}

pub(super) fn button<'c>(card: &'c Card, text: &str) -> &'c Button {
    let found = card.buttons.iter().find(|button| button.text == text);
    found.unwrap_or_else(|| panic!("no button `{text}` on {card:?}"))
}

pub(super) async fn press(host: &Stage, card: &Card, from: &str, text: &str) {
    let button = button(card, text);
    let click = Click {
        card: card.id.clone(),
        from: from.to_owned(),
        action_id: button.id.clone(),
        params: button.params.clone(),
    };
    host.sim.click(&click).await.unwrap();
}

/// A click as DingTalk tells of it, with any of it made up.
pub(super) fn forged(host: &Stage, card: &str, from: &str, chat: &str, action: &serde_json::Value) {
    let pressed =
        json!({ "cardPrivateData": { "actionIds": ["answer"], "params": { "action": action } } });
    let data = json!({
        "type": "actionCallback",
        "outTrackId": card,
        "userId": from,
        "corpId": host.sim.corp_id(),
        "spaceId": chat,
        "spaceType": "im",
        "content": pressed.to_string(),
        "value": pressed.to_string(),
    });
    host.sim.callback("/v1.0/card/instances/callback", &data);
}

/// The number in what the bot said last to somebody.
pub(super) fn number(said: &str) -> String {
    let (_, rest) = said.split_once("yes ").unwrap_or_else(|| panic!("no number in {said}"));
    rest.chars().take(4).collect()
}

/// What is in the first file that the bot sent.
pub(super) async fn file_sent(host: &Stage) -> String {
    let message = host.look(|seen| {
        let mut files = seen.state.messages.iter().filter(|m| m.kind == MessageKind::File);
        files.next().unwrap().clone()
    });
    let url = format!("{}{}", host.sim.url(), message.files[0].url);
    let bytes = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut all = String::new();
    archive.by_index(0).unwrap().read_to_string(&mut all).unwrap();
    all
}

#[track_caller]
pub(super) fn verdicts(stage: &Stage) -> Vec<String> {
    let all = records(stage);
    let approvals = all.iter().filter(|one| one["event"] == "approval");
    approvals
        .map(|one| {
            let part = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", part("who"), part("verdict"), part("reason")).trim().to_owned()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_nobody_but_whoever_asked_approves_and_each_try_is_told_and_audited() {
    let host = setup().spawn().await;
    host.say_in(0, ALICE, "deploy prod v1");
    let card = asked(&host, "Deploy v1 to prod?").await;
    let action = button(&card, "Approve").params["action"].clone();
    let group = host.sim.group(0);
    // Somebody else, a stranger, nobody.
    press(&host, &card, BOB, "Approve").await;
    host.until("he is told", |seen| seen.to(BOB) == ["Only whoever asked for it may answer."])
        .await;
    press(&host, &card, STRANGER, "Approve").await;
    host.until("a stranger is refused", |seen| seen.to(STRANGER).len() == 1).await;
    forged(&host, &card.id, "", &group, &action);
    // A copy of the card, the card in another chat, a key that is none.
    forged(&host, "another card", ALICE, &group, &action);
    host.until("the copy", |seen| {
        seen.to(ALICE) == ["That button is not on the card that asked; it counts for nothing."]
    })
    .await;
    forged(&host, &card.id, ALICE, &host.sim.group(1), &action);
    host.until("elsewhere", |seen| {
        seen.to(ALICE).last() == Some(&"That was asked in another chat; answer it there.")
    })
    .await;
    forged(&host, &card.id, ALICE, "", &action);
    forged(&host, &card.id, ALICE, &group, &json!("0".repeat(32)));
    forged(&host, &card.id, ALICE, &group, &json!("approve"));
    forged(&host, &card.id, ALICE, &group, &json!(["x"]));
    host.until_true("all are decided", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 9
    })
    .await;
    assert!(host.lines("ran").is_empty());
    // Whoever asked.
    press(&host, &card, ALICE, "Approve").await;
    host.until("it ran", |seen| seen.in_group(0).last() == Some(&"deployed prod")).await;
    // And again, which is nothing.
    forged(&host, &card.id, ALICE, &group, &action);
    press(&host, &card, BOB, "Approve").await;
    host.until_true("the replays are decided", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 13
    })
    .await;
    host.until("the card says who and when", |seen| {
        let card = seen.state.card(&card.id).unwrap();
        card.state == CardState::Finished
            && card.buttons.is_empty()
            && card.text.contains("✅ approved · Alice")
    })
    .await;
    let stage = host.stop().await;
    assert_eq!(stage.lines("ran"), ["prod v1"]);
    let mut tried = verdicts(&stage);
    tried.sort();
    assert_eq!(
        tried,
        [
            "- deny no_staff_id".to_owned(),
            format!("{ALICE} allow"),
            format!("{ALICE} deny copied_card"),
            format!("{ALICE} deny other_chat"),
            format!("{ALICE} deny other_chat"),
            format!("{ALICE} deny replayed"),
            format!("{ALICE} deny unknown_button"),
            format!("{ALICE} deny unknown_button"),
            format!("{ALICE} deny unknown_button"),
            format!("{BOB} deny not_asked"),
            format!("{BOB} deny replayed"),
            format!("{STRANGER} deny no_role"),
        ]
    );
    // All of them about the same thing.
    let all = records(&stage);
    let digests: std::collections::BTreeSet<&str> = all
        .iter()
        .filter(|one| one["event"] == "approval")
        .map(|one| one["digest"].as_str().unwrap())
        .collect();
    assert!(digests.len() == 1 && digests.iter().all(|digest| digest.len() == 64), "{digests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_what_others_must_approve_its_asker_does_not_nor_an_admin_who_was_removed() {
    let host = setup().spawn().await;
    // An admin asks, and is not the one to say yes.
    host.say_in(0, BOB, "wipe all");
    let card = asked(&host, "Wipe all?").await;
    assert!(card.text.contains("to be approved by another admin"), "{}", card.text);
    press(&host, &card, BOB, "Approve").await;
    host.until("not his own", |seen| {
        seen.to(BOB) == ["Somebody else must approve it; nobody approves their own request."]
    })
    .await;
    press(&host, &card, ALICE, "Approve").await;
    host.until("nor a guest", |seen| {
        seen.to(ALICE) == ["Only somebody with the role admin may decide that."]
    })
    .await;
    // She was an admin when the card came.
    host.say(OWNER, &format!("deny {LINA} admin"));
    host.until("the owner is asked", |seen| seen.to(OWNER).len() == 1).await;
    let code = host.look(|seen| number(seen.to(OWNER)[0]));
    host.say(OWNER, &format!("yes {code}"));
    host.until("she is none any more", |seen| seen.to(OWNER).len() == 2).await;
    press(&host, &card, LINA, "Approve").await;
    host.until("so it does not count", |seen| {
        seen.to(LINA) == ["Only somebody with the role admin may decide that."]
    })
    .await;
    assert!(host.lines("ran").is_empty());
    press(&host, &card, OWNER, "Approve").await;
    host.until_true("the owner has every role", || host.lines("ran") == ["wiped all"]).await;
    // Whoever asked is removed while it waits: nothing is left to approve.
    host.say_in(1, BOB, "wipe more");
    let card = asked(&host, "Wipe more?").await;
    host.say(OWNER, &format!("deny {BOB}"));
    host.until("the owner is asked", |seen| seen.to(OWNER).len() == 3).await;
    let code = host.look(|seen| number(seen.to(OWNER)[2]));
    host.say(OWNER, &format!("yes {code}"));
    host.until("his run is stopped", |seen| {
        seen.in_group(1).iter().any(|text| text.contains("you may not use it any more"))
    })
    .await;
    host.until("with its card", |seen| {
        let card = seen.state.card(&card.id).unwrap();
        card.state == CardState::Failed && card.buttons.is_empty()
    })
    .await;
    let action = button(&card, "Approve").params["action"].clone();
    forged(&host, &card.id, OWNER, &host.sim.group(1), &action);
    host.until("there is nothing to approve", |seen| {
        seen.to(OWNER).last().is_some_and(|text| text.starts_with("That has ended already"))
    })
    .await;
    let stage = host.stop().await;
    assert_eq!(stage.lines("ran"), ["wiped all"]);
    assert_eq!(count(&stage, &[("event", "approval"), ("verdict", "allow"), ("who", OWNER)]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_after_its_time_and_after_a_save_of_the_script_nothing_runs() {
    let host = setup().spawn().await;
    host.say(ALICE, "short");
    let card = asked(&host, "Now?").await;
    host.until("it expires visibly", |seen| {
        let card = seen.state.card(&card.id).unwrap();
        card.state.is_terminal()
            && card.text.contains("⌛ not approved until ")
            && card.buttons.is_empty()
    })
    .await;
    let action = button(&card, "Approve").params["action"].clone();
    forged(&host, &card.id, ALICE, &host.sim.direct_chat(ALICE), &action);
    host.until("too late", |seen| {
        seen.to(ALICE)
            .last()
            .is_some_and(|text| text.starts_with("That has expired, and nothing was run"))
    })
    .await;
    // The script is saved while its question is open: what would run is not what was asked about.
    host.say(ALICE, "deploy prod v2");
    let card = asked(&host, "Deploy v2 to prod?").await;
    host.write(
        "approve.luau",
        &format!("{SCRIPT}\nbot.command(\"newer <n>\", function(ctx) ctx:reply(\"newer\") end)"),
    );
    for n in 0.. {
        // Not the same words again and again: that is what a machine does.
        host.say(BOB, &format!("newer {n}"));
        host.until("answered", |seen| seen.to(BOB).len() == n + 1).await;
        if host.look(|seen| seen.to(BOB).last() == Some(&"newer")) {
            break;
        }
    }
    press(&host, &card, ALICE, "Approve").await;
    host.until("it has to be asked for again", |seen| {
        seen.to(ALICE).iter().any(|text| text.starts_with("The script was changed meanwhile"))
            && seen
                .state
                .card(&card.id)
                .is_some_and(|card| card.text.contains("the script was changed meanwhile"))
    })
    .await;
    host.until_true("both runs are cancelled", || {
        host.journal(
            "SELECT count(*) FROM inbox WHERE state = 'cancelled' AND error LIKE 'not approved: %'",
        ) == 2
    })
    .await;
    host.say(ALICE, "deploy prod v2");
    let card = asked(&host, "Deploy v2 to prod?").await;
    press(&host, &card, ALICE, "Approve").await;
    host.until_true("once more", || host.lines("ran") == ["prod v2"]).await;
    let stage = host.stop().await;
    assert_eq!(
        verdicts(&stage),
        [
            "host expire".to_owned(),
            format!("{ALICE} deny replayed"),
            format!("{ALICE} deny changed"),
            format!("{ALICE} allow"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_a_restart_ends_what_waits_and_says_which_question_was_lost() {
    let host = setup().spawn().await;
    host.say(ALICE, "deploy prod v1");
    let card = asked(&host, "Deploy v1 to prod?").await;
    let action = button(&card, "Approve").params["action"].clone();
    let host = host.kill().await.spawn().await;
    host.until("she is told which it was", |seen| {
        seen.to(ALICE).last().is_some_and(|text| {
            text.contains("the question “Deploy v1 to prod?” of `deploy prod v1` is lost")
        })
    })
    .await;
    host.until("its card has ended", |seen| {
        let card = seen.state.card(&card.id).unwrap();
        card.state == CardState::Failed && card.buttons.is_empty()
    })
    .await;
    forged(&host, &card.id, ALICE, &host.sim.direct_chat(ALICE), &action);
    host.until("its button is nothing", |seen| {
        seen.to(ALICE)
            .last()
            .is_some_and(|text| text.starts_with("That question ended with a restart of moonbell"))
    })
    .await;
    let stage = host.stop().await;
    assert!(stage.lines("ran").is_empty());
    assert_eq!(verdicts(&stage), [format!("{ALICE} deny replayed")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_in_words_a_number_approves_once_and_only_its_own_request() {
    let host = words().spawn().await;
    host.say_in(0, ALICE, "deploy prod");
    host.say_in(0, BOB, "deploy dev");
    host.until("both are asked", |seen| seen.in_group(0).len() == 2).await;
    let of = |text: &str| {
        host.look(|seen| {
            number(seen.in_group(0).into_iter().find(|said| said.contains(text)).unwrap())
        })
    };
    let (alices, bobs) = (of("to prod?"), of("to dev?"));
    let said = host.look(|seen| seen.in_group(0).join("\n"));
    assert!(
        said.contains("env  prod") && said.contains(" · until ") && said.contains(" · #"),
        "{said}"
    );
    // Another's number, from another chat, no number.
    host.say_in(0, BOB, &format!("yes {alices}"));
    host.until("not his", |seen| {
        seen.in_group(0).last() == Some(&"Only whoever asked for it may answer.")
    })
    .await;
    host.say(ALICE, &format!("yes {alices}"));
    host.until("not there", |seen| {
        seen.to(ALICE) == ["That was asked in another chat; answer it there."]
    })
    .await;
    host.say_in(0, ALICE, "yes");
    host.until("with its number", |seen| {
        seen.in_group(0).last().is_some_and(|text| text.starts_with("To approve, send: yes "))
    })
    .await;
    assert!(host.lines("ran").is_empty());
    host.say_in(0, ALICE, &format!("yes {alices}"));
    host.until_true("hers runs", || host.lines("ran") == ["prod latest"]).await;
    host.say_in(0, ALICE, &format!("yes {alices}"));
    host.until("once", |seen| {
        seen.in_group(0).last().is_some_and(|text| text.starts_with("That was approved already"))
    })
    .await;
    host.say_in(0, BOB, &format!("no {bobs}"));
    host.until("his does not", |seen| seen.in_group(0).contains(&"🚫 Refused; nothing is run."))
        .await;
    // A bare no, and cancel, are enough.
    for (word, answer) in [("no", "🚫 refused, nothing was run · "), ("取消", "好的，已取消。")]
    {
        host.say(ALICE, "deploy prod");
        host.until("asked", |seen| {
            seen.to(ALICE).last().is_some_and(|text| text.contains("Deploy"))
        })
        .await;
        host.say(ALICE, word);
        host.until(answer, |seen| {
            seen.to(ALICE).last().is_some_and(|text| text.starts_with(answer))
        })
        .await;
    }
    host.say(ALICE, "echo free");
    host.until("her chat is free", |seen| seen.to(ALICE).last() == Some(&"free")).await;
    let stage = host.stop().await;
    assert_eq!(stage.lines("ran"), ["prod latest"]);
    let mut tried = verdicts(&stage);
    tried.sort();
    let mut expected = [
        format!("{BOB} deny not_asked"),
        format!("{ALICE} deny other_chat"),
        format!("{ALICE} allow"),
        format!("{ALICE} deny replayed"),
        format!("{BOB} refuse"),
        format!("{ALICE} refuse"),
        format!("{ALICE} withdraw"),
    ];
    expected.sort();
    assert_eq!(tried, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_in_a_direct_chat_the_owner_is_asked_and_may_be_the_one_who_says_no() {
    let host = words().spawn().await;
    for (round, verdict) in ["no", "yes"].into_iter().enumerate() {
        let questions = |said: &[&str]| said.iter().filter(|text| text.starts_with('❓')).count();
        host.say(ALICE, "wipe disk");
        host.until("the owner is asked", |seen| questions(&seen.to(OWNER)) == round + 1).await;
        host.until("she knows", |seen| {
            let told = seen.to(ALICE);
            told.iter().filter(|text| text.starts_with("⏳ The owner was asked")).count()
                == round + 1
        })
        .await;
        let code = host.look(|seen| {
            let said = seen.to(OWNER);
            number(said.iter().rfind(|text| text.starts_with('❓')).unwrap())
        });
        // The number is of no use to others, nor to her.
        host.say(BOB, &format!("yes {code}"));
        host.say(ALICE, &format!("yes {code}"));
        host.until("neither counts", |seen| {
            seen.to(BOB).len() == round + 1
                && seen.to(ALICE).contains(&"That was asked in another chat; answer it there.")
        })
        .await;
        host.say(OWNER, &format!("{verdict} {code}"));
        let decided = "SELECT count(*) FROM asks WHERE state IN ('allowed', 'refused')";
        host.until_true("it is decided", || {
            host.journal(decided) == i64::try_from(round + 1).unwrap()
        })
        .await;
        host.until_true("and done", || host.lines("ran").len() == round).await;
    }
    host.until("she heard of the no", |seen| {
        seen.to(ALICE).iter().any(|text| text.starts_with("🚫 refused, nothing was run · 王小明"))
    })
    .await;
    // The owner has nobody to ask.
    host.say(OWNER, "wipe disk");
    host.until("nobody", |seen| {
        seen.to(OWNER)
            .last()
            .is_some_and(|text| text.starts_with("🚫 Somebody else must approve this"))
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn j2_all_of_a_long_argument_is_shown_in_a_file_and_is_what_runs() {
    let host = setup().spawn().await;
    // What turns and hides is written out; what a shell or Markdown would act on is shown as it is.
    let nasty = "``` $(reboot) \u{202e}txt.exe\u{200b} [Approve](http://evil)";
    host.say(ALICE, &format!("say {nasty}"));
    let card = asked(&host, "Say it?").await;
    let shown = r"\u{202e}txt.exe\u{200b} [Approve](http://evil)";
    assert!(card.text.contains(shown) && !card.text.contains('\u{202e}'), "{}", card.text);
    assert!(card.text.contains("\n````\n"), "it cannot close its block: {}", card.text);
    press(&host, &card, ALICE, "Approve").await;
    let file = host.state_dir().join("files/approve/said");
    host.until_true("it ran", || fs::read_to_string(&file).is_ok_and(|text| text == nasty)).await;

    let mut long = String::new();
    for n in 0..6_000 {
        write!(long, "word{n} ").unwrap();
    }
    let long = long.trim_end();
    assert!(long.len() > 50_000);
    host.say(ALICE, &format!("say {long}"));
    let card = asked(&host, "characters) is in the file approval-").await;
    let all = file_sent(&host).await;
    assert!(all.contains(&format!("\"{long}\"")), "the whole of it");
    let digest = all.trim_end().rsplit(' ').next().unwrap();
    assert!(card.text.contains(&format!("#{}", &digest[..12])), "{}", card.text);
    press(&host, &card, ALICE, "Approve").await;
    host.until_true("exactly that ran", || {
        fs::read_to_string(&file).is_ok_and(|text| text == long)
    })
    .await;
    let stage = host.stop().await;
    assert_eq!(
        count(&stage, &[("event", "approval"), ("verdict", "allow"), ("digest", digest)]),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn j2_a_program_starts_only_as_it_was_approved_and_once() {
    let stage = words().stage().await;
    let tool = stage.path("tool");
    fs::write(&tool, "#!/bin/sh\necho \"$MODE $PWD $*\" >> started\n").unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let host = stage.spawn().await;
    host.say(ALICE, "start a b; reboot");
    host.until("she is asked", |seen| seen.to(ALICE).len() == 1).await;
    let said = host.look(|seen| seen.to(ALICE)[0].to_owned());
    let home = host.home.path().to_str().unwrap();
    for part in [
        "❓ Start it?\n".to_owned(),
        format!("{home}/tool \"a b; reboot\"\n"),
        format!("  program  {home}/tool\n"),
        format!("  in  {home}\n"),
        "  with  MODE=safe\n".to_owned(),
    ] {
        assert!(said.contains(&part), "{part:?} in {said}");
    }
    host.say(ALICE, &format!("yes {}", number(&said)));
    host.until("started", |seen| {
        seen.to(ALICE).last() == Some(&format!("started by {ALICE}").as_str())
    })
    .await;
    assert_eq!(host.lines("started"), [format!("safe {home} a b; reboot")]);
    // What cannot be started is asked of nobody.
    fs::remove_file(&tool).unwrap();
    host.say(ALICE, "start again");
    host.until("told", |seen| seen.to(ALICE).last() == Some(&"not started: not_found")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn j3_buttons_answer_the_question_they_were_made_for_and_words_still_do() {
    let host = setup().spawn().await;
    host.say_in(0, ALICE, "pick");
    let alices = asked(&host, "Where to?").await;
    host.say_in(0, BOB, "sure");
    let bobs = asked(&host, "Sure?").await;
    assert_eq!(alices.buttons.len(), 2);
    press(&host, &alices, BOB, "prod").await;
    press(&host, &bobs, ALICE, "Yes").await;
    host.until("neither is for the other", |seen| {
        [BOB, ALICE].iter().all(|who| seen.to(who) == ["Only whoever asked for it may answer."])
    })
    .await;
    press(&host, &alices, ALICE, "prod").await;
    press(&host, &bobs, BOB, "No").await;
    host.until("each answers their own", |seen| {
        let said = seen.in_group(0);
        said.contains(&"to prod") && said.contains(&"false")
    })
    .await;
    host.until("the cards say who", |seen| {
        let says = |card: &Card, who: &str| {
            // Its buttons go last: the next question is not to be taken for this one.
            seen.state
                .card(&card.id)
                .is_some_and(|it| it.text.contains(who) && it.buttons.is_empty())
        };
        says(&alices, "→ prod · Alice") && says(&bobs, "→ No · Bob")
    })
    .await;
    // In words beside the buttons: what makes no sense first, then a number.
    host.say(ALICE, "pick");
    let card = asked(&host, "Where to?").await;
    host.say(ALICE, "deploy prod");
    host.until("a command is an answer here, and none of these", |seen| {
        seen.to(ALICE).last().is_some_and(|text| text.starts_with("That is none of them."))
    })
    .await;
    host.say(ALICE, "1");
    host.until("taken", |seen| seen.to(ALICE).last() == Some(&"to staging")).await;
    let action = button(&card, "prod").params["action"].clone();
    forged(&host, &card.id, ALICE, &host.sim.direct_chat(ALICE), &action);
    host.until("the button is too late", |seen| {
        seen.to(ALICE).last().is_some_and(|text| text.starts_with("That was answered already"))
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn j3_where_no_card_can_be_shown_the_question_is_asked_in_words() {
    let host = setup().template("no-such-template.schema").spawn().await;
    host.say(ALICE, "deploy prod");
    host.until("in words", |seen| {
        seen.to(ALICE).last().is_some_and(|text| text.starts_with("❓ Deploy"))
    })
    .await;
    let code = host.look(|seen| number(seen.to(ALICE).last().unwrap()));
    host.say(ALICE, &format!("yes {code}"));
    host.until_true("it runs", || host.lines("ran") == ["prod latest"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn j4_a_timer_is_nobodys_and_a_demoted_admin_triggers_it_no_more() {
    let script = r#"
        bot.every("1h", { name = "hourly" }, function() shell.sh("echo beat >> {home}/beats; cat {home}/beat.gate") end)
    "#;
    let host = words().script("timer.luau", script).spawn().await;
    let gate = host.hold("beat");
    host.say(BOB, "trigger hourly");
    host.until_true("it began", || host.lines("beats") == ["beat"]).await;
    host.say(OWNER, &format!("deny {BOB} admin"));
    host.until("asked", |seen| seen.to(OWNER).len() == 1).await;
    let code = host.look(|seen| number(seen.to(OWNER)[0]));
    host.say(OWNER, &format!("yes {code}"));
    host.until("done", |seen| seen.to(OWNER).len() == 2).await;
    // What runs is the host's, and goes on; starting it again is not his any more.
    drop(gate);
    host.say(BOB, "trigger hourly");
    host.until("refused", |seen| seen.to(BOB).last() == Some(&"Sorry, you may not use `trigger`."))
        .await;
    let stage = host.stop().await;
    assert_eq!(stage.lines("beats"), ["beat"]);
    assert_eq!(count(&stage, &[("door", "schedule"), ("who", "host"), ("verdict", "allow")]), 1);
    assert_eq!(count(&stage, &[("door", "schedule"), ("who", BOB)]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn j5_a_hundred_requests_of_one_person_are_few_questions_to_the_owner() {
    let host = words().spawn().await;
    for n in 0..100 {
        host.say(ALICE, &format!("wipe {n}"));
        host.say(STRANGER, &format!("wipe {n}"));
    }
    host.until_true("most are turned away", || {
        host.journal("SELECT count(*) FROM inbox WHERE error = 'not approved: too_many'") == 95
    })
    .await;
    host.look(|seen| {
        assert_eq!(seen.to(OWNER).len(), 5, "{:?}", seen.to(OWNER));
        assert!(seen.to(ALICE).iter().any(|text| text.starts_with("🚫 Too many of your requests")));
        assert_eq!(seen.to(STRANGER).len(), 1);
    });
    // Hers are withdrawn together; somebody else's are another matter.
    host.say(LINA, "wipe hers");
    host.until("another person asks", |seen| seen.to(OWNER).len() == 6).await;
    host.say(ALICE, "cancel");
    host.until_true("five are withdrawn", || {
        host.journal("SELECT count(*) FROM asks WHERE state = 'withdrawn'") == 5
    })
    .await;
    let stage = host.stop().await;
    assert!(stage.lines("ran").is_empty());
}
