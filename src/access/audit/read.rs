//! Reading the records back, oldest first.

use std::fs;
use std::io::{self, BufRead as _};
use std::path::Path;

use serde::Serialize;

use super::Record;
use super::chain::{LONGEST, Line};
use super::file::files;

/// A record and its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub n: u64,
    #[serde(flatten)]
    pub record: Record,
}

/// All records of the audit folder `dir` that `wanted` picks, oldest first, the last `most` of them. Lines that are no
/// records are passed over: [`super::verify`] names them.
///
/// # Errors
/// When a file cannot be read.
pub fn entries(
    dir: &Path,
    most: usize,
    wanted: impl Fn(&Record) -> bool,
) -> io::Result<Vec<Entry>> {
    let mut found = std::collections::VecDeque::new();
    for path in files(dir)? {
        let mut reader = io::BufReader::new(fs::File::open(path)?);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            if bytes.len() > LONGEST {
                continue;
            }
            let Ok(line) = serde_json::from_slice::<Line>(&bytes) else { continue };
            if wanted(&line.record) {
                if found.len() >= most {
                    found.pop_front();
                }
                found.push_back(Entry { n: line.n, record: line.record });
            }
        }
    }
    Ok(found.into())
}
