//! `file:save`: what came with a message, onto this computer; and `ctx:react`. See `ctx.d.luau`.
//!
//! DingTalk gives an address for the file's code, good for a short while and for everybody who has it: it is fetched by
//! `https` only, checked like every call of a script, and shown to nobody. Only the simulator, whose address is in the
//! settings, is called as it is.

use std::sync::Arc;
use std::time::Duration;

use mlua::{Result as LuaResult, Table};
use tokio::sync::mpsc;
use url::Url;

use crate::api::Call;
use crate::api::failure::{Failure, Outcome, misuse};
use crate::api::fs::inbox::{self, Piece, Saved, Target};
use crate::api::manifest::raised;
use crate::api::options::Options;
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::dingtalk::Client;
use crate::message::File;
use crate::message::Kind;
use crate::sink::{clean, redact};

/// Of one file, unless a script says otherwise.
const MAX_BYTES: u64 = 64 << 20;
/// Of one file at most.
const MOST_BYTES: u64 = 2 << 30;
const TIMEOUT: Duration = Duration::from_mins(2);
/// Pieces between the network and the disk.
const PIECES: usize = 4;

/// Emoji and a word beside them: longer ones are cut off in the chat.
const MAX_REACTION_CHARS: usize = 20;

/// A file of a message: the codes that fetch it stay on this side.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) file: Arc<File>,
    pub(crate) robot_code: Option<String>,
}

/// `file:save`. Cancel safe: dropped, the connection is closed and what was written so far removed.
pub(super) async fn save(
    call: Call,
    attachment: Attachment,
    mut options: Options,
) -> LuaResult<Outcome<Table>> {
    let to = options.string("to")?;
    let name = options.string("name")?;
    let max = options.count("max")?.unwrap_or(MAX_BYTES);
    let timeout = options.duration("timeout")?.unwrap_or(TIMEOUT);
    options.finish()?;
    if max == 0 || max > MOST_BYTES {
        return Err(misuse(format!("option `max`: expected 1 to {MOST_BYTES} bytes, got {max}")));
    }
    if timeout.is_zero() {
        return Err(misuse("option `timeout`: expected more than nothing"));
    }
    let code = &attachment.file.download_code;
    let source = match call.host.world().and_then(|world| world.download(code)) {
        Some(content) => Source::Played(content.into()),
        None => {
            let client = connected(&call)?;
            let url = {
                let (client, attachment) = (client.clone(), attachment.clone());
                call.host.on_sockets(async move { address(&client, &attachment).await }).await?
            };
            match url {
                Ok(url) => Source::Wire(encrypted(url, &client)),
                Err(error) => return Ok(refused(&error).into()),
            }
        }
    };
    let today = call.host.clock().now().with_timezone(&chrono::Local).date_naive();
    let target = to.map_or(Target::Inbox(today), Target::Folder);
    let name = name.or_else(|| attachment.file.name.clone());
    let stem = match attachment.file.kind {
        Kind::Picture | Kind::Audio | Kind::Video => attachment.file.kind.as_str(),
        _ => "file",
    };
    let (sender, pieces) = mpsc::channel(PIECES);
    let caller = call.host.downloads().clone();
    let (roots, script) = (call.roots(), Arc::clone(&call.script));
    let fetching = call.host.on_sockets(async move {
        match source {
            Source::Wire(url) => caller.download(url, max, timeout, sender).await,
            Source::Played(content) => {
                // Nobody takes it when the disk has given up.
                let _ = sender.send(Piece::Chunk(content)).await;
                let _ = sender.send(Piece::End).await;
            }
        }
    });
    let _wait = call.host.wait();
    let writing = tokio::task::spawn_blocking(move || {
        inbox::receive(&roots, &script, &target, name.as_deref(), stem, pieces)
    });
    // Fetching is the one that is dropped with the run; writing then ends by itself.
    let (fetched, written) = tokio::join!(fetching, writing);
    fetched?;
    let written = written.map_err(|error| misuse(format!("the disk work failed: {error}")))?;
    Ok(match raised(written)? {
        Ok(saved) => Outcome::Value(table(&call, &saved)?),
        Err(failure) if failure.kind == "denied" && failure.hint.is_some() => {
            Failure { hint: None, ..failure }.into()
        }
        Err(failure) => failure.into(),
    })
}

