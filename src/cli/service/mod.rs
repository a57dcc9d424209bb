//! `moonbell service`: the host in the background, kept up by the system's own service manager.
//!
//! A service of the user, never of the system: it needs no administrator, and a handler may no more than its owner. The
//! crates for this (`service-manager` is the best kept) write systemd units without any quoting, restart on exit code 2
//! too, and on Windows make a service that a console program cannot be; so the three texts are written here, and each
//! system's own program is asked to take them. See docs/decisions.

mod launchd;
mod plan;
mod systemd;
mod windows;
mod xml;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use self::plan::Plan;
use super::logs::Logs;
use super::{Failed, Global, columns, lang, talk};
use crate::store::Instance;
use crate::words::Lang;
use crate::words::commands::errors;
use crate::words::commands::service as says;
use crate::words::setup as w;

/// Its name everywhere.
const NAME: &str = "moonbell";

/// How long a host takes to come up, or to say why not.
const COMING_UP: Duration = Duration::from_secs(10);

const GLANCE: Duration = Duration::from_millis(100);

/// Run the bot in the background, and start it with this computer
///
/// A service of yours, not of the system: systemd on Linux, launchd on macOS, a task on Windows. It needs settings that are
/// complete: what your shell has in MOONBELL_* variables it does not see.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  moonbell service install
  moonbell service install --print     what would be installed
  moonbell service status
  moonbell service logs -f
  moonbell service uninstall

Exit codes: 0 done (status: it runs), 1 failed (status: it does not run), 2 misuse.")]
pub(super) struct ServiceCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Install and start it; once more after an update or another --config
    Install {
        /// Print the unit, agent or task instead
        #[arg(long)]
        print: bool,
    },
    /// Stop and remove it; settings, scripts and journal stay
    Uninstall,
    /// Show whether it is installed and runs
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what it said
    Logs {
        /// Go on with the lines to come, until Ctrl-C
        #[arg(short, long)]
        follow: bool,
        /// How many lines to begin with
        #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
        lines: usize,
    },
}

impl ServiceCommand {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        global.heed_language();
        match self.action {
            Action::Install { print: true } => {
                let service = Service::here(global)?;
                talk::shown(service.system.text(&service.plan)?);
                Ok(ExitCode::SUCCESS)
            }
            Action::Install { print: false } => {
                let installed = Service::here(global)?.install()?;
                for line in told(&installed, lang::here()) {
                    talk::say(line);
                }
                talk::data(installed.file.display());
                Ok(if installed.pid.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Action::Uninstall => uninstall(System::here()),
            Action::Status { json } => status(System::here(), json),
            Action::Logs { follow, lines } => {
                if System::here() == System::Systemd && systemd::journal(follow, lines)? {
                    return Ok(ExitCode::SUCCESS);
                }
                Logs::of_the_service(follow, lines).show(&global.state()?, w::ask_status)
            }
        }
    }
}

/// Who keeps services up here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    Systemd,
    Launchd,
    Windows,
}

/// What the service manager says of the service.
#[derive(Clone, Debug, Default)]
struct State {
    running: bool,
    /// Whether it starts with the computer.
    enabled: bool,
    pid: Option<u32>,
    /// In the system's own word.
    word: String,
    /// Whether it goes on when the user logs out; `None`: the system has no such choice.
    linger: Option<bool>,
}

impl System {
    fn here() -> Self {
        if cfg!(target_os = "macos") {
            Self::Launchd
        } else if cfg!(windows) {
            Self::Windows
        } else {
            Self::Systemd
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Launchd => "launchd",
            Self::Windows => "task scheduler",
        }
    }

    fn text(self, plan: &Plan) -> Result<String> {
        match self {
            Self::Systemd => systemd::unit(plan),
            Self::Launchd => launchd::agent(plan),
            Self::Windows => windows::task(plan),
        }
    }

    /// Where its text lies.
    fn file(self) -> Result<PathBuf> {
        let dirs = directories::BaseDirs::new().ok_or_else(|| {
            let lang = lang::here();
            Failed::new(errors::no_home(lang)).hint(errors::set_home(lang))
        })?;
        Ok(match self {
            Self::Systemd => dirs.config_dir().join("systemd/user").join(systemd::UNIT),
            Self::Launchd => dirs.home_dir().join("Library/LaunchAgents").join(launchd::FILE),
            Self::Windows => dirs.data_local_dir().join("moonbell").join(windows::FILE),
        })
    }

