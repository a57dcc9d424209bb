//! Stopping, listing, failing.

use super::stage::{ALICE, BOB, LINA, OWNER, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn stop_is_heard_while_the_lane_is_busy_and_kills_the_whole_process_tree() {
    let tree = r#"
        bot.command("tree", function(ctx)
            shell.sh("echo $$ >> $1/pids; (echo $BASHPID >> $1/pids; sleep 600) & sleep 600 & echo $! >> $1/pids; echo tree >> $1/entered; wait", "{home}")
            ctx:reply("not reached")
        end)
    "#;
    let host = Setup::new().script("tree.luau", tree).start().await;
    host.say(ALICE, "tree");
    host.entered(&["tree"]).await;
    host.say(ALICE, "echo next in the lane");
    host.say(ALICE, "stop");
    host.until("it is stopped, and the lane goes on", |seen| {
        seen.to(ALICE).iter().any(|text| text.starts_with("Stopped (run "))
            && seen.to(ALICE).contains(&"next in the lane")
    })
    .await;
    let pids = host.lines("pids");
    assert!(!pids.is_empty());
    host.until_true("every process of it is gone", || {
        pids.iter().filter(|pid| !pid.is_empty()).all(|pid| !is_alive(pid))
    })
    .await;
    host.look(|seen| assert!(!seen.all().contains(&"not reached")));
    host.stop().await;
}

fn is_alive(pid: &str) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // A zombie has ended; whoever inherited it has not looked yet.
    !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[tokio::test(flavor = "multi_thread")]
async fn people_stop_their_own_runs_and_the_owner_anybodys() {
    let host = Setup::new().start().await;
    let gates = [host.hold("a"), host.hold("b")];
    host.say(ALICE, "hold a");
    host.say(BOB, "hold b");
    host.entered(&["a", "b"]).await;

    host.say(LINA, "stop");
    host.until("she has nothing to stop", |seen| seen.to(LINA) == ["Nothing of yours is running."])
        .await;
    host.say(ALICE, "runs");
    host.until("she sees her own run", |seen| seen.to(ALICE).len() == 1).await;
    let hers = host.look(|seen| seen.to(ALICE)[0].to_owned());
    assert!(hers.lines().count() == 1 && hers.contains("hold"), "{hers}");
    let hers = hers.split(' ').next().unwrap().to_owned();

    host.say(BOB, &format!("stop {hers}"));
    host.until("it is not his", |seen| seen.to(BOB).len() == 1).await;
    host.look(|seen| assert!(seen.to(BOB)[0].starts_with("No run `"), "{:?}", seen.to(BOB)));

    host.say(OWNER, "runs");
    host.until("the owner sees both", |seen| {
        seen.to(OWNER).first().is_some_and(|text| text.lines().count() == 2)
    })
    .await;
    host.say(OWNER, &format!("stop {hers}"));
    let stopped = format!("Stopped (run {hers}).");
    host.until("the owner stops hers", |seen| seen.to(OWNER).last() == Some(&stopped.as_str()))
        .await;
    host.say(ALICE, "echo free again");
    host.until("her lane is free", |seen| seen.to(ALICE).last() == Some(&"free again")).await;
    drop(gates);
    host.until("his run was left alone", |seen| seen.to(BOB).last() == Some(&"released b")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_shows_the_run_to_everybody_and_its_reason_to_the_owner_only() {
    let fail = r#"bot.command("fail", function() error("password is hunter2") end)"#;
    let host = Setup::new().script("fail.luau", fail).start().await;
    host.say(ALICE, "fail");
    host.say(OWNER, "fail");
    host.until("both are told", |seen| seen.to(ALICE).len() == 1 && seen.to(OWNER).len() == 1)
        .await;
    host.look(|seen| {
        let (guest, owner) = (seen.to(ALICE)[0], seen.to(OWNER)[0]);
        assert!(guest.contains("That failed (run ") && !guest.contains("hunter2"), "{guest}");
        assert!(!guest.contains("luau"), "{guest}");
        assert!(owner.contains("fail.luau:1: password is hunter2"), "{owner}");
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_was_reached_is_named() {
    let limits = r#"
        bot.command("slow", { timeout = "300ms", run = function() pcall(time.sleep, "1h") time.sleep("1h") end })
        bot.command("busy", { timeout = "300ms", run = function() while true do pcall(function() while true do end end) end end })
        bot.command("big", function() local t = {} while true do pcall(function() for n = 1, 1e9 do t[#t + 1] = ("x"):rep(1e5) .. n end end) end end)
        bot.command("chatty", function(ctx) while true do pcall(ctx.reply, ctx, "x") end end)
    "#;
    let host = Setup::new().script("limits.luau", limits).start().await;
    host.say(ALICE, "slow");
    host.say(BOB, "busy");
    host.say(LINA, "big");
    host.say(OWNER, "chatty");
    for (person, limit) in [
        (ALICE, "the time limit of 300ms was reached"),
        (BOB, "the time limit of 300ms was reached"),
        (LINA, "the memory limit of 64 MiB was reached"),
        (OWNER, "the limit of 200 replies in one run was reached"),
    ] {
        host.until(limit, |seen| seen.to(person).last().is_some_and(|text| text.contains(limit)))
            .await;
    }
    host.look(|seen| assert_eq!(seen.to(OWNER).len(), 201));
    host.stop().await;
}
