//! The app at DingTalk: the one of the settings, one that is named, or one that a phone makes by scanning a code.
//!
//! Id and secret are checked as soon as they are there. A secret goes from DingTalk or the person into its file: it is
//! never printed, and no argument of a command.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Local};
use serde_json::json;

use super::qr::{self, Screen};
use super::settings::Plan;
use super::{Setup, hide, missing, settings};
use crate::cli::Failed;
use crate::config::{self, Config, DingTalk, Need, Proxy, Secret};
use crate::dingtalk::{ApiError, Class, Client, Decision, Registration};
use crate::store::now_ms;
use crate::words::Lang;
use crate::words::setup as w;

/// Polls in a row without an answer, after which somebody is asked whether to go on.
const UNANSWERED_POLLS: u32 = 5;

/// A new app may not be known everywhere at once.
const CHECKS_OF_A_NEW_APP: u32 = 4;

const BETWEEN_CHECKS: Duration = Duration::from_secs(2);

/// Lines of a QR code that some window could have.
const LARGEST: usize = 200;

/// An app whose id and secret DingTalk accepts.
pub(super) struct Account {
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    /// Not what the settings say already.
    pub(super) fresh: bool,
}

/// How a person goes on after a step that failed.
enum Next {
    Again,
    Otherwise,
}

/// What came of id and secret that somebody gave.
enum Given {
    Works(Account),
    /// They want to be given once more.
    Again,
    Scan,
}

/// Where an app comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Scan,
    Enter,
}

