//! Giving and taking rights from a chat, and answers that are for one person.

use super::stage::{ALICE, BOB, LINA, OWNER, STRANGER, Setup, TestHost};

/// What the bot said last to the owner, answered with its yes.
async fn confirmed(host: &TestHost, said: usize) -> String {
    host.until("the owner is asked", |seen| seen.to(OWNER).len() == said + 1).await;
    let asked = host.look(|seen| seen.to(OWNER)[said].to_owned());
    let (_, code) = asked.rsplit_once("yes ").unwrap_or_else(|| panic!("{asked}"));
    host.say(OWNER, &format!("yes {code}"));
    host.until("it is done", |seen| seen.to(OWNER).len() == said + 2).await;
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_lets_somebody_in_after_a_yes_and_it_outlives_a_restart() {
    let host = Setup::new().start().await;
    host.say(OWNER, &format!("allow {STRANGER} guest"));
    host.until("it is only proposed", |seen| seen.to(OWNER).len() == 1).await;
    host.say(STRANGER, "trace too early");
    host.until("still a stranger", |seen| seen.to(STRANGER).len() == 1).await;
    // Not by somebody else, not with another number, and not without one.
    host.say(ALICE, "yes 1234");
    host.say(OWNER, "yes");
    host.until("nothing came of that", |seen| {
        seen.to(ALICE).len() == 1 && seen.to(OWNER).len() == 2
    })
    .await;
    let asked = host.look(|seen| seen.to(OWNER)[0].to_owned());
    assert!(asked.starts_with(&format!("{STRANGER}: gets the role guest\n")), "{asked}");
    let code = asked.rsplit_once("yes ").unwrap().1.to_owned();
    host.say(OWNER, &format!("yes {code}"));
    host.until("it is done", |seen| seen.to(OWNER).len() == 3).await;
    host.say(STRANGER, "trace one");
    host.until("served", |seen| seen.to(STRANGER).last() == Some(&"did one")).await;
    host.say(OWNER, &format!("yes {code}"));
    host.until("a number works once", |seen| {
        seen.to(OWNER).last() == Some(&"Nothing waits for that number; ask for it again.")
    })
    .await;
    let host = host.stop().await.start().await;
    host.say(STRANGER, "trace two");
    host.until("served after a restart", |seen| seen.to(STRANGER).last() == Some(&"did two")).await;
    host.say(OWNER, "who");
    host.until("who lists it", |seen| {
        seen.to(OWNER).last().is_some_and(|text| {
            text.contains(&format!("owner: {OWNER}"))
                && text.lines().any(|line| line.starts_with("guest: ") && line.contains(STRANGER))
        })
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_names_the_person_and_here_the_group() {
    let host = Setup::new().start().await;
    host.say_in(0, OWNER, "allow @赵磊 night for 1d");
    host.until("asked", |seen| seen.in_group(0).len() == 1).await;
    let asked = host.look(|seen| seen.in_group(0)[0].to_owned());
    assert!(asked.contains(STRANGER) && asked.contains("role night (until "), "{asked}");
    // In the chat where it was asked, and by whom: her yes is nobody's.
    let code = asked.rsplit_once("yes ").unwrap().1.to_owned();
    host.say_in(0, ALICE, &format!("yes {code}"));
    host.say(OWNER, &format!("yes {code}"));
    host.until("neither counts", |seen| {
        seen.in_group(0)
            .last()
            .is_some_and(|said| said.starts_with("Nothing waits for that number here"))
            && seen.to(OWNER) == ["Nothing waits for that number; ask for it again."]
    })
    .await;
    host.say_in(0, OWNER, &format!("yes {code}"));
    host.until("done", |seen| seen.in_group(0).last().is_some_and(|text| text.starts_with('✅')))
        .await;
    host.say(STRANGER, "echo hi");
    host.until("served", |seen| seen.to(STRANGER) == ["hi"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_gives_and_takes_and_never_the_owners_own() {
    let host = Setup::new()
        .settings(|config, _| {
            config.access.roles.insert("admin".to_owned(), vec![BOB.to_owned()]);
        })
        .start()
        .await;
    for (person, text, answer) in [
        (ALICE, format!("allow {STRANGER} guest"), "Sorry, you may not use `allow`."),
        (BOB, format!("允许 {BOB} guest"), "抱歉，你没有使用 `allow` 的权限。"),
        (BOB, format!("deny {ALICE}"), "Sorry, you may not use `deny`."),
        (ALICE, "who".to_owned(), "Sorry, you may not use `who`."),
        (
            OWNER,
            format!("allow {STRANGER} owner"),
            "`owner` cannot be given: a role is one word, and not `owner`.",
        ),
        (OWNER, format!("deny {OWNER}"), "The owner's rights cannot be changed."),
        (
            OWNER,
            "deny * guest".to_owned(),
            "usage: deny @person [ROLE], or deny STAFF_ID [ROLE]; without a role, all are taken",
        ),
    ] {
        host.say(person, &text);
        host.until(answer, |seen| seen.to(person).last() == Some(&answer)).await;
    }
    assert_eq!(host.journal("SELECT count(*) FROM grants"), 0);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_ends_takes_its_runs_with_it() {
    let host = Setup::new().start().await;
    host.say(OWNER, &format!("allow {STRANGER} guest for 3s"));
    confirmed(&host, 0).await;
    let gate = host.hold("a");
    host.say(STRANGER, "hold a");
    host.entered(&["a"]).await;
    host.until("it is stopped when the time is over", |seen| {
        seen.to(STRANGER).iter().any(|text| text.contains("you may not use it any more"))
    })
    .await;
    host.say(STRANGER, "trace more");
    host.until("and a stranger again", |seen| seen.to(STRANGER).len() == 2).await;
    drop(gate);
    let stage = host.stop().await;
    assert!(stage.lines("ran").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_quiet_answers_the_person_alone_and_says_so_in_the_group() {
    let script = r#"
        bot.command("salary", { quiet = true, run = function(ctx) ctx:reply("a secret sum for " .. ctx.user.id) end })
        bot.command("silent", { quiet = true, run = function() end })
        bot.command("broken", { quiet = true, run = function() error("the secret place") end })
        bot.command("shown", { quiet = true, run = function(ctx)
            local card = ctx:card({ title = "sum" })
            card:append("a secret card")
            card:finish()
        end })
    "#;
    let host = Setup::new().script("quiet.luau", script).start().await;
    host.say_in(0, ALICE, "salary");
    host.until("she alone reads it", |seen| {
        seen.to(ALICE) == [format!("a secret sum for {ALICE}")]
            && seen.in_group(0) == ["Sent to you privately."]
    })
    .await;
    host.say_in(0, BOB, "shown");
    host.until("cards too", |seen| seen.to(BOB).iter().any(|text| text.contains("a secret card")))
        .await;
    host.say_in(0, OWNER, "broken");
    host.until("errors too", |seen| {
        seen.to(OWNER).iter().any(|text| text.contains("the secret place"))
    })
    .await;
    host.say_in(0, LINA, "silent");
    host.say(LINA, "salary");
    host.until("a direct chat is as ever", |seen| {
        seen.to(LINA) == [format!("a secret sum for {LINA}")]
    })
    .await;
    host.until_true("all have ended", || {
        host.journal("SELECT count(*) FROM inbox WHERE ended_at_ms IS NULL") == 0
    })
    .await;
    let stage = host.stop().await;
    stage.look(|seen| {
        assert!(
            seen.in_group(0).iter().all(|text| !text.contains("secret")),
            "{:?}",
            seen.in_group(0)
        );
        assert_eq!(
            seen.in_group(0).iter().filter(|&&text| text == "Sent to you privately.").count(),
            2
        );
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_nothing_asks_for_is_named_and_cancel_takes_the_change_back() {
    let script =
        r#"bot.command("deploy", { role = "ops", run = function(ctx) ctx:reply("deployed") end })"#;
    let host = Setup::new().script("deploy.luau", script).start().await;
    host.say(OWNER, &format!("allow {STRANGER} opps"));
    host.until("it is named", |seen| {
        seen.to(OWNER).last().is_some_and(|text| {
            text.starts_with(&format!("{STRANGER}: gets the role opps\n"))
                && text.contains("no handler and no setting asks for a role `opps`")
        })
    })
    .await;
    let code = host.look(|seen| seen.to(OWNER)[0].rsplit_once("yes ").unwrap().1.to_owned());
    host.say(OWNER, "cancel");
    host.until("it is taken back", |seen| seen.to(OWNER).len() == 2).await;
    host.say(OWNER, &format!("yes {code}"));
    host.until("so a yes does nothing", |seen| {
        seen.to(OWNER).last() == Some(&"Nothing waits for that number; ask for it again.")
    })
    .await;
    host.say(OWNER, &format!("allow {STRANGER} ops"));
    host.until("the right one is known", |seen| {
        seen.to(OWNER).last().is_some_and(|text| text.contains("ops") && !text.contains("Note"))
    })
    .await;
    host.stop().await;
}
