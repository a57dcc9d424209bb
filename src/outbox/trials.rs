//! The outbox under random traffic: replies, every kind of answer, lost answers, crashes, retries and things given up.
//!
//! A small server plays DingTalk and notes what reached each chat, line by line. However it all falls out: the lines of a
//! chat are in order, none is lost, none is there twice unless nobody could know that it was there, and what was parked is
//! seen until somebody deals with it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Config;
use crate::dingtalk::Client;
use crate::message::StaffId;
use crate::message::{ChatKind, ConversationId, Webhook};

const CHATS: u64 = 4;
const LINES: u64 = 8;
/// So that a reply has something to split, and a piece is cut at the end of a line.
const PAD: &str = "........................................................";

/// A sequence of numbers that a seed gives again.
#[derive(Debug)]
struct Dice(AtomicU64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// A number below `sides`.
    fn roll(&self, sides: u64) -> u64 {
        let mut n = self.0.load(Ordering::SeqCst);
        n ^= n << 13;
        n ^= n >> 7;
        n ^= n << 17;
        self.0.store(n, Ordering::SeqCst);
        (n >> 11) % sides
    }
}

/// A line of a reply: its chat, the number of the reply in that chat, its own.
type Line = (u64, u64, u64);

#[derive(Debug)]
struct Wire {
    dice: Dice,
    /// Every answer is a success now.
    kind: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// What reached each chat, in order.
    said: Vec<Line>,
    /// Lines of which the host cannot know that they were said.
    unknown: HashSet<Line>,
}

fn lines(text: &str) -> Vec<Line> {
    let line = |line: &str| {
        let mut parts = line.split(' ').next()?.strip_prefix('#')?.split('/').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
    };
    text.lines().filter_map(line).collect()
}

fn text(chat: u64, number: u64) -> String {
    let line = |n| format!("#{chat}/{number}/{n} {PAD}");
    (0..LINES).map(line).collect::<Vec<_>>().join("\n")
}

