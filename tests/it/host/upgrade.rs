//! Journals of other versions: older ones are brought up to date with all that is in them, newer ones are refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::process::HostProcess;
use super::stage::{ALICE, BOB, Setup, Stage};

/// The changes of the tables, oldest first.
fn migrations() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// An empty journal as the version `version` made it, in the place of the one that is there.
fn journal_of(stage: &Stage, version: usize) -> Connection {
    let _ = fs::remove_dir_all(stage.state_dir());
    fs::create_dir(stage.state_dir()).unwrap();
    let old = Connection::open(stage.state_dir().join("moonbell.db")).unwrap();
    for migration in &migrations()[..version] {
        old.execute_batch(migration).unwrap();
    }
    old.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
    old
}

/// A row of the inbox: lane, state, run, key and message.
type Row = (String, String, Option<String>, String, String);

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_each_earlier_version_is_brought_up_to_date_and_its_work_goes_on() {
    const COUNTER: &str = r#"
bot.command("count", function(ctx) ctx:reply("count " .. kv.incr("n")) end)
"#;
    // What people had sent, as a host journals it.
    let host = Setup::new().script("counter.luau", COUNTER).spawn().await;
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    host.say(ALICE, "echo waited");
    host.until_true("it waits", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'queued'") == 1
    })
    .await;
    let mut stage = host.kill().await;
    gate.open();
    let rows: Vec<Row> = Connection::open(stage.state_dir().join("moonbell.db"))
        .unwrap()
        .prepare("SELECT lane, state, run, key, payload FROM inbox ORDER BY id")
        .unwrap()
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert_eq!(rows.len(), 2);

    let latest = migrations().len();
    for version in 1..latest {
        let said = stage.look(|seen| seen.to(ALICE).len());
        let counted = stage.look(|seen| seen.to(BOB).len());
        let old = journal_of(&stage, version);
        for (lane, state, run, key, payload) in &rows {
            old.execute(
                "INSERT INTO inbox (lane, state, run, key, payload, received_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, 1)",
                params![lane, state, run, key, payload],
            )
            .unwrap();
        }
        let kept = "INSERT INTO kv (script, key, value) VALUES ('counter.luau', 'n', '41')";
        old.execute(kept, []).unwrap();
        drop(old);
        let host = HostProcess::spawn(stage).await;
        host.until("what ran is reported, what waited is answered", |seen| {
            let texts = &seen.to(ALICE)[said..];
            texts.len() == 2
                && texts.iter().any(|text| text.contains("`hold one`"))
                && texts.contains(&"waited")
        })
        .await;
        host.say(BOB, "count");
        host.until("what scripts kept is there", |seen| {
            seen.to(BOB)[counted..].first() == Some(&"count 42")
        })
        .await;
        assert!(host.state_dir().join(format!("moonbell.db.v{version}")).exists());
        let (status, left) = host.terminate().await;
        assert!(status.success());
        assert_eq!(left.journal("PRAGMA user_version"), i64::try_from(latest).unwrap());
        stage = left;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_a_newer_version_is_refused_in_words_and_left_as_it_is() {
    let stage = Setup::new().start().await.stop().await;
    let path = stage.state_dir().join("moonbell.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9_999).unwrap();
    let before = fs::read(&path).unwrap();
    let (status, stage) = HostProcess::launch(stage).ended().await;
    let said = stage.lines("err").join("\n");
    assert_eq!(status.code(), Some(1), "{said}");
    let known = format!("this one knows {}", migrations().len());
    for words in [path.to_str().unwrap(), "newer moonbell", "9999", &known, "hint: run the newer"] {
        assert!(said.contains(words), "`{words}` is lacking:\n{said}");
    }
    assert!(fs::read(&path).unwrap() == before, "it was changed");
    stage.look(|seen| assert!(!seen.state.bot.connected));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_is_killed_is_done_by_the_next_start() {
    const ROWS: i64 = 20_000;
    let mut stage = Setup::new().stage().await;
    let old = journal_of(&stage, 1);
    let now = chrono::Utc::now().timestamp_millis();
    old.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT ?1)
         INSERT INTO inbox (key, lane, state, payload, received_at_ms, ended_at_ms)
         SELECT 'k' || n, 'l', 'done', hex(randomblob(200)), ?2, ?2 FROM n",
        [ROWS, now],
    )
    .unwrap();
    drop(old);
    let latest = i64::try_from(migrations().len()).unwrap();
    let mut half_way = 0;
    // Later each time, until one gets through it.
    for round in 0..40 {
        let host = HostProcess::launch(stage);
        tokio::time::sleep(Duration::from_millis(8 * round)).await;
        stage = host.kill().await;
        let version = stage.journal("PRAGMA user_version");
        half_way += i64::from(version < latest);
        if version == latest {
            break;
        }
    }
    assert!(half_way > 0, "no kill came before the end of the upgrade");
    let host = HostProcess::spawn(stage).await;
    host.say(ALICE, "echo here");
    host.until("it serves", |seen| seen.to(ALICE) == ["here"]).await;
    let (status, stage) = host.terminate().await;
    assert!(status.success());
    assert_eq!(stage.journal("PRAGMA user_version"), latest);
    assert_eq!(stage.journal("SELECT count(*) FROM inbox WHERE lane = 'l'"), ROWS);
    assert_eq!(
        stage.journal("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        0
    );
    assert!(!stage.state_dir().join("moonbell.db.part").exists());
}
