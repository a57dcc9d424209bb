//! D5: a secret of the app that is rotated.

use super::super::process::HostProcess;
use super::super::settings::{asks, rotate, write};
use super::super::stage::{ALICE, Setup, Way};
use super::callbacks::{call, message, sign, time};

/// A host whose secret stands in the file `app-secret`, and that secret.
async fn host(way: Way) -> (HostProcess, String) {
    let in_a_file = "[dingtalk]\nclient_secret = { file = \"app-secret\" }";
    let stage = Setup::new().over(way).toml(in_a_file).stage().await;
    let secret = stage.sim.client_secret();
    write(&stage, "app-secret", &secret);
    (stage.spawn().await, secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn d5_a_rotated_secret_is_refused_at_once_and_the_stream_reconnects_without_losing_a_message()
{
    let (host, old) = host(Way::Stream).await;
    assert_eq!(host.sim.state().counters.connections_opened, 1);

    let mut expected = Vec::new();
    let mut say = |from: usize, to: usize| {
        for number in from..to {
            host.say(ALICE, &format!("echo {number}"));
            expected.push(number.to_string());
        }
    };
    say(0, 10);
    let new = "simulator-secret-rotated";
    rotate(&host, new);
    assert_eq!(asks(&host, &old).await, 400, "the old one is refused");
    say(10, 20);
    write(&host, "app-secret", new);
    host.until("it has connected anew", |seen| seen.state.counters.connections_opened == 2).await;
    say(20, 30);
    host.until("the old connection is gone", |seen| seen.state.bot.connections == 1).await;
    say(30, 40);
    host.until("every message is answered, each once", |seen| {
        let mut said: Vec<String> = seen.to(ALICE).into_iter().map(str::to_owned).collect();
        said.sort_by_key(|number| number.parse::<u32>().unwrap_or(u32::MAX));
        said == expected
    })
    .await;
    // What it asks for now it asks for with the new one: no call was refused.
    let told = host.lines("err").join("\n");
    assert!(!told.contains("refuses this app"), "{told}");
    assert!(!told.contains(new) && !told.contains(&old), "{told}");
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d5_in_http_mode_calls_are_proved_with_the_new_secret_at_once() {
    let (host, old) = host(Way::Http).await;
    host.say(ALICE, "echo before");
    host.until("it serves", |seen| seen.to(ALICE) == ["before"]).await;
    rotate(&host, "simulator-secret-rotated");
    write(&host, "app-secret", "simulator-secret-rotated");
    host.until_true("it was read", || {
        host.lines("err").join("\n").contains("count now: dingtalk.client_secret")
    })
    .await;
    // What is signed with the old one is not believed any more.
    let at = time(0);
    let signed = [("timestamp", at.clone()), ("sign", sign(&old, &format!("{at}\n{old}")))];
    let answer = call(&host, "robot", &signed, message(&host, "old", "echo old")).await;
    assert_eq!(answer.0, 401, "{answer:?}");
    host.say(ALICE, "echo after");
    host.until("it serves on", |seen| seen.to(ALICE).contains(&"after")).await;
    host.look(|seen| assert!(!seen.to(ALICE).contains(&"old")));
    host.terminate().await;
}
