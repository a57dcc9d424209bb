//! The Luau engine: preemption, coroutines, limits, the API that every handler has.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moonbell::message::{
    Body, Chat, ChatKind, ConversationId, Kind, Message, MessageId, Person, StaffId,
};
use moonbell::outbox::{Outbox, Post};
use moonbell::script::{
    Declared, Ended, Failed, Folder, Generation, Host, Limit, Limits, LoadError, LoadErrorKind,
    Run, Source, Vm,
};
use moonbell::store::Store;
use moonbell::store::kv::Kv;
use moonbell::worker::LuaRuntime;
use tokio_util::sync::CancellationToken;

/// Long enough for a busy machine; nobody waits for it unless something hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A Lua runtime on a real journal, with small limits.
pub(crate) struct Bench {
    pub(crate) runtime: LuaRuntime,
    pub(crate) host: Host,
    pub(crate) store: Store,
    pub(crate) dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(
            Limits { wall: PATIENCE, cpu: Duration::from_secs(30), ..Limits::default() },
            64 << 20,
        )
        .await
    }

    pub(crate) async fn with(limits: Limits, memory_bytes: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let outbox = Outbox::open(store.clone()).await.unwrap();
        let host = Host::new(limits, memory_bytes).with_journal(outbox, Kv::new(store.clone()));
        Self { runtime: LuaRuntime::start(2).unwrap(), host, store, dir }
    }

    pub(crate) fn vm(&self, path: &str, text: &str) -> Result<Vm, LoadError> {
        let source = Source { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
        Vm::load(&source, &self.host, Arc::new(Folder::new(self.dir.path())))
    }

    #[track_caller]
    pub(crate) fn load(&self, text: &str) -> Arc<Generation> {
        let vm = self.vm("test.luau", text).unwrap_or_else(|error| panic!("{error}"));
        Generation::spawn(vm, self.runtime.engine())
    }

    /// A generation whose one handler is `body`.
    #[track_caller]
    pub(crate) fn handler(&self, body: &str) -> Arc<Generation> {
        self.load(&format!("bot.fallback(function(ctx)\n{body}\nend)"))
    }

    pub(crate) fn run(&self, id: &str) -> Arc<Run> {
        Run::new(
            id,
            Some(Arc::new(message("hi"))),
            Some("owner".to_owned()),
            self.host.limits(),
            CancellationToken::new(),
        )
    }

    /// Runs the first handler of `generation`; fails when that takes for ever.
    pub(crate) async fn start(&self, generation: &Generation, run: &Arc<Run>) -> Ended {
        let handler = generation.registrations()[0].handler;
        let ended = generation.start(Arc::clone(run), handler, serde_json::Value::Null);
        tokio::time::timeout(PATIENCE, ended)
            .await
            .unwrap_or_else(|_| panic!("the run hangs, after {:?} of Lua", run.cpu()))
    }

    /// Runs `body` as a handler.
    pub(crate) async fn ends(&self, body: &str) -> Ended {
        let generation = self.handler(body);
        self.start(&generation, &self.run("r")).await
    }

    /// Runs `body`, which asserts, and fails with what it raised.
    pub(crate) async fn passes(&self, body: &str) {
        assert_eq!(self.ends(body).await, Ended::Done, "{body}");
    }

    /// The short error of a handler.
    pub(crate) async fn raises(&self, body: &str) -> String {
        failed(self.ends(body).await).short
    }
}

#[track_caller]
pub(crate) fn failed(ended: Ended) -> Failed {
    match ended {
        Ended::Failed(failed) => failed,
        other => panic!("expected a failure, got {other:?}"),
    }
}

pub(crate) fn message(text: &str) -> Message {
    Message {
        id: MessageId::new("m1"),
        chat: Chat {
            id: ConversationId::new("c1"),
            kind: ChatKind::Group,
            title: Some("team".to_owned()),
        },
        sender: Person {
            staff_id: Some(StaffId::new("u1")),
            opaque_id: "$o1".to_owned(),
            nick: "Ann".to_owned(),
            same_org: true,
            corp_id: None,
        },
        kind: Kind::Text,
        text: text.to_owned(),
        files: Vec::new(),
        mentions: Vec::new(),
        quoted: None,
        robot_code: None,
        sent_at_ms: 1_700_000_000_500,
        webhook: None,
    }
}

