//! `shell` as a script sees it: real Luau, real programs, the run driven by the test.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::sync::Arc;
use std::time::Duration;

use mlua::chunk::ChunkMode;
use mlua::{Lua, MultiValue, Result as LuaResult};
use tokio_util::sync::CancellationToken;

use crate::api::run::{Limits, Run};
use crate::api::{Host, Scope, install};

struct Script {
    lua: Lua,
    scope: Scope,
    host: Host,
    run: Arc<Run>,
}

impl Script {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let host = Host::default();
        let (lua, scope) = (Lua::new(), Scope::new(host.clone(), "test.luau"));
        lua.set_app_data(scope.clone());
        install(&lua, &host).unwrap();
        let run = Run::new("r1", None, None, limits, CancellationToken::new());
        Self { lua, scope, host, run }
    }

    async fn execute(&self, code: &str) -> LuaResult<MultiValue> {
        self.scope.enter(Some(Arc::clone(&self.run)));
        let chunk = self.lua.load(code).set_name("=test").set_mode(ChunkMode::Text);
        tokio::time::timeout(Duration::from_secs(30), chunk.eval_async())
            .await
            .expect("the script ends in time")
    }

    #[track_caller]
    fn check(&self, code: &str) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        async move {
            if let Err(error) = self.execute(code).await {
                panic!("{at}: {error}");
            }
        }
    }

    async fn error(&self, code: &str) -> String {
        self.execute(code).await.expect_err("the script fails").to_string()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.run.end(None);
    }
}

async fn check(code: &str) {
    Script::new().check(code).await;
}

#[tokio::test]
async fn run_returns_what_came_out() {
    check(
        r#"
        local r = shell.run{ "sh", "-c", "echo out; echo err >&2; exit 3" }
        assert(r.out == "out\n" and r.err == "err\n" and r.code == 3 and r.signal == nil)
        assert(r.ok == false and r.timed_out == false and r.truncated == false and r.dropped == 0 and r.took > 0)
        assert(shell.run{ "true" }.ok)
        r = shell.run{ "sh", "-c", "kill -9 $$" }
        assert(r.code == nil and r.signal == "SIGKILL" and not r.ok)
        assert(shell.run{ "printf", "%s %s", 1, 2.5 }.out == "1 2.5")
        assert(shell.run{ "cat", stdin = "你好" }.out == "你好")
        assert(shell.run{ "pwd", cwd = "/" }.out == "/\n")
        assert(shell.run{ "printenv", "A", env = { A = "x=y", LANG = false } }.out == "x=y\n")
        assert(shell.run{ "printf", [[\377ok]] }.out == "\u{FFFD}ok")
        r = shell.run{ "sleep", "999", timeout = 0.2 }
        assert(r.timed_out and not r.ok and r.took >= 0.2)
        "#,
    )
    .await;
}

#[tokio::test]
async fn b1_hostile_arguments_are_printed_as_they_are_by_every_way() {
    let script = Script::new();
    let hostile = [
        "; id",
        "&& id",
        "| id",
        "`id`",
        "$(id)",
        "${IFS}",
        "a\nid",
        "a\rid",
        "%PATH%",
        "^",
        "!",
        "'",
        "\"",
        "'\"'",
        "\\",
        "-rf",
        "--output=/x",
        "@file",
        "*",
        "?",
        "/*",
        "[a-z]*",
        "~root",
        "~",
        "-",
        "--",
        "",
        " ",
        "a  b",
        "\t",
        "🦀",
        "；ｉｄ",
        "\u{202e}x",
        "$1",
        "$@",
        "%s",
        "{a,b}",
        "> /tmp/x",
        "#",
        "\u{1b}[31m",
    ];
    script.lua.globals().set("hostile", hostile.to_vec()).unwrap();
    script
        .check(
            r#"
            table.insert(hostile, "\255\254 bytes")
            table.insert(hostile, string.rep("x", 100 * 1024))
            for _, x in hostile do
                local shown = string.gsub(x, "[\255\254]", "\u{FFFD}")
                assert(shell.run{ "printf", "%s", x }.out == shown, x)
                assert(shell.sh('printf %s "$1"', x).out == shown, x)
                assert(shell.sh("printf '<%s>' $1 $2", x, "b").out == "<" .. shown .. "><b>", x)
                assert(shell.sh("printf '<%s>' $@", x, x).out == "<" .. shown .. "><" .. shown .. ">", x)
                -- Not rewritten: an empty argument vanishes there, as in any shell.
                assert(x == "" or shell.sh("printf '<%s>' `printf %s x` $1", x).out == "<x><" .. shown .. ">", x)
            end
            local bad, err = shell.run{ "printf", "%s", "a\0b" }
            assert(bad == nil and err.kind == "invalid" and tostring(err) == "argument 2 contains a NUL byte", tostring(err))
            "#,
        )
        .await;
}

