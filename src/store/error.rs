//! Why the journal could not be used, and what its owner can do about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use `{path}`: {cause}")]
    Folder { path: PathBuf, cause: std::io::Error },
    #[error("`{path}` was written by a newer moonbell (schema {found}, this one knows {known})")]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("`{path}` was written by an older moonbell (schema {found}, this one reads {known})")]
    Older { path: PathBuf, found: i64, known: i64 },
    #[error("the disk with `{path}` is full")]
    Full { path: PathBuf },
    #[error("`{path}` cannot be written: {cause}")]
    ReadOnly { path: PathBuf, cause: rusqlite::Error },
    #[error("`{path}` is damaged or not a moonbell database: {cause}")]
    Damaged { path: PathBuf, cause: rusqlite::Error },
    #[error("`{path}`: {cause}")]
    Sqlite { path: PathBuf, cause: rusqlite::Error },
    #[error("the script keeps {limit_bytes} bytes in kv, the most that it may (`limits.kv_mb`)")]
    KvFull { limit_bytes: u64 },
    #[error("the journal is closed")]
    Closed,
}

impl Error {
    pub(super) fn from_sqlite(cause: rusqlite::Error, path: &Path) -> Self {
        let path = path.to_owned();
        match cause.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, cause }
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path, cause }
            }
            _ => Self::Sqlite { path, cause },
        }
    }

    /// Whether the same work may succeed later without anybody changing it.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::ReadOnly { .. } | Self::Sqlite { .. })
    }

    /// The owner's next step.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Folder { .. } | Self::ReadOnly { .. } => Some(
                "check the owner and the permissions of the folder, or set `state.dir` to another one",
            ),
            Self::Newer { .. } => {
                Some("run the newer moonbell, or point `state.dir` at an empty folder")
            }
            Self::Older { .. } => {
                Some("start this moonbell there once: it brings the file up to date")
            }
            Self::Full { .. } => {
                Some("free some space: messages are taken again as soon as there is room")
            }
            Self::Damaged { .. } => Some(
                "nothing was changed. Copy the file and those that begin with its name; `sqlite3 moonbell.db .recover` saves \
                      what can be read. Without the file moonbell begins anew: messages not answered yet, the history of \
                      runs and what scripts keep in `kv` are in it alone",
            ),
            Self::KvFull { .. } => {
                Some("`kv.delete` what is not needed, give values a `ttl`, or write a file")
            }
            Self::Sqlite { .. } | Self::Closed => None,
        }
    }
}
