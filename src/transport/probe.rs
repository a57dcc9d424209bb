//! A look at the Stream from beside, for whoever wants to know whether it could be opened now.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message as WsMessage;

use super::stream::{StreamError, shake_hands};
use crate::dingtalk::Client;

/// What came on a connection that was open for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A frame.
    Frame,
    /// An answer to our ping and nothing else: the server sends its first frame after half a minute at times.
    Pong,
    Nothing,
    /// The server closed it.
    Closed,
}

/// Opens a connection that takes no messages, and listens on it for `time` at most.
///
/// # Errors
/// When it cannot be opened.
pub async fn look(client: &Client, time: Duration) -> Result<Heard, StreamError> {
    let connection = client.open_aside().await?;
    let mut ws = Box::pin(shake_hands(client, &connection)).await?;
    let mut heard = Heard::Nothing;
    let _ = ws.send(WsMessage::Ping(bytes::Bytes::new())).await;
    let listen = async {
        while let Some(Ok(message)) = ws.next().await {
            match message {
                WsMessage::Text(_) | WsMessage::Binary(_) => {
                    heard = Heard::Frame;
                    return;
                }
                WsMessage::Pong(_) => heard = Heard::Pong,
                WsMessage::Close(_) => break,
                _ => {}
            }
        }
        heard = Heard::Closed;
    };
    let _ = tokio::time::timeout(time, listen).await;
    let _ = tokio::time::timeout(Duration::from_secs(1), ws.close(None)).await;
    Ok(heard)
}
