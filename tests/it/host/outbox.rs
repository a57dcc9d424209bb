//! What becomes of a reply for each kind of answer: waited for, sent another way, made smaller, or parked and told of.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use moonbell::config::Config;
use moonbell::dingtalk::Client;
use moonbell::message::{Address, Body, ChatKind, ConversationId, Reply};
use moonbell::outbox::{Outbox, Post, Timing, Which};
use moonbell::sim::{FaultOrder, HttpFaultKind};
use moonbell::store::Store;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::stage::{ALICE, BOB, LINA, OWNER, PATIENCE, Setup, Stage, TestHost, count};

const WEBHOOK: &str = "/robot/sendBySession";
const ROBOT: &str = "/v1.0/robot";
const TO_PERSON: &str = "POST /v1.0/robot/oToMessages/batchSend";

/// Calls of the bot whose path is `path`.
fn calls(host: &Stage, path: &str) -> u64 {
    host.look(|seen| {
        let all = &seen.state.counters.calls;
        all.iter().filter(|(call, _)| call.contains(path)).map(|(_, count)| *count).sum()
    })
}

fn well_again(host: &Stage) {
    host.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
}

fn about(host: &Stage, person: &str, part: &str) -> usize {
    host.look(|seen| seen.to(person).iter().filter(|text| text.contains(part)).count())
}