#[tokio::test]
async fn b2_sh_is_a_shell_whose_arguments_are_passed() {
    check(
        r#"
        assert(shell.sh("echo $1 | tr a-z A-Z && echo done", "hi").out == "HI\ndone\n")
        assert(shell.sh("cd /etc && echo host*").out:find("hosts", 1, true))
        assert(shell.sh("echo $#", 1, 2, 3).out == "3\n")
        assert(shell.sh("echo $#").out == "0\n")
        assert(shell.sh("pwd; cat; echo $1", "x", { cwd = "/", stdin = "in " }).out == "/\nin x\n")
        assert(shell.sh("exit 7").code == 7)
        "#,
    )
    .await;
}

#[tokio::test]
async fn the_world_refuses_with_nil_and_a_reason() {
    check(
        r#"
        local r, err = shell.run{ "no-such-program-x" }
        assert(r == nil and err.kind == "not_found" and err.hint ~= nil)
        assert(tostring(err) == "program `no-such-program-x` was not found")
        r, err = shell.spawn{ "/etc/passwd" }
        assert(r == nil and err.kind == "denied")
        r, err = shell.run{ "true", cwd = "/nowhere" }
        assert(r == nil and err.kind == "cwd")
        r, err = shell.run{ "true", string.rep("x", 200000) }
        assert(r == nil and err.kind == "too_large")
        r, err = shell.run{ "true", env = { ["A=B"] = "x" } }
        assert(r == nil and err.kind == "invalid")
        "#,
    )
    .await;
}

#[tokio::test]
async fn misuse_raises_with_function_argument_expected_and_got() {
    let script = Script::new();
    for (code, expected) in [
        (
            "shell.run{}",
            "`shell.run`: expected a program as first item, such as { \"git\", \"pull\" }, got none",
        ),
        ("shell.run{ '' }", "`shell.run`: expected a program as first item"),
        (
            "shell.run('ls')",
            "`shell.run`: argument #1 (`command`): expected a table of options, got string",
        ),
        (
            "shell.run{ 'ls', true }",
            "`shell.run`: item 2: expected a string or a number, got boolean",
        ),
        ("shell.run{ 'ls', {} }", "`shell.run`: item 2: expected a string or a number, got table"),
        (
            "shell.run{ 'ls', timeuot = 3 }",
            "`shell.run`: unknown option `timeuot`; did you mean `timeout`?",
        ),
        (
            "shell.run{ 'ls', timeout = 'soon' }",
            "`shell.run`: option `timeout`: expected a duration",
        ),
        (
            "shell.run{ 'ls', env = { A = {} } }",
            "option `env`: `A`: expected a string (UTF-8), a number or false, got table",
        ),
        (
            "shell.spawn{ 'ls', cwd = 1 }",
            "`shell.spawn`: option `cwd`: expected a string (UTF-8), got number",
        ),
        ("shell.sh()", "`shell.sh`: argument #1 (`script`): expected string, got nothing"),
        (
            "shell.sh('echo', nil)",
            "argument after `script`, number 1: expected a string or a number, got nil",
        ),
        (
            "shell.sh('echo', print)",
            "argument after `script`, number 1: expected a string or a number, got function",
        ),
        ("shell.exec{ 'ls' }", "`shell` has no `exec`"),
        (
            "shell.spawn{ 'true' }:kill('NOPE')",
            "`process:kill`: argument #1 (`signal`): unknown signal `NOPE`",
        ),
        ("shell.spawn{ 'true' }:lines{ from = 'both' }", "`process:lines`: argument #1"),
        ("shell.spawn{ 'true' }.lines()", "is a method: write"),
    ] {
        let error = script.error(code).await;
        let found = error.contains(expected)
            || (code.contains("from =")
                && error.contains("option `from`: expected \"out\" or \"err\", got \"both\""));
        assert!(found, "{code}\n expected: {expected}\n got: {error}");
    }
}

#[tokio::test]
async fn nothing_runs_while_a_script_loads() {
    let script = Script::new();
    for code in ["shell.run{ 'true' }", "shell.spawn{ 'true' }", "shell.sh('true')"] {
        let error = script.lua.load(code).eval_async::<MultiValue>().await.unwrap_err().to_string();
        assert!(error.contains("put it into a handler"), "{error}");
    }
    assert_eq!(script.host.processes().open(), 0);
}

