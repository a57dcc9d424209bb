//! Group I: scripts that try to leave their VM, and text from a chat that tries to become more than text.

use std::fs;

use moonbell::script::{Ended, LoadErrorKind};

use super::super::stage::{OWNER, Setup};
use crate::engine::{Bench, failed};

#[tokio::test]
async fn i1_no_text_and_no_bytecode_becomes_code_but_the_scripts_own_files() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
            for _, name in { "load", "loadstring", "loadfile", "dofile" } do assert(_G[name] == nil, name) end
            assert(string.dump == nil)
            assert(not pcall(require, "return 1"))
            "#,
        )
        .await;
    let refused = [LoadErrorKind::Syntax, LoadErrorKind::NotUtf8];
    for bytes in [&b"\x1bLua"[..], b"\x06\x01\x02", b"\x00", b"\x1bLuaS\x00\x19\x93"] {
        fs::write(bench.dir.path().join("code.luau"), bytes).unwrap();
        let error = bench.vm("test.luau", "require('code')").unwrap_err();
        assert!(refused.contains(&error.kind), "{bytes:?}: {error}");
        let text = String::from_utf8_lossy(bytes).into_owned();
        let error = bench.vm("test.luau", &text).unwrap_err();
        assert_eq!(error.kind, LoadErrorKind::Syntax, "{bytes:?}: {error}");
    }
}

#[tokio::test]
async fn i2_what_a_handler_writes_into_a_global_no_other_run_reads() {
    let bench = Bench::new().await;
    let generation = bench.load(
        "count = 0\nlocal function bump() count = count + 1 end\nbump()\nbot.fallback(function(ctx)\n  assert(count == 1)\n  leaked = ctx\nend)",
    );
    let error = failed(bench.start(&generation, &bench.run("r")).await);
    assert!(
        error.short.starts_with("test.luau:6: ") && error.short.contains("write `local`"),
        "{}",
        error.short
    );
    for body in [
        "count = 2",
        "_G.count = 2",
        "_G['x'] = 1",
        "string.upper = print",
        "getmetatable('').__index = {}",
        "setmetatable(_G, { __index = function() return 1 end })",
        "rawset(_G, 'count', 2)",
        "table.insert(_G, 1)",
        "table.clear(_G)",
        "table.freeze(string) string.x = 1",
        "bot.pass.x = 1",
        "ctx.user.role = 'owner' ctx.chat.id = 'c2' error('fields of its own copy')",
    ] {
        let generation = bench.handler(body);
        failed(bench.start(&generation, &bench.run("r")).await);
    }
}

#[tokio::test]
async fn i6_a_coroutine_of_another_run_says_nothing_into_the_wrong_chat() {
    let bench = Bench::new().await;
    let generation = bench.load(
        "local kept
        bot.fallback(function(ctx)
            if kept then
                local ok, why = coroutine.resume(kept)
                assert(not ok and why:find('belongs to run `first`'), tostring(why))
                return
            end
            kept = coroutine.create(function() coroutine.yield() ctx:reply('to whom?') end)
            coroutine.resume(kept)
        end)",
    );
    assert_eq!(bench.start(&generation, &bench.run("first")).await, Ended::Done);
    let second = bench.run("second");
    assert_eq!(bench.start(&generation, &second).await, Ended::Done);
    assert!(!second.has_pending());
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_text_from_a_chat_is_never_a_template() {
    let script = r"
        bot.fallback(function(ctx)
            log.info(ctx.text, { said = ctx.text })
            local card = ctx:card{ title = ctx.text }
            card:finish(ctx.text)
            ctx:reply(ctx.text)
        end)
    ";
    let host = Setup::new().script("echo.luau", script).spawn().await;
    let said = [
        "{ctx.secret} {env} {0}",
        "%s%n%99999d %c",
        "${HOME} $(id) #{1+1}",
        "{{7*7}} <%= 7 %>",
        "\\u{41} \\x41 \\n",
    ];
    for text in said {
        host.say(OWNER, text);
    }
    host.until("each comes back as it was", |seen| {
        said.iter()
            .all(|text| seen.to(OWNER).iter().filter(|said| said.ends_with(text)).count() == 2)
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn i10_odd_keys_and_values_are_kept_or_refused_and_never_half() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
            for _, key in { "__proto__", "constructor", "__index", "a/b", "' OR 1=1 --", "\u{202e}", ("k"):rep(200) } do
                kv.set(key, key)
                assert(kv.get(key) == key, key)
            end
            local cycle = {} cycle.own = cycle
            for _, bad in { cycle, { [{}] = 1 }, { [0/0 == 0/0] = 1 }, print, coroutine.create(print), 0/0, 1/0 } do
                assert(not pcall(kv.set, "bad", bad))
                assert(kv.get("bad") == nil)
            end
            assert(not pcall(kv.set, "", 1) and not pcall(kv.set, ("k"):rep(1e5), 1))
            assert(not pcall(kv.set, "huge", ("x"):rep(10 * 2^20)) and kv.get("huge") == nil)
            "#,
        )
        .await;
    let generation = bench.load("bot.fallback(function() for i = 1, 50 do kv.incr('n') end end)");
    let runs: Vec<_> = (0..20).map(|index| bench.run(&format!("r{index}"))).collect();
    let ends = runs.iter().map(|run| bench.start(&generation, run));
    assert!(futures_util::future::join_all(ends).await.iter().all(|end| *end == Ended::Done));
    bench.passes("assert(kv.get('n') == 1000, kv.get('n'))").await;
}
