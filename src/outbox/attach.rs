//! The whole output of a card as a file: packed, uploaded and sent in its place among the replies.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::deliver::Sender;
use super::spool;
use crate::dingtalk::ApiError;
use crate::dingtalk::Class;
use crate::dingtalk::MediaKind;
use crate::dingtalk::zip::zip;
use crate::message::Address;
use crate::message::Body;
use crate::message::Reply;
use crate::words;
use crate::words::Lang;

/// Characters of the name that come from the title.
const NAME_CHARS: usize = 40;

/// A file to be sent, as its row in the outbox says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attachment {
    card: String,
    to: Address,
    /// Without its extension.
    name: String,
    lang: String,
}

impl Attachment {
    pub(super) fn new(card: &str, to: Address, title: &str, run: &str, lang: Lang) -> Self {
        let name = format!("{}-{run}", file_stem(title));
        Self { card: card.to_owned(), to, name, lang: lang.code().to_owned() }
    }

    pub(super) fn to(&self) -> &Address {
        &self.to
    }

    pub(super) fn file_name(&self) -> String {
        format!("{}.zip", self.name)
    }

    /// The file itself, once it is uploaded as `media_id`.
    pub(super) fn reply(&self, media_id: String) -> Reply {
        let body = Body::File { media_id, name: self.file_name() };
        Reply { to: self.to.clone(), body, at: Vec::new() }
    }

    fn text(&self, text: String) -> Reply {
        Reply { to: self.to.clone(), body: Body::Text { text }, at: Vec::new() }
    }
}

/// A title as a name that every file system takes.
fn file_stem(title: &str) -> String {
    let mut name = String::new();
    for c in title.chars().take(NAME_CHARS) {
        match c {
            c if c.is_alphanumeric() || matches!(c, '.' | '_') => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "output".to_owned() } else { name.to_owned() }
}

/// What is sent of a file.
#[derive(Debug)]
struct Packed {
    zip: Bytes,
    /// Of the whole file, when only its end fits: its size, that of its zip, and how much is sent.
    cut: Option<(u64, u64, u64)>,
}

/// Packs the file into a zip of at most `limit` bytes: the whole, or as much of its end as surely fits.
fn pack(path: &Path, name: &str, limit: u64) -> io::Result<Packed> {
    let mut file = File::open(path)?;
    let whole = file.metadata()?.len();
    let packed = path.with_extension("zip");
    let _gone = Gone(packed.clone());
    let entry = format!("{name}.log");
    let size = {
        let mut out = spool::private_file(&packed)?;
        zip(&entry, &mut file, &mut out)?;
        out.seek(SeekFrom::End(0))?
    };
    let mut cut = None;
    if size > limit {
        // What cannot be made smaller grows by less than this.
        let sent = (limit - limit / 100 - 4_096.min(limit / 2)).min(whole);
        file.seek(SeekFrom::End(-i64::try_from(sent).unwrap_or(0)))?;
        let mut out = spool::private_file(&packed)?;
        zip(&entry, &mut file, &mut out)?;
        cut = Some((whole, size, sent));
    }
    let mut zip = Vec::new();
    File::open(&packed)?.read_to_end(&mut zip)?;
    Ok(Packed { zip: zip.into(), cut })
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1 << 20))
}

