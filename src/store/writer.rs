//! The one thread that changes the database, and its group commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::Error;

/// Work of one commit. More would only delay the first in the batch; fewer would pay for fsync more often.
const BATCH: usize = 512;

/// Answers one piece of work, once its fate on disk is known.
type Answer = Box<dyn FnOnce(Fate) + Send>;

/// What became of a piece of work.
enum Fate {
    /// It ran, and this became of its transaction.
    Ran(Result<(), Error>),
    /// There was no transaction to run in.
    Refused(Error),
}

/// Does one piece of work, and says how to answer for it.
type Job = Box<dyn FnOnce(&Connection, &PathBuf) -> Answer + Send>;

/// One piece of work: all of it happens or nothing, and it is answered after the commit.
pub(super) struct Work(Order);

enum Order {
    Do(Job),
    /// Brings the log into the file and ends. Whoever comes later is told that the journal is closed.
    Close(oneshot::Sender<()>),
}

/// How a piece of work that fails takes back what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// With a savepoint of its own. It costs a copy of every page that the batch has changed before.
    Savepoint,
    /// Nothing need be done: it changes the database with one statement at most, and SQLite takes back a statement that
    /// fails by itself.
    Statement,
}

impl Work {
    pub(super) fn new<T, U, F, A>(
        undo: Undo,
        work: F,
        then: A,
        answer: oneshot::Sender<Result<U, Error>>,
    ) -> Self
    where
        T: Send + 'static,
        U: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(T) -> U + Send + 'static,
    {
        Self(Order::Do(Box::new(move |connection, path| {
            let result = match undo {
                Undo::Savepoint => in_savepoint(connection, work),
                Undo::Statement => work(connection),
            }
            .map_err(|cause| Error::from_sqlite(cause, path));
            Box::new(move |fate| {
                let kept = match fate {
                    // Its own reason first: a full disk says more than the commit that could not follow.
                    Fate::Ran(committed) => {
                        result.and_then(|value| committed.map(|()| then(value)))
                    }
                    Fate::Refused(why) => Err(why),
                };
                // The asker may have gone away; the work is done all the same.
                let _ = answer.send(kept);
            })
        })))
    }

    /// The last one.
    pub(super) fn close(closed: oneshot::Sender<()>) -> Self {
        Self(Order::Close(closed))
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("SAVEPOINT work")?.execute([])?;
    match work(connection) {
        Ok(value) => {
            connection.prepare_cached("RELEASE work")?.execute([])?;
            Ok(value)
        }
        Err(cause) => {
            undo(connection);
            Err(cause)
        }
    }
}

/// Takes back the savepoint. Where SQLite has rolled back the whole transaction by itself (a full disk), there is none
/// left to take back, and the commit that follows fails and says so.
fn undo(connection: &Connection) {
    let _ = connection.execute_batch("ROLLBACK TO work; RELEASE work");
}

pub(super) fn start(
    connection: Connection,
    queue: mpsc::Receiver<Work>,
    path: PathBuf,
) -> Result<(), Error> {
    let folder = path.clone();
    std::thread::Builder::new()
        .name("moonbell-store".into())
        .spawn(move || serve(&connection, queue, &path))
        .map(drop)
        .map_err(|cause| Error::Folder { path: folder, cause })
}

fn serve(connection: &Connection, mut queue: mpsc::Receiver<Work>, path: &PathBuf) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        let close = batch.iter().position(|work| matches!(work.0, Order::Close(_)));
        let before = close.unwrap_or(batch.len());
        let jobs = batch.drain(..before).filter_map(|work| match work.0 {
            Order::Do(job) => Some(job),
            Order::Close(_) => None,
        });
        commit(connection, path, jobs);
        if let Some(Work(Order::Close(closed))) = batch.drain(..).next() {
            // Refused on a full disk; then the log stays, and is read by the next start.
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            let _ = closed.send(());
            return;
        }
    }
}

/// Runs a batch in one transaction, then answers everybody with what became of it.
fn commit(connection: &Connection, path: &PathBuf, batch: impl Iterator<Item = Job>) {
    let begun = connection.execute_batch("BEGIN IMMEDIATE");
    let mut answers: Vec<(Answer, bool)> = Vec::with_capacity(BATCH);
    for work in batch {
        // A full disk can end the whole transaction inside a piece of work.
        if begun.is_err() || connection.is_autocommit() {
            // Run outside a transaction it could half happen; the asker is told why below.
            answers.push((refuse(connection, path, work), false));
            continue;
        }
        // A panic drops the answer: the asker sees `Closed`, everybody else goes on.
        match catch_unwind(AssertUnwindSafe(|| work(connection, path))) {
            Ok(answer) => answers.push((answer, true)),
            Err(_) => undo(connection),
        }
    }
    let ended = begun.and_then(|()| connection.execute_batch("COMMIT"));
    if ended.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    if let Err(cause) = &ended {
        tracing::error!(%cause, path = %path.display(), "the journal could not be written");
        // On a full disk the log of changes may be what fills it: its room is given back as far as possible.
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
    for (answer, ran) in answers {
        let error = ended.as_ref().err().map(|cause| Error::from_sqlite(again(cause), path));
        let fate = match error {
            Some(error) if !ran => Fate::Refused(error),
            error => Fate::Ran(error.map_or(Ok(()), Err)),
        };
        // A panic in what follows a commit is its asker's alone: he sees `Closed`.
        let _ = catch_unwind(AssertUnwindSafe(|| answer(fate)));
    }
}

/// `rusqlite::Error` is not `Clone`, and everybody in the batch is owed the reason.
fn again(cause: &rusqlite::Error) -> rusqlite::Error {
    match cause {
        rusqlite::Error::SqliteFailure(code, text) => {
            rusqlite::Error::SqliteFailure(*code, text.clone())
        }
        other => rusqlite::Error::ToSqlConversionFailure(other.to_string().into()),
    }
}

/// Runs `work` where it cannot change anything (reads only), to get at its answer.
fn refuse(connection: &Connection, path: &PathBuf, work: Job) -> Answer {
    let _ = connection.pragma_update(None, "query_only", true);
    let answer = catch_unwind(AssertUnwindSafe(|| work(connection, path)));
    let _ = connection.pragma_update(None, "query_only", false);
    answer.unwrap_or_else(|_| Box::new(|_| ()))
}
