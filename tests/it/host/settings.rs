//! Settings that are edited while the host runs.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use moonbell::sim::{FaultOrder, Say};
use serde_json::Value;

use super::process::{HostProcess, bare, settings};
use super::stage::{ALICE, OWNER, STRANGER, Setup, Stage};

/// A host, and its settings file to be edited.
pub(super) struct Edited {
    pub(super) host: HostProcess,
    text: String,
}

impl Edited {
    /// Starts with the settings of the stage and `more` of them.
    pub(super) async fn start(stage: Stage, more: &str) -> Self {
        let path = settings(&stage);
        let text = fs::read_to_string(&path).unwrap() + more;
        write(&stage, "bot.toml", &text);
        let mut command = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
        command.args(["run", "--config"]).arg(path);
        let host = HostProcess::started(command.spawn().unwrap(), stage).await;
        Self { host, text }
    }

    /// Saves the file with this in the place of that.
    #[track_caller]
    pub(super) fn edit(&mut self, from: &str, to: &str) {
        assert!(self.text.contains(from), "{from} is not in\n{}", self.text);
        self.text = self.text.replace(from, to);
        write(&self.host, "bot.toml", &self.text);
    }

    /// `moonbell status --json`, without touching the settings.
    pub(super) fn status(&self) -> Value {
        let mut command = bare(&self.host, env!("CARGO_BIN_EXE_moonbell"));
        command.args(["status", "--json", "--config"]).arg(self.host.path("elsewhere.toml"));
        let state = self.host.state_dir();
        write(
            &self.host,
            "elsewhere.toml",
            &format!("[state]\ndir = {:?}\n", state.to_str().unwrap()),
        );
        let said = command.stdout(Stdio::piped()).output().unwrap().stdout;
        serde_json::from_slice(&said).unwrap_or_default()
    }

    #[track_caller]
    pub(super) fn until_status(&self, wanted: impl Fn(&Value) -> bool) -> impl Future<Output = ()> {
        self.host.until_true("the status says so", move || wanted(&self.status()["settings"]))
    }
}

