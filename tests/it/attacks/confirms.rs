//! Group J: `ctx:confirm`, as an approval of what it is about, and as a plain question.

use std::fmt::Write as _;

use moonbell::sim::CardState;
use serde_json::json;

use super::super::stage::{ALICE, BOB, LINA, OWNER, Setup};
use super::approvals::{asked, button, file_sent, forged, number, press, verdicts};
use super::{count, records};

const SCRIPT: &str = r#"
local function said(ctx, yes, err)
    ctx:reply(if yes == nil then "not: " .. err.kind else "said " .. tostring(yes))
end
-- A table that lives longer than a run: whoever can change it could change what was shown.
local files = { "a.txt", "b c.txt" }
bot.command("change", function(ctx)
    table.insert(files, "secret.txt")
    ctx:reply("there are " .. #files)
end)
bot.command("remove", function(ctx) said(ctx, ctx:confirm("Remove these?", { about = files })) end)
bot.command("grow", function(ctx)
    said(ctx, ctx:confirm("Grow it?", { about = { disk = "/dev/x", ["to GB"] = 20 }, approvers = "admin" }))
end)
bot.command("hire <who...>", { queue = "none", run = function(ctx)
    said(ctx, ctx:confirm(`Hire {ctx.args.who}?`, { approvers = "admin" }))
end })
bot.command("start", function(ctx)
    said(ctx, ctx:confirm("Start it?", { about = { "/bin/sh", "-c", "exit 0", cwd = "/", env = { MODE = "safe" } } }))
end)
bot.command("missing", function(ctx)
    said(ctx, ctx:confirm("Start it?", { about = { "no-such-program", "x", cwd = "/" } }))
end)
bot.command("moment", function(ctx) said(ctx, ctx:confirm("Now?", { about = "now", timeout = "4s" })) end)
bot.command("tell <text...>", function(ctx) said(ctx, ctx:confirm("Tell it?", { about = ctx.args.text })) end)
bot.command("plain <n:int>", function(ctx)
    local words = {}
    for n = 1, ctx.args.n do table.insert(words, "word" .. n) end
    said(ctx, ctx:confirm(table.concat(words, " ")))
end)
bot.command("wrong", function(ctx)
    for _, about in { {}, "", " ", { f = print }, print, { "sh", cwd = 3 } } do
        local ok, why = pcall(ctx.confirm, ctx, "Sure?", { about = about })
        assert(not ok and tostring(why):find("confirm"), tostring(why))
    end
    ctx:reply("all raised")
end)
"#;

fn words() -> Setup {
    let admins = format!("[access.roles]\nadmin = [{LINA:?}, {BOB:?}]");
    Setup::new().script("confirms.luau", SCRIPT).toml(&admins)
}

fn setup() -> Setup {
    words().toml("[cards]\nbuttons = 4")
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_a_confirm_about_something_counts_from_whoever_asked_once_and_in_its_chat() {
    let host = setup().spawn().await;
    host.say_in(0, ALICE, "remove");
    let card = asked(&host, "Remove these?").await;
    for part in ["\n  a.txt\n  \"b c.txt\"\n", " · until ", " · #"] {
        assert!(card.text.contains(part), "{part:?} in {}", card.text);
    }
    let action = button(&card, "Approve").params["action"].clone();
    let group = host.sim.group(0);
    press(&host, &card, BOB, "Approve").await;
    host.until("he is told", |seen| seen.to(BOB) == ["Only whoever asked for it may answer."])
        .await;
    forged(&host, "another card", ALICE, &group, &action);
    forged(&host, &card.id, ALICE, &host.sim.group(1), &action);
    forged(&host, &card.id, ALICE, "", &action);
    forged(&host, &card.id, ALICE, &group, &json!("0".repeat(32)));
    // A bare yes is no yes to something exact.
    host.say_in(0, ALICE, "yes");
    host.until_true("all are decided", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 6
    })
    .await;
    host.look(|seen| assert!(!seen.in_group(0).iter().any(|text| text.starts_with("said"))));
    press(&host, &card, ALICE, "Approve").await;
    host.until("it is a yes", |seen| seen.in_group(0).last() == Some(&"said true")).await;
    forged(&host, &card.id, ALICE, &group, &action);
    host.until_true("that was all", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 9
    })
    .await;
    // The no of a button is false, and no error.
    host.say(ALICE, "remove");
    let card = asked(&host, "Remove these?").await;
    press(&host, &card, ALICE, "Refuse").await;
    host.until("it is a no", |seen| seen.to(ALICE).last() == Some(&"said false")).await;
    let stage = host.stop().await;
    let mut tried = verdicts(&stage);
    tried.sort();
    let mut expected = [
        format!("{ALICE} allow"),
        format!("{ALICE} deny copied_card"),
        format!("{ALICE} deny other_chat"),
        format!("{ALICE} deny other_chat"),
        format!("{ALICE} deny replayed"),
        format!("{ALICE} deny unknown_button"),
        format!("{ALICE} refuse"),
        format!("{BOB} deny not_asked"),
    ];
    expected.sort();
    assert_eq!(tried, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_what_others_must_confirm_is_theirs_alone_with_or_without_something_it_is_about() {
    let host = words().spawn().await;
    for (n, (request, shown)) in
        [("grow", "❓ Grow it?\n  disk   /dev/x\n  to GB  20\n"), ("hire Eve", "❓ Hire Eve?\n")]
            .into_iter()
            .enumerate()
    {
        host.say_in(0, BOB, request);
        let is = |said: &&&str| said.starts_with(shown);
        host.until(shown, |seen| seen.in_group(0).iter().any(|said| is(&said))).await;
        let said = host.look(|seen| (*seen.in_group(0).iter().find(is).unwrap()).to_owned());
        assert!(said.contains("to be approved by another admin"), "{said}");
        let code = number(&said);
        for (who, answer) in [
            (BOB, "Somebody else must approve it; nobody approves their own request."),
            (ALICE, "Only somebody with the role admin may decide that."),
        ] {
            host.say_in(0, who, &format!("yes {code}"));
            host.until(answer, |seen| seen.in_group(0).last() == Some(&answer)).await;
        }
        host.say_in(0, LINA, &format!("yes {code}"));
        host.until("she may", |seen| {
            seen.in_group(0).iter().filter(|said| **said == "said true").count() == n + 1
        })
        .await;
    }
    // In a direct chat it is the owner who decides, by a number too.
    host.say(BOB, "hire Mallory");
    host.until("the owner is asked", |seen| seen.to(OWNER).len() == 1).await;
    let code = host.look(|seen| number(seen.to(OWNER)[0]));
    host.say(OWNER, &format!("no {code}"));
    host.until("it is a no", |seen| seen.to(BOB).contains(&"said false")).await;
    let stage = host.stop().await;
    assert_eq!(count(&stage, &[("event", "approval"), ("verdict", "allow"), ("who", LINA)]), 2);
    assert_eq!(count(&stage, &[("event", "approval"), ("verdict", "refuse"), ("who", OWNER)]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn j2_what_a_confirm_is_about_is_another_thing_once_it_was_changed() {
    let host = setup().spawn().await;
    host.say(ALICE, "remove");
    let card = asked(&host, "Remove these?").await;
    host.say(BOB, "change");
    host.until("the table is longer", |seen| seen.to(BOB) == ["there are 3"]).await;
    press(&host, &card, ALICE, "Approve").await;
    host.until("it is no yes", |seen| seen.to(ALICE).last() == Some(&"not: changed")).await;
    host.until("her card says so", |seen| {
        let card = seen.state.card(&card.id).unwrap();
        card.state == CardState::Finished && card.text.contains("what was to happen was changed")
    })
    .await;
    let action = button(&card, "Approve").params["action"].clone();
    forged(&host, &card.id, ALICE, &host.sim.direct_chat(ALICE), &action);
    host.until("nothing came of that yes", |seen| {
        seen.to(ALICE).last().is_some_and(|text| text.starts_with("That was refused already"))
    })
    .await;
    // Asked for again all of it is shown.
    host.say(ALICE, "remove");
    let card = asked(&host, "secret.txt").await;
    press(&host, &card, ALICE, "Approve").await;
    host.until("and that is a yes", |seen| seen.to(ALICE).last() == Some(&"said true")).await;
    // A program as it would start, and none that could not.
    host.say(ALICE, "start");
    let card = asked(&host, "Start it?").await;
    let (program, folder) = ("/bin/sh -c \"exit 0\"\n", "\n  in  /\n  with  MODE=safe\n");
    assert!(card.text.contains(program) && card.text.contains(folder), "{}", card.text);
    press(&host, &card, ALICE, "Approve").await;
    host.until("a yes", |seen| {
        seen.to(ALICE).iter().filter(|text| **text == "said true").count() == 2
    })
    .await;
    for (word, answer) in [("missing", "not: not_found"), ("wrong", "all raised")] {
        host.say(ALICE, word);
        host.until(answer, |seen| seen.to(ALICE).last() == Some(&answer)).await;
    }
    let stage = host.stop().await;
    assert_eq!(
        verdicts(&stage),
        [
            format!("{ALICE} allow"),
            "host deny changed".to_owned(),
            format!("{ALICE} deny replayed"),
            format!("{ALICE} allow"),
            format!("{ALICE} allow"),
        ]
    );
    let all = records(&stage);
    let mut of = all.iter().filter(|one| one["event"] == "approval").map(|one| &one["digest"]);
    let (allowed, denied) = (of.next().unwrap(), of.next().unwrap());
    assert_eq!(allowed, denied, "both are about the same question");
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_a_confirm_ends_with_its_time_and_with_the_host() {
    let host = setup().spawn().await;
    host.say(ALICE, "moment");
    let card = asked(&host, "Now?").await;
    host.until("it expires visibly", |seen| {
        let card = seen.state.card(&card.id).unwrap();
        card.state.is_terminal() && card.text.contains("⌛ not approved until ")
    })
    .await;
    host.until("the script hears of it", |seen| seen.to(ALICE).last() == Some(&"not: timeout"))
        .await;
    let action = button(&card, "Approve").params["action"].clone();
    forged(&host, &card.id, ALICE, &host.sim.direct_chat(ALICE), &action);
    host.until("too late", |seen| {
        seen.to(ALICE).last().is_some_and(|text| text.starts_with("That has expired"))
    })
    .await;
    host.say(ALICE, "remove");
    let card = asked(&host, "Remove these?").await;
    let action = button(&card, "Approve").params["action"].clone();
    let host = host.kill().await.spawn().await;
    host.until("she is told which it was", |seen| {
        seen.to(ALICE)
            .last()
            .is_some_and(|text| text.contains("the question “Remove these?” of `remove` is lost"))
    })
    .await;
    forged(&host, &card.id, ALICE, &host.sim.direct_chat(ALICE), &action);
    host.until("its button is nothing", |seen| {
        seen.to(ALICE).last().is_some_and(|text| text.starts_with("That question ended with"))
    })
    .await;
    let stage = host.stop().await;
    assert_eq!(
        verdicts(&stage),
        [
            "host expire".to_owned(),
            format!("{ALICE} deny replayed"),
            format!("{ALICE} deny replayed")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn j2_fifty_kilobytes_that_a_confirm_is_about_are_shown_in_a_file() {
    let host = setup().spawn().await;
    let mut long = String::new();
    for n in 0..6_000 {
        write!(long, "word{n} ").unwrap();
    }
    let long = format!("{}\u{202e}end", long.trim_end());
    assert!(long.len() > 50_000);
    host.say(ALICE, &format!("tell {long}"));
    let card = asked(&host, "characters) is in the file approval-").await;
    let all = file_sent(&host).await;
    assert!(all.contains(&long.replace('\u{202e}', "⟨U+202E⟩")), "the whole of it");
    let digest = all.trim_end().rsplit(' ').next().unwrap();
    assert!(card.text.contains(&format!("#{}", &digest[..12])), "{}", card.text);
    press(&host, &card, ALICE, "Approve").await;
    host.until("a yes to all of it", |seen| seen.to(ALICE).last() == Some(&"said true")).await;
    let stage = host.stop().await;
    assert_eq!(
        count(&stage, &[("event", "approval"), ("verdict", "allow"), ("digest", digest)]),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_a_plain_question_says_until_when_is_kept_with_its_digest_and_is_never_cut() {
    let host = words().spawn().await;
    host.say(ALICE, "plain 3");
    host.until("she is asked", |seen| {
        seen.to(ALICE).last().is_some_and(|text| {
            text.starts_with("word1 word2 word3 (yes or no)\nuntil ") && text.lines().count() == 2
        })
    })
    .await;
    let bound = "SELECT count(*) FROM asks WHERE kind = 'confirm' AND length(digest) = 64";
    assert_eq!(host.journal(bound), 1);
    host.say(ALICE, "no");
    host.until("heard", |seen| seen.to(ALICE).last() == Some(&"said false")).await;
    host.say(ALICE, "plain 2000");
    host.until("where the rest is", |seen| {
        seen.to(ALICE).last().is_some_and(|text| {
            text.starts_with("word1 word2 ")
                && text.contains("characters) is in the file question-")
                && text.contains("\nuntil ")
        })
    })
    .await;
    let all = file_sent(&host).await;
    assert!(all.starts_with("word1 word2 ") && all.contains(" word2000 (yes or no)"), "{all}");
    host.say(ALICE, "yes");
    host.until("heard too", |seen| seen.to(ALICE).last() == Some(&"said true")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn j1_a_click_that_answers_nothing_and_an_old_number_are_told_and_recorded() {
    let admins = format!("[access.roles]\nadmin = [{LINA:?}, {BOB:?}]\n[cards]\nbuttons = 4");
    let script = r#"bot.command("wipe", { confirm = { "Wipe it?", approvers = "admin" }, run = function(ctx) ctx:reply("wiped") end })"#;
    let host = Setup::new().script("wipe.luau", script).toml(&admins).spawn().await;
    let group = host.sim.group(0);
    host.say_in(0, ALICE, "wipe");
    let card = asked(&host, "Wipe it?").await;
    // A button without a key, and a card of nobody.
    forged(&host, &card.id, LINA, &group, &json!(""));
    host.until("she is told", |seen| {
        seen.to(LINA) == ["That button answers no question; it counts for nothing."]
    })
    .await;
    forged(&host, "no card of moonbell", BOB, &group, &json!("0".repeat(32)));
    host.until("he is told", |seen| seen.to(BOB) == ["That has ended already."]).await;
    let code = number(&card.text);
    host.say_in(0, BOB, &format!("yes {code}"));
    host.until("it ran", |seen| seen.in_group(0).contains(&"wiped")).await;
    // Once it is over, the same, also where it is another admin who says the number.
    forged(&host, &card.id, LINA, "", &json!(""));
    host.say_in(0, LINA, &format!("yes {code}"));
    host.until("not her rights are the matter", |seen| {
        seen.in_group(0)
            .last()
            .is_some_and(|said| said.starts_with("Nothing waits for that number here"))
    })
    .await;
    let stage = host.stop().await;
    let mut tried = verdicts(&stage);
    tried.sort();
    assert_eq!(
        tried,
        [
            format!("{LINA} deny replayed"),
            format!("{LINA} deny unknown_button"),
            format!("{BOB} allow"),
            format!("{BOB} deny unknown_card"),
        ]
        .into_iter()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
    );
}
