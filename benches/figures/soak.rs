//! Half an hour at fifty messages a second, with saves and lost connections: does anything grow?
//!
//! `MOONBELL_BENCH_SOAK_MINUTES` makes it longer or shorter. A message without an answer is delivered again after ten
//! seconds, under the same id, as DingTalk does; it counts as lost only after a minute.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bots::{self, Process};
use crate::gateway::Gateway;
use crate::load::{at, count, show};

/// Its name, where it is read, and how much of it is noise.
type Figure = (&'static str, fn(&Look) -> f64, f64);

const MINUTES: u64 = 30;
const PER_SECOND: u32 = 50;
/// Without a common factor with the kinds of messages, so that everybody sends all of them.
const PEOPLE: u64 = 61;

const SAVE_EVERY: Duration = Duration::from_secs(7);
/// Longer than a connection has to last before the host dials again at once: else the outages grow.
const CONNECTION_LOST_EVERY: Duration = Duration::from_secs(45);

/// Deliveries of one message, ten seconds apart.
const DELIVERIES: u32 = 6;

/// What people ask for: answers at once, after a wait, from the store, from a program, from the disk, as a card.
const SCRIPT: &str = r##"
-- version 0
bot.command("echo <text...>", function(ctx) ctx:reply(ctx.args.text) end)
bot.command("count", function(ctx) ctx:reply("count " .. tostring(kv.incr("n"))) end)
bot.command("wait", function(ctx)
    time.sleep("3s")
    ctx:reply("waited")
end)
bot.command("program", function(ctx) ctx:reply(text.trim(shell.run({ "echo", "out of a program" }).out)) end)
bot.command("file", function(ctx)
    fs.write("note.txt", ctx.run_id)
    ctx:reply(fs.read("note.txt"))
end)
bot.command("card <number>", function(ctx)
    local card = ctx:card({})
    for n = 1, 5 do
        card:append("line " .. n .. "\n")
        time.sleep("200ms")
    end
    card:append("#" .. ctx.args.number)
    card:finish()
end)
"##;

/// One look at the host.
struct Look {
    resident_kib: u64,
    anonymous_kib: u64,
    open_files: usize,
    threads: u64,
    /// Rows that wait for something, of all journals.
    unfinished: i64,
    rows: i64,
    journal_bytes: u64,
    log_bytes: u64,
}

#[derive(Default)]
struct Counts {
    again: AtomicU64,
    lost: AtomicU64,
}

pub(crate) async fn run() {
    let minutes = std::env::var("MOONBELL_BENCH_SOAK_MINUTES")
        .map_or(MINUTES, |text| text.parse().expect("MOONBELL_BENCH_SOAK_MINUTES is a number"));
    let bot = bots::moonbell([("soak.luau".to_owned(), SCRIPT)]).await;
    let (gateway, process) = (bot.gateway.clone(), &bot.process);
    println!(
        "\nsoak: {minutes} minutes at {PER_SECOND} messages/s of {PEOPLE} people, a save every {SAVE_EVERY:?}, a connection lost every {CONNECTION_LOST_EVERY:?}"
    );
    println!(
        "{:>6}{:>9}{:>7}{:>6}{:>9}{:>9}{:>8}{:>9}{:>11}{:>9}{:>10}{:>10}{:>10}{:>9}",
        "minute",
        "answers",
        "again",
        "lost",
        "resident",
        "own",
        "files",
        "threads",
        "unfinished",
        "rows",
        "journal",
        "log",
        "p50",
        "p99"
    );
    let stop = CancellationToken::new();
    let mut beside = JoinSet::new();
    beside.spawn(save(process.dir().join("scripts/soak.luau"), stop.clone()));
    beside.spawn(lose_connections(gateway.clone(), stop.clone()));

    let counts = Arc::new(Counts::default());
    let mut answers: JoinSet<Option<Duration>> = JoinSet::new();
    let mut looks = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let mut n = 0;
    for minute in 1..=minutes {
        let mut times = Vec::new();
        let until = Instant::now() + Duration::from_mins(1);
        while Instant::now() < until {
            tick.tick().await;
            n += 1;
            answers.spawn(ask(gateway.clone(), n, Arc::clone(&counts)));
            while let Some(done) = answers.try_join_next() {
                times.extend(done.unwrap());
            }
        }
        let Some(look) = look(process) else {
            println!("this system does not tell what a process holds");
            break;
        };
        println!(
            "{minute:>6}{:>9}{:>7}{:>6}{:>9}{:>9}{:>8}{:>9}{:>11}{:>9}{:>10}{:>10}{:>10}{:>9}",
            times.len(),
            counts.again.swap(0, Ordering::Relaxed),
            counts.lost.load(Ordering::Relaxed),
            mib(look.resident_kib << 10),
            mib(look.anonymous_kib << 10),
            look.open_files,
            look.threads,
            look.unfinished,
            look.rows,
            mib(look.journal_bytes),
            mib(look.log_bytes),
            show(at(&mut times, 0.5)),
            show(at(&mut times, 0.99))
        );
        looks.push(look);
    }
    answers.join_all().await;
    stop.cancel();
    beside.join_all().await;
    if let Some(last) = look(process) {
        println!("at the end {} rows are unfinished", last.unfinished);
    }
    let lost = counts.lost.load(Ordering::Relaxed);
    println!("{n} messages, {lost} lost, {} answered more than once", gateway.doubled());
    verdict(&looks);
    for line in process.log().lines().filter(|line| line.contains(" error ")).take(5) {
        println!("the host says: {line}");
    }
}

async fn ask(gateway: Gateway, n: u64, counts: Arc<Counts>) -> Option<Duration> {
    let number = gateway.number();
    // One card a second: with its frames that is a third of what DingTalk takes. What waits, waits for seconds.
    let text = match n % 50 {
        0 => format!("card {number}"),
        1..=5 => "count".to_owned(),
        6 => "wait".to_owned(),
        7 | 8 => "program".to_owned(),
        9..=11 => "file".to_owned(),
        _ => "echo hello".to_owned(),
    };
    let said = Instant::now();
    for delivery in 0..DELIVERIES {
        if delivery > 0 {
            counts.again.fetch_add(1, Ordering::Relaxed);
        }
        let until = tokio::time::Instant::now() + Duration::from_secs(10);
        // While there is no connection nothing can be delivered.
        if let Some(answer) = gateway.post(number, n % PEOPLE, &text).await
            && let Ok(Ok(_)) = tokio::time::timeout_at(until, answer).await
        {
            return Some(said.elapsed());
        }
        tokio::time::sleep_until(until).await;
    }
    counts.lost.fetch_add(1, Ordering::Relaxed);
    None
}

async fn save(script: std::path::PathBuf, stop: CancellationToken) {
    for version in 1_u64.. {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SAVE_EVERY) => {}
        }
        let text = SCRIPT.replace("-- version 0", &format!("-- version {version}"));
        let fresh = script.with_extension("new");
        std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &script)).unwrap();
    }
}

