//! A terminal with a program in it: what it shows, and what is typed into it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};

/// Far more than a machine needs that builds beside the tests.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// A program on a terminal of its own. Dropping it kills it.
pub(super) struct Terminal {
    child: Child,
    keys: File,
    shown: Arc<Mutex<Vec<u8>>>,
    /// What was waited for already.
    seen: usize,
}

impl Terminal {
    /// Starts `command` on a terminal of this size, which it has to itself as a window of a desktop would.
    pub(super) fn open(command: &Command, rows: u16, columns: u16) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        // A session of its own, whose terminal this is: Ctrl-C and /dev/tty work as they should.
        let mut inside = Command::new("setsid");
        inside.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        inside.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                inside.env(name, value);
            }
        }
        if let Some(dir) = command.get_current_dir() {
            inside.current_dir(dir);
        }
        let end = |fd: &OwnedFd| fd.try_clone().unwrap();
        inside.stdin(end(&pty.slave)).stdout(end(&pty.slave)).stderr(pty.slave);
        let child = inside.spawn().unwrap();
        // The command would keep the terminal open after its program has ended.
        drop(inside);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let mut screen = File::from(pty.master.try_clone().unwrap());
        let kept = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // At the end of the program the terminal fails to be read.
            while let Ok(read) = screen.read(&mut bytes)
                && read > 0
            {
                kept.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        });
        Self { child, keys: File::from(pty.master), shown, seen: 0 }
    }

    /// Everything that was shown.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).replace("\r\n", "\n")
    }

    /// Waits until it shows `text` after what was waited for before; returns what came up to it.
    pub(super) async fn until(&mut self, text: &str) -> String {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let shown = self.text();
            let rest = shown.get(self.seen..).unwrap_or_default();
            if let Some(at) = rest.find(text) {
                let upto = rest[..at + text.len()].to_owned();
                self.seen += upto.len();
                return upto;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "it never showed {text:?}, but:\n{shown}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Types a line.
    pub(super) fn type_line(&mut self, line: &str) {
        self.keys.write_all(line.as_bytes()).unwrap();
        self.keys.write_all(b"\n").unwrap();
    }

    /// Goes on with the way for messages that is proposed.
    pub(super) async fn takes_stream(&mut self) {
        self.until("HTTP").await;
        self.until("[1]: ").await;
        self.type_line("");
    }

    /// Types a line once `prompt` is there and the terminal has stopped to show what is typed.
    pub(super) async fn type_hidden(&mut self, prompt: &str, line: &str) {
        self.until(prompt).await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tcgetattr(&self.keys).unwrap().local_flags.contains(LocalFlags::ECHO) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "it shows what is typed:\n{}",
                self.text()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.type_line(line);
    }

    /// Ctrl-C.
    pub(super) fn interrupt(&mut self) {
        self.keys.write_all(&[3]).unwrap();
    }

    /// Waits until it has ended by itself; returns how, and all that it showed.
    pub(super) async fn ended(mut self) -> (ExitStatus, String) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, self.text());
            }
            assert!(tokio::time::Instant::now() < deadline, "it goes on:\n{}", self.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // `setsid` became the program: this ends it, and not a parent of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