/// Ends slices every 200 µs instead of every millisecond, while it lives.
struct FastTicks(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl FastTicks {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !flag.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_micros(150));
                moonbell::script::bump();
            }
        });
        Self(stop, Some(thread))
    }
}

impl Drop for FastTicks {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap();
    }
}

/// Runs `body` in `vms` VMs, `each` times at once in each.
async fn crowd(body: &str, vms: usize, each: usize) {
    let bench = Bench::new().await;
    let _ticks = FastTicks::start();
    let generations: Vec<_> = (0..vms).map(|_| bench.handler(body)).collect();
    let bench = &bench;
    let runs = generations.iter().flat_map(|generation| {
        (0..each).map(move |index| {
            let run = bench.run(&format!("r{index}"));
            async move { bench.start(generation, &run).await }
        })
    });
    let ends = futures_util::future::join_all(runs).await;
    let wrong: Vec<_> = ends.iter().filter(|end| **end != Ended::Done).collect();
    assert!(wrong.is_empty(), "{} of {}: {:?}", wrong.len(), ends.len(), wrong.first());
}

// Trap 1: a wake-up that arrives between "the future is pending" and the yield.
#[tokio::test]
async fn two_thousand_coroutines_with_tiny_waits_all_come_back() {
    crowd(
        r"
        local sum = 0
        for i = 1, 20 do
            time.sleep(0.00005)
            for j = 1, 200 do sum += j end
        end
        assert(sum == 20 * 20100, sum)
        ",
        8,
        250,
    )
    .await;
}

// Trap 2: a preemption, or a wait, inside the script's own coroutines.
#[tokio::test]
async fn generators_lose_no_value_when_they_are_preempted() {
    crowd(
        r"
        local function count(n)
            return coroutine.wrap(function()
                for i = 1, n do
                    local x = 0
                    for j = 1, 50 do x += j end
                    coroutine.yield(i)
                end
            end)
        end
        local seen = 0
        for i in count(3000) do seen += 1; assert(i == seen, `{i} is not {seen}`) end
        assert(seen == 3000, seen)
        ",
        4,
        10,
    )
    .await;
}

#[tokio::test]
async fn nested_generators_that_wait_give_every_value_once() {
    crowd(
        r"
        local function inner(n)
            return coroutine.wrap(function()
                for i = 1, n do time.sleep(0.00002); coroutine.yield(i) end
            end)
        end
        local function outer(n)
            return coroutine.wrap(function()
                for i in inner(n) do
                    for j in inner(2) do coroutine.yield(i * 10 + j) end
                end
            end)
        end
        local seen = {}
        for v in outer(10) do table.insert(seen, v) end
        assert(#seen == 20, #seen)
        for i = 1, 10 do
            assert(seen[2 * i - 1] == i * 10 + 1 and seen[2 * i] == i * 10 + 2)
        end
        ",
        4,
        25,
    )
    .await;
}

#[tokio::test]
async fn a_yield_without_values_is_told_from_a_preemption() {
    crowd(
        r#"
        local steps, back = 0, {}
        local co = coroutine.create(function(...)
            back[1] = select('#', ...)
            for i = 1, 500 do
                for j = 1, 200 do steps += 1 end
                local got = coroutine.yield()
                assert(got == i, `{got} is not {i}`)
            end
            return "end"
        end)
        assert(coroutine.resume(co))
        for i = 1, 499 do
            local r = table.pack(coroutine.resume(co, i))
            assert(r.n == 1 and r[1] == true, `{i}: {r.n} values`)
            assert(steps == (i + 1) * 200, `{i}: {steps}`)
        end
        local ok, last = coroutine.resume(co, 500)
        assert(ok and last == "end")
        assert(coroutine.status(co) == "dead")
        "#,
        4,
        10,
    )
    .await;
}

#[tokio::test]
async fn a_metamethod_or_comparator_that_ran_long_leaves_no_stale_mark() {
    // A slice ends where it cannot yield; the next real `yield` must still be one.
    crowd(
        r"
        local co = coroutine.wrap(function()
            for i = 1, 20 do
                local t = {}
                for j = 1, 400 do t[j] = (j * 7919) % 1009 end
                table.sort(t, function(a, b) local x = 0; for k = 1, 5 do x += k end; return a < b end)
                coroutine.yield()
                coroutine.yield(i)
            end
        end)
        for i = 1, 20 do
            assert(select('#', co()) == 0)
            assert(co() == i)
        end
        ",
        4,
        4,
    )
    .await;
}

#[tokio::test]
async fn coroutines_keep_their_manners() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
        local co = coroutine.create(function() error("oops") end)
        local ok, why = coroutine.resume(co)
        assert(not ok and why:find("oops"), why)
        ok, why = coroutine.resume(co)
        assert(not ok and why:find("dead"), why)
        local w = coroutine.wrap(function() error({ code = 7 }) end)
        ok, why = pcall(w)
        assert(not ok and why.code == 7)
        co = coroutine.create(function() time.sleep(0.001); coroutine.yield(1) end)
        assert(coroutine.resume(co))
        assert(coroutine.status(co) == "suspended")
        assert(coroutine.close(co))
        assert(coroutine.status(co) == "dead")
        assert(coroutine.isyieldable())
        ok, why = pcall(coroutine.wrap, 5)
        assert(not ok and why:find("expected function, got number"), why)
        local r = table.pack(coroutine.resume(coroutine.create(function(...) return ... end), nil, 2, nil))
        assert(r.n == 4 and r[1] and r[3] == 2)
        "#,
        )
        .await;
}

