//! The files: `000001.ndjson`, `000002.ndjson`, …; the last one is written, by one thread.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::chain::{self, Head, LONGEST};
use super::thrift::Thrift;
use super::{Record, counted};
use crate::store::now_ms;

/// A file that is larger is followed by the next: small enough to open, large enough for weeks.
pub(super) const SIZE: u64 = 8 << 20;

/// Files that are kept; the oldest goes. About half a million records.
pub(super) const KEPT: usize = 24;

/// How often the disk is asked for safety, while there is something new.
const SAFE: Duration = Duration::from_secs(1);

/// How long to wait before records are written again that the disk did not take.
const AGAIN: Duration = Duration::from_secs(1);

/// How often what is counted is written down, while something is: what a kill may lose of it.
const COUNTED: Duration = Duration::from_millis(500);

const SUFFIX: &str = ".ndjson";

/// What the writer is handed.
pub(super) enum Item {
    Record(Box<Record>),
    /// Something was counted, and is in no record.
    Counted,
}

/// The end of the chain, open for more.
#[derive(Debug)]
pub(super) struct File {
    dir: PathBuf,
    number: u64,
    open: fs::File,
    size: u64,
    limit: u64,
    head: Head,
}

/// The files of a folder, oldest first; none if there is no folder.
pub(super) fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<(u64, PathBuf)> = match fs::read_dir(dir) {
        Ok(entries) => entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
                Some((name.parse().ok()?, path))
            })
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.parse().ok()
}

impl File {
    /// Opens the end of the chain; what a crash left half written is cut off, and recorded.
    pub(super) fn open(dir: &Path, limit: u64) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)?;
        let files = files(dir)?;
        let number = files.last().and_then(|path| number_of(path)).unwrap_or(1);
        let mut file = open(&path_of(dir, number))?;
        let torn = mend(&mut file)?;
        let mut size = file.seek(SeekFrom::End(0))?;
        let mut last = last_line(&mut file, size)?;
        if last.is_none() && files.len() > 1 {
            // Nothing yet in the newest: the chain goes on from the one before.
            let before = &files[files.len() - 2];
            let mut before = fs::File::open(before)?;
            let end = before.seek(SeekFrom::End(0))?;
            last = last_line(&mut before, end)?;
        }
        let head = match last {
            None => Head::default(),
            Some(line) => match serde_json::from_slice::<chain::Line>(&line) {
                // Also when it was tampered with: the chain goes on, and a check names the line.
                Ok(line) => Head { n: line.n, hash: line.hash },
                Err(_) => Head::default(),
            },
        };
        size = file.seek(SeekFrom::End(0))?.max(size);
        let mut this = Self { dir: dir.to_owned(), number, open: file, size, limit, head };
        let mut first = counted::left(dir)?;
        if torn > 0 {
            let why = format!("{torn} bytes of a record that a crash tore were cut off");
            first.push(Record { at_ms: now_ms(), ..Record::event("mended", "", "host", why) });
        }
        if !first.is_empty() {
            this.append(&first)?;
            this.open.sync_data()?;
            counted::keep(dir, &[])?;
        }
        Ok(this)
    }

    /// Adds records, in a new file where this one is full. On an error none of them counts as added.
    fn append(&mut self, records: &[Record]) -> io::Result<()> {
        if self.size >= self.limit {
            self.turn()?;
        }
        let mut head = self.head.clone();
        let text: String = records.iter().map(|record| head.line(record)).collect();
        if let Err(error) = self.open.write_all(text.as_bytes()) {
            // Half of a batch must not stay: it would be written again.
            let _ = self.open.set_len(self.size);
            return Err(error);
        }
        self.size += text.len() as u64;
        self.head = head;
        Ok(())
    }

    /// Goes on in the next file, and removes the oldest where there are too many.
    fn turn(&mut self) -> io::Result<()> {
        self.open.sync_data()?;
        let next = self.number + 1;
        self.open = open(&path_of(&self.dir, next))?;
        self.number = next;
        self.size = self.open.seek(SeekFrom::End(0))?;
        let files = files(&self.dir)?;
        for old in files.iter().take(files.len().saturating_sub(KEPT)) {
            fs::remove_file(old)?;
        }
        Ok(())
    }
}

fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:06}{SUFFIX}"))
}

fn open(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Cuts off what stands behind the last line break; returns how many bytes that were.
fn mend(file: &mut fs::File) -> io::Result<u64> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut keep = end;
    let mut block = [0; 4096];
    loop {
        if keep == 0 {
            break;
        }
        let start = keep.saturating_sub(block.len() as u64);
        let size = usize::try_from(keep - start).expect("at most a block");
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block[..size])?;
        if let Some(at) = block[..size].iter().rposition(|byte| *byte == b'\n') {
            keep = start + at as u64 + 1;
            break;
        }
        keep = start;
    }
    if keep < end {
        file.set_len(keep)?;
    }
    Ok(end - keep)
}

/// The last line of a file that ends with a line break, if it has one.
fn last_line(file: &mut fs::File, end: u64) -> io::Result<Option<Vec<u8>>> {
    let start = end.saturating_sub(LONGEST as u64);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(end - start).read_to_end(&mut tail)?;
    let Some(tail) = tail.strip_suffix(b"\n") else { return Ok(None) };
    let line = tail.rsplit(|byte| *byte == b'\n').next().unwrap_or(tail);
    Ok((!line.is_empty()).then(|| line.to_vec()))
}

/// The thread of the writer: until everybody who records is gone.
pub(super) fn write(
    mut file: File,
    queue: &Receiver<Item>,
    lost: &AtomicU64,
    thrift: &Mutex<Thrift>,
) {
    let mut waiting: Vec<Record> = Vec::new();
    let mut unsafe_since: Option<Instant> = None;
    let mut counted_since: Option<Instant> = None;
    let (mut failing, mut forgetful) = (false, false);
    let mut open = true;
    while open || !waiting.is_empty() {
        let patience = if waiting.is_empty() {
            let safe = unsafe_since.map(|since| SAFE.saturating_sub(since.elapsed()));
            let counted = counted_since.map(|since| COUNTED.saturating_sub(since.elapsed()));
            safe.into_iter().chain(counted).min().unwrap_or(Duration::from_hours(1))
        } else {
            AGAIN
        };
        let next = match queue.recv_timeout(patience) {
            Ok(item) => Some(item),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                open = false;
                None
            }
        };
        for item in next.into_iter().chain(queue.try_iter().take(1024)) {
            match item {
                Item::Record(record) => waiting.push(*record),
                Item::Counted => {
                    counted_since.get_or_insert_with(Instant::now);
                }
            }
        }
        let gap = lost.swap(0, Ordering::SeqCst);
        if gap > 0 {
            let why = format!("{gap} records were lost: the disk took none for too long");
            waiting.push(Record { at_ms: now_ms(), ..Record::event("gap", "", "host", why) });
        }
        // A record tells what was counted: kept longer it would be told twice.
        let tells = waiting.iter().any(|record| record.left_out > 0);
        if !waiting.is_empty() {
            match file.append(&waiting) {
                Ok(()) => {
                    if failing {
                        tracing::info!("the audit is written again");
                    }
                    failing = false;
                    waiting.clear();
                    unsafe_since.get_or_insert_with(Instant::now);
                }
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, dir = %file.dir.display(), "the audit cannot be written; trying again");
                    }
                    failing = true;
                    if !open {
                        break;
                    }
                    // The disk is tried at its own pace, whatever comes in.
                    std::thread::sleep(AGAIN / 4);
                }
            }
        }
        let due = counted_since.is_some_and(|since| since.elapsed() >= COUNTED);
        if due || (!failing && (tells || !open)) {
            counted_since = None;
            let untold = thrift.lock().unwrap_or_else(PoisonError::into_inner).untold(now_ms());
            let kept = counted::keep(&file.dir, &untold);
            if let Err(error) = &kept
                && !forgetful
            {
                tracing::error!(%error, "what the audit counts may not outlive a kill");
            }
            forgetful = kept.is_err();
        }
        if unsafe_since.is_some_and(|since| since.elapsed() >= SAFE) || !open {
            if let Err(error) = file.open.sync_data() {
                tracing::error!(%error, "the audit may not outlive a power cut");
            }
            unsafe_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::verify;
    use super::*;

    fn record(n: usize) -> Record {
        Record {
            at_ms: 1,
            handler: format!("h{n}"),
            ..Record::event("decision", "allow", "ann", "")
        }
    }

    fn fill(dir: &Path, limit: u64, count: usize) {
        let mut file = File::open(dir, limit).unwrap();
        for n in 0..count {
            file.append(&[record(n)]).unwrap();
        }
    }

    #[test]
    fn the_chain_goes_on_over_files_and_restarts() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), 2_000, 40);
        fill(dir.path(), 2_000, 40);
        let verified = verify(dir.path()).unwrap();
        assert_eq!((verified.records, verified.first, verified.broken), (80, 1, None));
        assert!(verified.files > 3);
    }

    #[test]
    fn a_torn_line_is_cut_off_and_noted() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), SIZE, 3);
        let path = path_of(dir.path(), 1);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 40]).unwrap();
        assert!(verify(dir.path()).unwrap().broken.unwrap().why.contains("tore"));
        fill(dir.path(), SIZE, 1);
        let verified = verify(dir.path()).unwrap();
        assert_eq!((verified.records, verified.broken), (4, None));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().nth(2).unwrap().contains("\"mended\""), "{text}");
    }

    #[test]
    fn a_beginning_that_the_host_did_not_remove_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), 1, 5);
        fs::remove_file(path_of(dir.path(), 1)).unwrap();
        fs::remove_file(path_of(dir.path(), 2)).unwrap();
        let verified = verify(dir.path()).unwrap();
        assert_eq!((verified.records, verified.first, verified.missing), (3, 3, 2));
        // Past so many files the oldest are removed by the host.
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), 1, KEPT + 5);
        let verified = verify(dir.path()).unwrap();
        assert_eq!((verified.first, verified.missing, verified.broken), (6, 0, None));
    }

    #[test]
    fn every_change_in_the_middle_is_found_at_its_record() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), SIZE, 10);
        let path = path_of(dir.path(), 1);
        let whole = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let with = |change: &dyn Fn(&mut Vec<String>)| {
            let mut lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            change(&mut lines);
            fs::write(&path, lines.join("\n") + "\n").unwrap();
            verify(dir.path()).unwrap().broken
        };
        assert_eq!(with(&|_| {}), None);
        let broken = with(&|lines| lines[4] = lines[4].replace("\"ann\"", "\"bob\"")).unwrap();
        assert_eq!((broken.line, broken.n), (5, 5));
        let broken = with(&|lines| drop(lines.remove(4))).unwrap();
        assert_eq!((broken.line, broken.n), (5, 5));
        assert!(broken.why.contains("missing"), "{}", broken.why);
        assert_eq!(with(&|lines| lines.swap(4, 5)).unwrap().line, 5);
        assert_eq!(with(&|lines| lines.insert(4, lines[3].clone())).unwrap().line, 5);
        assert_eq!(with(&|lines| lines[9] = "{}".to_owned()).unwrap().line, 10);
        // What stands behind the hash, twice, under a key of its own or in other bytes is no part of a record.
        for (old, new) in [
            ("\"}", "\",\"reason\":\"approved by nobody\"}"),
            ("\"}", "\",\"x\":1}"),
            ("{", "{\"x\":1,"),
            ("{", "{\"event\":\"lock\","),
            ("{", "{ "),
            ("\"}", "\"} "),
        ] {
            let broken = with(&|lines| lines[4] = lines[4].replacen(old, new, 1)).unwrap();
            assert_eq!((broken.line, broken.n), (5, 5), "{new}");
        }
        // A record that was made to fit by itself does not fit those behind it.
        let forged = |lines: &mut Vec<String>| {
            let before = chain::read(lines[3].as_bytes()).unwrap();
            let mut head = Head { n: before.n, hash: before.hash };
            lines[4] = head.line(&Record { who: "bob".into(), ..record(4) }).trim().to_owned();
        };
        assert_eq!(with(&forged).unwrap().line, 6);
    }
}
