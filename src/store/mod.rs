//! SQLite under the journals: open, migrate, one writer with group commit, readers beside it.
//!
//! Every change goes through one writer thread. It takes all the work that is waiting, runs each piece inside one
//! transaction (in a savepoint of its own, unless it is a single statement), commits once, and only then answers: one
//! fsync serves everybody who was waiting, and a piece that fails takes nobody down with it. What [`Store::write`] has answered survives `kill -9` and a power
//! cut (WAL, `synchronous = FULL`).
//!
//! Knows nothing of what the tables mean: each has one owner module.

mod error;
mod instance;
pub mod kv;
mod lanes;
mod look;
mod migrate;
mod note;
pub mod schedules;
mod sound;
#[cfg(test)]
mod trials;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

pub use error::Error;
pub use instance::{Holder, Instance, InstanceError};
pub(crate) use lanes::Lanes;
pub use look::Look;
pub use note::note;
use writer::Undo;

/// Pieces of work waiting for the writer. When full, writers wait: the journal sets the pace of the host.
const QUEUE: usize = 4096;

/// Pages of 4 KiB that the log of changes may hold before they go into the file. A log that fills the disk by itself can
/// leave no room to do so, and then nothing ever does: it stays below what a disk that is nearly full still has.
const LOG_PAGES: u32 = 256;

/// Idle read connections kept for reuse; more are opened under load and dropped afterwards.
const IDLE_READERS: usize = 4;

/// Handle to the database; cheap to clone. The file closes when the last handle is gone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    work: mpsc::Sender<writer::Work>,
    readers: Mutex<Vec<Connection>>,
    in_flight: AtomicUsize,
}

/// Counts one piece of work that somebody waits for.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens `moonbell.db` in `dir`, creating and migrating it as needed. Blocks: call it before serving.
    ///
    /// # Errors
    /// When the folder or file cannot be written, when the file is no database or damaged, or when a newer moonbell
    /// wrote it.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Self::open_as(dir, "FULL")
    }

    /// As [`Store::open`], for a journal that need not outlive its process: nothing waits for the disk.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_scratch(dir: &Path) -> Result<Self, Error> {
        Self::open_as(dir, "OFF")
    }

    fn open_as(dir: &Path, synchronous: &str) -> Result<Self, Error> {
        make_private_dir(dir)?;
        let path = dir.join("moonbell.db");
        let cut_off = sound::was_cut_off(&path);
        let mut connection = connect(&path, synchronous)?;
        sound::check(&connection, &path, cut_off)?;
        migrate::migrate(&mut connection, &path)?;
        let (work, queue) = mpsc::channel(QUEUE);
        writer::start(connection, queue, path.clone())?;
        let (readers, in_flight) = (Mutex::default(), AtomicUsize::new(0));
        Ok(Self { inner: Arc::new(Inner { path, work, readers, in_flight }) })
    }

    /// Pieces of work that somebody waits for at this moment.
    pub fn in_flight(&self) -> usize {
        self.inner.in_flight.load(Ordering::SeqCst)
    }

    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Runs `work` in the writer's next transaction and returns once that is on disk.
    ///
    /// # Cancel safety
    /// Dropping the future after it was first polled does not take the work back.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write_then(work, |value| value).await
    }

    /// As [`Store::write`]; once the work is on disk, `then` turns its value into the answer, on the writer's thread.
    ///
    /// What must agree with the table (an index in memory, a wake-up) is kept in step there: it happens in the order of
    /// the commits, and also when nobody waits for the answer any more. It must be short and must not wait.
    ///
    /// # Cancel safety
    /// Dropping the future after it was first polled takes neither the work nor `then` back. Work is done in the order
    /// in which the futures were first polled.
    pub async fn write_then<T, U, F, A>(&self, work: F, then: A) -> Result<U, Error>
    where
        T: Send + 'static,
        U: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(T) -> U + Send + 'static,
    {
        self.queue(Undo::Savepoint, work, then).await
    }

    /// As [`Store::write_then`], for work that changes the database with one statement at most: a third cheaper.
    pub async fn write_one<T, U, F, A>(&self, work: F, then: A) -> Result<U, Error>
    where
        T: Send + 'static,
        U: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(T) -> U + Send + 'static,
    {
        self.queue(Undo::Statement, work, then).await
    }

    async fn queue<T, U, F, A>(&self, undo: Undo, work: F, then: A) -> Result<U, Error>
    where
        T: Send + 'static,
        U: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(T) -> U + Send + 'static,
    {
        let _in_flight = InFlight::new(&self.inner.in_flight);
        let (answer, answered) = oneshot::channel();
        let work = writer::Work::new(undo, work, then, answer);
        // Unconstrained: out of its budget, tokio would put this future off, and wake those it has put off last first.
        // A burst of messages would be journaled in another order than it came in.
        let sent = tokio::task::unconstrained(self.inner.work.send(work));
        sent.await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Writes down what was asked for before and brings the log into the file; later work is told [`Error::Closed`].
    /// A journal that is not closed is whole all the same: the next start reads the log.
    ///
    /// # Cancel safety
    /// Once polled, it closes even if the future is dropped.
    pub async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.inner.work.send(writer::Work::close(closed)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Runs `query` on a read connection: it sees everything committed before the call.
    pub async fn read<T, F>(&self, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let _in_flight = InFlight::new(&self.inner.in_flight);
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let idle = inner.readers.lock().expect("a reader never panics holding this").pop();
            let connection = match idle {
                Some(connection) => connection,
                None => connect_reader(&inner.path)?,
            };
            let result = query(&connection).map_err(|cause| Error::from_sqlite(cause, &inner.path));
            let mut readers = inner.readers.lock().expect("a reader never panics holding this");
            if readers.len() < IDLE_READERS {
                readers.push(connection);
            }
            result
        })
        .await
        .map_err(|_| Error::Closed)?
    }
}

