//! What one version of a script leaves to the next, and timers run by hand.

use super::stage::{ALICE, BOB, OWNER, Setup, TestHost};

/// Counts in memory; `{n}` is the version.
fn counting(version: u32, save: &str, restore: &str) -> String {
    format!(
        r#"
        local state = {{ count = 0, deep = {{ list = {{ 1, 2 }} }} }}
        bot.save(function() {save} end)
        bot.restore(function(old) {restore} end)
        bot.command("count", function(ctx)
            state.count += 1
            ctx:reply("v{version} " .. state.count .. " " .. #state.deep.list)
        end)
        bot.command("serves <n:int>", function(ctx) ctx:reply("v{version} serves " .. ctx.args.n) end)
        "#
    )
}

/// Asks until this version serves, then counts once.
async fn until_version(host: &TestHost, version: &str) {
    for n in 0.. {
        let before = host.look(|seen| seen.to(BOB).len());
        host.say(BOB, &format!("serves {n}"));
        host.until("an answer", |seen| seen.to(BOB).len() > before).await;
        if host.look(|seen| seen.to(BOB).last().is_some_and(|text| text.starts_with(version))) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let before = host.look(|seen| seen.to(ALICE).len());
    host.say(ALICE, "count");
    host.until("an answer", |seen| seen.to(ALICE).len() > before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_script_goes_on_with_what_the_last_version_left() {
    let text = |n| counting(n, "return state", "state = old");
    let host = Setup::new().script("count.luau", &text(1)).start().await;
    host.say(ALICE, "count");
    host.until("the first load restores nothing", |seen| seen.to(ALICE) == ["v1 1 2"]).await;
    for version in 2..=4 {
        host.write("count.luau", &text(version));
        until_version(&host, &format!("v{version}")).await;
    }
    host.look(|seen| {
        let counts: Vec<u32> = seen
            .to(ALICE)
            .iter()
            .map(|text| text.split(' ').nth(1).unwrap().parse().unwrap())
            .collect();
        let expected: Vec<u32> = (1..).take(counts.len()).collect();
        assert_eq!(counts, expected, "{:?}", seen.to(ALICE));
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_is_told_and_the_new_version_serves_without() {
    for (save, restore, told) in [
        ("return { a = { b = print } }", "state = old", "`a.b` cannot be JSON: it is a function"),
        ("error('no save')", "state = old", "no save"),
        ("while true do end", "state = old", "the time limit of 2s was reached"),
        ("return state", "error('no restore')", "no restore"),
        (
            "return state",
            "while true do pcall(function() time.sleep('1h') end) end",
            "the time limit of 2s was reached",
        ),
    ] {
        let text = |n| counting(n, save, restore);
        let host = Setup::new().script("count.luau", &text(1)).start().await;
        host.say(ALICE, "count");
        host.until("it serves", |seen| seen.to(ALICE) == ["v1 1 2"]).await;
        host.write("count.luau", &text(2));
        until_version(&host, "v2").await;
        host.look(|seen| assert_eq!(seen.to(ALICE).last(), Some(&"v2 1 2")));
        host.until(told, |seen| seen.to(OWNER).iter().any(|text| text.contains(told))).await;
        host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_are_listed_and_run_by_hand_for_those_who_may() {
    let script = r#"
        bot.cron("0 9 * * 1-5", { name = "standup", tz = "Asia/Shanghai" }, function()
            bot.send("owner", "stand-up!")
        end)
        bot.every("1h", { name = "检查" }, function()
            shell.sh("echo slow >> $1/entered; cat $1/slow.gate", "{home}")
        end)
        bot.every("2h", function() end)
    "#;
    let host = Setup::new().script("timers.luau", script).start().await;
    host.say(OWNER, "schedules");
    host.until("a list", |seen| seen.to(OWNER).len() == 1).await;
    host.look(|seen| {
        let lines: Vec<&str> = seen.to(OWNER)[0].lines().collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(
            lines[0].starts_with("standup (timers.luau) · next ") && lines[0].ends_with("· last —"),
            "{lines:?}"
        );
        assert!(
            lines[1].starts_with("检查 (timers.luau)") && lines[2].starts_with("every 2h"),
            "{lines:?}"
        );
        assert!(!lines[1].contains("next —"), "{lines:?}");
    });
    host.say(OWNER, "trigger standup");
    host.until("it ran", |seen| {
        seen.to(OWNER).contains(&"Started `standup`.") && seen.to(OWNER).contains(&"stand-up!")
    })
    .await;
    let gate = host.hold("slow");
    host.say(OWNER, "触发 检查");
    host.entered(&["slow"]).await;
    host.say(OWNER, "触发 检查");
    host.until("not twice", |seen| {
        seen.to(OWNER).last() == Some(&"`检查` 正在运行，没有再次开始。")
    })
    .await;
    host.say(OWNER, "trigger standip");
    host.until("the nearest", |seen| {
        seen.to(OWNER)
            .last()
            .is_some_and(|text| text.contains("no timer `standip`; did you mean `standup`?"))
    })
    .await;
    host.say(ALICE, "trigger standup");
    host.say(ALICE, "help");
    host.until("not for her", |seen| seen.to(ALICE).len() == 2).await;
    host.look(|seen| {
        assert!(
            seen.to(ALICE).contains(&"Sorry, you may not use `trigger`."),
            "{:?}",
            seen.to(ALICE)
        );
        assert!(
            !seen.to(ALICE).iter().any(|text| text.contains("schedules")),
            "{:?}",
            seen.to(ALICE)
        );
    });
    host.say(OWNER, "help");
    host.until("in the owner's help", |seen| {
        seen.to(OWNER).last().is_some_and(|text| text.contains("trigger NAME"))
    })
    .await;
    gate.open();
    host.stop().await;
}
