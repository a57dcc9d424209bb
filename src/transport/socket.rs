//! One WebSocket, from its handshake to its end: reads, commits, acknowledges, notices when nothing comes any more.
//!
//! The read loop waits for nobody: commits run side by side, bounded, and are grouped by the journal; one task writes.
//! A delivery is acknowledged on the socket that brought it, after its commit. When the socket ends, commits that are
//! under way are finished: dropped halfway they would wait for the next start.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, SplitSink};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsMessage};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

use super::counters::{Counters, add};
use super::now_ms;
use super::stream::Timing;
use super::wake::slept;
use crate::config::Connection;
use crate::config::Current;
use crate::dingtalk::Ack;
use crate::dingtalk::Frame;
use crate::dingtalk::Meter;
use crate::dingtalk::Received;
use crate::dingtalk::Topic;
use crate::dingtalk::Wire;
use crate::dingtalk::receive;
use crate::inbox::Accepted;
use crate::inbox::Inbox;
use crate::message::Inbound;
use crate::words::Lang;
use crate::words::network as w;

pub(super) type Ws = WebSocketStream<MaybeTlsStream<Wire>>;

/// Deliveries of one socket whose commit is under way. Beyond it the socket is not read, so the server holds back.
const MAX_IN_FLIGHT: usize = 256;
/// Acknowledgements waiting for the writer; more than the commits in flight, so that pings find room too.
const WRITE_QUEUE: usize = 2 * MAX_IN_FLIGHT;

/// Why a socket ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The host stops.
    Stopped,
    /// The server closed it in order.
    ClosedByServer(String),
    /// It broke.
    Closed(String),
    /// It is open but nothing comes: no answer to pings, or no frame for too long.
    Deaf(String),
    /// The computer slept; the server has long given up on this socket.
    Slept,
    /// The journal will take nothing any more.
    JournalClosed(String),
}

/// What remains of a socket.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) id: u64,
    pub(super) ending: Ending,
    /// Whether it ever brought a frame.
    pub(super) heard: bool,
}

pub(super) struct Socket {
    pub(super) id: u64,
    pub(super) inbox: Inbox,
    /// Counts every business frame, duplicates too: DingTalk counts what it pushes.
    pub(super) meter: Arc<dyn Meter>,
    pub(super) timing: Timing,
    pub(super) counters: Arc<Counters>,
    pub(super) news: mpsc::Sender<News>,
    /// A message that took longer than this to come is not run.
    pub(super) late_after: Option<Current<Connection>>,
    pub(super) stop: CancellationToken,
}

/// What the supervisor is told of a socket that goes on, with its id.
#[derive(Clone, Copy, Debug)]
pub(super) enum News {
    /// It brought its first frame.
    Heard(u64),
    /// The server asks to move to another connection.
    Leaving(u64),
}

/// What became of one delivery.
enum Done {
    /// Acknowledged, or left for DingTalk to repeat.
    Settled,
    JournalClosed(String),
}

/// Work on one delivery; yields once nothing is left to do for it.
type Delivery = BoxFuture<'static, Done>;

