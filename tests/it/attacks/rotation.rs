//! D5: a secret of the app that is rotated.

use super::super::process::HostProcess;
use super::super::settings::{Edited, asks, rotate, write};
use super::super::stage::{AES_KEY, ALICE, Setup, TOKEN, Way};
use super::callbacks::{call, event, inside, message, sign, signed, time};

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

#[tokio::test(flavor = "multi_thread")]
async fn d5_the_keys_of_events_and_who_may_call_change_without_a_restart() {
    let mut edited = Edited::start(Setup::new().over(Way::Http).stage().await, "").await;
    let app = edited.host.sim.client_id();
    let say =
        r#"{"EventType":"user_add_org","EventTime":1767852000000,"CorpId":"corp","userId":["x"]}"#;
    let (token, key) = ("another-token", "1234567890123456789012345678901234567890123");
    let sealed = |token, key, nonce| event(&inside(say, &app, None), token, key, &time(0), nonce);
    let answer = async |host: &HostProcess, (door, body): (String, String)| {
        call(host, &door, &[], body).await.0
    };
    assert_eq!(answer(&edited.host, sealed(TOKEN, AES_KEY, "n1")).await, 200);
    let keys = |token: &str, key: &str| format!("token = {token:?}\naes_key = {key:?}");
    edited.edit(&keys(TOKEN, AES_KEY), &keys(token, key));
    let read = |edited: &Edited, what: &str| edited.host.lines("err").join("\n").contains(what);
    edited
        .host
        .until_true("they were read", || read(&edited, "count now: http.aes_key, http.token"))
        .await;
    assert_eq!(answer(&edited.host, sealed(TOKEN, AES_KEY, "n2")).await, 401, "the old keys");
    assert_eq!(answer(&edited.host, sealed(token, key, "n3")).await, 200, "the new ones");

    edited.edit("[http]\n", "[http]\nallow = [\"192.0.2.7\"]\n");
    edited.host.until_true("it was read", || read(&edited, "count now: http.allow")).await;
    let body = message(&edited.host, "m1", "trace from elsewhere");
    let shown = signed(&edited.host, &time(0));
    assert_eq!(call(&edited.host, "robot", &shown, body).await.0, 401);
    // What DingTalk was told at the start stays until the next one, and is named.
    edited.edit("card_secret = ", "window = \"2m\"\ncard_secret = \"another-secret-of-cards\" # ");
    edited
        .until_status(|settings| settings["restart"] == serde_json::json!(["http.card_secret"]))
        .await;
    assert!(edited.host.lines("ran").is_empty());
}
