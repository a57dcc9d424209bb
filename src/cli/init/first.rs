//! The first message: a host serves, here or as a service, and whoever sends it the claim code and then `ping` has a bot.
//!
//! What happens is seen in the journal and in the status file, so it does not matter which process the host is.

use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Background;
use super::voice::Voice;
use crate::access::{claim, claimed_elsewhere, read_grants};
use crate::app::App;
use crate::app::Reread;
use crate::cli::{Failed, host, news, starter};
use crate::config::{Config, Language};
use crate::inbox::{self, Filter, Past};
use crate::message::{Inbound, StaffId};
use crate::outbox;
use crate::store::{self, Look, note, now_ms};
use crate::telemetry::status::Status;
use crate::words::setup as w;

/// How often it is looked for news: soon enough that a person thinks it follows their phone.
const GLANCE: Duration = Duration::from_millis(300);

/// How long a service may take to come up.
const COMING_UP: Duration = Duration::from_secs(30);

/// Runs that may come between the claim and the `ping`.
const RUNS: usize = 20;

/// Waits until a message of the owner's was answered; whether one was. On a terminal the host that was started for it goes
/// on until Ctrl-C.
pub(super) async fn message(
    (config, reread): (Config, Reread),
    voice: &Voice,
    service: Background,
    limit: Option<Duration>,
    stop: CancellationToken,
    left: host::Left,
) -> Result<bool> {
    voice.heading(w::step_first(voice.lang));
    let mut watch = Watch::new(&config, voice, limit);
    let language = watch.config.language;
    if service == Background::Runs || store::Instance::holder(&config.state.dir).is_some() {
        watch.voice.event("first", "elsewhere", json!({}));
        return tokio::select! {
            () = stop.cancelled() => Ok(false),
            answered = watch.run() => {
                answered?;
                voice.end(w::done_served(voice.lang));
                Ok(true)
            }
        };
    }
    starter::prepare(&config.scripts.dir)?;
    let app = App::open(config, "run", None).await?.rereading(reread);
    left.of(app.left());
    watch.pid = Some(std::process::id());
    watch.code = app.claim_code(language).await?.map(|code| (code, Instant::now()));
    let mut news = pin!(news::tell(app.library()));
    let mut running = pin!(app.run(stop.clone()));
    let mut answered = false;
    loop {
        tokio::select! {
            ended = &mut running => {
                ended?;
                return Ok(answered);
            }
            () = &mut news => {}
            seen = watch.run(), if !answered => {
                if let Err(error) = seen {
                    stop.cancel();
                    running.await?;
                    return Err(error);
                }
                answered = true;
                if limit.is_some() {
                    stop.cancel();
                } else {
                    voice.end(match service {
                        Background::Impossible => w::done_here_alone(voice.lang),
                        _ => w::done_here(voice.lang),
                    });
                }
            }
        }
    }
}

/// What a newcomer is told while the first message is awaited.
struct Watch<'a> {
    voice: &'a Voice,
    config: Watched,
    since_ms: i64,
    began: Instant,
    limit: Option<Duration>,
    /// The process that has to serve; `None`: whoever does.
    pid: Option<u32>,
    code: Option<(claim::Code, Instant)>,
    /// What was said last of the connection.
    connection: String,
    shown: Option<String>,
    asked: bool,
    /// A run whose failure was told.
    failed: Option<i64>,
}

/// What has to be known of the settings.
struct Watched {
    state: PathBuf,
    app: String,
    owner: Option<StaffId>,
    /// What whoever claims the bot chose here.
    language: Option<Language>,
}

impl<'a> Watch<'a> {
    fn new(config: &Config, voice: &'a Voice, limit: Option<Duration>) -> Self {
        let config = Watched {
            state: config.state.dir.clone(),
            app: config.dingtalk.app(),
            owner: config.access.owner.clone(),
            language: super::chosen(&config.state.dir),
        };
        Self {
            voice,
            config,
            since_ms: now_ms(),
            began: Instant::now(),
            limit,
            pid: None,
            code: None,
            connection: String::new(),
            shown: None,
            asked: false,
            failed: None,
        }
    }

    /// Returns when a message was answered.
    async fn run(&mut self) -> Result<()> {
        let lang = self.voice.lang;
        loop {
            tokio::time::sleep(GLANCE).await;
            if self.limit.is_some_and(|limit| self.began.elapsed() > limit) {
                return Err(Failed::new(w::nobody_wrote(lang)).hint(w::go_on_hint(lang)).into());
            }
            if !self.is_connected()? {
                continue;
            }
            let Some(journal) = Look::open(&self.config.state)? else { continue };
            let owner = match &self.config.owner {
                Some(owner) => Some(owner.clone()),
                None => journal.read(|c| read_grants(c, &self.config.app))?.0,
            };
            let Some(owner) = owner else {
                self.show_code(&journal)?;
                continue;
            };
            if !self.asked {
                self.asked = true;
                if self.shown.is_some() {
                    let name = name(&journal, &owner)?;
                    self.voice.done(&w::claimed(&name, owner.as_str(), lang));
                    self.voice.event("first", "claimed", json!({ "owner": owner.as_str() }));
                    self.voice.note(w::now_ping(lang));
                } else {
                    self.voice.note(w::send_ping(lang));
                }
                self.voice.shown("ping");
                self.voice.event("first", "waiting", json!({ "send": "ping" }));
            }
            if let Some(past) = self.answered(&journal, &owner)? {
                let said = past.handler.unwrap_or_default();
                self.voice.done(&w::answered(&said, lang));
                self.voice.event("first", "answered", json!({ "handler": said }));
                return Ok(());
            }
        }
    }

