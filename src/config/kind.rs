//! What a setting accepts, as the checks and the reference call it.

use crate::words::Lang;
use crate::words::config::file as w;

/// What a setting accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A string, or `{ env = … }`, `{ file = … }`, `{ keychain = … }`; never printed.
    Secret,
    Choice(&'static [&'static str]),
    /// A base address: `https`, or `http` to this computer.
    Url,
    /// Address and port to listen on.
    Listen,
    Path,
    /// A whole number, or "unlimited", which 0 is too.
    Count,
    /// A number, such as 20 or 0.5.
    Number,
    /// A time such as `"10s"`.
    Duration,
    /// A list of strings.
    List,
    /// An open table: any name, each with a list of staff ids.
    Roles,
    /// An open table: any name, each with a secret.
    Secrets,
}

impl Kind {
    /// Whether it stands for a table of any names.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Roles | Self::Secrets)
    }

    /// How the reference and the error messages call it.
    pub(crate) fn expected(self, lang: Lang) -> &'static str {
        let says = match self {
            Self::Text => w::a_string,
            Self::Secret | Self::Secrets => w::a_secret,
            Self::Choice(_) => w::a_listed_word,
            Self::Url => w::an_address,
            Self::Listen => w::an_address_and_port,
            Self::Path => w::a_path,
            Self::Count => w::a_whole_number,
            Self::Number => w::a_number,
            Self::Duration => w::a_time,
            Self::List => w::a_list_of_strings,
            Self::Roles => w::a_list_of_ids,
        };
        says(lang)
    }
}
