//! The settings, read again while the host runs.
//!
//! Their file and the files of their secrets are watched. Who may do what, secrets, budgets and history count as soon as
//! they are saved; the rest is named, and counts from the next start on. An edit with a mistake changes nothing: what was
//! read before goes on to count, the log and `status` say what is wrong, and the owner is told once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cards;
use crate::access::Access;
use crate::api::Host;
use crate::budget::Ledger;
use crate::config;
use crate::config::Config;
use crate::config::Connection;
use crate::config::Current;
use crate::config::History;
use crate::config::Http;
use crate::config::Loaded;
use crate::config::Need;
use crate::config::Source;
use crate::dingtalk::Class;
use crate::dingtalk::Client;
use crate::language::Languages;
use crate::message::Address;
use crate::message::Body;
use crate::message::Reply;
use crate::outbox::Outbox;
use crate::outbox::Post;
use crate::sink;
use crate::store::now_ms;
use crate::telemetry;
use crate::telemetry::LogError;
use crate::telemetry::status;
use crate::transport::Rules;
use crate::watch::Watch;
use crate::words;
use crate::words::{Lang, Said};

/// How often the files are looked at although nothing was heard of them: names that begin with a dot, links that are
/// turned elsewhere and disks of the network are not watched.
const LOOK: Duration = Duration::from_secs(15);

/// How long to wait before folders whose watching has ended are watched anew.
const AGAIN: Duration = Duration::from_secs(1);

/// Far above any real file.
const MOST_BYTES: u64 = 1 << 20;

/// What takes effect without a restart: keys, and tables with all that is in them.
const LIVE: &[&str] = &[
    "access.",
    "budget.",
    "cards.",
    "connection.",
    "history.",
    "limits.",
    "log.",
    "secrets.",
    "dingtalk.client_secret",
];

/// Of those tables, what does not: how much a VM may hold is settled when it is made, and the places for programs are too.
const NOT_LIVE: &[&str] = &["limits.memory_mb", "limits.all_processes"];

/// What counts at once too, where DingTalk calls.
const RULES: &[&str] = &["http.window", "http.trusted_proxies", "http.allow"];

/// The same, where events were taken in before.
const EVENT_KEYS: &[&str] = &["http.token", "http.aes_key"];

/// Where settings came from, and how they were when the host began.
#[derive(Debug)]
pub struct Reread {
    source: Source,
    file: Option<PathBuf>,
    read: Option<Loaded>,
    began: BTreeMap<String, u64>,
}

impl Reread {
    /// `loaded` is what `source` gave, before flags.
    pub fn new(source: Source, loaded: &Loaded) -> Self {
        let named = source.file.clone().or_else(|| source.places.default_file());
        let file = loaded.file.clone().or(named);
        Self { source, file, read: None, began: loaded.prints.clone() }
    }
}

/// What is told and what is changed.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) reread: Reread,
    /// As they count now.
    pub(super) config: Config,
    pub(super) access: Arc<Access>,
    pub(super) host: Host,
    pub(super) client: Client,
    pub(super) ledger: Ledger,
    pub(super) history: watch::Sender<History>,
    pub(super) connection: Current<Connection>,
    /// `None`: DingTalk does not call.
    pub(super) rules: Option<Rules>,
    pub(super) outbox: Outbox,
    pub(super) languages: Languages,
    pub(super) told: watch::Sender<status::Settings>,
    /// DingTalk refused the secret that the file holds. It may take it a moment later: where it was just made, say.
    pub(super) doubted: bool,
}

