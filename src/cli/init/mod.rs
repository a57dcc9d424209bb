//! `moonbell init`: from nothing to the first answer in DingTalk.
//!
//! Each step first looks whether it is done, and writes what it has before the next one begins; what has no place in the
//! settings (a code that waits to be scanned, an answer given) is in a small file of the state folder. So it can be
//! interrupted anywhere, and started again: it goes on where it was.
//!
//! Talks to a person on a terminal, or, with `--json` or without a terminal, asks nothing and takes everything from flags.

mod account;
mod ask;
mod doors;
mod first;
mod progress;
mod qr;
mod settings;
mod voice;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use url::Url;

use self::account::Account;
use self::ask::Ask;
use self::progress::Progress;
use self::settings::Wanted;
use self::voice::Voice;
use super::service::{self, Service};
use super::{Failed, Global, editor, host, lang, starter, talk};
use crate::api::time::parse_duration;
use crate::app::Reread;
use crate::config::{self, Config, Language, Loaded, Mode, Need, Places, Problems, Secret, Source};
use crate::sink;
use crate::store::Instance;
use crate::telemetry;
use crate::words::Lang;
use crate::words::setup as w;

/// Set up the bot: the app at DingTalk, settings, scripts, and the first message
///
/// Makes the app by a QR code that you scan with DingTalk, or takes the client id and secret of one that exists. Writes the
/// settings, the starter handlers and editor settings, offers to start the bot with this computer, and waits until your
/// first message is answered. Interrupted, it goes on where it was when you start it again; what exists is never
/// overwritten unasked.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_help = "Examples:
  moonbell init
  moonbell init --lang zh
  moonbell init --client-id dingabc --client-secret-file - < secret
  moonbell init --scan --yes --no-service --json        for programs: one JSON object a line

Without a terminal nothing is asked: say --scan or --client-id. The secret comes from --client-secret-file or from the
environment variable MOONBELL_DINGTALK_CLIENT_SECRET, never from the command line, which other users can read.

Exit codes: 0 the first message was answered (or --no-wait), 1 not done, 2 misuse.")]
pub(super) struct Init {
    /// Speak this language instead of that of your system
    #[arg(long, value_name = "LANG", value_parser = ["zh", "en"])]
    lang: Option<String>,
    /// Make a new app by scanning a QR code
    #[arg(long, conflicts_with = "client_id")]
    scan: bool,
    /// Take the app with this client id (AppKey)
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Read its client secret (AppSecret) from this file, `-` for standard input
    #[arg(long, value_name = "FILE", requires = "client_id")]
    client_secret_file: Option<PathBuf>,
    /// How messages come: over a connection that moonbell opens, or to an address of yours that DingTalk calls
    #[arg(long, value_name = "MODE", value_parser = ["stream", "http"])]
    mode: Option<String>,
    /// What DingTalk calls, beginning with https:// (mode http)
    #[arg(long, value_name = "URL")]
    public_url: Option<Url>,
    /// Read the token of the event subscription from this file (mode http)
    #[arg(long, value_name = "FILE", requires = "aes_key_file")]
    token_file: Option<PathBuf>,
    /// Read the AES key of the event subscription from this file (mode http)
    #[arg(long, value_name = "FILE", requires = "token_file")]
    aes_key_file: Option<PathBuf>,
    /// Keep the handlers in this folder
    #[arg(long, value_name = "DIR")]
    scripts: Option<PathBuf>,
    /// Start the bot with this computer, without asking
    #[arg(long)]
    service: bool,
    /// Do not offer that
    #[arg(long, conflicts_with = "service")]
    no_service: bool,
    /// End when everything is written, without waiting for the first message
    #[arg(long)]
    no_wait: bool,
    /// Without a terminal: give up when no message came in this time
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = span)]
    wait: Duration,
    /// Say yes to changes of the settings
    #[arg(short, long)]
    yes: bool,
    /// Print one JSON object for each step, and ask nothing
    #[arg(long)]
    json: bool,
    /// Another DingTalk, such as that of `moonbell dev --sim-only`: the base of its API
    #[arg(long, value_name = "URL")]
    api_base: Option<Url>,
    /// The base of its older API, where that is another one
    #[arg(long, value_name = "URL")]
    oapi_base: Option<Url>,
}