#[tokio::test]
async fn host_functions_wait_inside_for_in_and_pcall() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
        local function ticks(n)
            local i = 0
            return function() i += 1; if i <= n then time.sleep(0.001); return i end return nil end
        end
        local sum = 0
        for i in ticks(5) do sum += i end
        assert(sum == 15)
        local ok, value = pcall(function() time.sleep("1ms"); return 9 end)
        assert(ok and value == 9)
        local ok2, why = xpcall(function() time.sleep("1ms"); error("x") end, function(e) return "handled " .. e end)
        assert(not ok2 and why:find("handled"), why)
        "#,
        )
        .await;
}

#[tokio::test]
async fn waiting_in_a_comparator_is_refused_with_words() {
    let bench = Bench::new().await;
    let short = bench
        .raises("table.sort({ 3, 2, 1 }, function(a, b) time.sleep(0.001) return a < b end)")
        .await;
    assert!(short.contains("yield across metamethod/C-call boundary"), "{short}");
}

#[tokio::test]
async fn misuse_names_function_argument_expected_and_got_at_the_scripts_line() {
    let bench = Bench::new().await;
    insta::assert_snapshot!(bench.raises("kv.get({})").await, @"test.luau:2: `kv.get`: argument #1 (`key`): expected string, got table");
    insta::assert_snapshot!(bench.raises("kv.set('a', 1, { tll = 5 })").await, @"test.luau:2: `kv.set`: unknown option `tll`; did you mean `ttl`? it takes `ttl`");
    insta::assert_snapshot!(bench.raises("time.sleep('soon')").await, @r#"test.luau:2: `time.sleep`: argument #1 (`duration`): expected a duration such as "10s" or "1h30m" (units ms, s, m, h, d, w), got "soon""#);
    insta::assert_snapshot!(bench.raises("time.slep(1)").await, @"test.luau:2: `time` has no `slep`; did you mean `sleep`? it has `format`, `format_duration`, `now`, `parse_duration`, `sleep`");
    insta::assert_snapshot!(bench.raises("ctx:repyl('x')").await, @"test.luau:2: `ctx` has no `repyl`; did you mean `reply`? it has `approve`, `args`, `ask`, `attempt`, `card`, `chat`, `choose`, `confirm`, `message`, `react`, `reply`, `run_id`, `send_file`, `send_image`, `stream`, `text`, `user`");
    insta::assert_snapshot!(bench.raises("ctx.reply('x')").await, @"test.luau:2: `ctx:reply` is a method: write `ctx:reply(…)` with a colon");
    insta::assert_snapshot!(bench.raises("ctx:reply{ txt = 'x' }").await, @"test.luau:2: `ctx:reply`: unknown option `txt`; did you mean `text`? it takes `at`, `markdown`, `text`, `title`");
    insta::assert_snapshot!(bench.raises("ctx:reply({ text = {} })").await, @"test.luau:2: `ctx:reply`: expected text, got table");
    insta::assert_snapshot!(bench.raises("return ctx.user.nmae").await, @"test.luau:2: `ctx.user` has no `nmae`; did you mean `name`? it has `id`, `lang`, `name`, `role`");
    insta::assert_snapshot!(bench.raises("bot.command('x', function() end)").await, @"test.luau:2: `bot.command`: declares something, so it works only at the top level of a script, while it loads");
}

#[tokio::test]
async fn misuse_is_a_plain_string_to_pcall() {
    let bench = Bench::new().await;
    bench.passes("local ok, why = pcall(kv.get, {}) assert(type(why) == 'string' and why:find('expected string'), why)").await;
}

#[tokio::test]
async fn ctx_holds_the_message() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
        assert(ctx.text == "hi" and ctx.run_id == "r")
        assert(ctx.user.id == "u1" and ctx.user.name == "Ann" and ctx.user.role == "owner")
        assert(ctx.chat.id == "c1" and ctx.chat.kind == "group" and ctx.chat.title == "team")
        assert(ctx.message.kind == "text" and ctx.message.quoted == nil and #ctx.message.files == 0)
        assert(ctx.message.sent_at == 1700000000.5)
        assert(next(ctx.args) == nil)
        "#,
        )
        .await;
}

