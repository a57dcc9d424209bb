//! One check: what was seen, what to do about it, and where.

use std::path::Path;

use crate::words::Lang;

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
    "webhook-url",
    "published",
    "budget",
    "outbox",
];

/// A sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    zh: String,
    en: String,
}

impl Said {
    pub(super) fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    pub(super) fn pick(&self, lang: Lang) -> &str {
        lang.pick(&self.zh, &self.en)
    }

    /// The same, and `more` after a semicolon.
    pub(super) fn and(mut self, more: &Self) -> Self {
        self.zh = format!("{}；{}", self.zh, more.zh);
        self.en = format!("{}; {}", self.en, more.en);
        self
    }
}

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
    pub(super) fn text(&self, lang: Lang) -> String {
        const HOME: &str = "https://open-dev.dingtalk.com";
        let way = |zh, en| format!("{HOME}{}{}", lang.pick("，", ", "), lang.pick(zh, en));
        match self {
            Self::Credentials => way(
                "你的应用，「凭证与基础信息」",
                "your app, \"Credentials and basic information\" (凭证与基础信息)",
            ),
            Self::Robot => way("你的应用，「机器人」", "your app, \"Robot\" (机器人)"),
            Self::Permission { client_id, scope } => {
                format!("{HOME}/appscope/apply?content={client_id}%23{scope}")
            }
            Self::Publish => way(
                "你的应用，「版本管理与发布」",
                "your app, \"Version management and release\" (版本管理与发布)",
            ),
            Self::Allowlist => way(
                "你的应用，「安全设置」里的服务器出口 IP",
                "your app, \"Security settings\" (安全设置), server egress IP",
            ),
            Self::Cards => format!("{HOME}/fe/card"),
            Self::Resources => way("「资源管理」", "\"Resource management\" (资源管理)"),
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

    pub(super) fn ok(id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(id, State::Ok, Said::new(zh, en))
    }

    pub(super) fn warning(id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(id, State::Warning, Said::new(zh, en))
    }

    pub(super) fn failed(id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(id, State::Failed, Said::new(zh, en))
    }

    pub(super) fn skipped(id: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(id, State::Skipped, Said::new(zh, en))
    }

    /// Not looked at, because `other` has to be put right first.
    pub(super) fn after(id: &'static str, other: &'static str) -> Self {
        let seen = Said::new(
            format!("未检查：先解决 {other}"),
            format!("not looked at: {other} comes first"),
        );
        Self { because: Some(other), ..Self::new(id, State::Skipped, seen) }
    }

    pub(super) fn todo(mut self, zh: impl Into<String>, en: impl Into<String>) -> Self {
        self.todo = Some(Said::new(zh, en));
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
    /// Does `work`, if it was asked for and works.
    pub(super) fn run(
        self,
        path: &Path,
        zh: &str,
        en: &str,
        work: impl FnOnce() -> std::io::Result<()>,
    ) -> Option<Said> {
        if !self.0 {
            return None;
        }
        match work() {
            Ok(()) => {
                let path = path.display();
                Some(Said::new(format!("{zh}：{path}"), format!("{en}: {path}")))
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), "not put right: {error}");
                None
            }
        }
    }
}
