//! Runs as durable things: seen, explained, repeated, and accounted for whatever ends the host.

use std::fs;
use std::process::{Command, Output, Stdio};

use moonbell::sim::Click;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::process::{HostProcess, bare, settings};
use super::stage::{ALICE, BOB, LINA, OWNER, STRANGER, Setup, Stage};

/// `moonbell` with these arguments, for the host of the stage.
fn moonbell(stage: &Stage, arguments: &[&str]) -> Output {
    let mut command: Command = bare(stage, env!("CARGO_BIN_EXE_moonbell"));
    command.args(arguments).arg("--config").arg(settings(stage));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command.output().unwrap()
}

fn json(stage: &Stage, arguments: &[&str]) -> Value {
    let output = moonbell(stage, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{said}"))
}

fn last(stage: &Stage, person: &str) -> String {
    stage.look(|seen| seen.to(person).last().map(|text| (*text).to_owned()).unwrap_or_default())
}

const WORK: &str = r#"
bot.command("work <what>", function(ctx)
    log.info("about to work on " .. ctx.args.what)
    local r = shell.run{ "sh", "-c", "echo made " .. ctx.args.what .. "; exit 3" }
    ctx:reply("worked on " .. ctx.args.what)
end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn log_tells_all_about_a_run_to_whoever_started_it_and_to_admins() {
    let host = Setup::new().script("work.luau", WORK).start().await;
    host.say(ALICE, "work shoes");
    host.until("it is done", |seen| seen.to(ALICE) == ["worked on shoes"]).await;
    host.until_true("its end is written", || {
        host.journal("SELECT count(*) FROM inbox WHERE handler = 'work' AND state = 'done'") == 1
    })
    .await;
    let run = json(&host, &["runs", "--json"])[0]["run"].as_str().unwrap().to_owned();

    host.say(ALICE, &format!("log {run}"));
    host.until("she sees it", |seen| seen.to(ALICE).len() == 2).await;
    let hers = last(&host, ALICE);
    for part in [
        &format!("run: {run} · done"),
        "message: work shoes",
        "handler: work (work.luau v1)",
        r#"args: {"what":"shoes"}"#,
        "exit: exit 3",
        "replies: 1",
        "made shoes",
    ] {
        assert!(hers.contains(part), "no `{part}` in\n{hers}");
    }
    assert!(!hers.contains("about to work"), "what scripts log is for admins:\n{hers}");
    // Without an id: the last one that did something.
    host.say(ALICE, "日志");
    host.until("she sees it again", |seen| seen.to(ALICE).len() == 3).await;
    assert!(last(&host, ALICE).contains(&format!("运行：{run} · 完成")), "{}", last(&host, ALICE));

    host.say(BOB, &format!("log {run}"));
    host.until("he learns nothing", |seen| seen.to(BOB).len() == 1).await;
    assert_eq!(
        last(&host, BOB),
        format!("No run `{run}` that you may see. Send runs to see them.")
    );

    host.say(OWNER, &format!("log {run}"));
    host.until("the owner sees it", |seen| seen.to(OWNER).len() == 1).await;
    let owners = last(&host, OWNER);
    assert!(owners.contains("info about to work on shoes") && owners.contains(ALICE), "{owners}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_and_again_alone_mean_the_last_run_and_not_what_was_said_or_clicked_while_it_ran() {
    let asks = r#"
        bot.command("greet", function(ctx)
            local name = ctx:ask("who?")
            ctx:reply("hello " .. tostring(name))
        end)
    "#;
    let host = Setup::new().script("asks.luau", asks).start().await;
    host.say(ALICE, "greet");
    host.until("she is asked", |seen| seen.asked(ALICE) == ["who?"]).await;
    host.say(ALICE, "bob");
    host.until("it is done", |seen| seen.to(ALICE).last() == Some(&"hello bob")).await;
    host.say(ALICE, "again");
    host.until("she is asked again", |seen| {
        seen.asked(ALICE).iter().filter(|text| **text == "who?").count() == 2
    })
    .await;
    host.say(ALICE, "lina");
    host.until("it is done again", |seen| seen.to(ALICE).last() == Some(&"hello lina")).await;

    let gate = host.hold("gate");
    host.say(ALICE, "card gate");
    host.entered(&["gate"]).await;
    host.until("its card is there", |seen| !seen.state.cards.is_empty()).await;
    let card = host.look(|seen| seen.state.cards[0].id.clone());
    let click = Click { card, from: ALICE.into(), action_id: "stop".into(), ..Click::default() };
    host.sim.click(&click).await.unwrap();
    let ended = "SELECT count(*) FROM inbox WHERE handler = 'card' AND state = 'cancelled'";
    host.until_true("the run has ended", || host.journal(ended) == 1).await;
    let clicked = "SELECT count(*) FROM inbox WHERE handler = 'stop' AND state = 'done'";
    host.until_true("so has the click", || host.journal(clicked) == 1).await;
    host.say(ALICE, "log");
    host.until("she sees the run", |seen| seen.to(ALICE).last().unwrap().starts_with("run: "))
        .await;
    assert!(last(&host, ALICE).contains("message: card gate"), "{}", last(&host, ALICE));
    drop(gate);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn again_runs_the_same_message_with_the_rights_of_whoever_says_it() {
    let secret = r#"
        bot.command("open <door>", { role = "owner", run = function(ctx)
            ctx:reply("opened " .. ctx.args.door .. " for " .. ctx.user.role)
        end })
        bot.command("flaky", function(ctx)
            if kv.incr("tries") == 1 then error("not yet") end
            ctx:reply("now it works")
        end)
    "#;
    let host = Setup::new().script("doors.luau", secret).start().await;
    host.say(ALICE, "flaky");
    host.until("it fails", |seen| seen.to(ALICE).len() == 1).await;
    let told = last(&host, ALICE);
    let run = told.split("run ").nth(1).unwrap()[..5].to_owned();
    // Somebody else's.
    host.say(BOB, &format!("again {run}"));
    host.until("he may not", |seen| seen.to(BOB).len() == 1).await;
    assert!(last(&host, BOB).starts_with("No run `"), "{}", last(&host, BOB));
    host.say(ALICE, &format!("again {run}"));
    host.until("it runs once more", |seen| {
        seen.to(ALICE).contains(&"now it works")
            && seen.to(ALICE).iter().any(|text| text.starts_with("Running `flaky` again (run "))
    })
    .await;
    let runs = json(&host, &["runs", "--json"]);
    let new = runs.as_array().unwrap().iter().find(|one| one["again"] == run.as_str()).unwrap();
    assert!(
        new["run"] != run.as_str() && new["state"] == "done" && new["person"] == ALICE,
        "{new}"
    );

    // The door is the same: what she may not do she may not repeat.
    host.say(OWNER, "open 1");
    host.until("the owner may", |seen| seen.to(OWNER) == ["opened 1 for owner"]).await;
    host.say(ALICE, "open 1");
    host.until("she may not", |seen| seen.to(ALICE).len() == 4).await;
    let refused = last(&host, ALICE);
    host.say(ALICE, "again");
    host.until("nor again", |seen| seen.to(ALICE).len() == 6).await;
    host.look(|seen| {
        let again = seen.to(ALICE);
        assert_eq!(again.iter().filter(|text| **text == refused).count(), 2, "{again:?}");
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_lists_what_runs_waits_and_ended_and_stop_reaches_what_has_not_begun() {
    let host = Setup::new().start().await;
    let gate = host.hold("one");
    host.say(ALICE, "echo first");
    host.until("one ended", |seen| seen.to(ALICE) == ["first"]).await;
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    host.say(ALICE, "echo behind it");
    host.until_true("it waits in the lane", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'queued'") == 1
    })
    .await;
    host.say(ALICE, "runs");
    host.until("the list", |seen| seen.to(ALICE).len() == 2).await;
    let list = last(&host, ALICE);
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].contains(" · running · ") && lines[0].ends_with("hold"), "{list}");
    assert!(
        lines[1].contains("waiting for its turn") && lines[1].ends_with("echo behind it"),
        "{list}"
    );
    assert!(lines[2].contains(" · done · ") && lines[2].ends_with("echo"), "{list}");
    assert_eq!(lines.len(), 3, "{list}");
    let waiting = lines[1].split(' ').next().unwrap().to_owned();
    host.say(BOB, &format!("stop {waiting}"));
    host.until("not his", |seen| seen.to(BOB).len() == 1).await;
    host.say(ALICE, &format!("stop {waiting}"));
    host.until("it is stopped", |seen| {
        seen.to(ALICE).last() == Some(&format!("Stopped (run {waiting}).").as_str())
    })
    .await;
    gate.open();
    host.until("the first ends", |seen| seen.to(ALICE).last() == Some(&"released one")).await;
    host.say(ALICE, "echo after");
    host.until("the lane goes on", |seen| seen.to(ALICE).last() == Some(&"after")).await;
    host.look(|seen| assert!(!seen.to(ALICE).contains(&"behind it")));
    host.stop().await;
}

/// Handlers that say how they take a crash.
const CRASHES: &str = r#"
bot.command("safe <name>", { on_crash = "retry", run = function(ctx)
    shell.sh("echo \"$1 $2\" >> $3/tries; cat $3/$1.gate", ctx.args.name, ctx.attempt, "{home}")
    ctx:reply("safe " .. ctx.args.name .. " at attempt " .. ctx.attempt)
end })
bot.command("next <name>", { queue = "conversation", run = function(ctx)
    shell.sh("echo $1 >> $2/entered; cat $2/$1.gate", ctx.args.name, "{home}")
    ctx:reply("next " .. ctx.args.name .. " at attempt " .. ctx.attempt)
end })
-- Hands on from one that may be repeated to one that may not.
bot.match("^mixed", { on_crash = "retry", priority = 1, run = function() return bot.pass end })
bot.match("^mixed (.*)", function(ctx)
    shell.sh("echo mixed >> $2/tries; echo $1 >> $2/entered; cat $2/$1.gate", ctx.args[1], "{home}")
    ctx:reply("mixed")
end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_repeated_is_run_again_after_a_crash_and_no_more_than_three_times() {
    let mut host = Setup::new().script("crashes.luau", CRASHES).spawn().await;
    let gates = [host.hold("one"), host.hold("two")];
    host.say(ALICE, "safe one");
    host.say(BOB, "mixed two");
    for attempt in 1..=3 {
        host.until_true("it is tried", || host.lines("tries").contains(&format!("one {attempt}")))
            .await;
        host.entered(&["two"]).await;
        host = HostProcess::spawn(host.kill().await).await;
    }
    host.until("she is told in the end", |seen| seen.to(ALICE).len() == 1).await;
    let told = last(&host, ALICE);
    assert!(told.contains("`safe one` was done") && told.contains("send: again "), "{told}");
    host.until("he was told at once", |seen| seen.to(BOB).len() == 1).await;
    assert!(last(&host, BOB).contains("`mixed two` was done"), "{}", last(&host, BOB));
    let tries = host.lines("tries");
    assert_eq!(tries.iter().filter(|line| *line == "mixed").count(), 1, "{tries:?}");
    assert_eq!(tries.iter().filter(|line| line.starts_with("one ")).count(), 3, "{tries:?}");

    // As she is told to.
    drop(gates);
    let run = told.split("again ").nth(1).unwrap()[..5].to_owned();
    host.say(ALICE, &format!("again {run}"));
    host.until("it is done now", |seen| seen.to(ALICE).contains(&"safe one at attempt 1")).await;
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_cannot_wait_leaves_what_may_be_repeated_and_what_has_not_begun_to_the_next_host()
 {
    let host = Setup::new().script("crashes.luau", CRASHES).start().await;
    let gates = [host.hold("one"), host.hold("two"), host.hold("three")];
    host.say(ALICE, "safe one");
    host.say_in(0, BOB, "next two");
    host.until_true("both run", || {
        host.lines("tries") == ["one 1"] && host.lines("entered") == ["two"]
    })
    .await;
    host.say_in(0, LINA, "next three");
    host.until_true("hers waits for his", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'waiting' AND handler LIKE '%next%'")
            == 1
    })
    .await;
    let stage = host.stop().await;
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE state = 'queued'"), 2);
    drop(gates);
    let host = stage.start().await;
    host.until("both are served", |seen| {
        seen.to(ALICE) == ["safe one at attempt 2"]
            && seen.in_group(0).contains(&"next three at attempt 1")
    })
    .await;
    host.look(|seen| {
        let group = seen.in_group(0);
        assert_eq!(group.len(), 2, "{group:?}");
        assert!(group[0].contains("`next two` was done"), "{group:?}");
    });
    host.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_handler_had_not_begun_is_served_after_a_crash_as_if_nothing_had_happened()
{
    let host = Setup::new().script("crashes.luau", CRASHES).spawn().await;
    let gates = [host.hold("two"), host.hold("three")];
    host.say_in(0, BOB, "next two");
    host.entered(&["two"]).await;
    host.say_in(0, LINA, "next three");
    host.until_true("hers was claimed, and waits for his", || {
        host.journal("SELECT count(*) FROM inbox WHERE state IN ('running', 'waiting')") == 2
    })
    .await;
    let stage = host.kill().await;
    drop(gates);
    let host = HostProcess::spawn(stage).await;
    host.until("hers is served", |seen| {
        seen.in_group(0).iter().any(|text| text.starts_with("next three"))
    })
    .await;
    host.look(|seen| {
        let group = seen.in_group(0);
        assert!(!group.iter().any(|text| text.contains("`next three`")), "{group:?}");
        assert!(group.iter().any(|text| text.contains("`next two` was done")), "{group:?}");
    });
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_long_run_has_logged_survives_a_crash() {
    let slow = r#"
        bot.command("slow <what>", function(ctx)
            log.warn("half way through " .. ctx.args.what)
            shell.sh("echo so far; echo $1 >> $2/entered; cat $2/$1.gate", ctx.args.what, "{home}")
        end)
    "#;
    let host = Setup::new().script("slow.luau", slow).spawn().await;
    let gate = host.hold("one");
    host.say(ALICE, "slow one");
    host.entered(&["one"]).await;
    host.until_true("it is noted how far it is", || {
        host.journal("SELECT count(*) FROM inbox WHERE log LIKE '%half way%' AND state = 'running'")
            == 1
    })
    .await;
    let run = json(&host, &["runs", "--json", "--state", "running"])[0].clone();
    assert_eq!((&run["handler"], &run["version"]), (&"slow".into(), &1.into()));
    let stage = host.kill().await;
    drop(gate);
    let host = HostProcess::spawn(stage).await;
    host.until("she is told", |seen| seen.to(ALICE).len() == 1).await;
    let id = run["run"].as_str().unwrap();
    let after = json(&host, &["runs", id, "--json"]);
    assert_eq!(after["state"], "interrupted");
    assert!(after["log"][0].as_str().unwrap().ends_with("warn half way through one"), "{after}");
    assert_eq!(after["said"].as_array().unwrap().len(), 1);
    let shown = moonbell(&host, &["logs", "--run", id]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("half way through one") && !shown.contains("connected"), "{shown}");
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_hooks_and_events_are_runs_too() {
    let beats = r#"
        bot.on("start", function() log.info("hello") end)
        bot.every("100ms", { name = "well" }, function() end)
        bot.every("100ms", { name = "ill" }, function() error("no luck") end)
        bot.every("100ms", { name = "long" }, function() shell.sh("echo long >> $1/entered; cat $1/long.gate", "{home}") end)
    "#;
    let setup = Setup::new().script("beats.luau", beats);
    let setup = setup.settings(|config, _| config.shutdown.deadline = std::time::Duration::ZERO);
    let stage = setup.stage().await;
    let gate = stage.hold("long");
    let host = stage.start().await;
    host.entered(&["long"]).await;
    host.until_true("the failures are noted", || {
        host.journal("SELECT count(*) FROM inbox WHERE handler = 'ill' AND state = 'failed'") > 1
    })
    .await;
    let failed = json(&host, &["runs", "--json", "--state", "failed"]);
    assert!(failed[0]["error"].as_str().unwrap().contains("no luck"), "{failed}");
    assert_eq!((&failed[0]["script"], &failed[0]["kind"]), (&"beats.luau".into(), &"own".into()));

    host.say(OWNER, "runs");
    host.until("the one that takes long is listed", |seen| {
        seen.to(OWNER).iter().any(|text| text.contains("beats.luau: long"))
    })
    .await;
    let list = host.look(|seen| {
        let mut all = seen.to(OWNER).into_iter();
        all.find(|text| text.contains("beats.luau: long")).unwrap().to_owned()
    });
    let line = list.lines().find(|line| line.contains("beats.luau: long")).unwrap();
    let id = line.split(' ').next().unwrap().to_owned();
    host.say(ALICE, &format!("stop {id}"));
    host.until("it is not hers", |seen| seen.to(ALICE).len() == 1).await;
    assert!(last(&host, ALICE).starts_with("No run `"), "{}", last(&host, ALICE));
    host.say(OWNER, &format!("stop {id}"));
    host.until("it is stopped", |seen| {
        seen.to(OWNER).contains(&format!("Stopped (run {id}).").as_str())
    })
    .await;
    // The next one is still under way when the host stops.
    host.until_true("it runs again", || host.lines("entered").len() > 1).await;
    let stage = host.stop().await;
    drop(gate);
    let state = |what: &str| stage.journal(&format!("SELECT count(*) FROM inbox WHERE {what}"));
    assert_eq!(state(&format!("run = '{id}' AND state = 'cancelled'")), 1);
    assert_eq!(state("handler = 'long' AND state = 'interrupted'"), 1);
    // One that took a second, on a busy computer, has an account of its own.
    let quick = state("handler = 'well' AND ended_at_ms - started_at_ms < 1000");
    assert_eq!(quick, 1, "of those that were well the last is kept");
    assert_eq!(state("handler = 'on start' AND log LIKE '%hello'"), 1);
    assert!(state("run IS NULL") == 0 && state("lane = '' AND ended_at_ms IS NULL") == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_stops_and_repeats_runs_of_the_host() {
    let host = Setup::new().script("work.luau", WORK).spawn().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    let runs = json(&host, &["runs", "--json"]);
    let id = runs[0]["run"].as_str().unwrap().to_owned();
    assert_eq!(runs[0]["state"], "running");
    let stopped = moonbell(&host, &["runs", "stop", &id]);
    assert!(stopped.status.success(), "{stopped:?}");
    host.until_true("it is over", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'cancelled'") == 1
    })
    .await;
    let twice = moonbell(&host, &["runs", "stop", &id]);
    assert_eq!(twice.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("has ended already"), "{twice:?}");
    // The settings may be named before the order, which takes nothing of a list.
    let named = host.path("bot.toml");
    let named = ["runs", "--config", named.to_str().unwrap(), "stop", "zzzzz"];
    let mut before = bare(&host, env!("CARGO_BIN_EXE_moonbell"));
    let before = before.args(named).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&before.stderr);
    assert_eq!(before.status.code(), Some(1), "{said}");
    assert!(said.contains("there is no run `zzzzz`"), "{said}");
    let both = moonbell(&host, &["runs", "--json", "stop", "zzzzz"]);
    let said = String::from_utf8_lossy(&both.stderr);
    assert_eq!(both.status.code(), Some(2), "{said}");
    assert!(said.contains("--json does not go with stop and again"), "{said}");
    let none = moonbell(&host, &["runs", "stop", "zzzzz"]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("there is no run `zzzzz`"), "{none:?}");

    host.say(ALICE, "work shoes");
    host.until("hers is done", |seen| seen.to(ALICE) == ["worked on shoes"]).await;
    host.until_true("and written", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 1
    })
    .await;
    let hers = json(&host, &["runs", "--json", "--state", "done"])[0]["run"].clone();
    let again = moonbell(&host, &["runs", "again", hers.as_str().unwrap()]);
    assert!(again.status.success(), "{again:?}");
    let new = String::from_utf8_lossy(&again.stdout).trim().to_owned();
    host.until("the answer goes to the owner", |seen| seen.to(OWNER) == ["worked on shoes"]).await;
    host.until_true("it is written", || {
        host.journal(&format!("SELECT count(*) FROM inbox WHERE run = '{new}' AND state = 'done'"))
            == 1
    })
    .await;
    let new = json(&host, &["runs", &new, "--json"]);
    assert_eq!((&new["again"], &new["person"]), (&hers, &OWNER.into()));
    host.look(|seen| assert_eq!(seen.to(ALICE).len(), 1));
    drop(gate);

    // Without a host what is in the journal is shown all the same, and what needs one says so.
    let (_, stage) = host.terminate().await;
    assert_eq!(json(&stage, &["runs", "--json", "--since", "1h"]).as_array().unwrap().len(), 3);
    let table = String::from_utf8(moonbell(&stage, &["runs"]).stdout).unwrap();
    assert_eq!(table.lines().count(), 4, "{table}");
    let gone = moonbell(&stage, &["runs", "stop", &id]);
    assert!(String::from_utf8_lossy(&gone.stderr).contains("no moonbell runs on"), "{gone:?}");
    assert_eq!(moonbell(&stage, &["runs", "--state", "odd"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_host_is_a_file_of_its_owner_without_secrets_and_can_be_followed() {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::fs::PermissionsExt as _;
    let host = Setup::new().script("work.luau", WORK).spawn().await;
    let path = host.state_dir().join("log/moonbell.log");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut command = bare(&host, env!("CARGO_BIN_EXE_moonbell"));
    command.args(["logs", "-f", "--config"]).arg(settings(&host));
    let mut follow = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let (seen, tell) = std::sync::mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        for line in lines.by_ref().map_while(Result::ok) {
            if line.contains("about to work on boots") {
                drop(seen);
                return;
            }
        }
        panic!("the log ended");
    });
    host.say(ALICE, "work boots");
    // Dropped when the line was seen.
    let seen = tokio::task::spawn_blocking(move || {
        tell.recv_timeout(super::stage::PATIENCE)
            == Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
    });
    assert!(seen.await.unwrap(), "the line never came");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(follow.id().try_into().unwrap()),
        Signal::SIGINT,
    )
    .unwrap();
    follow.wait().unwrap();
    reader.join().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&host.sim.client_secret()), "{text}");
    assert!(text.contains("connected to a simulated DingTalk"), "{text}");
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_listed_as_refused_and_marks_of_direction_are_not_handed_on() {
    let host = Setup::new().spawn().await;
    host.say(STRANGER, "echo \u{202e}txt.exe");
    host.say(ALICE, "echo hi");
    host.until("she is answered", |seen| seen.to(ALICE) == ["hi"]).await;
    host.until_true("both are written", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 2
    })
    .await;
    let states = |arguments: &[&str]| -> Vec<String> {
        let runs = json(&host, arguments);
        runs.as_array()
            .unwrap()
            .iter()
            .map(|run| run["state"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut all = states(&["runs", "--json"]);
    all.sort();
    assert_eq!(all, ["done", "refused"]);
    assert_eq!(states(&["runs", "--json", "--state", "done"]), ["done"]);
    assert_eq!(states(&["runs", "--json", "--state", "refused"]), ["refused"]);
    assert_eq!(json(&host, &["runs", "--json", "--state", "refused"])[0]["text"], "echo txt.exe");
    // Runs, log and usage are there beside a mistake in the settings, too.
    let path = settings(&host);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("colour = 1\n{text}")).unwrap();
    for arguments in [&["runs"][..], &["logs"], &["usage"]] {
        let mut command = bare(&host, env!("CARGO_BIN_EXE_moonbell"));
        command.args(arguments).arg("--config").arg(&path);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !output.stdout.is_empty(), "{arguments:?}: {output:?}");
        assert!(said.contains("warning: ") && said.contains("colour"), "{arguments:?}: {said}");
    }
}