#[tokio::test]
async fn lines_come_one_by_one() {
    check(
        r#"
        local n, last = 0, ""
        for line in shell.spawn{ "seq", "10000" }:lines() do n += 1; last = line end
        assert(n == 10000 and last == "10000")

        local p = shell.spawn{ "sh", "-c", [[printf 'one\r\ntwo\nlast']] }
        local got = {}
        for line in p:lines() do table.insert(got, line) end
        assert(table.concat(got, "|") == "one|two|last")
        assert(p:wait().ok and p:wait().out == "")

        p = shell.spawn{ "sh", "-c", "echo a; echo b >&2; echo c" }
        got = {}
        for line in p:lines{ from = "out" } do table.insert(got, line) end
        assert(table.concat(got, "|") == "a|c" and p:wait().err == "b\n")

        -- Left early: the rest goes into the result.
        p = shell.spawn{ "seq", "100000" }
        for line in p:lines() do if line == "5" then break end end
        local r = p:wait()
        assert(r.ok and r.out:sub(-7) == "100000\n")
        "#,
    )
    .await;
}

#[tokio::test]
async fn a_program_can_be_talked_to() {
    check(
        r#"
        local p = shell.spawn{ "cat" }
        assert(type(p.pid) == "number")
        assert(p:write("hello\n") == true)
        assert(p:read() == "hello\n")
        p:close_stdin()
        assert(p:read() == nil)
        assert(p:wait().ok)
        local ok, err = p:write("late")
        assert(ok == nil and err.kind == "closed")

        p = shell.spawn{ "sleep", "999" }
        p:kill()
        assert(p:wait().signal == "SIGTERM")
        p:kill("KILL")
        p = shell.spawn{ "sleep", "999" }
        p:kill("SIGINT")
        assert(p:wait().signal == "SIGINT")
        "#,
    )
    .await;
}

#[tokio::test]
async fn output_past_what_is_kept_is_cut_at_the_front_and_counted() {
    check(
        r#"
        local r = shell.sh("yes 0123456789 | head -c 3000000; echo; echo end")
        assert(r.ok and r.truncated and #r.out == 1048576, #r.out)
        assert(r.dropped == 3000005 - 1048576, r.dropped)
        assert(r.out:sub(-5) == "\nend\n")
        "#,
    )
    .await;
}

#[tokio::test]
async fn b6_endless_output_ends_the_run_at_its_limit() {
    let script = Script::with(Limits { output_bytes: 1 << 20, ..Limits::default() });
    let error = script.error("pcall(shell.run, { 'yes' }); shell.run{ 'true' }").await;
    assert!(error.contains("the output limit of 1024 KiB was reached"), "{error}");
    script.run.end(None);
    until_none_is_open(&script.host).await;
}

#[tokio::test]
async fn b6_a_run_may_not_open_more_than_its_share() {
    let script = Script::with(Limits { processes: 2, ..Limits::default() });
    script
        .check(
            r#"
            local a, b = shell.spawn{ "sleep", "999" }, shell.spawn{ "sleep", "999" }
            local ok, err = pcall(shell.run, { "true" })
            assert(not ok and tostring(err):find("2 processes of this run are open already", 1, true), err)
            a:kill("KILL")
            a:wait()
            while not pcall(shell.run, { "true" }) do time.sleep(0.01) end
            "#,
        )
        .await;
}

#[tokio::test]
async fn the_end_of_the_run_ends_what_it_left_running() {
    let script = Script::new();
    script.check("p = shell.spawn{ 'sh', '-c', 'sleep 999 & sleep 999' }").await;
    assert_eq!(script.host.processes().open(), 1);
    script.run.end(None);
    until_none_is_open(&script.host).await;
}

#[tokio::test]
async fn a_run_cancelled_in_the_middle_of_a_program_leaves_none() {
    let script = Script::new();
    let running = script.execute("shell.run{ 'sh', '-c', 'sleep 999 & sleep 999' }");
    tokio::select! {
        _ = running => panic!("it runs for long"),
        () = async { while script.host.processes().open() == 0 { tokio::task::yield_now().await } } => {}
    }
    script.run.end(None);
    until_none_is_open(&script.host).await;
}

async fn until_none_is_open(host: &Host) {
    let gone = async {
        while host.processes().open() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .expect("the processes of the run end with it");
}
