//! The service on a real systemd: a manager of this test's own, with its own home and its own sockets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use moonbell::sim::{Options, Sim};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::home::{Answer, Home};

/// Where systemd is taken for the one that booted this computer; without it a manager of a user does not start.
const BOOTED: &str = "/run/systemd/system";

/// As long as anything here may take on a busy computer.
const PATIENCE: Duration = Duration::from_mins(1);

struct Manager {
    process: Child,
    home: Home,
    /// It lives in a view of the files in which systemd has booted this computer.
    apart: bool,
}

impl Manager {
    /// `None`: there can be none here; why is said.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests is to see it")]
    fn start(home: Home) -> Option<Self> {
        let runtime = home.path("runtime");
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        let apart = !Path::new(BOOTED).exists();
        let systemd = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
        let systemd = systemd.into_iter().find(|path| Path::new(path).exists());
        let systemd = systemd.expect("systemd, of the package systemd");
        let mut command = if apart {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private", "sh", "-c"]);
            command.arg(format!(
                "mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir {BOOTED} && exec {systemd} --user"
            ));
            command
        } else {
            let mut command = Command::new(systemd);
            command.arg("--user");
            command
        };
        put(&mut command, &home);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut manager = Self { process: command.spawn().unwrap(), home, apart };
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(status) = manager.process.try_wait().unwrap() {
                eprintln!(
                    "no systemd of its own may start here ({status}): the service was not tried on a real one"
                );
                return None;
            }
            if manager.systemctl(&["show", "--property=Version"]).code == 0 {
                return Some(manager);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("systemd does not answer");
    }

    /// A command that this manager's person would give.
    fn asked(&self, program: &str, arguments: &[&str]) -> Answer {
        let mut command = if self.apart {
            let mut command = Command::new("nsenter");
            let target = self.process.id().to_string();
            command.args(["--mount", "--target", &target, "--", program]);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments);
        put(&mut command, &self.home);
        Answer::of(command.output().unwrap())
    }

    fn systemctl(&self, arguments: &[&str]) -> Answer {
        self.asked("systemctl", &[&["--user"], arguments].concat())
    }

    fn moonbell(&self, arguments: &[&str]) -> Answer {
        self.asked(env!("CARGO_BIN_EXE_moonbell"), arguments)
    }

    /// What `moonbell service status` tells once `wanted` holds.
    fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let status = self.moonbell(&["service", "status", "--json"]);
            let status: Value = serde_json::from_str(&status.out).unwrap_or_default();
            if wanted(&status) {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "{what}: {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        // It ends its services, then itself.
        let _ = kill(pid, Signal::SIGTERM);
        let since = Instant::now();
        while self.process.try_wait().is_ok_and(|status| status.is_none()) {
            if since.elapsed() > PATIENCE {
                let _ = self.process.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn put(command: &mut Command, home: &Home) {
    let from = home.command(&[]);
    command.env_clear().current_dir(home.root());
    for (name, value) in from.get_envs() {
        command.env(name, value.unwrap());
    }
    command.env("XDG_RUNTIME_DIR", home.path("runtime"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_systemd_starts_it_again_after_a_kill_and_not_after_a_mistake() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let home = Home::new();
    let settings = format!(
        "[dingtalk]\nclient_id = \"{}\"\nclient_secret = {{ file = \"secret\" }}\napi_base = \"{}\"\noapi_base = \"{}\"\n",
        sim.client_id(),
        sim.url(),
        sim.url(),
    );
    home.write("config/moonbell/config.toml", &settings);
    home.write("config/moonbell/secret", &sim.client_secret());
    let secret = home.path("config/moonbell/secret");
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
    let Some(manager) = Manager::start(home) else { return };

    let installed = manager.moonbell(&["service", "install"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    let first = manager.until("it runs", |status| status["running"] == true);
    assert_eq!(first["enabled"], true, "{first}");
    let connected = || async { sim.until(|state| state.bot.connections > 0).await.unwrap() };
    connected().await;

    let pid = Pid::from_raw(i32::try_from(first["pid"].as_i64().unwrap()).unwrap());
    kill(pid, Signal::SIGKILL).unwrap();
    let other = |status: &Value| status["running"] == true && status["pid"] != first["pid"];
    manager.until("it was started again", other);
    connected().await;

    manager.home.write("config/moonbell/config.toml", "[dingtalk]\nclient_idd = \"x\"\n");
    manager.systemctl(&["restart", "moonbell.service"]);
    manager.until("it gave up", |status| status["running"] == false);
    let tried = manager.systemctl(&[
        "show",
        "moonbell.service",
        "--property=SubState,ExecMainStatus,NRestarts",
    ]);
    assert!(
        tried.out.contains("ExecMainStatus=2") && tried.out.contains("NRestarts=0"),
        "{tried:?}"
    );
    let told = manager.moonbell(&["service", "logs"]);
    assert!(format!("{}{}", told.out, told.err).contains("client_idd"), "{told:?}");

    manager.home.write("config/moonbell/config.toml", &settings);
    assert_eq!(manager.moonbell(&["service", "install"]).code, 0);
    manager.until("it runs again", |status| status["running"] == true);

    let gone = manager.moonbell(&["service", "uninstall"]);
    assert_eq!(gone.code, 0, "{gone:?}");
    sim.until(|state| state.bot.connections == 0).await.unwrap();
    assert_ne!(manager.moonbell(&["service", "status"]).code, 0);
}