fn connect(path: &Path, synchronous: &str) -> Result<Connection, Error> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        connection.set_prepared_statement_cache_capacity(64);
        // A file that it may only read, SQLite opens for reading, and says so with the first change.
        if connection.is_readonly("main")? {
            let why = "the file may only be read".to_owned();
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
            return Err(rusqlite::Error::SqliteFailure(code, Some(why)));
        }
        Ok(connection)
    };
    let connection = open().map_err(|cause| Error::from_sqlite(cause, path))?;
    restrict_file(path)?;
    Ok(connection)
}

fn connect_reader(path: &Path) -> Result<Connection, Error> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        Ok(connection)
    };
    open().map_err(|cause| Error::from_sqlite(cause, path))
}

/// Creates `dir` for its owner only: messages and webhooks are in there.
fn make_private_dir(dir: &Path) -> Result<(), Error> {
    let failed = |cause| Error::Folder { path: dir.to_owned(), cause };
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(failed)
}

fn restrict_file(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let failed = |cause| Error::Folder { path: path.to_owned(), cause };
        let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
                .map_err(failed)?;
        }
    }
    Ok(())
}

/// Unix time in milliseconds, by this computer's clock.
pub fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn a_failing_piece_of_work_takes_its_neighbours_in_the_batch_with_nothing() {
        let (_dir, store) = open();
        store.write(|c| c.execute_batch("CREATE TABLE t (n INTEGER UNIQUE)")).await.unwrap();
        let one = store.write(|c| c.execute("INSERT INTO t VALUES (1)", []));
        let half = store.write(|c| {
            c.execute("INSERT INTO t VALUES (2)", [])?;
            c.execute("INSERT INTO t VALUES (1)", [])
        });
        let three = store.write(|c| c.execute("INSERT INTO t VALUES (3)", []));
        let (one, half, three) = tokio::join!(one, half, three);
        assert!(one.is_ok() && half.is_err() && three.is_ok());
        let rows = store
            .read(|c| {
                c.query_row("SELECT group_concat(n) FROM (SELECT n FROM t ORDER BY n)", [], |r| {
                    r.get::<_, String>(0)
                })
            })
            .await
            .unwrap();
        assert_eq!(rows, "1,3");
    }

    #[tokio::test]
    async fn a_statement_that_fails_takes_back_itself_alone() {
        let (_dir, store) = open();
        let table = "CREATE TABLE t (n INTEGER UNIQUE)";
        store.write(move |c| c.execute_batch(table)).await.unwrap();
        let one = store.write_one(|c| c.execute("INSERT INTO t VALUES (1)", []), |n| n);
        // Its first row fits, its second does not.
        let half = store.write_one(|c| c.execute("INSERT INTO t VALUES (2), (1)", []), |n| n);
        let three = store.write_one(|c| c.execute("INSERT INTO t VALUES (3)", []), |n| n);
        let (one, half, three) = tokio::join!(one, half, three);
        assert!(one.is_ok() && half.is_err() && three.is_ok());
        let rows = "SELECT group_concat(n) FROM (SELECT n FROM t ORDER BY n)";
        let rows = store.read(move |c| c.query_row(rows, [], |r| r.get::<_, String>(0)));
        assert_eq!(rows.await.unwrap(), "1,3");
    }

    #[tokio::test]
    async fn a_full_database_refuses_what_does_not_fit_and_takes_it_once_there_is_room() {
        let (_dir, store) = open();
        store.write(|c| c.execute_batch("CREATE TABLE t (text)")).await.unwrap();
        store
            .write(|c| {
                let pages: i64 = c.query_row("PRAGMA page_count", [], |row| row.get(0))?;
                c.pragma_update(None, "max_page_count", pages)
            })
            .await
            .unwrap();
        let large = || store.write(|c| c.execute("INSERT INTO t VALUES (zeroblob(100000))", []));
        let small = || store.write(|c| c.execute("INSERT INTO t VALUES (1)", []));
        // One batch: whoever is told that it is kept finds it, whoever is told that it is not does not.
        let (one, two, three, four) = tokio::join!(small(), large(), small(), large());
        assert!(matches!(two, Err(Error::Full { .. })), "{two:?}");
        assert!(four.is_err());
        let kept = i64::from(one.is_ok()) + i64::from(three.is_ok());
        let count =
            |c: &Connection| c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
        assert_eq!(store.read(count).await.unwrap(), kept);
        store.write(|c| c.pragma_update(None, "max_page_count", 1_000_000)).await.unwrap();
        large().await.unwrap();
        assert_eq!(store.read(count).await.unwrap(), kept + 1);
    }

    #[tokio::test]
    async fn a_journal_that_is_closed_has_kept_what_came_before_and_takes_nothing_more() {
        let (dir, store) = open();
        store.write(|c| c.execute_batch("CREATE TABLE t (n)")).await.unwrap();
        let before = store.write(|c| c.execute("INSERT INTO t VALUES (1)", []));
        let after = async {
            tokio::task::yield_now().await;
            store.write(|c| c.execute("INSERT INTO t VALUES (2)", [])).await
        };
        let (before, (), after) = tokio::join!(before, store.close(), after);
        assert!(before.is_ok());
        assert!(matches!(after, Err(Error::Closed)), "{after:?}");
        let log = dir.path().join("moonbell.db-wal");
        assert!(!log.exists() || log.metadata().unwrap().len() == 0);
        let count =
            |c: &Connection| c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
        assert_eq!(store.read(count).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_panic_in_a_piece_of_work_leaves_the_writer_serving() {
        let (_dir, store) = open();
        let panicked = store.write(|_| -> rusqlite::Result<()> { panic!("a bug") }).await;
        assert!(matches!(panicked, Err(Error::Closed)));
        store.write(|c| c.execute_batch("CREATE TABLE t (n)")).await.unwrap();
    }

    #[tokio::test]
    async fn a_database_of_a_newer_version_is_refused_and_left_alone() {
        let (dir, store) = open();
        store.write(|c| c.pragma_update(None, "user_version", 9_999)).await.unwrap();
        drop(store);
        let refused = loop {
            // The writer thread lets go of the file a moment after the last handle is dropped.
            match Store::open(dir.path()) {
                Err(Error::Newer { found, .. }) => break found,
                Err(other) => panic!("{other}"),
                Ok(_) => std::thread::yield_now(),
            }
        };
        assert_eq!(refused, 9_999);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_journal_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, store) = open();
        assert_eq!(std::fs::metadata(store.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_not_a_database_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("moonbell.db"),
            "this is no database, whatever its name says ".repeat(50),
        )
        .unwrap();
        let error = Store::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("moonbell.db"), "{error}");
        assert!(error.hint().is_some());
    }
}
