//! The chain: a line is a record, its number, the hash of the line before it, and its own hash over all of that.
//!
//! ```text
//! {"n":7,"at_ms":…,"event":"decision",…,"prev":"<64 hex>","hash":"<64 hex>"}
//! ```
//!
//! `hash` is the SHA-256 of the line's bytes before `,"hash":`. It shows that a line was changed, added or removed in the
//! middle. It has no key: who may write the files can also write the whole chain anew, or cut off its end.

use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::Record;
use super::file::{KEPT, files};

/// Where the chain stands: what the next record is chained to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) n: u64,
    pub(super) hash: String,
}

#[derive(Serialize)]
struct Numbered<'a> {
    n: u64,
    #[serde(flatten)]
    record: &'a Record,
    prev: &'a str,
}

/// A line, read.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) n: u64,
    #[serde(flatten)]
    pub(super) record: Record,
    pub(super) prev: String,
    pub(super) hash: String,
}

const HASH: &str = ",\"hash\":\"";

/// No record is longer; a line that is was not written by us.
pub(super) const LONGEST: usize = 16 << 10;

impl Default for Head {
    fn default() -> Self {
        Self { n: 0, hash: "0".repeat(64) }
    }
}

impl Head {
    /// The line of the next record, with its line break; the head moves on to it.
    pub(super) fn line(&mut self, record: &Record) -> String {
        let numbered = Numbered { n: self.n + 1, record, prev: &self.hash };
        let mut line = serde_json::to_string(&numbered).expect("texts and numbers");
        line.pop(); // the closing brace
        let hash = hash_of(line.as_bytes());
        line.push_str(HASH);
        line.push_str(&hash);
        line.push_str("\"}\n");
        *self = Self { n: self.n + 1, hash };
        line
    }
}

fn hash_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    let mut hex = String::with_capacity(64);
    for byte in digest(&SHA256, bytes).as_ref() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Reads a line (without its line break) and checks it: what was read must be all that there is, so it is written again and
/// compared. A key behind the hash, one twice, or one that no record has would else be shown and prove nothing.
pub(super) fn read(line: &[u8]) -> Result<Line, String> {
    if line.len() > LONGEST {
        return Err("it is longer than any record".to_owned());
    }
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let read: Line = serde_json::from_str(text).map_err(|_| "it is no record".to_owned())?;
    let (body, _) = text.rsplit_once(HASH).ok_or("it has no hash")?;
    if hash_of(body.as_bytes()) != read.hash {
        return Err("it was changed: its hash is another".to_owned());
    }
    let mut before = Head { n: read.n.wrapping_sub(1), hash: read.prev.clone() };
    if read.n == 0 || before.line(&read.record).trim_end() != text {
        return Err("it was changed: it is not as moonbell writes it".to_owned());
    }
    Ok(read)
}

/// What a check of the chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub records: u64,
    pub files: usize,
    /// The number of the first record there is; more than 1 where older files were removed.
    pub first: u64,
    /// Records before the first that the host did not remove itself: it does that only past [`KEPT`] files.
    pub missing: u64,
    pub broken: Option<Broken>,
}

/// The first record that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    pub file: PathBuf,
    pub line: usize,
    /// The number it should have.
    pub n: u64,
    pub why: String,
}

/// Checks the chain over all files of the audit folder `dir`, up to the first record that does not fit.
///
/// # Errors
/// When a file cannot be read.
pub fn verify(dir: &Path) -> io::Result<Verified> {
    let files = files(dir)?;
    let mut verified =
        Verified { records: 0, files: files.len(), first: 0, missing: 0, broken: None };
    let mut head: Option<Head> = None;
    for path in files {
        let mut reader = io::BufReader::new(fs::File::open(&path)?);
        let (mut bytes, mut number) = (Vec::new(), 0);
        loop {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            number += 1;
            let n = head.as_ref().map_or(1, |head| head.n + 1);
            let broken = |why: String| Broken { file: path.clone(), line: number, n, why };
            let found = match bytes.strip_suffix(b"\n") {
                None => Err("it ends in the middle: a crash tore it, and the next start mends it"
                    .to_owned()),
                Some(line) => read(line),
            };
            let fits = found.and_then(|line| match &head {
                None if line.n == 1 && line.prev != Head::default().hash => {
                    Err("the first record follows on something".to_owned())
                }
                Some(head) if line.n != head.n + 1 => Err(format!(
                    "it has the number {}: {}",
                    line.n,
                    if line.n > head.n {
                        "records are missing before it"
                    } else {
                        "it is out of place"
                    }
                )),
                Some(head) if line.prev != head.hash => {
                    Err("it does not follow on the record before it".to_owned())
                }
                _ => Ok(line),
            });
            match fits {
                Ok(line) => {
                    if head.is_none() {
                        verified.first = line.n;
                        if verified.files < KEPT {
                            verified.missing = line.n - 1;
                        }
                    }
                    verified.records += 1;
                    head = Some(Head { n: line.n, hash: line.hash });
                }
                Err(why) => {
                    verified.broken = Some(broken(why));
                    return Ok(verified);
                }
            }
        }
    }
    Ok(verified)
}