#[tokio::test]
async fn replies_leave_when_the_handler_waits_and_the_rest_with_its_end() {
    let bench = Bench::new().await;
    let generation = bench.handler("ctx:reply('one') time.sleep('5ms') ctx:reply{ markdown = '# Two', at = true } ctx:reply('')");
    let run = bench.run("r");
    assert_eq!(bench.start(&generation, &run).await, Ended::Done);
    let kept: i64 = bench
        .store
        .read(|c| c.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)))
        .await
        .unwrap();
    assert!(kept >= 1, "the first left while the handler slept");
    // A preemption is a wait too: what it let out is in the outbox, the rest is here.
    let bodies: Vec<_> = run
        .take_pending()
        .into_iter()
        .map(|post| match post {
            Post::Reply(reply) => (reply.body, reply.at),
            Post::Card(_) => panic!("no card was opened"),
        })
        .collect();
    assert!(
        [
            (
                Body::Markdown { title: "Two".to_owned(), text: "# Two".to_owned() },
                vec![StaffId::new("u1")]
            ),
            // The outbox says for it that it is empty.
            (Body::Text { text: String::new() }, vec![]),
        ]
        .ends_with(&bodies),
        "{bodies:?}"
    );
    assert_eq!(kept + i64::try_from(bodies.len()).unwrap(), 3);
}

#[tokio::test]
async fn cards_close_with_their_run() {
    let bench = Bench::new().await;
    for body in [
        "local c = ctx:card{ title = 't' } c:append('x') c:progress(0.5, 'half')",
        "ctx:card() error('x')",
    ] {
        let run = bench.run("r");
        let generation = bench.handler(body);
        bench.start(&generation, &run).await;
        // After a preemption it is in the outbox already.
        if let Some(Post::Card(card)) = run.take_pending().first() {
            assert!(!card.is_open());
        }
    }
    let kept = bench.load("local kept\nbot.fallback(function(ctx)\nif kept then kept:append('x') end\nkept = ctx:card()\nend)");
    assert_eq!(bench.start(&kept, &bench.run("first")).await, Ended::Done);
    let short = failed(bench.start(&kept, &bench.run("second")).await).short;
    assert!(short.contains("this `card` belongs to run `first`, which has ended"), "{short}");
    bench
        .passes("local c = ctx:card() assert(c:finish('done')) assert(not c:append('more'))")
        .await;
}

#[tokio::test]
async fn i6_a_ctx_of_another_run_explains_itself() {
    let bench = Bench::new().await;
    let generation = bench.load("local kept\nbot.fallback(function(ctx)\nif kept then kept:reply('wrong chat') end\nkept = ctx\nend)");
    assert_eq!(bench.start(&generation, &bench.run("first")).await, Ended::Done);
    let second = bench.run("second");
    let short = failed(bench.start(&generation, &second).await).short;
    insta::assert_snapshot!(short, @"test.luau:3: `ctx:reply`: this `ctx` belongs to run `first`, which has ended, but run `second` uses it; keep the data you need, not the `ctx`");
    assert!(!second.has_pending());
}

