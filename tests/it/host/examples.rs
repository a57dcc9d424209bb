//! Each file in `examples/` opens with a transcript; here it is replayed through the simulator, word for word.

use std::fs;
use std::path::Path;

use super::stage::{OWNER, Setup};

/// What the owner says, and what the bot answers to it. `…` at the end of an answer stands for the rest.
#[derive(Debug, Default)]
struct Turn {
    said: String,
    answer: String,
}

/// Reads `owner> …`, `bot> …` and indented lines that go on with an answer, from the comment that opens a script.
fn transcript(script: &str) -> Vec<Turn> {
    let comment = script.split_once("--[[").and_then(|(_, rest)| rest.split_once("]]")).unwrap().0;
    let mut turns: Vec<Turn> = Vec::new();
    for line in comment.lines() {
        if let Some(said) = line.strip_prefix("owner> ") {
            turns.push(Turn { said: said.to_owned(), answer: String::new() });
        } else if let Some(answer) = line.strip_prefix("bot> ") {
            answer.clone_into(&mut turns.last_mut().unwrap().answer);
        } else if let (Some(more), Some(turn)) = (line.strip_prefix("     "), turns.last_mut()) {
            turn.answer.push('\n');
            turn.answer.push_str(more);
        }
    }
    turns
}

fn fits(answer: &str, expected: &str) -> bool {
    match expected.strip_suffix('…') {
        Some(start) => answer.starts_with(start.trim_end()),
        None => answer == expected,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_does_what_its_transcript_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut replayed = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let script = fs::read_to_string(&path).unwrap();
        let turns = transcript(&script);
        assert!(!turns.is_empty(), "{name} opens with a transcript");
        let host = Setup::new().script(&name, &script).start().await;
        for (n, turn) in turns.iter().enumerate() {
            host.say(OWNER, &turn.said);
            host.until(&format!("{name}: {turn:?}"), |seen| {
                let answers = seen.to(OWNER);
                answers.len() == n + 1 && fits(answers[n], &turn.answer)
            })
            .await;
        }
        host.stop().await;
        replayed += 1;
    }
    assert!(replayed > 0);
}
