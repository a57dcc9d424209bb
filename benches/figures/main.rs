//! The figures of `docs/performance.md`: printed, never asserted.
//!
//!     cargo bench                        all of them
//!     cargo bench -- echo reload         some
//!     cargo bench -- soak                half an hour; never without being asked for
//!
//! Rivals that are not installed are left out, with a line that says how to get them.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench prints, and ends when something is wrong; its tasks end with its runtime"
)]

mod bots;
mod echo;
mod fairness;
mod footprint;
mod gateway;
mod host;
mod latency;
mod load;
mod raw;
mod reload;
mod routing;
mod soak;

const BENCHES: [&str; 6] = ["routing", "latency", "echo", "fairness", "reload", "footprint"];

/// As long as that.
const SOAK: &str = "soak";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [first, base] if first == raw::ARGUMENT => return raw::run(base),
        [first, base] if first == host::ARGUMENT => return host::run(base, echo::SCRIPT),
        _ => {}
    }
    // `cargo test --all-targets` starts benches too, without this flag.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("`cargo bench` prints the figures: {}", BENCHES.join(", "));
        return;
    }
    let wanted: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    if let Some(unknown) = wanted.iter().find(|word| !BENCHES.contains(word) && **word != SOAK) {
        println!("there is no bench `{unknown}`; there are {}, {SOAK}", BENCHES.join(", "));
        std::process::exit(2);
    }
    machine();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let benches = BENCHES.iter().filter(|bench| wanted.is_empty() || wanted.contains(bench));
    for bench in benches.chain(wanted.contains(&SOAK).then_some(&SOAK)) {
        let started = std::time::Instant::now();
        match *bench {
            "routing" => routing::run(),
            "latency" => runtime.block_on(latency::run()),
            "echo" => runtime.block_on(echo::run()),
            "fairness" => runtime.block_on(fairness::run()),
            "reload" => runtime.block_on(reload::run()),
            "soak" => runtime.block_on(soak::run()),
            _ => runtime.block_on(footprint::run()),
        }
        println!(
            "({bench}: {:.0} s; load of the machine {})",
            started.elapsed().as_secs_f64(),
            load_average()
        );
    }
}

/// Figures without their machine mean nothing.
fn machine() {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("\t: unknown processor");
    println!(
        "{} {} · {} cores · {} · load {}",
        std::env::consts::OS,
        std::env::consts::ARCH,
        fairness::cores(),
        cpu.trim_start_matches(['\t', ' ', ':']),
        load_average()
    );
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
