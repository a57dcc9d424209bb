//! A13: the same decision behind every door.

use super::super::moments::{click, known};
use super::super::process::HostProcess;
use super::super::stage::{ALICE, BOB, OWNER, STRANGER, Setup};
use super::{count, moonbell, records, text};

const DOORS: &str = r#"
bot.command("free|自由", function(ctx) ctx:reply("free") end)
bot.command("guarded|守卫", { role = "admin", run = function(ctx) ctx:reply("guarded") end })
bot.command("bossy", { role = "owner", run = function(ctx) ctx:reply("bossy") end })
bot.command("near", { role = "admin", scope = "dm", run = function(ctx) ctx:reply("near") end })
bot.match("^please guard", { role = "admin", run = function(ctx) ctx:reply("guarded") end })
bot.command("ask", { role = "admin", run = function(ctx) ctx:reply("heard " .. tostring(ctx:ask("well?"))) end })
bot.on("card", function(action) shell.sh("echo $1 >> {home}/clicks", action.user.id) end)
bot.every("1h", { name = "hourly" }, function() shell.sh("echo beat >> {home}/beats") end)
"#;

fn script() -> Setup {
    Setup::new().script("doors.luau", DOORS).toml(&format!("[access.roles]\nadmin = [{BOB:?}]"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_who_may_what_is_the_same_by_name_alias_pattern_and_in_every_chat() {
    let host = script().spawn().await;
    let (yes, no) = (true, false);
    // Who; then `free`, `guarded`, `bossy`.
    let people = [
        (OWNER, [yes, yes, yes]),
        (BOB, [yes, yes, no]),
        (ALICE, [yes, no, no]),
        (STRANGER, [no, no, no]),
    ];
    let ways: [(&[&str], &str); 3] = [
        (&["free", "自由", "/free"], "free"),
        (&["guarded", "守卫", "please guard me"], "guarded"),
        (&["bossy"], "bossy"),
    ];
    for (person, may) in people {
        for ((texts, answer), may) in ways.iter().zip(may) {
            for text in *texts {
                for group in [no, yes] {
                    let rows = "SELECT count(*) FROM inbox WHERE ended_at_ms IS NOT NULL";
                    let before = host.journal(rows);
                    if group {
                        host.say_in(0, person, text)
                    } else {
                        host.say(person, text)
                    };
                    host.until_true("it is decided", || host.journal(rows) == before + 1).await;
                    let ran = host.journal("SELECT count(*) FROM inbox WHERE error IS NULL AND handler IS NOT NULL AND id = (SELECT max(id) FROM inbox)") == 1;
                    assert_eq!(ran, may, "{person} {text} {answer} in a group: {group}");
                }
            }
        }
    }
    let stage = host.stop().await;
    // What ran was allowed, and what was not was not.
    let allowed = |who: &str, handler: &str| {
        count(&stage, &[("verdict", "allow"), ("who", who), ("handler", handler)])
    };
    assert_eq!(allowed(BOB, "doors.luau guarded"), 4);
    assert_eq!(allowed(ALICE, "doors.luau guarded"), 0);
    assert_eq!(allowed(STRANGER, "doors.luau free"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_clicks_answers_and_timers_ask_the_same() {
    let host = script().spawn().await;
    known(&host).await;
    for person in [OWNER, STRANGER, BOB, "", "*", ALICE] {
        click(&host, person, "agree");
    }
    host.until_true("whoever has a role clicks", || host.lines("clicks").len() == 3).await;
    let mut clicks = host.lines("clicks");
    clicks.sort_unstable();
    assert_eq!(clicks, [ALICE, BOB, OWNER]);
    // A question is answered by whom it was put to, while they may.
    host.say(BOB, "ask");
    host.until("he is asked", |seen| seen.asked(BOB) == ["well?"]).await;
    host.say(ALICE, "mine");
    host.say(BOB, "his");
    host.until("his answer counts", |seen| seen.to(BOB).last() == Some(&"heard his")).await;
    // Timers are run by hand by admins.
    for (person, answer) in
        [(ALICE, "Sorry, you may not use `trigger`."), (BOB, "Started `hourly`.")]
    {
        host.say(person, "trigger hourly");
        host.until("trigger", |seen| seen.to(person).last() == Some(&answer)).await;
    }
    host.until_true("it beat once", || host.lines("beats").len() == 1).await;
    let stage = host.stop().await;
    let doors: std::collections::BTreeSet<String> =
        records(&stage).iter().filter_map(|one| one["door"].as_str().map(str::to_owned)).collect();
    for door in ["message", "answer", "card", "schedule"] {
        assert!(doors.contains(door), "{doors:?}");
    }
    assert_eq!(count(&stage, &[("door", "card"), ("verdict", "deny")]), 3);
    assert_eq!(count(&stage, &[("door", "answer"), ("verdict", "allow"), ("who", BOB)]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_explain_tells_the_decision_that_the_host_makes() {
    let host = HostProcess::spawn(Setup::new().script("doors.luau", DOORS).stage().await).await;
    for (who, line, group, outcome) in [
        (OWNER, "bossy", false, "runs"),
        (ALICE, "free", false, "runs"),
        (ALICE, "bossy", false, "refused"),
        (ALICE, "near", true, "refused"),
        (STRANGER, "free", false, "refused"),
        (OWNER, "near", true, "refused"),
        (OWNER, "near", false, "runs"),
    ] {
        let group: &[&str] = if group { &["--group"] } else { &[] };
        let args = [&["explain", line, "--as", who, "--json"], group].concat();
        let told = moonbell(&host, &args);
        let json: serde_json::Value =
            serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{}", text(&told)));
        assert_eq!(json["outcome"]["kind"], outcome, "{who} {line}: {json:#}");
    }
    // What was given from a chat is known to it too.
    host.say(OWNER, &format!("allow {STRANGER} guest for 1d"));
    host.until("the owner is asked", |seen| seen.to(OWNER).len() == 1).await;
    let yes = host.look(|seen| {
        seen.to(OWNER)[0].rsplit_once("yes ").map(|(_, code)| format!("yes {code}")).unwrap()
    });
    host.say(OWNER, &yes);
    host.until("it is done", |seen| seen.to(OWNER).len() == 2).await;
    let told = moonbell(&host, &["explain", "free", "--as", STRANGER]);
    assert!(text(&told).contains("given from a chat"), "{}", text(&told));
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_again_files_events_and_the_computer_ask_the_same_and_the_lock_shuts_them_all() {
    let script = r#"
        bot.on("user_add_org", function(event) shell.sh("echo event >> {home}/acted") end)
        bot.watch("{home}/drop/*", function() shell.sh("echo file >> {home}/acted") end)
    "#;
    let host = HostProcess::spawn(
        Setup::new().script("doors.luau", DOORS).script("more.luau", script).stage().await,
    )
    .await;
    host.say(OWNER, "bossy");
    host.until("the owner may", |seen| seen.to(OWNER) == ["bossy"]).await;
    let runs = |host: &HostProcess| {
        let listed = moonbell(host, &["runs", "--json"]);
        let json: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        json[0]["run"].as_str().unwrap().to_owned()
    };
    host.until_true("it is written", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 1
    })
    .await;
    let run = runs(&host);
    // What is somebody else's is not there; an admin's `again` has the admin's rights.
    host.say(ALICE, &format!("again {run}"));
    host.until("not hers", |seen| {
        seen.to(ALICE).last().is_some_and(|text| text.starts_with("No run `"))
    })
    .await;
    // At the computer it is the owner.
    assert!(moonbell(&host, &["runs", "again", &run]).status.success());
    host.until("once more", |seen| seen.to(OWNER) == ["bossy", "bossy"]).await;
    // Nobody asked: these run as the host.
    let person = serde_json::json!({ "userId": [STRANGER], "timeStamp": 1_767_852_000_000_i64 });
    host.sim.event("user_add_org", &person);
    host.until_true("the event", || host.lines("acted").contains(&"event".to_owned())).await;
    std::fs::create_dir_all(host.path("drop")).unwrap();
    let mut n = 0;
    host.until_true("the file", || {
        n += 1;
        std::fs::write(host.path("drop").join(format!("{n}")), "x").unwrap();
        host.lines("acted").contains(&"file".to_owned())
    })
    .await;
    // Locked, every one of them is shut.
    assert!(moonbell(&host, &["lock"]).status.success());
    host.say(BOB, "free");
    host.until("he is told", |seen| seen.to(BOB).len() == 1).await;
    let acted = host.lines("acted");
    host.sim.event("user_add_org", &person);
    host.until_true("the event is refused", || {
        host.journal("SELECT count(*) FROM inbox WHERE error LIKE 'denied: moonbell is locked%'")
            >= 2
    })
    .await;
    let again = moonbell(&host, &["runs", "again", &run]);
    assert!(!again.status.success() && text(&again).contains("locked"), "{}", text(&again));
    let parked = moonbell(&host, &["outbox", "retry", "all"]);
    assert!(!parked.status.success() && text(&parked).contains("locked"), "{}", text(&parked));
    let (_, stage) = host.terminate().await;
    let events = |lines: &[String]| lines.iter().filter(|line| *line == "event").count();
    assert_eq!(events(&stage.lines("acted")), events(&acted));
    for (door, who, verdict) in [
        ("event", "host", "allow"),
        ("file", "host", "allow"),
        ("console", "local", "allow"),
        ("console", "local", "deny"),
        ("event", "host", "deny"),
        ("message", BOB, "deny"),
    ] {
        let found = count(&stage, &[("door", door), ("who", who), ("verdict", verdict)]);
        assert!(found >= 1, "{door} {who} {verdict}: {:#?}", records(&stage));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_whose_run_a_word_is_about_is_part_of_the_decision() {
    let host = script().spawn().await;
    let gate = host.hold("one");
    host.say(OWNER, "hold one");
    host.entered(&["one"]).await;
    host.say(OWNER, "runs");
    host.until("it is listed", |seen| seen.to(OWNER).len() == 1).await;
    let run = host.look(|seen| seen.to(OWNER)[0].split(' ').next().unwrap().to_owned());
    for (n, word) in ["stop", "log", "again"].into_iter().enumerate() {
        host.say(ALICE, &format!("{word} {run}"));
        // As if it were not there: what others have is not told either.
        host.until("it is not hers", |seen| {
            seen.to(ALICE).len() == n + 1 && seen.to(ALICE)[n].contains(&run)
        })
        .await;
        let record =
            [("who", ALICE), ("verdict", "deny"), ("handler", word), ("reason", "role: admin")];
        host.until_true("it is recorded", || count(&host, &record) == 1).await;
    }
    let unknown = "zzzzz";
    host.say(ALICE, &format!("stop {unknown}"));
    host.until("one that is not there sounds the same", |seen| {
        seen.to(ALICE).len() == 4 && seen.to(ALICE)[3].replace(unknown, &run) == seen.to(ALICE)[0]
    })
    .await;
    host.say(BOB, &format!("stop {run}"));
    host.until("an admin may", |seen| seen.to(BOB).len() == 1).await;
    host.until_true("it is stopped", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'cancelled'") == 1
    })
    .await;
    drop(gate);
    let (_, stage) = host.terminate().await;
    assert_eq!(count(&stage, &[("who", BOB), ("verdict", "allow"), ("handler", "stop")]), 1);
}
