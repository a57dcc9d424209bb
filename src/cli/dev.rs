//! `moonbell dev`: a simulated DingTalk, the host and the chat page in one process. No account, no settings.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Failed, Global, browser, starter, talk};
use crate::config::Need;

/// Try it: a simulated DingTalk with a chat page, and your handlers answering there
///
/// Serves the handlers of ./scripts if that folder exists, else of the folder in your settings, which is created with
/// the starter handlers on the first start. Save a file, and the next message is answered by the new version.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell dev                         open the printed address, type `help`
  moonbell dev --scripts ~/handlers    serve another folder
  moonbell dev --port 0 --open         any free port, opened in your browser")]
pub(super) struct Dev {
    /// Serve the handlers of this folder
    #[arg(long, value_name = "DIR")]
    scripts: Option<PathBuf>,
    /// Port of the chat page on this computer; 0: any free one
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Open the chat page in your browser
    #[arg(long)]
    open: bool,
}

impl Dev {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let loaded = global.load(Need::Settings)?;
        let mut config = loaded.config;
        if let Some(dir) = &self.scripts {
            config.scripts.dir = std::path::absolute(dir)?;
        }
        config.scripts.dir = starter::dev_folder(self.scripts.is_some(), &config.scripts.dir);
        // A journal of its own: play never mixes with what the real bot has in flight.
        config.state.dir.push("dev");
        if let Some(port) = self.port {
            config.console.listen.set_port(port);
        }
        let fresh = starter::prepare(&config.scripts.dir)?;
        let what = if fresh {
            "created with the starter handlers"
        } else {
            "save a file there to change an answer"
        };
        talk::say(format_args!("scripts: {} ({what})", config.scripts.dir.display()));
        // MERGE: `app::App::start_dev(config, self.open)` goes here.
        let _page = self.open.then(|| browser::open("http://127.0.0.1"));
        Err(Failed::new("`moonbell dev` is not wired to the host yet").into())
    }
}
