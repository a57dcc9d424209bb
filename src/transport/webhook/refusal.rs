//! Why a call is not believed: for the owner's log and audit, and never for whoever called.

/// Why a call is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its address is not in `http.allow`.
    Address,
    /// Web pages have no business here.
    Origin,
    /// No signature, half of one, or two.
    Unsigned,
    /// Another secret signed it, or nobody.
    Forged,
    /// Signed, but so many milliseconds ago, or ahead if negative; `None`: no time at all.
    Untimely(Option<i64>),
    /// Signed, but the signature has signed something else.
    OtherBody,
}

impl Refusal {
    pub(super) const COUNT: usize = 6;

    pub(super) fn index(self) -> usize {
        match self {
            Self::Address => 0,
            Self::Origin => 1,
            Self::Unsigned => 2,
            Self::Forged => 3,
            Self::Untimely(_) => 4,
            Self::OtherBody => 5,
        }
    }

    /// For the audit.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Origin => "origin",
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::Untimely(_) => "untimely",
            Self::OtherBody => "other-body",
        }
    }

    /// For the log.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Address => "its address is not in `http.allow`".to_owned(),
            Self::Origin => "a web page sent it".to_owned(),
            Self::Unsigned => "it is not signed".to_owned(),
            Self::Forged => "its signature is not made with this app's secret".to_owned(),
            Self::Untimely(None) => "the time that it is signed with is no time".to_owned(),
            Self::Untimely(Some(age)) if age < 0 => {
                format!("it was signed {} s ahead of this computer's clock", -age / 1_000)
            }
            Self::Untimely(Some(age)) => format!("it was signed {} s ago", age / 1_000),
            Self::OtherBody => "its signature came before, with another body".to_owned(),
        }
    }

    pub(super) fn hint(self) -> Option<&'static str> {
        match self {
            Self::Forged => {
                Some("if nothing comes from DingTalk: are the secrets those of this app?")
            }
            Self::Untimely(Some(_)) => Some(
                "if nothing comes from DingTalk: is this computer's clock right? or somebody repeats an old call",
            ),
            Self::OtherBody => Some(
                "somebody may have captured a call of DingTalk's and used its signature; see docs/http-mode.md",
            ),
            Self::Address => Some("behind a proxy, `http.trusted_proxies` has to name it"),
            Self::Origin | Self::Unsigned | Self::Untimely(None) => None,
        }
    }
}
