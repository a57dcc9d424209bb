//! A child with its process group: started, asked whether it is gone, told to end, killed.

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use process_wrap::tokio::{ChildWrapper, CommandWrap};

use super::command::{Exact, SpawnError};
use super::process::{GRACE, SIGTERM};
use super::strays::{MARK, Mark};

/// A child and its process group. Dropping it kills them all.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) child: Box<dyn ChildWrapper>,
    pub(super) pid: u32,
    /// The child was waited for: its number may be given away once its group is empty.
    reaped: bool,
    /// The group was seen empty after that: nothing may be sent to its number any more.
    gone: bool,
}

impl Tree {
    pub(super) fn spawn(exact: &Exact, stdin: bool, mark: &Mark) -> Result<Self, SpawnError> {
        use std::process::Stdio;
        let mut command = CommandWrap::with_new(&exact.program, |command| {
            command
                .args(&exact.args)
                .current_dir(&exact.cwd)
                .env_clear()
                .envs(&exact.env)
                .env(MARK, mark.value())
                .stdin(if stdin { Stdio::piped() } else { Stdio::null() })
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        });
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessSession);
        #[cfg(windows)]
        command.wrap(process_wrap::tokio::KillOnDrop).wrap(process_wrap::tokio::JobObject);

        let mut attempt = 0;
        let child = loop {
            match command.spawn() {
                Ok(child) => break child,
                // Somebody forked while this very file was open for writing; it is closed in a moment.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && attempt < 20 => {
                    attempt += 1;
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => {
                    let program = exact.program.display().to_string();
                    return Err(match error.kind() {
                        io::ErrorKind::ArgumentListTooLong => SpawnError::TooLarge { program },
                        _ => SpawnError::System { program, error },
                    });
                }
            }
        };
        let pid = child.id().unwrap_or_default();
        Ok(Self { child, pid, reaped: false, gone: false })
    }

    /// Waits for the child itself, not for its group.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.inner_mut().wait().await;
        self.reaped = true;
        self.is_gone(); // at once: while a group has members its number cannot be given away
        status
    }

    /// Whether nobody of the group is left.
    pub(super) fn is_gone(&mut self) -> bool {
        if self.reaped && !self.gone {
            #[cfg(unix)]
            {
                use nix::errno::Errno;
                use nix::sys::signal::killpg;
                use nix::unistd::Pid;
                // As process 1 of a container we are the parent of orphans, too.
                let _ = self.child.try_wait();
                self.gone = match i32::try_from(self.pid) {
                    Ok(group @ 2..) => killpg(Pid::from_raw(group), None) == Err(Errno::ESRCH),
                    _ => true,
                };
            }
            #[cfg(not(unix))]
            {
                self.gone = !matches!(self.child.try_wait(), Ok(None));
            }
        }
        self.gone
    }

    /// Tells the group to end; returns when it is to be killed.
    pub(super) fn end(&mut self) -> Instant {
        self.signal(SIGTERM);
        // A stopped process takes no notice before it goes on.
        #[cfg(unix)]
        self.signal(nix::sys::signal::Signal::SIGCONT as i32);
        Instant::now() + GRACE
    }

    pub(super) fn signal(&mut self, signal: i32) {
        if self.is_gone() {
            return;
        }
        #[cfg(unix)]
        let _ = self.child.signal(signal); // it may have ended this moment
        #[cfg(not(unix))]
        {
            let _ = signal; // there is only one
            self.kill();
        }
    }

    pub(super) fn kill(&mut self) {
        if !self.is_gone() {
            let _ = self.child.start_kill();
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.kill();
    }
}