impl Socket {
    /// Serves `ws` until it ends.
    pub(super) async fn run(self, ws: Ws) -> Ended {
        let (sink, mut incoming) = ws.split();
        let (out, outgoing) = mpsc::channel(WRITE_QUEUE);
        let mut writer = JoinSet::new();
        writer.spawn(write(sink, outgoing, self.timing.write));

        let closing = CancellationToken::new();
        let mut deliveries: FuturesUnordered<Delivery> = FuturesUnordered::new();
        let mut watch = Watch::new(&self.timing);
        let mut tick =
            tokio::time::interval_at(Instant::now() + self.timing.ping, self.timing.ping);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Set once the server said that it will close: whatever still arrives is served until then.
        let mut give_up: Option<Instant> = None;
        let mut slept = Box::pin(slept(self.timing.jump));

        let ending = loop {
            let full = deliveries.len() >= MAX_IN_FLIGHT;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break Ending::Stopped,
                _ = writer.join_next() => break Ending::Closed("the connection broke while writing".to_owned()),
                Some(done) = deliveries.next(), if !deliveries.is_empty() => {
                    if let Done::JournalClosed(reason) = done {
                        break Ending::JournalClosed(reason);
                    }
                }
                // Before the tick: after a sleep everything is silent.
                _ = &mut slept => break Ending::Slept,
                now = tick.tick() => {
                    if give_up.is_some_and(|at| now >= at) {
                        break Ending::Closed("the server did not close it".to_owned());
                    }
                    // While we do not read, silence is ours.
                    if let Some(ending) = watch.check(full) {
                        break ending;
                    }
                    if out.try_send(WsMessage::Ping(Vec::new().into())).is_ok() {
                        watch.pinged();
                    }
                }
                message = incoming.next(), if !full => match message {
                    None => break Ending::ClosedByServer(w::closed_by_server(Lang::En).to_owned()),
                    Some(Err(error)) => break Ending::Closed(describe(&error)),
                    Some(Ok(WsMessage::Text(text))) => {
                        self.heard(&mut watch);
                        add(&self.counters.frames);
                        let (delivery, topic) = self.take(text.as_str(), &out, &closing);
                        if topic == Some(Topic::Disconnect) && give_up.is_none() {
                            give_up = Some(Instant::now() + self.timing.leave);
                            // A full queue means that the supervisor has as many reasons to reconnect already.
                            let _ = self.news.try_send(News::Leaving(self.id));
                        }
                        deliveries.extend(delivery);
                    }
                    Some(Ok(WsMessage::Pong(_))) => watch.ponged(),
                    // tungstenite answers pings and close frames by itself.
                    Some(Ok(WsMessage::Ping(_))) => {
                        self.counters.kept_alive();
                        self.heard(&mut watch);
                    }
                    // The TCP connection may stay open for long after it.
                    Some(Ok(WsMessage::Close(close))) => {
                        let why = close.map(|close| format!(" ({} {})", u16::from(close.code), short(&close.reason)));
                        break Ending::ClosedByServer(format!("the server closed it{}", why.unwrap_or_default()));
                    }
                    Some(Ok(WsMessage::Binary(_) | WsMessage::Frame(_))) => {
                        add(&self.counters.malformed);
                        tracing::warn!("dropped a binary frame; expected text");
                    }
                },
            }
        };

