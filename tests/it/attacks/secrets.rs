//! Group D: nothing that is written anywhere holds a secret.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use moonbell::sim::{FaultOrder, HttpFault, HttpFaultKind, RawFrame, Say};

use super::super::console::contact;
use super::super::process::{HostProcess, bare, command, settings};
use super::super::stage::{ALICE, OWNER, Setup, Stage};
use super::{moonbell, text};

const VALUE: &str = "s3cr3t/Of+the b0t";

/// What would give it away: the whole of it, and the middles of its base64 at each place in a text.
const FORMS: [&str; 12] = [
    VALUE,
    "S3CR3T/OF+THE B0T",
    "t0b eht+fO/t3rc3s",
    "czNjcjN0L09mK3RoZSBiMHQ",
    "MzY3IzdC9PZit0aGUgYjB0",
    "zM2NyM3QvT2YrdGhlIGIwd",
    "czNjcjN0L09mK3RoZSBi",
    "7333637233742f4f66",
    "7333637233742F4F66",
    "73 33 63 72",
    "s3cr3t%2FOf%2Bthe",
    "s3cr3t\\/Of",
];

/// Prints what it is told to a program that has the secret in its environment.
const LEAKY: &str = r#"
local key = assert(secret.get("key"))
local function sh(script)
    return shell.run{ "sh", "-c", script, env = { KEY = key } }.out
end

bot.command("look", function(ctx)
    -- Its own environment and words, those of the host, the settings, every process.
    ctx:reply("env\n" .. sh("env; cat /proc/$PPID/environ | tr '\\0' '\\n'"))
    ctx:reply("words\n" .. shell.run{ "sh", "-c", 'tr "\\0" " " < /proc/$$/cmdline', "x", "{value}" }.out)
    ctx:reply("processes\n" .. shell.run{ "sh", "-c", "ps -eo args | grep -F -e '{value}' -e moonbell | head -50", "x", "{value}" }.out)
    ctx:reply("settings\n" .. sh("cat {home}/bot.toml"))
    ctx:reply("console\n" .. sh("cat {home}/state/console.json"))
end)

local ways = {
    'printf %s "$KEY"',
    'printf %s "$KEY" | tr a-z A-Z',
    'printf %s "$KEY" | rev',
    'printf %s "$KEY" | base64',
    'printf "u:%s" "$KEY" | base64',
    'printf "us:%s and more" "$KEY" | base64',
    'printf "use:%s" "$KEY" | base64 -w 11',
    'printf %s "$KEY" | base64 | tr "+/" "-_"',
    'printf %s "$KEY" | od -An -tx1',
    'printf %s "$KEY" | od -An -tx1 | tr -d " \n"',
    'printf %s "$KEY" | od -An -tx1 | tr -d " \n" | tr a-f A-F',
    'printf %s "$KEY" | sed "s|/|%2F|g; s|+|%2B|g; s| |%20|g"',
    [[printf %s "$KEY" | sed 's/./&\x1b[1m/g']],
    [[printf %s "$KEY" | sed 's/./&\xe2\x80\x8b/g']],
    [[printf %s "$KEY" | sed 's/./&\n/g']],
    [[printf %s "$KEY" | sed 's/cr/c\x1b]0;title\x07r/']],
    [[printf '\033]8;;http://x/%s\033\\here\033]8;;\033\\' "$KEY"]],
}
bot.command("ways", function(ctx)
    for n, way in ways do
        local out = sh(way)
        ctx:reply(`way {n}: {out}`)
        ctx:reply{ markdown = `way {n}: {out}`, title = out }
        log.info(`way {n}: {out}`, { out = out })
    end
    local card = ctx:card{ title = sh(ways[1]) }
    for n, way in ways do card:append(`way {n}: {sh(way)}\n\n`) end
    card:progress(0.5, sh(ways[4]))
    card:finish()
end)
bot.command("streamed", function(ctx)
    ctx:stream{ "sh", "-c", table.concat(ways, "; echo; "), env = { KEY = key }, title = "all ways" }
end)
-- Half of it, a look of everybody at the card, then the rest.
bot.command("halves", function(ctx)
    ctx:stream{ "sh", "-c", 'printf "it is %s" "${KEY%the b0t}"; echo halves >> {home}/entered; cat {home}/half.gate; echo "the b0t."', env = { KEY = key }, title = "halves" }
end)
bot.command("pieces", function(ctx)
    local out = sh(ways[1])
    local card = ctx:card{ title = "pieces" }
    card:append("it is " .. out:sub(1, 9))
    shell.sh("echo pieces >> {home}/entered; cat {home}/piece.gate")
    card:append(out:sub(10) .. " and no more")
    card:finish()
end)
bot.command("long", function(ctx)
    -- Over the border of two messages.
    for gap = 3780, 3800, 4 do ctx:reply(("x"):rep(gap) .. sh(ways[1]) .. ("y"):rep(200)) end
end)
bot.command("raise", function(ctx) error("it is " .. sh(ways[1]) .. " or " .. sh(ways[4])) end)
"#;

