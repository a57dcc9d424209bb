//! The real binary on the stage: it can be killed.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use toml_edit::{DocumentMut, Item, Table};

use super::stage::{AES_KEY, CARD_SECRET, OWNER, PATIENCE, Stage, TOKEN};

/// `moonbell run` on a [`Stage`]. Dropping it kills it.
#[derive(Debug)]
pub(super) struct HostProcess {
    child: Child,
    // `Some` until it is handed on.
    stage: Option<Stage>,
}

impl Deref for HostProcess {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        self.stage.as_ref().expect("there until it is handed on")
    }
}

impl HostProcess {
    /// Starts it and waits until it is connected.
    pub(super) async fn spawn(stage: Stage) -> Self {
        Self::started(command(&stage).spawn().unwrap(), stage).await
    }

    /// Starts it and does not look whether it comes up.
    pub(super) fn launch(stage: Stage) -> Self {
        Self { child: command(&stage).spawn().unwrap(), stage: Some(stage) }
    }

    pub(super) async fn started(child: Child, stage: Stage) -> Self {
        let host = Self { child, stage: Some(stage) };
        if host.tunnel.is_some() {
            let mut listen = None;
            host.until_true("the process is registered", || {
                listen = host.listens();
                listen.is_some()
            })
            .await;
            host.is_called_at(listen);
        }
        host.until("the process is connected", |seen| seen.state.bot.connected).await;
        host
    }

