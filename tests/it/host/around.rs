//! What the examples find around them: programs, repositories, files, and servers on this computer.
//!
//! Everything is real but small, and lies in the home folder of the test: stubs of programs in `bin`, which comes first
//! in the host's `PATH`, and a web server on loopback.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::process::HostProcess;

/// What the stub of the language model wants.
pub(super) const MODEL_KEY: &str = "key-of-the-model";

/// The home folder of one example, and its servers.
#[derive(Debug)]
pub(super) struct Around {
    home: PathBuf,
    /// `http://127.0.0.1:port`
    url: String,
    web: Arc<Web>,
    _serving: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Web {
    shop_is_down: AtomicBool,
    model_is_overloaded: AtomicBool,
}

impl Around {
    /// Prepares the home folder as this example expects it.
    pub(super) async fn prepare(example: &str, home: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let web = Arc::new(Web::default());
        let app = axum::Router::new()
            .route("/shop", get(shop))
            .route("/api", get(|| async { "well" }))
            .route("/v1/chat/completions", post(complete))
            .with_state(Arc::clone(&web));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        let around = Self { home: home.to_owned(), url, web, _serving: serving };
        around.furnish(example);
        around
    }

    /// What a person who copies the example would change at its top: each text that is there once, and another.
    pub(super) fn changes(&self, example: &str) -> Vec<(&'static str, String)> {
        let url = |path: &str| format!("{}{path}", self.url);
        match example {
            "health" => vec![
                ("https://shop.example.com/health", url("/shop")),
                ("https://api.example.com/health", url("/api")),
                ("EVERY = \"1m\"", "EVERY = \"200ms\"".to_owned()),
            ],
            "ask" => {
                vec![("https://api.openai.com/v1/chat/completions", url("/v1/chat/completions"))]
            }
            "build" => vec![("EVERY = \"2m\"", "EVERY = \"200ms\"".to_owned())],
            "remind" => vec![("LOOK = \"10s\"", "LOOK = \"200ms\"".to_owned())],
            _ => Vec::new(),
        }
    }

    fn furnish(&self, example: &str) {
        match example {
            "agent" => {
                self.program("bin/claude", CLAUDE);
                fs::create_dir_all(self.home.join("src/app")).unwrap();
            }
            "build" => {
                let origin = self.repository("origin");
                self.file("origin/Makefile", "test:\n\t@echo testing\n\t@sh ./check.sh\n");
                self.file("origin/check.sh", "echo all 3 tests passed\n");
                commit(&origin, "the beginning");
                self.clone_of("origin", "build/app");
            }
            "deploy" => self.program(
                "app/deploy.sh",
                "echo \"building $2\"\n[ \"$2\" = v1.3 ] && { echo 'error: there is no tag v1.3'; exit 1; }\n\
                 echo \"uploading to $1\"\n",
            ),
            "disk" => {
                self.program("bin/df", DF);
                self.program("bin/ps", PS);
            }
            "files" => {
                self.file("Shared/notes.md", "hello\n");
                self.file("Shared/reports/2026-01.csv", &"1,2,3,4\n".repeat(256));
                self.file(".ssh/id_ed25519", "private");
                symlink("../.ssh/id_ed25519", self.home.join("Shared/link-to-secrets")).unwrap();
            }
            "logs" => self.file(
                "logs/web.log",
                "10:01 GET /cart timeout after 30s\n10:02 GET / timeout, tried again\n\
                 10:03 GET /pay TIMEOUT after 31s <b>`rm -rf`</b>\n10:04 GET / 200\n",
            ),
            "repos" => {
                let origin = self.repository("origin");
                self.file("origin/a", "1");
                commit(&origin, "one");
                git(&origin, &["branch", "draft"]);
                self.clone_of("origin", "src/app");
                self.clone_of("origin", "src/site");
                git(&self.home.join("src/site"), &["checkout", "-q", "draft"]);
                git(&origin, &["checkout", "-q", "draft"]);
                self.file("origin/b", "2");
                commit(&origin, "two");
                git(&self.home.join("src/site"), &["fetch", "-q"]);
                self.file("src/app/c", "3");
                commit(&self.home.join("src/app"), "three");
                self.file("src/app/a", "changed");
                self.file("src/app/new", "new");
            }
            _ => {}
        }
    }

