//! The first quarter of an hour with moonbell, as the README tells it: the real binary with an empty home, and the chat
//! page in a real browser.

#![expect(clippy::unwrap_used, reason = "tests: a failure here is the failure of the test")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::browser::Browser;
use crate::browser::Page;

const OWNER: &str = "王小明";
const COLLEAGUE: &str = "Alice Chen";
const GROUP: &str = "研发群 Engineering";

/// Far more than a machine needs that builds beside the tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// `moonbell dev` in a home where nothing has ever been.
pub(crate) struct Dev {
    home: TempDir,
    host: Child,
    /// Of its page, with the key.
    pub(crate) url: String,
    said: Arc<Mutex<String>>,
    readers: JoinSet<()>,
}

impl Dev {
    pub(crate) async fn start() -> Self {
        let home = TempDir::with_prefix("moonbell-newcomer-").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_moonbell"));
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| {
            ["MOONBELL_", "XDG_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix))
        }) {
            command.env_remove(name);
        }
        let mut host = command
            .args(["dev", "--port", "0"])
            .current_dir(home.path())
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut out = BufReader::new(host.stdout.take().unwrap()).lines();
        let said = Arc::new(Mutex::new(String::new()));
        let mut readers = JoinSet::new();
        readers.spawn(keep(host.stderr.take().unwrap(), Arc::clone(&said)));
        let url = timeout(PATIENCE, out.next_line()).await.expect("an address in time").unwrap();
        let url = url.unwrap_or_else(|| panic!("no address; it said:\n{}", said.lock().unwrap()));
        assert!(url.starts_with("http://127.0.0.1:"), "the address and nothing else: {url}");
        Self { home, host, url, said, readers }
    }

    fn script(&self, name: &str) -> PathBuf {
        self.home.path().join("moonbell/scripts").join(name)
    }

    /// Saves as editors do: whole, under another name, then renamed.
    #[track_caller]
    fn save(&self, name: &str, text: &str) {
        let aside = self.script(&format!(".{name}.swp"));
        fs::write(&aside, text).unwrap();
        fs::rename(aside, self.script(name)).unwrap();
    }

    /// Waits until the terminal shows this text.
    async fn until_said(&self, text: &str) {
        let shown = async {
            let mut look = tokio::time::interval(Duration::from_millis(20));
            while !self.said.lock().unwrap().contains(text) {
                look.tick().await;
            }
        };
        assert!(
            timeout(PATIENCE, shown).await.is_ok(),
            "the terminal never showed {text:?}, but:\n{}",
            self.said.lock().unwrap()
        );
    }

    /// Runs a command in a second terminal of the same person; what it says, without the end of the last line.
    async fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moonbell"));
        command.args(arguments).current_dir(self.home.path()).env_clear();
        command.env("HOME", self.home.path()).kill_on_drop(true);
        let done = timeout(PATIENCE, command.output()).await.expect("it ends in time").unwrap();
        let said = [done.stdout, done.stderr].concat();
        String::from_utf8(said).unwrap().trim_end().to_owned()
    }

    /// Presses Ctrl-C, and returns how the host ended and all that the terminal showed.
    async fn interrupt(mut self) -> (ExitStatus, String) {
        let pid = nix::unistd::Pid::from_raw(self.host.id().unwrap().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        let status = timeout(PATIENCE, self.host.wait()).await.expect("it ends in time").unwrap();
        while self.readers.join_next().await.is_some() {}
        let said = self.said.lock().unwrap().clone();
        (status, said)
    }
}

async fn keep(from: impl AsyncRead + Unpin, to: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut said = to.lock().unwrap();
        said.push_str(&line);
        said.push('\n');
    }
}

#[track_caller]
fn has_starters(folder: &Path) {
    for name in ["ping.luau", "sh.luau", "sys.luau", "watch.luau"] {
        assert!(folder.join(name).is_file(), "{name} is not in {}", folder.display());
    }
}

