//! Scripts that never stop by themselves are stopped, and disturb nobody.

use std::sync::Arc;
use std::time::Duration;

use moonbell::script::{Ended, Limit, Limits};

use crate::engine::{Bench, failed};

/// A small CPU limit keeps the suite fast; the wall clock is only the net under it.
async fn tight() -> Bench {
    let limits = Limits {
        cpu: Duration::from_millis(150),
        wall: Duration::from_secs(30),
        ..Limits::default()
    };
    Bench::with(limits, 32 << 20).await
}

async fn stopped(body: &str) {
    let bench = tight().await;
    let failed = failed(bench.ends(body).await);
    assert!(matches!(failed.limit, Some(Limit::Cpu(_))), "{body}: {failed:?}");
    assert!(failed.short.contains("the CPU limit of 150ms was reached"), "{}", failed.short);
}

macro_rules! runaways {
    ($($name:ident: $body:expr;)*) => { $(
        #[tokio::test]
        async fn $name() {
            stopped($body).await;
        }
    )* };
}

runaways! {
    i4_an_endless_loop_stops: "while true do end";
    i5_a_loop_that_catches_errors_stops: "while true do pcall(function() while true do end end) end";
    i4_a_coroutine_that_catches_errors_stops:
        "coroutine.wrap(function() while true do pcall(function() while true do end end) end end)()";
    i4_coroutines_in_coroutines_stop:
        "local function deep(n) if n == 0 then while true do end end coroutine.wrap(function() deep(n - 1) end)() end while true do pcall(deep, 20) end";
    i4_a_pattern_bomb_stops: r#"string.find(("a"):rep(2e5), ("a?"):rep(30) .. ".-.-.-.-b")"#;
    i4_a_pattern_bomb_that_is_caught_stops: r#"while true do pcall(string.find, ("a"):rep(2e5), (".-"):rep(20) .. "b") end"#;
    i4_a_comparator_that_never_ends_stops: "table.sort(table.create(20000, 1), function() while true do end end)";
    i4_a_comparator_that_catches_errors_stops:
        "table.sort(table.create(20000, 1), function() while true do pcall(function() while true do end end) end end)";
    i4_an_error_handler_that_loops_stops: "while true do xpcall(error, function() while true do end end) end";
    i4_an_error_that_loops_when_printed_stops:
        "local e = setmetatable({}, { __tostring = function() while true do end end }) while true do pcall(function() tostring(e) end) end";
    i4_an_iterator_that_never_ends_stops: "for _ in function() return 1 end do end";
    i4_a_replacement_that_loops_stops: "while true do pcall(string.gsub, ('a'):rep(100), 'a', function() while true do end end) end";
    i4_a_metamethod_that_loops_stops: "local t = setmetatable({}, { __index = function() while true do end end }) while true do pcall(function() return t.x end) end";
    i4_reading_the_clock_for_ever_stops: "while true do os.time() end";
    i4_calling_the_host_for_ever_stops: "while true do pcall(json.encode, { 1 }) end";
}

#[tokio::test]
async fn an_error_object_whose_text_loops_ends_its_run() {
    let bench = tight().await;
    let ended = bench
        .ends("error(setmetatable({}, { __tostring = function() while true do end end }))")
        .await;
    failed(ended);
}

#[tokio::test]
async fn i3_memory_has_an_end() {
    for body in [
        "string.rep('x', 1e9)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = { 1, 2, 3 } end",
        "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
        "buffer.create(1e9)",
        "local t = {} for i = 1, 1e6 do t[i] = 'aaaaaaaaaaaaaaaa' end local s = {} while true do s[#s + 1] = table.concat(t) .. #s end",
    ] {
        let bench =
            Bench::with(Limits { cpu: Duration::from_secs(20), ..Limits::default() }, 32 << 20)
                .await;
        let generation = bench.load(&format!("local bad = true\nbot.fallback(function(ctx)\nif not bad then return end bad = false\n{body}\nend)"));
        let failed = failed(bench.start(&generation, &bench.run("r")).await);
        assert!(matches!(failed.limit, Some(Limit::Memory(_))), "{body}: {failed:?}");
        assert!(
            failed.short.contains("the memory limit of 32 MiB was reached"),
            "{}",
            failed.short
        );
        // The next run of the same script has its memory back.
        assert_eq!(bench.start(&generation, &bench.run("next")).await, Ended::Done, "{body}");
    }
}

