//! Commands on a terminal whose locale knows ASCII alone, beside people and scripts whose names it cannot show.

use std::process::Stdio;

use unicode_width::UnicodeWidthStr as _;

use super::process::{HostProcess, bare};
use super::stage::{LINA, OWNER, Setup, Stage};

const GREETS: &str = r#"
bot.command("问候 <谁...>", function(ctx) ctx:reply("你好，" .. ctx.args["谁"]) end)
bot.command("fail", function(ctx) error("磁盘已满") end)
"#;

/// What `moonbell` with these arguments shows on a terminal of 80 columns with this locale.
fn shows(stage: &Stage, locale: &str, arguments: &[&str]) -> String {
    let binary = env!("CARGO_BIN_EXE_moonbell");
    let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let config = stage.path("bot.toml");
    let line =
        format!("stty cols 80 rows 24; {binary} {} --config {}", words.join(" "), config.display());
    let mut command = bare(stage, "script");
    command.args(["-qefc", &line, "/dev/null"]);
    command.env("LANG", locale).env("TERM", "xterm").env("NO_COLOR", "1");
    let out = command.stdout(Stdio::piped()).output().unwrap().stdout;
    String::from_utf8(out).unwrap().replace("\r\n", "\n")
}

async fn host() -> HostProcess {
    let stage = Setup::new().script("问候.luau", GREETS).stage().await;
    let host = HostProcess::spawn(stage).await;
    host.say(LINA, "问候 世界和所有的人，以及每一个今天在这里工作的同事，还有他们的家人和朋友");
    host.until("she is greeted", |seen| seen.to(LINA).len() == 1).await;
    host.say(OWNER, "echo hello");
    host.say(OWNER, "fail");
    host.until("both are answered", |seen| seen.to(OWNER).len() == 2).await;
    host.until_says(&["status"], |said| said.contains("2 done, 1 failed")).await;
    host
}

/// The column at which `word` stands in the line that has it.
fn column(text: &str, word: &str) -> usize {
    let line = text.lines().find(|line| line.contains(word));
    let line = line.unwrap_or_else(|| panic!("no {word} in\n{text}"));
    line[..line.find(word).unwrap()].width()
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_stand_and_what_cannot_be_shown_is_a_question_mark_and_said_once() {
    let host = host().await;
    for arguments in [
        &["runs"][..],
        &["usage"],
        &["status"],
        &["outbox"],
        &["logs"],
        &["explain", "--last"],
        &["doctor"],
    ] {
        let few = shows(&host, "C", arguments);
        assert!(few.is_ascii(), "{arguments:?}: {few}");
        assert!(!few.contains("\\u{"), "{few}");
        let hints = few.matches("hint: each `?` is a letter").count();
        assert_eq!(hints, usize::from(few.contains("??")), "{arguments:?}: {few}");
        let all = shows(&host, "C.UTF-8", arguments);
        assert!(!all.contains("hint: each"), "{all}");
    }
    let runs = shows(&host, "C", &["runs"]);
    assert!(runs.lines().all(|line| line.len() <= 80 || line.starts_with("hint: ")), "{runs}");
    let handler = column(&runs, "HANDLER");
    assert_eq!(column(&runs, " echo") + 1, handler, "{runs}");
    let greeting = runs.lines().find(|line| line.trim_end().ends_with("  ??"));
    assert_eq!(greeting.unwrap().trim_end().len(), handler + 2, "{runs}");
    assert_eq!(column(&runs, "???"), column(&runs, "WHO"), "{runs}");
    assert!(shows(&host, "C.UTF-8", &["runs"]).contains("  问候\n"));

    let usage = shows(&host, "C", &["usage"]);
    let ends = |name: &str| {
        let line = usage.lines().find(|line| line.starts_with(name)).unwrap();
        line.trim_end().len()
    };
    assert_eq!(ends("?? ("), ends("??? ("), "{usage}");
    assert_eq!(ends("?? ("), ends("person"), "{usage}");

    let status = shows(&host, "C", &["status"]);
    assert_eq!(column(&status, "2 handlers"), column(&status, "4 handlers"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asked_for_chinese_is_shown_chinese_and_files_keep_every_letter() {
    let host = host().await;
    let text = std::fs::read_to_string(host.path("bot.toml")).unwrap();
    assert!(host.says(&["runs"]).contains("问候"));
    let mut command = bare(&host, env!("CARGO_BIN_EXE_moonbell"));
    command.args(["runs", "--config"]).arg(host.path("bot.toml")).env("LANG", "C");
    let out = command.stdout(Stdio::piped()).output().unwrap().stdout;
    assert!(String::from_utf8(out).unwrap().contains("问候"), "no terminal, all letters");
    let json = shows(&host, "C", &["runs", "--json"]);
    assert!(json.contains("问候") && !json.contains("hint: "), "{json}");
    super::settings::write(&host, "bot.toml", &format!("language = \"zh\"\n{text}"));
    let asked = shows(&host, "C", &["runs"]);
    assert!(asked.contains("问候") && asked.contains("李娜"), "{asked}");
}