fn span(text: &str) -> Result<Duration, String> {
    parse_duration(text)
}

/// The language that was chosen in an `init` whose first message has not come yet; what is kept is in the state folder.
pub(super) fn chosen(state: &Path) -> Option<Language> {
    Progress::read(state).language()
}

/// Everything that the steps share.
struct Setup<'a> {
    init: &'a Init,
    global: &'a Global,
    /// The settings file, whether it is there or not.
    file: PathBuf,
    /// Whether its folder is the one that moonbell makes for this user.
    own_folder: bool,
    config: Config,
    voice: Voice,
    /// `None`: nobody to ask.
    ask: Option<Ask>,
    progress: Progress,
    at: &'a At,
    /// Whether the settings say how messages come.
    says_mode: bool,
    /// Files of secrets that an earlier step had to write.
    written: Vec<PathBuf>,
    /// The settings file was made by an earlier step: nobody has to agree to its changes.
    made: bool,
}

/// Where it is, for whoever has to say goodbye.
struct At {
    lang: Cell<Lang>,
    /// A code waits to be scanned.
    scanning: Cell<bool>,
}

/// Whether the bot runs in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Background {
    /// From now on, so that no host has to be started here.
    Runs,
    /// It could.
    Possible,
    /// Nothing here keeps programs running.
    Impossible,
}

/// What became of the steps before the first message.
struct Ready {
    config: Config,
    reread: Reread,
    voice: Voice,
    service: Background,
    /// Settings changed, which a host that runs already has not read.
    changed: bool,
    interactive: bool,
    progress: Progress,
}

impl Init {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let spoken = self.lang.as_deref().map_or_else(lang::of_terminal, lang::read);
        // Programs read English, whoever starts them.
        let spoken = if self.json { Lang::En } else { spoken };
        if self.lang.is_some() || self.json {
            let setting = if spoken == Lang::Zh { Language::Zh } else { Language::En };
            lang::settle(setting);
        }
        let at = At { lang: Cell::new(spoken), scanning: Cell::new(false) };
        let done = self.steps(global, &at);
        let Err(error) = &done else { return done };
        if self.json {
            Voice::program().failed(error);
        }
        // Lists of mistakes in the settings, and the sample below them, stay as they are.
        let voice = Voice::new(self.json, at.lang.get());
        if error.is::<Problems>() || !voice.may_ask() {
            return done;
        }
        voice.broken_off(error);
        Ok(talk::code(error))
    }

    fn steps(&self, global: &Global, at: &At) -> Result<ExitCode> {
        let prepared = host::interruptible(async || self.prepare(global, at).await)?;
        let Some(ready) = prepared else {
            let lang = at.lang.get();
            let left = if at.scanning.get() { w::scan_left(lang) } else { w::interrupted(lang) };
            talk::say("");
            Voice::new(false, lang).note(left);
            return Ok(ExitCode::FAILURE);
        };
        let Ready { config, reread, voice, service, changed, interactive, progress } = ready;
        if self.no_wait {
            voice.event("done", "ready", json!({}));
            voice.end(w::ready(voice.lang));
            progress.finish_but_language();
            return Ok(ExitCode::SUCCESS);
        }
        let limit = (!interactive).then_some(self.wait);
        let lang = voice.lang;
        if let Some(pid) =
            Instance::holder(&config.state.dir).filter(|_| changed && service != Background::Runs)
        {
            return Err(Failed::new(w::an_older_host_serves(&pid, lang))
                .hint(w::an_older_host_serves_hint(lang))
                .into());
        }
        if !interactive {
            host::keep_log(&config.state.dir);
        }
        let mut answered = false;
        let code = host::serve(async |stop, left| {
            let first = first::message((config, reread), &voice, service, limit, stop, left);
            answered = Box::pin(first).await?;
            Ok(())
        })?;
        if answered {
            progress.finish();
            return Ok(code);
        }
        talk::drawn(w::interrupted(lang));
        Ok(ExitCode::FAILURE)
    }

    /// All that comes before the first message; where it is, the caller sees.
    async fn prepare(&self, global: &Global, at: &At) -> Result<Ready> {
        let (loaded, file, own_folder) = load(global)?;
        let mut config = loaded.config;
        let progress = Progress::read(&config.state.dir);
        let mut voice = Voice::of(self.json);
        let mut ask = voice.may_ask().then(|| Ask::new(voice.clone()));
        if ask.is_some() {
            host::keep_log(&config.state.dir);
            telemetry::leave_screen();
        }
        let known = self.lang.as_deref().map(lang::read).or(progress.lang());
        let chosen = match (&mut ask, known) {
            (Some(ask), None) => ask.language().await?,
            (_, known) => known,
        };
        voice.lang = chosen.filter(|_| !self.json).unwrap_or(voice.lang);
        at.lang.set(voice.lang);
        self.check_addresses(&config, voice.lang)?;
        if let Some(ask) = &mut ask {
            ask.voice.lang = voice.lang;
        }
        if let Some(url) = &self.api_base {
            config.dingtalk.api_base = url.clone();
        }
        if let Some(url) = self.oapi_base() {
            config.dingtalk.oapi_base = url.clone();
        }
        let mut setup = Setup {
            init: self,
            global,
            file,
            own_folder,
            config,
            voice,
            ask,
            progress,
            at,
            says_mode: loaded.places.contains_key("dingtalk.mode"),
            written: Vec::new(),
            made: false,
        };
        if let Some(lang) = chosen {
            setup.progress.keep_lang(lang);
        }
        setup.voice.greet();
        let account = setup.account().await?;
        let changed = setup.settings(&account).await?;
        setup.scripts()?;
        let service = setup.service().await?;
        let Setup { voice, ask, progress, .. } = setup;
        let loaded = load_again(global, &account, voice.lang)?;
        let reread = Reread::new(global.source(), &loaded);
        let mut config = loaded.config;
        if let Some(dir) = &self.scripts {
            config.scripts.dir = std::path::absolute(dir)?;
        }
        Ok(Ready { config, reread, voice, service, changed, interactive: ask.is_some(), progress })
    }

    fn oapi_base(&self) -> Option<&Url> {
        self.oapi_base.as_ref().or(self.api_base.as_ref())
    }

    fn mode(&self) -> Option<Mode> {
        self.mode.as_deref().map(|mode| if mode == "http" { Mode::Http } else { Mode::Stream })
    }
}

