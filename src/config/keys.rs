//! Every setting, once: the file, the environment, the checks and `docs/config.md` all read this table.

use super::kind::Kind;
use crate::words::config::file as w;
use crate::words::{self, Said};

/// One setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// Dotted, as in the file: `dingtalk.client_id`.
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    /// Written as in the file.
    pub(crate) default: &'static str,
    pub(crate) doc: &'static str,
}

/// In the order of the reference.
pub(crate) const KEYS: &[Key] = &[
    Key {
        path: "language",
        kind: Kind::Choice(&["auto", "zh", "en"]),
        default: "\"auto\"",
        doc: "The language of what moonbell itself says, to everybody who chose none (`language zh` in a chat). `auto`: the \
              one that a person writes in. See docs/languages.md.",
    },
    Key {
        path: "dingtalk.client_id",
        kind: Kind::Text,
        default: "\"\"",
        doc: "Client ID (AppKey) of your DingTalk app. `run` needs it, `dev` does not.",
    },
    Key {
        path: "dingtalk.client_secret",
        kind: Kind::Secret,
        default: "\"\"",
        doc: "Client secret (AppSecret) of the same app. Better a reference than the secret itself; a `file` must be \
              readable by you alone (mode 0600).",
    },
    Key {
        path: "dingtalk.corp_id",
        kind: Kind::Text,
        default: "\"\"",
        doc: "`corpId` of the organisation that the app belongs to. Staff ids of any other are nobody's. Empty: learnt from \
              whoever claims the bot, else from the first message of somebody whom the owner or a list names.",
    },
    Key {
        path: "dingtalk.mode",
        kind: Kind::Choice(&["stream", "http"]),
        default: "\"stream\"",
        doc: "`stream`: moonbell dials out over a WebSocket, nothing of yours is reachable from outside. `http`: DingTalk \
              calls the address in `[http]`.",
    },
    Key {
        path: "dingtalk.api_base",
        kind: Kind::Url,
        default: "\"https://api.dingtalk.com\"",
        doc: "Base of DingTalk's API. With another base, only endpoints on that same host are accepted.",
    },
    Key {
        path: "dingtalk.oapi_base",
        kind: Kind::Url,
        default: "\"https://oapi.dingtalk.com\"",
        doc: "Base of DingTalk's older API (session webhooks, media).",
    },
    Key {
        path: "dingtalk.card_template",
        kind: Kind::Text,
        default: "\"\"",
        doc: "Template id of the AI card that streams. Empty: the same output as Markdown messages.",
    },
    Key {
        path: "dingtalk.card_key",
        kind: Kind::Text,
        default: "\"content\"",
        doc: "The variable of that template that receives the text.",
    },
    Key {
        path: "cards.calls_per_second",
        kind: Kind::Number,
        default: "20",
        doc: "Card calls (creating, streaming, ending) of all cards together, from 0.1 to 1000. DingTalk's \
              standard limit is 20 for each app. Frames use three quarters at most; the rest is for the ends of cards. Less \
              where other programs share the app.",
    },
    Key {
        path: "cards.attach",
        kind: Kind::Choice(&["always", "failure", "never"]),
        default: "\"always\"",
        doc: "When the whole output is sent as a file beside a card that could only show its end: `always`, only on \
              `failure`, or `never` (then it is not kept on disk either). `ctx:stream` can say otherwise with `attach`.",
    },
    Key {
        path: "cards.attach_mb",
        kind: Kind::Number,
        default: "64",
        doc: "Megabytes of one output that are kept for that file, in the folder `spool` of `state.dir`, until it is sent. \
              What comes after is left out, and the file says so. DingTalk takes 20 MB as a zip: of more, the end is sent.",
    },
    Key {
        path: "cards.stop",
        kind: Kind::List,
        default: "[\"stop\", \"btn_stop\"]",
        doc: "Action ids of the Stop button in your card template (see docs/cards.md). `[]`: it has none, which spares a call \
              for each card; the word `stop` works all the same.",
    },
    Key {
        path: "cards.buttons",
        kind: Kind::Number,
        default: "0",
        doc: "How many buttons your card template has for answers (`button_1` and so on, see docs/cards.md), 10 at most. \
              Questions with no more answers than that, and approvals, come as a card with buttons. 0: they are asked in words.",
    },
    Key {
        path: "http.listen",
        kind: Kind::Listen,
        default: "\"127.0.0.1:8787\"",
        doc: "Where the callbacks of `mode = \"http\"` are received.",
    },
    Key {
        path: "http.path",
        kind: Kind::Text,
        default: "\"/dingtalk\"",
        doc: "Messages are expected at `{path}/robot`, events at `{path}/event`, cards at `{path}/card`.",
    },
    Key {
        path: "http.public_url",
        kind: Kind::Url,
        default: "\"\"",
        doc: "The address that DingTalk calls and that leads to `http://{listen}{path}`, through a proxy or tunnel: \
              `\"https://bot.example.com/dingtalk\"`. Shown by `moonbell status` to be copied; card buttons need it.",
    },
    Key {
        path: "http.window",
        kind: Kind::Duration,
        default: "\"5m\"",
        doc: "How old a call may be, by the time that it was signed at; from \"10s\" to \"1h\". Within it a signature is good \
              for one body. A call from more than a minute ahead is refused too.",
    },
    Key {
        path: "http.trusted_proxies",
        kind: Kind::List,
        default: "[]",
        doc: "Addresses of your own proxies, such as `[\"127.0.0.1\", \"10.0.0.0/8\"]`. Only what they say in \
              `X-Forwarded-For` is believed.",
    },
    Key {
        path: "http.allow",
        kind: Kind::List,
        default: "[]",
        doc: "Addresses that may call, such as `[\"203.119.0.0/16\"]`; everyone else gets the answer that a wrong signature \
              gets. Empty: everyone. DingTalk does not promise its addresses.",
    },
    Key {
        path: "http.token",
        kind: Kind::Secret,
        default: "\"\"",
        doc: "Token of the event subscription. Empty: that door stays shut.",
    },
    Key {
        path: "http.aes_key",
        kind: Kind::Secret,
        default: "\"\"",
        doc: "AES key of the event subscription, 43 characters. Empty: that door stays shut.",
    },
    Key {
        path: "http.card_secret",
        kind: Kind::Secret,
        default: "\"\"",
        doc: "`apiSecret` given when the card callback was registered. Empty: that door stays shut.",
    },
    Key {
        path: "http.tls.cert",
        kind: Kind::Path,
        default: "\"\"",
        doc: "Certificate chain (PEM). Empty: plain HTTP, behind a proxy or tunnel.",
    },
    Key {
        path: "http.tls.key",
        kind: Kind::Path,
        default: "\"\"",
        doc: "Private key of that certificate (PEM).",
    },
    Key {
        path: "scripts.dir",
        kind: Kind::Path,
        default: "\"~/moonbell/scripts\"",
        doc: "The folder of your handlers. Created and filled with the starter handlers on the first start.",
    },
    Key {
        path: "scripts.folders",
        kind: Kind::List,
        default: "[\"/\"]",
        doc: "Folders that `fs` and files from chat may use, with all that is in them; a script's own folder always is. \
              Programs that scripts start are not held by it.",
    },
    Key {
        path: "scripts.private_hosts",
        kind: Kind::List,
        default: "[]",
        doc: "Hosts of this computer and of private networks that `http` may call, as `\"host\"` or `\"host:port\"`, such as \
              `[\"127.0.0.1:8080\", \"wiki.internal\"]`. Public ones need no entry.",
    },
    Key {
        path: "scripts.asked",
        kind: Kind::List,
        default: "[]",
        doc: "Folders inside `scripts.dir` with scripts of other people, such as `[\"shared\"]`. A script there reaches what its \
              `bot.script{ needs = … }` asks for and nothing else, and serves only after `moonbell grant` on this computer. \
              Yours get everything, unless they name their needs.",
    },
    Key {
        path: "state.dir",
        kind: Kind::Path,
        default: "\"\"",
        doc: "Journal, run history, lock. Empty: the platform's data directory. One running moonbell per folder.",
    },
    Key {
        path: "history.keep",
        kind: Kind::Duration,
        default: "\"30d\"",
        doc: "How long the accounts of runs are kept after their end, with what they said. That a message was seen is \
              remembered for a day in any case.",
    },
    Key {
        path: "history.max_mb",
        kind: Kind::Count,
        default: "512",
        doc: "The journal's room on disk in megabytes (its file without free room, with what scripts keep in `kv`): past it the \
              oldest accounts go first. The last 500 runs stay.",
    },
    Key {
        path: "access.owner",
        kind: Kind::Text,
        default: "\"\"",
        doc: "Staff id of the person this computer belongs to: may run everything. Empty: whoever sends the bot the code that \
              `run` and `moonbell claim` print in the terminal owns it. Set, it wins over whoever claimed.",
    },
    Key {
        path: "access.roles",
        kind: Kind::Roles,
        default: "{}",
        doc: "Role = staff ids, for example `admin = [\"manager4220\"]`. `\"group:cid…\"` (the id of a conversation, \
              `ctx.chat.id`) is everyone of the organisation who writes in that group, there and nowhere else. `\"*\"` is \
              everyone in the organisation: moonbell warns about it at every start. A handler without `role` serves anyone \
              who has some role. The owner gives and takes roles from a chat too: `allow`, `deny`, `who`.",
    },
    Key {
        path: "budget.api_calls",
        kind: Kind::Count,
        default: "5000",
        doc: "API calls that DingTalk gives your organisation each calendar month (of China): 5,000 on the free plan. The \
              real figures are on open-dev.dingtalk.com under *resource management*. The owner hears of 50, 80 and 95 %; \
              from 95 % on cards do not stream; at the limit only notices to the owner are sent, and replies wait. See \
              docs/budget.md. `0` is `\"unlimited\"`: counted, never refused.",
    },
    Key {
        path: "budget.pushes",
        kind: Kind::Count,
        default: "3000",
        doc: "Webhook & Stream messages of each month, 3,000 on the free plan: what DingTalk sends to this host and, on the \
              safe side, replies through the webhook of a chat. At the limit replies are sent with API calls.",
    },
    Key {
        path: "budget.webhook_replies",
        kind: Kind::Choice(&["push", "free"]),
        default: "\"push\"",
        doc: "What a reply through the webhook of a chat costs. DingTalk's billing page counts robots' webhook messages in \
              both directions; if the console shows that yours are not, `free`.",
    },
    Key {
        path: "console.listen",
        kind: Kind::Listen,
        default: "\"127.0.0.1:7878\"",
        doc: "Where the console listens, on this computer only: `GET /health` for monitors, and what other commands ask the running \
              host for. If it is taken, a free port is used and named in the log. Port 0: any free one.",
    },
    Key {
        path: "connection.late_after",
        kind: Kind::Duration,
        default: "\"5m\"",
        doc: "A message that comes longer after it was sent than this (the bot was offline, or could not store it) is not \
              run: its sender is told, and can send it again. So a `deploy` of this morning does not run in the afternoon. \
              Longer than DingTalk's ordinary repetitions, which come within three minutes. At least \"1m\"; \"365d\" runs \
              whatever comes.",
    },
    Key {
        path: "connection.tell_after",
        kind: Kind::Duration,
        default: "\"5m\"",
        doc: "After an outage longer than this (no network, the computer slept, moonbell was stopped) the owner is told from \
              when to when, and what came late. At least \"1m\".",
    },
    Key {
        path: "network.proxy",
        kind: Kind::Secret,
        default: "\"none\"",
        doc: "The way to DingTalk, for its API and the WebSocket alike: `\"none\"`, directly; an address such as \
              `\"http://proxy.example:3128\"`, `\"https://…\"` or `\"socks5://…\"`, with `user:password@` where the proxy wants \
              them (then better as a reference); or `\"environment\"`, whatever `HTTPS_PROXY`, else `ALL_PROXY`, names, except for \
              the hosts of `NO_PROXY`. Not taken from the environment unasked: a proxy that is there for web pages may cut \
              the WebSocket. The proxy looks names up. `http` of scripts does not go through it: it guards against private \
              addresses by connecting to the address that it checked itself.",
    },
    Key {
        path: "log.filter",
        kind: Kind::Text,
        default: "\"\"",
        doc: "What is logged: `error`, `warn`, `info`, `debug`, `trace`, `off`, or a list such as `info,moonbell::transport=debug`. \
              `--log` and `MOONBELL_LOG` win over it.",
    },
    Key {
        path: "limits.run_time",
        kind: Kind::Duration,
        default: "\"10m\"",
        doc: "How long a run may take, unless its handler gives a `timeout`; waiting for a person does not count.",
    },
    Key {
        path: "limits.run_cpu",
        kind: Kind::Duration,
        default: "\"10s\"",
        doc: "How long a run may execute Lua; waiting does not count.",
    },
    Key {
        path: "limits.memory_mb",
        kind: Kind::Number,
        default: "64",
        doc: "Megabytes that one script may hold, with all its runs, 8 to 4096. Whoever asks for more fails alone.",
    },
    Key {
        path: "limits.kv_mb",
        kind: Kind::Number,
        default: "64",
        doc: "Megabytes that one script may keep in `kv`, keys included, 1 to 65536. What would go beyond raises, and nothing of it \
              is kept.",
    },
    Key {
        path: "limits.output_mb",
        kind: Kind::Number,
        default: "64",
        doc: "Megabytes that the programs of one run may write.",
    },
    Key {
        path: "limits.replies",
        kind: Kind::Number,
        default: "200",
        doc: "Messages and cards of one run: a loop that answers for ever ends here.",
    },
    Key {
        path: "limits.processes",
        kind: Kind::Number,
        default: "16",
        doc: "Programs that one run may have open at the same time.",
    },
    Key {
        path: "limits.all_processes",
        kind: Kind::Number,
        default: "256",
        doc: "Programs that all runs together may have open at the same time.",
    },
    Key {
        path: "limits.person_runs",
        kind: Kind::Count,
        default: "32",
        doc: "Runs that one person may have under way at the same time, the owner too. One more is refused, in words.",
    },
    Key {
        path: "limits.handler_runs",
        kind: Kind::Count,
        default: "4096",
        doc: "Runs of one handler under way at the same time, those that wait for a person included: half of what there is \
              room for.",
    },
    Key {
        path: "limits.person_per_minute",
        kind: Kind::Count,
        default: "60",
        doc: "Runs that one person may start in any minute, over all handlers. Whoever asks for more is told once; then nothing \
              is said to them until they are slower. `rate` of a handler counts beside this.",
    },
    Key {
        path: "limits.per_minute",
        kind: Kind::Number,
        default: "200",
        doc: "Messages of one handler, and into one conversation, in a minute, beside the first ten of each run that answers somebody.",
    },
    Key {
        path: "shutdown.deadline",
        kind: Kind::Duration,
        default: "\"10s\"",
        doc: "How long runs may go on after Ctrl-C or SIGTERM; then they are interrupted and their people are told. Ending \
              cards and sending what is left may take 15 seconds more: keep the sum below what your service manager \
              waits (systemd: 90 s).",
    },
    Key {
        path: "secrets",
        kind: Kind::Secrets,
        default: "{}",
        doc: "A value that scripts use as `secret.get(\"name\")` without seeing it, such as a token. Names have letters, \
              digits, `_` and `-`. What a script, a program or an error says has `***` in its place (6 bytes or more, \
              also as base64, hex, in URLs and in JSON).",
    },
];

