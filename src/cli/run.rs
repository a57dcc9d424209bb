//! `moonbell run`: the host, connected to the real DingTalk.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Failed, Global, host, init, lang, lock, modes, news, starter, talk};
use crate::access::Lock;
use crate::app::{App, Reread};
use crate::config::{Config, Loaded, Need};
use crate::sim::CLIENT_ID_PREFIX;
use crate::words::commands::claim::told;
use crate::words::commands::run as w;
use crate::words::doctor::files;

/// Answer DingTalk with your handlers, until Ctrl-C
///
/// Needs the client id and secret of your app in the settings; without them it prints a file ready to paste. Until
/// somebody owns the bot, it prints a code at the start: send it to the bot in a direct message, and it is yours.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell run
  moonbell run --config ./bot.toml --scripts ./handlers
  MOONBELL_DINGTALK_CLIENT_ID=ding… MOONBELL_DINGTALK_CLIENT_SECRET=… moonbell run

Exit codes: 0 stopped in order, 1 failed, 2 settings that cannot be used.")]
pub(super) struct Run {
    /// Serve the handlers of this folder
    #[arg(long, value_name = "DIR")]
    scripts: Option<PathBuf>,
    /// For service managers that start again whatever does not end with 0: settings that cannot be used do, too
    #[arg(long, hide = true)]
    supervised: bool,
}

/// Named one by one at the start; more are one matter, and `doctor` names them all.
const NAMED: usize = 5;

/// Says what others could change so that it runs as this user. Settings that everybody may write are refused, as the file of a
/// secret is that others can read: they say which scripts run and who the owner is, and no system makes files so by itself.
/// A group may be a person's own, so that is said and no more.
fn kept(config: &Config, loaded: &Loaded) -> Result<()> {
    let lang = lang::here();
    if let Some(file) = loaded.file.as_ref().filter(|file| modes::is_everybodys(file)) {
        let told = files::others_change(&file.to_string_lossy(), lang);
        return Err(Failed::new(told).hint(files::tighten(lang)).misuse().into());
    }
    let open = modes::open(config, loaded);
    for one in open.iter().take(NAMED) {
        talk::warn(modes::told(&one.path, one.others, lang));
    }
    if open.len() > NAMED {
        talk::warn(files::and_more(open.len() - NAMED, lang));
    }
    if !open.is_empty() {
        talk::advise(files::tighten(lang));
    }
    Ok(())
}

impl Run {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let supervised = self.supervised;
        match self.serve(global) {
            Err(error) if supervised && talk::is_misuse(&error) => {
                talk::error(&error);
                Ok(ExitCode::SUCCESS)
            }
            ended => ended,
        }
    }

    fn serve(self, global: &Global) -> Result<ExitCode> {
        let loaded = global.load(Need::Account)?;
        let reread = Reread::new(global.source(), &loaded);
        let mut config = loaded.config.clone();
        if let Some(dir) = &self.scripts {
            config.scripts.dir = starter::named(dir)?;
        }
        kept(&config, &loaded)?;
        if config.dingtalk.client_id.starts_with(CLIENT_ID_PREFIX) {
            talk::say(w::simulated(lang::here()));
        }
        let fresh = starter::prepare(&config.scripts.dir)?;
        let (folder, state) = (config.scripts.dir.clone(), config.state.dir.clone());
        let chosen = init::chosen(&state);
        host::keep_log(&config.state.dir);
        host::serve(async |stop, left| {
            let app = App::open(config, "run", None).await?.rereading(reread);
            left.of(app.left());
            let lang = lang::here();
            talk::say(w::scripts(&news::folder(&folder, fresh, app.library(), lang), lang));
            let lock = Lock::of(&state);
            if lock.is_locked() {
                let why = lock::why(&lock, lang).map(|why| w::why(&why, lang));
                talk::warn(w::locked(&why.unwrap_or_default(), lang));
            }
            if let Some(code) = app.claim_code(chosen).await? {
                talk::say(told(&code.show(), lang));
            }
            let news = news::tell(app.library());
            let link = news::link(app.link(), app.addresses().cloned(), lang);
            tokio::select! {
                ended = app.run(stop) => ended?,
                () = news => {}
                () = link => {}
            }
            Ok(())
        })
    }
}
