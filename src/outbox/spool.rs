//! The whole output of cards, on disk while it comes: for the file that is sent when it did not fit into the card.
//!
//! A thread of its own writes, so that a disk that stalls stalls no script. What it has not taken yet is bounded; past
//! that, and past the limit of a file, output is left out, and the file says where and how much. Secrets do not get here.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use crate::sink::redact_ahead;

/// Pieces on their way to the disk, each of some 16 KiB.
const QUEUE: usize = 256;

/// Handle to the thread that writes; cheap to clone. It ends with the last one.
#[derive(Clone, Debug)]
pub(super) struct Spool {
    orders: mpsc::Sender<Order>,
    dir: Arc<Path>,
    most_bytes: Arc<AtomicU64>,
}

#[derive(Debug)]
pub(super) enum Order {
    /// Adds to the file of a card; `anew`: it begins again.
    Write { id: String, bytes: Vec<u8>, anew: bool },
    /// The file is complete; `lost` bytes never got here. Answers with its size.
    Keep { id: String, lost: u64, done: oneshot::Sender<io::Result<u64>> },
    /// Nobody wants it.
    Discard { id: String },
}

impl Spool {
    /// Starts the thread. Files hold at most `most_bytes`.
    pub(super) fn start(dir: PathBuf, most_bytes: u64) -> io::Result<Self> {
        private_dir(&dir)?;
        let (orders, mut queue) = mpsc::channel(QUEUE);
        let most_bytes = Arc::new(AtomicU64::new(most_bytes));
        let most = Arc::clone(&most_bytes);
        let mut desk = Desk { dir: dir.clone(), most_bytes: most, files: HashMap::new() };
        std::thread::Builder::new().name("spool".to_owned()).spawn(move || {
            while let Some(order) = queue.blocking_recv() {
                desk.serve(order);
            }
        })?;
        Ok(Self { orders, dir: dir.into(), most_bytes })
    }

    /// From now on files hold at most so many bytes.
    pub(super) fn renew(&self, most_bytes: u64) {
        self.most_bytes.store(most_bytes, Ordering::Relaxed);
    }

    pub(super) fn path(&self, id: &str) -> PathBuf {
        file(&self.dir, id)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Hands over what fits now; else it comes back.
    pub(super) fn try_write(&self, id: &str, bytes: Vec<u8>, anew: bool) -> Result<(), Vec<u8>> {
        match self.orders.try_send(Order::Write { id: id.to_owned(), bytes, anew }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(order) | TrySendError::Closed(order)) => match order {
                Order::Write { bytes, .. } => Err(bytes),
                _ => Ok(()),
            },
        }
    }

    /// The same, waiting for room.
    pub(super) async fn write(&self, id: &str, bytes: Vec<u8>, anew: bool) {
        let _ = self.orders.send(Order::Write { id: id.to_owned(), bytes, anew }).await;
    }

    /// Completes the file; returns its size once it is on disk.
    pub(super) async fn keep(&self, id: &str, lost: u64) -> io::Result<u64> {
        let (done, kept) = oneshot::channel();
        let gone = || io::Error::other("the thread that writes outputs is gone");
        let order = Order::Keep { id: id.to_owned(), lost, done };
        self.orders.send(order).await.map_err(|_| gone())?;
        kept.await.map_err(|_| gone())?
    }

    pub(super) async fn discard(&self, id: &str) {
        let _ = self.orders.send(Order::Discard { id: id.to_owned() }).await;
    }
}

/// Where the output of the card `id` is.
pub(super) fn file(dir: &Path, id: &str) -> PathBuf {
    dir.join(format!("{id}.log"))
}

struct Desk {
    dir: PathBuf,
    most_bytes: Arc<AtomicU64>,
    files: HashMap<String, Writing>,
}

struct Writing {
    file: File,
    /// Not looked through yet: a secret may begin here and end in what comes.
    ahead: Vec<u8>,
    written: u64,
    /// Bytes and lines past the limit.
    over: (u64, u64),
    failed: Option<io::Error>,
}

impl Desk {
    fn serve(&mut self, order: Order) {
        match order {
            Order::Write { id, bytes, anew } => {
                if anew {
                    self.files.remove(&id);
                }
                let most = self.most_bytes.load(Ordering::Relaxed);
                match self.writing(id) {
                    Ok(writing) => writing.add(&bytes, most, false),
                    Err(error) => tracing::warn!(%error, "the output of a card cannot be kept"),
                }
            }
            Order::Keep { id, lost, done } => {
                let kept = match self.files.remove(&id) {
                    Some(writing) => writing.finish(self.most_bytes.load(Ordering::Relaxed), lost),
                    None => fs::metadata(file(&self.dir, &id)).map(|about| about.len()),
                };
                let _ = done.send(kept);
            }
            Order::Discard { id } => {
                self.files.remove(&id);
                // Mostly there is none.
                let _ = fs::remove_file(file(&self.dir, &id));
            }
        }
    }

