//! A program that is played: what it says comes at once, its end when its time has come.

use std::any::Any;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::command::{Command, SpawnError};
use super::process::{Chunk, Exit, Process, Processes, SIGTERM, Stops, Stream};
use crate::api::world::Program;
use crate::clock::Clock;

/// No process has it, and nothing could be sent to it.
const PLAYED_PID: u32 = 99_999_999;

/// Bytes of one piece of output, as of programs that are run.
const CHUNK: usize = 8 << 10;

/// Such pieces that may wait for the reader.
const PIECES: usize = 16;

impl Processes {
    /// A program that is not run but played, by `clock`. It ends as one that is run: by itself, by its time, with its
    /// handle or its run.
    ///
    /// # Errors
    ///
    /// Why it would not start.
    pub(crate) fn play(
        &self,
        program: Program,
        command: &Command,
        clock: &Clock,
        over: &CancellationToken,
        keep: impl Any + Send,
    ) -> Result<Process, SpawnError> {
        if let Some(refusal) = program.refusal(command) {
            return Err(refusal);
        }
        let (runtime, tasks, closing) = self.house().ok_or(SpawnError::Closing)?;
        let kill = CancellationToken::new();
        let guard = kill.clone().drop_guard();
        let (chunks, output) = mpsc::channel(PIECES);
        let (signal, signals) = mpsc::channel(1);
        let (exit, exited) = watch::channel(None);
        let stops = Stops { kill: kill.clone(), over: over.clone(), closing };
        let play = Play { program, stops, chunks, signals, exit, clock: clock.clone() };
        let timeout = command.timeout;
        drop(tasks.spawn_on(
            async move {
                play.run(timeout).await;
                drop(keep);
            },
            &runtime,
        ));
        Ok(Process {
            pid: PLAYED_PID,
            stdin: Mutex::new(Some(Box::new(tokio::io::sink()))),
            output: Mutex::new(output),
            signal,
            exit: exited,
            kill,
            _guard: guard,
        })
    }
}

struct Play {
    program: Program,
    stops: Stops,
    chunks: mpsc::Sender<Chunk>,
    signals: mpsc::Receiver<i32>,
    exit: watch::Sender<Option<Exit>>,
    clock: Clock,
}

impl Play {
    async fn run(self, timeout: Option<Duration>) {
        let Self { program, stops, chunks, mut signals, exit, clock } = self;
        let begin = clock.start();
        let says = async {
            for (stream, bytes) in [(Stream::Out, &program.out), (Stream::Err, &program.err)] {
                for piece in bytes.chunks(CHUNK) {
                    let chunk = Chunk { stream, bytes: piece.to_vec() };
                    if chunks.send(chunk).await.is_err() {
                        return;
                    }
                }
            }
        };
        let last = timeout.filter(|timeout| *timeout < program.takes);
        let lives = async {
            tokio::join!(says, clock.sleep(last.unwrap_or(program.takes)));
        };
        // 0 checks whether a process lives, the others stop and go on: neither ends it.
        let deadly = async {
            while let Some(signal) = signals.recv().await {
                if !matches!(signal, 0 | 17..=20) {
                    return signal;
                }
            }
            std::future::pending().await
        };
        let ended_by = tokio::select! {
            biased; // stopping wins over working
            () = stops.any() => Some(SIGTERM),
            signal = deadly => Some(signal),
            () = lives => if last.is_some() { Some(SIGTERM) } else { program.signal },
        };
        exit.send_replace(Some(Exit {
            code: ended_by.is_none().then_some(program.code),
            signal: ended_by,
            timed_out: last.is_some() && begin.elapsed() >= last.unwrap_or_default(),
            took: begin.elapsed(),
        }));
    }
}
