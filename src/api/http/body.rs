//! The body of an answer: read whole, in pieces, by lines or as server-sent events; never more than was agreed.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::call::failed;
use super::played::Chunks;
use crate::api::failure::Failure;
use crate::api::world::Wait;

/// A line, or one event, at most.
const MAX_LINE_BYTES: usize = 1 << 20;

/// An answer's body on its way.
#[derive(Debug)]
pub(super) struct Body {
    /// `None`: read to the end, or closed.
    source: Option<Source>,
    host: String,
    /// Between two pieces.
    timeout: Duration,
    left: u64,
    max: u64,
    /// Read, but not yet a whole line.
    rest: Vec<u8>,
    lines: VecDeque<Vec<u8>>,
    event: Event,
}

/// Where the pieces come from.
#[derive(Debug)]
enum Source {
    Wire { response: reqwest::Response, _wait: Option<Wait> },
    Played(Chunks),
}

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: Option<String>,
    pub(super) data: Option<String>,
    pub(super) id: Option<String>,
}

impl Body {
    pub(super) fn new(
        response: reqwest::Response,
        timeout: Duration,
        max: u64,
        wait: Option<Wait>,
    ) -> Self {
        let host = response.url().host_str().unwrap_or_default().to_owned();
        Self::from(Source::Wire { response, _wait: wait }, host, timeout, max)
    }

    /// A body that a rehearsal plays.
    pub(super) fn played(chunks: Chunks, host: &str, max: u64) -> Self {
        Self::from(Source::Played(chunks), host.to_owned(), Duration::MAX, max)
    }

    fn from(source: Source, host: String, timeout: Duration, max: u64) -> Self {
        Self {
            source: Some(source),
            host,
            timeout,
            left: max,
            max,
            rest: Vec::new(),
            lines: VecDeque::new(),
            event: Event::default(),
        }
    }

    pub(super) fn close(&mut self) {
        self.source = None;
        self.rest.clear();
        self.lines.clear();
    }

    /// The next piece as it came, `None` at the end. Compressed ones count as what they become.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest).into()));
        }
        self.next().await
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let host = self.host.clone();
        let read = match &mut self.source {
            None => return Ok(None),
            Some(Source::Played(chunks)) => Ok(Ok(chunks.pop_front())),
            Some(Source::Wire { response, .. }) => {
                tokio::time::timeout(self.timeout, response.chunk()).await
            }
        };
        let chunk = match read {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => {
                self.source = None;
                return Ok(None);
            }
            Ok(Err(error)) => {
                self.close();
                return Err(failed(error, &host, self.timeout));
            }
            Err(_) => {
                self.close();
                return Err(Failure::new(
                    "timeout",
                    format!("`{host}` sent nothing more for {:?}", self.timeout),
                ));
            }
        };
        match self.left.checked_sub(chunk.len() as u64) {
            Some(left) => self.left = left,
            None => {
                self.close();
                return Err(Failure::new(
                    "too_large",
                    format!("the answer of `{host}` has more than {} bytes", self.max),
                )
                .hint("give a larger `max`, or download it with a program"));
            }
        }
        Ok(Some(chunk))
    }

    pub(super) async fn whole(&mut self) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    /// The next line without its end.
    pub(super) async fn line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Some(line));
            }
            if let Some(chunk) = self.next().await? {
                self.rest.extend_from_slice(&chunk);
                while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                    let mut line: Vec<u8> = self.rest.drain(..=end).collect();
                    line.pop();
                    if line.last() == Some(&b'\r') {
                        line.pop();
                    }
                    self.lines.push_back(line);
                }
                if self.rest.len() > MAX_LINE_BYTES {
                    self.close();
                    return Err(Failure::new(
                        "too_large",
                        format!("a line has more than {MAX_LINE_BYTES} bytes"),
                    )
                    .hint("read it with `chunks` instead"));
                }
            } else if self.rest.is_empty() {
                return Ok(None);
            } else {
                return Ok(Some(std::mem::take(&mut self.rest)));
            }
        }
    }

    /// The next event; one that was cut off is none.
    pub(super) async fn event(&mut self) -> Result<Option<Event>, Failure> {
        while let Some(line) = self.line().await? {
            let line = String::from_utf8_lossy(&line);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                // The last id is remembered by the protocol; scripts that resume keep it themselves.
                if event.data.is_some() {
                    return Ok(Some(event));
                }
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "data" => match &mut self.event.data {
                    Some(data) if data.len() + value.len() > MAX_LINE_BYTES => {
                        self.close();
                        return Err(Failure::new(
                            "too_large",
                            format!("an event has more than {MAX_LINE_BYTES} bytes"),
                        ));
                    }
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    data => *data = Some(value.to_owned()),
                },
                "event" => self.event.kind = Some(value.to_owned()),
                "id" => self.event.id = Some(value.to_owned()),
                _ => {} // comments, which keep the line alive; `retry`
            }
        }
        Ok(None)
    }
}
