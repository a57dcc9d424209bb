//! What people send to the bot: fetched, named safely, kept for a while; and reactions on what they wrote.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use moonbell::sim::{FaultOrder, HttpFault, HttpFaultKind, Say};
use serde_json::{Value, json};

use super::process::HostProcess;
use super::stage::{ALICE, Setup};

/// Saves every file of a message and of what it quotes, as the test says in a file.
const SAVER: &str = r#"
local function save(ctx, file, options)
    local saved, err = file:save(options)
    if saved then
        assert(file.kind ~= nil and fs.exists(saved.path))
        ctx:reply(json.encode({ name = saved.name, size = saved.size, type = saved.type, path = saved.path, sent = file.name }))
    else
        assert(err.message ~= "" and not err.message:find("Signature") and not err.message:find("/res/"), err.message)
        ctx:reply(json.encode({ kind = err.kind, message = err.message }))
    end
end

bot.fallback(function(ctx)
    local text = fs.read("{home}/options.json")
    local options = if text then json.decode(text) else nil
    for _, file in ctx.message.files do save(ctx, file, options) end
    if ctx.message.quoted then
        for _, file in ctx.message.quoted.files do save(ctx, file, options) end
    end
end)
"#;

async fn saver() -> HostProcess {
    Setup::new().script("saver.luau", SAVER).spawn().await
}

impl HostProcess {
    fn inbox(&self) -> PathBuf {
        let today = chrono::Local::now().date_naive().to_string();
        self.state_dir().join("files/saver/inbox").join(today)
    }

    fn options(&self, options: &Value) {
        fs::write(self.path("options.json"), options.to_string()).unwrap();
    }

    /// Alice sends a file; returns what the handler says about it.
    async fn sends(&self, name: &str, content: &[u8]) -> Value {
        let upload = self.sim.upload(name, content.to_vec());
        self.says(&Say::direct(ALICE, "").with_file(upload)).await
    }

    async fn says(&self, say: &Say) -> Value {
        let before = self.look(|seen| seen.to(ALICE).len());
        self.sim.say(say).unwrap();
        self.until("an answer", |seen| seen.to(ALICE).len() > before).await;
        self.look(|seen| serde_json::from_str(seen.to(ALICE)[before]).unwrap())
    }

