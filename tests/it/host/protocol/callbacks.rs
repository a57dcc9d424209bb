//! Calls in HTTP mode.

use super::super::attacks::callbacks::{call, message, signed, time};
use super::super::stage::{ALICE, BOB, Setup, Way};

#[tokio::test(flavor = "multi_thread")]
async fn h24_a_signed_call_is_answered_at_once_after_the_write_and_known_when_it_comes_again() {
    let host = Setup::new().over(Way::Http).start().await;
    let gate = host.hold("one");
    // Heavy work comes later: the answer does not wait for the handler, and says nothing.
    let body = message(&host, "heavy", "hold one");
    let answer = call(&host, "robot", &signed(&host, &time(0)), body.clone()).await;
    assert_eq!(answer, (200, r#"{"msgtype":"empty"}"#.to_owned()));
    // Who has the answer finds the row.
    assert_eq!(host.journal("SELECT count(*) FROM inbox"), 1);
    host.entered(&["one"]).await;
    // DingTalk repeats: under the same signature, and under a new one.
    let again = call(&host, "robot", &signed(&host, &time(1)), body.clone()).await;
    assert_eq!(again.0, 200);
    host.until_true("it is known", || host.journal("SELECT max(deliveries) FROM inbox") == 2).await;
    // A message of the largest kind, and one beyond.
    let long = message(&host, "long", &format!("echo {}", "长".repeat(80_000)));
    assert_eq!(call(&host, "robot", &signed(&host, &time(2)), long).await.0, 200);
    let longer = message(&host, "longer", &"x".repeat(256 * 1024));
    assert_eq!(call(&host, "robot", &signed(&host, &time(3)), longer).await.0, 413);
    gate.open();
    host.until("it is answered, once", |seen| seen.to(ALICE).first() == Some(&"released one"))
        .await;
    host.say(BOB, "echo later");
    host.until("a later one", |seen| seen.to(BOB) == ["later"]).await;
    assert_eq!(host.lines("entered"), ["one"]);
    host.stop().await;
}
