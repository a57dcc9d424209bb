//! `ctx:send_file`, `ctx:send_image`: files of this computer into the chat. See `ctx.d.luau`.
//!
//! The file is read and uploaded at once, so that a refusal is the call's `nil, err`; the message then takes its place
//! among the replies. DingTalk shows only some types as files: others travel inside a zip.

use std::time::Duration;

use mlua::{LuaString, Result as LuaResult, Value};

use bytes::Bytes;

use crate::api::Call;
use crate::api::ctx::address;
use crate::api::failure::{Failure, Outcome, misuse, type_name};
use crate::api::fs;
use crate::api::options::Options;
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::dingtalk::Client;
use crate::dingtalk::MediaId;
use crate::dingtalk::MediaKind;
use crate::dingtalk::zip;
use crate::message::Address;
use crate::message::Body;
use crate::message::Reply;
use crate::sink::{clean, holds_secret, redact};

/// Longer names are cut where they are shown.
const MAX_NAME_CHARS: usize = 100;

/// Tries of an upload, the waits between them (doubled each time), and the longest wait that a handler is kept for.
const UPLOAD_TRIES: u32 = 3;
const UPLOAD_AGAIN: Duration = Duration::from_secs(1);
const UPLOAD_PATIENCE: Duration = Duration::from_secs(5);

/// `ctx:send_file`. Cancel safe: what was uploaded and not sent is forgotten by DingTalk.
pub(super) async fn send_file(
    call: Call,
    (path, mut options): (LuaString, Options),
) -> LuaResult<Outcome<bool>> {
    let given = options.string("name")?;
    options.finish()?;
    let (name, content) = match read(&call, &path, MediaKind::File).await? {
        Ok(read) => read,
        Err(failure) => return Ok(failure.into()),
    };
    let name = safe_name(given.as_deref().unwrap_or(&name));
    let (name, content) = if zip::is_shown(&name) {
        (name, content)
    } else {
        let packed = {
            let _wait = call.host.wait();
            let name = name.clone();
            tokio::task::spawn_blocking(move || zipped(&name, &content)).await
        };
        let packed = packed
            .map_err(|error| misuse(format!("the zip was not made: {error}")))?
            .map_err(|error| misuse(format!("the zip was not made: {error}")))?;
        (format!("{name}.zip"), packed)
    };
    let sent_as = name.clone();
    upload(&call, MediaKind::File, name, content, |media_id| Body::File { media_id, name: sent_as })
        .await
}

/// `ctx:send_image`. Cancel safe, as `ctx:send_file`.
pub(super) async fn send_image(call: Call, path: LuaString) -> LuaResult<Outcome<bool>> {
    let (name, content) = match read(&call, &path, MediaKind::Image).await? {
        Ok(read) => read,
        Err(failure) => return Ok(failure.into()),
    };
    let Some(extension) = image_type(&content) else {
        return Ok(Failure::new(
            "type",
            format!("`{}` is no picture that DingTalk shows", safe_name(&name)),
        )
        .hint("PNG, JPEG, GIF and BMP are; send it with `ctx:send_file`")
        .into());
    };
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    let name = safe_name(&format!("{stem}.{extension}"));
    upload(&call, MediaKind::Image, name, content, |media_id| Body::Image { media_id }).await
}

async fn read(
    call: &Call,
    path: &LuaString,
    kind: MediaKind,
) -> LuaResult<Result<(String, Vec<u8>), Failure>> {
    let path = path
        .to_str()
        .map_err(|_| {
            misuse(format!(
                "argument #1 (`path`): expected a path (UTF-8), got {}",
                type_name(&Value::String(path.clone()))
            ))
        })?
        .to_owned();
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let content = fs::read_file(call, path, kind.limit_bytes() as u64).await?;
    Ok(match content {
        // DingTalk takes no empty files, and says so in a way that helps nobody.
        Ok(content) if content.is_empty() => {
            Err(Failure::new("empty", format!("`{}` is empty", safe_name(&name))))
        }
        // No message could be shown with it either.
        Ok(content) if holds_secret(&content) => {
            Err(Failure::new("denied", format!("`{}` holds a secret", safe_name(&name)))
                .hint("send a file without it: whoever is in the chat could read it"))
        }
        Ok(content) => Ok((name, content)),
        Err(failure) => Err(failure),
    })
}