async fn leaky() -> HostProcess {
    let stage = Setup::new().script("leaky.luau", &LEAKY.replace("{value}", VALUE)).stage().await;
    let child = command(&stage)
        .env("MOONBELL_SECRETS_KEY", VALUE)
        .env("HTTPS_PROXY", "http://me:pr0xy-passw0rd@127.0.0.1:9")
        .spawn()
        .unwrap();
    HostProcess::started(child, stage).await
}

pub(super) fn files_in(dir: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            files_in(&path, into);
        } else if entry.file_type().unwrap().is_file() {
            into.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

/// Everything that this stage has written down, and what its commands print.
fn written(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("the chats and the wire".to_owned(), stage.sim.transcript().into_bytes()),
        ("the page".to_owned(), serde_json::to_vec(&stage.sim.state()).unwrap()),
        ("the wire".to_owned(), serde_json::to_vec(&stage.sim.wire(0)).unwrap()),
        ("the terminal".to_owned(), fs::read(stage.path("err")).unwrap()),
    ];
    files_in(&stage.state_dir(), &mut all);
    for words in [
        &["runs"][..],
        &["runs", "--json"],
        &["logs", "-n", "100000"],
        &["audit", "--json"],
        &["status", "--json"],
    ] {
        all.push((words.join(" "), moonbell(stage, words).stdout));
    }
    all
}

