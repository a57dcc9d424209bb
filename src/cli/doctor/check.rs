//! One check: what was seen, what to do about it, and where.

use std::path::Path;

use crate::cli::talk;
use crate::words::Lang;
use crate::words::doctor::report as w;
use crate::words::doctor::report::pages;

pub(super) use crate::words::Said;

/// In the order in which they are shown. Ids are a promise: programs and docs/troubleshooting.md name them.
pub(super) const IDS: &[&str] = &[
    "config",
    "file-modes",
    "shared-disk",
    "disk",
    "journal",
    "stale-files",
    "scripts",
    "console",
    "service",
    "owner",
    "lock",
    "proxy",
    "dns",
    "tls",
    "clock",
    "secret",
    "token",
    "address",
    "permission-robot-send",
    "permission-card-instance",
    "permission-card-streaming",
    "card-template",
    "connection",
    "frames",
    "second-host",
    "certificate",
    "webhook-url",
    "published",
    "budget",
    "outbox",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    /// It works, but somebody should look at it.
    Warning,
    Failed,
    /// Not looked at.
    Skipped,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// A page of DingTalk's developer console. Only addresses that DingTalk itself hands out, or that its documents name; the
/// others are the way to click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Credentials,
    Robot,
    Permission { client_id: String, scope: &'static str },
    Publish,
    Allowlist,
    Cards,
    Resources,
}

impl Page {
    /// As a person at this terminal finds it.
    pub(super) fn shown(&self, lang: Lang) -> String {
        self.named(lang, !talk::shows_few())
    }

    pub(super) fn text(&self, lang: Lang) -> String {
        self.named(lang, true)
    }

    /// `both`: whoever reads English is told the Chinese name too, which is what the page has.
    fn named(&self, lang: Lang, both: bool) -> String {
        const HOME: &str = "https://open-dev.dingtalk.com";
        let name = |[zh, en]: [&str; 2]| match lang {
            Lang::Zh => zh.to_owned(),
            Lang::En if both => format!("{en} ({zh})"),
            Lang::En => en.to_owned(),
        };
        match self {
            Self::Credentials => w::page_of_app(HOME, &name(pages::CREDENTIALS), lang),
            Self::Robot => w::page_of_app(HOME, &name(pages::ROBOT), lang),
            Self::Permission { client_id, scope } => {
                format!("{HOME}/appscope/apply?content={client_id}%23{scope}")
            }
            Self::Publish => w::page_of_app(HOME, &name(pages::RELEASE), lang),
            Self::Allowlist => w::page_allowlist(HOME, &name(pages::SECURITY), lang),
            Self::Cards => format!("{HOME}/fe/card"),
            Self::Resources => w::page_of_all(HOME, &name(pages::RESOURCES), lang),
        }
    }
}

/// What one check found.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) id: &'static str,
    pub(super) state: State,
    pub(super) seen: Said,
    pub(super) todo: Option<Said>,
    pub(super) page: Option<Page>,
    /// The check on which this one hangs.
    pub(super) because: Option<&'static str>,
    /// What was put right just now.
    pub(super) fixed: Vec<Said>,
}

impl Check {
    pub(super) fn new(id: &'static str, state: State, seen: Said) -> Self {
        debug_assert!(IDS.contains(&id), "{id}");
        Self { id, state, seen, todo: None, page: None, because: None, fixed: Vec::new() }
    }

    pub(super) fn ok<S: Into<String>>(id: &'static str, seen: impl Fn(Lang) -> S) -> Self {
        Self::new(id, State::Ok, Said::new(seen))
    }

    pub(super) fn warning<S: Into<String>>(id: &'static str, seen: impl Fn(Lang) -> S) -> Self {
        Self::new(id, State::Warning, Said::new(seen))
    }

    pub(super) fn failed<S: Into<String>>(id: &'static str, seen: impl Fn(Lang) -> S) -> Self {
        Self::new(id, State::Failed, Said::new(seen))
    }

    pub(super) fn skipped<S: Into<String>>(id: &'static str, seen: impl Fn(Lang) -> S) -> Self {
        Self::new(id, State::Skipped, Said::new(seen))
    }

    /// Not looked at, because `other` has to be put right first.
    pub(super) fn after(id: &'static str, other: &'static str) -> Self {
        Self { because: Some(other), ..Self::skipped(id, |lang| w::after(other, lang)) }
    }

    pub(super) fn todo<S: Into<String>>(mut self, todo: impl Fn(Lang) -> S) -> Self {
        self.todo = Some(Said::new(todo));
        self
    }

    pub(super) fn page(mut self, page: Page) -> Self {
        self.page = Some(page);
        self
    }

    pub(super) fn is_bad(&self) -> bool {
        self.state == State::Failed
    }
}

/// What `--fix` may put right, and whether it was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fix(pub(super) bool);

impl Fix {
    /// Does `work`, if it was asked for and works; `done` says what it did.
    pub(super) fn run(
        self,
        path: &Path,
        done: fn(Lang) -> &'static str,
        work: impl FnOnce() -> std::io::Result<()>,
    ) -> Option<Said> {
        if !self.0 {
            return None;
        }
        match work() {
            Ok(()) => {
                let path = path.display().to_string();
                Some(Said::new(|lang| w::at(done(lang), &path, lang)))
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), "not put right: {error}");
                None
            }
        }
    }
}