/// Sends a text of the host's own as a file to `to`, before whatever the run says next: as a message would show it, without
/// secrets. Returns the name that it has there.
pub(super) async fn attach(
    call: &Call,
    to: &Address,
    name: &str,
    text: &str,
) -> LuaResult<Result<String, Failure>> {
    let packed = zipped(name, redact(text).as_bytes());
    let packed = packed.map_err(|error| misuse(format!("the zip was not made: {error}")))?;
    let name = format!("{name}.zip");
    let id = match uploaded(call, MediaKind::File, name.clone(), packed).await? {
        Ok(id) => id,
        Err(failure) => return Ok(Err(failure)),
    };
    let body = Body::File { media_id: id, name: name.clone() };
    call.run.reply(Reply { to: to.clone(), body, at: Vec::new() })?;
    Ok(Ok(name))
}

async fn upload(
    call: &Call,
    kind: MediaKind,
    name: String,
    content: Vec<u8>,
    body: impl FnOnce(String) -> Body,
) -> LuaResult<Outcome<bool>> {
    let to = address(call)?;
    Ok(match uploaded(call, kind, name, content).await? {
        Ok(id) => {
            call.run.reply(Reply { to, body: body(id), at: Vec::new() })?;
            Outcome::Value(true)
        }
        Err(failure) => failure.into(),
    })
}

/// The id by which DingTalk knows it.
async fn uploaded(
    call: &Call,
    kind: MediaKind,
    name: String,
    content: Vec<u8>,
) -> LuaResult<Result<String, Failure>> {
    if let Some(id) = call.host.world().and_then(|world| world.upload(call, &name, &content)) {
        return Ok(Ok(id));
    }
    let client = call.host.client().ok_or_else(|| {
        misuse("there is no connection to DingTalk here: scripts are only checked")
    })?;
    let client = client.for_run(call.run.id());
    let content = Bytes::from(content);
    let uploaded = call
        .host
        .on_sockets(async move { upload_patiently(&client, kind, &name, content).await })
        .await?;
    Ok(uploaded.map(|id| id.as_str().to_owned()).map_err(|error| failed(&error)))
}

/// Tries an upload that was throttled, or met a passing fault, three times: nobody sees one that is made twice.
async fn upload_patiently(
    client: &Client,
    kind: MediaKind,
    name: &str,
    content: Bytes,
) -> Result<MediaId, ApiError> {
    let mut wait = UPLOAD_AGAIN;
    for _ in 1..UPLOAD_TRIES {
        match client.upload_media(kind, name, content.clone()).await {
            Err(error)
                if matches!(error.class, Class::Throttled | Class::Transient)
                    && error.retry_after.is_none_or(|asked| asked <= UPLOAD_PATIENCE) =>
            {
                tracing::warn!(%error, ?wait, "an upload failed; trying again");
                tokio::time::sleep(error.retry_after.map_or(wait, |asked| asked.max(wait))).await;
                wait *= 2;
            }
            settled => return settled,
        }
    }
    client.upload_media(kind, name, content).await
}

fn failed(error: &ApiError) -> Failure {
    let kind = match error.class {
        Class::Throttled | Class::Quota => "throttled",
        Class::TooLarge => "too_large",
        Class::Transient => "network",
        _ => "refused",
    };
    let failure = Failure::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A name that is only a name: no folders, nothing that a terminal or a file system acts on.
fn safe_name(name: &str) -> String {
    // It travels beside the message, too: with what is uploaded, and inside of a zip.
    let name = redact(&clean(name)).replace("***", "hidden");
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String =
        name.chars().filter(|c| !c.is_control() && !r#"<>:"|?*"#.contains(*c)).collect();
    let name = name.trim().trim_matches('.');
    let count = name.chars().count();
    let name: String = name.chars().skip(count.saturating_sub(MAX_NAME_CHARS)).collect();
    if name.is_empty() { "file".to_owned() } else { name }
}

/// What a picture is, by its first bytes: its name says nothing.
fn image_type(content: &[u8]) -> Option<&'static str> {
    let types: [(&[u8], _); 4] =
        [(b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"), (b"BM", "bmp")];
    types.into_iter().find(|(start, _)| content.starts_with(start)).map(|(_, name)| name)
}

fn zipped(name: &str, content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = std::io::Cursor::new(Vec::new());
    zip::zip(name, &mut &*content, &mut out)?;
    Ok(out.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_only_names() {
        for (name, expected) in [
            ("../../etc/passwd", "passwd"),
            ("a\u{202e}txt.exe", "atxt.exe"),
            ("C:\\x\\y.pdf", "y.pdf"),
            ("..", "file"),
            ("季度报告 v2.pdf", "季度报告 v2.pdf"),
            ("a\nb<c>.txt", "abc.txt"),
        ] {
            assert_eq!(safe_name(name), expected);
        }
        assert_eq!(safe_name(&format!("{}.pdf", "好".repeat(300))).chars().count(), MAX_NAME_CHARS);
    }
}
