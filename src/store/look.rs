//! A look into the journal without a host: read-only, beside whoever has it open.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{Error, connect_reader, migrate};

/// The journal of a state folder, for reading.
#[derive(Debug)]
pub struct Look {
    connection: Connection,
    path: PathBuf,
}

impl Look {
    /// Opens what is there; `None`: no host has ever kept a journal in `dir`.
    ///
    /// # Errors
    /// When the file cannot be read, or has the tables of another version.
    pub fn open(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join("moonbell.db");
        if !path.exists() {
            return Ok(None);
        }
        let connection = connect_reader(&path)?;
        migrate::check(&connection, &path)?;
        Ok(Some(Self { connection, path }))
    }

    /// Runs `query`. Blocks.
    pub fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        query(&self.connection).map_err(|cause| Error::from_sqlite(cause, &self.path))
    }
}