        closing.cancel();
        let finish = async { while deliveries.next().await.is_some() {} };
        if tokio::time::timeout(self.timing.drain, finish).await.is_err() {
            tracing::error!(
                "commits were still under way when a connection ended; their messages come again"
            );
        }
        let _ = out.try_send(WsMessage::Close(None));
        drop(out);
        let _ = tokio::time::timeout(self.timing.write, writer.join_next()).await;
        Ended { id: self.id, ending, heard: watch.ever_heard }
    }

    fn heard(&self, watch: &mut Watch) {
        if !watch.ever_heard {
            // A full queue: the next frame tells it.
            watch.ever_heard = self.news.try_send(News::Heard(self.id)).is_ok();
        }
        watch.heard();
        self.counters.heard();
    }

    /// Reads one frame; returns the work that it asks for.
    fn take(
        &self,
        text: &str,
        out: &mpsc::Sender<WsMessage>,
        closing: &CancellationToken,
    ) -> (Option<Delivery>, Option<Topic>) {
        let frame = match Frame::parse(text) {
            Ok(frame) => frame,
            Err(error) => {
                // Without an id it cannot even be refused.
                add(&self.counters.malformed);
                tracing::warn!(size_bytes = text.len(), "dropped a frame: {error}");
                return (None, None);
            }
        };
        let topic = frame.topic();
        let id = frame.headers.message_id().map(str::to_owned);
        let acknowledge =
            |ack: fn(&str) -> Ack| id.as_deref().map(|id| reply(out.clone(), ack(id)));
        let delivery = match topic {
            Topic::Ping => {
                self.counters.kept_alive();
                id.as_deref().map(|id| reply(out.clone(), Ack::ping(id, &frame.data)))
            }
            Topic::Disconnect => acknowledge(Ack::noticed),
            Topic::Notice => {
                self.counters.kept_alive();
                tracing::debug!(topic = %short(frame.headers.topic()), "notice of the server");
                None
            }
            Topic::Unknown => {
                add(&self.counters.unknown);
                tracing::warn!(topic = %short(frame.headers.topic()), "refused a frame that nobody subscribed to");
                acknowledge(Ack::unknown_topic)
            }
            Topic::Robot | Topic::Card | Topic::Event => {
                if id.is_none() {
                    tracing::warn!(
                        "a delivery without `messageId` cannot be acknowledged; it is taken all the same"
                    );
                }
                let ack: fn(&str) -> Ack = match topic {
                    Topic::Card => Ack::card,
                    Topic::Event => Ack::event,
                    _ => Ack::robot,
                };
                let received = receive(&frame);
                self.meter.received(received.as_ref());
                match received {
                    Ok(Received::Inbound(inbound)) => {
                        let ack = id.as_deref().map(ack);
                        let later =
                            id.as_deref().filter(|_| topic == Topic::Event).map(Ack::event_later);
                        let late = self.is_late(&inbound, &frame);
                        Some(self.commit(inbound, late, ack, later, out.clone(), closing.clone()))
                    }
                    Ok(Received::Own | Received::Ignored) => acknowledge(ack),
                    Ok(Received::QuotaExhausted { message }) => {
                        tracing::error!(
                            "DingTalk sends no content any more, because the organisation's quota of pushes is used \
                             up: {}",
                            short(&message)
                        );
                        acknowledge(ack)
                    }
                    Err(error) => {
                        // Refusing it would only bring it again.
                        add(&self.counters.malformed);
                        tracing::warn!(
                            ?topic,
                            size_bytes = frame.data.len(),
                            "dropped a delivery: {error}"
                        );
                        acknowledge(ack)
                    }
                }
            }
        };
        (delivery, Some(topic))
    }

    /// Whether a message took so long to come that its sender no longer expects it to be acted on.
    fn is_late(&self, inbound: &Inbound, frame: &Frame) -> bool {
        let (Some(settings), Inbound::Message(message)) = (&self.late_after, inbound) else {
            return false;
        };
        // Both by the server's clock, so that a wrong one here does not make everything late. Each delivery of a message
        // says its own time.
        let came = frame.headers.time_ms().unwrap_or_else(now_ms);
        let took = u64::try_from(came - message.sent_at_ms).unwrap_or_default();
        Duration::from_millis(took) > settings.get().late_after
    }

    /// Commits `inbound`, then acknowledges it. Never dropped halfway, see the module head.
    fn commit(
        &self,
        inbound: Inbound,
        late: bool,
        ack: Option<Ack>,
        later: Option<Ack>,
        out: mpsc::Sender<WsMessage>,
        closing: CancellationToken,
    ) -> Delivery {
        let (inbox, counters, timing) =
            (self.inbox.clone(), self.counters.clone(), self.timing.clone());
        async move {
            let give_up = Instant::now() + timing.commit_patience;
            loop {
                let error = match inbox.accept_as(inbound.clone(), late).await {
                    Ok(accepted) => {
                        add(match accepted {
                            Accepted::New => &counters.accepted,
                            Accepted::Duplicate => &counters.duplicates,
                        });
                        send(&out, ack).await;
                        return Done::Settled;
                    }
                    Err(error) => error,
                };
                if !error.is_transient() {
                    return Done::JournalClosed(error.to_string());
                }
                if closing.is_cancelled() || Instant::now() >= give_up {
                    add(&counters.uncommitted);
                    // Each comes again and fails again, in its thousands on a full disk.
                    if let Some(more) = counters.given_up.tell() {
                        tracing::error!(
                            hint = error.hint(),
                            more,
                            "a delivery is left unacknowledged, because it cannot be stored: {error}"
                        );
                    }
                    send(&out, later).await;
                    return Done::Settled;
                }
                if let Some(more) = counters.waiting.tell() {
                    tracing::warn!(more, "a delivery cannot be stored yet: {error}");
                }
                tokio::select! {
                    () = closing.cancelled() => {}
                    () = tokio::time::sleep(timing.commit_retry) => {}
                }
            }
        }
        .boxed()
    }
}

fn reply(out: mpsc::Sender<WsMessage>, ack: Ack) -> Delivery {
    async move {
        send(&out, Some(ack)).await;
        Done::Settled
    }
    .boxed()
}

/// Hands `ack` to the writer. A socket that died meanwhile needs none: what it brought comes again elsewhere.
async fn send(out: &mpsc::Sender<WsMessage>, ack: Option<Ack>) {
    if let Some(ack) = ack
        && out.send(WsMessage::text(ack.to_json())).await.is_err()
    {
        tracing::debug!("an acknowledgement found its connection closed");
    }
}

