//! Sixteen scripts that never stop computing, and what a handler of another script feels of them.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::host::{Host, NOW};
use crate::load::{at, show};

const SPINNING: u64 = 16;
const MESSAGES: usize = 300;
/// The spinning runs have ten seconds of Lua each; on two threads that is more than a minute.
const LONGEST: Duration = Duration::from_secs(20);

pub(crate) async fn run() {
    let spins: Vec<(String, String)> = (0..SPINNING)
        .map(|n| {
            let text = format!(r#"bot.command("spin{n}", function(ctx) ctx:reply("spinning") while true do end end)"#);
            (format!("spin{n}.luau"), text)
        })
        .collect();
    let scripts = spins.iter().map(|(name, text)| (name.clone(), text.as_str()));
    let host = Host::start(scripts.chain([("now.luau".to_owned(), NOW)])).await;
    let calm = measure(&host).await;
    let mut started = JoinSet::new();
    for n in 0..SPINNING {
        let gateway = host.gateway.clone();
        started.spawn(async move {
            gateway.say(100 + n, &format!("spin{n}")).await.expect("a script that spins says so")
        });
    }
    started.join_all().await;
    let busy = measure(&host).await;
    let ended = host.gateway.doubled();

    println!("\nfairness: {SPINNING} scripts in `while true do end` on {} cores", cores());
    println!(
        "{:<44}{:>10}{:>10}{:>10}{:>10}",
        "another script's handler", "messages", "p50", "p99", "worst"
    );
    for (name, (mut entered, mut whole)) in [("alone", calm), ("beside them", busy)] {
        for (what, times) in [
            ("frame written → handler entered", &mut entered),
            ("frame written → reply", &mut whole),
        ] {
            println!(
                "{:<44}{:>10}{:>10}{:>10}{:>10}",
                format!("{name}: {what}"),
                times.len(),
                show(at(times, 0.5)),
                show(at(times, 0.99)),
                show(at(times, 1.0))
            );
        }
    }
    println!("target: p99 at most 10 ms");
    if ended > 0 {
        println!("NOT VALID: {ended} of the spinning scripts had reached their limit");
    }
}

async fn measure(host: &Host) -> (Vec<Duration>, Vec<Duration>) {
    let (mut entered, mut whole) = (Vec::new(), Vec::new());
    let started = Instant::now();
    while whole.len() < MESSAGES && started.elapsed() < LONGEST {
        let answer = host.gateway.say(1, "now").await.expect("the handler answers");
        entered.push(host.entered(&answer));
        whole.push(answer.round_trip());
    }
    (entered, whole)
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, std::num::NonZero::get)
}