#[tokio::test]
async fn pass_hands_on() {
    let bench = Bench::new().await;
    assert_eq!(bench.ends("return bot.pass").await, Ended::Passed);
    assert_eq!(bench.ends("return {}").await, Ended::Done);
}

#[tokio::test]
async fn a_waiting_run_ends_the_moment_it_is_cancelled_and_so_does_a_spinning_one() {
    let bench = Bench::new().await;
    for body in [
        "time.sleep('1h')",
        "while true do end",
        "while true do pcall(function() while true do end end) end",
    ] {
        let generation = bench.handler(body);
        let run = bench.run("r");
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(20)).await; // any moment will do
            run.cancel().cancel();
        };
        let (ended, ()) = tokio::join!(bench.start(&generation, &run), cancel);
        assert_eq!(ended, Ended::Cancelled, "{body}");
        assert!(run.over().is_cancelled());
    }
}

#[tokio::test]
async fn what_a_run_tracks_is_dropped_with_it() {
    let bench = Bench::new().await;
    let run = bench.run("r");
    let gone = CancellationToken::new();
    run.track(gone.clone().drop_guard());
    let generation = bench.handler("time.sleep('1ms')");
    bench.start(&generation, &run).await;
    assert!(gone.is_cancelled());
}

#[tokio::test]
async fn errors_carry_the_scripts_own_traceback() {
    let bench = Bench::new().await;
    let generation = bench.load("local function inner() local x = nil; return x.y end\nbot.fallback(function(ctx)\n  inner()\nend)");
    let failed = failed(bench.start(&generation, &bench.run("r")).await);
    insta::assert_snapshot!(failed.full, @r"
    test.luau:1: attempt to index nil with 'y'
      test.luau:1: in function 'inner'
      test.luau:3: in function <test.luau:2>
    ");
}

#[tokio::test]
async fn kv_keeps_values_and_counts() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
        assert(kv.get("a") == nil)
        assert(kv.set("a", { list = { 1, 2 }, on = true, none = json.null }))
        local v = kv.get("a")
        assert(v.list[2] == 2 and v.on and v.none == json.null)
        assert(kv.incr("n") == 1 and kv.incr("n", 4) == 5)
        local sum, err = kv.incr("a")
        assert(sum == nil and err.kind == "type" and tostring(err):find("not a number"), tostring(err))
        assert(kv.cas("lock", nil, 1) and not kv.cas("lock", nil, 2) and kv.cas("lock", 1, 2))
        assert(kv.delete("lock") and not kv.delete("lock"))
        assert(#kv.list("a") == 1 and kv.list("")[2].key == "n")
        for _, bad in { 0/0, 1/0, function() end, coroutine.create(print) } do
            assert(not pcall(kv.set, "x", bad))
        end
        local cycle = {}; cycle.me = cycle
        local ok, why = pcall(kv.set, "x", cycle)
        assert(not ok and why:find("`me` cannot be JSON: it contains itself"), why)
        "#,
        )
        .await;
}

#[tokio::test]
async fn json_goes_both_ways_and_refuses_what_it_cannot_hold() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
        assert(json.encode({ b = 1, a = { true, "x" } }) == '{"a":[true,"x"],"b":1}')
        assert(json.encode({}) == "{}" and json.encode(json.array({})) == "[]")
        assert(json.encode(json.decode("[]")) == "[]")
        assert(json.encode(json.decode('{"a":[1,null]}')) == '{"a":[1,null]}')
        local v, err = json.decode("{nope")
        assert(v == nil and err.kind == "syntax", tostring(err))
        v, err = json.decode(string.rep("[", 200))
        assert(v == nil and err.kind == "syntax")
        local deep = {}
        for i = 1, 200 do deep = { deep } end
        for _, bad in { 0/0, deep, { [1] = 1, x = 2 }, { [1] = 1, [3] = 3 }, { [{}] = 1 }, print, "\xff" } do
            local ok, why = pcall(json.encode, bad)
            assert(not ok and why:find("cannot be JSON"), tostring(why))
        end
        "#,
        )
        .await;
}

