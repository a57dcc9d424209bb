//! `moonbell init` and `moonbell service`: the real binary in a home of its own, on a real terminal where a person would
//! have one, against the simulated DingTalk.

mod init;
mod program;
mod service;
mod systemd;
mod terminal;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use moonbell::sim::{Options, Registration, Say, Sim, State};
use regex::Regex;

use self::terminal::Terminal;
use crate::home::Home;

const OWNER: &str = "manager4220";

/// A home where nothing has ever been, and a DingTalk where nobody scans by themselves.
struct Newcomer {
    home: Home,
    sim: Sim,
}

impl Newcomer {
    async fn arrives() -> Self {
        let registration = Registration {
            interval: Duration::from_secs(1),
            scanned_after_polls: None,
            ..Registration::default()
        };
        let sim = Sim::start(Options { registration, ..Options::default() }).await.unwrap();
        Self { home: Home::new(), sim }
    }

    /// `moonbell init` with these arguments, led to the simulator, with a umask that protects nothing.
    fn init(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(&[]);
        let mut shell = Command::new("/bin/sh");
        let base = self.sim.url();
        shell
            .args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_moonbell"), "init"])
            .args(["--api-base", base])
            .args(arguments)
            .env_clear()
            .current_dir(self.home.root());
        command.env("MOONBELL_CONSOLE_LISTEN", "127.0.0.1:0");
        command.env("MOONBELL_HTTP_LISTEN", "127.0.0.1:0");
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap());
        }
        shell.env("LANG", "en_US.UTF-8").env("TERM", "xterm-256color");
        shell
    }

    fn types(&self, arguments: &[&str]) -> Terminal {
        Terminal::open(&self.init(arguments), 40, 100)
    }

    fn config(&self) -> std::path::PathBuf {
        self.home.path("config/moonbell/config.toml")
    }

    fn state(&self) -> std::path::PathBuf {
        self.home.path("data/moonbell")
    }

    fn says(&self, text: &str) {
        self.sim.say(&Say::direct(OWNER, text)).unwrap();
    }

    /// Waits until the bot says something that begins so.
    async fn answers(&self, begins: &str) {
        let seen = |seen: &State| seen.messages.iter().any(|said| said.text.starts_with(begins));
        self.sim.until(seen).await.unwrap();
    }

    /// From the claim code on the terminal to the answer in the chat.
    async fn is_answered(&self, terminal: &mut Terminal) {
        let code = code(&terminal.until("\n\n").await)
            .unwrap_or_else(|| panic!("a code was to be shown:\n{}", terminal.text()));
        self.says(&code);
        terminal.until("ping").await;
        self.says("ping");
        self.sim
            .until(|seen| seen.messages.iter().any(|message| message.text == "pong"))
            .await
            .unwrap();
    }

    /// Neither shown, nor in the settings: the secret is in its own file, which only its owner can read.
    #[track_caller]
    fn secret_is_safe(&self, shown: &str) {
        let secret = self.sim.client_secret();
        assert!(!shown.contains(&secret), "{shown}");
        let settings = std::fs::read_to_string(self.config()).unwrap();
        assert!(!settings.contains(&secret), "{settings}");
        let file = self.config().with_file_name("secret");
        assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), secret);
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().unwrap()), 0o700);
    }
}

#[track_caller]
fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The claim code in what was shown.
fn code(shown: &str) -> Option<String> {
    let code = Regex::new(r"(?m)^ +(?:\x1b\[1m)?([0-9A-Z]{4}-[0-9A-Z]{4})(?:\x1b\[0m)?$").unwrap();
    Some(code.captures(shown)?[1].to_owned())
}

/// The code that is compared with the one on the phone.
fn user_code(shown: &str) -> String {
    let code = Regex::new(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}").unwrap();
    code.find_iter(shown)
        .last()
        .unwrap_or_else(|| panic!("no code in:\n{shown}"))
        .as_str()
        .to_owned()
}