async fn lose_connections(gateway: Gateway, stop: CancellationToken) {
    for n in 0_u64.. {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(CONNECTION_LOST_EVERY) => {}
        }
        if n.is_multiple_of(2) {
            gateway.move_on().await;
        } else {
            gateway.cut();
        }
    }
}

fn look(process: &Process) -> Option<Look> {
    let folder = format!("/proc/{}", process.id());
    let status = std::fs::read_to_string(format!("{folder}/status")).ok()?;
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"))?;
    let path = process.dir().join("state/moonbell.db");
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let journal = rusqlite::Connection::open_with_flags(&path, flags).unwrap();
    let rows = |query: &str| journal.query_row(query, [], |row| row.get(0)).unwrap();
    let size = |path: &std::path::Path| path.metadata().map_or(0, |file| file.len());
    Some(Look {
        resident_kib: process.resident()?,
        anonymous_kib: process.anonymous()?,
        open_files: std::fs::read_dir(format!("{folder}/fd")).ok()?.count(),
        threads: threads.trim().parse().ok()?,
        unfinished: rows(
            "SELECT (SELECT count(*) FROM inbox WHERE ended_at_ms IS NULL)
             + (SELECT count(*) FROM outbox WHERE state = 'queued') + (SELECT count(*) FROM cards WHERE state <> 'closed')",
        ),
        rows: rows(
            "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM cards)",
        ),
        journal_bytes: size(&path),
        log_bytes: size(&path.with_extension("db-wal")),
    })
}

/// Compares the last third with the one before it: the first warms up.
fn verdict(looks: &[Look]) {
    let third = looks.len() / 3;
    if third == 0 {
        println!("too short to say whether anything grows: three minutes are the least");
        return;
    }
    let (middle, last) = (&looks[third..looks.len() - third], &looks[looks.len() - third..]);
    let mean = |looks: &[Look], of: fn(&Look) -> f64| {
        looks.iter().map(of).sum::<f64>() / count(looks.len())
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of this size are exact")]
    let figures: [Figure; 5] = [
        ("resident, MiB", |look| look.resident_kib as f64 / 1024.0, 2.0),
        ("of that its own, MiB", |look| look.anonymous_kib as f64 / 1024.0, 2.0),
        ("open files", |look| look.open_files as f64, 4.0),
        ("threads", |look| look.threads as f64, 4.0),
        ("rows unfinished", |look| look.unfinished as f64, 50.0),
    ];
    for (name, of, noise) in figures {
        let (before, after) = (mean(middle, of), mean(last, of));
        // A tenth, or what one look differs from the next by itself.
        let flat = after - before <= (before * 0.1).max(noise);
        let word = if flat { "flat" } else { "GROWS" };
        println!("{name:<24}{before:>9.1} → {after:>7.1}  {word}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mib(bytes: u64) -> String {
    format!("{:.1} M", bytes as f64 / f64::from(1 << 20))
}