    /// Makes happen what a transcript says in parentheses.
    pub(super) async fn happens(&self, what: &str, host: &HostProcess) {
        match what {
            "the shop answers 503" => self.web.shop_is_down.store(true, Ordering::Relaxed),
            "the shop answers again" => self.web.shop_is_down.store(false, Ordering::Relaxed),
            "the model is overloaded" => {
                self.web.model_is_overloaded.store(true, Ordering::Relaxed);
            }
            "the log goes on" => {
                shows(host, "10:04 GET / 200").await;
                let mut log = self.read("logs/web.log");
                log.push_str("10:05 GET /new\n");
                self.file("logs/web.log", &log);
                shows(host, "10:05 GET /new").await;
            }
            // It has said something: the title alone is there before the program is.
            "the agent is at work" => shows(host, "think for ever**\n\nLet me look").await,
            "bob pushes a commit that breaks a test" => {
                self.file("origin/check.sh", "echo FAILED: adds_two_numbers\nexit 1\n");
                commit(&self.home.join("origin"), "faster, I hope");
            }
            "bob pushes a commit that mends it" => {
                self.file("origin/check.sh", "echo all 3 tests passed\n");
                commit(&self.home.join("origin"), "slower, but right");
            }
            other => panic!("nobody knows how to make this happen: ({other})"),
        }
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.home.join(path)).unwrap()
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.home.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A script of the shell that can be started like a program.
    fn program(&self, path: &str, text: &str) {
        self.file(path, &format!("#!/bin/sh\n{text}"));
        fs::set_permissions(self.home.join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn repository(&self, path: &str) -> PathBuf {
        let folder = self.home.join(path);
        fs::create_dir_all(&folder).unwrap();
        git(&folder, &["init", "-q", "-b", "main"]);
        folder
    }

    fn clone_of(&self, origin: &str, path: &str) {
        fs::create_dir_all(self.home.join(path)).unwrap();
        git(&self.home, &["clone", "-q", origin, path]);
    }
}

/// Waits until a card or message shows this.
async fn shows(host: &HostProcess, text: &str) {
    host.until(text, |seen| seen.all().iter().any(|shown| shown.contains(text))).await;
}

#[track_caller]
fn git(folder: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=Bob", "-c", "user.email=bob@example.com"])
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", message]);
}

async fn shop(State(web): State<Arc<Web>>) -> StatusCode {
    if web.shop_is_down.load(Ordering::Relaxed) {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    }
}

/// Chat completions, streamed as most servers do.
async fn complete(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    Json(asked): Json<Value>,
) -> Response {
    if web.model_is_overloaded.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "overloaded").into_response();
    }
    let key = headers.get("authorization").and_then(|value| value.to_str().ok());
    if key.and_then(|key| key.strip_prefix("Bearer ")) != Some(MODEL_KEY) {
        return (StatusCode::UNAUTHORIZED, "wrong key").into_response();
    }
    let questions: Vec<&str> = asked["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["role"] == "user")
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    let last = questions.last().unwrap();
    let (count, s) = (questions.len(), if questions.len() == 1 { "" } else { "s" });
    let answer = if last.contains("什么是") {
        "Luau 是一种带类型的 **Lua**。".to_owned()
    } else {
        format!("You asked {count} question{s} so far; the last: {last}")
    };
    let words: Vec<String> = answer.chars().map(String::from).collect();
    let pieces = words.chunks(4).map(|words| {
        let delta = json!({ "choices": [{ "index": 0, "delta": { "content": words.concat() } }] });
        format!("data: {delta}\n\n")
    });
    let begin = json!({ "choices": [{ "index": 0, "delta": { "role": "assistant" } }] });
    let body: Vec<Result<Bytes, Infallible>> = std::iter::once(format!("data: {begin}\n\n"))
        .chain(pieces)
        .chain(["data: [DONE]\n\n".to_owned()])
        .map(|piece| Ok(piece.into()))
        .collect();
    ([("content-type", "text/event-stream")], Body::from_stream(stream::iter(body))).into_response()
}

/// A coding agent that writes what Claude Code writes with `--output-format stream-json`.
const CLAUDE: &str = r#"
task=$(cat)
say() { printf '{"type":"assistant","session_id":"s-1","message":{"content":[{"type":"text","text":"%s"}]}}\n' "$1"; }
use() { printf '{"type":"assistant","session_id":"s-1","message":{"content":[{"type":"tool_use","name":"%s","input":{"%s":"%s"}}]}}\n' "$1" "$2" "$3"; }
printf '{"type":"system","subtype":"init","session_id":"s-1"}\n'
case " $* " in *" --resume s-1 "*) say "You asked before; now: $task"; exit 0 ;; esac
say "Let me look."
[ "$task" = "think for ever" ] && sleep 600
use Read file_path Makefile
use Bash command "make -n"
say 'The target `test` is missing.'
printf '{"type":"result","subtype":"success","session_id":"s-1","result":"The target `test` is missing."}\n'
"#;

const DF: &str = r"cat <<'END'
Filesystem     1024-blocks      Used Available Capacity Mounted on
tmpfs              1635216      2212   1633004       1% /run
/dev/nvme0n1p2   488321024 463888384  24432640      95% /
/dev/loop3           65536     65536         0     100% /snap/core/1
/dev/sda1       1953480704 976740352 976740352      50% /data
END
";

const PS: &str = r"cat <<'END'
    1  0.0  0.1 systemd
  812 93.0  4.1 postgres
  977 12.5 18.0 node|web
END
";
