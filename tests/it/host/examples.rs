//! Each file in `examples/` opens with a transcript; here it is replayed word for word, through the simulator and the
//! real binary, in a home folder that holds what the example expects to find.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use moonbell::sim::{BOT, CardState, MessageKind, NewGroup, NewPerson, Say, State};
use tokio::task::JoinSet;

use super::around::{Around, MODEL_KEY};
use super::process::{HostProcess, command};
use super::stage::{OWNER, Seen, Setup, Stage};
use super::transcript::{Chat, Kind, Step, fits, read};

/// Who speaks in the transcripts, beside the owner. Ann is an admin, the others are guests.
const PEOPLE: [(&str, &str); 3] = [("ann", "Ann"), ("bob", "Bob"), ("lin", "李娜")];
const GROUPS: [&str; 2] = ["ops", "dev"];

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.strip_suffix(".luau").is_some_and(|name| !name.contains('.'))
        })
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_does_what_its_transcript_says() {
    let mut replays = JoinSet::new();
    let mut names = HashMap::new();
    for path in examples() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let script = fs::read_to_string(&path).unwrap();
        let replay = replays.spawn({
            let name = name.clone();
            async move { replay(&name, &script).await }
        });
        names.insert(replay.id(), name);
    }
    assert!(names.len() >= 12, "there are examples");
    let mut failed = Vec::new();
    while let Some(ended) = replays.join_next_with_id().await {
        if let Err(error) = ended {
            failed.push(names[&error.id()].clone());
        }
    }
    assert!(failed.is_empty(), "see above what happened in: {}", failed.join(", "));
}

/// Runs `moonbell` on the folder of the examples; its exit code and all that it said.
fn moonbell(command: &str) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_moonbell"))
        .args([command, "examples"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("HOME", home.path())
        .output()
        .unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn there_is_nothing_to_complain_about_in_the_examples() {
    let (code, said) = moonbell("check");
    assert_eq!(code, Some(0), "{said}");
    for path in examples() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("--!strict\n--[[ "), "{} is strict", path.display());
    }
}

#[test]
fn every_example_has_tests_of_its_own_and_they_pass() {
    for path in examples() {
        assert!(path.with_extension("test.luau").is_file(), "{} has tests", path.display());
    }
    let (code, said) = moonbell("test");
    assert_eq!(code, Some(0), "{said}");
}

/// A host in a home of its own, with this one script.
async fn host(name: &str, script: &str) -> (HostProcess, Around) {
    let setup = Setup::new().sim(|options| {
        let person = |staff_id: &str, nick: &str| NewPerson {
            staff_id: staff_id.to_owned(),
            nick: nick.to_owned(),
            owner: staff_id == OWNER,
            external: false,
        };
        options.people = vec![person(OWNER, "王小明")];
        options.people.extend(PEOPLE.map(|(id, nick)| person(id, nick)));
        let members: Vec<String> =
            options.people.iter().map(|person| person.staff_id.clone()).collect();
        options.groups = GROUPS
            .map(|title| NewGroup { title: title.to_owned(), members: members.clone() })
            .to_vec();
    });
    let stage = setup.stage().await;
    let around = Around::prepare(name, stage.home.path()).await;
    let mut script = script.to_owned();
    for (from, to) in around.changes(name) {
        assert_eq!(script.matches(from).count(), 1, "{name} has `{from}` once");
        script = script.replace(from, &to);
    }
    stage.write(&format!("{name}.luau"), &script);
    let path = std::env::var("PATH").unwrap();
    let child = command(&stage)
        .env("PATH", format!("{}:{path}", stage.path("bin").display()))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("MOONBELL_ACCESS_ROLES_ADMIN", "ann")
        .env("MOONBELL_ACCESS_ROLES_GUEST", "bob,lin")
        .env("MOONBELL_SCRIPTS_PRIVATE_HOSTS", "127.0.0.1")
        .env("MOONBELL_SECRETS_MODEL", MODEL_KEY)
        .spawn()
        .unwrap();
    (HostProcess::started(child, stage).await, around)
}