/// The settings as they are, and where they are or will be.
fn load(global: &Global) -> Result<(Loaded, PathBuf, bool)> {
    let places = Places::of_this_user();
    let default = places.default_file();
    let file = global.config.clone().or_else(|| default.clone()).ok_or_else(|| {
        let lang = lang::here();
        Failed::new(w::no_home(lang)).hint(w::no_home_hint(lang)).misuse()
    })?;
    let file = std::path::absolute(file)?;
    let own_folder = default.as_ref() == Some(&file);
    let loaded = if file.exists() {
        global.load(Need::Settings)?
    } else {
        config::load(&source(global, &file), Need::Settings)?
    };
    Ok((loaded, file, own_folder))
}

/// Where settings come from; a file that is not there yet is none.
fn source(global: &Global, file: &Path) -> Source {
    let source = global.source();
    if file.exists() {
        return source;
    }
    Source { places: Places { config: None, ..source.places }, file: None, ..source }
}

/// As a host will read them.
fn load_again(global: &Global, account: &Account, lang: Lang) -> Result<Loaded> {
    let loaded = config::load(&global.source(), Need::Account)?;
    let config = &loaded.config;
    if config.dingtalk.client_id != account.client_id {
        let told = w::other_app(&config.dingtalk.client_id, &account.client_id, lang);
        return Err(Failed::new(told).hint(w::other_app_hint(lang)).misuse().into());
    }
    Ok(loaded)
}