/// Answers for Alice and Bob that wait for a gate, whose webhooks are forgotten meanwhile; the owner's is alive.
async fn two_answers_without_a_webhook(kind: HttpFaultKind) -> TestHost {
    let host = Setup::new().start().await;
    let (one, two) = (host.hold("one"), host.hold("two"));
    host.say(ALICE, "hold one");
    host.say(BOB, "hold two");
    host.entered(&["one", "two"]).await;
    host.sim.faults(&FaultOrder { expire_webhooks: true, ..FaultOrder::default() });
    host.say(OWNER, "echo hello");
    host.until("the owner's webhook lives", |seen| seen.to(OWNER) == ["hello"]).await;
    host.fail(ROBOT, kind, 10_000);
    let parked = "SELECT count(*) FROM outbox WHERE state = 'parked'";
    one.open();
    host.until_true("one is parked", || host.journal(parked) == 1).await;
    two.open();
    host.until_true("both are parked", || host.journal(parked) == 2).await;
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_owner_can_mend_is_parked_told_once_and_sent_when_it_is_mended() {
    let scope = HttpFaultKind::MissingScope { scope: "qyapi_robot_sendmsg".to_owned() };
    for (kind, why) in [
        (scope, "grant the app `qyapi_robot_sendmsg` on open-dev.dingtalk.com"),
        (HttpFaultKind::IpNotAllowed, "allow-list"),
    ] {
        let host = two_answers_without_a_webhook(kind).await;
        host.until(why, |seen| seen.to(OWNER).iter().any(|text| text.contains(why))).await;
        assert_eq!(calls(&host, TO_PERSON), 1, "{why}: the second one is not tried");

        host.say(OWNER, "parked");
        host.until("the list", |seen| {
            seen.to(OWNER).iter().any(|text| {
                text.contains("released one")
                    && text.contains("released two")
                    && text.contains(ALICE)
            })
        })
        .await;
        assert_eq!(about(&host, OWNER, "could not be sent and is parked"), 1, "{why}: told once");
        host.say(ALICE, "parked");
        host.until("she is not told of what is for others", |seen| {
            seen.to(ALICE).iter().any(|text| text.contains("you may not use `parked`"))
        })
        .await;

        well_again(&host);
        host.say(OWNER, "parked retry all");
        host.until("both answers", |seen| {
            seen.to(ALICE).contains(&"released one") && seen.to(BOB).contains(&"released two")
        })
        .await;
        let stage = host.stop().await;
        assert_eq!(stage.journal("SELECT count(*) FROM outbox WHERE state <> 'sent'"), 0, "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_refused_is_parked_and_its_person_reads_that_it_does_not_come() {
    let host = Setup::new().start().await;
    host.say(OWNER, "echo hello");
    host.until("the owner's webhook lives", |seen| seen.to(OWNER) == ["hello"]).await;
    host.fail(WEBHOOK, HttpFaultKind::ContentUnsafe, 1);
    host.say(ALICE, "echo something");
    host.until("she knows", |seen| {
        seen.to(ALICE).len() == 1 && seen.to(ALICE)[0].contains("An answer could not be sent")
    })
    .await;
    host.say(ALICE, "echo else");
    host.until("the next one arrives", |seen| seen.to(ALICE).last() == Some(&"else")).await;
    host.until("the owner knows why", |seen| {
        seen.to(OWNER).iter().any(|text| text.contains("DingTalk refused the content"))
    })
    .await;
    assert_eq!(calls(&host, ROBOT), 0, "what is refused as content is not tried another way");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_repeated_on_the_same_path_and_nothing_overtakes_it() {
    let host = Setup::new().start().await;
    host.fail(WEBHOOK, HttpFaultKind::Lost, 1);
    host.say(ALICE, "echo one");
    host.say(ALICE, "echo two");
    host.until("all of it", |seen| seen.to(ALICE).last() == Some(&"two")).await;
    // Nobody could know that it had arrived; on a second path it would have been there twice for certain.
    host.look(|seen| assert_eq!(seen.to(ALICE), ["one", "one", "two"]));
    assert_eq!(calls(&host, ROBOT), 0);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_of_the_address_stops_every_call_at_once() {
    let host = Setup::new().start().await;
    host.fail(WEBHOOK, HttpFaultKind::Banned, 1);
    host.say(ALICE, "echo one");
    let waiting = "SELECT count(*) FROM outbox WHERE state = 'queued' AND error LIKE '%1111%'";
    host.until_true("the first waits", || host.journal(waiting) == 1).await;
    host.say(BOB, "echo two");
    host.say_in(0, LINA, "echo three");
    host.until_true("so do the others", || host.journal(waiting) == 3).await;
    assert_eq!((calls(&host, WEBHOOK), calls(&host, ROBOT)), (1, 0));
    let due = "SELECT min(due_at_ms - created_at_ms) FROM outbox WHERE state = 'queued'";
    assert!(host.journal(due) > 4 * 60 * 1000, "for as long as the ban lasts");
    // What cannot be sent now does not hold up the end.
    let stage = host.stop().await;
    assert_eq!(stage.journal(waiting), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_gone_is_tried_once_however_much_is_said() {
    let chatty = r#"
        bot.command("chatty <name>", function(ctx)
            shell.sh("echo $1 >> $2/entered; cat $2/$1.gate", ctx.args.name, "{home}")
            for n = 1, 5 do ctx:reply("part " .. n) end
        end)
    "#;
    let host = Setup::new().script("chatty.luau", chatty).start().await;
    let gate = host.hold("one");
    host.say(ALICE, "chatty one");
    host.entered(&["one"]).await;
    host.sim.faults(&FaultOrder { expire_webhooks: true, ..FaultOrder::default() });
    gate.open();
    host.until("all of it", |seen| {
        seen.to(ALICE) == ["part 1", "part 2", "part 3", "part 4", "part 5"]
    })
    .await;
    assert_eq!(calls(&host, WEBHOOK), 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dingtalk_calls_too_large_arrives_in_smaller_pieces() {
    let long = r#"
        bot.command("long", function(ctx)
            local lines = {}
            for n = 1, 60 do lines[n] = `line {n} ..............................` end
            ctx:reply(table.concat(lines, "\n"))
            ctx:reply("the end")
        end)
    "#;
    let expected: Vec<String> =
        (1..=60).map(|n| format!("line {n} ..............................")).collect();
    for webhooks in [true, false] {
        // Far below the limits that are documented.
        let setup = Setup::new().script("long.luau", long).sim(|options| {
            options.limits.webhook_bytes = 700;
            options.limits.msg_param_bytes = 700;
            if !webhooks {
                options.clocks.webhook = Duration::from_secs(30);
            }
        });
        let host = setup.start().await;
        host.say(ALICE, "long");
        host.until("every line, in order", |seen| {
            let said = seen.to(ALICE);
            let lines: Vec<&str> = said.iter().flat_map(|text| text.lines()).collect();
            lines.len() == 61 && lines[..60] == expected && lines[60] == "the end"
        })
        .await;
        host.look(|seen| assert!(seen.to(ALICE).len() > 3));
        let stage = host.stop().await;
        assert_eq!(stage.journal("SELECT count(*) FROM outbox WHERE state <> 'sent'"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_throttled_is_tried_again_and_one_that_stays_so_is_told_to_the_handler() {
    let file = r#"
        bot.command("file", function(ctx)
            fs.write("a.zip", "content")
            local ok, err = ctx:send_file("a.zip")
            ctx:reply(if ok then "sent" else "not sent: " .. err.kind)
        end)
    "#;
    let host = Setup::new().script("file.luau", file).start().await;
    host.fail("/media/upload", HttpFaultKind::Throttle, 2);
    host.say(ALICE, "file");
    host.until("the third try", |seen| seen.to(ALICE).last() == Some(&"sent")).await;
    host.fail("/media/upload", HttpFaultKind::Throttle, 100);
    host.say(ALICE, "file");
    host.until("the end of patience", |seen| seen.to(ALICE).last() == Some(&"not sent: throttled"))
        .await;
    assert_eq!(calls(&host, "/media/upload"), 6);
    host.stop().await;
}

// ---- The command ----

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Asks the binary about the outbox of this stage.
fn outbox(stage: &Stage, arguments: &[&str]) -> Answer {
    let mut settings = format!(
        "[scripts]\ndir = {:?}\n[state]\ndir = {:?}\n",
        stage.path("scripts"),
        stage.state_dir()
    );
    let _ = writeln!(settings, "[access]\nowner = \"{OWNER}\"");
    let file = stage.path("outbox.toml");
    fs::write(&file, settings).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_moonbell"))
        .arg(arguments[0])
        .arg("--config")
        .arg(&file)
        .args(&arguments[1..])
        .env_clear()
        .env("HOME", stage.home.path())
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_lists_what_is_parked_sends_it_again_and_gives_it_up() {
    let scope = HttpFaultKind::MissingScope { scope: "qyapi_robot_sendmsg".to_owned() };
    let host = two_answers_without_a_webhook(scope).await;
    let listed = outbox(&host, &["outbox", "--json"]);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!((&listed["parked"], &listed["queued"]), (&2.into(), &0.into()), "{listed}");
    let replies = listed["replies"].as_array().unwrap();
    let of = |person: &str| replies.iter().find(|reply| reply["to"] == person).unwrap();
    let (alice, bob) = (of(ALICE), of(BOB));
    assert_eq!((&alice["state"], &alice["text"]), (&"parked".into(), &"released one".into()));
    assert!(alice["error"].as_str().unwrap().contains("AccessTokenPermissionDenied"), "{alice}");
    assert!(alice["hint"].as_str().unwrap().contains("qyapi_robot_sendmsg"), "{alice}");

    let text = outbox(&host, &["outbox"]).out;
    assert!(text.starts_with("2 parked, 0 queued\n") && text.contains("hint: "), "{text}");
    host.until_true("the status says it", || {
        outbox(&host, &["status"]).out.contains("2 parked (see `moonbell outbox`)")
    })
    .await;

    well_again(&host);
    let (alice, bob) = (alice["id"].to_string(), bob["id"].to_string());
    let again = outbox(&host, &["outbox", "retry", &alice]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    host.until("it arrives", |seen| seen.to(ALICE).contains(&"released one")).await;
    let dropped = outbox(&host, &["outbox", "drop", &bob]);
    assert!(dropped.code == Some(0) && dropped.err.contains("given up"), "{}", dropped.err);
    assert_eq!(outbox(&host, &["outbox"]).out.trim(), "every reply has been sent");
    for (arguments, code, why) in [
        (["outbox", "retry", &bob], 1, "is parked"),
        (["outbox", "retry", "999999"], 1, "no reply `999999` is parked"),
        (["outbox", "retry", "everything"], 2, "expected the number of a reply, or `all`"),
    ] {
        let refused = outbox(&host, &arguments);
        assert!(refused.code == Some(code) && refused.err.contains(why), "{}", refused.err);
    }
    host.look(|seen| assert!(!seen.all().contains(&"released two"), "given up is given up"));
    let stage = host.stop().await;
    let gone = outbox(&stage, &["outbox", "retry", "all"]);
    assert!(gone.code == Some(1) && gone.err.contains("no moonbell runs"), "{}", gone.err);
    assert_eq!(outbox(&stage, &["outbox"]).code, Some(0), "the list needs no host");
}

// ---- An outbox before a server of the test's own ----

/// A DingTalk that answers as told, and counts.
#[derive(Debug, Default)]
struct Desk {
    calls: AtomicU32,
    well: AtomicBool,
    /// What it says while it is not well; `None`: nothing at all.
    answer: Option<(u16, &'static str)>,
    said: Mutex<Vec<(String, String)>>,
}

async fn answer(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    if request.uri().path().ends_with("accessToken") {
        return r#"{"accessToken":"token","expireIn":7200}"#.into_response();
    }
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    desk.calls.fetch_add(1, Ordering::SeqCst);
    if !desk.well.load(Ordering::SeqCst) {
        let Some((status, answer)) = desk.answer else {
            return std::future::pending().await;
        };
        return (StatusCode::from_u16(status).unwrap(), answer).into_response();
    }
    let param: Value = serde_json::from_str(body["msgParam"].as_str().unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let said = (text(&body["openConversationId"]), text(&param["content"]));
    desk.said.lock().unwrap().push(said);
    r#"{"processQueryKey":"key"}"#.into_response()
}

struct Bench {
    desk: Arc<Desk>,
    base: url::Url,
    dir: TempDir,
    store: Store,
    _server: JoinSet<()>,
}

struct Running {
    outbox: Outbox,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Bench {
    async fn new(answer_with: Option<(u16, &'static str)>) -> Self {
        let desk = Arc::new(Desk { answer: answer_with, ..Desk::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&desk));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path()).unwrap();
        Self { desk, base, dir, store, _server: server }
    }

    async fn start(&self, timing: Timing) -> Running {
        let outbox = Outbox::open(self.store.clone()).await.unwrap().timing(timing);
        let mut config = Config::new(self.dir.path(), self.dir.path()).dingtalk;
        "ding".clone_into(&mut config.client_id);
        (config.api_base, config.oapi_base) = (self.base.clone(), self.base.clone());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(outbox.clone().run(Client::new(&config).unwrap(), None, stop.clone()));
        Running { outbox, stop, tasks }
    }

    fn count(&self, question: &str) -> i64 {
        count(self.dir.path(), question)
    }

    async fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !is() {
            let calls = self.desk.calls.load(Ordering::SeqCst);
            assert!(tokio::time::Instant::now() < deadline, "never: {what}; {calls} calls");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Running {
    async fn post(&self, chat: &str, text: &str) {
        let to = Address {
            conversation_id: ConversationId::new(chat),
            kind: ChatKind::Group,
            staff_id: None,
            robot_code: None,
            webhook: None,
        };
        let body = Body::Text { text: text.to_owned() };
        self.outbox
            .post("run", vec![Post::Reply(Reply { to, body, at: Vec::new() })])
            .await
            .unwrap();
    }
}

fn quick() -> Timing {
    let ms = Duration::from_millis;
    Timing { backoff: ms(10), ceiling: ms(40), asked: 0.01, ..Timing::default() }
}

const THROTTLED: (u16, &str) =
    (403, r#"{"code":"Forbidden.AccessDenied.QpsLimitForAppkeyAndApi","message":"no"}"#);
const BUSY: (u16, &str) = (500, r#"{"code":"system.busy","message":"no"}"#);

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_app_knocks_with_one_call_for_all_its_conversations() {
    let bench = Bench::new(Some(THROTTLED)).await;
    let running = bench.start(Timing::default()).await;
    for chat in 0..64 {
        for part in ["1", "2"] {
            running.post(&format!("c{chat}"), part).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    // Sixty-four that tried again by themselves would have made some two hundred.
    let knocks = bench.desk.calls.load(Ordering::SeqCst);
    assert!((1..=10).contains(&knocks), "{knocks} calls in five seconds of throttling");
    bench.desk.well.store(true, Ordering::SeqCst);
    bench.until("everything is said", || bench.desk.said.lock().unwrap().len() == 128).await;
    let mut chats: HashMap<String, Vec<String>> = HashMap::new();
    for (chat, text) in bench.desk.said.lock().unwrap().iter().cloned() {
        chats.entry(chat).or_default().push(text);
    }
    assert!(chats.len() == 64 && chats.values().all(|said| said == &["1", "2"]), "{chats:?}");
    running.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_counted_on_disk_and_outlive_the_host() {
    let bench = Bench::new(Some(BUSY)).await;
    let mut running = bench.start(quick()).await;
    running.post("c", "one").await;
    let tries = "SELECT coalesce(max(attempts), 0) FROM outbox WHERE state = 'queued'";
    bench.until("three tries", || bench.count(tries) >= 3).await;
    running.tasks.shutdown().await;
    let before = bench.count(tries);
    let said = "SELECT count(*) FROM outbox WHERE error LIKE '%system.busy%' AND due_at_ms > 0";
    assert_eq!(bench.count(said), 1, "with the reason and the time of the next");
    let running = bench.start(quick()).await;
    running.post("c", "two").await;
    bench.until("it goes on counting", || bench.count(tries) > before).await;
    bench.desk.well.store(true, Ordering::SeqCst);
    bench.until("both are said", || bench.desk.said.lock().unwrap().len() == 2).await;
    let said: Vec<_> =
        bench.desk.said.lock().unwrap().iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(said, ["one", "two"], "the second waited for the first");
    running.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_with_which_the_host_dies_again_and_again_is_parked_and_not_said_for_ever() {
    let bench = Bench::new(None).await;
    let mut starts = 0;
    loop {
        let mut running = bench.start(quick()).await;
        if starts == 0 {
            running.post("c", "one").await;
        }
        starts += 1;
        let parked = "SELECT count(*) FROM outbox WHERE state = 'parked'";
        let calls = bench.desk.calls.load(Ordering::SeqCst);
        bench
            .until("the call is under way, or none is made any more", || {
                bench.desk.calls.load(Ordering::SeqCst) > calls || bench.count(parked) == 1
            })
            .await;
        running.tasks.shutdown().await;
        if bench.count(parked) == 1 {
            break;
        }
        assert!(starts < 20, "it is said with every start");
    }
    // Whether the first call was noted before it was made depends on when the host died.
    let calls = bench.desk.calls.load(Ordering::SeqCst);
    assert!((5..=6).contains(&calls), "{calls}");
    assert_eq!(
        bench.count("SELECT count(*) FROM outbox WHERE error LIKE '%so it may have been said%'"),
        1
    );
    // Who asks for it knows what they do.
    bench.desk.well.store(true, Ordering::SeqCst);
    let running = bench.start(quick()).await;
    assert_eq!(running.outbox.retry(Which::All).await.unwrap().len(), 1);
    bench.until("it is said", || bench.desk.said.lock().unwrap().len() == 1).await;
    running.stop.cancel();
}
