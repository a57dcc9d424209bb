//! A power cut at any byte of the log: what was committed last may be half written.

use std::fs;
use std::path::Path;

use super::*;

/// Commits of a trial: few enough that the log is never emptied into the file.
const COMMITS: i64 = 24;

/// The state folder as it would be with only the first `kept` bytes of the log, `garbled` behind them.
fn cut(dir: &Path, kept: usize, garbled: &[u8]) -> tempfile::TempDir {
    let after = tempfile::tempdir().unwrap();
    fs::copy(dir.join("moonbell.db"), after.path().join("moonbell.db")).unwrap();
    let log = fs::read(dir.join("moonbell.db-wal")).unwrap();
    let mut torn = log[..kept].to_vec();
    torn.extend_from_slice(garbled);
    fs::write(after.path().join("moonbell.db-wal"), torn).unwrap();
    after
}

/// What is there: the last commit, how many there are, and how many of them lack their other half.
async fn found(dir: &Path) -> (i64, i64, i64) {
    let store = Store::open(dir).unwrap();
    store
        .read(|c| {
            c.query_row(
                "SELECT ifnull(max(n), 0), count(*), (SELECT count(*) FROM inbox_half WHERE n NOT IN (SELECT n FROM outbox_half))
                 FROM inbox_half",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_torn_write_takes_only_what_nobody_was_told_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let tables = "CREATE TABLE inbox_half (n INTEGER, text TEXT); CREATE TABLE outbox_half (n INTEGER, text TEXT)";
    store.write(move |c| c.execute_batch(tables)).await.unwrap();
    let log = dir.path().join("moonbell.db-wal");
    let mut lengths = vec![fs::metadata(&log).unwrap().len()];
    for n in 1..=COMMITS {
        let text = "x".repeat(usize::try_from(n * 400).unwrap());
        store
            .write(move |c| {
                c.execute("INSERT INTO inbox_half VALUES (?1, ?2)", (n, &text))?;
                c.execute("INSERT INTO outbox_half VALUES (?1, ?2)", (n, &text))
            })
            .await
            .unwrap();
        lengths.push(fs::metadata(&log).unwrap().len());
    }
    assert!(lengths.windows(2).all(|pair| pair[0] < pair[1]), "the log was emptied: {lengths:?}");
    // Right at the end of each commit, a byte before and behind it, and in its middle.
    let mut cuts: Vec<u64> = Vec::new();
    for pair in lengths.windows(2) {
        cuts.extend([pair[0], pair[0] + 1, pair[0].midpoint(pair[1]), pair[1] - 1]);
    }
    for kept in cuts {
        let told = lengths.iter().skip(1).filter(|length| **length <= kept).count();
        let told = i64::try_from(told).unwrap();
        let kept = usize::try_from(kept).unwrap();
        for garbled in [&[][..], &[0; 3000], &[0xa5; 4120]] {
            let after = cut(dir.path(), kept, garbled);
            let (last, count, halves) = found(after.path()).await;
            assert_eq!(last, told, "cut at {kept} of {lengths:?}");
            assert_eq!((count, halves), (told, 0), "cut at {kept}");
        }
    }
}

#[tokio::test]
async fn a_damaged_page_is_said_at_the_start_and_nothing_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let rows =
        "INSERT INTO kv (script, key, value) SELECT 's', value, hex(randomblob(200)) FROM generate";
    let fill = format!(
        "WITH RECURSIVE generate (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM generate LIMIT 2000) {rows}"
    );
    store.write(move |c| c.execute_batch(&fill)).await.unwrap();
    store.write(|c| c.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))).await.ok();
    let path = store.path().to_owned();
    drop(store);
    let log = dir.path().join("moonbell.db-wal");
    // The writer thread lets go of the file a moment after the last handle is dropped.
    while log.exists() {
        tokio::task::yield_now().await;
    }
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    fs::write(&path, &bytes).unwrap();
    let refused = Store::open(dir.path()).unwrap_err();
    assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("moonbell.db"), "{refused}");
    assert!(refused.hint().unwrap().contains(".recover"), "{refused}");
    assert!(fs::read(&path).unwrap() == bytes, "the file was changed");
}
