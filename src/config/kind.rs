//! What a setting accepts, as the checks and the reference call it.

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
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Secret => "a string, or { env = \"NAME\" }, or { file = \"PATH\" }",
            Self::Choice(_) => "one of the listed words",
            Self::Url => "an address such as \"https://api.dingtalk.com\"",
            Self::Listen => "an address and port such as \"127.0.0.1:7878\"",
            Self::Path => "a path",
            Self::Count => "a whole number, or \"unlimited\"",
            Self::Number => "a number",
            Self::Duration => "a time such as \"10s\", \"5m\" or \"30d\"",
            Self::List => "a list of strings",
            Self::Roles => "a list of staff ids",
            Self::Secrets => Self::Secret.expected(),
        }
    }
}
