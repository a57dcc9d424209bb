//! `moonbell dev`: a simulated DingTalk, the host and the chat page in one process. No account, no settings.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::{Global, browser, columns, host, lang, news, starter, talk};
use crate::app::App;
use crate::config::{Access, Budget, Config, Mode, Need, Secret};
use crate::message::StaffId;
use crate::sim;
use crate::sim::{CARD_BUTTONS, CARD_TEMPLATE, Options, Registration, Sim};
use crate::transport::Addresses;
use crate::words::commands::run as w;

/// Try it: a simulated DingTalk with a chat page, and your handlers answering there
///
/// Serves the handlers of ./scripts if that folder exists, else of the folder in your settings, which is created with
/// the starter handlers on the first start. Save a file, and the next message is answered by the new version.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell dev                         open the printed address, type `help`
  moonbell dev --scripts ~/handlers    serve another folder
  moonbell dev --port 0 --open         any free port, opened in your browser
  moonbell dev --http                  DingTalk calls the host, as with `mode = \"http\"`
  moonbell dev --sim-only              DingTalk alone: practise `moonbell init`, or try a bot of another kind")]
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
    /// Let the simulated DingTalk call the host (HTTP mode), instead of the host connecting to it
    #[arg(long)]
    http: bool,
    /// Simulate DingTalk and serve no handlers
    #[arg(long, conflicts_with_all = ["scripts", "http"])]
    sim_only: bool,
}

impl Dev {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let loaded = global.load(Need::Settings)?;
        let mut config = loaded.config;
        if self.sim_only {
            return self.simulate(config.console.listen.port());
        }
        if let Some(dir) = &self.scripts {
            config.scripts.dir = starter::named(dir)?;
        }
        config.scripts.dir = starter::dev_folder(self.scripts.is_some(), &config.scripts.dir);
        // A journal of its own: play never mixes with what the real bot has in flight.
        config.state.dir.push("dev");
        // Nor does it cost anything.
        config.budget = Budget::unlimited();
        if let Some(port) = self.port {
            config.console.listen.set_port(port);
        }
        let fresh = starter::prepare(&config.scripts.dir)?;
        let folder = config.scripts.dir.clone();
        host::keep_log(&config.state.dir);
        host::serve(async |stop, left| {
            let options = Options { port: config.console.listen.port(), ..Options::default() };
            // That address is the page's; the console of a host that plays takes any.
            config.console.listen.set_port(0);
            config.access = access(&options);
            let sim = Sim::start(options).await?;
            point_at(&mut config, &sim)?;
            let keys = self.http.then(|| Keys::put_into(&mut config));
            let app = App::open(config, "dev", Some(sim.page_url())).await?;
            if let (Some(keys), Some(doors)) = (keys, app.addresses()) {
                sim.app(keys.called_at(doors))?;
            }
            left.of(app.left());
            let lang = lang::here();
            talk::say(format_args!("{}\n", w::dev_title(lang)));
            talk::address(&row(w::chat_page(lang), 11), &sim.page_url());
            let serves = news::folder(&folder, fresh, app.library(), lang);
            talk::say(format_args!("{}{serves}\n", row(w::scripts_row(lang), 11)));
            talk::say(format_args!("{}\n", w::open_the_page(lang)));
            let _page = self.open.then(|| browser::open(&sim.page_url()));
            let news = news::tell(app.library());
            tokio::select! {
                ended = app.run(stop) => ended?,
                () = news => {}
            }
            sim.stop().await;
            Ok(())
        })
    }
}

impl Dev {
    /// DingTalk alone, for a bot that somebody connects to it.
    fn simulate(&self, port: u16) -> Result<ExitCode> {
        host::serve(async |stop, _| {
            let options = Options {
                port: self.port.unwrap_or(port),
                registration: Registration {
                    interval: Duration::from_secs(1),
                    scanned_after_polls: None,
                    ..Registration::default()
                },
                ..Options::default()
            };
            let sim = Sim::start(options).await?;
            let base = sim.url().to_owned();
            let lang = lang::here();
            talk::say(format_args!("{}\n", w::sim_title(lang)));
            talk::address(&row(w::chat_page(lang), 15), &sim.page_url());
            for (name, value) in [
                ("API", base.clone()),
                ("client id", sim.client_id()),
                ("client secret", sim.client_secret()),
            ] {
                talk::say(format_args!("{}{value}", row(name, 15)));
            }
            talk::say(format_args!("\n{}\n", w::connect_a_bot(&base, lang)));
            let _page = self.open.then(|| browser::open(&sim.page_url()));
            stop.cancelled().await;
            sim.stop().await;
            Ok(())
        })
    }
}

/// The name of a row, as wide as all of them.
fn row(name: &str, width: usize) -> String {
    format!("  {}", columns::pad(name, width))
}

/// The simulated owner owns; everybody else there is a guest, so that refusals can be seen too.
pub(super) fn access(options: &Options) -> Access {
    let owner = options.people.iter().find(|person| person.owner);
    Access {
        owner: owner.map(|person| StaffId::new(&person.staff_id)),
        roles: [("guest".to_owned(), vec!["*".to_owned()])].into(),
    }
}

/// What the simulated DingTalk shows when it calls; made up, and gone with this host.
struct Keys {
    token: String,
    aes_key: String,
}

impl Keys {
    fn put_into(config: &mut Config) -> Self {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let keys = Self { token: random(), aes_key: (random() + &random())[..43].to_owned() };
        config.dingtalk.mode = Mode::Http;
        config.http.listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
        config.http.token = Some(Secret::new(&keys.token));
        config.http.aes_key = Some(Secret::new(&keys.aes_key));
        config.http.card_secret = Some(Secret::new(random()));
        // Those of the settings are for the real one.
        let fresh = Config::new("", "").http;
        (config.http.path, config.http.public_url) = (fresh.path, None);
        (config.http.allow, config.http.trusted_proxies, config.http.tls) =
            (fresh.allow, fresh.trusted_proxies, None);
        keys
    }

    fn called_at(self, doors: &Addresses) -> sim::App {
        sim::App::Http {
            robot: doors.robot.clone(),
            event: doors.event.clone(),
            token: self.token,
            aes_key: self.aes_key,
        }
    }
}

/// Everything that would reach the real DingTalk now reaches `sim`, credentials included.
fn point_at(config: &mut Config, sim: &Sim) -> Result<()> {
    let account = &mut config.dingtalk;
    account.client_id = sim.client_id();
    account.client_secret = Secret::new(sim.client_secret());
    account.mode = Mode::Stream;
    account.api_base = sim.api_base().parse()?;
    account.oapi_base = sim.oapi_base().parse()?;
    account.card_template = Some(CARD_TEMPLATE.to_owned());
    "content".clone_into(&mut account.card_key);
    config.cards.buttons = CARD_BUTTONS;
    Ok(())
}