/// Where the content comes from.
enum Source {
    Wire(Url),
    /// A rehearsal has it.
    Played(bytes::Bytes),
}

#[expect(clippy::cast_precision_loss, reason = "sizes fit the 53 bits of a number")]
fn table(call: &Call, saved: &Saved) -> LuaResult<Table> {
    let table = call.lua.create_table_with_capacity(0, 4)?;
    table.raw_set("path", saved.path.to_string_lossy())?;
    table.raw_set("name", saved.name.as_str())?;
    table.raw_set("size", saved.size as f64)?;
    table.raw_set("type", saved.kind)?;
    super::strict(&call.lua, "saved file", &["path", "name", "size", "type"], &table)?;
    Ok(table)
}

/// Asks where the file is; pictures have a second code to ask with.
async fn address(client: &Client, attachment: &Attachment) -> Result<Url, ApiError> {
    let Attachment { file, robot_code } = attachment;
    let first = client.download_url(robot_code.as_deref(), &file.download_code).await;
    match (first, &file.fallback_code) {
        (Err(error), Some(code)) if matches!(error.class, Class::Gone | Class::Permanent) => {
            client.download_url(robot_code.as_deref(), code).await
        }
        (first, _) => first,
    }
}

/// Some addresses of DingTalk begin with `http:`; its stores take both. The simulator takes only that.
fn encrypted(mut url: Url, client: &Client) -> Url {
    let ours = client.bases().any(|base| base.origin() == url.origin());
    if url.scheme() == "http" && !ours {
        // The default port goes with the scheme.
        let _ = url.set_scheme("https");
    }
    url
}

/// `ctx:react`. Cancel safe.
pub(super) async fn react(
    call: Call,
    (text, mut options): (String, Options),
) -> LuaResult<Outcome<bool>> {
    let remove = options.bool("remove")?.unwrap_or(false);
    options.finish()?;
    let text = redact(clean(&text).trim()).into_owned();
    let count = text.chars().count();
    if count == 0 || count > MAX_REACTION_CHARS || text.contains('\n') {
        return Err(misuse(format!(
            "argument #1 (`text`): expected an emoji or a few words, 1 to {MAX_REACTION_CHARS} characters on one line, got {count}"
        )));
    }
    let message =
        call.run.message().cloned().ok_or_else(|| {
            misuse("no message started this run, so there is nothing to react to")
        })?;
    if call.host.world().is_some_and(|world| world.react(&call, &text, remove)) {
        return Ok(Outcome::Value(true));
    }
    let client = connected(&call)?;
    let reacted = call
        .host
        .on_sockets(async move {
            let (id, chat) = (&message.id, &message.chat.id);
            client.react(message.robot_code.as_deref(), id, chat, &text, !remove).await
        })
        .await?;
    Ok(match reacted {
        Ok(()) => Outcome::Value(true),
        Err(error) => refused(&error).into(),
    })
}

fn connected(call: &Call) -> LuaResult<Client> {
    call.host
        .client()
        .map(|client| client.for_run(call.run.id()))
        .ok_or_else(|| misuse("there is no connection to DingTalk here: scripts are only checked"))
}

fn refused(error: &ApiError) -> Failure {
    let kind = match error.class {
        Class::Gone => "expired",
        Class::Throttled | Class::Quota => "throttled",
        Class::Transient => "network",
        _ => "refused",
    };
    let failure = Failure::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None if kind == "expired" => failure.hint("ask for it to be sent again"),
        None => failure,
    }
}