impl Settings {
    /// Follows the files until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut watches: BTreeMap<PathBuf, Watch> = BTreeMap::new();
        self.told.send_modify(|told| {
            told.file.clone_from(&self.reread.file);
            told.read_at_ms = now_ms();
        });
        // Once at the beginning: an edit may have come between the start and the first look.
        let mut seen = None;
        loop {
            let files = self.files();
            aim(&mut watches, &files);
            let looked = files.clone();
            let now = tokio::task::spawn_blocking(move || print_of(&looked)).await.ok();
            if now != seen {
                seen = now;
                self.read_again().await;
                continue;
            }
            let mut signs: FuturesUnordered<_> = watches.values_mut().map(Watch::next).collect();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(sign) = signs.next(), if !signs.is_empty() => if sign.is_none() {
                    drop(signs);
                    watches.clear();
                    tokio::time::sleep(AGAIN).await;
                },
                () = tokio::time::sleep(LOOK) => if self.doubted {
                seen = None;
                },
            }
        }
    }

    /// The file, and those that it named when it was last sound.
    fn files(&self) -> BTreeSet<PathBuf> {
        let secrets = self.reread.read.iter().flat_map(|read| &read.secret_files);
        secrets.chain(&self.reread.file).cloned().collect()
    }

    async fn read_again(&mut self) {
        let source = self.reread.source.clone();
        let read = tokio::task::spawn_blocking(move || config::load(&source, Need::Account)).await;
        match read {
            Ok(Ok(loaded)) => self.take_over(loaded).await,
            Ok(Err(problems)) => {
                let all = Said::new(|lang| {
                    let all: Vec<String> = problems.list.iter().map(|one| one.text(lang)).collect();
                    all.join("\n")
                });
                self.refuse(&all).await;
            }
            Err(panic) => self.refuse(&Said::new(|_| panic.to_string())).await,
        }
    }

    /// What was read is wrong: nothing changes.
    async fn refuse(&self, why: &Said) {
        let why = Said::new(|lang| sink::redact(why.pick(lang)));
        let known = self.told.borrow().error.clone();
        if known.as_deref() == Some(why.pick(Lang::En)) {
            return;
        }
        tracing::error!(
            "the settings were changed, and are wrong now; those of before go on to count\n{why}"
        );
        self.told.send_modify(|told| {
            told.error = Some(why.pick(Lang::En).to_owned());
            told.error_zh = Some(why.pick(Lang::Zh).to_owned());
        });
        if known.is_none() {
            self.tell(|lang| words::settings::wrong(why.pick(lang), lang)).await;
        }
    }

    /// Tries a secret that is another than the one that counts: one that DingTalk refuses would only cut the connection.
    async fn try_secret(&self, new: &Config) -> Result<(), Said> {
        if new.dingtalk.client_secret == self.config.dingtalk.client_secret {
            return Ok(());
        }
        let tried = match Client::through(&new.dingtalk, new.proxy.as_ref()) {
            Ok(client) => client.try_secret().await,
            Err(_) => return Ok(()),
        };
        match tried {
            Err(error) if error.class == Class::Credentials => {
                let (app, why) = (&new.dingtalk.client_id, error.to_string());
                Err(Said::new(|lang| words::settings::secret_refused(app, &why, lang)))
            }
            // Where DingTalk cannot be reached nothing speaks against it.
            _ => Ok(()),
        }
    }

    async fn take_over(&mut self, loaded: Loaded) {
        for secret in loaded.config.every_secret() {
            sink::hide(secret.expose());
        }
        let tried = self.try_secret(&loaded.config).await;
        self.doubted = tried.is_err();
        if let Err(why) = tried {
            return self.refuse(&why).await;
        }
        if let Err(error) = telemetry::refilter(loaded.config.log_filter.as_deref()) {
            let why = match error {
                LogError::Filter { filter, reason } => {
                    Said::new(|lang| words::settings::no_filter(&filter, &reason, lang))
                }
                LogError::Twice => Said::new(|_| error.to_string()),
            };
            return self.refuse(&why).await;
        }
        let known: BTreeSet<String> = self
            .reread
            .read
            .iter()
            .flat_map(|read| &read.warnings)
            .map(ToString::to_string)
            .collect();
        // The first look repeats what the start has said.
        let first = self.reread.read.is_none();
        for warning in loaded.warnings.iter().map(ToString::to_string) {
            if !first && !known.contains(&warning) {
                tracing::warn!("{warning}");
            }
        }
        let before = self.reread.read.as_ref().map_or(&self.reread.began, |read| &read.prints);
        let keys = takes_events(&self.config.http) && takes_events(&loaded.config.http);
        let calls = self.rules.is_some();
        let live = |key: &str| {
            is_live(key) || calls && RULES.contains(&key) || keys && EVENT_KEYS.contains(&key)
        };
        let mut taken: BTreeSet<String> =
            changed(before, &loaded.prints).filter(|key| live(key)).cloned().collect();
        let mut restart: BTreeSet<String> =
            changed(&self.reread.began, &loaded.prints).filter(|key| !live(key)).cloned().collect();
        restart.extend(self.unlike(&loaded.config).into_iter().filter(|key| !live(key)));
        taken.extend(self.apply(&loaded.config));
        let was_wrong = self.told.borrow().error.is_some();
        let restart: Vec<String> = restart.into_iter().collect();
        let news = restart != self.told.borrow().restart;
        self.told.send_modify(|told| {
            (told.error, told.error_zh) = (None, None);
            told.restart.clone_from(&restart);
            if !taken.is_empty() || was_wrong {
                told.read_at_ms = now_ms();
            }
        });
        let taken: Vec<String> = taken.into_iter().collect();
        if !taken.is_empty() {
            tracing::info!("the settings were read again; these count now: {}", taken.join(", "));
        }
        if news && !restart.is_empty() {
            tracing::warn!(
                "these settings were changed and count from the next start on: {}",
                restart.join(", ")
            );
        }
        self.reread.read = Some(loaded);
        if was_wrong {
            tracing::info!("the settings are sound again");
            self.tell(|lang| words::settings::sound(lang).to_owned()).await;
        }
    }

    /// Changes what calls have to show. Whether events are taken in is as it was at the start. Returns the keys whose value
    /// was changed where the settings only point to.
    fn renew_rules(&mut self, new: &Http) -> Vec<String> {
        let (Some(rules), old) = (&self.rules, &mut self.config.http) else { return Vec::new() };
        let mut next = Http {
            window: new.window,
            trusted_proxies: new.trusted_proxies.clone(),
            allow: new.allow.clone(),
            ..old.clone()
        };
        let mut pointed = Vec::new();
        if takes_events(old) && takes_events(new) {
            for (key, held, new) in [
                ("http.token", &mut next.token, &new.token),
                ("http.aes_key", &mut next.aes_key, &new.aes_key),
            ] {
                if held != new {
                    held.clone_from(new);
                    pointed.push(key.to_owned());
                }
            }
        }
        if next != *old {
            match rules.renew(next.clone()) {
                Ok(()) => *old = next,
                Err(error) => tracing::error!("calls are judged as before: {error}"),
            }
        }
        pointed
    }

    /// Secrets that were changed where the settings only point to, and that count from the next start on.
    fn unlike(&self, new: &Config) -> BTreeSet<String> {
        let (old, http) = (&self.config, &new.http);
        let login = |config: &Config| {
            config.proxy.as_ref().map(|proxy| (proxy.to_string(), proxy.login.clone()))
        };
        [
            ("http.token", old.http.token != http.token),
            ("http.aes_key", old.http.aes_key != http.aes_key),
            ("http.card_secret", old.http.card_secret != http.card_secret),
            ("network.proxy", login(old) != login(new)),
        ]
        .into_iter()
        .filter(|(_, unlike)| *unlike)
        .map(|(key, _)| key.to_owned())
        .collect()
    }

    /// Changes what is live; returns the keys whose value was changed where they only point to.
    fn apply(&mut self, new: &Config) -> BTreeSet<String> {
        let mut pointed = BTreeSet::new();
        let old = &mut self.config;
        if (&old.access.owner, &old.access.roles) != (&new.access.owner, &new.access.roles) {
            old.access = new.access.clone();
            self.access.renew(new.access.clone());
        }
        if old.secrets != new.secrets {
            let unlike = new
                .secrets
                .iter()
                .filter(|(name, value)| old.secrets.get(*name).is_some_and(|held| held != *value));
            pointed.extend(unlike.map(|(name, _)| format!("secrets.{name}")));
            old.secrets = new.secrets.clone();
            self.host.renew_secrets(new.secrets.clone());
        }
        if old.dingtalk.client_secret != new.dingtalk.client_secret {
            pointed.insert("dingtalk.client_secret".to_owned());
            old.dingtalk.client_secret = new.dingtalk.client_secret.clone();
            self.client.renew_secret(new.dingtalk.client_secret.clone());
        }
        if old.budget != new.budget {
            old.budget = new.budget.clone();
            self.ledger.renew(new.budget.clone());
        }
        if old.limits != new.limits {
            old.limits = new.limits;
            self.access.renew_limits(new.limits);
            self.host.renew_limits(new.limits);
        }
        if old.cards != new.cards {
            old.cards = new.cards.clone();
            // Where clicks go is as it was at the start.
            self.outbox.renew_cards(cards::settings(old, &self.client));
        }
        if old.connection != new.connection {
            old.connection = new.connection.clone();
            self.connection.set(new.connection.clone());
        }
        if old.history != new.history {
            old.history = new.history;
            self.history.send_replace(new.history);
        }
        pointed.extend(self.renew_rules(&new.http));
        pointed
    }

    async fn tell(&self, text: impl FnOnce(Lang) -> String) {
        let Some(owner) = self.access.owner() else { return };
        let lang = self.languages.of(Some(&owner));
        let reply = Reply {
            to: Address::notice(&owner),
            body: Body::Text { text: text(lang) },
            at: Vec::new(),
        };
        if let Err(error) = self.outbox.post("settings", vec![Post::Reply(reply)]).await {
            tracing::error!(%error, "the owner could not be told of the settings");
        }
    }
}

