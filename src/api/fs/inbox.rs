//! Where files from chat land: a folder for each day in the script's own folder, swept when it is old.
//!
//! A file appears under its name when it is whole; until then it is a temporary one that goes with whoever gives up.
//! Nothing here is ever loaded as a script.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use chrono::{Days, NaiveDate};
use tokio::sync::mpsc;

use super::files::Temporary;
use super::name;
use super::roots::{Last, Roots, failed, shortened};
use crate::access::Use;
use crate::api::failure::Failure;

/// Inside of the script's own folder.
const INBOX: &str = "inbox";

/// Days after which the folder of a day is removed.
pub const KEEP_DAYS: u64 = 30;

/// Files of one name in one folder.
const MAX_SAME: usize = 1_000;

/// A file on its way here.
#[derive(Debug)]
pub(crate) enum Piece {
    Chunk(Bytes),
    /// The whole of it was here.
    End,
    Failed(Failure),
}

/// Where a file goes.
#[derive(Debug)]
pub(crate) enum Target {
    /// The inbox of this day.
    Inbox(NaiveDate),
    /// A folder that the script names.
    Folder(String),
}

/// A file that has arrived.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) kind: &'static str,
}

/// Writes what comes through `pieces`. A sender that goes away without an end has given up: nothing stays then.
pub(crate) fn receive(
    roots: &Roots,
    script: &str,
    target: &Target,
    given: Option<&str>,
    stem: &str,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Saved, Failure> {
    let (dir, path) = folder(roots, script, target)?;
    let shown = path.to_string_lossy().into_owned();
    let wrong = |error: io::Error| failed(&error, "save a file in", &shown);
    let temporary = Temporary::new(&dir).map_err(wrong)?;
    let mut options = OpenOptions::new();
    let mut file =
        dir.open_with(&temporary.name, options.write(true).create_new(true)).map_err(wrong)?;
    let mut head = Vec::new();
    let mut size = 0;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Chunk(chunk)) => {
                file.write_all(&chunk).map_err(wrong)?;
                size += chunk.len() as u64;
                head.extend_from_slice(&chunk[..chunk.len().min(HEAD_BYTES - head.len())]);
            }
            Some(Piece::End) => break,
            Some(Piece::Failed(failure)) => return Err(failure),
            None => return Err(wrong(io::ErrorKind::Interrupted.into())),
        }
    }
    file.sync_data().map_err(wrong)?;
    drop(file);
    let (kind, extension) = type_of(&head, given);
    let mut wanted = name::safe(given.unwrap_or_default(), &format!("{stem}{extension}"));
    if matches!(target, Target::Folder(_)) && is_code(&wanted) {
        // A script's folder may be named; what came from chat is never a script there.
        wanted.push_str(".txt");
    }
    let name = reserve(&dir, &wanted).map_err(wrong)?;
    dir.rename(&temporary.name, &dir, &name).map_err(wrong)?;
    temporary.keep();
    Ok(Saved { path: path.join(&name), name, size, kind })
}

/// Opens the folder; one that does not exist is created.
fn folder(roots: &Roots, script: &str, target: &Target) -> Result<(Dir, PathBuf), Failure> {
    let date = match target {
        Target::Folder(text) => {
            let place = roots.resolve(script, text, Last::Follow, Use::Write)?;
            let create = || {
                match place.root.create_dir_all(&place.relative) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {} // or no folder, as the next line finds out
                }
                place.root.open_dir(&place.relative)
            };
            let dir = create().map_err(|error| failed(&error, "save a file in", text))?;
            return Ok((dir, place.full));
        }
        Target::Inbox(date) => date,
    };
    let own = roots.absolute(script, ".")?;
    let wrong = |error: io::Error| failed(&error, "use the inbox in", &own.to_string_lossy());
    let root = Dir::open_ambient_dir(&own, ambient_authority()).map_err(wrong)?;
    let relative = Path::new(INBOX).join(date.to_string());
    // Below the open folder: a link in the way leads out of it for nobody.
    root.create_dir_all(&relative).map_err(wrong)?;
    let dir = root.open_dir(&relative).map_err(wrong)?;
    let own = own.canonicalize().map_err(wrong)?;
    Ok((dir, own.join(relative)))
}

