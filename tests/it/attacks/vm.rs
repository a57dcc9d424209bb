//! Group I, on the real program: handlers that try to get out of their VM, into another run, or past a limit of a value.

use std::fmt::Write as _;

use super::super::stage::{ALICE, BOB, LINA, OWNER, Setup};
use super::{answer, moonbell, text};
use crate::api_misuse::misuse;

/// A command that tries `body` and says that nothing came of it.
fn tries(body: &str) -> String {
    format!("bot.command(\"try\", function(ctx)\n{body}\nctx:reply(\"nothing came of it\")\nend)")
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_bytecode_and_text_become_no_code_of_the_real_program() {
    let script = tries(
        r#"
        for _, name in { "load", "loadstring", "loadfile", "dofile" } do assert(_G[name] == nil, name) end
        assert(string.dump == nil)
        for _, name in { "return 1", "lib/code", "./lib/code", "lib/pre" } do assert(not pcall(require, name), name) end
        "#,
    );
    let stage = Setup::new().script("try.luau", &script).stage().await;
    std::fs::create_dir(stage.path("scripts/lib")).unwrap();
    std::fs::write(stage.path("scripts/lib/code.luau"), b"\x1bLuaS\x00\x19\x93").unwrap();
    std::fs::write(stage.path("scripts/lib/pre.luau"), b"\x06\x01\x02").unwrap();
    std::fs::write(stage.path("scripts/chunk.luau"), b"\x1bLua").unwrap();
    let host = stage.spawn().await;
    assert_eq!(answer(&host, ALICE, "try").await, "nothing came of it");
    let status = text(&moonbell(&host, &["status"]));
    assert!(status.contains("newest version not loaded: chunk.luau:1"), "{status}");
    // Saved over a script that serves, it does not take its place.
    let saves = [&b"\x1bLua"[..], b"\x06\x01\x02", b"bot.command('try', load"];
    for (n, (bytes, person)) in saves.into_iter().zip([BOB, LINA, ALICE]).enumerate() {
        let fresh = host.path("fresh");
        std::fs::write(&fresh, bytes).unwrap();
        std::fs::rename(fresh, host.path("scripts/try.luau")).unwrap();
        host.until_true("it is told", || {
            let told = host.lines("err");
            told.iter().filter(|line| line.contains("still running the version of")).count() > n
        })
        .await;
        assert_eq!(answer(&host, person, "try").await, "nothing came of it", "{bytes:?}");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_what_a_handler_does_to_its_vm_reaches_no_other_script_and_no_other_run() {
    let script = tries(
        r#"
        for _, name in { "getfenv", "setfenv", "newproxy", "collectgarbage", "gcinfo", "io", "package" } do assert(_G[name] == nil, name) end
        assert(debug.getinfo == nil and debug.info == nil and debug.sethook == nil and debug.getregistry == nil)
        assert(os.execute == nil and os.exit == nil and os.getenv == nil and os.remove == nil)
        local mischief = {
            function() string.rep = nil end,
            function() string.upper = print end,
            function() getmetatable("").__index = {} end,
            function() setmetatable(_G, { __index = function() return 1 end }) end,
            function() rawset(string, "rep", nil) end,
            function() rawset(_G, "count", 2) end,
            function() table.insert(_G, 1) end,
            function() table.clear(_G) end,
            function() leaked = ctx end,
            function() _G.leaked = ctx end,
            function() kv.get = nil end,
            function() setmetatable(kv, {}) end,
            function() bot.pass.x = 1 end,
            function() bot.command("late", function() end) end,
        }
        for n, act in mischief do assert(not pcall(act), n) end
        assert(getmetatable(kv) == "locked" and getmetatable(ctx) == "locked")
        -- Fields of its own copy, which nobody asks about rights.
        pcall(function() ctx.user.role = "owner" ctx.user.id = "manager4220" ctx.chat.id = "c2" end)
        "#,
    );
    let boss = r#"
        bot.command("boss", { role = "owner", run = function(ctx) ctx:reply("for the owner") end })
        bot.command("sane", function(ctx)
            assert(leaked == nil and count == nil and ("x"):rep(2) == "xx" and ("x"):upper() == "X" and kv.get("nothing") == nil)
            ctx:reply("sane")
        end)
    "#;
    let host = Setup::new().script("try.luau", &script).script("boss.luau", boss).spawn().await;
    for person in [ALICE, BOB] {
        assert_eq!(answer(&host, person, "try").await, "nothing came of it");
        assert_eq!(answer(&host, person, "sane").await, "sane");
        assert_eq!(answer(&host, person, "boss").await, "Sorry, you may not use `boss`.");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_nothing_is_said_into_the_chat_of_another_run() {
    let script = r#"
        local kept, routine = nil, nil
        bot.command("keep", function(ctx)
            kept = ctx
            routine = coroutine.create(function() coroutine.yield() ctx:reply("from the routine") end)
            coroutine.resume(routine)
            ctx:reply("kept")
        end)
        bot.command("use", function(ctx) kept:reply("into the wrong chat") end)
        bot.command("resume", function(ctx)
            local ok, why = coroutine.resume(routine)
            ctx:reply(tostring(ok) .. " " .. tostring(why))
        end)
        bot.command("ask", function(ctx) ctx:reply("heard " .. tostring(kept:ask("in the wrong chat?"))) end)
    "#;
    let host = Setup::new().script("keep.luau", script).spawn().await;
    assert_eq!(answer(&host, ALICE, "keep").await, "kept");
    for (word, method) in [("use", "reply"), ("ask", "ask")] {
        let said = answer(&host, BOB, word).await;
        assert!(said.contains("The owner can see why in the log"), "{said}");
        // There it says what to do instead.
        host.until_true("it explains itself", || {
            host.lines("err").iter().any(|line| {
                line.contains(&format!("`ctx:{method}`: this `ctx` belongs to run"))
                    && line.contains("keep the data you need, not the `ctx`")
            })
        })
        .await;
    }
    let said = answer(&host, BOB, "resume").await;
    assert!(said.starts_with("false ") && said.contains("belongs to run"), "{said}");
    assert_eq!(answer(&host, ALICE, "echo mine").await, "mine");
    host.look(|seen| assert_eq!(seen.to(ALICE), ["kept", "mine"]));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i8_no_pattern_from_a_chat_keeps_the_host_from_answering() {
    let script = r#"
        local text = ("a"):rep(1e6)
        bot.match("^grep (.*)$", { queue = "none" }, function(ctx)
            local ok, err = re.check(ctx.args[1])
            if not ok then return ctx:reply(err.kind) end
            ctx:reply(if re.match(text, ctx.args[1]) then "found" else "not found")
        end)
    "#;
    let host = Setup::new().script("grep.luau", script).spawn().await;
    let nested = "(".repeat(2_000) + "a" + &")".repeat(2_000);
    for (pattern, said) in [
        ("^(a+)+$", "found"),
        ("(a|aa)+$b", "not found"),
        ("^(a|a)*b", "not found"),
        (r"(\w{100}){100}", "pattern"),
        ("(?=x)", "pattern"),
        (r"(a)\1", "pattern"),
        ("(", "pattern"),
        (&*"a".repeat(5_000), "pattern"),
        (&*nested, "pattern"),
    ] {
        assert_eq!(answer(&host, ALICE, &format!("grep {pattern}")).await, said, "{pattern:.40}");
        let others = format!("echo beside {pattern:.20}");
        assert_eq!(answer(&host, BOB, &others).await, others[5..], "{pattern:.40}");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_what_kv_holds_is_whole_after_odd_values_many_writers_and_a_kill() {
    let script = r#"
        bot.command("try", function(ctx)
            for _, key in { "__proto__", "constructor", "__index", "a/b", "' OR 1=1 --", "\u{202e}", ("k"):rep(200) } do
                kv.set(key, key)
                assert(kv.get(key) == key, key)
            end
            local cycle = {} cycle.own = cycle
            for _, bad in { cycle, { [{}] = 1 }, print, coroutine.create(print), 0/0, 1/0, function() end } do
                assert(not pcall(kv.set, "bad", bad))
                assert(kv.get("bad") == nil)
            end
            assert(not pcall(kv.set, "", 1) and not pcall(kv.set, ("k"):rep(1e5), 1))
            assert(not pcall(kv.set, "huge", ("x"):rep(10 * 2^20)) and kv.get("huge") == nil)
            ctx:reply("nothing came of it")
        end)
        bot.command("count <n:int>", { queue = "none" , run = function(ctx)
            for _ = 1, ctx.args.n do kv.incr("n") end
            ctx:reply("counted")
        end })
        bot.command("forever", { queue = "none", run = function(ctx)
            while true do
                kv.incr("n")
                local twin = kv.incr("twin")
                if twin == 3 then shell.sh("echo forever >> {home}/entered") end
            end
        end })
        bot.command("howmany", function(ctx) ctx:reply(`{kv.get("n")} {kv.get("twin") or 0}`) end)
    "#;
    let host = Setup::new().script("kv.luau", script).spawn().await;
    assert_eq!(answer(&host, OWNER, "try").await, "nothing came of it");
    for person in [ALICE, BOB, OWNER] {
        for n in 40..43 {
            host.say(person, &format!("count {n}"));
        }
    }
    host.until("all have counted", |seen| {
        [ALICE, BOB, OWNER]
            .iter()
            .all(|person| seen.to(person).iter().filter(|&&said| said == "counted").count() == 3)
    })
    .await;
    assert_eq!(answer(&host, ALICE, "howmany").await, "369 0");
    // Killed in the middle of counting, it knows a number, and no half of it.
    host.say(BOB, "forever");
    host.entered(&["forever"]).await;
    let host = host.kill().await.spawn().await;
    let said = answer(&host, OWNER, "howmany").await;
    let (n, twin) = said.split_once(' ').unwrap();
    let (n, twin): (i64, i64) = (n.parse().unwrap(), twin.parse().unwrap());
    assert!(twin >= 3 && (n == 369 + twin || n == 369 + twin + 1), "{said}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_no_wrong_argument_brings_the_real_program_down() {
    let mut script = String::new();
    for module in moonbell::api::MODULES {
        let _ = writeln!(
            script,
            "bot.command(\"try-{0}\", function(ctx)\n{1}\nctx:reply(\"{0} stands\")\nend)",
            module.name,
            misuse(module.name)
        );
    }
    let setup = Setup::new().script("try.luau", &script);
    let host = setup.toml("[limits]\nrun_cpu = \"60s\"\nmemory_mb = 512").spawn().await;
    for module in moonbell::api::MODULES {
        host.say(OWNER, &format!("try-{}", module.name));
    }
    for module in moonbell::api::MODULES {
        let stands = format!("{} stands", module.name);
        host.until(&stands, |seen| seen.to(OWNER).contains(&&*stands)).await;
    }
    assert!(!host.state_dir().join("crashes").exists());
    host.stop().await;
}
