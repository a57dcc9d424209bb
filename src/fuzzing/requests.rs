//! What anybody can send to the address of HTTP mode: the bytes of a connection, which need not be a request.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

use super::wire::{AES_KEY, APP, APP_SECRET, CARD_SECRET, TOKEN, settings};
use crate::access::Audit;
use crate::inbox::Inbox;
use crate::sim::{EventKeys, card_sign, robot_sign};
use crate::store::Store;
use crate::transport::{Timing, Webhook};

/// After so many connections a new host takes over: the signatures and rows of the one before would only slow it down.
const CONNECTIONS: i64 = 20_000;

/// Room for everything that is said on a connection, either way.
const ROOM: usize = 1 << 20;

/// What has been written is read at once; nothing more comes.
const UNSAID: Duration = Duration::from_millis(20);

/// A connection on which nothing more comes ends by itself.
const END: Duration = Duration::from_secs(10);

/// When the first call was signed, in Unix milliseconds; each further one is signed a millisecond later.
const BEGIN_MS: i64 = 1_718_000_000_000;

/// Statuses that a connection may be answered with: those of the doors, and those of bytes that are no request.
const STATUSES: [u16; 12] = [200, 400, 401, 404, 405, 408, 413, 414, 415, 431, 501, 503];

/// A host in HTTP mode, without its listener.
struct Doors {
    webhook: Webhook,
    /// Connections that were answered.
    answered: i64,
    _folder: TempDir,
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("threads can be had")
});

thread_local! {
    /// They go, with their folder, when the thread does.
    static DOORS: RefCell<Option<Doors>> = const { RefCell::new(None) };
}

/// The bytes of one connection. Marks among them become what a call of DingTalk's has in their place, so that changes at
/// random get behind the signature too: `{time}`, `{sign}` of a message, `{click}` of a click, the body `{sealed}` of an
/// event and the `{query}` that proves it, and the `{length}` of what comes after the first empty line.
///
/// There is one answer at most, in HTTP; a call is taken from nobody who proves nothing; and no connection hangs.
pub fn requests(data: &[u8]) {
    let kept = DOORS.take().filter(|doors| doors.answered < CONNECTIONS);
    let mut doors = kept.unwrap_or_else(Doors::open);
    let (answer, proved) = doors.ask(data);
    DOORS.set(Some(doors));
    let Some(status) = status(&answer) else { return };
    assert!(STATUSES.contains(&status), "answered with {status}");
    assert!(proved || status != 200, "a call was taken that nobody signed");
}

impl Doors {
    fn open() -> Self {
        RUNTIME.block_on(Self::bind())
    }

    /// What `data` is answered with, and whether there is a signature in it.
    fn ask(&mut self, data: &[u8]) -> (Vec<u8>, bool) {
        self.answered += 1;
        let (bytes, proved) = written(data, BEGIN_MS + self.answered);
        (RUNTIME.block_on(self.answer(&bytes)), proved)
    }

    async fn bind() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let store = Store::open_scratch(folder.path()).expect("a journal can be made");
        let inbox = Inbox::open(store.clone(), |_| false).await.expect("a journal can be opened");
        let audit = Audit::open(folder.path()).expect("an audit can be opened");
        let (client, mut http) = settings();
        http.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // So that a call which was saved is good for ever.
        http.window = Duration::from_hours(24 * 365 * 100);
        let webhook = Webhook::bind(&http, client, inbox, audit, store).await;
        let timing = Timing { head: UNSAID, body: UNSAID, ..Timing::default() };
        let webhook = webhook.expect("doors can be opened").timing(timing);
        Self { webhook, answered: 0, _folder: folder }
    }

    async fn answer(&self, bytes: &[u8]) -> Vec<u8> {
        // The other end stays open until it is answered: whoever hangs up is answered nothing.
        let (mut client, server) = tokio::io::duplex(ROOM);
        client.write_all(bytes).await.expect("there is room");
        let answered = tokio::time::timeout(END, self.webhook.answer(server)).await;
        answered.expect("a connection hangs");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("what was said can be read");
        answer
    }
}

/// The bytes with what stands for the marks in them; and whether that includes a signature.
fn written(data: &[u8], time_ms: i64) -> (Vec<u8>, bool) {
    let time = time_ms.to_string();
    let keys = EventKeys::new(TOKEN, AES_KEY, APP);
    let sealed = keys.seal(r#"{"EventType":"check_url"}"#);
    let signature = keys.sign(&time, "n", &sealed);
    let query = format!("msg_signature={signature}&timestamp={time}&nonce=n");
    let mut bytes = data.to_vec();
    put(&mut bytes, "{time}", &time);
    put(&mut bytes, "{sealed}", &format!(r#"{{"encrypt":"{sealed}"}}"#));
    let message = put(&mut bytes, "{sign}", &robot_sign(&time, APP_SECRET));
    let click = put(&mut bytes, "{click}", &card_sign(&time, CARD_SECRET));
    let event = put(&mut bytes, "{query}", &query);
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let length = head.map_or(0, |head| bytes[head + 4..].len());
    put(&mut bytes, "{length}", &length.to_string());
    (bytes, message || click || event)
}

/// Whether `mark` was there.
fn put(bytes: &mut Vec<u8>, mark: &str, value: &str) -> bool {
    let mut from = 0;
    let mark = mark.as_bytes();
    while let Some(at) = bytes[from..].windows(mark.len()).position(|part| part == mark) {
        let at = from + at;
        bytes.splice(at..at + mark.len(), value.bytes());
        from = at + value.len();
    }
    from > 0
}

/// The status of the one answer; `None`: there is none.
fn status(answer: &[u8]) -> Option<u16> {
    const GO_ON: &str = "HTTP/1.1 100 Continue\r\n\r\n";
    let text = std::str::from_utf8(answer).expect("an answer is text");
    let text = text.strip_prefix(GO_ON).unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    let (first, rest) = text.split_once("\r\n").expect("an answer has a first line");
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    assert!(rest.contains("\r\n\r\n"), "the head of an answer ends: {text:?}");
    assert!(!rest.contains("HTTP/1."), "two answers: {text:?}");
    Some(status.and_then(|status| status.parse().ok()).expect("an answer has a status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_of_a_call_make_it_one_of_dingtalks() {
        let call = |proof: &str| {
            let head = "POST /dingtalk/robot HTTP/1.1\r\nContent-Type: application/json\r\n";
            format!("{head}Content-Length: {{length}}\r\ntimestamp: {{time}}\r\n{proof}\r\n{{}}")
        };
        let mut doors = Doors::open();
        for (proof, expected) in [("sign: {sign}\r\n", 200), ("sign: x\r\n", 401), ("", 401)] {
            let (answer, proved) = doors.ask(call(proof).as_bytes());
            assert_eq!((status(&answer), proved), (Some(expected), expected == 200), "{proof}");
        }
        let event = "POST /dingtalk/event?{query} HTTP/1.1\r\nContent-Type: application/json\r\n\
                     Content-Length: {length}\r\n\r\n{sealed}";
        assert_eq!(status(&doors.ask(event.as_bytes()).0), Some(200));
    }
}