impl Setup<'_> {
    pub(super) async fn account(&mut self) -> Result<Account> {
        let lang = self.voice.lang;
        self.voice.heading(w::step_app(lang));
        if let Some(account) = self.known().await? {
            return Ok(account);
        }
        if let Some(id) = self.init.client_id.clone() {
            return self.named(id).await;
        }
        if let Some(account) = self.made_before().await? {
            return Ok(account);
        }
        let mut way = self.way().await?;
        loop {
            let account = match way {
                Way::Scan => self.scan().await?,
                Way::Enter => self.enter().await?,
            };
            if let Some(account) = account {
                return Ok(account);
            }
            way = if way == Way::Scan { Way::Enter } else { Way::Scan };
        }
    }

    /// A code that waits to be scanned can be gone on with, and left.
    async fn way(&mut self) -> Result<Way> {
        let lang = self.voice.lang;
        let waits = self.progress.code(self.oapi_base());
        let Some(ask) = self.ask.as_mut().filter(|_| !self.init.scan) else {
            return if self.init.scan || waits.is_some() {
                Ok(Way::Scan)
            } else {
                Err(missing(&w::either("--scan", "--client-id", lang), w::needs_app(lang), lang)
                    .into())
            };
        };
        let Some((_, until_ms)) = waits else {
            return Ok(match ask.choose(&[w::choice_scan(lang), w::choice_enter(lang)]).await? {
                0 => Way::Scan,
                _ => Way::Enter,
            });
        };
        ask.voice.note(&w::code_still_waits(&clock(until_ms), lang));
        let choices =
            [w::choice_this_code(lang), w::choice_new_code(lang), w::choice_enter_by_flag(lang)];
        Ok(match ask.choose(&choices).await? {
            0 => Way::Scan,
            1 => {
                self.progress.forget_code();
                Way::Scan
            }
            _ => Way::Enter,
        })
    }

    fn oapi_base(&self) -> &str {
        self.config.dingtalk.oapi_base.as_str()
    }

    fn client(&self, id: &str, secret: &Secret) -> Result<Client> {
        let settings = DingTalk {
            client_id: id.to_owned(),
            client_secret: secret.clone(),
            ..self.config.dingtalk.clone()
        };
        Ok(Client::through(&settings, self.config.proxy.as_ref())?)
    }

    /// The app of the settings, if it works and nobody wants another one.
    async fn known(&mut self) -> Result<Option<Account>> {
        let lang = self.voice.lang;
        let wanted = self.init.client_id.as_deref();
        if self.init.scan || self.init.client_secret_file.is_some() {
            return Ok(None);
        }
        // Without a secret that can be read there is no account.
        let Some(Config { dingtalk, .. }) = self.whole() else { return Ok(None) };
        let (id, secret) = (dingtalk.client_id, dingtalk.client_secret);
        if wanted.is_some_and(|wanted| wanted != id) {
            return Ok(None);
        }
        hide(&secret);
        let fresh = !settings::names(&self.file, &id);
        loop {
            match self.client(&id, &secret)?.check_credentials().await {
                Ok(()) => break,
                Err(error) => match self.after(&error, w::choice_other(lang)).await? {
                    Next::Again => {}
                    Next::Otherwise => return Ok(None),
                },
            }
        }
        self.voice.done(&w::app_works(&id, lang));
        self.voice.event("app", "known", json!({ "client_id": id }));
        if wanted.is_none()
            && !fresh
            && let Some(ask) = &mut self.ask
        {
            let choices = [w::choice_keep(lang), w::choice_other(lang)];
            if ask.choose(&choices).await? == 1 {
                return Ok(None);
            }
        }
        Ok(Some(Account { client_id: id, client_secret: secret, fresh }))
    }

    /// An app that a phone made in an `init` that ended before the settings knew it.
    async fn made_before(&mut self) -> Result<Option<Account>> {
        let lang = self.voice.lang;
        let Some((id, file)) = self.progress.app(self.oapi_base()).filter(|_| !self.init.scan)
        else {
            return Ok(None);
        };
        let Ok(secret) = settings::secret_of(&file, self.voice.lang) else { return Ok(None) };
        loop {
            match self.client(&id, &secret)?.check_credentials().await {
                Ok(()) => break,
                Err(error) => match self.after(&error, w::choice_other(lang)).await? {
                    Next::Again => {}
                    Next::Otherwise => return Ok(None),
                },
            }
        }
        self.written.push(file);
        Ok(Some(self.works(&id, secret)))
    }

    /// The settings with their account, if there is one.
    fn whole(&self) -> Option<Config> {
        let source = super::source(self.global, &self.file);
        let mut config = config::load(&source, Need::Account).ok()?.config;
        config.dingtalk.api_base.clone_from(&self.config.dingtalk.api_base);
        config.dingtalk.oapi_base.clone_from(&self.config.dingtalk.oapi_base);
        Some(config)
    }

    /// The app of `--client-id`.
    async fn named(&mut self, id: String) -> Result<Account> {
        let lang = self.voice.lang;
        let given = match &self.init.client_secret_file {
            Some(file) if file == Path::new("-") => {
                Some(settings::secret_of_stdin(self.voice.lang)?)
            }
            Some(file) => Some(settings::secret_of(file, self.voice.lang)?),
            None => std::env::var("MOONBELL_DINGTALK_CLIENT_SECRET").ok().map(Secret::new),
        };
        loop {
            let secret = match (&given, &mut self.ask) {
                (Some(secret), _) => secret.clone(),
                (None, Some(ask)) => {
                    ask.hidden(w::ask_secret(lang), |said| some(said, lang)).await?
                }
                (None, None) => {
                    let flag = "--client-secret-file";
                    return Err(missing(flag, w::needs_secret(lang), lang).into());
                }
            };
            hide(&secret);
            let works = match given {
                Some(_) => self.check(&id, secret).await?,
                None => self.check_typed(&id, secret, false).await?,
            };
            if let Given::Works(account) = works {
                return Ok(account);
            }
        }
    }

    /// Asks for id and secret; `None`: rather scan.
    async fn enter(&mut self) -> Result<Option<Account>> {
        let lang = self.voice.lang;
        let Some(ask) = &mut self.ask else { return Ok(None) };
        ask.voice.note(w::where_credentials_are(lang));
        loop {
            let Some(ask) = &mut self.ask else { return Ok(None) };
            let id = ask.text(w::ask_id(lang)).await?;
            let secret = ask.hidden(w::ask_secret(lang), |said| some(said, lang)).await?;
            match self.check_typed(&id, secret, true).await? {
                Given::Works(account) => return Ok(Some(account)),
                Given::Again => {}
                Given::Scan => return Ok(None),
            }
        }
    }

    /// A secret that is wrong stays wrong: it came from a flag or the environment.
    async fn check(&mut self, id: &str, secret: Secret) -> Result<Given> {
        let lang = self.voice.lang;
        loop {
            let Err(error) = self.client(id, &secret)?.check_credentials().await else {
                return Ok(Given::Works(self.works(id, secret)));
            };
            match self.after(&error, w::choice_enter(lang)).await? {
                Next::Again => {}
                Next::Otherwise => return Err(self.failed(&error).into()),
            }
        }
    }

    /// The same of what somebody typed, who can type again, or scan if that `may` be.
    async fn check_typed(&mut self, id: &str, secret: Secret, may: bool) -> Result<Given> {
        let lang = self.voice.lang;
        loop {
            let Err(error) = self.client(id, &secret)?.check_credentials().await else {
                let account = self.works(id, secret);
                let plan = self.alone(id, &account.client_secret)?;
                if plan.fresh {
                    self.begin(&plan)?;
                }
                return Ok(Given::Works(account));
            };
            let (told, hint) = self.told(&error);
            let Some(ask) = &mut self.ask else { return Err(self.failed(&error).into()) };
            ask.voice.trouble(&told, &hint);
            let mut choices = Vec::new();
            if error.class != Class::Credentials {
                choices.push((w::choice_again(lang), None));
            }
            choices.push((w::choice_enter_again(lang), Some(Given::Again)));
            if may {
                choices.push((w::choice_scan_instead(lang), Some(Given::Scan)));
            }
            let chosen = match choices.len() {
                1 => 0,
                _ => {
                    let labels: Vec<&str> = choices.iter().map(|(label, _)| *label).collect();
                    ask.choose(&labels).await?
                }
            };
            if let Some(given) = choices.swap_remove(chosen).1 {
                return Ok(given);
            }
        }
    }

    fn works(&mut self, id: &str, secret: Secret) -> Account {
        self.voice.done(&w::app_works(id, self.voice.lang));
        self.voice.event("app", "checked", json!({ "client_id": id }));
        self.progress.forget_code();
        Account { client_id: id.to_owned(), client_secret: secret, fresh: true }
    }

    /// Shows a code until somebody has scanned it; `None`: rather enter id and secret.
    async fn scan(&mut self) -> Result<Option<Account>> {
        let lang = self.voice.lang;
        let nobody = self.client("", &Secret::new(""))?;
        loop {
            let base = self.oapi_base().to_owned();
            let (code, until_ms) = match self.progress.code(&base) {
                Some(kept) => kept,
                None => match nobody.begin_registration().await {
                    Ok(code) => {
                        let until_ms = self.progress.keep_code(&base, &code);
                        (code, until_ms)
                    }
                    Err(error) => match self.after(&error, w::choice_enter(lang)).await? {
                        Next::Again => continue,
                        Next::Otherwise => return Ok(None),
                    },
                },
            };
            self.show(&code, until_ms);
            self.at.scanning.set(true);
            let decided = self.decided(&nobody, &code, until_ms).await?;
            self.at.scanning.set(false);
            let (reason, message) = match decided {
                Some(Decision::Created { client_id, client_secret }) => {
                    hide(&client_secret);
                    let account = self.created(client_id, client_secret).await?;
                    return Ok(Some(account));
                }
                Some(Decision::Refused { reason }) => ("refused", w::code_refused(&reason, lang)),
                Some(Decision::Expired) => ("expired", w::code_expired(lang).to_owned()),
                Some(Decision::Waiting) => continue,
                None => return Ok(None),
            };
            self.progress.forget_code();
            self.voice.event("app", reason, json!({ "message": message }));
            let Some(ask) = &mut self.ask else {
                return Err(Failed::new(message).hint(w::scan_again_hint(lang)).into());
            };
            ask.voice.trouble(&message, "");
            if ask.choose(&[w::choice_new_code(lang), w::choice_enter(lang)]).await? == 1 {
                return Ok(None);
            }
        }
    }

    fn show(&self, code: &Registration, until_ms: i64) {
        let lang = self.voice.lang;
        let screen = Screen::of_this_terminal(self.voice.shows_all());
        // A log is no place for pictures.
        let drawn = self.ask.is_some().then(|| qr::draw(&code.address, screen));
        if let Some(Err((rows, columns))) = drawn
            && rows < LARGEST
        {
            let too_large = if screen.unicode { w::window_too_small } else { w::letters_too_large };
            self.voice.note(&too_large(rows, columns, lang));
        }
        if let Some(Ok(drawn)) = &drawn {
            self.voice.note(w::scan_it(lang));
            self.voice.drawn(drawn);
            self.voice.note(&code.address);
        } else {
            self.voice.note(w::open_it(lang));
            self.voice.shown(&code.address);
        }
        self.voice.note(&w::code_waits(&code.user_code, &clock(until_ms), lang));
        self.voice.event(
            "app",
            "scan",
            json!({ "url": code.address, "user_code": code.user_code, "until_ms": until_ms }),
        );
    }

    /// Asks DingTalk until there is a decision; `None`: rather enter id and secret.
    async fn decided(
        &mut self,
        client: &Client,
        code: &Registration,
        until_ms: i64,
    ) -> Result<Option<Decision>> {
        let lang = self.voice.lang;
        let mut unanswered = 0;
        loop {
            tokio::time::sleep(Duration::from_secs(code.interval_secs)).await;
            match client.poll_registration(code).await {
                Ok(Decision::Waiting) if now_ms() >= until_ms => {
                    return Ok(Some(Decision::Expired));
                }
                Ok(Decision::Waiting) => unanswered = 0,
                Ok(decision) => return Ok(Some(decision)),
                Err(error) if error.is_transient() && unanswered + 1 < UNANSWERED_POLLS => {
                    if unanswered == 0 {
                        let (told, _) = self.told(&error);
                        self.voice.trouble(&told, w::still_trying(lang));
                    }
                    unanswered += 1;
                }
                Err(error) => match self.after(&error, w::choice_enter(lang)).await? {
                    Next::Again => unanswered = 0,
                    Next::Otherwise => return Ok(None),
                },
            }
        }
    }

    /// The app is there, and its secret is given once: it is kept before anything else can fail.
    async fn created(&mut self, id: String, secret: Secret) -> Result<Account> {
        let lang = self.voice.lang;
        let plan = self.alone(&id, &secret)?;
        if plan.fresh {
            self.begin(&plan)?;
        } else {
            // Settings that were there are changed when they have been shown; the secret is safe already.
            plan.write_secrets(self.own_folder, self.voice.lang)?;
            if let Some(file) = plan.files().next() {
                self.progress.keep_app(self.config.dingtalk.oapi_base.as_str(), &id, file);
            }
        }
        self.written = plan.files().map(Path::to_owned).collect();
        self.progress.forget_code();
        self.voice.done(&w::app_created(&id, lang));
        self.voice.event("app", "created", json!({ "client_id": id }));
        let client = self.client(&id, &secret)?;
        for left in (0..CHECKS_OF_A_NEW_APP).rev() {
            match client.check_credentials().await {
                Ok(()) => break,
                Err(error) if left > 0 => {
                    tracing::debug!("the new app is not accepted yet: {error}");
                    tokio::time::sleep(BETWEEN_CHECKS).await;
                }
                Err(error) => return Err(self.failed(&error).into()),
            }
        }
        Ok(Account { client_id: id, client_secret: secret, fresh: true })
    }

    /// The settings with an app and nothing else that is new.
    fn alone(&self, id: &str, secret: &Secret) -> Result<Plan> {
        let wanted = settings::Wanted {
            client_id: Some(id.to_owned()),
            client_secret: Some(secret.clone()),
            api_base: self.init.api_base.clone(),
            oapi_base: self.init.oapi_base().cloned(),
            ..settings::Wanted::default()
        };
        settings::plan(&self.file, &wanted, self.voice.lang)
    }

    /// Settings that were not there begin with their app, so that it is known whatever ends this `init`.
    fn begin(&mut self, plan: &Plan) -> Result<()> {
        plan.write(self.own_folder, self.voice.lang)?;
        self.made = true;
        self.written = plan.files().map(Path::to_owned).collect();
        self.progress.open_mode();
        Ok(())
    }

    /// Tells what went wrong and asks how to go on. Where nobody can be asked, that is the end.
    async fn after(&mut self, error: &ApiError, otherwise: &str) -> Result<Next> {
        let lang = self.voice.lang;
        let (told, hint) = self.told(error);
        let Some(ask) = &mut self.ask else { return Err(self.failed(error).into()) };
        ask.voice.trouble(&told, &hint);
        Ok(match ask.choose(&[w::choice_again(lang), otherwise]).await? {
            0 => Next::Again,
            _ => Next::Otherwise,
        })
    }

    fn failed(&self, error: &ApiError) -> Failed {
        let (told, hint) = self.told(error);
        Failed::new(told).hint(hint)
    }

    /// What went wrong in words, and what to do about it.
    fn told(&self, error: &ApiError) -> (String, String) {
        let lang = self.voice.lang;
        let all = match error.message_in(lang).as_str() {
            "" => error.code.clone(),
            message => format!("{message} ({})", error.code),
        };
        let hint = |hint: &str| hint.to_owned();
        match error.class {
            Class::Credentials => (w::wrong_secret(&all, lang), hint(w::wrong_secret_hint(lang))),
            Class::IpNotAllowed => (w::ip_refused(&all, lang), hint(w::ip_refused_hint(lang))),
            Class::Transient
                if matches!(error.code.as_str(), "connect" | "timeout" | "broken" | "proxy") =>
            {
                (w::no_network(&all, lang), self.way_there())
            }
            Class::Transient | Class::Throttled => (w::busy(&all, lang), hint(w::busy_hint(lang))),
            _ => (w::app_refused(&all, lang), hint(w::app_refused_hint(lang))),
        }
    }

    /// What to look at where DingTalk is not reached.
    fn way_there(&self) -> String {
        let lang = self.voice.lang;
        if let Some(proxy) = &self.config.proxy {
            return w::no_network_through(&proxy.to_string(), lang);
        }
        match Proxy::from_environment(&super::source(self.global, &self.file).environment) {
            Ok(Some(proxy)) => w::no_network_but_environment(&proxy.to_string(), lang),
            _ => w::no_network_hint(lang).to_owned(),
        }
    }
}

fn some(said: &str, lang: Lang) -> Result<(), String> {
    if said.is_empty() { Err(w::empty(lang).to_owned()) } else { Ok(()) }
}

/// A moment of today, as people say it.
fn clock(at_ms: i64) -> String {
    let at = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    at.with_timezone(&Local).format("%H:%M").to_string()
}
