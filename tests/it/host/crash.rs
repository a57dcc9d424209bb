//! `kill -9` at any moment: nothing is lost, nothing runs twice, and people are told.

use moonbell::sim::CardState;

use super::process::HostProcess;
use super::stage::{ALICE, BOB, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_a_crash_cut_short_is_told_once_and_never_repeated() {
    let host = Setup::new().spawn().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    // Behind it in the lane, and accepted: it must survive.
    host.say(ALICE, "trace waited");
    host.until("both are acknowledged", |seen| seen.state.counters.acks >= 2).await;
    let stage = host.kill().await;
    gate.open();
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE state = 'running'"), 1);

    let host = HostProcess::spawn(stage).await;
    host.until("she is told, and what waited is run", |seen| seen.to(ALICE).len() == 2).await;
    // An answer that is said but not noted as said would be repeated: that is another test's.
    host.until_true("both are noted as said", || {
        host.journal("SELECT count(*) FROM outbox WHERE state = 'sent'") == 2
    })
    .await;
    let host = HostProcess::spawn(host.kill().await).await;
    host.say(ALICE, "echo later");
    host.until("a later message", |seen| seen.to(ALICE).contains(&"later")).await;
    let told =
        host.look(|seen| seen.to(ALICE).iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let notices: Vec<_> = told.iter().filter(|text| text.contains("`hold one` was done")).collect();
    assert_eq!(notices.len(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|text| *text == "did waited").count(), 1, "{told:?}");
    let run = notices[0].split("(run ").nth(1).unwrap().split(')').next().unwrap();
    assert_eq!(run.len(), 5, "{run}");
    assert_eq!(host.lines("entered"), ["one"]);
    assert_eq!(host.lines("ran"), ["waited"]);
    let (status, _) = host.terminate().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_a_crash_left_open_is_failed_and_keeps_its_text() {
    let host = Setup::new().spawn().await;
    let gate = host.hold("one");
    host.say(BOB, "card one");
    host.entered(&["one"]).await;
    host.until("it shows something", |seen| {
        seen.to(BOB).first().is_some_and(|text| text.contains("half way through one"))
    })
    .await;
    let stage = host.kill().await;
    gate.open();
    assert_eq!(stage.sim.stuck_cards().len(), 1);
    let host = HostProcess::spawn(stage).await;
    host.until("it has ended", |seen| seen.state.cards.iter().all(|card| card.state.is_terminal()))
        .await;
    host.until("he is told", |seen| seen.to(BOB).len() == 2).await;
    host.look(|seen| {
        let card = &seen.state.cards[0];
        assert_eq!(card.state, CardState::Failed);
        assert!(card.text.contains("half way through one"), "{}", card.text);
        assert!(card.text.contains("interrupted"), "{}", card.text);
    });
    let (status, stage) = host.terminate().await;
    assert!(status.success());
    assert_eq!(stage.journal("SELECT count(*) FROM cards WHERE state <> 'closed'"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_text_of_a_card_survives_a_crash_before_its_final_frame() {
    use moonbell::sim::HttpFaultKind;
    for template in [true, false] {
        let setup = if template { Setup::new() } else { Setup::new().without_template() };
        let host = setup.spawn().await;
        let gate = host.hold("one");
        host.say(BOB, "card one");
        host.entered(&["one"]).await;
        if template {
            host.until("it is there", |seen| seen.state.cards.len() == 1).await;
        }
        // From here nothing that it says gets through.
        host.fail("/v1.0/card", HttpFaultKind::Throttle, 100_000);
        host.fail("/robot", HttpFaultKind::Throttle, 100_000);
        host.fail("/v1.0/robot", HttpFaultKind::Throttle, 100_000);
        gate.open();
        host.until_true("its run has ended", || {
            host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 1
        })
        .await;
        let stage = host.kill().await;
        stage.sim.faults(&moonbell::sim::FaultOrder { clear: true, ..Default::default() });
        let host = HostProcess::spawn(stage).await;
        host.until("all of it", |seen| {
            seen.to(BOB)
                .first()
                .is_some_and(|text| text.ends_with("half way through one, all of it"))
                && seen.state.cards.iter().all(|card| card.state == CardState::Finished)
        })
        .await;
        host.look(|seen| assert_eq!(seen.to(BOB).len(), 1, "{:?}", seen.to(BOB)));
        let (status, _) = host.terminate().await;
        assert!(status.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_torn_by_the_crash_is_made_good() {
    let host = Setup::new().spawn().await;
    host.say(ALICE, "trace before");
    host.until("the answer", |seen| seen.to(ALICE) == ["did before"]).await;
    host.until_true("it is noted as said", || {
        host.journal("SELECT count(*) FROM outbox WHERE state = 'sent'") == 1
    })
    .await;
    let mut stage = host.kill().await;
    // Half a page of the next change, as a power cut leaves it: once cut off, once with rubbish behind it.
    for (n, torn) in [&[0x37; 2_000][..], &[0xff; 9_000]].into_iter().enumerate() {
        let log = stage.state_dir().join("moonbell.db-wal");
        let mut file = std::fs::File::options().append(true).open(log).unwrap();
        std::io::Write::write_all(&mut file, torn).unwrap();
        let host = HostProcess::spawn(stage).await;
        host.say(ALICE, &format!("trace after {n}"));
        host.until("the answer", |seen| seen.to(ALICE).len() == n + 2).await;
        host.until_true("it is noted as said", || {
            host.journal("SELECT count(*) FROM outbox WHERE state <> 'sent'") == 0
        })
        .await;
        stage = host.kill().await;
    }
    assert_eq!(stage.lines("ran"), ["before", "after 0", "after 1"]);
    stage.look(|seen| {
        assert_eq!(seen.to(ALICE), ["did before", "did after 0", "did after 1"]);
    });
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE state = 'done'"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_the_disk_has_damaged_is_named_and_left_as_it_is() {
    let host = Setup::new().spawn().await;
    for n in 0..60 {
        host.say(ALICE, &format!("echo {n}"));
    }
    host.until("the answers", |seen| seen.to(ALICE).len() == 60).await;
    let (status, stage) = host.terminate().await;
    assert!(status.success());
    let path = stage.state_dir().join("moonbell.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let (status, stage) = HostProcess::launch(stage).ended().await;
    let said = stage.lines("err").join("\n");
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(path.to_str().unwrap()) && said.contains("damaged"), "{said}");
    assert!(said.contains("hint: nothing was changed"), "{said}");
    assert!(std::fs::read(&path).unwrap() == bytes, "it was changed");
}

/// A process of a test; dropping it ends it.
#[cfg(target_os = "linux")]
struct Program(String);

#[cfg(target_os = "linux")]
impl Program {
    /// The one whose number is in this file of the stage.
    async fn of(stage: &super::stage::Stage, file: &str) -> Self {
        stage.until_true("the program runs", || stage.lines(file).len() == 1).await;
        Self(stage.lines(file).remove(0))
    }

    fn is_alive(&self) -> bool {
        // A zombie has no command line.
        std::fs::read(format!("/proc/{}/cmdline", self.0)).is_ok_and(|line| !line.is_empty())
    }
}

#[cfg(target_os = "linux")]
impl Drop for Program {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.parse().unwrap());
        if self.is_alive() {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_host_left_running_is_ended_by_the_next_one_of_its_folder_and_by_no_other() {
    let programs = r#"
        bot.command("plain", function(ctx) shell.sh("echo $$ > $1/plain; exec sleep 300", "{home}") end)
        -- In a session of its own, and deaf to being asked.
        bot.command("stubborn", function(ctx)
            shell.sh("setsid sh -c 'trap \"\" TERM; echo $$ > $0/stubborn; while :; do sleep 1; done' $1; true", "{home}")
        end)
        -- Left running on purpose, by a program that ends.
        bot.command("daemon", function(ctx)
            shell.sh("setsid sh -c 'echo $$ > $0/daemon; exec sleep 300' $1 > $1/out 2>&1 & until [ -s $1/daemon ]; do sleep 0.05; done", "{home}")
            ctx:reply("started")
        end)
    "#;
    let setup = || Setup::new().script("programs.luau", programs);
    let elsewhere = setup().spawn().await;
    elsewhere.say(ALICE, "plain");
    let others = Program::of(&elsewhere, "plain").await;

    let host = setup().spawn().await;
    host.say(ALICE, "daemon");
    host.until("it was started", |seen| seen.to(ALICE) == ["started"]).await;
    let daemon = Program::of(&host, "daemon").await;
    host.until_true("it is noted that it was left", || {
        host.lines("err").iter().any(|line| line.contains("has ended left processes running"))
    })
    .await;
    host.say(ALICE, "plain");
    host.say(BOB, "stubborn");
    let plain = Program::of(&host, "plain").await;
    let stubborn = Program::of(&host, "stubborn").await;
    let stage = host.kill().await;
    assert!(plain.is_alive() && stubborn.is_alive(), "they outlive the host by themselves");

    let host = HostProcess::spawn(stage).await;
    assert!(!plain.is_alive() && !stubborn.is_alive(), "they are gone before it is connected");
    let told = host.lines("err");
    let ended = "programs that the last host left running were ended: ";
    let told = told.iter().find(|line| line.contains(ended)).expect("the log says so");
    let named = |program: &Program| told.contains(&format!(" {} (", program.0));
    assert!(named(&plain) && named(&stubborn) && !named(&daemon) && !named(&others), "{told}");
    assert!(daemon.is_alive() && others.is_alive(), "these are none of its business");
    let (status, _) = host.terminate().await;
    assert!(status.success());
    assert!(daemon.is_alive(), "nor does an orderly end touch it");
    elsewhere.kill().await;
}