/// Keys that one has and the other has not, or otherwise.
fn changed<'k>(
    old: &'k BTreeMap<String, u64>,
    new: &'k BTreeMap<String, u64>,
) -> impl Iterator<Item = &'k String> {
    let unlike = new.iter().filter(|(key, print)| old.get(*key) != Some(print));
    let gone = old.iter().filter(|(key, _)| !new.contains_key(*key));
    unlike.chain(gone).map(|(key, _)| key)
}

/// Whether the door for events is open with these settings.
fn takes_events(http: &Http) -> bool {
    http.token.is_some() && http.aes_key.is_some()
}

fn is_live(key: &str) -> bool {
    !NOT_LIVE.contains(&key)
        && LIVE.iter().any(|live| key == *live || (live.ends_with('.') && key.starts_with(live)))
}

/// Watches the folders of `files`, and no others.
fn aim(watches: &mut BTreeMap<PathBuf, Watch>, files: &BTreeSet<PathBuf>) {
    let folders: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    watches.retain(|folder, _| folders.contains(folder.as_path()));
    for folder in folders {
        if !watches.contains_key(folder) {
            match Watch::start_flat(folder) {
                Ok(watch) => {
                    watches.insert(folder.to_owned(), watch);
                }
                Err(error) => tracing::debug!("settings are looked at now and then only: {error}"),
            }
        }
    }
}

