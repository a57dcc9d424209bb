//! A program that is played: what it says comes at once, its end when its time has come.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::process::{Chunk, Exit, SIGTERM, Stops, Stream};
use crate::api::world::Program;
use crate::clock::Clock;

/// No process has it, and nothing could be sent to it.
pub(super) const PLAYED_PID: u32 = 99_999_999;

/// Bytes of one piece of output, as of programs that are run.
const CHUNK: usize = 8 << 10;

pub(super) struct Play {
    pub(super) program: Program,
    pub(super) stops: Stops,
    pub(super) chunks: mpsc::Sender<Chunk>,
    pub(super) signals: mpsc::Receiver<i32>,
    pub(super) exit: watch::Sender<Option<Exit>>,
    pub(super) clock: Clock,
}

impl Play {
    pub(super) async fn run(self, timeout: Option<Duration>) {
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
