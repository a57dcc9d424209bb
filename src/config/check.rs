//! From raw values to a [`Config`]: every check of a single value and of values that need each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::address::{AddressError, read_address};
use super::file::{Contents, Entries, Entry, Raw};
use super::keys;
use super::kind::Kind;
use super::load::{Need, Source};
use super::problem::{Place, Problem};
use super::secret::PROXY;
use super::{Attach, Config, Language, Mode, Proxy};
use crate::message::StaffId;
use crate::words::config::file;
use crate::words::config::values as w;
use crate::words::{self, Lang, Said};

/// A value as it is quoted.
pub(super) fn shown(value: &str) -> String {
    value.escape_debug().to_string()
}

pub(super) struct Check<'a> {
    pub(super) source: &'a Source,
    file: &'a Path,
    pub(super) entries: Entries,
    tables: BTreeMap<String, Place>,
    refused: BTreeSet<String>,
    broken: bool,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// Where secrets are read from.
    pub(super) secret_files: BTreeSet<PathBuf>,
    missing: bool,
}

/// What the checks found. The settings are worthless if there are problems.
pub(super) struct Checked {
    pub(super) config: Config,
    pub(super) warnings: Vec<Problem>,
    pub(super) problems: Vec<Problem>,
    pub(super) secret_files: BTreeSet<PathBuf>,
    /// Whether something that is needed is not there.
    pub(super) missing: bool,
}

impl<'a> Check<'a> {
    pub(super) fn new(
        source: &'a Source,
        file: &'a Path,
        contents: Contents,
        problems: Vec<Problem>,
    ) -> Self {
        let Contents { entries, tables, refused, broken } = contents;
        Self {
            source,
            file,
            entries,
            tables,
            refused,
            broken,
            problems,
            warnings: Vec::new(),
            secret_files: BTreeSet::new(),
            missing: false,
        }
    }

    pub(super) fn run(mut self, need: Need) -> Checked {
        let mut config = Config::new("", "");
        if let Some(language) = self.choice("language").as_deref().and_then(Language::from_word) {
            config.language = language;
        }
        self.dingtalk(&mut config, need);
        self.cards(&mut config);
        self.http(&mut config, need);
        self.folders(&mut config);
        self.history(&mut config);
        self.access(&mut config);
        self.secrets(&mut config, need);
        self.budget(&mut config);
        self.other_side(&config, need);
        if let Some(listen) = self.listen("console.listen") {
            if !listen.ip().is_loopback() {
                let message = |lang| w::reached_by_others(&listen.to_string(), lang);
                self.wrong("console.listen", message, w::for_this_computer);
            }
            config.console.listen = listen;
        }
        self.connection(&mut config);
        self.network(&mut config, need);
        config.log_filter = self.text("log.filter");
        self.limits(&mut config);
        let (least, most) = (Duration::ZERO, Duration::from_hours(1));
        if let Some(deadline) = self.duration("shutdown.deadline", least, most) {
            config.shutdown.deadline = deadline;
        }
        let Self { warnings, problems, secret_files, missing, .. } = self;
        Checked { config, warnings, problems, secret_files, missing }
    }

    fn connection(&mut self, config: &mut Config) {
        let (least, most) = (Duration::from_mins(1), Duration::from_hours(24 * 365));
        if let Some(limit) = self.duration("connection.late_after", least, most) {
            config.connection.late_after = limit;
        }
        if let Some(limit) = self.duration("connection.tell_after", least, most) {
            config.connection.tell_after = limit;
        }
    }

    /// Its address may hold a password: it is read like a secret, and never quoted.
    fn network(&mut self, config: &mut Config, need: Need) {
        const PATH: &str = PROXY;
        let (problems, warnings) = (self.problems.len(), self.warnings.len());
        let text = self.secret(PATH, Need::Account);
        if need == Need::Settings {
            // Whoever goes out says what is wrong with it.
            self.problems.truncate(problems);
            self.warnings.truncate(warnings);
        }
        let Some(text) = text else { return };
        let proxy = match text.expose() {
            "none" => Ok(None),
            "environment" => {
                Proxy::from_environment(&self.source.environment).map_err(|(name, why)| {
                    Said::new(|lang| w::proxy_variable(name, why.text(lang), lang))
                })
            }
            text => Proxy::parse(text)
                .map(Some)
                .map_err(|why| Said::new(|lang| w::not_a_proxy(why.text(lang), lang))),
        };
        match proxy {
            Ok(proxy) => config.proxy = proxy,
            Err(_) if need == Need::Settings => {}
            Err(message) => self.wrong(PATH, |lang| message.pick(lang), w::proxy_hint),
        }
    }

