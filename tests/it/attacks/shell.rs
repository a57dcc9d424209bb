//! Group B: text on its way to a program.

use std::fs;

use serde_json::Value;

use super::super::process::{HostProcess, command};
use super::super::stage::{ALICE, OWNER, Setup};
use super::answer;

/// Runs what the owner says, in the ways that a script has, and compares what the program printed with what was said.
const PRINT: &str = r#"
bot.fallback(function(ctx)
    local ways = {
        run = shell.run{ "printf", "%s", ctx.text },
        sh = shell.sh("printf %s $1", ctx.text),
        quoted = shell.sh('printf %s "$1"', ctx.text),
        stdin = shell.run{ "cat", stdin = ctx.text },
        env = shell.run{ "sh", "-c", 'printf %s "$SAID"', env = { SAID = ctx.text } },
    }
    local wrong = {}
    for way, r in ways do
        if not (r and r.out == ctx.text) then table.insert(wrong, way) end
    end
    ctx:reply(#wrong == 0 and "as it was said" or "other: " .. table.concat(wrong, ", "))
end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn b1_b2_text_from_a_chat_reaches_programs_as_it_was_said() {
    let host = Setup::new().script("print.luau", PRINT).spawn().await;
    let said: Vec<String> = [
        "; id",
        "&& id",
        "| id",
        "`id`",
        "$(id)",
        "${IFS}id",
        "a\nid",
        "%PATH% ^ !",
        "'\"\\",
        "-rf /",
        "--output=/tmp/x",
        "@/etc/passwd",
        "*",
        "~root",
        "；id",
        "😀 e\u{301}",
        "$1 $@ $0",
        "%s%n%d",
    ]
    .map(|text| format!("say {text}"))
    .to_vec();
    for text in &said {
        host.say(OWNER, text);
    }
    host.until("each is as it was said", |seen| seen.to(OWNER).len() == said.len()).await;
    host.look(|seen| {
        for (text, answer) in said.iter().zip(seen.to(OWNER)) {
            assert_eq!(answer, "as it was said", "{text}");
        }
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b2_what_is_said_is_one_argument_of_a_shell_and_never_its_text() {
    let careful = r#"
        bot.match("^sh (.*)$", function(ctx)
            local r = assert(shell.sh([[printf '%s|%s' "$#" "$1"]], ctx.args[1]))
            ctx:reply(r.out)
        end)
    "#;
    let careless =
        "bot.command(\"bad <x>\", function(ctx) shell.sh(\"echo \" .. ctx.args.x) end)\n";
    let stage = Setup::new().script("sh.luau", careful).stage().await;
    fs::create_dir(stage.path("careless")).unwrap();
    fs::write(stage.path("careless/bad.luau"), careless).unwrap();
    let host = stage.spawn().await;
    let evil = host.path("was-here");
    let evil = evil.display();
    for said in [
        format!("; touch {evil}"),
        format!("$(touch {evil})"),
        format!("`touch {evil}`"),
        format!("' ; touch {evil} ; '"),
        format!("\" ; touch {evil} ; \""),
        format!("x && touch {evil} || touch {evil}"),
        "$1 $@ $* $0 ${IFS}".to_owned(),
        "-n -e \\n".to_owned(),
    ] {
        assert_eq!(answer(&host, OWNER, &format!("sh {said}")).await, format!("1|{said}"));
    }
    assert!(!host.path("was-here").exists());
    // A script that puts it into the text is warned about.
    let mut check = super::super::process::bare(&host, env!("CARGO_BIN_EXE_moonbell"));
    check.arg("check").arg(host.path("careless")).stdout(std::process::Stdio::piped());
    let said = String::from_utf8(check.output().unwrap().stdout).unwrap();
    assert!(said.contains("bad.luau:1") && said.contains("shell_template"), "{said}");
    host.stop().await;
}

const TRY: &str = r#"
bot.command("env <name> <value>", function(ctx)
    local r, err = shell.run{ "sh", "-c", "id >/dev/null; echo ran", env = { [ctx.args.name] = ctx.args.value } }
    ctx:reply(r and r.out or err.kind)
end)
bot.command("in <folder>", function(ctx)
    local r, err = shell.run{ "pwd", cwd = ctx.args.folder }
    ctx:reply(r and r.out or err.kind)
end)
bot.command("below <folder>", function(ctx)
    local r, err = shell.run{ "pwd", cwd = "/tmp/" .. ctx.args.folder }
    ctx:reply(r and r.out or err.kind)
end)
bot.command("prompt <text...>", function(ctx)
    local r = assert(shell.sh([[
        if read -r answer; then echo "read $answer"; else echo "no input"; fi
        if (exec </dev/tty) 2>/dev/null; then echo "a terminal"; else echo "no terminal"; fi
        [ "$(ps -o sid= -p $$ | tr -d ' ')" = "$$" ] && echo "a session of its own"
    ]]))
    ctx:reply(r.out)
end)
"#;

/// What the owner is answered to each of these, in order.
async fn answers(host: &HostProcess, said: &[&str]) -> Vec<String> {
    let before = host.look(|seen| seen.to(OWNER).len());
    for text in said {
        host.say(OWNER, text);
    }
    host.until("all are answered", |seen| seen.to(OWNER).len() == before + said.len()).await;
    host.look(|seen| {
        seen.to(OWNER)[before..].iter().map(|text| text.trim_end().to_owned()).collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn b4_a_chat_sets_no_variable_that_decides_which_code_runs() {
    let host = Setup::new().script("try.luau", TRY).spawn().await;
    let evil = host.path("evil.sh");
    fs::write(&evil, format!("touch {}", host.path("was-here").display())).unwrap();
    let names =
        ["LD_PRELOAD", "PATH", "BASH_ENV", "ENV", "GIT_SSH_COMMAND", "PERL5OPT", "NODE_OPTIONS"];
    let said: Vec<String> =
        names.iter().map(|name| format!("env {name} {}", evil.display())).collect();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    assert!(answers(&host, &said).await.iter().all(|answer| answer == "denied"));
    assert_eq!(answers(&host, &["env GREETING hello"]).await, ["ran"]);
    assert!(!host.path("was-here").exists());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b5_a_chat_leads_no_program_into_another_folder() {
    let host = Setup::new().script("try.luau", TRY).spawn().await;
    let said =
        ["in ../../etc", "in etc", "in //server/share", "in \\\\server\\share", "in ~root", "in ."];
    assert!(answers(&host, &said).await.iter().all(|answer| answer == "cwd"));
    let said = ["below ../etc", "below ../../etc", "below x/../../etc", "below .."];
    assert!(answers(&host, &said).await.iter().all(|answer| answer == "cwd"));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_a_program_has_no_terminal_and_no_input_to_ask_for_a_password() {
    let host = Setup::new().script("try.luau", TRY).spawn().await;
    let said = answers(&host, &["prompt hunter2"]).await;
    assert_eq!(said, ["no input\nno terminal\na session of its own"]);
    host.stop().await;
}

/// Programs that leave the group of their program, in the ways there are.
const LEAVE: &str = r#"
bot.command("leave", function(ctx)
    local p = assert(shell.spawn{ "sh", "-c", [[
        setsid sh -c 'echo $$; trap "" TERM; sleep 600 & wait' </dev/null 2>/dev/null &
        ( ( setsid sleep 600 >/dev/null 2>&1 & echo $! ) & )
        for i in $(seq 1 50); do setsid sleep 600 >/dev/null 2>&1 & echo $!; done
        sleep 600
    ]] })
    for line in p:lines() do ctx:reply(line) end
end)
-- Without the mark, in another session; but its parent lives.
bot.command("bare", function(ctx)
    local p = assert(shell.spawn{ "sh", "-c", "setsid env -i sleep 397 & echo $!; exec sleep 399" })
    for line in p:lines() do ctx:reply(line) end
end)
bot.command("daemon", function(ctx)
    -- In a session of its own from its beginning: what is still in the group when the program ends goes with it.
    local r = assert(shell.sh("echo $(setsid sh -c 'sleep 600 >/dev/null 2>&1 & echo $!')"))
    ctx:reply(r.out)
end)
"#;

fn alive(pid: &str) -> bool {
    // A zombie has ended; its parent has not looked yet.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn b6_what_left_its_group_ends_with_a_run_that_is_stopped() {
    let host =
        Setup::new().script("leave.luau", LEAVE).toml("[limits]\nreplies = 1000").spawn().await;
    host.say(OWNER, "leave");
    host.until("all are there", |seen| seen.to(OWNER).len() == 52).await;
    let pids: Vec<String> =
        host.look(|seen| seen.to(OWNER).iter().map(|&pid| pid.to_owned()).collect());
    assert!(pids.iter().all(|pid| alive(pid)), "{pids:?}");
    host.say(OWNER, "stop");
    host.until_true("none is left", || pids.iter().all(|pid| !alive(pid))).await;
    host.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn b6_what_threw_its_environment_away_ends_with_its_family() {
    let host = Setup::new().script("leave.luau", LEAVE).spawn().await;
    host.say(OWNER, "bare");
    host.until("it is there", |seen| seen.to(OWNER).len() == 1).await;
    let pid = host.look(|seen| seen.to(OWNER)[0].trim().to_owned());
    let is_bare = || fs::read(format!("/proc/{pid}/environ")).is_ok_and(|all| all.is_empty());
    host.until_true("it has thrown all away", is_bare).await;
    host.say(OWNER, "stop");
    host.until_true("it is gone", || !alive(&pid)).await;
    host.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn b6_a_daemon_that_a_program_leaves_is_named_in_the_log() {
    let host = Setup::new().script("leave.luau", LEAVE).spawn().await;
    host.say(OWNER, "daemon");
    host.until("it is there", |seen| seen.to(OWNER).len() == 1).await;
    let pid = host.look(|seen| seen.to(OWNER)[0].trim().to_owned());
    host.until_true("it is named", || {
        host.lines("err")
            .iter()
            .any(|line| line.contains("left processes running") && line.contains(&pid))
    })
    .await;
    assert!(alive(&pid), "what was meant to stay stays");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid.parse().unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    host.terminate().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn b6_what_a_killed_host_left_running_ends_with_the_next_start() {
    let script = r#"
        bot.command("long", function(ctx)
            local p = assert(shell.spawn{ "sh", "-c", "echo $$; sleep 600" })
            for line in p:lines() do ctx:reply(line) end
        end)
    "#;
    let host = Setup::new().script("long.luau", script).spawn().await;
    host.say(OWNER, "long");
    host.until("it is there", |seen| seen.to(OWNER).len() == 1).await;
    let pid = host.look(|seen| seen.to(OWNER)[0].trim().to_owned());
    let stage = host.kill().await;
    assert!(alive(&pid), "nobody has ended it");
    let host = HostProcess::spawn(stage).await;
    host.until_true("it has ended", || !alive(&pid)).await;
    host.terminate().await;
}

/// Starts what does not end by itself, and says where.
const STUBBORN: &str = r#"
bot.command("flood", function(ctx)
    pcall(shell.run, { "yes" })
    ctx:reply("after the flood")
end)
bot.command("deaf", function(ctx)
    shell.run{ "sh", "-c", [[
        trap '' TERM INT HUP
        ( trap '' TERM INT HUP; echo $$ >> "$1"; while :; do sleep 0.05; done ) &
        echo $$ >> "$1"; echo deaf >> "$2"
        while :; do sleep 0.05; done
    ]], "sh", "{home}/pids", "{home}/entered" }
end)
bot.command("over <n:int>", function(ctx)
    while true do
        shell.run{ "sh", "-c", 'echo $$ >> "$1"; exec sleep 600', "sh", "{home}/pids", timeout = "50ms" }
    end
end)
"#;

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn b6_endless_output_and_deaf_programs_end_and_whoever_asked_is_told() {
    let setup = Setup::new().script("stubborn.luau", STUBBORN).toml("[limits]\noutput_mb = 1");
    let host = setup.spawn().await;
    let said = answer(&host, OWNER, "flood").await;
    assert!(said.contains("the output limit of 1024 KiB was reached"), "{said}");
    host.say(OWNER, "deaf");
    host.entered(&["deaf"]).await;
    let pids = host.lines("pids");
    assert!(!pids.is_empty() && pids.iter().all(|pid| alive(pid)), "{pids:?}");
    let said = answer(&host, OWNER, "stop").await;
    assert!(said.contains("top"), "{said}");
    host.until_true("it is killed, whatever it listens to", || pids.iter().all(|pid| !alive(pid)))
        .await;
    // And the same when the host itself is asked to end.
    host.say(ALICE, "deaf");
    host.until_true("it is deaf again", || host.lines("entered").len() == 2).await;
    let pids = host.lines("pids");
    let stage = host.stop().await;
    stage.until_true("none is left", || pids.iter().all(|pid| !alive(pid))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_no_program_of_the_working_folder_runs_in_place_of_another() {
    let script = r#"
        bot.command("run <name>", function(ctx)
            local r, err = shell.run{ ctx.args.name, cwd = "{home}/work" }
            ctx:reply(if r then "ran " .. r.out else err.kind)
        end)
    "#;
    let stage = Setup::new().script("run.luau", script).stage().await;
    let work = stage.path("work");
    fs::create_dir(&work).unwrap();
    for name in ["evil", "uname"] {
        let program = work.join(name);
        fs::write(&program, format!("#!/bin/sh\ntouch {}\n", stage.path("was-here").display()))
            .unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    // As careless as a PATH can be.
    let child = command(&stage).env("PATH", ".::work:/usr/bin:/bin").spawn().unwrap();
    let host = HostProcess::started(child, stage).await;
    assert_eq!(answer(&host, OWNER, "run evil").await, "not_found");
    let said = answer(&host, OWNER, "run uname").await;
    assert!(said.starts_with("ran ") && said.len() > 5, "the real one: {said:?}");
    assert!(!host.path("was-here").exists());
    // Whoever writes where it is means it.
    assert_eq!(answer(&host, OWNER, "run ./evil").await, "ran ");
    assert!(host.path("was-here").exists());
    host.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn b9_a_stop_at_any_moment_ends_the_programs_of_its_run_and_no_other() {
    let host = Setup::new().script("stubborn.luau", STUBBORN).spawn().await;
    let mut bystander = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;
    // Programs start and end all the time; each stop comes wherever it comes, most of them twice.
    for round in 0..8_usize {
        host.say(OWNER, &format!("over {round}"));
        host.until_true("it starts programs", || host.lines("pids").len() > round).await;
        for _ in 0..=round % 2 {
            host.say(OWNER, "stop");
        }
        host.until("it is stopped", |seen| {
            seen.to(OWNER).iter().filter(|said| said.contains("Stopped")).count() > round
        })
        .await;
    }
    let pids = host.lines("pids");
    host.until_true("none of them is left", || pids.iter().all(|pid| !alive(pid))).await;
    let said = answer(&host, OWNER, "stop").await;
    assert!(!said.contains("Stopped"), "there is nothing to stop: {said}");
    assert!(bystander.try_wait().unwrap().is_none(), "what is not of the run goes on");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    gate.open();
    host.until("another run goes on", |seen| seen.to(ALICE) == ["released one"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b6_one_run_and_all_runs_together_have_so_many_programs_open() {
    let script = r#"
        bot.command("open <n:int>", { queue = "none", run = function(ctx)
            local held, refused = {}, nil
            for i = 1, ctx.args.n do
                local ok, p, err = pcall(shell.spawn, { "sleep", "600" })
                if not ok then refused = p break end
                if not p then refused = err.kind break end
                table.insert(held, p)
            end
            ctx:reply(#held .. " " .. tostring(refused):sub(-40))
            time.sleep("10m")
        end })
    "#;
    let host = Setup::new()
        .script("open.luau", script)
        .toml("[shutdown]\ndeadline = \"100ms\"\n[limits]\nprocesses = 3\nall_processes = 4")
        .spawn()
        .await;
    host.say(OWNER, "open 10");
    host.until("the run has its share", |seen| {
        matches!(seen.to(OWNER)[..], [said] if said.starts_with("3 ") && said.contains("wait for one or kill it"))
    })
    .await;
    host.say(ALICE, "open 10");
    host.until("all together have theirs", |seen| seen.to(ALICE) == ["1 too_many"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_people_and_handlers_refuse_in_words_and_a_flood_is_told_once() {
    let script = r#"
        bot.command("wait", { queue = "none", run = function(ctx) ctx:reply("waiting") time.sleep("10m") end })
        bot.command("quick", function(ctx) ctx:reply("done") end)
    "#;
    let host = Setup::new()
        .script("limits.luau", script)
        .toml("[shutdown]\ndeadline = \"100ms\"\n[limits]\nperson_runs = 2\nhandler_runs = 3\nperson_per_minute = 5")
        .spawn()
        .await;
    for _ in 0..3 {
        host.say(OWNER, "wait");
    }
    host.until("a person has so many", |seen| {
        let said = seen.to(OWNER);
        said.len() == 3 && said.contains(&"You have 2 runs under way, the most for one person. Wait for one to end, or say stop.")
    })
    .await;
    for _ in 0..2 {
        host.say(ALICE, "wait");
    }
    host.until("and so has the handler", |seen| {
        let said = seen.to(ALICE);
        said.len() == 2
            && said.contains(
                &"`wait` has 3 runs under way, the most that it may have; try again later.",
            )
    })
    .await;
    // Alice has used one of her five; what was refused for another reason is not counted.
    for _ in 0..30 {
        host.say(ALICE, "quick");
    }
    let refused =
        "SELECT count(*) FROM inbox WHERE error LIKE 'denied: one person may start 5 runs%'";
    host.until_true("the rest is refused", || host.journal(refused) == 26).await;
    host.look(|seen| {
        let told = seen.to(ALICE).iter().filter(|said| said.starts_with("Too fast")).count();
        assert_eq!((told, seen.to(ALICE).len()), (1, 7), "{:?}", seen.to(ALICE));
    });
    let stage = host.stop().await;
    let reasons: Vec<Value> = super::records(&stage);
    for reason in ["person_runs", "handler_runs", "flood"] {
        assert!(reasons.iter().any(|record| record["reason"] == reason), "{reason}");
    }
}