    /// Where it takes calls, once this very process does.
    fn listens(&self) -> Option<SocketAddr> {
        // As the process sees it: it may have its state on a disk of its own.
        let file = self.state_dir().join("status.json");
        let inside = Path::new("/proc").join(self.pid().to_string()).join("root");
        let inside = inside.join(file.strip_prefix("/").unwrap());
        let text = fs::read_to_string(inside).or_else(|_| fs::read_to_string(file)).ok()?;
        let status: serde_json::Value = serde_json::from_str(&text).ok()?;
        let is_up = status["pid"] == self.pid() && status["connection"] == "registered";
        is_up.then(|| status["webhook"]["listen"].as_str()?.parse().ok())?
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().try_into().unwrap()), signal).unwrap();
    }

    /// `kill -9`.
    pub(super) async fn kill(mut self) -> Stage {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let stage = self.stage.take().expect("handed on once");
        stage.is_called_at(None);
        stage
            .until("the socket of the dead process is gone", |seen| !seen.state.bot.connected)
            .await;
        stage
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(mut self) -> (ExitStatus, Stage) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.is_called_at(None);
                return (status, self.stage.take().expect("handed on once"));
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "it goes on:\n{}",
                self.lines("err").join("\n")
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks it to stop; [`HostProcess::ended`] waits.
    pub(super) fn ask_to_stop(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Stops it, which it must do in order; what is around it stays.
    pub(super) async fn stop(self) -> Stage {
        let (status, stage) = self.terminate().await;
        assert!(status.success(), "{status}\n{}", stage.lines("err").join("\n"));
        stage
    }

    pub(super) async fn terminate(self) -> (ExitStatus, Stage) {
        self.ask_to_stop();
        self.ended().await
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stage {
    /// What `moonbell` with these arguments prints, for the settings of the stage.
    #[track_caller]
    pub(super) fn says(&self, arguments: &[&str]) -> String {
        let mut command = bare(self, env!("CARGO_BIN_EXE_moonbell"));
        command.args(arguments).arg("--config").arg(settings(self));
        let output = command.stdout(std::process::Stdio::piped()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, once it is as `wanted`.
    pub(super) async fn until_says(
        &self,
        arguments: &[&str],
        wanted: impl Fn(&str) -> bool,
    ) -> String {
        let mut said = String::new();
        self.until_true("the command says so", || {
            said = self.says(arguments);
            wanted(&said)
        })
        .await;
        said
    }
}

/// The binary with a settings file that points at the stage; what it says goes to the file `err`.
#[track_caller]
pub(super) fn command(stage: &Stage) -> Command {
    assert!(stage.settings.is_none(), "another process reads a file: say it with `Setup::toml`");
    let mut command = bare(stage, env!("CARGO_BIN_EXE_moonbell"));
    command.args(["run", "--config"]).arg(settings(stage));
    command
}

/// `program` in the surroundings of the stage.
pub(super) fn bare(stage: &Stage, program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MOONBELL_"))
    {
        command.env_remove(name);
    }
    let out = File::options().create(true).append(true).open(stage.path("err")).unwrap();
    command
        .current_dir(stage.home.path())
        .env("HOME", stage.home.path())
        .env("XDG_CONFIG_HOME", stage.path("config"))
        .env("XDG_DATA_HOME", stage.path("data"))
        .env("LANG", "C.UTF-8")
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .stdin(std::process::Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out);
    command
}

/// `moonbell run` for the stage, behind a shell line that mounts something on `$1` for this process alone. `None` where
/// the system gives no namespaces: then it is said past the test's own output, since a test that did not try must not look
/// like one that did.
pub(super) async fn mounted(
    stage: Stage,
    mount: &str,
    onto: &std::path::Path,
) -> Result<HostProcess, Stage> {
    use std::io::Write as _;
    let gives = |flags: &&str| {
        let tried = Command::new("unshare").args([flags, "true"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    // Without rights of one's own; else as root.
    let Some(flags) = ["-Urm", "-m"].iter().find(|flags| gives(flags)) else {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let _ = writeln!(
            std::io::stderr().lock(),
            "NOT TRIED: {test}: no namespaces here (`unshare -Urm`), so it passes without a host"
        );
        return Err(stage);
    };
    let mut run = bare(&stage, "unshare");
    let script = format!("{mount} && exec \"$2\" run --config \"$3\"");
    run.args([flags, "sh", "-c", &script, "sh"])
        .arg(onto)
        .arg(env!("CARGO_BIN_EXE_moonbell"))
        .arg(settings(&stage));
    Ok(HostProcess::started(run.spawn().unwrap(), stage).await)
}

/// Writes the settings file of the stage.
pub(super) fn settings(stage: &Stage) -> std::path::PathBuf {
    let template = stage.template.clone().unwrap_or_default();
    let mode = if stage.tunnel.is_some() { "http" } else { "stream" };
    // Many tests say more than a month, or a minute, has room for.
    let mut text = format!(
        "[dingtalk]\nmode = {mode:?}\nclient_id = {:?}\nclient_secret = {:?}\napi_base = {:?}\noapi_base = {:?}\n\
         card_template = {template:?}\n[scripts]\ndir = {:?}\n[state]\ndir = {:?}\n\
         [budget]\napi_calls = 0\npushes = 0\n\
         [limits]\nperson_runs = 0\nhandler_runs = 0\nperson_per_minute = 0\n\
         [console]\nlisten = \"127.0.0.1:0\"\n\
         [access]\nowner = {OWNER:?}\n[access.roles]\nguest = {:?}\n",
        stage.sim.client_id(),
        stage.sim.client_secret(),
        stage.sim.api_base(),
        stage.sim.oapi_base(),
        stage.path("scripts").to_str().unwrap(),
        stage.state_dir().to_str().unwrap(),
        stage.guests,
    );
    if let Some(tunnel) = &stage.tunnel {
        let _ = write!(
            text,
            "[http]\nlisten = \"127.0.0.1:0\"\npublic_url = {:?}\ntoken = {TOKEN:?}\naes_key = {AES_KEY:?}\n\
             card_secret = {CARD_SECRET:?}\n",
            tunnel.url()
        );
    }
    let mut all: DocumentMut = text.parse().unwrap();
    for more in &stage.toml {
        let more = more.replace("{home}", stage.home.path().to_str().unwrap());
        join(&mut all, &more.parse::<DocumentMut>().unwrap());
    }
    let path = stage.path("bot.toml");
    fs::write(&path, all.to_string()).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// Puts `more` into `table`: tables are joined, other values replaced.
fn join(table: &mut Table, more: &Table) {
    for (key, item) in more {
        match (table.get_mut(key).and_then(Item::as_table_mut), item.as_table()) {
            (Some(table), Some(more)) => join(table, more),
            _ => drop(table.insert(key, item.clone())),
        }
    }
}