#[tokio::test]
async fn definitions_and_tables_list_the_same_functions() {
    let bench = Bench::new().await;
    for module in moonbell::api::MODULES {
        let declared = members(module.definition, &format!("declare {}: {{", module.name), "}");
        let list = format!(
            "{{ {} }}",
            declared.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
        );
        bench
            .passes(&format!(
                "local declared = {{}}
                 for _, name in {list} do declared[name] = true; assert({0}[name] ~= nil, '{0} lacks ' .. name) end
                 for name in {0} do assert(declared[name], 'not declared: {0}.' .. name) end",
                module.name
            ))
            .await;
    }
    for (class, make) in [("Ctx", "ctx"), ("Card", "ctx:card()")] {
        let declared = members(moonbell::api::CONTEXT, &format!("declare class {class}"), "end");
        assert!(!declared.is_empty());
        for name in declared {
            bench.passes(&format!("assert({make}.{name} ~= nil, '{class} lacks {name}')")).await;
        }
    }
}

/// Names in a block of a definition file.
fn members(definition: &str, from: &str, to: &str) -> Vec<String> {
    definition
        .lines()
        .skip_while(|line| !line.starts_with(from))
        .skip(1)
        .take_while(|line| *line != to)
        .filter(|line| line.starts_with('\t') && !line.starts_with("\t\t"))
        .map(str::trim)
        .filter(|line| !line.starts_with("--"))
        .filter_map(|line| {
            let name = line.strip_prefix("function ").unwrap_or(line);
            let name = name.split([':', '(']).next()?;
            name.chars().all(|c| c.is_alphanumeric() || c == '_').then(|| name.to_owned())
        })
        .collect()
}

// Loading

#[tokio::test]
async fn what_a_script_declares_is_listed_with_its_line() {
    let bench = Bench::new().await;
    let vm = bench
        .vm(
            "a.luau",
            "bot.command('ping', function() end)\nbot.command('x <n:int>', { role = 'admin', help = { en = 'X' }, timeout = '1m', run = function() end })\nbot.match({ 'a', 'b' }, { priority = 2 }, function() end)\nbot.fallback(function() end)\nbot.on('start', function() end)\nbot.every('5s', function() end)",
        )
        .unwrap();
    let listed: Vec<_> =
        vm.registrations().iter().map(|one| (one.line, one.declared.clone())).collect();
    assert_eq!(
        listed,
        [
            (1, Declared::Command { declaration: "ping".to_owned() }),
            (2, Declared::Command { declaration: "x <n:int>".to_owned() }),
            (3, Declared::Match { patterns: vec!["a".to_owned(), "b".to_owned()] }),
            (4, Declared::Fallback),
            (5, Declared::Start),
            (6, Declared::Every { interval: Duration::from_secs(5) }),
        ]
    );
    let options = &vm.registrations()[1].options;
    assert_eq!(options.terms.role.as_deref(), Some("admin"));
    assert_eq!(options.help["en"], "X");
    assert_eq!(options.timeout, Some(Duration::from_mins(1)));
    assert_eq!(vm.registrations()[2].options.priority, 2);
}