#[track_caller]
fn hold_none(all: &[(String, Vec<u8>)], secrets: &[&str]) {
    for (name, bytes) in all {
        let text = String::from_utf8_lossy(bytes);
        for secret in secrets {
            if let Some(at) = text.find(secret) {
                let from = text.floor_char_boundary(at.saturating_sub(300));
                let to = text.ceil_char_boundary((at + 300).min(text.len()));
                panic!("{name} holds `{secret}`: {}", &text[from..to]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d1_what_a_handler_finds_on_the_computer_is_shown_without_secrets() {
    let host = leaky().await;
    let (_, token) = contact(&host).await;
    host.say(OWNER, "look");
    host.until("all is said", |seen| seen.to(OWNER).iter().any(|text| text.starts_with("console")))
        .await;
    host.look(|seen| {
        let said = seen.to(OWNER).join("\n");
        assert!(said.contains("KEY=***"), "{said}");
        assert!(said.contains("MOONBELL_SECRETS_KEY=***"), "{said}");
        assert!(said.contains("client_secret = \"***\""), "{said}");
        assert!(said.contains("\"token\": \"***\""), "{said}");
        assert!(said.contains("me:***@") && !said.contains("pr0xy"), "{said}");
    });
    host.say(OWNER, "raise");
    host.until("it failed", |seen| {
        seen.to(OWNER).iter().any(|text| text.contains("it is *** or ***"))
    })
    .await;
    let secret = host.sim.client_secret();
    let all = written(&host);
    let (_, stage) = host.terminate().await;
    let told: Vec<&str> = FORMS.into_iter().chain([&*secret, "pr0xy-passw0rd"]).collect();
    // console.json is where the token is.
    let all: Vec<_> = all.into_iter().filter(|(name, _)| !name.ends_with("console.json")).collect();
    hold_none(&all, &[&told[..], &[&token]].concat());
    hold_none(&written(&stage), &told);
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_a_secret_is_known_encoded_split_and_in_pieces() {
    let host = leaky().await;
    host.say(OWNER, "ways");
    host.until("all is said", |seen| seen.to(OWNER).len() >= 35).await;
    host.say(OWNER, "streamed");
    host.until("it is shown", |seen| seen.to(OWNER).iter().any(|text| text.contains("exit 0")))
        .await;
    for (word, gate) in [("halves", "half"), ("pieces", "piece")] {
        let gate = host.hold(gate);
        host.say(OWNER, word);
        host.entered(&[word]).await;
        host.until("half of it is hidden", |seen| {
            seen.to(OWNER).iter().any(|text| text.contains(word) && text.contains("it is ***"))
        })
        .await;
        gate.open();
        let end = if word == "halves" { "it is ***." } else { "it is *** and no more" };
        host.until("all of it is hidden", |seen| {
            seen.to(OWNER).iter().any(|text| text.contains(end))
        })
        .await;
    }
    host.say(OWNER, "long");
    host.until("the pieces are there", |seen| {
        seen.to(OWNER).iter().filter(|text| text.contains("yyy")).count() >= 6
    })
    .await;
    let (_, stage) = host.terminate().await;
    let all = written(&stage);
    // Halves too: of none of them the first seven characters are to be seen.
    hold_none(&all, &[&FORMS[..], &["s3cr3t/", "+the b0t"]].concat());
    let log = stage.lines("err").join("\n");
    assert!(log.contains("way 17: ") && log.contains("way 4: ***"), "{log}");
}

/// What goes along with a message: files of the host's own, names, a reaction, a title that is cut.
const BESIDE: &str = r#"
local key = assert(secret.get("key"))
bot.command("beside", function(ctx)
    local out = shell.run{ "sh", "-c", 'printf %s "$KEY"', env = { KEY = key } }.out
    assert(ctx:react(out))
    assert(fs.write("note.odd", "a note"))
    assert(ctx:send_file("note.odd", { name = out .. ".odd" }))
    assert(fs.write("leak.txt", "the key is " .. out .. ", and that is all"))
    local ok, err = ctx:send_file("leak.txt")
    assert(not ok and err.kind == "denied" and err.message:find("holds a secret"), err)
    assert(fs.remove("leak.txt"))
    ctx:stream{ "true", title = ("t"):rep(48) .. out }
    ctx:approve({ "true", ("x "):rep(2000), env = { KEY = key }, stdin = key }, { timeout = "1s" })
    ctx:reply("all of it")
end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn d2_what_goes_along_with_a_message_holds_no_secret() {
    let setup = Setup::new().script("leaky.luau", LEAKY).script("beside.luau", BESIDE);
    let stage = setup.stage().await;
    let child = command(&stage).env("MOONBELL_SECRETS_KEY", VALUE).spawn().unwrap();
    let host = HostProcess::started(child, stage).await;
    host.say(OWNER, "beside");
    host.until("all is said", |seen| seen.to(OWNER).contains(&"all of it")).await;
    let files = host.look(|seen| {
        let sent = seen.state.messages.iter().flat_map(|message| message.files.clone());
        sent.map(|file| (file.name, file.url)).collect::<Vec<_>>()
    });
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(files[0].0, "hidden.odd.zip");
    let mut all = written(&host);
    for (name, url) in files {
        let bytes = reqwest::get(format!("{}{url}", host.sim.url())).await.unwrap();
        let bytes = bytes.bytes().await.unwrap().to_vec();
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
        let mut inside = Vec::new();
        std::io::copy(&mut archive.by_index(0).unwrap(), &mut inside).unwrap();
        all.extend([(name.clone(), bytes), (format!("in {name}"), inside)]);
    }
    let (_, inside) = all.last().unwrap();
    let inside = String::from_utf8_lossy(inside);
    assert!(inside.contains("KEY=\"***\"") && inside.contains("x x x"), "{inside}");
    hold_none(&all, &[&FORMS[..], &["s3cr3t/", "+the b0t"]].concat());
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d3_the_loudest_log_holds_no_token_no_ticket_and_no_webhook() {
    let stage = Setup::new().stage().await;
    let mut run = command(&stage);
    run.args(["--log", "trace,hyper=trace,reqwest=trace,tungstenite=trace,tokio_tungstenite=trace,rustls=trace,h2=trace"]);
    let host = HostProcess::started(run.spawn().unwrap(), stage).await;
    let gate = host.hold("a");
    host.say(ALICE, "card a");
    host.entered(&["a"]).await;
    gate.open();
    host.say(ALICE, "echo words");
    host.until("answered by webhook", |seen| seen.to(ALICE).last() == Some(&"words")).await;
    host.sim.faults(&FaultOrder { expire_webhooks: true, ..FaultOrder::default() });
    host.say(ALICE, "echo more");
    host.until("and by the API", |seen| seen.to(ALICE).contains(&"more")).await;
    let secret = host.sim.client_secret();
    let (_, stage) = host.terminate().await;
    let log = stage.lines("err").join("\n");
    assert!(log.contains("trace hyper") || log.contains("trace tungstenite"), "libraries speak");
    assert!(!log.contains(&*secret));
    // Whatever carries one shows it as ***, in each of the ways in which libraries print bytes.
    for carrier in [
        r"(?i)access-?token[^a-z0-9*]{1,12}[a-z0-9]{8}",
        r"(?i)(session|ticket|access_token)(=|%3D)[^*&\s]",
        r#"(?i)\\*"(ticket|accessToken|clientSecret|appSecret)\\*"\s*:\s*\\*"[^*\\"]"#,
    ] {
        let found = regex::Regex::new(carrier).unwrap();
        if let Some(found) = found.find(&log) {
            let from = log.floor_char_boundary(found.start().saturating_sub(200));
            let to = log.ceil_char_boundary((found.end() + 200).min(log.len()));
            panic!("{carrier}: {}", &log[from..to]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_an_error_that_echoes_the_request_tells_no_secret() {
    let host = Setup::new().spawn().await;
    let secret = host.sim.client_secret();
    let echo = format!(
        "bad request {{\"clientSecret\":\"{secret}\",\"ticket\":\"tick-5512\"}} to https://oapi.dingtalk.com/robot/sendBySession?session=sess-7741 \u{1b}[2J"
    );
    host.sim.faults(&FaultOrder {
        http: vec![HttpFault::new(HttpFaultKind::Echo { message: echo }).calls(40)],
        ..FaultOrder::default()
    });
    host.say(ALICE, "echo hi");
    host.until_true("the refusal is told", || {
        host.lines("err").iter().any(|line| line.contains("bad request"))
    })
    .await;
    let (_, stage) = host.terminate().await;
    let all: Vec<_> = written(&stage)
        .into_iter()
        // The simulator knows what it was told to say.
        .filter(|(name, _)| !name.starts_with("the ") || name == "the terminal")
        .collect();
    hold_none(&all, &[&secret, "tick-5512", "sess-7741", "\u{1b}[2J"]);
    stage.look(|seen| {
        let said = seen.all().join("\n");
        assert!(!said.contains("tick-5512") && !said.contains(&*secret), "{said}");
    });
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn d7_whatever_the_umask_only_the_owner_reads_the_state() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Setup::new().script("leaky.luau", &LEAKY.replace("{value}", VALUE)).stage().await;
    let file = settings(&stage);
    let mut run = bare(&stage, "sh");
    run.args([
        "-c",
        "umask 000; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_moonbell"),
        "run",
        "--config",
    ]);
    let child = run.arg(file).env("MOONBELL_SECRETS_KEY", VALUE).spawn().unwrap();
    let host = HostProcess::started(child, stage).await;
    contact(&host).await;
    host.say(OWNER, "streamed");
    host.until("a card", |seen| seen.to(OWNER).iter().any(|text| text.contains("exit 0"))).await;
    let upload = host.sim.upload("report.txt", &b"content"[..]);
    host.write(
        "saves.luau",
        "bot.fallback(function(ctx) assert(ctx.message.files[1]:save()) ctx:reply('saved') end)",
    );
    host.sim.say(&Say::direct(OWNER, "").with_file(upload)).unwrap();
    host.say(OWNER, "lock");
    host.until_true("it is locked", || host.state_dir().join("locked").exists()).await;
    let check = |stage: &Stage| {
        let mut all = vec![stage.state_dir()];
        let mut seen = 0;
        while let Some(path) = all.pop() {
            let about = fs::symlink_metadata(&path).unwrap();
            assert_eq!(about.permissions().mode() & 0o077, 0, "{}", path.display());
            seen += 1;
            // What scripts keep is theirs; nobody else gets into the folder above it.
            if about.is_dir() && path != stage.state_dir().join("files") {
                all.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        seen
    };
    assert!(check(&host) > 8);
    let (_, stage) = host.terminate().await;
    check(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn d8_the_address_of_a_webhook_is_shown_without_its_key_and_moves_nothing() {
    let host = Setup::new().spawn().await;
    host.say(ALICE, "echo first");
    host.until("an answer", |seen| seen.to(ALICE) == ["first"]).await;
    let wire = serde_json::to_string(&host.sim.wire(0)).unwrap();
    // The wire log of the simulator blanks them, too; a frame of the real one is asked for.
    assert!(!wire.contains("session=a"), "{wire}");
    let own = format!("{}/robot/sendBySession?session=abcdef0123456789", host.sim.oapi_base());
    let other =
        "https://oapi.dingtalk.com/robot/send?access_token=0123456789abcdef0123456789abcdef";
    host.say(ALICE, &format!("echo see {own} and {other}"));
    host.until("they are shown without keys", |seen| {
        seen.to(ALICE).last().is_some_and(|text| {
            text.contains("sendBySession?session=***") && text.contains("send?access_token=***")
        })
    })
    .await;
    // Whoever has one speaks as the bot, and is heard by people, not by the bot.
    let rows = host.journal("SELECT count(*) FROM inbox");
    let frame = serde_json::json!({
        "specVersion": "1.0", "type": "CALLBACK",
        "headers": { "topic": "/v1.0/im/bot/messages/get", "messageId": "x1", "contentType": "application/json" },
        "data": serde_json::json!({ "msgtype": "text", "text": { "content": "trace leaked" } }).to_string(),
    });
    host.sim.raw(RawFrame::Text(frame.to_string())).unwrap();
    host.say(ALICE, "echo last");
    host.until("the host goes on", |seen| seen.to(ALICE).last() == Some(&"last")).await;
    assert_eq!(host.journal("SELECT count(*) FROM inbox"), rows + 1);
    let (_, stage) = host.terminate().await;
    assert!(stage.lines("ran").is_empty());
    let shown: Vec<_> = written(&stage)
        .into_iter()
        // What Alice wrote stays what she wrote, in her chat and in the journal.
        .filter(|(name, _)| {
            name == "the terminal"
                || Path::new(name).extension().is_some_and(|extension| extension == "log")
                || name.contains("audit")
        })
        .collect();
    hold_none(&shown, &["abcdef0123456789"]);
}

/// Panics in a process of its own, which is this binary again.
#[test]
fn d1_a_panic_is_reported_without_secrets() {
    const PLACE: &str = "MOONBELL_TEST_PANICS_IN";
    if let Some(state) = std::env::var_os(PLACE) {
        moonbell::telemetry::file::keep(Path::new(&state)).unwrap();
        moonbell::sink::hide(VALUE);
        moonbell::telemetry::panics::report(|what| eprintln!("told: {what}"));
        let _ = std::thread::spawn(|| panic!("it held {VALUE} and \u{1b}[2J more")).join();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "host::attacks::secrets::d1_a_panic_is_reported_without_secrets",
            "--nocapture",
        ])
        .env(PLACE, dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = text(&output);
    assert!(
        told.contains("moonbell failed inside at ")
            && told.contains("it held *** and \\u{1b}[2J more"),
        "{told}"
    );
    let reports: Vec<_> = fs::read_dir(dir.path().join("crashes"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(reports.len(), 1);
    let report = fs::read_to_string(&reports[0]).unwrap();
    assert!(report.contains("it held ***") && report.lines().count() > 5, "{report}");
    hold_none(
        &[("told".to_owned(), told.into_bytes()), ("report".to_owned(), report.into_bytes())],
        &FORMS,
    );
}
