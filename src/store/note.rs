//! A change to the journal from outside of its host: one transaction, beside whoever has it open.
//!
//! For what a host reads anew each time it matters. Tables of which a host keeps an image in memory are not changed so.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{Error, migrate};

/// Runs `change` in the journal of `dir`, which must be there and of this version. Blocks.
///
/// # Errors
/// When there is none, it has the tables of another version, or it cannot be written.
pub fn note<T>(
    dir: &Path,
    change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, Error> {
    let path = dir.join("moonbell.db");
    let failed = |cause| Error::from_sqlite(cause, &path);
    let mut connection = super::connect(&path, "FULL")?;
    migrate::check(&connection, &path)?;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let value = change(&transaction).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(value)
}