    fn dingtalk(&mut self, config: &mut Config, need: Need) {
        if let Some(id) = self.text("dingtalk.client_id") {
            config.dingtalk.client_id = id;
        } else if need == Need::Account {
            self.lacks("dingtalk.client_id", w::client_id);
        }
        match self.secret("dingtalk.client_secret", need) {
            Some(secret) => config.dingtalk.client_secret = secret,
            None if need == Need::Account
                && !self.entries.contains_key("dingtalk.client_secret") =>
            {
                self.lacks("dingtalk.client_secret", w::client_secret);
            }
            None => {}
        }
        config.dingtalk.corp_id = self.text("dingtalk.corp_id");
        if let Some(mode) = self.choice("dingtalk.mode") {
            config.dingtalk.mode = if mode == "http" { Mode::Http } else { Mode::Stream };
        }
        if let Some(url) = self.url("dingtalk.api_base") {
            config.dingtalk.api_base = url;
        }
        if let Some(url) = self.url("dingtalk.oapi_base") {
            config.dingtalk.oapi_base = url;
        }
        config.dingtalk.card_template = self.text("dingtalk.card_template");
        if let Some(key) = self.text("dingtalk.card_key") {
            config.dingtalk.card_key = key;
        }
    }

    fn cards(&mut self, config: &mut Config) {
        if let Some(calls) = self.number("cards.calls_per_second", 0.1, 1_000.0) {
            config.cards.calls_per_second = calls;
        }
        if let Some(when) = self.choice("cards.attach") {
            config.cards.attach = match when.as_str() {
                "failure" => Attach::OnFailure,
                "never" => Attach::Never,
                _ => Attach::Always,
            };
        }
        if let Some(megabytes) = self.number("cards.attach_mb", 0.01, 1_024.0) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
            let bytes = (megabytes * f64::from(1 << 20)) as u64;
            config.cards.attach_bytes = bytes;
        }
        if let Some(ids) = self.list("cards.stop") {
            config.cards.stop_actions = ids.into_iter().filter(|id| !id.is_empty()).collect();
        }
        if let Some(count) = self.number("cards.buttons", 0.0, 10.0) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
            let count = count as usize;
            config.cards.buttons = count;
        }
    }

    fn budget(&mut self, config: &mut Config) {
        if let Some(calls) = self.count("budget.api_calls") {
            config.budget.api_calls = Some(calls).filter(|calls| *calls > 0);
        }
        if let Some(pushes) = self.count("budget.pushes") {
            config.budget.pushes = Some(pushes).filter(|pushes| *pushes > 0);
        }
        if let Some(cost) = self.choice("budget.webhook_replies") {
            config.budget.webhooks_count = cost == "push";
        }
    }

    fn folders(&mut self, config: &mut Config) {
        if let Some(dir) = self.path("scripts.dir") {
            config.scripts.dir = dir;
        } else if let Some(home) = &self.source.places.home {
            config.scripts.dir = home.join("moonbell").join("scripts");
        } else {
            self.homeless("scripts.dir");
        }
        if let Some(folders) = self.list("scripts.folders") {
            let place = self.place("scripts.folders");
            config.scripts.folders = folders
                .iter()
                .filter_map(|text| self.resolve("scripts.folders", text, &place))
                .collect();
        }
        if let Some(hosts) = self.list("scripts.private_hosts") {
            for host in &hosts {
                // What `http` compares with is the host of a URL.
                let plain = Url::parse(&format!("http://{host}/"))
                    .is_ok_and(|url| url.path() == "/" && url.username().is_empty());
                if !plain || host.contains(['*', '/', '@']) {
                    let host = shown(host);
                    let message = |lang| w::not_a_host(&host, lang);
                    self.wrong("scripts.private_hosts", message, w::host_hint);
                }
            }
            config.scripts.private_hosts = hosts;
        }
        if let Some(folders) = self.list("scripts.asked") {
            for folder in &folders {
                if folder.is_empty() || folder.starts_with('.') || folder.contains(['/', '\\', ':'])
                {
                    let folder = shown(folder);
                    let message = |lang| w::not_a_folder(&folder, lang);
                    self.wrong("scripts.asked", message, w::folder_hint);
                }
            }
            config.scripts.asked = folders;
        }
        if let Some(dir) = self.path("state.dir") {
            config.state.dir = dir;
        } else if let Some(data) = &self.source.places.data {
            config.state.dir.clone_from(data);
        } else {
            self.homeless("state.dir");
        }
        let data = self.source.places.data.as_ref().unwrap_or(&config.state.dir);
        config.state.locks = data.join(super::LOCKS);
    }

    fn access(&mut self, config: &mut Config) {
        match self.text("access.owner") {
            Some(id) if id == "*" || id.chars().any(char::is_whitespace) => {
                let id = shown(&id);
                self.wrong("access.owner", |lang| w::not_an_owner(&id, lang), w::owner_hint);
            }
            Some(id) => config.access.owner = Some(StaffId::new(id)),
            None => {}
        }
        let roles: Vec<(String, Entry)> = self
            .entries
            .iter()
            .filter_map(|(path, entry)| {
                Some((path.strip_prefix("access.roles.")?.to_owned(), entry.clone()))
            })
            .collect();
        for (role, Entry { value, place }) in roles {
            let Raw::List(ids) = value else { continue };
            if role == "owner" {
                self.problems.push(Problem::new(place, w::owner_is_no_role).hint(w::set_owner));
                continue;
            }
            if let Some(bad) = ids
                .iter()
                .find(|id| id.is_empty() || *id == "group:" || id.chars().any(char::is_whitespace))
            {
                let (id, role) = (shown(bad), shown(&role));
                let problem = Problem::new(place, |lang| w::not_an_id(&id, &role, lang));
                self.problems.push(problem.hint(w::id_hint));
                continue;
            }
            if ids.iter().any(|id| id == "*") {
                let problem = Problem::new(place, |lang| w::for_everyone(&shown(&role), lang));
                self.warnings.push(problem.hint(w::for_everyone_hint));
            }
            config.access.roles.insert(role, ids);
        }
    }

    pub(super) fn place(&self, path: &str) -> Place {
        self.entries.get(path).map_or(Place::Default, |entry| entry.place.clone())
    }

    pub(super) fn wrong<M: Into<String>, H: Into<String>>(
        &mut self,
        path: &str,
        message: impl Fn(Lang) -> M,
        hint: impl Fn(Lang) -> H,
    ) {
        let place = self.place(path);
        self.problems.push(Problem::new(place, message).hint(hint));
    }

    pub(super) fn lacks(&mut self, path: &str, what: fn(Lang) -> &'static str) {
        // What is there but wrong, or may be where the file is broken, has been reported as that.
        if self.broken || self.refused.contains(path) {
            return;
        }
        self.missing = true;
        // Where it would be written: below its table, if there is one.
        let table = path.rsplit_once('.').map_or(path, |(table, _)| table);
        let place = self
            .entries
            .get(path)
            .map(|entry| &entry.place)
            .or_else(|| self.tables.get(table))
            .cloned()
            .unwrap_or_else(|| Place::File(self.file.to_owned()));
        self.problems.push(Problem::new(place, |lang| w::missing(path, what(lang), lang)));
    }

    fn homeless(&mut self, path: &str) {
        let problem = Problem::new(Place::Default, |lang| w::no_home(path, lang));
        self.problems.push(problem.hint(w::set_home));
    }

    /// The text of a key; `None` when it is absent or empty, which is the same.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        match &self.entries.get(path)?.value {
            Raw::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    /// The texts of a list; `None` when it is absent.
    pub(super) fn list(&self, path: &str) -> Option<Vec<String>> {
        match &self.entries.get(path)?.value {
            Raw::List(texts) => Some(texts.iter().map(|text| text.trim().to_owned()).collect()),
            _ => None,
        }
    }

    /// A limit; 0 is none.
    pub(super) fn count(&mut self, path: &'static str) -> Option<u64> {
        let text = self.text(path)?;
        if text == "unlimited" {
            return Some(0);
        }
        if let Ok(count) = text.replace('_', "").parse::<u64>() {
            return Some(count);
        }
        let value = shown(&text);
        self.wrong(path, |lang| w::not_whole(path, &value, lang), w::whole_or_unlimited);
        None
    }

    fn number(&mut self, path: &'static str, least: f64, most: f64) -> Option<f64> {
        let text = self.text(path)?;
        let number = text.replace('_', "").parse::<f64>();
        if let Ok(number) = number
            && (least..=most).contains(&number)
        {
            return Some(number);
        }
        let (value, least, most) = (shown(&text), least.to_string(), most.to_string());
        let message = |lang| w::out_of_bounds(path, &value, &least, &most, lang);
        self.wrong(path, message, w::number_hint);
        None
    }

    fn choice(&mut self, path: &'static str) -> Option<String> {
        let text = self.text(path)?;
        let Some(Kind::Choice(words)) = keys::find(path).map(|key| key.kind) else { return None };
        if words.contains(&text.as_str()) {
            return Some(text);
        }
        let (value, near) = (shown(&text), keys::nearest(&text, words.iter().copied()));
        let hint = |lang| match near {
            Some(word) => file::did_you_mean_word(word, lang),
            None => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                file::takes(&words::list(&words, lang), lang)
            }
        };
        self.wrong(path, |lang| w::cannot_be(path, &value, lang), hint);
        None
    }

    fn history(&mut self, config: &mut Config) {
        let (least, most) = (Duration::from_mins(1), Duration::from_hours(100 * 365 * 24));
        if let Some(keep) = self.duration("history.keep", least, most) {
            config.history.keep = keep;
        }
        if let Some(megabytes) = self.count("history.max_mb") {
            config.history.max_bytes =
                Some(megabytes.saturating_mul(1 << 20)).filter(|bytes| *bytes > 0);
        }
    }

    pub(super) fn url(&mut self, path: &'static str) -> Option<Url> {
        let text = self.text(path)?;
        let value = shown(&text);
        match read_address(&text) {
            Ok(url) => return Some(url),
            Err(AddressError::Parse(error)) => {
                let error = error.to_string();
                let message = |lang| w::not_an_address(path, &value, &error, lang);
                self.wrong(path, message, w::address_hint);
            }
            // Not shown: it may hold a password.
            Err(AddressError::NotPlain) => {
                self.wrong(path, |lang| w::not_plain(path, lang), w::plain_hint);
            }
            Err(AddressError::NotEncrypted) => {
                let message = |lang| w::not_encrypted(path, &value, lang);
                self.wrong(path, message, w::encrypted_hint);
            }
            Err(AddressError::NotOfTheWeb) => {
                self.wrong(path, |lang| w::not_of_the_web(path, &value, lang), w::https_hint);
            }
        }
        None
    }

    pub(super) fn listen(&mut self, path: &'static str) -> Option<SocketAddr> {
        let text = self.text(path)?;
        if let Ok(address) = text.replacen("localhost:", "127.0.0.1:", 1).parse() {
            return Some(address);
        }
        let port = text.rsplit_once(':').map_or(text.as_str(), |(_, port)| port);
        let hint = |lang| match port.parse::<u64>() {
            Ok(port) if port > u64::from(u16::MAX) => w::ports_end(lang).to_owned(),
            Ok(port) if text == port.to_string() => w::address_too(port, lang),
            _ => w::listen_hint(lang).to_owned(),
        };
        let value = shown(&text);
        self.wrong(path, |lang| w::not_a_listen(path, &value, lang), hint);
        None
    }

    pub(super) fn path(&mut self, path: &str) -> Option<PathBuf> {
        let text = self.text(path)?;
        let place = self.place(path);
        self.resolve(path, &text, &place)
    }

    /// `~` is the home folder; what is relative in the file starts at the file's folder, elsewhere where we stand.
    pub(super) fn resolve(&mut self, path: &str, text: &str, place: &Place) -> Option<PathBuf> {
        if let Some(rest) = text.strip_prefix('~') {
            let Some(rest) =
                rest.strip_prefix(['/', '\\']).or_else(|| rest.is_empty().then_some(""))
            else {
                let message = |lang| w::other_homes(path, &shown(text), lang);
                self.problems.push(Problem::new(place.clone(), message).hint(w::whole_path));
                return None;
            };
            let Some(home) = &self.source.places.home else {
                let message = |lang| w::no_home_for(path, lang);
                self.problems.push(Problem::new(place.clone(), message).hint(w::whole_path));
                return None;
            };
            return Some(if rest.is_empty() { home.clone() } else { home.join(rest) });
        }
        let relative = Path::new(text);
        let base = match place {
            Place::Line { file, .. } => file.parent().unwrap_or(Path::new("")).to_owned(),
            _ => PathBuf::new(),
        };
        let joined = base.join(relative);
        Some(std::path::absolute(&joined).unwrap_or(joined))
    }
}
