//! E6: who calls slowly, endlessly, or in two ways at once.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::process::HostProcess;
use super::super::stage::{ALICE, BOB, PATIENCE, Setup, Stage, Way};
use super::callbacks::{message, signed, time};

async fn host() -> HostProcess {
    Setup::new().over(Way::Http).spawn().await
}

async fn connect(host: &Stage) -> TcpStream {
    TcpStream::connect(host.tunnel.as_ref().unwrap().address).await.unwrap()
}

/// What comes until the connection is closed, which it must be.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // Closed while more was being sent, it may be cut.
    let _ = read.expect("the connection is closed");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Writes `request` as it is, and returns the answer.
pub(super) async fn said(host: &Stage, request: &[u8]) -> String {
    let mut stream = connect(host).await;
    let _ = stream.write_all(request).await;
    rest(stream).await
}

/// The head of a good call, without what says how long the body is.
fn head(host: &Stage) -> String {
    let headers: String =
        signed(host, &time(0)).iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "POST /dingtalk/robot HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}"
    )
}

/// Others are served all the while.
async fn is_well(host: &HostProcess) {
    host.say(BOB, "echo well");
    host.until("others are served", |seen| seen.to(BOB) == ["well"]).await;
    assert!(host.lines("ran").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn e6_who_is_slow_is_closed_and_holds_up_nobody() {
    let host = host().await;
    // Nothing at all; half a head; a head that goes on for ever; a body that does not come; one that trickles.
    let (silent, mut half) = (connect(&host).await, connect(&host).await);
    half.write_all(b"POST /dingtalk/robot HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let mut endless = connect(&host).await;
    endless.write_all(b"POST /dingtalk/robot HTTP/1.1\r\n").await.unwrap();
    let drip = async {
        for n in 0.. {
            if endless.write_all(format!("X-{n}: y\r\n").as_bytes()).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (mut bodiless, mut trickle) = (connect(&host).await, connect(&host).await);
    let body = message(&host, "slow", "trace slow");
    let length = format!("{}Content-Length: {}\r\n\r\n", head(&host), body.len());
    bodiless.write_all(length.as_bytes()).await.unwrap();
    let chunked = format!("{}Transfer-Encoding: chunked\r\n\r\n", head(&host));
    trickle.write_all(chunked.as_bytes()).await.unwrap();
    let trickling = async {
        while trickle.write_all(b"1\r\n \r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut answer = String::new();
        let _ = trickle.read_to_string(&mut answer).await;
    };
    is_well(&host).await;
    tokio::time::timeout(PATIENCE, async { tokio::join!(drip, trickling) }).await.unwrap();
    assert!(!rest(silent).await.contains("200"));
    assert!(!rest(half).await.contains("200"));
    let answer = rest(bodiless).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(host.lines("ran").is_empty());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e6_heads_and_bodies_without_measure_are_closed() {
    let host = host().await;
    let many: String = (0..100_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let body = message(&host, "x", "trace x");
    let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let requests = [
        format!("{}{many}{length}", head(&host)),
        format!("{}X: {}\r\n{length}", head(&host), "y".repeat(1 << 20)),
        format!("POST /{} HTTP/1.1\r\nHost: x\r\n{length}", "x".repeat(1 << 20)),
        format!("{}Content-Length: {}\r\n\r\n{}", head(&host), 1 << 20, " ".repeat(1 << 20)),
        format!("{}Content-Length: 99999999999999999999999\r\n\r\n{body}", head(&host)),
        format!("{}Content-Length: -1\r\n\r\n{body}", head(&host)),
        format!("{}Content-Length: +{}\r\n\r\n{body}", head(&host), body.len()),
        format!("{}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{body}", head(&host)),
        format!("{}Transfer-Encoding: chunked\r\n\r\nzz\r\n{body}", head(&host)),
        format!(
            "{}Transfer-Encoding: chunked\r\n\r\n{}",
            head(&host),
            "10000\r\n".to_owned() + &" ".repeat(0x10000) + "\r\n"
        )
        .repeat(1)
            + &("10000\r\n".to_owned() + &" ".repeat(0x10000) + "\r\n").repeat(8),
        format!("{}Content-Encoding: gzip\r\n{length}", head(&host)),
        format!("{}Content-Encoding: identity\r\nContent-Encoding: br\r\n{length}", head(&host)),
        format!(
            "{}Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Encoding: x\r\n{length}",
            head(&host)
        ),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}".to_owned(),
        "\r\n\r\n\r\n\r\n\r\n\r\n".to_owned(),
    ];
    // Side by side: some of them are waited for until their time is over.
    let answers = requests.iter().map(|request| said(&host, request.as_bytes()));
    for (request, answer) in requests.iter().zip(futures_util::future::join_all(answers).await) {
        assert!(!answer.contains(" 200 "), "{request:.200}: {answer}");
    }
    is_well(&host).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e6_no_second_request_hides_behind_the_first() {
    let host = host().await;
    let hidden = message(&host, "hidden", "trace hidden");
    let second = format!("{}Content-Length: {}\r\n\r\n{hidden}", head(&host), hidden.len());
    let body = message(&host, "first", "echo first");
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    // With both ways to say how long it is, in both orders; with two of one; in two spellings; and plainly one behind
    // the other.
    for framing in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}", body.len()),
        format!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{chunk}"),
        format!(
            "Content-Length: {}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
            body.len() + 1
        ),
        format!("Transfer-Encoding: chunked, identity\r\n\r\n{chunk}"),
        format!("Transfer-Encoding : chunked\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        format!("Transfer-Encoding: xchunked\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        format!("Content-Length: {}\r\n\r\n{body}", body.len()),
    ] {
        let request = format!("{}{framing}{second}", head(&host));
        let answer = said(&host, request.as_bytes()).await;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{framing}: {answer}");
    }
    // An old client, as some proxies are, is served; but not one that mixes the two versions.
    let old = head(&host).replace("HTTP/1.1", "HTTP/1.0");
    let answer =
        said(&host, format!("{old}Transfer-Encoding: chunked\r\n\r\n{chunk}").as_bytes()).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    let answer =
        said(&host, format!("{old}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    host.until("the first is answered, once", |seen| seen.to(ALICE) == ["first"]).await;
    is_well(&host).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e6_a_crowd_of_open_connections_delays_and_does_not_keep_out() {
    let host = host().await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(connect(&host).await);
    }
    // More than there is room for; the next call waits until the first of them are closed.
    is_well(&host).await;
    host.stop().await;
}