    /// Whether frames come; what keeps them away is told when it changes.
    fn is_connected(&mut self) -> Result<bool> {
        let lang = self.voice.lang;
        let holder = store::Instance::holder(&self.config.state);
        let moment = Status::read(&self.config.state).ok().flatten().filter(|moment| {
            holder.as_deref() == Some(moment.pid.to_string().as_str())
                && self.pid.is_none_or(|pid| pid == moment.pid)
        });
        let Some(moment) = moment else {
            if self.pid.is_none() && self.connection.is_empty() && self.began.elapsed() > COMING_UP
            {
                return Err(Failed::new(w::service_is_down(lang))
                    .hint(w::service_is_down_hint(lang))
                    .into());
            }
            return Ok(false);
        };
        let connection = moment.connection;
        if connection.state != self.connection {
            let reason = connection.error.clone().unwrap_or_default();
            if matches!(connection.state.as_str(), "refused" | "backing_off") {
                let hint = connection.hint.clone().unwrap_or_default();
                self.voice.trouble(&w::not_connected(&reason, lang), &hint);
            }
            self.voice.event(
                "first",
                "connection",
                json!({ "state": connection.state, "reason": connection.error, "hint": connection.hint }),
            );
            self.connection.clone_from(&connection.state);
            if let Some(webhook) = moment.webhook.filter(|_| connection.is_up()) {
                self.voice.note(&w::http_address(&webhook.robot, lang));
                if !webhook.public {
                    self.voice.trouble(w::http_address_is_local(lang), "");
                }
                self.voice.event("first", "webhook", json!({ "robot": webhook.robot }));
            }
        }
        Ok(connection.is_up())
    }

    /// The code that makes whoever sends it the owner; a new one when that has ended.
    fn show_code(&mut self, journal: &Look) -> Result<()> {
        let lang = self.voice.lang;
        let life = Duration::from_millis(claim::LIFE_MS.unsigned_abs());
        if self.code.as_ref().is_none_or(|(_, since)| since.elapsed() > life) {
            let code =
                note(&self.config.state, |c| claim::renew(c, self.config.language, now_ms()))?;
            self.code = Some((code, Instant::now()));
        }
        let Some((code, _)) = &self.code else { return Ok(()) };
        let code = code.show();
        if self.shown.as_ref() == Some(&code) {
            return Ok(());
        }
        if self.shown.is_some() {
            self.voice.note(w::new_claim_code(lang));
        } else {
            // Somebody who practised, or served another app from this folder.
            if let Some(other) = journal.read(|c| claimed_elsewhere(c, &self.config.app))? {
                self.voice.note(&w::owned_elsewhere(&other, lang));
            }
            self.voice.note(w::find_the_bot(lang));
        }
        self.voice.shown(&code);
        self.voice.note(w::claim_meaning(lang));
        self.voice.event("first", "claim", json!({ "send": code, "life_ms": claim::LIFE_MS }));
        self.shown = Some(code);
        Ok(())
    }

    /// The run of the owner's that was answered; failures are told.
    fn answered(&mut self, journal: &Look, owner: &StaffId) -> Result<Option<Past>> {
        let lang = self.voice.lang;
        let filter = Filter {
            person: Some(owner.as_str().to_owned()),
            since_ms: Some(self.since_ms),
            handled: true,
            limit: RUNS,
            ..Filter::default()
        };
        for past in journal.read(|c| inbox::list(c, &filter))? {
            let run = past.run.clone().unwrap_or_default();
            let said = journal.read(|c| outbox::of_run(c, &run))?;
            // A control word, such as the claim itself, is no script's.
            if past.script.is_some()
                && past.is_over()
                && said.iter().any(|said| said.state == "sent")
            {
                return Ok(Some(past));
            }
            let parked = said.into_iter().find(|said| said.state == "parked");
            let why = past.error.clone().or(parked.and_then(|parked| parked.error));
            if let Some(why) = why.filter(|_| self.failed != Some(past.id)) {
                self.failed = Some(past.id);
                let first = why.lines().next().unwrap_or_default();
                self.voice.trouble(&w::run_failed(first, lang), &w::run_failed_hint(&run, lang));
                self.voice.event("first", "failed", json!({ "run": run, "reason": first }));
            }
        }
        Ok(None)
    }
}

/// What the owner is called, by the message that made them the owner.
fn name(journal: &Look, owner: &StaffId) -> Result<String> {
    let person = Some(owner.as_str().to_owned());
    let filter = Filter { person, limit: 1, ..Filter::default() };
    let found = journal.read(|c| inbox::list(c, &filter))?;
    let last = found.into_iter().next().and_then(|past| past.inbound);
    Ok(match last {
        Some(Inbound::Message(message)) => message.sender.nick,
        _ => owner.to_string(),
    })
}
