//! What the program takes by itself: memory at rest, time to start, size, and the time of `check`.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::bots::{self, Process};
use crate::gateway::Gateway;
use crate::load::{at, show};

const STARTS: usize = 15;

pub(crate) async fn run() {
    let size = std::fs::metadata(bots::binary()).unwrap().len();
    println!("\nfootprint: {}", bots::binary().display());
    println!("size of the program: {:.1} MiB", mib(size));
    memory().await;
    for scripts in [1, 20] {
        start(scripts).await;
    }
    for scripts in [1, 200] {
        check(scripts);
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn script(n: usize) -> String {
    format!(
        r#"--!strict
-- Script {n} of a folder as people have it.
local function table_of(names: {{ string }}): string
    local lines = {{}}
    for index, name in names do table.insert(lines, `{{index}}. {{name}}`) end
    return table.concat(lines, "\n")
end

bot.command("deploy{n} <env:dev|staging|prod> [tag] --force", {{
    help = {{ en = "Deploy a tag", zh = "发布" }},
    run = function(ctx)
        local done, why = shell.run{{ "true", cwd = "/" }}
        if not done then
            ctx:reply(tostring(why))
            return
        end
        ctx:reply(`{{ctx.args.env}} {{tostring(ctx.args.tag)}} {{done.code}}`)
    end,
}})

bot.command("list{n} <names...>", function(ctx)
    local names = {{}}
    for name in string.gmatch(ctx.args.names, "%S+") do table.insert(names, name) end
    kv.set("last", names)
    ctx:reply(table_of(names))
end)

bot.match([[^hello{n}\b]], function(ctx) ctx:reply("hello " .. ctx.user.name) end)
"#
    )
}

fn scripts(count: usize) -> Vec<(String, String)> {
    (0..count).map(|n| (format!("script{n}.luau"), script(n))).collect()
}

fn given(scripts: &[(String, String)]) -> impl Iterator<Item = (String, &str)> {
    scripts.iter().map(|(name, text)| (name.clone(), text.as_str()))
}

async fn memory() {
    for (name, count) in [("run, 20 scripts", 20), ("run, 200 scripts", 200)] {
        let scripts = scripts(count);
        let bot = bots::moonbell(given(&scripts)).await;
        report(name, &bot.process).await;
        for n in 0..2_000 {
            let _ = bot.gateway.say(n % 8, "hello1").await;
        }
        report(&format!("{name}, after 2,000 messages"), &bot.process).await;
    }
    let scripts = scripts(20);
    let dev = bots::start_dev(given(&scripts));
    let until = Instant::now() + Duration::from_secs(20);
    while !dev.log().contains("http://") {
        assert!(Instant::now() < until, "`moonbell dev` did not start: {}", dev.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    report("dev, 20 scripts (with the simulator)", &dev).await;
}

async fn report(name: &str, process: &Process) {
    tokio::time::sleep(Duration::from_secs(2)).await;
    let Some(resident) = process.resident() else {
        println!("resident, {name}: this system does not tell");
        return;
    };
    let own =
        process.anonymous().map(|kib| format!(", of which {:.1} MiB its own", mib(kib << 10)));
    println!("resident, {name:<40}{:>7.1} MiB{}", mib(resident << 10), own.unwrap_or_default());
}

async fn start(count: usize) {
    let scripts = scripts(count);
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let gateway = Gateway::start().await;
        let started = Instant::now();
        let process = bots::start_moonbell(gateway.base(), given(&scripts));
        let connected = gateway.connected().await;
        times.push(connected.expect("moonbell connects") - started);
        drop(process);
    }
    println!(
        "start → connected, {count} scripts: median {}, worst {} of {STARTS}; target: at most 100 ms",
        show(at(&mut times, 0.5)),
        show(at(&mut times, 1.0))
    );
}

fn check(count: usize) {
    let dir = bots::folder();
    for (name, text) in scripts(count) {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let mut times = Vec::new();
    for _ in 0..3 {
        let started = Instant::now();
        let checked = Command::new(bots::binary()).arg("check").arg(dir.path()).output().unwrap();
        times.push(started.elapsed());
        assert!(
            checked.status.success(),
            "{}{}",
            String::from_utf8_lossy(&checked.stdout),
            String::from_utf8_lossy(&checked.stderr)
        );
    }
    let middle = at(&mut times, 0.5);
    println!(
        "check, {count} scripts: {} in all, {} each",
        show(middle),
        show(middle / u32::try_from(count).unwrap())
    );
}