/// Waits until the newest card is in this state under this title.
async fn until_card(page: &Page, title: &str, state: &str) {
    let script = format!(
        "const card = [...document.querySelectorAll('[data-test=card]')].at(-1); \
         return card?.dataset.state === {} && card.querySelector('.card-title').innerText === {}",
        json!(state),
        json!(title)
    );
    page.until(&format!("the card {title:?} is {state}"), &script).await;
}

#[tokio::test]
async fn a_newcomer_sees_answers_a_streaming_card_and_an_edit_at_work() {
    let dev = Dev::start().await;
    has_starters(dev.script("x").parent().unwrap());
    dev.until_said("connected").await;
    let page = Browser::open(&dev.url).await;

    // The owner, in a direct chat.
    page.act_as(OWNER).await;
    page.say("help").await;
    page.until_answer("ping — Is the computer there?").await;
    page.until_answer("sh <command...> — ").await;
    page.say("ping").await;
    page.until_answer("pong").await;
    page.say("帮助").await;
    page.until_answer("电脑在线吗？").await;
    page.say("sys").await;
    page.until("the table of `sys` is a table", "return [...document.querySelectorAll('[data-test=message] table')].at(-1)?.innerText.includes('load')")
        .await;
    page.say("pnig").await;
    page.until_answer("did you mean ping?").await;

    // A card that is seen while the command still runs, and then ends with it.
    let gate = dev.home.path().join("go-on");
    page.say(&format!(
        "sh echo first line; until [ -e '{}' ]; do sleep 0.05; done; echo last line",
        gate.display()
    ))
    .await;
    page.until_card("inputing").await;
    page.until("the first line is there before the last one is written", "return [...document.querySelectorAll('[data-test=card-body] pre')].at(-1)?.innerText.trim() === 'first line'")
        .await;
    fs::write(&gate, "").unwrap();
    page.until_card("finished").await;
    let shown = page.card_text().await;
    assert!(shown.contains("first line\nlast line") && shown.contains("exit 0"), "{shown}");

    // One that never ends, until it is told to.
    page.say("sh echo waiting; sleep 600").await;
    until_card(&page, "echo waiting; sleep 600", "inputing").await;
    page.say("stop").await;
    page.until_text("Stopped (run ").await;
    until_card(&page, "echo waiting; sleep 600", "failed").await;

    // Somebody else, in a group, by mentioning the bot: may say `ping`, may not run commands.
    page.act_as(COLLEAGUE).await;
    page.open_chat(GROUP).await;
    page.say("ping").await;
    page.until_answer("pong").await;
    page.say("sh id").await;
    page.until_answer("Sorry, you may not use `sh`.").await;
    assert_eq!(page.console().await, Vec::<String>::new());
    page.close().await;

    let (status, said) = dev.interrupt().await;
    assert!(!said.contains("cut off"), "nothing runs, so nothing is waited for: {said}");
    assert!(status.success(), "{status}: {said}");
    assert_eq!(said.matches("connected").count(), 1, "one line for one thing:\n{said}");
}

