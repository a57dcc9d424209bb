//! A saved file answers the next message.

use super::stage::{ALICE, BOB, Setup};

fn version(n: u32) -> String {
    format!(r#"bot.command("which [n]", function(ctx) ctx:reply("version {n}") end)"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_message_after_a_save_is_answered_by_the_new_version() {
    let host = Setup::new().script("which.luau", &version(1)).start().await;
    host.say(ALICE, "which");
    host.until("version 1", |seen| seen.to(ALICE) == ["version 1"]).await;
    for n in 2..5 {
        host.write("which.luau", &version(n));
        let mut asked = 0;
        // The save is noticed within moments; whoever asks meanwhile is answered by the old version.
        loop {
            asked += 1;
            // Not the same words again and again: that is what a machine does.
            host.say(ALICE, &format!("which {asked}"));
            let before = host.look(|seen| seen.to(ALICE).len());
            host.until("an answer", |seen| seen.to(ALICE).len() > before.saturating_sub(1)).await;
            let last = host.look(|seen| seen.to(ALICE).last().map(|text| (*text).to_owned()));
            if last.as_deref() == Some(&format!("version {n}")) {
                break;
            }
            assert!(asked < 2_000, "still {last:?}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_keeps_the_version_that_serves_and_the_others() {
    let host = Setup::new().script("which.luau", &version(1)).start().await;
    for broken in
        ["bot.command(", "error('at load')", "", "bot.command('echo <x>', function() end)"]
    {
        host.write("which.luau", broken);
        host.write("new.luau", r#"bot.command("new [n]", function(ctx) ctx:reply("new one") end)"#);
        // Once the second file serves, the first one has been looked at too.
        let asked =
            host.look(|seen| seen.to(BOB).iter().filter(|text| **text == "new one").count());
        loop {
            let before = host.look(|seen| seen.to(BOB).len());
            host.say(BOB, &format!("new {before}"));
            host.until("an answer", |seen| seen.to(BOB).len() >= before).await;
            if host.look(|seen| seen.to(BOB).iter().filter(|text| **text == "new one").count())
                > asked
            {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        if broken.is_empty() {
            // A file that was emptied declares nothing, and that is no mistake.
            continue;
        }
        let before = host.look(|seen| seen.to(ALICE).len());
        host.say(ALICE, "which");
        host.until("answered", |seen| seen.to(ALICE).len() > before).await;
        let last = host.look(|seen| seen.to(ALICE).last().map(|text| (*text).to_owned()));
        assert_eq!(last.as_deref(), Some("version 1"), "after {broken:?}");
        host.write("which.luau", &version(1));
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_flight_finishes_on_the_version_that_started_it() {
    let waiting = |n: u32| {
        format!(
            r#"
            local version = {n}
            bot.command("wait <name>", function(ctx)
                shell.sh("echo $1 >> $2/entered; cat $2/$1.gate", ctx.args.name, "{{home}}")
                ctx:reply("ended on " .. version)
            end)
            bot.command("which [n]", function(ctx) ctx:reply("version " .. version) end)
            "#
        )
    };
    let host = Setup::new().script("wait.luau", &waiting(1)).start().await;
    let gate = host.hold("one");
    host.say(ALICE, "wait one");
    host.entered(&["one"]).await;
    host.write("wait.luau", &waiting(2));
    loop {
        let before = host.look(|seen| seen.to(BOB).len());
        host.say(BOB, &format!("which {before}"));
        host.until("an answer", |seen| seen.to(BOB).len() > before).await;
        if host.look(|seen| seen.to(BOB).last() == Some(&"version 2")) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    gate.open();
    host.until("the old run ends as it began", |seen| seen.to(ALICE) == ["ended on 1"]).await;
    host.stop().await;
}