    /// Everything that is in the inbox of today, temporary files too.
    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.inbox()) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn c3_files_land_in_the_inbox_of_the_day_under_safe_names() {
    let host = saver().await;
    let said = host.sends("季度报告 v2.pdf", b"%PDF-1.4 one").await;
    let path = host.inbox().join("季度报告 v2.pdf");
    assert_eq!(said["path"], path.canonicalize().unwrap().to_str().unwrap());
    assert_eq!((said["size"].as_u64(), said["type"].as_str()), (Some(12), Some("application/pdf")));
    assert_eq!(fs::read(&path).unwrap(), b"%PDF-1.4 one");
    // The same name again is another file.
    assert_eq!(host.sends("季度报告 v2.pdf", b"%PDF-1.4 two").await["name"], "季度报告 v2-2.pdf");
    assert_eq!(fs::read(&path).unwrap(), b"%PDF-1.4 one");
    for (name, expected) in [
        ("../../x", "x"),
        ("..\\..\\y.txt", "y.txt"),
        ("/etc/passwd", "passwd"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("photo\u{202e}gpj.exe", "photogpj.exe"),
        ("a\u{1b}]0;b\u{7}.log", "a.log"),
        (".bashrc", "bashrc"),
        ("evil.luau", "evil.luau"),
        ("~", "_~"),
        ("..", "file"),
    ] {
        let said = host.sends(name, b"x").await;
        assert_eq!(said["name"], expected, "{name:?}: {said}");
        // A script sees what was claimed; a chat shows it without what turns its reading direction.
        assert_eq!(said["sent"], name.replace('\u{202e}', ""), "{name:?}");
        assert!(host.inbox().join(expected).is_file());
    }
    let long = host.sends(&format!("{}.csv", "长".repeat(3_000)), b"a,b").await;
    assert!(long["name"].as_str().unwrap().len() <= 120 && long["type"] == "text/csv", "{long}");
    // Nothing of it ever was anywhere else, or became a script.
    assert_eq!(host.names().len(), 14);
    assert_eq!(fs::read_dir(host.path("scripts")).unwrap().count(), 2);
    host.stop().await;
}

#[tokio::test]
async fn pictures_of_rich_text_and_files_of_a_quoted_message_are_fetched_too() {
    let host = saver().await;
    let [one, two] =
        ["a.png", "b.png"].map(|name| host.sim.upload(name, &b"\x89PNG\r\n\x1a\npretend"[..]));
    host.sim.say(&Say::direct(ALICE, "two").with_file(one).with_file(two)).unwrap();
    host.until("both", |seen| seen.to(ALICE).len() == 2).await;
    assert_eq!(host.names(), ["picture-2.png", "picture.png"]);
    let sound = host.sim.upload("voice.amr", &b"#!AMR\nsound"[..]);
    let said = host.says(&Say::direct(ALICE, "").with_file(sound)).await;
    assert_eq!(
        (said["name"].as_str(), said["type"].as_str()),
        (Some("audio.amr"), Some("audio/amr"))
    );
    let notes = host.sim.upload("notes.txt", &b"hi"[..]);
    let message = host.sim.say(&Say::direct(ALICE, "").with_file(notes)).unwrap();
    host.until("the file", |seen| seen.to(ALICE).len() == 4).await;
    let said = host.says(&Say::direct(ALICE, "that one").quoting(message)).await;
    assert_eq!(said["name"], "notes-2.txt", "{said}");
    host.stop().await;
}

#[tokio::test]
async fn a_script_may_name_a_folder_and_a_limit() {
    let host = saver().await;
    let folder = host.path("scripts").join("new/deep");
    host.options(&json!({ "to": folder, "name": "../plan.luau", "max": 4 }));
    let said = host.sends("x.pdf", b"1234").await;
    assert_eq!(said["name"], "plan.luau.txt", "no file of a chat becomes a script");
    assert_eq!(fs::read(folder.join("plan.luau.txt")).unwrap(), b"1234");
    assert_eq!(host.sends("x.pdf", b"12345").await["kind"], "too_large");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing stays of what was too large");
    fs::write(host.path("taken"), "").unwrap();
    host.options(&json!({ "to": host.path("taken") }));
    assert_eq!(host.sends("x.pdf", b"1").await["kind"], "not_a_folder");
    host.stop().await;
}

#[tokio::test]
async fn c6_what_cannot_be_fetched_says_why_and_leaves_nothing() {
    let host = saver().await;
    host.options(&json!({ "timeout": 1, "max": 1 << 20 }));
    let file = |kind| FaultOrder {
        clear: true,
        http: vec![HttpFault::new(kind).on("/res/").calls(1)],
        ..FaultOrder::default()
    };
    let call = |kind| FaultOrder {
        clear: true,
        http: vec![HttpFault::new(kind).on("/v1.0/robot/messageFiles").calls(1)],
        ..FaultOrder::default()
    };
    let handed_out = |url: &str| FaultOrder {
        clear: true,
        download_url: Some(url.to_owned()),
        ..FaultOrder::default()
    };
    let elsewhere = |to: &str| file(HttpFaultKind::Redirect { to: to.to_owned() });
    for (what, order, kind) in [
        ("a body without end", file(HttpFaultKind::Endless), "timeout"),
        ("no answer", file(HttpFaultKind::Slow { delay_ms: 60_000 }), "timeout"),
        ("a link that is over", file(HttpFaultKind::Status { status: 403 }), "expired"),
        ("a broken store", file(HttpFaultKind::Status { status: 500 }), "network"),
        ("a way to the metadata", elsewhere("http://169.254.169.254/latest"), "denied"),
        ("a way inside", elsewhere("https://192.168.1.1/"), "denied"),
        ("a way to a file", elsewhere("file:///etc/passwd"), "redirect"),
        ("a way without encryption", elsewhere("http://example.com/x"), "denied"),
        ("an address inside", handed_out("https://10.0.0.7/x"), "denied"),
        ("an address of this computer", handed_out("http://localhost:1/x"), "denied"),
        ("an address of metadata", handed_out("http://100.100.100.200/x"), "denied"),
        ("no address", handed_out("file:///etc/passwd"), "refused"),
        ("throttling", call(HttpFaultKind::Throttle), "throttled"),
        ("a busy DingTalk", call(HttpFaultKind::Busy), "network"),
    ] {
        host.sim.faults(&order);
        let said = host.sends("x.bin", b"content").await;
        assert_eq!(said["kind"], kind, "{what}: {said}");
        assert_eq!(host.names(), [""; 0], "{what}");
    }
    host.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    // The code itself is over: the message waited too long.
    let gate = host.hold("busy");
    host.say(ALICE, "hold busy");
    host.entered(&["busy"]).await;
    let upload = host.sim.upload("late.txt", &b"late"[..]);
    host.sim.say(&Say::direct(ALICE, "").with_file(upload)).unwrap();
    host.sim.faults(&FaultOrder { expire_codes: true, ..FaultOrder::default() });
    gate.open();
    host.until("it is expired", |seen| {
        seen.to(ALICE).last().is_some_and(|said| said.contains(r#""kind":"expired""#))
    })
    .await;
    // Last, for it holds for a while: DingTalk is not asked again with every file.
    let scope = HttpFaultKind::MissingScope { scope: "qyapi_robot_sendmsg".to_owned() };
    host.sim.faults(&call(scope));
    for _ in 0..2 {
        let said = host.sends("x.bin", b"content").await;
        assert!(
            said["kind"] == "refused" && said.to_string().contains("qyapi_robot_sendmsg"),
            "{said}"
        );
    }
    host.stop().await;
}

#[tokio::test]
async fn an_endless_file_ends_at_its_limit_and_with_its_run() {
    let host = saver().await;
    let endless = HttpFault::new(HttpFaultKind::Endless).on("/res/");
    host.sim.faults(&FaultOrder { http: vec![endless], ..FaultOrder::default() });
    host.options(&json!({ "max": 8_000 }));
    assert_eq!(host.sends("x.bin", b"x").await["kind"], "too_large");
    assert_eq!(host.names(), [""; 0]);
    host.options(&json!({}));
    let upload = host.sim.upload("y.bin", &b"y"[..]);
    host.sim.say(&Say::direct(ALICE, "").with_file(upload)).unwrap();
    host.until_true("it is under way", || host.names().len() == 1).await;
    host.say(ALICE, "stop");
    host.until_true("the partial file is gone", || host.names().is_empty()).await;
    host.stop().await;
}

#[tokio::test]
async fn an_inbox_that_leads_elsewhere_is_not_used() {
    let host = saver().await;
    let own = host.state_dir().join("files/saver");
    let outside = host.path("outside");
    fs::create_dir_all(&own).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(&outside, own.join("inbox")).unwrap();
    let said = host.sends("x.txt", b"x").await;
    assert!(said["kind"].is_string(), "{said}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    fs::remove_file(own.join("inbox")).unwrap();
    fs::create_dir(own.join("inbox")).unwrap();
    let today = host.inbox();
    symlink(&outside, today).unwrap();
    assert!(host.sends("x.txt", b"x").await["kind"].is_string());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    host.stop().await;
}

#[tokio::test]
async fn a_reaction_is_put_on_and_taken_off_and_never_fails_a_run() {
    let host = Setup::new()
        .script(
            "react.luau",
            r#"
            bot.command("look", function(ctx)
                local ok, err = ctx:react("👀")
                ctx:reply(if ok then "seen" else err.kind)
            end)
            bot.command("unlook", function(ctx)
                assert(ctx:react("👀") and ctx:react("🤔 thinking"))
                assert(ctx:react("👀", { remove = true }))
                ctx:reply("done")
            end)
            "#,
        )
        .spawn()
        .await;
    let id = host.say(ALICE, "look");
    let reactions = |id: &str, expected: &[&str]| {
        let state = host.sim.state();
        let message = state.messages.iter().find(|message| message.id == id).unwrap();
        message.reactions == expected
    };
    host.until("it was seen", |seen| seen.to(ALICE) == ["seen"]).await;
    assert!(reactions(&id, &["👀"]));
    let id = host.say(ALICE, "unlook");
    host.until("it is done", |seen| seen.to(ALICE).len() == 2).await;
    assert!(reactions(&id, &["🤔 thinking"]));
    for (kind, said) in [
        (HttpFaultKind::Throttle, "throttled"),
        (HttpFaultKind::Reset, "network"),
        (HttpFaultKind::Html, "network"),
        // Last, for it holds for a while.
        (HttpFaultKind::MissingScope { scope: "qyapi_robot_sendmsg".to_owned() }, "refused"),
    ] {
        host.fail("/v1.0/robot/emotion", kind, 1);
        let before = host.look(|seen| seen.to(ALICE).len());
        host.say(ALICE, "look");
        host.until(said, |seen| seen.to(ALICE).len() > before && seen.to(ALICE)[before] == said)
            .await;
    }
    host.stop().await;
}