#[tokio::test]
async fn an_edit_answers_the_next_message_and_a_broken_one_leaves_the_old_at_work() {
    let dev = Dev::start().await;
    let page = Browser::open(&dev.url).await;
    page.act_as(OWNER).await;
    page.say("ping").await;
    page.until_answer("pong").await;

    let ping = fs::read_to_string(dev.script("ping.luau")).unwrap();
    dev.save("ping.luau", &ping.replace("\"pong\"", "\"在，第二版\""));
    dev.until_said("ping.luau: version 2 serves").await;
    page.say("ping").await;
    page.until_answer("在，第二版").await;

    dev.save("ping.luau", &ping.replace("ctx:reply(\"pong\")", "ctx:reply(\"pong\""));
    dev.until_said("still running the version of ").await;
    {
        let said = dev.said.lock().unwrap();
        let (_, error) = said.split_once("error ").unwrap();
        assert!(error.contains("ping.luau:") && error.contains('^'), "place and caret:\n{error}");
    }
    page.say("ping again, please").await;
    page.until_answer("ping").await;
    page.say("ping").await;
    page.until_answer("在，第二版").await;

    // A new file is a new command; the README's first one.
    dev.save(
        "hello.luau",
        "bot.command(\"hello [name]\", {\n\thelp = { en = \"Say hello\", zh = \"打个招呼\" },\n\trun = function(ctx)\n\t\tctx:reply(\"Hello, \" .. (ctx.args.name or ctx.user.name) .. \"!\")\n\tend,\n})\n",
    );
    dev.until_said("hello.luau: version 1 serves").await;
    page.say("hello").await;
    page.until_answer("Hello, 王小明!").await;
    page.say("hello 世界").await;
    page.until_answer("Hello, 世界!").await;
    page.close().await;

    let (status, said) = dev.interrupt().await;
    assert!(status.success(), "{status}: {said}");
}

/// The blocks of a page that are marked with this language, and the file that the text before each one names.
fn blocks(page: &str) -> Vec<(&str, Option<&str>, &str)> {
    let mut found = Vec::new();
    let mut before = page;
    while let Some((text, rest)) = before.split_once("\n```") {
        let (language, rest) = rest.split_once('\n').unwrap();
        let (block, rest) = rest.split_once("\n```").unwrap();
        let file = ["ave this as `", "ave as `", "保存为 `"]
            .into_iter()
            .filter_map(|words| text.rsplit_once(words))
            .min_by_key(|(_, name)| name.len());
        found.push((language, file.and_then(|(_, name)| name.split('`').next()), block));
        before = rest;
    }
    found
}

/// What stands before a line of a transcript, whose line it is, and how far the lines are indented that go on.
const SPEAKERS: [(&str, &str, usize); 6] = [
    ("You: ", "You", 5),
    ("Bot: ", "Bot", 5),
    ("Card: ", "Card", 6),
    ("你：", "You", 4),
    ("机器人：", "Bot", 8),
    ("卡片：", "Card", 6),
];

/// Who says what in a transcript, and the lines that belong to it.
fn lines(transcript: &str) -> Vec<(String, String)> {
    let mut said: Vec<(String, String)> = Vec::new();
    let mut indent = 0;
    for line in transcript.lines() {
        let begins =
            SPEAKERS.iter().find_map(|(mark, who, by)| Some((line.strip_prefix(mark)?, who, by)));
        if let Some((text, who, by)) = begins {
            said.push(((*who).to_owned(), text.to_owned()));
            indent = *by;
        } else {
            let (_, text) = said.last_mut().expect("a transcript begins with who says it");
            text.push('\n');
            text.push_str(line.get(indent..).unwrap_or_default());
        }
    }
    said
}

/// What is typed after `$ moonbell`, and what comes of it.
fn commands(terminal: &str) -> Vec<(Vec<&str>, String)> {
    let typed = terminal.split("$ moonbell ").skip(1);
    typed
        .map(|text| text.split_once('\n').unwrap_or((text, "")))
        .map(|(command, shown)| (command.split(' ').collect(), shown.trim_end().to_owned()))
        .collect()
}

/// The simulator's control API, as a page uses it.
pub(crate) struct Control {
    http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: String,
}

impl Control {
    pub(crate) fn new(url: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let (base, token) = url.split_once("/sim/#token=").unwrap();
        Self { http: reqwest::Client::new(), base: base.to_owned(), token: token.to_owned() }
    }

