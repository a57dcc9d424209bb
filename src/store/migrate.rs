//! Schema versions: files in `migrations/`, applied in order, counted in `user_version`.

use std::cmp::Ordering;
use std::path::Path;

use rusqlite::Connection;

use super::Error;

/// Each file once, in order, never edited after a release: the next change is the next file.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_journals.sql"),
    include_str!("migrations/0002_card_endings.sql"),
    include_str!("migrations/0003_schedules.sql"),
    include_str!("migrations/0004_deliveries.sql"),
    include_str!("migrations/0005_card_files.sql"),
];

/// Whether a file that is only read has the tables of this version.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), Error> {
    let known = i64::try_from(MIGRATIONS.len()).expect("there are few migrations");
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|cause| Error::from_sqlite(cause, path))?;
    let path = path.to_owned();
    match found.cmp(&known) {
        Ordering::Greater => Err(Error::Newer { path, found, known }),
        Ordering::Less => Err(Error::Older { path, found, known }),
        Ordering::Equal => Ok(()),
    }
}

pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let known = i64::try_from(MIGRATIONS.len()).expect("there are few migrations");
    let failed = |cause| Error::from_sqlite(cause, path);
    let found: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if found > known {
        return Err(Error::Newer { path: path.to_owned(), found, known });
    }
    for (version, migration) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(migration).map_err(failed)?;
        transaction.pragma_update(None, "user_version", version).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}
