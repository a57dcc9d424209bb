//! A13: the table of [`super::matrix`] behind the other doors of the real program: buttons, answers, approvals, what starts
//! by itself, and the computer.
//!
//! Not here, because there is no such cell: timers, files and events take neither a role nor a place: they are nobody's but
//! the host's. Whoever sits at the computer is one person.

use std::fs;

use serde_json::{Map, Value, json};

use super::super::process::HostProcess;
use super::super::stage::{ALICE, BOB, LINA, OWNER, Setup, Stage, Way};
use super::callbacks::{call, clicked, time};
use super::matrix::{ANN, Role, Verdict, host, removed};
use super::{answer, count, moonbell, records, text};

use Verdict::{Hidden, No, Yes};

const ADMINS: [Verdict; 4] = [Yes, Yes, No("role"), No("role")];

/// How many clicks have been decided.
fn decided(host: &Stage) -> i64 {
    host.journal("SELECT count(*) FROM inbox WHERE key LIKE 'card%' AND ended_at_ms IS NOT NULL")
}

/// A press of a button, as DingTalk tells of it; returns once it is decided.
async fn press(host: &Stage, role: Role, card: &str, id: &str, params: Map<String, Value>) {
    let pressed = json!({ "cardPrivateData": { "actionIds": [id], "params": params } }).to_string();
    let corp = host.sim.corp_id();
    let before = decided(host);
    let data = json!({
        "type": "actionCallback", "outTrackId": card, "userId": role.id(), "spaceType": "im",
        "corpId": if role == Role::Foreign { "dingother" } else { &corp },
        "spaceId": host.sim.group(0), "content": pressed, "value": pressed,
    });
    if host.tunnel.is_some() {
        // One signature signs one click.
        let at = time(-10 * before);
        let answer = call(host, "card", &clicked(&at), data.to_string()).await;
        assert_eq!(answer, (200, "{}".to_owned()));
    } else {
        host.sim.callback("/v1.0/card/instances/callback", &data);
    }
    host.until_true("the click is decided", || decided(host) == before + 1).await;
}

/// Whether the audit has this verdict of a click, or of a number, of this one.
fn is_recorded(host: &Stage, role: Role, door: &str, event: &str, expected: Verdict) -> bool {
    let who = role.named();
    records(host).iter().any(|one| {
        let reason = one["reason"].as_str().unwrap_or_default();
        let verdict = match expected {
            Yes | Hidden => one["verdict"] == "allow",
            No(why) => one["verdict"] == "deny" && reason.starts_with(why),
        };
        one["who"] == who && one["door"] == door && one["event"] == event && verdict
    })
}

const CLICKS: &str = r#"
local function clicked(name) return function() shell.sh("echo $1 >> {home}/clicks", name) end end
bot.on("card", clicked("any"))
bot.on("card", { role = "ops", run = clicked("ops") })
bot.on("card", { role = "admin", run = clicked("admin") })
bot.on("card", { scope = "cidGrpc2ltdWxhdGVkIGdyb3VwIDA=", run = clicked("here") })
bot.on("card", { scope = { "cidElsewhere=" }, run = clicked("elsewhere") })
"#;

