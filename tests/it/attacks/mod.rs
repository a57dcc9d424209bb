//! The attacks that the host is built to stand: each test is named after its line in the list of attacks.

mod abuse;
mod access;
mod approvals;
mod audit;
pub(super) mod callbacks;
mod callers;
mod claim;
mod confirms;
mod doors;
mod files;
mod limits;
mod local;
mod lock;
mod lua;
mod matrix;
mod requests;
mod rotation;
mod saves;
mod scripts;
mod secrets;
mod shell;
mod text;
mod tls;
mod vm;
mod walks;

use std::fs;
use std::process::{Output, Stdio};

use super::process::{HostProcess, bare, settings};
use super::stage::Stage;

/// `moonbell ARGS` with the settings of the stage, whether or not a host runs there.
fn moonbell(stage: &Stage, args: &[&str]) -> Output {
    let mut command = bare(stage, env!("CARGO_BIN_EXE_moonbell"));
    command.args(args).arg("--config").arg(stage.path("bot.toml"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

fn text(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    format!("{out}{err}")
}

/// What the bot says to `person`, in their direct chat, about `text`.
async fn answer(host: &Stage, person: &str, text: &str) -> String {
    let before = host.look(|seen| seen.to(person).len());
    host.say(person, text);
    host.until("it is answered", |seen| seen.to(person).len() > before).await;
    host.look(|seen| seen.to(person)[before].to_owned())
}

/// The settings of the stage without an owner, and without anybody who has a role.
fn unowned(stage: &Stage) {
    let path = settings(stage);
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("owner") && !line.starts_with("guest"))
        .collect();
    fs::write(&path, kept.join("\n")).unwrap();
}

/// `moonbell run` with the settings that are there.
async fn run(stage: Stage) -> HostProcess {
    let mut command = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
    command.args(["run", "--config"]).arg(stage.path("bot.toml"));
    HostProcess::started(command.spawn().unwrap(), stage).await
}

/// The newest claim code on the terminal.
fn code(stage: &Stage) -> String {
    let is_code = |line: &&str| {
        line.len() == 9
            && line.as_bytes()[4] == b'-'
            && line.replace('-', "").chars().all(char::is_alphanumeric)
    };
    let lines = stage.lines("err");
    let found = lines.iter().map(|line| line.trim()).rfind(is_code);
    found.unwrap_or_else(|| panic!("no code in\n{}", lines.join("\n"))).to_owned()
}

/// A code that is not `code`.
fn wrong(code: &str) -> String {
    code.chars()
        .map(|c| {
            if c == '2' {
                '3'
            } else if c == '-' {
                '-'
            } else {
                '2'
            }
        })
        .collect()
}

/// The records of the audit, as JSON.
fn records(stage: &Stage) -> Vec<serde_json::Value> {
    let folder = stage.state_dir().join("audit");
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        all.filter(|path| path.extension().is_some_and(|end| end == "ndjson")).collect();
    files.sort();
    let mut records = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        records.extend(text.lines().map(|line| serde_json::from_str(line).unwrap()));
    }
    records
}

/// How many records have these values.
fn count(stage: &Stage, wanted: &[(&str, &str)]) -> usize {
    let fits =
        |record: &&serde_json::Value| wanted.iter().all(|(key, value)| record[key] == *value);
    records(stage).iter().filter(fits).count()
}
