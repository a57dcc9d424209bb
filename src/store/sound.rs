//! Whether the file is whole. SQLite makes good what a crash or a power cut left half written; what a failing disk or
//! another program did to the file it finds only where it looks.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::Error;

/// A file up to this size is looked at whole at each start: some milliseconds.
const ALWAYS_BYTES: u64 = 4 << 20;

/// After an end that was none, up to this size; above it a start would take seconds.
const CUT_OFF_BYTES: u64 = 1 << 30;

/// Whether the last one who wrote ended without closing the file. To be asked before it is opened.
pub(super) fn was_cut_off(path: &Path) -> bool {
    let log = path.with_extension("db-wal");
    log.metadata().is_ok_and(|log| log.len() > 0)
}

/// Looks at every page.
///
/// # Errors
/// [`Error::Damaged`] with the first thing that is wrong. Nothing is changed.
pub(super) fn check(connection: &Connection, path: &Path, cut_off: bool) -> Result<(), Error> {
    let size_bytes = path.metadata().map_or(0, |file| file.len());
    if size_bytes > if cut_off { CUT_OFF_BYTES } else { ALWAYS_BYTES } {
        return Ok(());
    }
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    let wrong = match found {
        Ok(found) if found == "ok" => return Ok(()),
        Ok(found) => {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            rusqlite::Error::SqliteFailure(code, Some(found.replace('\n', " ")))
        }
        Err(cause) => cause,
    };
    // Closing would bring what the log holds into a file that is better left as it is.
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    Err(Error::from_sqlite(wrong, path))
}