/// Takes a free name, by creating an empty file of it.
fn reserve(dir: &Dir, wanted: &str) -> io::Result<String> {
    for n in 1..=MAX_SAME {
        let name = name::nth(wanted, n);
        match dir.open_with(&name, OpenOptions::new().write(true).create_new(true)) {
            Ok(_) => return Ok(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let message = format!("there are {MAX_SAME} files of the name `{}`", shortened(wanted));
    Err(io::Error::new(io::ErrorKind::AlreadyExists, message))
}

fn is_code(name: &str) -> bool {
    let kind = Path::new(name).extension().and_then(|kind| kind.to_str());
    kind.is_some_and(|kind| ["luau", "lua"].iter().any(|code| kind.eq_ignore_ascii_case(code)))
}

/// Removes folders of days that are long past from the inbox of every script in `data`. Returns how many.
pub fn sweep(data: &Path, today: NaiveDate) -> io::Result<usize> {
    let Some(oldest) = today.checked_sub_days(Days::new(KEEP_DAYS)) else { return Ok(0) };
    let data = match Dir::open_ambient_dir(data, ambient_authority()) {
        Ok(data) => data,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut swept = 0;
    for script in data.entries()?.flatten() {
        // Links are not followed, here and below: `open_dir` of a link that leads out fails.
        let Ok(inbox) = script.open_dir().and_then(|own| own.open_dir(INBOX)) else { continue };
        for day in inbox.entries()?.flatten() {
            let name = day.file_name();
            let date = name.to_str().and_then(|name| name.parse::<NaiveDate>().ok());
            let is_folder = day.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && date.is_some_and(|date| date < oldest) {
                inbox.remove_dir_all(&name)?;
                swept += 1;
            }
        }
    }
    Ok(swept)
}

/// Enough to know every type below.
const HEAD_BYTES: usize = 16;

/// First bytes, or the extension where these say nothing; type and extension.
const TYPES: &[(&[u8], &[&str], &str)] = &[
    (b"\x89PNG\r\n\x1a\n", &[".png"], "image/png"),
    (b"\xff\xd8\xff", &[".jpg", ".jpeg"], "image/jpeg"),
    (b"GIF8", &[".gif"], "image/gif"),
    (b"BM", &[".bmp"], "image/bmp"),
    (b"%PDF-", &[".pdf"], "application/pdf"),
    (b"#!AMR", &[".amr"], "audio/amr"),
    (b"OggS", &[".ogg"], "audio/ogg"),
    (b"ID3", &[".mp3"], "audio/mpeg"),
    (b"\x1f\x8b", &[".gz"], "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", &[".7z"], "application/x-7z-compressed"),
    (b"Rar!", &[".rar"], "application/vnd.rar"),
];

/// Types that only a name tells.
const NAMED: &[(&str, &str)] = &[
    (".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (".doc", "application/msword"),
    (".xls", "application/vnd.ms-excel"),
    (".zip", "application/zip"),
    (".json", "application/json"),
    (".csv", "text/csv"),
    (".md", "text/markdown"),
    (".txt", "text/plain"),
    (".log", "text/plain"),
    (".mp4", "video/mp4"),
    (".mov", "video/quicktime"),
    (".wav", "audio/wav"),
    (".webp", "image/webp"),
];

/// What it is by its first bytes, else by its name; and the extension to give it when it has no name.
fn type_of(head: &[u8], name: Option<&str>) -> (&'static str, &'static str) {
    if let Some((_, extensions, kind)) = TYPES.iter().find(|(start, ..)| head.starts_with(start)) {
        return (kind, extensions[0]);
    }
    if head.get(4..8) == Some(b"ftyp") {
        return ("video/mp4", ".mp4");
    }
    let name = name.unwrap_or_default().to_lowercase();
    let extension = name::split(&name).1;
    match NAMED.iter().find(|(named, _)| *named == extension) {
        Some((named, kind)) => (kind, named),
        None => ("application/octet-stream", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_by_content_first() {
        for (head, name, expected) in [
            (&b"\x89PNG\r\n\x1a\nrest"[..], Some("x.pdf"), "image/png"),
            (b"%PDF-1.7", None, "application/pdf"),
            (b"\0\0\0\x18ftypmp42", None, "video/mp4"),
            (b"PK\x03\x04", Some("Book.XLSX"), NAMED[1].1),
            (b"hello", Some("notes.txt"), "text/plain"),
            (b"", None, "application/octet-stream"),
        ] {
            assert_eq!(type_of(head, name).0, expected, "{name:?}");
        }
    }

    #[test]
    fn days_long_past_are_swept_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let inbox = data.path().join("a/inbox");
        for day in ["2026-01-01", "2026-02-28", "2026-03-30", "keep me", "2026-13-01"] {
            std::fs::create_dir_all(inbox.join(day).join("deep")).unwrap();
        }
        std::fs::write(inbox.join("2025-01-01"), "a file").unwrap();
        std::fs::create_dir_all(data.path().join("b/other/2020-01-01")).unwrap();
        let today = NaiveDate::from_ymd_opt(2026, 3, 31).unwrap();
        assert_eq!(sweep(data.path(), today).unwrap(), 2);
        let mut left: Vec<String> = std::fs::read_dir(&inbox)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["2025-01-01", "2026-03-30", "2026-13-01", "keep me"]);
        assert!(data.path().join("b/other/2020-01-01").exists());
        assert_eq!(sweep(&data.path().join("none"), today).unwrap(), 0);
    }
}
