//! Runs that no message started: accounted for while they take long, and when the host ends.

use std::time::Duration;

use serde_json::Value;

use super::process::HostProcess;
use super::stage::Setup;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_that_takes_long_is_listed_and_interrupted_when_the_host_is_killed() {
    let long = r#"
        bot.every("100ms", { name = "long" }, function()
            log.info("began")
            shell.sh("echo long >> $1/entered; cat $1/long.gate", "{home}")
        end)
    "#;
    let stage = Setup::new().script("long.luau", long).stage().await;
    let gate = stage.hold("long");
    let host = HostProcess::spawn(stage).await;
    host.entered(&["long"]).await;
    let rows = "SELECT count(*) FROM inbox WHERE handler = 'long' AND log LIKE '%began%'";
    host.until_true("it has a row", || host.journal(rows) == 1).await;
    let list = json(&host.says(&["runs", "--json", "--state", "running"]));
    assert_eq!((&list[0]["script"], &list[0]["kind"]), (&"long.luau".into(), &"own".into()));
    let run = list[0]["run"].as_str().unwrap().to_owned();

    let stage = host.kill().await;
    drop(gate);
    let host = HostProcess::spawn(stage).await;
    let told = json(&host.says(&["runs", &run, "--json"]));
    assert_eq!(told["state"], "interrupted", "{told}");
    assert!(told["log"][0].as_str().unwrap().ends_with("info began"), "{told}");
    let said = host.lines("err").join("\n");
    assert!(said.contains("died with runs of timers, schedules or hooks under way"), "{said}");
    let (status, stage) = host.terminate().await;
    assert!(status.success());
    let again = format!("SELECT count(*) FROM inbox WHERE run = '{run}'");
    assert_eq!(stage.journal(&again), 1, "one row for each run");
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE ended_at_ms IS NULL"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_may_finish_inside_the_deadline_when_the_host_stops() {
    // Longer than scripts are given to say goodbye.
    let slow = r#"
        bot.every("100ms", { name = "slow" }, function()
            shell.sh("echo slow >> $1/entered; sleep 3; echo whole >> $1/ran", "{home}")
        end)
    "#;
    let setup = Setup::new()
        .script("slow.luau", slow)
        .settings(|config, _| config.shutdown.deadline = Duration::from_secs(50));
    let host = setup.start().await;
    host.entered(&["slow"]).await;
    let stage = host.stop().await;
    assert_eq!(stage.lines("ran").len(), stage.lines("entered").len());
    let rows = "SELECT count(*) FROM inbox WHERE handler = 'slow' AND state <> 'done'";
    assert_eq!(stage.journal(rows), 0);
}
