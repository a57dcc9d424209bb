//! Schema versions: files in `migrations/`, applied in order, counted in `user_version`.
//!
//! Each file is one transaction with its number: a start that is cut off in between finds the last whole version and
//! goes on from there. Before the first of them, a copy of the file as it was is kept beside it.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::{Error, restrict_file};

/// Each file once, in order, never edited after a release: the next change is the next file.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_journals.sql"),
    include_str!("migrations/0002_card_endings.sql"),
    include_str!("migrations/0003_schedules.sql"),
    include_str!("migrations/0004_deliveries.sql"),
    include_str!("migrations/0005_outages.sql"),
    include_str!("migrations/0006_outbox_attempts.sql"),
    include_str!("migrations/0007_budget.sql"),
    include_str!("migrations/0008_card_files.sql"),
    include_str!("migrations/0009_runs.sql"),
    include_str!("migrations/0010_access.sql"),
    include_str!("migrations/0011_signatures.sql"),
    include_str!("migrations/0012_consents.sql"),
    include_str!("migrations/0013_languages.sql"),
    include_str!("migrations/0014_asks.sql"),
    include_str!("migrations/0015_owners.sql"),
    include_str!("migrations/0016_organisation.sql"),
    include_str!("migrations/0017_granted_apps.sql"),
    include_str!("migrations/0018_refused.sql"),
    include_str!("migrations/0019_kv_sizes.sql"),
];

/// How long the copy of an older version is kept: who goes back does so soon, and it holds what people wrote.
const KEEP_COPY: Duration = Duration::from_hours(30 * 24);

/// Whether a file that is only read has the tables of this version.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), Error> {
    let known = known();
    let found = version(connection, path)?;
    let path = path.to_owned();
    match found.cmp(&known) {
        Ordering::Greater => Err(Error::Newer { path, found, known }),
        Ordering::Less => Err(Error::Older { path, found, known }),
        Ordering::Equal => Ok(()),
    }
}

/// Brings the tables to the version of this program.
///
/// # Errors
/// When a newer moonbell wrote the file, or the copy or a change cannot be written; then nothing is half changed.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let known = known();
    let failed = |cause| Error::from_sqlite(cause, path);
    let found = version(connection, path)?;
    if found > known {
        return Err(Error::Newer { path: path.to_owned(), found, known });
    }
    if found == known {
        forget_old_copies(path);
        return Ok(());
    }
    // A file without tables is new.
    if found > 0 {
        let copy = keep_copy(connection, path, found)?;
        tracing::info!(
            "the journal is brought from version {found} to {known}; as it was it is kept for 30 days in `{}`",
            copy.display()
        );
    }
    for (version, migration) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(migration).map_err(failed)?;
        transaction.pragma_update(None, "user_version", version).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("there are few migrations")
}

fn version(connection: &Connection, path: &Path) -> Result<i64, Error> {
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|cause| Error::from_sqlite(cause, path))
}

/// `moonbell.db.v4`, beside `moonbell.db`.
fn copy_of(path: &Path, version: i64) -> PathBuf {
    path.with_extension(format!("db.v{version}"))
}

fn keep_copy(connection: &Connection, path: &Path, version: i64) -> Result<PathBuf, Error> {
    let copy = copy_of(path, version);
    let part = path.with_extension("db.part");
    let failed = |cause| Error::Folder { path: part.clone(), cause };
    // Of a start that was cut off.
    match std::fs::remove_file(&part) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(failed(cause)),
        _ => {}
    }
    let text = part.to_str().ok_or_else(|| {
        failed(std::io::Error::new(std::io::ErrorKind::InvalidInput, "the name is not UTF-8"))
    })?;
    let copied = connection.execute("VACUUM INTO ?1", params![text]);
    if let Err(cause) = copied {
        let _ = std::fs::remove_file(&part);
        return Err(Error::from_sqlite(cause, path));
    }
    restrict_file(&part)?;
    std::fs::rename(&part, &copy).map_err(failed)?;
    Ok(copy)
}

fn forget_old_copies(path: &Path) {
    for version in 1..known() {
        let copy = copy_of(path, version);
        let age = copy
            .metadata()
            .and_then(|data| data.modified())
            .ok()
            .and_then(|written| written.elapsed().ok());
        if age.is_some_and(|age| age > KEEP_COPY) {
            let _ = std::fs::remove_file(copy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// A file as the version `version` of the tables left it.
    fn written_by(dir: &Path, version: usize) -> PathBuf {
        let path = dir.join("moonbell.db");
        let old = Connection::open(&path).unwrap();
        for migration in &MIGRATIONS[..version] {
            old.execute_batch(migration).unwrap();
        }
        old.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
        old.execute_batch(
            "INSERT INTO inbox (id, key, lane, state, payload, received_at_ms) VALUES (7, 'k', 'l', 'queued', '{}', 1);
             INSERT INTO outbox (conversation, state, payload, run, created_at_ms) VALUES ('c', 'queued', '{}', 'r', 1);
             INSERT INTO kv (script, key, value) VALUES ('s', 'n', '41')",
        )
        .unwrap();
        path
    }

    fn one(path: &Path, question: &str) -> i64 {
        Connection::open(path).unwrap().query_row(question, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn what_an_earlier_version_wrote_is_kept_and_so_is_the_file_as_it_was() {
        for version in 1..MIGRATIONS.len() {
            let dir = tempfile::tempdir().unwrap();
            let path = written_by(dir.path(), version);
            drop(Store::open(dir.path()).unwrap());
            for question in [
                "SELECT count(*) FROM inbox WHERE id = 7 AND state = 'queued' AND payload = '{}'",
                "SELECT count(*) FROM outbox WHERE state = 'queued'",
                "SELECT value = '41' FROM kv",
            ] {
                assert_eq!(one(&path, question), 1, "version {version}: {question}");
            }
            assert_eq!(one(&path, "PRAGMA user_version"), known());
            let copy = copy_of(&path, i64::try_from(version).unwrap());
            assert_eq!(one(&copy, "PRAGMA user_version"), i64::try_from(version).unwrap());
            assert_eq!(one(&copy, "SELECT count(*) FROM inbox WHERE id = 7"), 1);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
    }

    #[test]
    fn a_new_file_needs_no_copy_and_an_old_copy_goes() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path()).unwrap());
        let path = dir.path().join("moonbell.db");
        let copies = || (1..=known()).filter(|v| copy_of(&path, *v).exists()).count();
        assert_eq!(copies(), 0);
        for version in 1..=2 {
            let copy = std::fs::File::create(copy_of(&path, version)).unwrap();
            let age = KEEP_COPY * u32::try_from(version - 1).unwrap() + Duration::from_mins(1);
            copy.set_modified(std::time::SystemTime::now() - age).unwrap();
        }
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection, &path).unwrap();
        assert!(copy_of(&path, 1).exists() && !copy_of(&path, 2).exists());
    }

    #[test]
    fn a_change_that_fails_leaves_the_last_whole_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = written_by(dir.path(), 1);
        let mut old = Connection::open(&path).unwrap();
        // In the way of the second version.
        old.execute_batch("ALTER TABLE cards ADD COLUMN ending TEXT").unwrap();
        assert!(migrate(&mut old, &path).is_err());
        assert_eq!(one(&path, "PRAGMA user_version"), 1);
        old.execute_batch("ALTER TABLE cards DROP COLUMN ending").unwrap();
        migrate(&mut old, &path).unwrap();
        assert_eq!(one(&path, "PRAGMA user_version"), known());
    }
}
