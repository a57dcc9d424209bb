//! Carries the output of a program into a bounded channel, and stops when nobody reads it.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::api::shell::process::{Chunk, Stops, Stream};

/// What is in the pipes of a dead group is there at once.
const LAST_READ: Duration = Duration::from_millis(50);
/// More than a pipe holds: who still writes then has left the group.
const LAST_BYTES: usize = 1 << 20;
/// Bytes read at once, and how many such pieces may wait for the reader (128 KiB in all).
const CHUNK: usize = 8 << 10;
pub(super) const CHUNKS: usize = 16;

/// Carries one pipe into the channel.
pub(super) struct Pump {
    pub(super) chunks: mpsc::Sender<Chunk>,
    pub(super) stops: Stops,
    /// The group is dead: read what is left, and wait for nothing.
    pub(super) dead: CancellationToken,
    pub(super) stream: Stream,
}

impl Pump {
    pub(super) async fn run(self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = vec![0; CHUNK];
        let mut left = LAST_BYTES;
        loop {
            let read = tokio::select! {
                biased; // what is there is read first
                read = pipe.read(&mut buffer) => read,
                () = async { self.dead.cancelled().await; tokio::time::sleep(LAST_READ).await } => return,
            };
            let Ok(size @ 1..) = read else { return };
            if self.dead.is_cancelled() {
                let Some(rest) = left.checked_sub(size) else { return };
                left = rest;
            }
            let chunk = Chunk { stream: self.stream, bytes: buffer[..size].to_vec() };
            tokio::select! {
                sent = self.chunks.send(chunk) => if sent.is_err() { return },
                () = self.stops.nobody_reads() => return,
            }
        }
    }
}