/// Handlers of clicks, by what they say of whom they take.
const CLICKED: [(&str, [Verdict; 4]); 5] = [
    ("any", [Yes; 4]),
    ("ops", [Yes, No("role: ops"), Yes, No("role: ops")]),
    ("admin", ADMINS),
    ("here", [Yes; 4]),
    ("elsewhere", [No("scope: cidElsewhere="); 4]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a13_every_role_at_a_button_of_a_script_and_at_stop() {
    at_a_button_of_a_script_and_at_stop(Way::Stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_every_role_at_a_button_of_a_script_and_at_stop_over_http() {
    at_a_button_of_a_script_and_at_stop(Way::Http).await;
}

async fn at_a_button_of_a_script_and_at_stop(way: Way) {
    let host = host(Setup::new().over(way).script("clicks.luau", CLICKS)).await;
    for role in Role::ALL {
        let before = host.lines("clicks").len();
        press(&host, role, "card of a script", "agree", Map::new()).await;
        let mut ran = host.lines("clicks").split_off(before);
        ran.sort();
        let mut may_run: Vec<&str> = CLICKED
            .iter()
            .filter(|(_, may)| role.verdict(*may) == Yes)
            .map(|(name, _)| *name)
            .collect();
        may_run.sort_unstable();
        assert_eq!(ran, may_run, "{role:?}");
        for (name, may) in CLICKED {
            let may = role.verdict(may);
            host.until_true(name, || is_recorded(&host, role, "card", "decision", may)).await;
        }
    }
    // Stop, on the card of a guest's run and of the owner's: theirs, or any for an admin.
    for (whose, part) in [(ANN, 0), (OWNER, 1)] {
        for (n, role) in Role::ALL.into_iter().enumerate() {
            let name = format!("gate{part}{n}");
            let gate = host.hold(&name);
            host.say(whose, &format!("card {name}"));
            host.entered(&[&name]).await;
            let mut card = String::new();
            host.until("its card is there", |seen| {
                let of = |text: &str| text.contains(&format!("half way through {name}"));
                let found = seen.state.cards.iter().find(|card| of(&card.text));
                card = found.map(|card| card.id.clone()).unwrap_or_default();
                !card.is_empty()
            })
            .await;
            press(&host, role, &card, "stop", Map::new()).await;
            let may = role.verdict(ADMINS);
            host.until_true("it is recorded", || is_recorded(&host, role, "card", "decision", may))
                .await;
            gate.open();
            host.until("the card has ended", |seen| {
                seen.state.card(&card).is_some_and(|card| card.state.is_terminal())
            })
            .await;
            let stopped =
                host.look(|seen| seen.state.card(&card).unwrap().text.contains("stopped"));
            assert_eq!(stopped, may == Yes, "{role:?} at the card of {whose}");
        }
    }
    host.stop().await;
}

const WIPE: &str = r#"
bot.command("wipe <n>", { queue = "none", confirm = { "Wipe {n}?", approvers = "admin" }, run = function(ctx)
    shell.sh("echo $1 >> {home}/wiped", ctx.args.n)
end })
"#;

/// How many approvals have been given.
fn wiped(host: &Stage) -> usize {
    host.lines("wiped").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_every_role_at_an_approval_by_its_button() {
    at_an_approval_by_its_button(Way::Stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_every_role_at_an_approval_by_its_button_over_http() {
    at_an_approval_by_its_button(Way::Http).await;
}

async fn at_an_approval_by_its_button(way: Way) {
    let setup = Setup::new().over(way).script("wipe.luau", WIPE);
    let host = host(setup.toml("[cards]\nbuttons = 4")).await;
    for (n, role) in Role::ALL.into_iter().enumerate() {
        host.say_in(0, ANN, &format!("wipe {n}"));
        let mut found = None;
        host.until("it is asked", |seen| {
            let asks = |text: &str| text.contains(&format!("Wipe {n}?"));
            let card = seen.state.cards.iter().find(|card| asks(&card.text));
            found = card.filter(|card| !card.buttons.is_empty()).cloned();
            found.is_some()
        })
        .await;
        let card = found.unwrap();
        let button = card.buttons.iter().find(|button| button.text == "Approve").unwrap();
        let before = wiped(&host);
        press(&host, role, &card.id, &button.id, button.params.clone()).await;
        let may = role.verdict(ADMINS);
        host.until_true("it is recorded", || is_recorded(&host, role, "card", "approval", may))
            .await;
        match may {
            Yes => host.until_true("it is done", || wiped(&host) == before + 1).await,
            // Hers to take back: nothing may wait for the next.
            _ => {
                host.say_in(0, ANN, "cancel");
                host.until("it is withdrawn", |seen| {
                    seen.state.card(&card.id).is_some_and(|card| card.state.is_terminal())
                })
                .await;
                assert_eq!(wiped(&host), before, "{role:?}");
            }
        }
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_every_role_at_an_approval_by_its_number() {
    let host = host(Setup::new().script("wipe.luau", WIPE)).await;
    for (n, role) in Role::ALL.into_iter().enumerate() {
        host.say_in(0, ANN, &format!("wipe {n}"));
        let mut code = String::new();
        host.until("it is asked", |seen| {
            let said = seen.in_group(0);
            let asked = said.iter().find(|text| text.contains(&format!("Wipe {n}?")));
            let number = asked.and_then(|text| text.split_once("yes "));
            code = number.map(|(_, rest)| rest.chars().take(4).collect()).unwrap_or_default();
            !code.is_empty()
        })
        .await;
        let before = wiped(&host);
        super::matrix::say_in_the_listed_group(&host, role, &format!("yes {code}"), n).await;
        let may = role.verdict(ADMINS);
        // Strangers are not heard at all; the others are refused this one thing.
        let event = if matches!(may, No("role")) || may == Yes { "approval" } else { "decision" };
        host.until_true("it is recorded", || is_recorded(&host, role, "message", event, may)).await;
        if may == Yes {
            host.until_true("it is done", || wiped(&host) == before + 1).await;
        } else {
            let withdrawn = "SELECT count(*) FROM asks WHERE state = 'withdrawn'";
            let before_it = host.journal(withdrawn);
            host.say_in(0, ANN, "cancel");
            host.until_true("it is withdrawn", || host.journal(withdrawn) == before_it + 1).await;
            assert_eq!(wiped(&host), before, "{role:?}");
        }
    }
    // Whoever asks is not the one who says yes, whatever they are.
    host.say_in(0, BOB, "wipe his");
    host.until("it is asked", |seen| {
        seen.in_group(0).iter().any(|text| text.contains("Wipe his?"))
    })
    .await;
    let code: String = host.look(|seen| {
        let said = seen.in_group(0);
        let asked = said.iter().find(|text| text.contains("Wipe his?")).unwrap();
        asked.split_once("yes ").unwrap().1.chars().take(4).collect()
    });
    let before = wiped(&host);
    host.say_in(0, BOB, &format!("yes {code}"));
    host.until_true("it is recorded", || {
        count(&host, &[("event", "approval"), ("who", BOB), ("reason", "own_request")]) == 1
    })
    .await;
    assert_eq!(wiped(&host), before);
    host.stop().await;
}

const ASKS: &str = r#"
bot.command("ask <n>", function(ctx) ctx:reply("heard " .. tostring(ctx:ask("well, " .. ctx.args.n .. "?"))) end)
bot.command("opsask", { role = "ops", run = function(ctx) ctx:reply("heard " .. tostring(ctx:ask("well, ops?"))) end })
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a13_a_question_is_answered_by_whoever_was_asked_and_by_no_other_role() {
    let host = host(Setup::new().script("asks.luau", ASKS)).await;
    let mut n = 0;
    for (index, asker) in Role::ALL.into_iter().take(4).enumerate() {
        host.say_in(0, asker.id(), &format!("ask {index}"));
        let question = format!("well, {index}?");
        let says = |said: &[&str], text: &str| said.iter().any(|said| said.starts_with(text));
        host.until("it is asked", |seen| says(&seen.in_group(0), &question)).await;
        for other in Role::ALL.into_iter().filter(|other| *other != asker) {
            n += 1;
            super::matrix::say_in_the_listed_group(&host, other, &format!("not mine {n}"), n).await;
        }
        host.look(|seen| assert!(!says(&seen.in_group(0), "heard not")));
        host.say_in(0, asker.id(), &format!("mine {index}"));
        let heard = format!("heard mine {index}");
        host.until("the own answer counts", |seen| says(&seen.in_group(0), &heard)).await;
        let record = [("door", "answer"), ("verdict", "allow"), ("who", asker.id())];
        host.until_true("it is recorded", || count(&host, &record) == 1).await;
    }
    // Nobody else was ever heard through this door.
    assert_eq!(count(&host, &[("door", "answer"), ("verdict", "allow")]), 4);
    // The right is lost while the question is open.
    host.say(LINA, "opsask");
    host.until("she is asked", |seen| seen.asked(LINA) == ["well, ops?"]).await;
    removed(&host, LINA, "ops").await;
    host.until("her run is stopped", |seen| {
        seen.to(LINA).iter().any(|text| text.contains("you may not use it any more"))
    })
    .await;
    host.say(LINA, "too late");
    host.until("it is no answer", |seen| seen.to(LINA).len() == 3).await;
    host.look(|seen| assert!(!seen.to(LINA).iter().any(|text| text.starts_with("heard"))));
    host.stop().await;
}

const QUESTIONS: &str = r#"
local function heard(ctx, answer) ctx:reply("heard " .. ctx.args.n .. " " .. tostring(answer)) end
bot.command("choose <n>", function(ctx) heard(ctx, ctx:choose("Where " .. ctx.args.n .. "?", { "one", "two" })) end)
bot.command("sure <n>", function(ctx) heard(ctx, ctx:confirm("Sure " .. ctx.args.n .. "?")) end)
bot.command("exact <n>", function(ctx) heard(ctx, ctx:confirm("Do " .. ctx.args.n .. "?", { about = ctx.args })) end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a13_every_role_at_the_buttons_of_a_question() {
    at_the_buttons_of_a_question(Way::Stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_every_role_at_the_buttons_of_a_question_over_http() {
    at_the_buttons_of_a_question(Way::Http).await;
}

async fn at_the_buttons_of_a_question(way: Way) {
    let setup = Setup::new().over(way).script("questions.luau", QUESTIONS);
    let host = host(setup.toml("[cards]\nbuttons = 4")).await;
    for (word, question, label, said, event) in [
        ("choose a", "Where", "two", "two", "decision"),
        ("sure b", "Sure", "Yes", "true", "decision"),
        ("exact c", "Do", "Approve", "true", "approval"),
    ] {
        for (n, asker) in Role::ALL.into_iter().take(4).enumerate() {
            host.say_in(0, asker.id(), &format!("{word}{n}"));
            let mut found = None;
            host.until("it is asked", |seen| {
                let asks = |text: &str| {
                    text.contains(&format!("{question} {}{n}?", &word[word.len() - 1..]))
                };
                let card = seen.state.cards.iter().find(|card| asks(&card.text));
                found = card.filter(|card| !card.buttons.is_empty()).cloned();
                found.is_some()
            })
            .await;
            let card = found.unwrap();
            let button = card.buttons.iter().find(|button| button.text == label).unwrap();
            for other in Role::ALL.into_iter().filter(|other| *other != asker) {
                press(&host, other, &card.id, &button.id, button.params.clone()).await;
                let may = other.verdict([No("not_asked"); 4]);
                host.until_true("it is recorded", || {
                    is_recorded(&host, other, "card", "approval", may)
                })
                .await;
            }
            let heard = format!("heard {}{n} {said}", &word[word.len() - 1..]);
            let is_heard = |said: &[&str]| said.contains(&heard.as_str());
            host.look(|seen| assert!(!is_heard(&seen.in_group(0)), "{asker:?} {word}"));
            press(&host, asker, &card.id, &button.id, button.params.clone()).await;
            host.until("the own press counts", |seen| is_heard(&seen.in_group(0))).await;
            host.until_true("it is recorded", || is_recorded(&host, asker, "card", event, Yes))
                .await;
        }
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_whoever_presses_a_button_that_is_for_others_is_told_once() {
    let script = r#"
        bot.on("card", { role = "ops", rate = "2/1h", run = function(action)
            shell.sh("echo $1 >> {home}/clicks", action.user.id)
        end })
    "#;
    let host = host(Setup::new().script("ops.luau", script)).await;
    for _ in 0..2 {
        press(&host, Role::Guest, "card of a script", "agree", Map::new()).await;
    }
    host.until("she is told, once", |seen| {
        seen.to(ALICE) == ["Sorry, that button is not for you."]
    })
    .await;
    for _ in 0..4 {
        press(&host, Role::Named, "card of a script", "agree", Map::new()).await;
    }
    host.until("too often", |seen| {
        seen.to(LINA) == ["That button was pressed too often; try again later."]
    })
    .await;
    let (_, stage) = host.terminate().await;
    assert_eq!(stage.lines("clicks"), [LINA, LINA]);
    assert_eq!(
        count(&stage, &[("door", "card"), ("who", LINA), ("reason", "rate: 2 in 3600s")]),
        2
    );
    // What makes no sense for a click is said where it is written.
    for options in
        ["scope = 'dm'", "scope = 'group'", "queue = 'none'", "confirm = 'Sure?'", "role = ''"]
    {
        stage.write("ops.luau", &format!("bot.on('card', {{ {options}, run = function() end }})"));
        let said = text(&moonbell(&stage, &["check"]));
        assert!(said.contains("error["), "{options}: {said}");
    }
    stage.write("ops.luau", "bot.on('start', { role = 'ops', run = function() end })");
    assert!(text(&moonbell(&stage, &["check"])).contains("expected function, got table"));
}

const ALONE: &str = r#"
bot.on("user_add_org", function() shell.sh("echo event >> {home}/acted") end)
bot.on("start", function() shell.sh("echo hook >> {home}/acted") end)
bot.watch("{home}/drop/*", function() shell.sh("echo file >> {home}/acted") end)
bot.every("200ms", { name = "beat" }, function() shell.sh("echo schedule >> {home}/acted") end)
"#;

/// Something happens, and a file changes, until `seen`.
async fn until_moved(host: &HostProcess, what: &str, seen: impl Fn(&HostProcess) -> bool) {
    let mut n = 0;
    host.until_true(what, || {
        n += 1;
        if n % 40 == 1 {
            let person = json!({ "userId": ["u1"], "timeStamp": 1_767_852_000_000_i64 + n });
            host.sim.event("user_add_org", &person);
            fs::write(host.path("drop").join(format!("{n}")), "x").unwrap();
        }
        seen(host)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_what_starts_by_itself_is_the_hosts_and_stops_with_the_lock() {
    let stage_with = Setup::new().script("alone.luau", ALONE);
    let host = host(stage_with).await;
    fs::create_dir_all(host.path("drop")).unwrap();
    let doors = ["event", "file", "schedule"];
    until_moved(&host, "each of them acts", |host| {
        let acted = host.lines("acted");
        doors.iter().all(|door| acted.iter().any(|line| line == door))
    })
    .await;
    assert!(host.lines("acted").contains(&"hook".to_owned()));
    for door in ["event", "file", "schedule", "hook"] {
        let record = [("door", door), ("who", "host"), ("verdict", "allow")];
        host.until_true(door, || count(&host, &record) >= 1).await;
    }
    assert!(moonbell(&host, &["lock"]).status.success());
    until_moved(&host, "each of them is refused", |host| {
        doors.iter().all(|door| {
            let record = [("door", *door), ("who", "host"), ("reason", "locked")];
            count(host, &record) >= 1
        })
    })
    .await;
    // Nobody's role is ever lent to them.
    let lent = |one: &Value| {
        doors.contains(&one["door"].as_str().unwrap_or_default()) && one["who"] != "host"
    };
    assert!(!records(&host).iter().any(lent));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_whoever_sits_at_the_computer_is_the_owner_until_it_is_locked() {
    let host = host(Setup::new()).await;
    let run_of = |who: &str| {
        let listed = moonbell(&host, &["runs", "--json"]);
        let all: Value = serde_json::from_slice(&listed.stdout).unwrap();
        let all = all.as_array().unwrap().clone();
        let own = all.iter().find(|one| one["person"] == who);
        own.unwrap_or_else(|| panic!("no run of {who} in {all:#?}"))["run"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for (n, whose) in [ANN, ALICE, OWNER].into_iter().enumerate() {
        let before = count(&host, &[("door", "console"), ("verdict", "allow")]);
        assert_eq!(answer(&host, whose, &format!("echo {n}")).await, n.to_string());
        host.until_true("it is over", || {
            host.journal("SELECT count(*) FROM inbox WHERE ended_at_ms IS NULL") == 0
        })
        .await;
        let run = run_of(whose);
        let again = moonbell(&host, &["runs", "again", &run]);
        assert!(again.status.success(), "{}", text(&again));
        let name = format!("gate{n}");
        let gate = host.hold(&name);
        host.say(whose, &format!("hold {name}"));
        host.entered(&[&name]).await;
        let stop = moonbell(&host, &["runs", "stop", &run_of(whose)]);
        assert!(stop.status.success(), "{}", text(&stop));
        host.until_true("it is stopped", || {
            host.journal("SELECT count(*) FROM inbox WHERE state = 'cancelled'")
                == i64::try_from(n).unwrap() + 1
        })
        .await;
        gate.open();
        host.until_true("both are recorded", || {
            count(&host, &[("door", "console"), ("verdict", "allow")]) == before + 2
        })
        .await;
    }
    // Nothing is parked; that they may look after it is decided all the same.
    for words in [&["outbox", "retry", "all"], &["outbox", "drop", "all"]] {
        let done = moonbell(&host, words);
        assert!(!text(&done).contains("locked"), "{words:?}: {}", text(&done));
    }
    let record =
        [("door", "console"), ("who", "local"), ("handler", "parked"), ("verdict", "allow")];
    host.until_true("both are recorded", || count(&host, &record) == 2).await;
    let run = run_of(OWNER);
    assert!(moonbell(&host, &["lock"]).status.success());
    for words in
        [&["runs", "again", &run][..], &["runs", "stop", &run], &["outbox", "retry", "all"]]
    {
        let refused = moonbell(&host, words);
        assert!(!refused.status.success(), "{words:?}");
        assert!(text(&refused).contains("locked"), "{words:?}: {}", text(&refused));
    }
    let record = [("door", "console"), ("who", "local"), ("verdict", "deny"), ("reason", "locked")];
    host.until_true("each is recorded", || count(&host, &record) == 3).await;
    host.stop().await;
}
