//! Why the host cannot start, or cannot go on, and what the owner does about it.

use crate::dingtalk::ClientError;
use crate::script::FolderError;
use crate::store;
use crate::store::InstanceError;
use crate::transport;

/// Why the host cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Transport(#[from] transport::Fatal),
    #[error(transparent)]
    Scripts(#[from] FolderError),
    #[error("loading the scripts failed inside moonbell: {0}")]
    Load(String),
    #[error("cannot start the Lua runtime: {0}")]
    Lua(std::io::Error),
    #[error("cannot write the audit in `{}`: {cause}", path.display())]
    Audit { path: std::path::PathBuf, cause: std::io::Error },
    #[error(transparent)]
    Doors(#[from] transport::OpenError),
}

impl Fatal {
    /// The owner's next step.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Instance(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Doors(error) => error.hint(),
            Self::Scripts(error) => Some(error.hint()),
            Self::Audit { .. } => {
                Some("check the permissions of the folder, and the room on its disk")
            }
            Self::Client(_) | Self::Transport(_) | Self::Lua(_) | Self::Load(_) => None,
        }
    }
}