/// Writes until the queue ends or the connection breaks.
async fn write(
    mut sink: SplitSink<Ws, WsMessage>,
    mut outgoing: mpsc::Receiver<WsMessage>,
    deadline: Duration,
) {
    while let Some(message) = outgoing.recv().await {
        let batch = async {
            sink.feed(message).await?;
            while let Ok(next) = outgoing.try_recv() {
                sink.feed(next).await?;
            }
            sink.flush().await
        };
        match tokio::time::timeout(deadline, batch).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// Notices a socket that is open and useless.
struct Watch {
    silence: Duration,
    last_frame: Instant,
    unanswered: u32,
    ever_heard: bool,
}

/// Pings without answer that end a socket.
const MISSED_PONGS: u32 = 2;

impl Watch {
    fn new(timing: &Timing) -> Self {
        Self {
            silence: timing.silence,
            last_frame: Instant::now(),
            unanswered: 0,
            ever_heard: false,
        }
    }

    /// A frame came. A pong is none: a socket that the server has forgotten still answers pings.
    fn heard(&mut self) {
        self.last_frame = Instant::now();
        self.unanswered = 0;
    }

    fn pinged(&mut self) {
        self.unanswered += 1;
    }

    fn ponged(&mut self) {
        self.unanswered = 0;
    }

    fn check(&mut self, paused: bool) -> Option<Ending> {
        let now = Instant::now();
        if paused {
            self.last_frame = now;
            self.unanswered = 0;
            return None;
        }
        if self.unanswered >= MISSED_PONGS {
            return Some(Ending::Deaf(format!("no answer to {} pings", self.unanswered)));
        }
        let silent = now - self.last_frame;
        (silent >= self.silence)
            .then(|| Ending::Deaf(w::no_frame_for(&format!("{silent:.0?}"), Lang::En)))
    }
}

/// A WebSocket error in words that hold no address: it would show the ticket.
pub(super) fn describe(error: &WsError) -> String {
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed => {
            w::closed_by_server(Lang::En).to_owned()
        }
        WsError::Io(error) => broken(error),
        WsError::Tls(error) => w::tls_failed(&error.to_string(), Lang::En),
        WsError::Capacity(_) => w::too_much(Lang::En).to_owned(),
        WsError::Protocol(error) => w::broke_protocol(&error.to_string(), Lang::En),
        WsError::Utf8(_) => w::no_utf8(Lang::En).to_owned(),
        WsError::Http(response) => {
            w::http_status(&response.status().as_u16().to_string(), Lang::En)
        }
        _ => w::no_handshake(Lang::En).to_owned(),
    }
}

/// What became of a connection, or of a try, in the words of somebody who looks for the reason.
fn broken(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => w::nothing_listens(Lang::En).to_owned(),
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown => {
            w::no_way(Lang::En).to_owned()
        }
        ErrorKind::TimedOut => w::silent(Lang::En).to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            w::was_cut(Lang::En).to_owned()
        }
        ErrorKind::UnexpectedEof => w::ended(Lang::En).to_owned(),
        _ => w::failed(&error.to_string(), Lang::En),
    }
}

/// Server text for a log line: short, on one line.
fn short(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_never_was_is_not_called_broken() {
        use std::io::{Error, ErrorKind};
        let said = |kind: ErrorKind| describe(&WsError::Io(Error::from(kind)));
        assert_eq!(said(ErrorKind::ConnectionRefused), "nothing listens at its address");
        assert_eq!(said(ErrorKind::ConnectionReset), "the connection was cut");
    }

    fn watch() -> Watch {
        Watch::new(&Timing::default())
    }

    #[tokio::test(start_paused = true)]
    async fn pongs_alone_do_not_keep_a_socket() {
        let mut watch = watch();
        for _ in 0..4 {
            tokio::time::advance(Duration::from_secs(20)).await;
            assert_eq!(watch.check(false), None);
            watch.pinged();
            watch.ponged();
        }
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(matches!(watch.check(false), Some(Ending::Deaf(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn two_missed_pongs_end_a_socket_and_a_frame_forgives_them() {
        let mut watch = watch();
        watch.pinged();
        watch.pinged();
        watch.heard();
        assert_eq!(watch.check(false), None);
        watch.pinged();
        watch.pinged();
        assert!(matches!(watch.check(false), Some(Ending::Deaf(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_is_not_read_is_not_called_deaf() {
        let mut watch = watch();
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(20)).await;
            assert_eq!(watch.check(true), None);
        }
    }
}