async fn answer(State(wire): State<Arc<Wire>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if path.ends_with("accessToken") {
        return r#"{"accessToken":"token","expireIn":7200}"#.into_response();
    }
    let webhook = path.starts_with("/robot/");
    let said = match body["text"]["content"].as_str() {
        Some(said) => said.to_owned(),
        None => {
            let param: Value = serde_json::from_str(body["msgParam"].as_str().unwrap_or_default())
                .unwrap_or_default();
            param["content"].as_str().unwrap_or_default().to_owned()
        }
    };
    let lines = lines(&said);
    let code = |robot: &str, errcode: i64| {
        if webhook {
            return format!(r#"{{"errcode":{errcode},"errmsg":"no"}}"#).into_response();
        }
        let refusal = format!(r#"{{"code":"{robot}","message":"no"}}"#);
        (StatusCode::BAD_REQUEST, refusal).into_response()
    };
    let roll = if wire.kind.load(Ordering::SeqCst) { 0 } else { wire.dice.roll(40) };
    match roll {
        27..29 => code("Forbidden.AccessDenied.QpsLimitForApi", 130_101),
        29..31 => code("system.busy", -1),
        31 => (StatusCode::BAD_GATEWAY, "<html>Bad Gateway</html>").into_response(),
        32 => code("staffId.notExisted", 300_001),
        33 => code("contain.notAllowed.text", 430_101),
        34 => code("InvalidAuthentication", 40_035),
        35..37 => code("invalidParameter.msgParam.tooLong", 460_101),
        37 => code("Forbidden.AccessDenied.AccessTokenPermissionDenied", 60_011),
        roll => {
            let mut seen = wire.seen.lock().unwrap();
            seen.said.extend(&lines);
            if roll < 38 {
                return r#"{"errcode":0,"processQueryKey":"key"}"#.into_response();
            }
            // It was said, and the answer is lost.
            seen.unknown.extend(&lines);
            let lost = futures_util::stream::once(async { Err::<String, _>("lost") });
            axum::body::Body::from_stream(lost).into_response()
        }
    }
}

struct Trial {
    wire: Arc<Wire>,
    base: url::Url,
    store: Store,
    dir: tempfile::TempDir,
    outbox: Outbox,
    running: JoinSet<()>,
    stop: CancellationToken,
    posted: HashMap<u64, u64>,
    _server: JoinSet<()>,
}

fn quick() -> Timing {
    let ms = std::time::Duration::from_millis;
    Timing {
        backoff: ms(2),
        ceiling: ms(10),
        webhook_rest: ms(20),
        asked: 0.001,
        robot_calls_per_second: 20_000.0,
        ..Timing::default()
    }
}

impl Trial {
    async fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let wire = Arc::new(Wire { dice, kind: AtomicBool::new(false), seen: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&wire));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_scratch(dir.path()).unwrap();
        let outbox = Outbox::open(store.clone()).await.unwrap();
        let mut trial = Self {
            wire,
            base,
            store,
            dir,
            outbox,
            running: JoinSet::new(),
            stop: CancellationToken::new(),
            posted: HashMap::new(),
            _server: server,
        };
        trial.start().await;
        trial
    }

    async fn start(&mut self) {
        self.outbox = Outbox::open(self.store.clone()).await.unwrap().timing(quick());
        let mut config = Config::new(self.dir.path(), self.dir.path()).dingtalk;
        "ding".clone_into(&mut config.client_id);
        (config.api_base, config.oapi_base) = (self.base.clone(), self.base.clone());
        let client = Client::new(&config).unwrap();
        self.stop = CancellationToken::new();
        self.running.spawn(self.outbox.clone().run(client, None, self.stop.clone()));
    }

    /// The host dies wherever it stands.
    async fn crash(&mut self) {
        self.running.shutdown().await;
        // What was on its way to disk gets there, or does not: both are crashes. What heads its chat may have been said; of a
        // chat in which something was put back in front of it, one of those that wait.
        let heads = "SELECT payload FROM outbox o WHERE state = 'queued' AND (
                         id = (SELECT min(id) FROM outbox WHERE state = 'queued' AND conversation = o.conversation)
                         OR EXISTS (SELECT 1 FROM outbox WHERE state = 'queued' AND conversation = o.conversation
                                    AND retried_at_ms IS NOT NULL))";
        for payload in self.column(heads).await {
            let payload: Item = serde_json::from_str(&payload).unwrap();
            let replies = match payload {
                Item::Reply(reply) => vec![reply],
                Item::Parts { parts } => parts,
                Item::Card { .. } | Item::Attachment(_) => Vec::new(),
            };
            for reply in replies {
                if let Body::Text { text } = reply.body {
                    self.wire.seen.lock().unwrap().unknown.extend(lines(&text));
                }
            }
        }
        self.start().await;
    }

    /// One text from each row of an answer, after everything before it was written.
    async fn column(&self, select: &'static str) -> Vec<String> {
        let work = move |c: &Connection| {
            c.prepare(select)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()
        };
        self.store.write(work).await.unwrap()
    }

    async fn post(&mut self, chat: u64) {
        let number = self.posted.entry(chat).or_default();
        // Chat 0 and 1 have a webhook, 3 nothing else; the rest is for the robot.
        let webhook = Webhook {
            url: format!("{}robot/sendBySession?session={chat}-{}", self.base, *number / 4),
            expires_at_ms: i64::MAX,
        };
        let to = Address {
            conversation_id: ConversationId::new(chat.to_string()),
            kind: if chat.is_multiple_of(2) { ChatKind::Group } else { ChatKind::Direct },
            staff_id: (chat == 1).then(|| StaffId::new("person")),
            robot_code: None,
            webhook: (chat != 2).then_some(webhook),
        };
        let body = Body::Text { text: text(chat, *number) };
        *number += 1;
        let reply = Reply { to, body, at: Vec::new() };
        self.outbox.post("run", vec![Post::Reply(reply)]).await.unwrap();
    }

    /// Waits until nothing is queued any more.
    async fn settle(&self) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        while !self
            .column("SELECT CAST(id AS TEXT) FROM outbox WHERE state = 'queued'")
            .await
            .is_empty()
        {
            assert!(
                tokio::time::Instant::now() < deadline,
                "something stays queued: {:?}",
                self.outbox
            );
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// State by chat and number of reply.
    async fn states(&self) -> BTreeMap<(u64, u64), String> {
        let rows = "SELECT conversation || ' ' || state FROM outbox WHERE run = 'run' ORDER BY id";
        let mut numbers: HashMap<u64, u64> = HashMap::new();
        let mut states = BTreeMap::new();
        for row in self.column(rows).await {
            let (chat, state) = row.split_once(' ').unwrap();
            let chat: u64 = chat.parse().unwrap();
            let number = numbers.entry(chat).or_default();
            states.insert((chat, *number), state.to_owned());
            *number += 1;
        }
        states
    }
}

async fn trial(seed: u64) {
    let mut trial = Trial::new(seed).await;
    let dice = Dice::new(seed.wrapping_add(77));
    // Replies that somebody sent again: their order is that of the asking.
    let mut again: HashSet<(u64, u64)> = HashSet::new();
    let mut given_up = 0;
    for _ in 0..60 {
        match dice.roll(12) {
            0..=6 => trial.post(dice.roll(CHATS)).await,
            7 => trial.crash().await,
            8 => {
                let states = trial.states().await;
                let parked = states.iter().filter(|(_, state)| *state == "parked");
                again.extend(parked.map(|(reply, _)| *reply));
                // Between the look and the retry another may be parked.
                trial.outbox.retry(Which::All).await.unwrap();
                again.extend(
                    trial.states().await.iter().filter(|(_, s)| *s == "queued").map(|(r, _)| *r),
                );
            }
            9 => {
                if let Some(one) =
                    trial.outbox.unsent(100).await.unwrap().iter().find(|row| row.state == "parked")
                {
                    given_up += trial.outbox.drop_parked(Which::One(one.id)).await.unwrap().len();
                }
            }
            _ => tokio::time::sleep(std::time::Duration::from_millis(dice.roll(8))).await,
        }
    }
    trial.settle().await;
    let states = trial.states().await;
    let parked = states.values().filter(|state| *state == "parked").count();
    let mut listed = trial.outbox.unsent(1000).await.unwrap();
    // The word that a reply was parked may just have been queued.
    listed.retain(|row| row.state == "parked");
    assert!(parked <= listed.len(), "{listed:?}");
    assert_eq!(trial.outbox.parked(), listed.len(), "the count is that of the table");
    assert!(listed.iter().all(|row| row.error.is_some()), "each says why: {listed:?}");
    again.extend(states.iter().filter(|(_, state)| *state == "parked").map(|(reply, _)| *reply));

    // DingTalk is well again: what was parked and is asked for arrives.
    trial.wire.kind.store(true, Ordering::SeqCst);
    trial.outbox.retry(Which::All).await.unwrap();
    trial.settle().await;
    let states = trial.states().await;
    // Of chat 3 there is a webhook only, which may have been forgotten.
    let left: Vec<_> = states
        .iter()
        .filter(|((chat, _), state)| *chat != 3 && !matches!(state.as_str(), "sent" | "dropped"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let dropped = states.values().filter(|state| *state == "dropped").count();
    assert!(dropped <= given_up, "{dropped} dropped");

    trial.stop.cancel();
    while trial.running.join_next().await.is_some() {}
    let seen = trial.wire.seen.lock().unwrap();
    let mut counts: HashMap<Line, u32> = HashMap::new();
    let mut newest: HashMap<u64, Line> = HashMap::new();
    for line in &seen.said {
        let count = counts.entry(*line).or_default();
        *count += 1;
        assert!(*count == 1 || seen.unknown.contains(line), "{line:?} is said {count} times");
        if *count == 1 && !again.contains(&(line.0, line.1)) {
            let before = newest.insert(line.0, *line);
            assert!(before.is_none_or(|before| before < *line), "{line:?} after {before:?}");
        }
    }
    for ((chat, number), state) in &states {
        for line in 0..LINES {
            let said = counts.contains_key(&(*chat, *number, line));
            assert!(
                said || state != "sent",
                "line {line} of reply {number} in chat {chat} is lost"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_dingtalk_answers_replies_keep_their_order_and_are_said_once_or_accounted_for() {
    let first: u64 =
        std::env::var("MOONBELL_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut trials = JoinSet::new();
    for seed in first..first + 60 {
        trials.spawn(async move {
            let done = std::panic::AssertUnwindSafe(trial(seed));
            let ended = futures_util::FutureExt::catch_unwind(done).await;
            assert!(ended.is_ok(), "seed {seed}");
        });
        if trials.len() >= 4 {
            trials.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(ended) = trials.join_next().await {
        ended.unwrap();
    }
}