/// Another one when a file, or who may read it, has changed.
fn print_of(files: &BTreeSet<PathBuf>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        match fs::metadata(file) {
            Ok(found) if found.is_file() && found.len() <= MOST_BYTES => {
                #[cfg(unix)]
                std::os::unix::fs::PermissionsExt::mode(&found.permissions()).hash(&mut hasher);
                fs::read(file).unwrap_or_default().hash(&mut hasher);
            }
            Ok(found) => found.len().hash(&mut hasher),
            Err(error) => error.kind().hash(&mut hasher),
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_count_at_once_are_told_from_those_that_need_a_start() {
        for (key, live) in [
            ("access.owner", true),
            ("access.roles.admin", true),
            ("secrets.token", true),
            ("log.filter", true),
            ("dingtalk.client_secret", true),
            ("dingtalk.client_id", false),
            ("limits.run_time", true),
            ("limits.memory_mb", false),
            ("cards.attach", true),
            ("connection.tell_after", true),
            ("http.listen", false),
            ("scripts.dir", false),
        ] {
            assert_eq!(is_live(key), live, "{key}");
        }
        let prints = |pairs: &[(&str, u64)]| {
            pairs.iter().map(|(key, print)| ((*key).to_owned(), *print)).collect()
        };
        let (old, new) =
            (prints(&[("a", 1), ("b", 2), ("c", 3)]), prints(&[("a", 1), ("b", 9), ("d", 4)]));
        assert_eq!(changed(&old, &new).collect::<Vec<_>>(), ["b", "d", "c"]);
    }
}
