//! `moonbell status --watch`, on a terminal and without one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use unicode_width::UnicodeWidthStr as _;

use super::process::{HostProcess, bare};
use super::stage::{ALICE, PATIENCE, Setup, Stage};

/// Ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn watch(stage: &Stage) -> Command {
    let mut command = bare(stage, env!("CARGO_BIN_EXE_moonbell"));
    command.args(["status", "--watch", "--config"]).arg(stage.path("bot.toml"));
    command.stdout(Stdio::piped());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_each_change_is_a_line() {
    let host = HostProcess::spawn(Setup::new().stage().await).await;
    let mut child = Ends(watch(&host).spawn().unwrap());
    let out = BufReader::new(child.0.stdout.take().unwrap());
    let (told, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if told.send(line).is_err() {
                return;
            }
        }
    });
    let first = lines.recv_timeout(PATIENCE).unwrap();
    assert!(first.contains(" connected since "), "{first}");
    assert!(first.contains("; runs 0 running, 0 queued, 0 done"), "{first}");
    assert!(!first.contains('\x1b'), "{first}");
    host.say(ALICE, "echo hello");
    let next = lines.recv_timeout(PATIENCE).unwrap();
    assert!(next.contains("1 done") || next.contains("1 running"), "{next}");
    host.terminate().await;
    let gone = std::iter::from_fn(|| lines.recv_timeout(PATIENCE).ok());
    assert!(gone.take(5).any(|line| line.ends_with("no host runs")));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_it_is_redrawn_and_ctrl_c_leaves_the_terminal_as_it_was() {
    let host = HostProcess::spawn(Setup::new().stage().await).await;
    host.write("问候.luau", "bot.command(\"hi\", function(ctx) ctx:reply(\"hi\") end)");
    host.until_true("it is loaded", || host.says(&["status"]).contains("问候")).await;
    let plain = watch(&host);
    let words: Vec<String> = std::iter::once(plain.get_program())
        .chain(plain.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    for (lang, unicode) in [("C.UTF-8", true), ("C", false)] {
        // A real terminal, 50 columns wide, with a real Ctrl-C.
        let line = format!("stty cols 50 rows 30; {}", words.join(" "));
        let mut command = bare(&host, "script");
        command.args(["-qefc", &line, "/dev/null"]).env("LANG", lang).env_remove("LC_ALL");
        command.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Ends(command.spawn().unwrap());
        let mut out = child.0.stdout.take().unwrap();
        let mut seen = Vec::new();
        let mut chunk = [0; 4096];
        while String::from_utf8_lossy(&seen).matches("Ctrl-C ends").count() < 2 {
            let read = out.read(&mut chunk).unwrap();
            assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&chunk[..read]);
        }
        child.0.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
        out.read_to_end(&mut seen).unwrap();
        let seen = String::from_utf8_lossy(&seen).into_owned();
        assert!(seen.starts_with("\x1b[?1049h\x1b[?25l\x1b[H"), "{seen:?}");
        let (drawn, after) = seen.split_once("\x1b[?25h\x1b[?1049l").expect("the screen is left");
        let after = after.split("\x1b[36;1mhint: ").next().unwrap();
        assert!(after.contains("connected") && !after.contains('\x1b'), "{after:?}");
        let frame = drawn.rsplit("\x1b[H").next().unwrap();
        assert!(frame.contains("runs     0 running"), "{frame:?}");
        // Nothing is wider than 50 columns, and nothing is cut.
        let lines: Vec<&str> = frame.split("\x1b[K").map(str::trim_end).collect();
        assert!(
            lines.iter().all(|line| line.trim_matches(['\r', '\n']).width() <= 50),
            "{frame:?}"
        );
        let whole: String = lines.concat().split_whitespace().collect();
        let head = format!("(moonbell{}run,process", env!("CARGO_PKG_VERSION"));
        assert!(whole.contains(&head) && frame.contains("\n         process"), "{frame:?}");
        assert_eq!(drawn.contains("问候"), unicode, "{drawn:?}");
        assert!(unicode || drawn.is_ascii(), "{drawn:?}");
    }
}