#[tokio::test]
async fn a_broken_script_says_where_and_why() {
    let bench = Bench::new().await;
    let error = |text: &str| bench.vm("a.luau", text).unwrap_err();
    let syntax = error("local x = 1\nbot.command('ping', function(ctx)\n  ctx:reply('x'\nend)\n");
    assert_eq!(syntax.kind, LoadErrorKind::Syntax);
    insta::assert_snapshot!(syntax, @r"
    a.luau:4: Expected ')' (to close '(' at line 3), got 'end'
     4 | end)
       | ^^^
    ");
    let runtime = error("local t = nil\nprint(t.x)");
    assert_eq!(runtime.kind, LoadErrorKind::Runtime);
    insta::assert_snapshot!(runtime, @r"
    a.luau:2: attempt to index nil with 'x'
     2 | print(t.x)
       |         ^
    ");
    let io = error("\nkv.set('a', 1)");
    assert_eq!(io.kind, LoadErrorKind::TopLevelIo);
    insta::assert_snapshot!(io, @r#"
    a.luau:2: `kv.set`: cannot be called while the script loads: put it into a handler, or into `bot.on("start", function() … end)`
     2 | kv.set('a', 1)
       | ^^^^^^
    "#);
    let declaration = error("bot.match('(', function() end)");
    assert_eq!(declaration.kind, LoadErrorKind::Declaration);
    assert_eq!(declaration.line, Some(1));
    assert_eq!(error("bot.on('strat', function() end)").kind, LoadErrorKind::Declaration);
    assert_eq!(
        error("bot.command('x', { rnu = print, run = print })").kind,
        LoadErrorKind::Declaration
    );
    assert_eq!(error("while true do end").kind, LoadErrorKind::Runtime);
    assert_eq!(error(&"-".repeat((1 << 20) + 1)).kind, LoadErrorKind::TooLarge);
    let source = Source { path: "b.luau".to_owned(), bytes: b"local a\n\xff".to_vec() };
    let not_text =
        Vm::load(&source, &bench.host, Arc::new(Folder::new(bench.dir.path()))).unwrap_err();
    assert_eq!((not_text.kind, not_text.line), (LoadErrorKind::NotUtf8, Some(2)));
}

#[tokio::test]
async fn required_files_run_once_and_are_listed() {
    let bench = Bench::new().await;
    std::fs::create_dir(bench.dir.path().join("lib")).unwrap();
    std::fs::write(
        bench.dir.path().join("lib/a.luau"),
        "count = (count or 0) + 1\nreturn { b = require('./b'), n = count }",
    )
    .unwrap();
    std::fs::write(bench.dir.path().join("lib/b.luau"), "return 'b'").unwrap();
    std::fs::write(bench.dir.path().join("loop.luau"), "return require('loop')").unwrap();
    std::fs::write(bench.dir.path().join("broken.luau"), "\nlocal = 1").unwrap();
    let generation = bench.load("local a = require('lib/a')\nlocal again = require('lib/a.luau')\nassert(a == again and a.n == 1)\nbot.fallback(function(ctx) assert(require('lib/a').b == 'b') end)");
    assert_eq!(generation.dependencies(), ["lib/a.luau", "lib/b.luau"]);
    assert_eq!(bench.start(&generation, &bench.run("r")).await, Ended::Done);

    let error = |text: &str| bench.vm("a.luau", text).unwrap_err();
    assert!(error("require('loop')").message.contains("requires itself"));
    assert!(error("require('../etc/passwd')").message.contains("leads out of the scripts folder"));
    assert!(error("require('nothing')").message.contains("there is no `nothing`"));
    let broken = error("require('broken')");
    assert_eq!(
        (broken.kind, broken.path.as_str(), broken.line),
        (LoadErrorKind::Syntax, "broken.luau", Some(2))
    );
    std::fs::write(bench.dir.path().join("code.luau"), b"\x1bLua\x06").unwrap();
    let bytecode = error("require('code')");
    assert_eq!(bytecode.kind, LoadErrorKind::Syntax, "{bytecode}");
}

#[tokio::test]
async fn i2_nothing_of_a_vm_leads_out_of_it() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
        for _, name in { "load", "loadstring", "dofile", "loadfile", "getfenv", "setfenv", "newproxy", "collectgarbage", "gcinfo", "io", "package" } do
            assert(_G[name] == nil, name)
        end
        assert(string.dump == nil and debug.getinfo == nil and debug.info == nil and os.execute == nil and os.exit == nil and os.getenv == nil)
        assert(not pcall(function() string.rep = nil end))
        assert(not pcall(function() getmetatable("").__index = nil end))
        assert(not pcall(rawset, string, "rep", nil))
        assert(not pcall(setmetatable, _G, {}))
        assert(not pcall(function() kv.get = nil end))
        assert(not pcall(setmetatable, kv, {}))
        assert(getmetatable(kv) == "locked" and getmetatable(ctx) == "locked")
        -- Nor does a function of the host's take away what makes an object one.
        assert(not pcall(json.array, ctx) and not pcall(json.array, kv) and getmetatable(ctx) == "locked")
        assert(json.encode(json.array(json.array({}))) == "[]")
        "#,
        )
        .await;
}