/// Variables that are not settings, so not typing mistakes either.
const OTHER_VARIABLES: [&str; 2] = ["MOONBELL_CONFIG", "MOONBELL_LOG"];

impl Key {
    /// The variable that sets this key: `MOONBELL_DINGTALK_CLIENT_ID`.
    pub(crate) fn variable(&self) -> String {
        let mut name = String::from("MOONBELL_");
        name.extend(self.path.chars().map(|c| if c == '.' { '_' } else { c.to_ascii_uppercase() }));
        name
    }

    pub(super) fn table(&self) -> &'static str {
        match self.kind {
            Kind::Roles | Kind::Secrets => self.path,
            _ => self.path.rsplit_once('.').map_or("", |(table, _)| table),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }
}

pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether `path` is a table of the file (`dingtalk`, `http.tls`).
pub(crate) fn is_table(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The names that may stand in a table; `""` is the top level.
pub(crate) fn names_in(table: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS {
        let rest = if table.is_empty() {
            key.path
        } else {
            match key.path.strip_prefix(table).and_then(|rest| rest.strip_prefix('.')) {
                Some(rest) => rest,
                None => continue,
            }
        };
        let name = rest.split('.').next().unwrap_or(rest);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What an environment variable with our prefix means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    /// Sets this path.
    Sets(String),
    /// Ours, but not a setting.
    Other,
    Unknown,
}

pub(crate) fn variable(name: &str) -> Variable {
    if let Some(key) = KEYS.iter().find(|key| !key.kind.is_open() && key.variable() == name) {
        return Variable::Sets(key.path.to_owned());
    }
    if let Some(role) = name.strip_prefix("MOONBELL_ACCESS_ROLES_").filter(|role| !role.is_empty())
    {
        return Variable::Sets(format!("access.roles.{}", role.to_ascii_lowercase()));
    }
    if let Some(secret) = name.strip_prefix("MOONBELL_SECRETS_").filter(|name| !name.is_empty()) {
        return Variable::Sets(format!("secrets.{}", secret.to_ascii_lowercase()));
    }
    if OTHER_VARIABLES.contains(&name) || name.starts_with("MOONBELL_TEST_") {
        Variable::Other
    } else {
        Variable::Unknown
    }
}

/// The candidate that was probably meant, if any is close enough to be worth offering.
pub(crate) fn nearest<'a>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A third of the word may differ: `cliend_id` finds `client_id`, `port` does not find `path`.
    let most = (wrong.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&wrong.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The hint for an unknown name in `table`.
pub(crate) fn suggest(table: &str, wrong: &str) -> Said {
    let names = names_in(table);
    if let Some(name) = nearest(wrong, names.iter().copied()) {
        return Said::new(|lang| w::did_you_mean(name, lang));
    }
    if let Some(key) = KEYS.iter().find(|key| key.name() == wrong) {
        return Said::new(|lang| w::did_you_mean_in(key.name(), key.table(), lang));
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    Said::new(|lang| {
        let listed = words::list(&names, lang);
        if table.is_empty() {
            w::takes(&listed, lang)
        } else {
            w::table_takes(table, &listed, lang)
        }
    })
}

/// The hint for an unknown variable.
pub(crate) fn suggest_variable(wrong: &str) -> Said {
    let names: Vec<String> = KEYS.iter().map(Key::variable).collect();
    match nearest(wrong, names.iter().map(String::as_str).chain(OTHER_VARIABLES)) {
        Some(name) => Said::new(|lang| w::did_you_mean(name, lang)),
        None => Said::new(w::unset_variable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_nearest_and_a_misplaced_one_its_table() {
        let suggest = |table, wrong| super::suggest(table, wrong).to_string();
        assert_eq!(suggest("dingtalk", "cliend_id"), "did you mean `client_id`?");
        assert_eq!(suggest("", "dingtlak"), "did you mean `dingtalk`?");
        assert_eq!(suggest("", "langauge"), "did you mean `language`?");
        assert_eq!(suggest("", "owner"), "did you mean `owner`, in the table [access]?");
        assert_eq!(suggest("console", "colour"), "[console] takes `listen`");
        assert_eq!(
            suggest_variable("MOONBELL_DINGTALK_CLIENTID").to_string(),
            "did you mean `MOONBELL_DINGTALK_CLIENT_ID`?"
        );
    }

    #[test]
    fn every_key_has_its_own_variable() {
        let mut names: Vec<String> = KEYS.iter().map(Key::variable).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
        assert_eq!(variable("MOONBELL_HTTP_TLS_CERT"), Variable::Sets("http.tls.cert".to_owned()));
        assert_eq!(
            variable("MOONBELL_ACCESS_ROLES_ADMIN"),
            Variable::Sets("access.roles.admin".to_owned())
        );
        assert_eq!(variable("MOONBELL_ACCESS_ROLES"), Variable::Unknown);
        assert_eq!(variable("MOONBELL_TEST_PYTHON"), Variable::Other);
    }
}