    pub(crate) async fn state(&self) -> Value {
        let request =
            self.http.get(format!("{}/sim/api/state", self.base)).bearer_auth(&self.token);
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn say(&self, chat: &str, from: &str, text: &str) {
        let body = json!({ "chat": chat, "from": from, "text": text });
        let request = self.http.post(format!("{}/sim/api/say", self.base)).bearer_auth(&self.token);
        assert!(request.json(&body).send().await.unwrap().status().is_success());
    }

    /// What the bot has said in a chat: text, Markdown, and cards that have ended.
    async fn answers(&self, chat: &str) -> Vec<(String, String)> {
        let state = self.state().await;
        let cards = state["cards"].as_array().unwrap();
        let messages = state["messages"].as_array().unwrap().iter();
        messages
            .filter(|message| message["chat"] == chat && message["from"] == "bot")
            .filter_map(|message| {
                let text = |of: &Value| of["text"].as_str().unwrap_or_default().trim().to_owned();
                if message["kind"] != "card" {
                    return Some(("Bot".to_owned(), text(message)));
                }
                let card = cards.iter().find(|card| card["id"] == message["card"])?;
                (card["state"] == "finished").then(|| ("Card".to_owned(), text(card)))
            })
            .collect()
    }
}

/// Whether a text is as the page shows it, where `…` stands for anything.
fn is_like(text: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else {
        return false;
    };
    let Some(end) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(end)
}

#[tokio::test]
async fn the_tutorial_is_true() {
    play("docs/handlers.md").await;
}

#[tokio::test]
async fn the_chinese_tutorial_is_true() {
    play("docs/handlers.zh-CN.md").await;
}

/// Does what a page tells, with everything that it shows.
async fn play(page: &str) {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let dev = Dev::start().await;
    let control = Control::new(&dev.url);
    let state = control.state().await;
    let (me, chats) = (state["people"][0]["staff_id"].as_str().unwrap(), &state["chats"]);
    let mine = |chat: &&Value| chat["kind"] == "dm" && chat["members"][0] == me;
    let chat = chats.as_array().unwrap().iter().find(mine).unwrap()["id"].as_str().unwrap();
    let mut heard = 0;
    for (language, file, block) in blocks(&page) {
        match language {
            "lua" => {
                let file = file.expect("the text names the file of each script");
                dev.save(file, &format!("{block}\n"));
                // Tests are no scripts: nothing serves them.
                if !file.ends_with(".test.luau") {
                    dev.until_said(&format!("{file}: version 1 serves")).await;
                }
            }
            "console" => {
                for (command, shown) in commands(block) {
                    // `dev` is what this test runs in.
                    if command.first() != Some(&"dev") {
                        let said = dev.run(&command).await;
                        assert!(
                            is_like(&said, &shown),
                            "{command:?} said\n{said}\nand not\n{shown}"
                        );
                    }
                }
            }
            "chat" => {
                let mut left = lines(block).into_iter().peekable();
                while let Some((who, text)) = left.next() {
                    assert_eq!(who, "You", "{block}");
                    control.say(chat, me, &text).await;
                    let shown: Vec<_> =
                        std::iter::from_fn(|| left.next_if(|(who, _)| who != "You")).collect();
                    let answered = async {
                        let mut look = tokio::time::interval(Duration::from_millis(30));
                        loop {
                            look.tick().await;
                            let answers = control.answers(chat).await;
                            if answers.len() >= heard + shown.len() {
                                return answers;
                            }
                        }
                    };
                    let answers = timeout(PATIENCE, answered).await;
                    let answers = answers.unwrap_or_else(|_| panic!("no answer to {text:?}"));
                    for ((by, got), (who, shown)) in answers[heard..].iter().zip(&shown) {
                        assert!(
                            by == who && is_like(got, shown),
                            "{text:?} was answered\n{by}: {got}\nand not\n{who}: {shown}"
                        );
                    }
                    heard = answers.len();
                }
            }
            _ => {}
        }
    }
    assert!(heard > 12, "the transcripts were found");
    dev.until_said("watching the disk").await;
    let (status, said) = dev.interrupt().await;
    assert!(status.success() && !said.contains("error"), "{said}");
}