#[tokio::test]
async fn hooks_and_timers_belong_to_a_generation() {
    let bench = Bench::new().await;
    let text = "bot.on('start', function() kv.incr('start') end)\nbot.on('stop', function() kv.incr('stop') end)\nbot.every('100ms', function() kv.incr('beat') end)";
    let generation = bench.load(text);
    let kv = Kv::new(bench.store.clone());
    let value = |key: &'static str| {
        let kv = kv.clone();
        async move { kv.get("test.luau", key).await.unwrap().unwrap_or_default() }
    };
    let until = async |key: &'static str, wanted: &str| {
        let seen = async {
            while value(key).await != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await; // polls a condition
            }
        };
        tokio::time::timeout(PATIENCE, seen)
            .await
            .unwrap_or_else(|_| panic!("{key} never was {wanted}"));
    };
    generation.activate().await;
    until("start", "1").await;
    until("beat", "2").await;
    generation.retire().await;
    until("stop", "1").await;
    let closed = generation.closed().clone();
    drop(generation);
    tokio::time::timeout(PATIENCE, closed.cancelled())
        .await
        .expect("the VM goes with its last handle");
    assert_eq!(value("start").await, "1");
}

#[tokio::test]
async fn a_run_finishes_on_the_generation_that_started_it() {
    let bench = Bench::new().await;
    let generation = bench.handler("local v = kv.get('go') while not v do time.sleep('1ms') v = kv.get('go') end ctx:reply('old')");
    let run = bench.run("r");
    let handler = generation.registrations()[0].handler;
    let closed = generation.closed().clone();
    let (started, runs) = (Arc::clone(&run), Arc::clone(&generation));
    let waiting = tokio::task::JoinSet::from_iter([async move {
        runs.start(started, handler, serde_json::Value::Null).await
    }]);
    generation.retire().await;
    drop(generation);
    Kv::new(bench.store.clone()).set("test.luau", "go", "true", None).await.unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, waiting.join_all()).await.unwrap(), [Ended::Done]);
    tokio::time::timeout(PATIENCE, closed.cancelled()).await.unwrap();
    assert_eq!(run.take_pending().len(), 1);
}

#[tokio::test]
async fn a_limit_of_replies_stops_a_loop() {
    let bench = Bench::with(Limits { replies: 5, ..Limits::default() }, 64 << 20).await;
    let failed = failed(bench.ends("while true do pcall(function() ctx:reply('x') end) end").await);
    assert_eq!(failed.limit, Some(Limit::Replies(5)));
}

#[tokio::test]
async fn a_refusal_of_the_world_is_text_where_text_stands_and_what_assert_raises() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
        local _, err = json.decode("{")
        assert("no: " .. err == "no: " .. err.message and err .. 1 .. "!" == err.message .. "1!")
        local joined, why = pcall(function() return err .. {} end)
        assert(not joined and tostring(why):find("concatenate table", 1, true), tostring(why))
        ctx:reply(err)
        local passed, raised = pcall(function() return assert(json.decode("{")) end)
        assert(not passed and raised == err or raised.kind == "syntax")
        assert(select('#', assert(1, nil, 3)) == 3)
        local _, bare = pcall(function() assert(false) end)
        assert(bare == "test.luau:11: assertion failed!", bare)
        local _, said = pcall(function() assert(nil, "say it") end)
        assert(said == "test.luau:13: say it", said)
        "#,
        )
        .await;
    let raised = bench.raises("assert(json.decode('{'))").await;
    assert!(raised.starts_with("test.luau:2: ") && !raised.contains("assert"), "{raised}");
    let forged = "ctx:reply(setmetatable({ message = 'x' }, { __tostring = print }))";
    assert!(bench.raises(forged).await.contains("unknown option `message`"));
}

#[tokio::test]
async fn a_streamed_program_shows_its_output_and_its_exit_code() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
        local r = ctx:stream{ "sh", "-c", "printf 'a\\nb'; echo c >&2; exit 3", title = "t", timeout = "10s" }
        assert(r.code == 3 and not r.ok and r.tail:find("a") and r.tail:find("c"), r.tail)
        local none, err = ctx:stream{ "no-such-program-here" }
        assert(none == nil and err.kind == "not_found", tostring(err))
        assert(not pcall(function() ctx:stream{ "true", tiemout = 1 } end))
        "#,
        )
        .await;
}
