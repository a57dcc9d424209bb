//! Who is measured: each bot is a process of its own, connected to a gateway of its own in this process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::gateway::Gateway;

/// A bot that runs, and ends with this.
pub(crate) struct Bot {
    pub(crate) name: &'static str,
    pub(crate) gateway: Gateway,
    pub(crate) process: Process,
}

/// A child process with a folder of its own on the disk of the target directory; both end with this.
pub(crate) struct Process {
    child: Child,
    dir: tempfile::TempDir,
}

impl Process {
    fn start(mut command: Command, dir: tempfile::TempDir) -> Self {
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MOONBELL_") {
                command.env_remove(name);
            }
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// CPU time spent so far, in seconds; `None` where the system does not tell.
    pub(crate) fn cpu(&self) -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: f64 =
            fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        Some(ticks / 100.0)
    }

    /// Of the resident memory what no file backs, in KiB: heaps and stacks, not the program's own pages.
    pub(crate) fn anonymous(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> Option<u64> {
        let told = Command::new("ps")
            .args(["-o", "rss=", "-p"])
            .arg(self.id().to_string())
            .output()
            .ok()?;
        String::from_utf8(told.stdout).ok()?.trim().parse().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A new folder on the disk that the journal would be on, where a build is: not in memory, as `/tmp` may be.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("bench").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// The program that cargo built; `MOONBELL_BENCH_BINARY` puts another build in its place, to compare the two.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("MOONBELL_BENCH_BINARY")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_moonbell")), PathBuf::from)
}

/// `moonbell run` on these scripts, (name, text) each.
pub(crate) async fn moonbell<'a>(scripts: impl IntoIterator<Item = (String, &'a str)>) -> Bot {
    let gateway = Gateway::start().await;
    let process = start_moonbell(gateway.base(), scripts);
    connected("moonbell", gateway, process).await
}

pub(crate) fn start_moonbell<'a>(
    base: &str,
    scripts: impl IntoIterator<Item = (String, &'a str)>,
) -> Process {
    let dir = folder();
    let folder = dir.path().join("scripts");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in scripts {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let settings = format!(
        r#"
[dingtalk]
client_id = "dingbench"
client_secret = "secret"
api_base = "{base}"
oapi_base = "{base}"
card_template = "bench.schema"
[scripts]
dir = '{}'
[state]
dir = '{}'
[console]
listen = "127.0.0.1:0"
[budget]
api_calls = "unlimited"
pushes = "unlimited"
[access]
owner = "nobody"
[access.roles]
guest = ["*"]
"#,
        folder.display(),
        dir.path().join("state").display(),
    );
    let file = dir.path().join("moonbell.toml");
    std::fs::write(&file, settings).unwrap();
    let mut command = Command::new(binary());
    command.arg("run").arg("--config").arg(file);
    Process::start(command, dir)
}

/// `moonbell dev` on these scripts.
pub(crate) fn start_dev<'a>(scripts: impl IntoIterator<Item = (String, &'a str)>) -> Process {
    let dir = folder();
    let folder = dir.path().join("scripts");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in scripts {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let file = dir.path().join("moonbell.toml");
    std::fs::write(&file, format!("[state]\ndir = '{}'\n", dir.path().join("state").display()))
        .unwrap();
    let mut command = Command::new(binary());
    command.args(["dev", "--port", "0", "--scripts"]).arg(folder).arg("--config").arg(file);
    Process::start(command, dir)
}

/// A host that is as fast with cards as it can: this program again, see [`crate::host::run`].
pub(crate) async fn without_card_pace() -> Bot {
    let gateway = Gateway::start().await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(crate::host::ARGUMENT).arg(gateway.base());
    let process = Process::start(command, folder());
    connected("moonbell, no card pace", gateway, process).await
}

/// A WebSocket client that neither journals nor runs a script: this program again, see [`crate::raw`].
pub(crate) async fn raw() -> Bot {
    let gateway = Gateway::start().await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(crate::raw::ARGUMENT).arg(gateway.base());
    let process = Process::start(command, folder());
    connected("raw client", gateway, process).await
}

/// The SDKs that are installed; the others are named with the way to get them.
pub(crate) async fn rivals() -> Vec<Bot> {
    let mut bots = Vec::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sdk = "run `tests/run --prepare`, which installs it";
    if let Some(python) =
        installed("MOONBELL_TEST_PYTHON", "target/test-tools/python/bin/python", "Python SDK", sdk)
    {
        let mut command = Command::new(python);
        command.arg(here.join("benches/rivals/python/echo.py"));
        bots.push(rival("Python SDK", command).await);
    }
    if let Some(modules) = installed(
        "MOONBELL_TEST_NODE_MODULES",
        "target/test-tools/node/node_modules",
        "Node SDK",
        sdk,
    ) {
        let mut command = Command::new("node");
        command.arg(here.join("benches/rivals/node/echo.cjs")).env("NODE_PATH", modules);
        bots.push(rival("Node SDK", command).await);
    }
    let built = "run `cargo build --release --manifest-path benches/rivals/rust/Cargo.toml --target-dir target/rivals`";
    if let Some(program) = installed(
        "MOONBELL_BENCH_RUST_RIVAL",
        "target/rivals/release/rival",
        "crate dingtalk-stream",
        built,
    ) {
        bots.push(rival("crate dingtalk-stream", Command::new(program)).await);
    }
    bots
}

fn installed(variable: &str, default: &str, name: &str, hint: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join(default);
    let path = std::env::var_os(variable).map_or(default, PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    println!("{name} is left out: no `{}`; {hint}, or set {variable}", path.display());
    None
}

async fn rival(name: &'static str, mut command: Command) -> Bot {
    let gateway = Gateway::start().await;
    command.env("DINGTALK_OPENAPI_ENDPOINT", gateway.base());
    let process = Process::start(command, folder());
    connected(name, gateway, process).await
}

async fn connected(name: &'static str, gateway: Gateway, process: Process) -> Bot {
    assert!(
        gateway.connected().await.is_some(),
        "{name} did not connect; it said:
{}",
        process.log()
    );
    Bot { name, gateway, process }
}