/// A file that goes with this.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Sender {
    /// Packs and uploads the file. Returns what is then to be said.
    pub(super) async fn prepare(&self, attachment: &Attachment) -> Result<Vec<Reply>, ApiError> {
        let lang = Lang::from_code(&attachment.lang).unwrap_or_default();
        let failed = |why: String| ApiError::local("attachment", Class::Gone, "no-file", why);
        let Some(spool) = &self.outbox.spool else {
            return Err(failed("the outputs of cards are not kept".to_owned()));
        };
        let limit = MediaKind::File.limit_bytes() as u64;
        let (path, name) = (spool.path(&attachment.card), attachment.name.clone());
        let packed = tokio::task::spawn_blocking(move || pack(&path, &name, limit)).await;
        let packed = match packed {
            Ok(Ok(packed)) => packed,
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(vec![attachment.text(words::cards::gone(&attachment.name, lang))]);
            }
            Ok(Err(error)) => return Err(failed(format!("the file cannot be packed: {error}"))),
            Err(panic) => return Err(failed(format!("packing the file broke off: {panic}"))),
        };
        let name = attachment.file_name();
        let id = self.client.upload_media(MediaKind::File, &name, packed.zip).await?;
        let explained = packed.cut.map(|(whole, zipped, sent)| {
            let [whole, zipped, sent] = [whole, zipped, sent].map(megabytes);
            attachment.text(words::cards::too_large(&attachment.name, &whole, &zipped, &sent, lang))
        });
        let file = attachment.reply(id.as_str().to_owned());
        Ok(explained.into_iter().chain([file]).collect())
    }

    /// It is uploaded: what is here is not needed any more.
    pub(super) async fn forget(&self, attachment: &Attachment) {
        if let Some(spool) = &self.outbox.spool {
            spool.discard(&attachment.card).await;
        }
    }

    /// Removes files of outputs that no card and no reply needs. However old they are: one that is parked may be sent in the
    /// next month, or when somebody has mended what kept it.
    pub(super) async fn sweep_files(&self) {
        let Some(spool) = &self.outbox.spool else { return };
        let dir = spool.dir().to_owned();
        // Before the journal is asked: a card that closes in between is in one of the two.
        let open: Vec<String> = self.outbox.cards().keys().cloned().collect();
        let needed = self.outbox.store.read(move |c| {
            let mut needed: Vec<String> = c
                .prepare("SELECT id FROM cards WHERE state <> 'closed'")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let payloads: Vec<String> = c
                .prepare("SELECT payload FROM outbox WHERE state IN ('queued', 'parked') AND payload LIKE '{\"type\":\"attachment\"%'")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let attachments = payloads.iter().filter_map(|payload| serde_json::from_str(payload).ok());
            needed.extend(attachments.map(|attachment: Attachment| attachment.card));
            Ok(needed)
        });
        let needed = match needed.await {
            Ok(needed) => needed,
            Err(error) => {
                tracing::warn!(%error, "old outputs were not swept out");
                return;
            }
        };
        let swept = tokio::task::spawn_blocking(move || {
            for entry in std::fs::read_dir(&dir)?.flatten() {
                let path = entry.path();
                let id = path.file_stem().and_then(|id| id.to_str()).unwrap_or_default().to_owned();
                if !(needed.contains(&id) || open.contains(&id)) {
                    std::fs::remove_file(path)?;
                }
            }
            io::Result::Ok(())
        });
        if let Ok(Err(error)) = swept.await {
            tracing::warn!(%error, "old outputs were not swept out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_a_name_that_is_only_a_name() {
        for (title, name) in [
            ("make deploy ENV=prod", "make-deploy-ENV-prod"),
            ("../../etc/passwd", "etc-passwd"),
            ("部署 生产", "部署-生产"),
            ("   ", "output"),
            ("a\nb\u{202e}", "a-b"),
        ] {
            assert_eq!(file_stem(title), name);
        }
    }

    #[test]
    fn of_what_is_too_large_as_a_zip_the_end_is_packed_and_fits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.log");
        // Nothing to gain by packing.
        let noise: Vec<u8> = (0..50_000).map(|_| rand::random()).collect();
        std::fs::write(&path, &noise).unwrap();
        let packed = pack(&path, "noise", 20_000).unwrap();
        assert!(packed.zip.len() <= 20_000, "{}", packed.zip.len());
        let (whole, zipped, sent) = packed.cut.unwrap();
        assert!(whole == 50_000 && zipped > 20_000 && sent > 15_000);
        let mut archive = ::zip::ZipArchive::new(io::Cursor::new(packed.zip)).unwrap();
        let mut read = Vec::new();
        archive.by_index(0).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, noise[50_000 - usize::try_from(sent).unwrap()..]);
        assert!(!dir.path().join("c.zip").exists());
        assert!(pack(&path, "noise", 1 << 20).unwrap().cut.is_none());
    }
}