#[tokio::test]
async fn i3_deep_recursion_and_huge_results_are_errors() {
    let bench = tight().await;
    for body in [
        "local function f() return 1 + f() end f()",
        "table.create(1e9, 1)",
        "return table.unpack({}, 1, 1e8)",
        "string.format('%99999d', 1)",
        "local t = setmetatable({}, {}) getmetatable(t).__tostring = function(x) return tostring(x) end tostring(t)",
        "string.rep('(', 1e6):find(string.rep('(', 1e6))",
    ] {
        failed(bench.ends(body).await);
    }
}

#[tokio::test]
async fn i5_the_wall_clock_stops_a_wait_and_cannot_be_caught() {
    let bench =
        Bench::with(Limits { wall: Duration::from_millis(50), ..Limits::default() }, 32 << 20)
            .await;
    for body in [
        "time.sleep('1h')",
        "while true do pcall(time.sleep, '1h') end",
        "coroutine.wrap(function() pcall(time.sleep, '1h') end)()",
    ] {
        let failed = failed(bench.ends(body).await);
        assert_eq!(failed.limit, Some(Limit::Wall(Duration::from_millis(50))), "{body}");
    }
}

#[tokio::test]
async fn i4_sixteen_spinning_scripts_leave_another_its_turn() {
    let bench = Bench::new().await;
    let spinning: Vec<_> = (0..16).map(|_| bench.handler("while true do end")).collect();
    let runs: Vec<_> = (0..16).map(|index| bench.run(&format!("spin{index}"))).collect();
    let spin = futures_util::future::join_all(
        spinning.iter().zip(&runs).map(|(generation, run)| bench.start(generation, run)),
    );
    let other =
        bench.handler("for i = 1, 20 do time.sleep('1ms') end kv.set('x', 1) ctx:reply('here')");
    let answer = async {
        for _ in 0..5 {
            assert_eq!(bench.start(&other, &bench.run("other")).await, Ended::Done);
        }
        for run in &runs {
            run.cancel().cancel();
        }
    };
    let (ends, ()) = tokio::join!(spin, answer);
    assert!(ends.iter().all(|end| *end == Ended::Cancelled), "{ends:?}");
}

#[tokio::test]
async fn a_spinning_run_leaves_other_runs_of_its_own_script_their_turn() {
    let bench = Bench::new().await;
    let generation = bench.load("local first = true\nbot.fallback(function(ctx)\nif first then first = false; while true do end end\ntime.sleep('2ms') ctx:reply('here') end)");
    let spinning = bench.run("spin");
    let answer = async {
        for _ in 0..5 {
            assert_eq!(bench.start(&generation, &bench.run("other")).await, Ended::Done);
        }
        spinning.cancel().cancel();
    };
    let (ended, ()) = tokio::join!(bench.start(&generation, &spinning), answer);
    assert_eq!(ended, Ended::Cancelled);
}

#[tokio::test]
async fn one_run_ends_alone() {
    let bench = tight().await;
    let generation = bench.load("bot.fallback(function(ctx)\nif ctx.run_id == 'bad' then while true do end end\ntime.sleep('300ms') assert(kv.get('a') == nil)\nend)");
    let (good, bad) = (bench.run("good"), bench.run("bad"));
    let (good, bad) = tokio::join!(bench.start(&generation, &good), bench.start(&generation, &bad));
    assert_eq!(good, Ended::Done);
    failed(bad);
    let _ = Arc::clone(&generation);
}