    /// What the file holds: the scheduler of Windows wants UTF-16.
    fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            Self::Windows => windows::encoded(text),
            Self::Systemd | Self::Launchd => text.as_bytes().to_vec(),
        }
    }

    fn is_reachable(self) -> Result<()> {
        match self {
            Self::Systemd => systemd::is_reachable(),
            Self::Launchd | Self::Windows => Ok(()),
        }
    }

    /// Starts what the file says, now and with the computer; `changed`: not what it said before.
    fn start(self, file: &Path, changed: bool) -> Result<()> {
        match self {
            Self::Systemd => systemd::start(changed),
            Self::Launchd => launchd::start(file, changed),
            Self::Windows => windows::start(file),
        }
    }

    fn stop(self) -> Result<()> {
        match self {
            Self::Systemd => systemd::stop(),
            Self::Launchd => launchd::stop(),
            Self::Windows => windows::stop(),
        }
    }

    /// After its file is gone.
    fn forget(self) -> Result<()> {
        match self {
            Self::Systemd => systemd::reload(),
            Self::Launchd | Self::Windows => Ok(()),
        }
    }

    fn state(self) -> Result<State> {
        match self {
            Self::Systemd => systemd::state(),
            Self::Launchd => launchd::state(),
            Self::Windows => windows::state(),
        }
    }
}

/// The service that would be, with these settings.
pub(super) struct Service {
    system: System,
    plan: Plan,
}

/// What became of an installation.
pub(super) struct Installed {
    pub(super) file: PathBuf,
    /// The text is not what it was before.
    changed: bool,
    /// Of the host that runs now.
    pub(super) pid: Option<String>,
    /// Who else had the state folder before.
    other: Option<String>,
    linger: Option<bool>,
    left_out: Vec<String>,
    in_build_folder: bool,
}

impl Service {
    /// # Errors
    /// When the settings are not complete without the variables of this shell.
    pub(super) fn here(global: &Global) -> Result<Self> {
        Ok(Self { system: System::here(), plan: Plan::new(global)? })
    }

    /// # Errors
    /// Why the service manager cannot be asked for anything.
    pub(super) fn is_reachable(&self) -> Result<()> {
        self.system.is_reachable()
    }

    /// Writes and starts it; what is there already and runs is left alone.
    pub(super) fn install(&self) -> Result<Installed> {
        self.system.is_reachable()?;
        let file = self.system.file()?;
        let bytes = self.system.bytes(&self.system.text(&self.plan)?);
        let changed = fs::read(&file).ok().as_ref() != Some(&bytes);
        if changed {
            write(&file, &bytes)
                .with_context(|| says::cannot_write(&file.to_string_lossy(), lang::here()))?;
        }
        let state = self.system.state()?;
        let other = Instance::holder(&self.plan.state).filter(|_| !state.running);
        if changed || !state.running || !state.enabled {
            self.system.start(&file, changed)?;
        }
        let linger = if self.system == System::Systemd { systemd::linger() } else { None };
        Ok(Installed {
            file,
            changed,
            pid: if other.is_some() { None } else { self.comes_up(&state, changed) },
            other,
            linger,
            left_out: self.plan.left_out.clone(),
            in_build_folder: self.plan.is_in_build_folder(),
        })
    }

    /// The host that has the state folder soon.
    fn comes_up(&self, before: &State, changed: bool) -> Option<String> {
        let old = before.pid.filter(|_| changed).map(|pid| pid.to_string());
        let began = Instant::now();
        loop {
            let holder = Instance::holder(&self.plan.state).filter(|pid| Some(pid) != old.as_ref());
            if holder.is_some() || began.elapsed() > COMING_UP {
                return holder;
            }
            std::thread::sleep(GLANCE);
        }
    }
}

