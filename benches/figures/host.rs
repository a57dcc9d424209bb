//! The host inside this process, where its clock can be read: `os.clock()` of a script against our own.

use std::path::Path;
use std::time::{Duration, Instant};

use moonbell::app::App;
use moonbell::config::{Access, Budget, Config, Secret};
use moonbell::message::StaffId;
use tokio_util::sync::CancellationToken;

use crate::bots;
use crate::gateway::{Answer, Gateway};

/// Answers when its handler was entered.
pub(crate) const NOW: &str =
    r#"bot.command("now", function(ctx) ctx:reply(string.format("%.7f", os.clock())) end)"#;

/// This program as a host whose cards keep no pace: DingTalk's limit on calls is not what is measured.
pub(crate) const ARGUMENT: &str = "--host-without-card-pace";

/// Serves the gateway at `base` until the process is killed.
pub(crate) fn run(base: &str, script: &str) {
    let dir = bots::folder();
    let mut config = config(base, dir.path(), [("script.luau".to_owned(), script)]);
    config.dingtalk.card_template = Some("bench.schema".to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let app = App::open(config, "bench", None).await.unwrap().card_pace(1e9);
        app.run(CancellationToken::new()).await.unwrap();
    });
}

fn config<'a>(
    base: &str,
    dir: &Path,
    scripts: impl IntoIterator<Item = (String, &'a str)>,
) -> Config {
    let folder = dir.join("scripts");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in scripts {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let mut config = Config::new(folder, dir.join("state"));
    "dingbench".clone_into(&mut config.dingtalk.client_id);
    config.dingtalk.client_secret = Secret::new("secret");
    config.dingtalk.api_base = base.parse().unwrap();
    config.dingtalk.oapi_base = base.parse().unwrap();
    config.budget = Budget::unlimited();
    config.limits = config.limits.for_anybody();
    config.console.listen.set_port(0);
    config.access = Access {
        owner: Some(StaffId::new("nobody")),
        roles: [("guest".to_owned(), vec!["*".to_owned()])].into(),
    };
    config
}

/// A host on a thread and runtimes of its own; ends with this.
pub(crate) struct Host {
    pub(crate) gateway: Gateway,
    /// `os.clock()` was zero then.
    zero: Instant,
    stop: CancellationToken,
    running: Option<std::thread::JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Host {
    pub(crate) async fn start<'a>(scripts: impl IntoIterator<Item = (String, &'a str)>) -> Self {
        let gateway = Gateway::start().await;
        let dir = bots::folder();
        let config = config(gateway.base(), dir.path(), scripts);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let running = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                App::open(config, "bench", None).await.unwrap().run(stopped).await.unwrap();
            });
        });
        gateway.connected().await.expect("the host connects");
        Self { gateway, zero: zero(), stop, running: Some(running), _dir: dir }
    }

    /// How long after its frame was written the handler of [`NOW`] was entered.
    pub(crate) fn entered(&self, answer: &Answer) -> Duration {
        let clock: f64 = answer.text().parse().expect("`now` answers with a number");
        (self.zero + Duration::from_secs_f64(clock)).saturating_duration_since(answer.written)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}

/// The moment at which `os.clock()` of all Luau in this process is zero, to within a microsecond: of several looks the
/// one that took least.
fn zero() -> Instant {
    let lua = mlua::Lua::new();
    let clock: mlua::Function = lua.load("return os.clock()").into_function().unwrap();
    (0..200)
        .map(|_| {
            let before = Instant::now();
            let seconds: f64 = clock.call(()).unwrap();
            let took = before.elapsed();
            let zero = (before + took / 2).checked_sub(Duration::from_secs_f64(seconds));
            (took, zero.expect("the clock of Luau began after this computer started"))
        })
        .min_by_key(|(took, _)| *took)
        .unwrap()
        .1
}
