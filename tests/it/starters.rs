//! The handlers that people see first: the starters, and those of the README.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use moonbell::message::{Body, Message};
use moonbell::outbox::Post;
use moonbell::script::{Ended, Folder, Generation, Host, Limits, Registration, Run, Source, Vm};
use moonbell::worker::LuaRuntime;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[track_caller]
fn load(path: &str, bytes: Vec<u8>) -> Vm {
    let host = Host::new(Limits::default(), 64 << 20);
    let source = Source { path: path.to_owned(), bytes };
    Vm::load(&source, &host, Arc::new(Folder::new(root().join("scripts"))))
        .unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn starter(name: &str) -> Vm {
    load(name, fs::read(root().join("scripts").join(name)).unwrap())
}

/// Runs the only handler of a starter and returns what it answered.
async fn answer(name: &str) -> Vec<Body> {
    let lua = LuaRuntime::start(2).unwrap();
    let generation = Generation::spawn(starter(name), lua.engine());
    let message: Message = serde_json::from_value(json!({
        "id": "m1", "kind": "text", "text": "", "sent_at_ms": 0,
        "chat": { "id": "c1", "kind": "direct" },
        "sender": { "staff_id": "alice", "opaque_id": "$:a", "name": "Alice" },
    }))
    .unwrap();
    let stop = CancellationToken::new();
    let run =
        Run::new("r1", Some(Arc::new(message)), Some("owner".to_owned()), Limits::default(), stop);
    let handler = generation.registrations()[0].handler;
    let ended =
        tokio::time::timeout(PATIENCE, generation.start(Arc::clone(&run), handler, json!({})));
    assert_eq!(ended.await.expect("an answer in time"), Ended::Done, "{name}");
    let said = run.take_pending();
    drop(generation);
    lua.stop(PATIENCE).await;
    said.into_iter()
        .map(|post| match post {
            Post::Reply(reply) => reply.body,
            other @ Post::Card(_) => panic!("{name} answered with {other:?}"),
        })
        .collect()
}

#[test]
fn every_starter_loads_and_explains_itself_in_both_languages() {
    let names: Vec<String> = fs::read_dir(root().join("scripts"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        names.len(),
        4,
        "{names:?}: the binary ships `cli/starter.rs`'s list; keep them the same"
    );
    for name in names {
        let text = fs::read_to_string(root().join("scripts").join(&name)).unwrap();
        assert!(text.starts_with("--!strict\n-- "), "{name} says what it is for");
        let vm = starter(&name);
        assert!(!vm.registrations().is_empty(), "{name} declares nothing");
        for registration in vm.registrations() {
            for language in ["en", "zh"] {
                let help = registration.help().get(language);
                assert!(help.is_some(), "{name}:{} has no help in {language}", registration.line);
            }
        }
    }
}

#[test]
fn what_can_read_or_change_the_computer_asks_for_a_role() {
    let role = |name| -> Option<String> {
        let vm = starter(name);
        let first: &Registration = &vm.registrations()[0];
        first.options.terms.role.clone()
    };
    assert_eq!(role("sh.luau").as_deref(), Some("owner"));
    assert_eq!(role("watch.luau").as_deref(), Some("admin"));
    assert_eq!(role("ping.luau"), None);
}

#[tokio::test]
async fn ping_answers_pong() {
    assert_eq!(answer("ping.luau").await, [Body::Text { text: "pong".to_owned() }]);
}

#[tokio::test]
async fn sys_answers_with_a_table_of_this_computer() {
    let said = answer("sys.luau").await;
    let [Body::Markdown { text, .. }] = &said[..] else { panic!("{said:?}") };
    let names: Vec<&str> =
        text.lines().skip(2).filter_map(|row| row.split('|').nth(1)).map(str::trim).collect();
    // `uptime` is not on every computer; these are.
    for row in ["memory", "disk /"] {
        assert!(names.contains(&row), "{text}");
    }
    assert!(text.contains(" GiB"), "{text}");
}

#[test]
fn the_handlers_of_the_readme_load() {
    for page in ["README.md", "README.zh-CN.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let blocks: Vec<&str> =
            text.split("```lua\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(!blocks.is_empty(), "{page}");
        for block in blocks {
            assert_eq!(
                load("readme.luau", block.as_bytes().to_vec()).registrations().len(),
                1,
                "{block}"
            );
        }
    }
}
