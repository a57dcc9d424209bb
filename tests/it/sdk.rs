//! The official Python and Node SDKs against the simulator, unmodified but for the base URL.
//!
//! They are the proof that the stand-in stands in: nothing of this repository is on the client's side.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use moonbell::sim::CARD_TEMPLATE;
use moonbell::sim::CardState;
use moonbell::sim::Click;
use moonbell::sim::Clicked;
use moonbell::sim::Say;
use moonbell::sim::Sim;
use moonbell::sim::State;
use serde_json::json;
use tokio::process::Child;
use tokio::process::Command;

const OWNER: &str = "manager4220";
/// An interpreter that starts on a machine that is busy compiling.
const PATIENCE: Duration = Duration::from_mins(1);

/// A bot of somebody else's, ended with the test.
struct Bot {
    sim: Sim,
    process: Child,
    output: tempfile::NamedTempFile,
}

impl Bot {
    async fn start(mut command: Command) -> Self {
        let sim = Sim::start(moonbell::sim::Options::default()).await.unwrap();
        let output = tempfile::NamedTempFile::new().unwrap();
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        let process = command
            .env("DINGTALK_OPENAPI_ENDPOINT", sim.api_base())
            .env("MOONBELL_TEST_BASE_URL", sim.api_base())
            .env("MOONBELL_TEST_CLIENT_ID", sim.client_id())
            .env("MOONBELL_TEST_CLIENT_SECRET", sim.client_secret())
            .env("MOONBELL_TEST_CARD_TEMPLATE", CARD_TEMPLATE)
            .stdin(Stdio::null())
            .stdout(output.reopen().unwrap())
            .stderr(output.reopen().unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let bot = Self { sim, process, output };
        bot.until(|state| state.bot.connected).await;
        bot
    }

    async fn until(&self, seen: impl FnMut(&State) -> bool) -> State {
        match self.sim.until_within(PATIENCE, seen).await {
            Ok(state) => state,
            Err(error) => {
                let said = std::fs::read_to_string(self.output.path()).unwrap_or_default();
                panic!("{error}\n== the bot printed\n{said}");
            }
        }
    }

    async fn says(&self, text: &str, reply: &str) {
        self.sim.say(&Say::direct(OWNER, text)).unwrap();
        let chat = self.sim.direct_chat(OWNER);
        self.until(|state| state.replies(&chat).last() == Some(&reply)).await;
    }

    /// A card of the native kind, from creation to a click on the finished card.
    async fn takes_a_card_through_its_life(&self) {
        self.sim.say(&Say::direct(OWNER, "native card")).unwrap();
        let ended = |state: &State| {
            state.cards.iter().any(|card| card.text == "one two" && card.state.is_terminal())
        };
        let state = self.until(ended).await;
        let card = state.cards.iter().find(|card| card.text == "one two").unwrap();
        assert_eq!((card.state, card.calls), (CardState::Finished, 3));
        let click = Click {
            card: card.id.clone(),
            from: OWNER.to_owned(),
            action_id: card.buttons[0].id.clone(),
            ..Click::default()
        };
        let clicked = self.sim.click(&click).await.unwrap();
        assert!(matches!(clicked, Clicked::Answered { .. }), "{clicked:?}");
        let state = self.sim.state();
        let title = &state.card(&click.card).unwrap().params["title"];
        assert_eq!(*title, format!("clicked by {OWNER}"));
        assert_eq!(self.sim.stuck_cards(), []);
    }

    /// Everything was acknowledged in a way that DingTalk understands.
    async fn ends(mut self, acks: u64) {
        let state = self.until(|state| state.counters.acks >= acks).await;
        assert_eq!(state.counters.bad_acks, 0, "{}", self.sim.transcript());
        self.process.kill().await.unwrap();
        self.sim.stop().await;
    }
}

#[tokio::test]
async fn the_python_sdk_echoes_and_takes_cards_through_their_life() {
    let python = tool("MOONBELL_TEST_PYTHON", "python/bin/python");
    let mut command = Command::new(&python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/python/echo.py"));
    let bot = Bot::start(command).await;
    bot.says("hello", "echo: hello").await;
    bot.says("markdown", "**bold**").await;
    bot.takes_a_card_through_its_life().await;
    // The SDK's own kind of card: its state is a variable.
    bot.says("card", "one two three").await;
    let card = bot
        .until(|state| {
            state.cards.len() == 2 && state.cards.iter().all(|card| card.state.is_terminal())
        })
        .await;
    assert!(
        card.cards
            .iter()
            .any(|card| card.params.get("flowStatus").is_some_and(|status| status == "3"))
    );
    let picture = bot.sim.upload("chart.png", &b"\x89PNG pretend"[..]);
    bot.sim.say(&Say::direct(OWNER, "").with_file(picture)).unwrap();
    let chat = bot.sim.direct_chat(OWNER);
    bot.until(|state| state.replies(&chat).last() == Some(&"picture: True")).await;
    bot.sim.event("user_add_org", &json!({ "timeStamp": "1", "userId": [OWNER] }));
    // Two greetings, five messages, a click and an event.
    bot.ends(9).await;
}

#[tokio::test]
async fn the_node_sdk_echoes_and_takes_a_card_through_its_life() {
    let modules = tool("MOONBELL_TEST_NODE_MODULES", "node/node_modules");
    assert!(
        modules.join("dingtalk-stream").exists(),
        "{}",
        missing(&modules.join("dingtalk-stream"))
    );
    let mut command = Command::new("node");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/node/echo.cjs"))
        .env("NODE_PATH", &modules);
    let bot = Bot::start(command).await;
    bot.says("hello", "echo: hello").await;
    bot.takes_a_card_through_its_life().await;
    bot.sim.event("user_add_org", &json!({ "timeStamp": "1", "userId": [OWNER] }));
    // Two messages, a click and an event; this SDK does not answer greetings.
    bot.ends(4).await;
}

/// Where `tests/run` put something, or where the environment says it is.
fn tool(variable: &str, default: &str) -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools").join(default);
    let path = std::env::var_os(variable).map_or(installed, PathBuf::from);
    assert!(path.exists(), "{}", missing(&path));
    path
}

fn missing(path: &Path) -> String {
    format!(
        "`{}` is missing: run tests/run, it installs the official SDKs and says where",
        path.display()
    )
}