impl Setup<'_> {
    /// Writes what is new, after showing what it changes in a file that was there; whether anything was.
    async fn settings(&mut self, account: &Account) -> Result<bool> {
        let lang = self.voice.lang;
        let mode = self.mode(account).await?;
        self.voice.heading(w::step_settings(lang));
        let anew = account.fresh || mode.is_some();
        let doors = self.doors(mode.unwrap_or(self.config.dingtalk.mode), anew).await?;
        let wanted = Wanted {
            client_id: account.fresh.then(|| account.client_id.clone()),
            client_secret: account.fresh.then(|| account.client_secret.clone()),
            mode,
            api_base: self.init.api_base.clone(),
            oapi_base: self.init.oapi_base().cloned(),
            doors,
            scripts: self.init.scripts.as_deref().map(std::path::absolute).transpose()?,
        };
        let plan = settings::plan(&self.file, &wanted, lang)?;
        let shown = voice::path(&self.file);
        if plan.changes.is_empty() && self.written.is_empty() {
            self.voice.done(&w::settings_stay(&shown, lang));
        } else {
            // Or by an `init` that was interrupted there.
            let made = self.made || (!account.fresh && self.progress.mode_is_open());
            if !plan.fresh && !made && !plan.changes.is_empty() {
                self.voice.note(&w::settings_change(&shown, lang));
                for change in &plan.changes {
                    self.voice.note(&format!("    {change}"));
                }
                self.agree().await?;
            }
            plan.write(self.own_folder, lang)?;
            self.progress.forget_app();
            self.voice.done(&w::settings_written(&shown, lang));
            for file in self.written.iter().map(PathBuf::as_path).chain(plan.files()) {
                self.voice.done(&w::secret_written(&voice::path(file), lang));
            }
        }
        self.progress.close_mode();
        let changes: Vec<String> = plan.changes.iter().map(|change| change.key.clone()).collect();
        self.voice.event("settings", "written", json!({ "file": self.file, "changed": changes }));
        Ok(account.fresh || !changes.is_empty())
    }

    async fn agree(&mut self) -> Result<()> {
        if self.init.yes {
            return Ok(());
        }
        let lang = self.voice.lang;
        match &mut self.ask {
            Some(ask) => {
                if ask.confirm(w::ask_change(lang), true).await? {
                    return Ok(());
                }
                Err(Failed::new(w::change_refused(lang)).hint(w::change_refused_hint(lang)).into())
            }
            None => Err(missing("--yes", w::needs_yes(lang), lang).into()),
        }
    }

    fn scripts(&mut self) -> Result<()> {
        let lang = self.voice.lang;
        let dir = match &self.init.scripts {
            Some(dir) => std::path::absolute(dir)?,
            None => self.config.scripts.dir.clone(),
        };
        let fresh = starter::prepare(&dir)?;
        if !fresh {
            editor::write(&dir).map_err(|error| {
                let (folder, why) = (dir.to_string_lossy(), error.to_string());
                Failed::new(w::cannot_write_editor(&folder, &why, lang))
                    .hint(w::check_permissions(lang))
            })?;
        }
        let shown = voice::path(&dir);
        self.voice.done(&if fresh {
            w::scripts_written(&shown, lang)
        } else {
            w::scripts_stay(&shown, lang)
        });
        self.voice.event("scripts", "written", json!({ "folder": dir, "created": fresh }));
        Ok(())
    }

    async fn service(&mut self) -> Result<Background> {
        let lang = self.voice.lang;
        if self.init.no_service {
            return Ok(Background::Possible);
        }
        let service = Service::here(self.global);
        let wanted = if self.init.service {
            true
        } else if let Err(why) = service
            .as_ref()
            .map_err(ToString::to_string)
            .and_then(|s| s.is_reachable().map_err(|error| error.to_string()))
        {
            tracing::info!("no service is offered: {why}");
            self.voice.heading(w::step_service(lang));
            self.voice.note(w::no_service_manager(lang));
            self.voice.event("service", "unavailable", json!({ "reason": why }));
            return Ok(Background::Impossible);
        } else if let Some(wanted) = self.progress.service() {
            wanted
        } else if let Some(ask) = &mut self.ask {
            ask.voice.heading(w::step_service(lang));
            let wanted = ask.confirm(w::ask_service(lang), true).await?;
            self.progress.keep_service(wanted);
            wanted
        } else {
            false
        };
        if !wanted {
            return Ok(Background::Possible);
        }
        let installed = service?.install()?;
        for line in service::told(&installed, lang) {
            self.voice.done(&line);
        }
        self.voice.event("service", "installed", json!({ "file": installed.file }));
        Ok(Background::Runs)
    }
}

/// A flag that would have answered, where nobody can be asked.
fn missing(flag: &str, why: &str, lang: Lang) -> Failed {
    Failed::new(w::nobody_to_ask(why, lang)).hint(w::say_flag(flag, lang)).misuse()
}

/// From now on it is written as `***`, whoever writes it.
fn hide(secret: &Secret) {
    sink::hide(secret.expose());
}
