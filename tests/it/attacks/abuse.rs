//! Group L: what a stranger may cost.

use super::super::stage::{ALICE, LINA, OWNER, STRANGER, Setup};
use super::{count, records};

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_flood_of_a_stranger_costs_one_reply_over_restarts_and_few_lines() {
    let host = Setup::new().start().await;
    for n in 0..150 {
        host.say(STRANGER, &format!("trace {n}"));
    }
    let denied = "SELECT count(*) FROM inbox WHERE error LIKE 'denied: %'";
    host.until_true("all are refused", || host.journal(denied) == 150).await;
    let host = host.stop().await.start().await;
    for n in 0..50 {
        host.say(STRANGER, &format!("trace {n}"));
        host.say_in(0, STRANGER, &format!("trace {n}"));
    }
    host.until_true("these too", || host.journal(denied) == 250).await;
    host.say(ALICE, "echo hi");
    host.until("others are served", |seen| seen.to(ALICE) == ["hi"]).await;
    let stage = host.stop().await;
    stage.look(|seen| assert_eq!(seen.to(STRANGER).len() + seen.in_group(0).len(), 1));
    assert!(stage.lines("ran").is_empty());
    let written = count(&stage, &[("who", STRANGER), ("verdict", "deny")]);
    assert!((1..=20).contains(&written), "{written} records");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_handler_serves_each_person_no_more_often_than_it_says() {
    let script = r#"
        bot.command("rare", { rate = "2/1h", run = function(ctx) ctx:reply("did it") end })
        bot.command("often", function(ctx) ctx:reply("did it often") end)
    "#;
    let host = Setup::new().script("rare.luau", script).start().await;
    for _ in 0..4 {
        host.say(LINA, "rare");
        host.say_in(0, OWNER, "rare");
    }
    let told = "You have used `rare` too often; try again later.";
    host.until("two each, the owner too", |seen| {
        [seen.to(LINA), seen.in_group(0)].iter().all(|said| {
            let count = |text| said.iter().filter(|&&one| one == text).count();
            count("did it") == 2 && count(told) == 2
        })
    })
    .await;
    // Another chat is the same person, another handler another matter.
    host.say_in(1, LINA, "rare");
    host.until("she is told there too", |seen| seen.in_group(1) == [told]).await;
    host.say(LINA, "often");
    host.until("others are free", |seen| seen.to(LINA).last() == Some(&"did it often")).await;
    let stage = host.stop().await;
    assert!(
        records(&stage)
            .iter()
            .any(|one| one["reason"].as_str().is_some_and(|why| why.starts_with("rate: ")))
    );
}