/// What is said of it, a line each.
pub(super) fn told(installed: &Installed, lang: Lang) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(match (&installed.pid, &installed.other) {
        (Some(pid), _) if installed.changed => w::installed(pid, lang),
        (Some(pid), _) => w::installed_already(pid, lang),
        (None, Some(other)) => w::another_serves(other, lang),
        (None, None) => w::no_host_came_up(lang).to_owned(),
    });
    match installed.linger {
        Some(true) => lines.push(w::lingers(lang).to_owned()),
        Some(false) => lines.push(w::does_not_linger(lang).to_owned()),
        None => {}
    }
    if !installed.left_out.is_empty() {
        lines.push(w::variables_left_out(&installed.left_out.join(", "), lang));
    }
    if installed.in_build_folder {
        lines.push(w::in_a_build_folder(lang).to_owned());
    }
    lines
}

fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut beside = tempfile::NamedTempFile::new_in(folder)?;
    beside.write_all(bytes)?;
    beside.persist(file)?;
    Ok(())
}

fn uninstall(system: System) -> Result<ExitCode> {
    let (file, lang) = (system.file()?, lang::here());
    if !file.exists() {
        talk::say(says::none_installed(lang));
        return Ok(ExitCode::SUCCESS);
    }
    system.is_reachable()?;
    system.stop()?;
    fs::remove_file(&file).with_context(|| says::cannot_remove(&file.to_string_lossy(), lang))?;
    system.forget()?;
    talk::say(says::removed(lang));
    Ok(ExitCode::SUCCESS)
}

/// The service as `doctor` sees it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) running: bool,
    pub(super) enabled: bool,
    /// In the system's own word.
    pub(super) word: String,
    pub(super) linger: Option<bool>,
}

/// Looks at the service that is installed; `None`: none is.
///
/// # Errors
/// When the service manager cannot be asked.
pub(super) fn seen() -> Result<Option<Seen>> {
    let system = System::here();
    if !system.file()?.exists() {
        return Ok(None);
    }
    system.is_reachable()?;
    let State { running, enabled, word, linger, .. } = system.state()?;
    Ok(Some(Seen { running, enabled, word, linger }))
}

fn status(system: System, json: bool) -> Result<ExitCode> {
    let (file, lang) = (system.file()?, lang::here());
    let installed = file.exists();
    let state = match (system.is_reachable(), installed) {
        (Ok(()), _) => system.state()?,
        // What cannot be asked runs nothing.
        (Err(_), false) => State::default(),
        (Err(error), true) => return Err(error),
    };
    if json {
        talk::data(serde_json::to_string_pretty(&json!({
            "installed": installed,
            "running": state.running,
            "enabled": state.enabled,
            "state": state.word,
            "pid": state.pid,
            "linger": state.linger,
            "system": system.word(),
            "file": file,
        }))?);
    } else if installed {
        let row = |name: &str, value: &str| talk::data(columns::pad(name, 9) + value);
        let word = match state.pid {
            Some(pid) => says::with_process(&state.word, pid, lang),
            None => state.word.clone(),
        };
        let runs = if state.running { says::runs } else { says::does_not_run };
        let starts = if state.enabled { says::starts } else { says::does_not_start };
        talk::data(says::state(runs(lang), &word, starts(lang), lang));
        row(says::file(lang), &file.to_string_lossy());
        if let Some(linger) = state.linger {
            let means = if linger { says::lingers } else { says::does_not_linger };
            row("linger", means(lang));
        }
        if !state.running {
            talk::advise(says::see_logs(lang));
        }
    } else {
        talk::say(says::none_installed(lang));
        talk::advise(says::install_it(lang));
    }
    Ok(if state.running { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a program of the system answered.
struct Told {
    ok: bool,
    out: String,
    err: String,
}

/// Asks a program of the system; `None`: it is not there.
fn ask(program: &str, arguments: &[&str]) -> Result<Option<Told>> {
    let mut command = Command::new(program);
    let output = match command.args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| says::cannot_start(program, lang::here())),
    };
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(Some(Told {
        ok: output.status.success(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }))
}

/// Has a program of the system do something.
fn order(program: &str, arguments: &[&str]) -> Result<()> {
    let said = format!("{program} {}", arguments.join(" "));
    match ask(program, arguments)? {
        Some(Told { ok: true, .. }) => Ok(()),
        Some(Told { err, out, .. }) => {
            let why = if err.is_empty() { out } else { err };
            Err(Failed::new(says::failed(&said, &why, lang::here())).into())
        }
        None => Err(Failed::new(says::no_program(program, lang::here())).into()),
    }
}
