//! Messages answered per second, and cards: the host with its journal and a Luau handler, against SDKs and a raw client.
//!
//! Everybody is a process of their own on the same gateway code, and they take turns in short rounds, so that whatever
//! else this machine does hits all alike.

use std::time::Duration;

use crate::bots::{self, Bot};
use crate::load::{self, at, median, show, spread};

pub(crate) const SCRIPT: &str = r##"
bot.command("echo <text...>", function(ctx) ctx:reply(ctx.args.text) end)
bot.command("card <number>", function(ctx)
    local card = ctx:card{}
    for n = 1, 10 do card:append("line " .. n .. "\n") end
    card:append("#" .. ctx.args.number)
    card:finish()
end)
"##;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);

/// What rounds of one bot gave.
struct Result {
    name: &'static str,
    rates: Vec<f64>,
    times: Vec<Duration>,
    lost: u64,
    /// CPU seconds for each answer, of each round.
    cpu: Vec<f64>,
    calls: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Echo,
    Card,
}

pub(crate) async fn run() {
    let scripts = [("echo.luau".to_owned(), SCRIPT)];
    let mut bots = vec![bots::moonbell(scripts).await, bots::raw().await];
    bots.extend(bots::rivals().await);
    for in_flight in [1, 64] {
        let results = compare(&bots, What::Echo, in_flight).await;
        print(&results, What::Echo, in_flight);
    }
    bots[0] = bots::without_card_pace().await;
    // The crate's cards are of another kind, see docs/performance.md.
    bots.retain(|bot| !bot.name.starts_with("crate"));
    print(&compare(&bots, What::Card, 16).await, What::Card, 16);
}

async fn compare(bots: &[Bot], what: What, in_flight: u64) -> Vec<Result> {
    let mut results: Vec<Result> = bots
        .iter()
        .map(|bot| Result {
            name: bot.name,
            rates: Vec::new(),
            times: Vec::new(),
            lost: 0,
            cpu: Vec::new(),
            calls: 0,
        })
        .collect();
    for round in 0..=ROUNDS {
        for (bot, result) in bots.iter().zip(&mut results) {
            let gateway = bot.gateway.clone();
            let (cpu, calls) = (bot.process.cpu(), gateway.calls());
            let ask = move |person| {
                let gateway = gateway.clone();
                async move {
                    match what {
                        What::Echo => gateway.say(person, "echo hello").await,
                        What::Card => gateway.ask_for_card(person).await,
                    }
                }
            };
            let time = if round == 0 { ROUND / 4 } else { ROUND };
            let sample = load::closed(in_flight, time, ask).await;
            if round == 0 {
                continue; // warm-up
            }
            let answers = load::count(sample.times.len());
            if let (Some(before), Some(after)) = (cpu, bot.process.cpu()) {
                result.cpu.push((after - before) / answers);
            }
            result.calls += bot.gateway.calls() - calls;
            result.lost += sample.lost;
            result.rates.push(sample.rate());
            result.times.extend(sample.times);
        }
    }
    results
}

fn print(results: &[Result], what: What, in_flight: u64) {
    let (title, unit) = match what {
        What::Echo => ("echo", "messages/s"),
        What::Card => ("card of ten updates", "cards/s"),
    };
    println!(
        "\n{title}, {in_flight} in flight: median of {ROUNDS} rounds of {ROUND:?} each, in turns"
    );
    println!(
        "{:<24}{unit:>12}{:>10}{:>10}{:>10}{:>12}{:>9}{:>14}",
        "", "noise", "p50", "p99", "CPU each", "calls", "moonbell is"
    );
    let ours = median(&mut results[0].rates.clone());
    for result in results {
        let (mut rates, mut times, mut cpu) =
            (result.rates.clone(), result.times.clone(), result.cpu.clone());
        let rate = median(&mut rates);
        let cpu = if cpu.is_empty() {
            "?".to_owned()
        } else {
            show(Duration::from_secs_f64(median(&mut cpu)))
        };
        println!(
            "{:<24}{rate:>12.0}{:>9.0}%{:>10}{:>10}{cpu:>12}{:>9.1}{:>13.2}x{}",
            result.name,
            spread(&mut rates),
            show(at(&mut times, 0.5)),
            show(at(&mut times, 0.99)),
            load::count(usize::try_from(result.calls).unwrap()) / load::count(times.len()),
            ours / rate,
            if result.lost > 0 { format!("  LOST {}", result.lost) } else { String::new() },
        );
    }
}
