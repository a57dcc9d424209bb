//! Why somebody may not.

use crate::message::StaffId;

/// Why somebody may not. `Display` is for the owner; the person hears something shorter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("moonbell is locked; `moonbell unlock` on the computer lifts it")]
    Locked,
    #[error(
        "DingTalk sent no staff id: the app is not published, or the person is outside the organisation"
    )]
    NoStaffId,
    #[error("the person belongs to another organisation than the bot")]
    OtherOrganisation,
    #[error(
        "the bot's organisation is not known before somebody with a role has written to it, or `dingtalk.corp_id` says it"
    )]
    UnknownOrganisation,
    #[error(
        "nobody owns this bot yet; `moonbell claim` prints a code that makes its sender the owner"
    )]
    Unclaimed,
    #[error(
        "`{0}` has no role here; `allow {0} ROLE` from the owner, or `access.roles`, lets them in"
    )]
    NoRole(StaffId),
    #[error("it is for the role `{0}`")]
    Role(String),
    #[error("it may be used here: {0}")]
    Scope(String),
    #[error("it may be used {0} by one person")]
    Rate(String),
    #[error("only whoever asked for it may decide this")]
    NotAsked,
    #[error("somebody else than whoever asked for it must decide this")]
    OwnRequest,
    #[error(
        "one person may start {most} runs in a minute (`limits.person_per_minute` in the settings)"
    )]
    Flood {
        most: u64,
        /// The first of a flood: whoever it is about is told.
        first: bool,
    },
    #[error("one person may have {0} runs under way (`limits.person_runs` in the settings)")]
    PersonRuns(u64),
    #[error("a handler may have {0} runs under way (`limits.handler_runs` in the settings)")]
    HandlerRuns(u64),
}

impl Denied {
    /// The word of the audit.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::NoStaffId => "no_staff_id",
            Self::OtherOrganisation => "other_organisation",
            Self::UnknownOrganisation => "unknown_organisation",
            Self::Unclaimed => "unclaimed",
            Self::NoRole(_) => "no_role",
            Self::Role(_) => "role",
            Self::Scope(_) => "scope",
            Self::Rate(_) => "rate",
            Self::NotAsked => "not_asked",
            Self::OwnRequest => "own_request",
            Self::Flood { .. } => "flood",
            Self::PersonRuns(_) => "person_runs",
            Self::HandlerRuns(_) => "handler_runs",
        }
    }

    /// Whether nothing is said about it: it was said a moment ago.
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Flood { first: false, .. })
    }

    /// Whether this person may not write to the bot at all; otherwise it is about one thing.
    pub fn is_stranger(&self) -> bool {
        matches!(
            self,
            Self::NoStaffId | Self::OtherOrganisation | Self::Unclaimed | Self::NoRole(_)
        )
    }
}