    fn writing(&mut self, id: String) -> io::Result<&mut Writing> {
        use std::collections::hash_map::Entry;
        match self.files.entry(id) {
            Entry::Occupied(there) => Ok(there.into_mut()),
            Entry::Vacant(place) => {
                let file = private_file(&file(&self.dir, place.key()))?;
                Ok(place.insert(Writing {
                    file,
                    ahead: Vec::new(),
                    written: 0,
                    over: (0, 0),
                    failed: None,
                }))
            }
        }
    }
}

impl Writing {
    fn add(&mut self, bytes: &[u8], most: u64, last: bool) {
        self.ahead.extend_from_slice(bytes);
        let mut clean = Vec::with_capacity(self.ahead.len());
        redact_ahead(&mut self.ahead, &mut clean, last);
        if clean.is_empty() {
            return;
        }
        let room = usize::try_from(most.saturating_sub(self.written)).unwrap_or(usize::MAX);
        let mut fits = clean.len().min(room);
        // Not inside a character.
        while fits < clean.len() && fits > 0 && clean[fits] & 0xC0 == 0x80 {
            fits -= 1;
        }
        if self.over.0 > 0 {
            fits = 0;
        }
        let (now, over) = clean.split_at(fits);
        self.over.0 += over.len() as u64;
        self.over.1 += over.split(|byte| *byte == b'\n').count() as u64 - 1;
        match self.file.write_all(now) {
            Ok(()) => self.written += now.len() as u64,
            // A full disk must end neither the program nor its card.
            Err(error) if self.failed.is_none() => {
                tracing::warn!(%error, "the output of a card cannot be kept to its end");
                self.failed = Some(error);
                self.over.0 += now.len() as u64;
            }
            Err(_) => self.over.0 += now.len() as u64,
        }
    }

    fn finish(mut self, most: u64, lost: u64) -> io::Result<u64> {
        self.add(&[], most, true);
        let (bytes, lines) = self.over;
        if bytes > 0 || lost > 0 {
            let why = match &self.failed {
                Some(error) => format!("the disk took no more: {error}"),
                None if lost > 0 => "it came faster than the disk took it".to_owned(),
                None => "more than `cards.attach_mb`".to_owned(),
            };
            let missing = bytes + lost;
            let note = format!(
                "\n[moonbell: cut here after {} bytes; {missing} bytes ({lines} lines) of output are not in this file: {why}]\n",
                self.written
            );
            let _ = self.file.write_all(note.as_bytes());
        }
        self.file.sync_all()?;
        Ok(self.file.metadata()?.len())
    }
}

/// Creates a file that only its owner reads; an older one is emptied.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spool: &Spool, id: &str) -> String {
        fs::read_to_string(spool.path(id)).unwrap()
    }

    #[tokio::test]
    async fn a_file_is_private_holds_what_came_in_pieces_and_no_secret_across_two_of_them() {
        crate::sink::hide("spool-s3cret-value");
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::start(dir.path().join("spool"), 1 << 20).unwrap();
        for piece in ["one spool-s3", "cret-value two\n", "三\n"] {
            spool.write("c", piece.as_bytes().to_vec(), false).await;
        }
        let size = spool.keep("c", 0).await.unwrap();
        assert_eq!(read(&spool, "c"), "one *** two\n三\n");
        assert_eq!(size, 16);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&spool.path("c")), 0o600);
            assert_eq!(mode(spool.dir()), 0o700);
        }
        spool.discard("c").await;
        spool.keep("c", 0).await.unwrap_err();
    }

    #[tokio::test]
    async fn past_the_limit_nothing_is_kept_and_the_file_says_where_it_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::start(dir.path().to_owned(), 5).unwrap();
        spool.write("c", "一二三\nfour\n".into(), false).await;
        spool.keep("c", 7).await.unwrap();
        let text = read(&spool, "c");
        assert!(
            text.starts_with("一\n[moonbell: cut here after 3 bytes; 19 bytes (2 lines)"),
            "{text}"
        );
        spool.write("c", b"old".to_vec(), false).await;
        spool.write("c", b"new".to_vec(), true).await;
        spool.keep("c", 0).await.unwrap();
        assert_eq!(read(&spool, "c"), "new");
    }
}
