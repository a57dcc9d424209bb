//! What it costs to choose a handler, with few and with many of them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moonbell::router::{Asked, Choice, Command, Handler, Help, Kind, Pattern, Place, Routes};

use crate::load::{count, median, show, spread};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(30);

pub(crate) fn run() {
    println!("\nrouting: one choice, median of {ROUNDS} rounds of {ROUND:?}, in turns");
    println!(
        "{:<34}{:>12}{:>12}{:>12}{:>12}{:>14}{:>8}",
        "handlers", "10", "100", "1,000", "10,000", "10,000 : 10", "noise"
    );
    for (name, kind, texts) in [
        ("commands, one is named", command as fn(usize) -> Kind, named as fn(usize) -> String),
        ("commands, none is named", command, nobody),
        ("patterns, one matches", pattern, matched),
        ("patterns, none matches", pattern, nobody),
        ("patterns, a long text, none matches", pattern, long),
    ] {
        compare(name, kind, texts);
    }
    print!("{:<34}", "compiling them: commands");
    compile(command);
    print!("{:<34}", "compiling them: patterns");
    compile(pattern);
    println!("target: 10,000 handlers cost at most 2 times what 10 cost");
}

fn compare(name: &str, kind: fn(usize) -> Kind, text: fn(usize) -> String) {
    let routes: Vec<Routes<usize>> = SIZES.iter().map(|&size| routes(size, kind)).collect();
    // Different texts, so that no branch predictor learns the one.
    let texts: Vec<Vec<String>> =
        SIZES.iter().map(|&size| (0..64).map(|n| text(n * 7_919 % size)).collect()).collect();
    let asked = Asked { today: chrono::NaiveDate::default(), mentions: &[] };
    let mut costs: Vec<Vec<f64>> = SIZES.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for ((routes, texts), costs) in routes.iter().zip(&texts).zip(&mut costs) {
            let started = Instant::now();
            let mut chosen = 0;
            while started.elapsed() < ROUND {
                for text in texts {
                    drop(black_box(routes.choose(black_box(text), &asked)));
                }
                chosen += texts.len();
            }
            if round > 0 {
                costs.push(started.elapsed().as_secs_f64() / count(chosen));
            }
        }
    }
    let noise = costs.iter_mut().map(|costs| spread(costs)).fold(0.0, f64::max);
    let middle: Vec<f64> = costs.iter_mut().map(|costs| median(costs)).collect();
    print!("{name:<34}");
    for cost in &middle {
        print!("{:>12}", show(Duration::from_secs_f64(*cost)));
    }
    println!("{:>13.2}x{noise:>7.0}%", middle[3] / middle[0]);
}

fn compile(kind: fn(usize) -> Kind) {
    for size in SIZES {
        let handlers: Vec<Arc<Handler<usize>>> = handlers(size, kind);
        let started = Instant::now();
        drop(black_box(Routes::compile(handlers)));
        print!("{:>12}", show(started.elapsed()));
    }
    println!();
}

fn routes(size: usize, kind: fn(usize) -> Kind) -> Routes<usize> {
    let routes =
        Routes::compile(handlers(size, kind)).expect("the handlers of this bench do not conflict");
    let asked = Asked { today: chrono::NaiveDate::default(), mentions: &[] };
    let one = if matches!(kind(0), Kind::Command(_)) { named(size - 1) } else { matched(size - 1) };
    let found = routes.choose(&one, &asked);
    assert!(matches!(found, Choice::Command { .. } | Choice::Match { .. }), "{one}: {found:?}");
    routes
}

fn handlers(size: usize, kind: fn(usize) -> Kind) -> Vec<Arc<Handler<usize>>> {
    let handler = |n| Handler {
        id: n,
        kind: kind(n),
        priority: 0,
        place: Place {
            script: format!("s{:03}.luau", n / 20),
            line: u32::try_from(n % 20).unwrap(),
        },
        terms: moonbell::access::Terms::default(),
        help: Help::default(),
        aliases: Vec::new(),
        example: None,
    };
    (0..size).map(|n| Arc::new(handler(n))).collect()
}

fn command(n: usize) -> Kind {
    Kind::Command(Command::parse(&format!("task{n} <env:dev|staging|prod> [tag] --force")).unwrap())
}

/// Of the kinds that people write: beginnings, words, numbers of tickets, Chinese.
fn pattern(n: usize) -> Kind {
    let text = match n % 5 {
        0 => format!(r"^word{n}\b"),
        1 => format!(r"(?i)\bticket-{n}-(\d+)"),
        2 => format!(r"^(?:hi|hello) number{n}$"),
        3 => format!("查询{n}号(.+)"),
        _ => format!(r"deploy (\w+) to site{n}(?: now)?$"),
    };
    Kind::Match(Pattern::new(&text).unwrap())
}

fn named(n: usize) -> String {
    format!("task{n} staging v1.2.3 --force")
}

fn matched(n: usize) -> String {
    match n % 5 {
        0 => format!("word{n} and some more"),
        1 => format!("please look at TICKET-{n}-77 today"),
        2 => format!("hello number{n}"),
        3 => format!("请查询{n}号的订单"),
        _ => format!("deploy web to site{n} now"),
    }
}

fn nobody(n: usize) -> String {
    format!("what about lunch at {n} today?")
}

fn long(n: usize) -> String {
    "the quick brown fox jumps over the lazy dog, 今天天气很好; ".repeat(40) + &n.to_string()
}
