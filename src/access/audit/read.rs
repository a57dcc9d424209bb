//! Reading the records back, oldest first.

use std::fs;
use std::io::{self, BufRead as _};
use std::path::Path;

use serde::Serialize;

use super::Record;
use super::chain;
use super::file::files;

/// A record and its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub n: u64,
    #[serde(flatten)]
    pub record: Record,
}

/// What was found, and whether that is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub entries: Vec<Entry>,
    /// Lines that are no records as the host writes them, so nothing is said of what they say.
    pub damaged: u64,
}

/// All records of the audit folder `dir` that `wanted` picks, oldest first, the last `most` of them. Lines that are no
/// records are counted: [`super::verify`] names the first.
///
/// # Errors
/// When a file cannot be read.
pub fn entries(dir: &Path, most: usize, wanted: impl Fn(&Record) -> bool) -> io::Result<Found> {
    let (mut found, mut damaged) = (std::collections::VecDeque::new(), 0);
    let files = files(dir)?;
    for (index, path) in files.iter().enumerate() {
        let mut reader = io::BufReader::new(fs::File::open(path)?);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            let Some(line) = bytes.strip_suffix(b"\n") else {
                // At the very end it may be a record that is being written.
                damaged += u64::from(index + 1 < files.len());
                break;
            };
            let Ok(line) = chain::read(line) else {
                damaged += 1;
                continue;
            };
            if wanted(&line.record) {
                if found.len() >= most {
                    found.pop_front();
                }
                found.push_back(Entry { n: line.n, record: line.record });
            }
        }
    }
    Ok(Found { entries: found.into(), damaged })
}