/// In one step, for its owner alone, as `init` and good editors do.
pub(super) fn write(stage: &Stage, name: &str, text: &str) {
    let fresh = stage.path("fresh");
    fs::write(&fresh, text).unwrap();
    fs::set_permissions(&fresh, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::rename(fresh, stage.path(name)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_given_or_taken_in_the_settings_counts_at_once() {
    let mut edited = Edited::start(Setup::new().stage().await, "").await;
    let host = &edited.host;
    host.say(STRANGER, "echo let me in");
    host.until("refused", |seen| seen.to(STRANGER).len() == 1).await;
    let guests = format!("{ALICE:?}, ");
    edited.edit(&guests, &format!("{ALICE:?}, {STRANGER:?}, "));
    let host = &edited.host;
    host.until_true("it was read", || {
        host.lines("err").join("\n").contains("count now: access.roles.guest")
    })
    .await;
    host.say(STRANGER, "echo I am in");
    host.until("served", |seen| seen.to(STRANGER).contains(&"I am in")).await;

    // Whoever loses the role is stopped in what they do.
    let _gate = host.hold("long");
    host.say(ALICE, "hold long");
    host.entered(&["long"]).await;
    edited.edit(&guests, "");
    let host = &edited.host;
    host.until("stopped", |seen| !seen.to(ALICE).is_empty()).await;
    assert!(!host.look(|seen| seen.to(ALICE).contains(&"released long")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_with_a_mistake_changes_nothing_and_the_owner_is_told_once() {
    let mut edited = Edited::start(Setup::new().stage().await, "").await;
    edited.edit("[access]", "[access]\nownr = \"x\"");
    edited
        .until_status(|settings| {
            settings["error"].as_str().is_some_and(|e| e.contains("`access.ownr`"))
        })
        .await;
    edited.host.until("the owner is told", |seen| seen.to(OWNER).len() == 1).await;
    edited.edit("ownr = \"x\"", "ownr = \"y\"\nrules = 1");
    edited
        .until_status(|settings| settings["error"].as_str().is_some_and(|e| e.contains("rules")))
        .await;
    // Those of before count.
    edited.host.say(ALICE, "echo still here");
    edited.host.until("she is served", |seen| seen.to(ALICE) == ["still here"]).await;
    edited.edit("ownr = \"y\"\nrules = 1", "");
    edited.until_status(|settings| settings["error"].is_null()).await;
    edited.host.until("all is well again", |seen| seen.to(OWNER).len() == 2).await;
    let (bad, good) = edited.host.look(|seen| {
        let told = seen.to(OWNER);
        (told[0].to_owned(), told[1].to_owned())
    });
    assert!(bad.contains("bot.toml:") && bad.contains("did you mean `owner`?"), "{bad}");
    assert!(good.contains("sound again"), "{good}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_told_in_the_language_of_the_owner_and_of_whoever_asks_for_the_status() {
    let mut edited = Edited::start(Setup::new().stage().await, "").await;
    edited.host.say(OWNER, "language zh");
    edited.host.until("it is chosen", |seen| seen.to(OWNER).len() == 1).await;
    edited.edit("[access]", "[access]\nownr = \"x\"");
    edited.host.until("the owner is told", |seen| seen.to(OWNER).len() == 2).await;
    let told = edited.host.look(|seen| seen.to(OWNER)[1].to_owned());
    for chinese in ["设置文件改错了", "没有 `access.ownr` 这个键", "提示：是不是 `owner`？"]
    {
        assert!(told.contains(chinese), "{chinese}: {told}");
    }
    let status = |lang: &str| {
        let mut command = bare(&edited.host, env!("CARGO_BIN_EXE_moonbell"));
        command.args(["status", "--config"]).arg(edited.host.path("elsewhere.toml"));
        String::from_utf8(command.env("LANG", lang).stdout(Stdio::piped()).output().unwrap().stdout)
    };
    // Writes that file.
    assert!(edited.status()["settings"]["error"].as_str().unwrap().contains("unknown key"));
    let (chinese, english) = (status("zh_CN.UTF-8").unwrap(), status("C").unwrap());
    assert!(chinese.contains("没有 `access.ownr` 这个键"), "{chinese}");
    assert!(english.contains("unknown key `access.ownr`"), "{english}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_from_the_next_start_on_is_named_until_it_is_taken_back() {
    let mut edited =
        Edited::start(Setup::new().stage().await, "\n[shutdown]\ndeadline = \"3s\"\n").await;
    edited.edit("deadline = \"3s\"", "deadline = \"4s\"");
    edited
        .until_status(|settings| settings["restart"] == serde_json::json!(["shutdown.deadline"]))
        .await;
    edited.edit("deadline = \"4s\"", "deadline = \"3s\"");
    edited.until_status(|settings| settings["restart"] == serde_json::json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_raised_counts_at_once() {
    let mut edited = Edited::start(Setup::new().stage().await, "").await;
    edited.edit("api_calls = 0", "api_calls = 70000");
    let host = &edited.host;
    host.until_true("it counts", || edited.status()["budget"]["api_calls"]["limit"] == 70_000)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_more_from_the_moment_that_the_settings_ask_for_it() {
    let mut edited =
        Edited::start(Setup::new().stage().await, "\n[log]\nfilter = \"warn\"\n").await;
    let logged = |edited: &Edited, what: &str| edited.host.lines("err").join("\n").contains(what);
    assert!(!logged(&edited, " info "), "connecting is told at `info`");
    edited.edit("filter = \"warn\"", "filter = \"debug\"");
    edited.host.until_true("more is logged", || logged(&edited, "count now: log.filter")).await;
    edited.edit("filter = \"debug\"", "filter = \"loud\"");
    edited
        .until_status(|settings| settings["error"].as_str().is_some_and(|e| e.contains("`loud`")))
        .await;
}

const SHOWS: &str = r#"
bot.command("show", function(ctx)
    local key = assert(secret.get("key"))
    shell.run{ "sh", "-c", 'printf "%s\n" "$KEY" >> "$WHERE"', env = { KEY = key, WHERE = "{home}/held" } }
    ctx:reply(shell.run{ "cat", "{home}/held" }.out)
end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_scripts_that_is_rotated_is_used_at_once_and_neither_is_shown() {
    let stage = Setup::new().script("shows.luau", SHOWS).stage().await;
    write(&stage, ".key", "first-value-of-it");
    let edited = Edited::start(stage, "\n[secrets]\nkey = { file = \".key\" }\n").await;
    let host = &edited.host;
    host.say(ALICE, "show");
    host.until("shown once", |seen| seen.to(ALICE).len() == 1).await;
    write(host, ".key", "second-value-of-it");
    host.until_true("it was read", || {
        host.lines("err").join("\n").contains("count now: secrets.key")
    })
    .await;
    host.say(ALICE, "show");
    host.until("shown twice", |seen| seen.to(ALICE).len() == 2).await;
    assert_eq!(host.lines("held"), ["first-value-of-it", "second-value-of-it"]);
    assert_eq!(host.look(|seen| seen.to(ALICE)[1].trim().to_owned()), "***\n***");
    assert!(!host.lines("err").join("\n").contains("value-of-it"));
}

/// What the gateway says to a program that has this secret.
pub(super) async fn asks(stage: &Stage, secret: &str) -> u16 {
    let body = serde_json::json!({ "appKey": stage.sim.client_id(), "appSecret": secret });
    let url = format!("{}/v1.0/oauth2/accessToken", stage.sim.api_base());
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.post(url).json(&body).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_wrong_is_put_right_without_a_restart() {
    let stage = Setup::new().stage().await;
    write(&stage, "app-secret", "simulator-secret-wrong");
    let path = settings(&stage);
    let secret = format!("client_secret = {:?}", stage.sim.client_secret());
    let text = fs::read_to_string(&path).unwrap();
    write(&stage, "bot.toml", &text.replace(&secret, "client_secret = { file = \"app-secret\" }"));
    let mut command = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
    command.args(["run", "--config"]).arg(&path);
    let child = command.spawn().unwrap();
    stage
        .until_true("it was refused", || {
            stage.lines("err").join("\n").contains("DingTalk refuses this app")
        })
        .await;
    write(&stage, "app-secret", &stage.sim.client_secret());
    let host = HostProcess::started(child, stage).await;
    host.say(ALICE, "echo at last");
    host.until("it serves", |seen| seen.to(ALICE) == ["at last"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_dingtalk_refuses_changes_nothing_and_is_said() {
    let stage = Setup::new().stage().await;
    write(&stage, "app-secret", &stage.sim.client_secret());
    let path = settings(&stage);
    let secret = format!("client_secret = {:?}", stage.sim.client_secret());
    let text = fs::read_to_string(&path).unwrap();
    write(&stage, "bot.toml", &text.replace(&secret, "client_secret = { file = \"app-secret\" }"));
    let mut command = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
    command.args(["run", "--config"]).arg(&path);
    let host = HostProcess::started(command.spawn().unwrap(), stage).await;
    write(&host, "app-secret", "simulator-secret-wrong");
    host.until("the owner is told", |seen| {
        seen.to(OWNER).iter().any(|said| said.contains("DingTalk refuses it for the app"))
    })
    .await;
    host.say(ALICE, "echo still here");
    host.until("it serves as before", |seen| seen.to(ALICE) == ["still here"]).await;
    assert_eq!(host.sim.state().counters.connections_opened, 1);
    write(&host, "app-secret", &host.sim.client_secret());
    host.until_true("it is sound again", || {
        host.lines("err").join("\n").contains("the settings are sound again")
    })
    .await;
    host.terminate().await;
}

pub(super) fn rotate(stage: &Stage, secret: &str) {
    let client_secret = Some(secret.to_owned());
    stage.sim.faults(&FaultOrder { client_secret, ..FaultOrder::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_lowered_counts_for_the_next_run_and_what_needs_a_start_is_named() {
    let mut edited = Edited::start(Setup::new().stage().await, "").await;
    let host = &edited.host;
    let _gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    edited.edit("person_runs = 0", "person_runs = 1\nmemory_mb = 32");
    let host = &edited.host;
    host.until_true("it was read", || {
        host.lines("err").join("\n").contains("count now: limits.person_runs")
    })
    .await;
    edited
        .until_status(|settings| settings["restart"] == serde_json::json!(["limits.memory_mb"]))
        .await;
    let host = &edited.host;
    host.say_in(0, ALICE, "echo one too many");
    host.until("she has one already", |seen| {
        seen.in_group(0).iter().any(|text| text.starts_with("You have 1 runs under way"))
    })
    .await;
    edited.edit("person_runs = 1\nmemory_mb = 32", "person_runs = 0");
    edited.until_status(|settings| settings["restart"] == serde_json::json!([])).await;
    let host = &edited.host;
    host.say_in(0, ALICE, "echo let me in");
    host.until("there is room again", |seen| seen.in_group(0).contains(&"let me in")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_cards_are_shown_changes_with_the_next_card() {
    let script = r#"bot.command("show", function(ctx) ctx:stream({ "seq", "1", "20000" }) end)"#;
    let stage = Setup::new().script("show.luau", script).stage().await;
    let mut edited = Edited::start(stage, "[cards]\nattach = \"never\"\n").await;
    let files = |edited: &Edited| {
        let sim = edited.host.sim.state();
        sim.messages.iter().filter(|message| !message.files.is_empty()).count()
    };
    edited.host.say(OWNER, "show");
    edited.host.until("a card", |seen| seen.to(OWNER).len() == 1).await;
    edited.host.until("it has ended", |seen| seen.to(OWNER)[0].contains("exit 0")).await;
    assert_eq!(files(&edited), 0);
    edited.edit("attach = \"never\"", "attach = \"always\"");
    let host = &edited.host;
    host.until_true("it was read", || {
        host.lines("err").join("\n").contains("count now: cards.attach")
    })
    .await;
    host.say(OWNER, "show");
    host.until_true("the output is attached", || files(&edited) == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_late_and_when_an_outage_is_told_of_change_without_a_restart() {
    let stage = Setup::new().stage().await;
    let more = "\n[connection]\nlate_after = \"2h\"\ntell_after = \"3h\"\n";
    let mut edited = Edited::start(stage, more).await;
    let hour = Duration::from_hours(1);
    let host = &edited.host;
    host.sim.say(&Say::direct(ALICE, "trace an-hour-ago").sent_ago(hour)).unwrap();
    host.until("it is not late", |seen| seen.to(ALICE) == ["did an-hour-ago"]).await;
    edited.edit("late_after = \"2h\"", "late_after = \"30m\"");
    edited.edit("tell_after = \"3h\"", "tell_after = \"4h\"");
    let host = &edited.host;
    host.until_true("both were read", || {
        let log = host.lines("err").join("\n");
        ["late_after", "tell_after"]
            .iter()
            .all(|key| log.lines().any(|line| line.contains("count now") && line.contains(key)))
    })
    .await;
    host.sim.say(&Say::direct(ALICE, "trace as-long-ago").sent_ago(hour)).unwrap();
    host.until("she is told", |seen| seen.to(ALICE).len() == 2).await;
    assert_eq!(host.lines("ran"), ["an-hour-ago"]);
    edited.until_status(|settings| settings["restart"] == serde_json::json!([])).await;
    assert_eq!(edited.host.sim.state().counters.connections_opened, 1);
}