async fn replay(name: &str, script: &str) {
    let steps = read(script);
    assert!(!steps.is_empty(), "{name} opens with a transcript");
    let (host, around) = host(name, script).await;
    let mut heard: HashMap<String, usize> = HashMap::new();
    for step in &steps {
        match step {
            Step::Said { who, chat: chat @ Chat::With(_), text } => {
                match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
                    Some(file) => {
                        let upload =
                            host.sim.upload(file, format!("the content of {who}'s file\n"));
                        let say = Say::direct(staff_id(who), "").with_file(upload);
                        host.sim.say(&say).unwrap();
                    }
                    None => drop(host.say(staff_id(who), &numbered(&host, chat, text))),
                }
            }
            Step::Said { who, chat: chat @ Chat::Group(group), text } => {
                host.say_in(index(group), staff_id(who), &numbered(&host, chat, text));
            }
            Step::Happened { what } => around.happens(what, &host).await,
            Step::Heard { chat, kind, text } => {
                let chat = id(&host, chat);
                let count = heard.entry(chat.clone()).or_default();
                let what = format!("{name}, message {} in a chat: {kind:?} {text}", *count + 1);
                host.until(&what, |seen| {
                    heard_in(seen, &chat).get(*count).is_some_and(|(seen_kind, seen_text)| {
                        *seen_kind == Some(*kind) && fits(seen_text, text)
                    })
                })
                .await;
                *count += 1;
            }
        }
    }
    let (status, stage) = host.terminate().await;
    assert!(status.success(), "{name}: {status}\n{}", stage.lines("err").join("\n"));
    // Nothing was said that the transcript does not show.
    let state = stage.sim.state();
    for chat in &state.chats {
        let said = state.replies(&chat.id);
        let shown = heard.get(&chat.id).copied().unwrap_or_default();
        assert_eq!(said.len(), shown, "{name}: more was said in {}: {said:#?}", chat.title);
    }
}

/// `yes …` with the number that was shown last in this chat.
fn numbered(host: &Stage, chat: &Chat, text: &str) -> String {
    if !text.ends_with(" …") {
        return text.to_owned();
    }
    let chat = id(host, chat);
    let said = host.look(|seen| heard_in(seen, &chat));
    let shown = said.iter().rev().find_map(|(_, said)| said.rsplit_once(" no "));
    let (_, code) = shown.unwrap_or_else(|| panic!("no number was shown: {said:?}"));
    text.replace('…', code.trim())
}

/// What the bot posted into a chat; a card that has not ended is of no kind yet.
fn heard_in(seen: &Seen<'_>, chat: &str) -> Vec<(Option<Kind>, String)> {
    let state: &State = seen.state;
    let of_bot =
        state.messages.iter().filter(|message| message.chat == chat && message.from == BOT);
    of_bot
        .map(|message| {
            let card = message.card.as_deref().and_then(|id| state.card(id));
            match card.map(|card| (card.state, card.text.clone())) {
                Some((CardState::Finished, text)) => (Some(Kind::Card), text),
                Some((CardState::Failed, text)) => (Some(Kind::FailedCard), text),
                Some((_, text)) => (None, text),
                None if matches!(message.kind, MessageKind::File | MessageKind::Picture) => {
                    (Some(Kind::File), message.text.clone())
                }
                None => (Some(Kind::Text), message.text.clone()),
            }
        })
        .collect()
}

fn staff_id(name: &str) -> &str {
    if name == "owner" {
        return OWNER;
    }
    let known = PEOPLE.iter().any(|(id, _)| *id == name);
    assert!(known, "nobody is called `{name}`");
    name
}

fn index(group: &str) -> usize {
    GROUPS.iter().position(|name| *name == group).unwrap_or_else(|| panic!("no group `{group}`"))
}

fn id(stage: &Stage, chat: &Chat) -> String {
    match chat {
        Chat::With(person) => stage.sim.direct_chat(staff_id(person)),
        Chat::Group(group) => stage.sim.group(index(group)),
    }
}
