//! From a frame on the wire to the handler that it is for, the journal included, beside what the disk costs bare.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::bots;
use crate::gateway::Gateway;
use crate::host::{Host, NOW};
use crate::load::{at, show};
use crate::raw;

const MESSAGES: usize = 400;
/// Between messages: what the last one left to do has been done.
const GAP: Duration = Duration::from_millis(8);

pub(crate) async fn run() {
    let host = Host::start([("now.luau".to_owned(), NOW)]).await;
    let (read_at, reads) = std::sync::mpsc::channel();
    let raw = Gateway::start().await;
    let base = raw.base().to_owned();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(raw::serve(&base, Some(read_at)));
    });
    raw.connected().await.expect("the raw client connects");

    let folder = bots::folder();
    let mut disk = Disk::new(folder.path());
    let (mut append, mut overwrite) = (Vec::new(), Vec::new());
    let (mut read, mut entered, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..MESSAGES + 50 {
        let bare = (disk.append(), disk.overwrite());
        let answer = raw.say(1, "echo hello").await.expect("the raw client answers");
        let frame_read = reads.recv().unwrap() - answer.written;
        tokio::time::sleep(GAP).await;
        let answer = host.gateway.say(1, "now").await.expect("the host answers");
        if n >= 50 {
            append.push(bare.0);
            overwrite.push(bare.1);
            read.push(frame_read);
            entered.push(host.entered(&answer));
            whole.push(answer.round_trip());
        }
        tokio::time::sleep(GAP).await;
    }

    println!("\nlatency of one message at a time: {MESSAGES} of each, in turns");
    println!("{:<58}{:>10}{:>10}", "", "p50", "p99");
    let line = |name: &str, times: &mut Vec<Duration>| {
        let middle = at(times, 0.5);
        println!("{name:<58}{:>10}{:>10}", show(middle), show(at(times, 0.99)));
        middle
    };
    let fsync = line("bare: 4 KiB appended, fsync", &mut append);
    line("bare: 4 KiB overwritten, fdatasync", &mut overwrite);
    let wire = line("frame written → frame read (raw client)", &mut read);
    let handler = line("frame written → handler entered (moonbell, journal)", &mut entered);
    line("frame written → reply at the gateway (moonbell)", &mut whole);
    let added = handler.saturating_sub(wire);
    let over = added.as_secs_f64() - fsync.as_secs_f64();
    println!(
        "frame read → handler entered, p50: {} = fsync {:+.0} µs (target: at most +150 µs)",
        show(added),
        over * 1e6
    );
}

/// Files beside the journal, to see what the disk takes by itself.
struct Disk {
    grows: std::fs::File,
    stays: std::fs::File,
}

impl Disk {
    fn new(dir: &Path) -> Self {
        let grows = std::fs::File::create(dir.join("grows")).unwrap();
        let mut stays = std::fs::File::create(dir.join("stays")).unwrap();
        stays.write_all(&[0; 4096]).unwrap();
        stays.sync_all().unwrap();
        Self { grows, stays }
    }

    fn append(&mut self) -> Duration {
        let started = Instant::now();
        self.grows.write_all(&[1; 4096]).unwrap();
        self.grows.sync_all().unwrap();
        started.elapsed()
    }

    fn overwrite(&mut self) -> Duration {
        let started = Instant::now();
        self.stays.seek(SeekFrom::Start(0)).unwrap();
        self.stays.write_all(&[2; 4096]).unwrap();
        self.stays.sync_data().unwrap();
        started.elapsed()
    }
}
