//! From a save to the first answer of the new version, while messages keep coming.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::bots;
use crate::load::{at, paced, show};

const SAVES: usize = 40;
/// Messages a second to the script that changes, from other people than the one who waits for the new version.
const PER_SECOND: u32 = 100;

pub(crate) async fn run() {
    println!(
        "\nreload: {SAVES} saves, {PER_SECOND} messages/s to the script that is saved meanwhile"
    );
    println!(
        "{:<12}{:>12}{:>12}{:>12}{:>12}{:>10}{:>10}{:>12}",
        "scripts", "p50", "p99", "worst", "messages", "dropped", "doubled", "went back"
    );
    for scripts in [1, 200] {
        measure(scripts).await;
    }
    println!(
        "from the save to the answer at the gateway, 30 ms of it for the folder to settle; target: p99 at most 100 ms"
    );
}

fn version(n: usize) -> String {
    format!("bot.command(\"version\", function(ctx) ctx:reply(\"v{n}\") end)\n")
}

/// What a script of people looks like: a few commands, a pattern, a helper.
fn other(n: usize) -> String {
    format!(
        r#"
local greeting = "hello"
local function shout(text: string): string return text:upper() .. "!" end
bot.command("work{n} <text...>", function(ctx) ctx:reply(shout(ctx.args.text)) end)
bot.command("add{n} <a:int> <b:int>", {{ help = "Adds", run = function(ctx) ctx:reply(tostring(ctx.args.a + ctx.args.b)) end }})
bot.match([[^greet{n}\b]], function(ctx) ctx:reply(greeting .. " " .. ctx.user.name) end)
"#
    )
}

async fn measure(scripts: usize) {
    let others: Vec<String> = (1..scripts).map(other).collect();
    let all = others.iter().enumerate().map(|(n, text)| (format!("other{n}.luau"), text.as_str()));
    let first = version(0);
    let bot = bots::moonbell(all.chain([("version.luau".to_owned(), first.as_str())])).await;
    let file = bot.process.dir().join("scripts/version.luau");
    let stop = CancellationToken::new();
    let flow = tokio::spawn(paced(bot.gateway.clone(), PER_SECOND, "version", stop.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;

    let (mut times, mut back, mut lost) = (Vec::new(), 0, 0);
    for n in 1..=SAVES {
        let wanted = format!("v{n}");
        let saved = Instant::now();
        std::fs::write(&file, version(n)).unwrap();
        loop {
            match bot.gateway.say(1, "version").await {
                Some(answer) if answer.text() == wanted => {
                    times.push(answer.arrived - saved);
                    break;
                }
                Some(_) => {}
                None => lost += 1,
            }
            assert!(
                saved.elapsed() < Duration::from_secs(20),
                "version {n} never served: {}",
                bot.process.log()
            );
        }
        for _ in 0..5 {
            let answer = bot.gateway.say(2, "version").await;
            back += usize::from(answer.is_none_or(|answer| answer.text() != wanted));
        }
        // Not in step with any of the host's own timers.
        tokio::time::sleep(Duration::from_millis(100 + u64::try_from(n * 37 % 90).unwrap())).await;
    }
    stop.cancel();
    let flow = flow.await.unwrap();
    println!(
        "{scripts:<12}{:>12}{:>12}{:>12}{:>12}{:>10}{:>10}{back:>12}",
        show(at(&mut times, 0.5)),
        show(at(&mut times, 0.99)),
        show(at(&mut times, 1.0)),
        flow.times.len(),
        flow.lost + lost,
        bot.gateway.doubled(),
    );
}
