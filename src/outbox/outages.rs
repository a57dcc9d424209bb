//! Cards whose end DingTalk does not take for hours: they end all the same, once it does.

use std::sync::atomic::{AtomicBool, AtomicUsize};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Config;
use crate::dingtalk::Client;
use crate::message::{ChatKind, ConversationId, StaffId};

/// More ends than are tried before the text is said as a message, and more than an hour of tries after that.
const REFUSED: usize = 100;

/// A DingTalk that takes cards and messages, and no end of a card until it is well.
#[derive(Debug, Default)]
struct Wire {
    well: AtomicBool,
    refused: AtomicUsize,
    ends: Mutex<Vec<String>>,
    said: Mutex<Vec<String>>,
}

async fn answer(State(wire): State<Arc<Wire>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |text: &Value| text.as_str().unwrap_or_default().to_owned();
    if path.ends_with("/streaming") && (body["isFinalize"] == true || body["isError"] == true) {
        if !wire.well.load(Ordering::SeqCst) {
            wire.refused.fetch_add(1, Ordering::SeqCst);
            let busy = r#"{"code":"system.busy","message":"no"}"#;
            return (StatusCode::INTERNAL_SERVER_ERROR, busy).into_response();
        }
        wire.ends.lock().unwrap().push(text(&body["content"]));
    }
    if path.ends_with("/batchSend") {
        wire.said.lock().unwrap().push(text(&body["msgParam"]));
    }
    r#"{"accessToken":"token","expireIn":7200,"success":true,"result":{}}"#.into_response()
}

struct Host {
    wire: Arc<Wire>,
    store: Store,
    outbox: Outbox,
    stop: CancellationToken,
    running: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl Host {
    /// A host with this in its journal.
    async fn with(journal: &'static str) -> Self {
        let wire = Arc::<Wire>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base: url::Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&wire));
        let mut running = JoinSet::new();
        running.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_scratch(dir.path()).unwrap();
        store.write(move |c| c.execute_batch(journal)).await.unwrap();
        let ms = std::time::Duration::from_millis;
        let timing = Timing { backoff: ms(1), ceiling: ms(2), late: ms(1), ..Timing::default() };
        let outbox = Outbox::open(store.clone()).await.unwrap().timing(timing).card_pace(100_000.0);
        let mut config = Config::new(dir.path(), dir.path()).dingtalk;
        "ding".clone_into(&mut config.client_id);
        (config.api_base, config.oapi_base) = (base.clone(), base);
        let client = Client::new(&config).unwrap();
        let template = Template { id: "own.schema".to_owned(), key: "content".to_owned() };
        let stop = CancellationToken::new();
        running.spawn(outbox.clone().run(client, Some(template), stop.clone()));
        Self { wire, store, outbox, stop, running, _dir: dir }
    }

    async fn until(&self, what: &str, wanted: impl Fn() -> bool) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        while !wanted() {
            assert!(tokio::time::Instant::now() < deadline, "never: {what}: {:?}", self.wire);
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// DingTalk refuses for long, and is well again. Returns how the card ended.
    async fn outage(mut self) -> String {
        self.until("it is tried on", || self.wire.refused.load(Ordering::SeqCst) > REFUSED).await;
        self.wire.well.store(true, Ordering::SeqCst);
        self.until("the card ends", || !self.wire.ends.lock().unwrap().is_empty()).await;
        self.stop.cancel();
        while self.outbox.open_cards() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let open = "SELECT count(*) FROM cards WHERE state <> 'closed'";
        loop {
            let open = self.store.read(|c| c.query_row(open, [], |row| row.get::<_, i64>(0)));
            if open.await.unwrap() == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        self.running.shutdown().await;
        let ends = self.wire.ends.lock().unwrap();
        assert_eq!(ends.len(), 1, "{ends:?}");
        ends[0].clone()
    }

    fn said(&self) -> Vec<String> {
        self.wire.said.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_card_ends_however_long_dingtalk_refuses_that_and_its_text_is_said_meanwhile() {
    let host = Host::with("").await;
    let to = Address {
        conversation_id: ConversationId::new("chat"),
        kind: ChatKind::Direct,
        staff_id: Some(StaffId::new("ann")),
        robot_code: None,
        webhook: None,
    };
    let card = host.outbox.card(to, "work", "run", Lang::En);
    host.outbox.post("run", vec![Post::Card(card.clone())]).await.unwrap();
    card.append("all of it");
    card.finish();
    host.until("its text is said", || host.said().iter().any(|text| text.contains("all of it")))
        .await;
    let said = host.wire.clone();
    assert_eq!(host.outage().await, "(the text is in the message below)");
    assert_eq!(said.said.lock().unwrap().len(), 1, "once");
}

/// A card of a host that died: of a run that was cut short, and of one that had ended.
macro_rules! left_open {
    ($ending:literal) => {
        concat!(
            r#"INSERT INTO cards (id, address, title, run, lang, state, created_at_ms, shown, ending)
               VALUES ('card', '{"conversation_id":"chat","kind":"direct","staff_id":"ann","robot_code":null,"webhook":null}',
                       'work', '7k3fa', 'en', 'open', 1, 'half of it', "#,
            $ending,
            ")"
        )
    };
}

#[tokio::test]
async fn a_card_that_a_crash_left_open_ends_however_long_dingtalk_refuses_that() {
    let host = Host::with(left_open!("NULL")).await;
    let said = host.wire.clone();
    let end = host.outage().await;
    assert!(
        end.starts_with("half of it\n\n⚠️ interrupted") && end.ends_with("again 7k3fa"),
        "{end}"
    );
    assert!(said.said.lock().unwrap().is_empty(), "the person is told by the run");
}

#[tokio::test]
async fn so_does_one_whose_run_had_ended_and_its_text_is_said_meanwhile() {
    let host = Host::with(left_open!("'finished'")).await;
    host.until("its text is said", || host.said().iter().any(|text| text.contains("half of it")))
        .await;
    let said = host.wire.clone();
    assert_eq!(host.outage().await, "(the text is in the message below)");
    assert_eq!(said.said.lock().unwrap().len(), 1, "once");
}
