//! `moonbell test`: the real binary on scripts of a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use serde_json::Value as Json;

use crate::home::{Answer, Home};

struct Folder(Home);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        Self(Home::with_scripts(files))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Answer {
        let mut command = self.0.command(arguments);
        Answer::of(command.env("TZ", "Asia/Shanghai").output().unwrap())
    }

    /// Each test by its name: `None` passed, else why it failed.
    #[track_caller]
    fn results(&self) -> BTreeMap<String, Option<String>> {
        let answer = self.run(&["test", "--json"]);
        let result = |line: &str| {
            let line: Json = serde_json::from_str(line).unwrap();
            let failure = line["failure"]["message"].as_str().map(str::to_owned);
            assert_eq!(line["ok"].as_bool().unwrap(), failure.is_none());
            (line["name"].as_str().unwrap_or_default().to_owned(), failure)
        };
        let results: BTreeMap<_, _> = answer.out.lines().map(result).collect();
        let all_well = results.values().all(Option::is_none);
        assert_eq!(answer.code, i32::from(!all_well), "{}", answer.err);
        results
    }

    /// All tests pass, and there are `count`.
    #[track_caller]
    fn passes(&self, count: usize) {
        let answer = self.run(&["test"]);
        assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
        assert!(answer.out.contains(&format!("{count} passed in ")), "{}", answer.out);
    }
}

/// Times and durations of this very run.
fn redacted(text: &str) -> String {
    let took = regex::Regex::new(r"\b\d+(\.\d+)? m?s\b").unwrap();
    let run = regex::Regex::new(r"\(run [0-9a-z]{5}\)").unwrap();
    run.replace_all(&took.replace_all(text, "[time]"), "(run [id])").into_owned()
}

const TODO: &str = r#"
bot.command("todo add <item...>", function(ctx)
	local n = kv.incr("n")
	kv.set("item " .. n, ctx.args.item)
	ctx:reply(`{n}. {ctx.args.item}`)
end)
bot.command("todo", function(ctx)
	local lines = {}
	for _, entry in kv.list("item ") do table.insert(lines, entry.value) end
	ctx:reply(if #lines > 0 then table.concat(lines, "\n") else "nothing to do")
end)
"#;

#[test]
fn tests_that_pass_are_a_line_for_each_file() {
    let folder = Folder::new(&[
        ("todo.luau", TODO),
        (
            "todo.test.luau",
            r#"
test("adds", function(t)
	local ann = t:user("ann")
	ann:says("todo add milk")
	t:expect_reply("1. milk")
	t:expect_no_reply()
end)
test("starts empty, whatever other tests do", function(t)
	t:user("ann"):says("todo")
	t:expect_reply("nothing to do")
end)
"#,
        ),
        (
            "lib/x.test.luau",
            "local x = require('./x')\ntest('a module', function() assert(x.one == 1) end)",
        ),
        ("lib/x.luau", "return { one = 1 }"),
    ]);
    let answer = folder.run(&["test"]);
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    insta::assert_snapshot!(redacted(&answer.out), @r##"
      ok scripts/lib/x.test.luau  1 test, [time]
      ok scripts/todo.test.luau  2 tests, [time]

    3 passed in 2 files, [time]
    "##);
}

#[test]
fn a_failure_shows_the_line_both_texts_and_the_conversation() {
    let folder = Folder::new(&[
        (
            "deploy.luau",
            r#"
bot.command("deploy <env:staging|prod>", { role = "admin", run = function(ctx)
	ctx:reply("starting")
	local r = shell.run({ "make", "deploy", "ENV=" .. ctx.args.env })
	http.post("https://chat.example.com/done", { json = { ok = r.ok } })
	local card = ctx:card({ title = "log" })
	card:append(r.out)
	error("half way")
end })
"#,
        ),
        (
            "deploy.test.luau",
            r#"
test("deploys", function(t)
	local ann = t:user("ann", { role = "admin" })
	t:process({ "make", "deploy" }, { stdout = "built\nsent\n", code = 2, takes = "90s" })
	t:http("POST", "https://chat.example.com/*", { status = 204 })
	ann:says("deploy prdo")
	ann:says("deploy prod", { group = "ops" })
	t:advance("2m")
	t:expect_reply({ contains = "prod" })
	t:expect_reply({ text = "starting", group = "ops" })
	t:expect_card({ title = "log", state = "failed", text = "sent" })
	t:expect_process({ "make" })
	t:expect_http({ method = "POST", body = '"ok":false' })
	t:expect_reply("done")
end)
"#,
        ),
    ]);
    let answer = folder.run(&["test"]);
    assert_eq!(answer.code, 1);
    insta::assert_snapshot!(redacted(&answer.out), @r##"
    FAIL scripts/deploy.test.luau  1 of 1 test failed

      ✗ deploys
        scripts/deploy.test.luau:14: `t:expect_reply`: another reply than expected
          expected: "done"
               got: "⚠️ That failed (run [id]). The owner can see why in the log."
        14 | t:expect_reply("done")

        what happened:
          09:00 ann (admin): deploy prdo
          09:00 bot → ann: env: `prdo` is not one of staging, prod; did you mean prod?
                  usage: deploy <env>
                  example: deploy prod
          09:00 ann (admin, in ops): deploy prod
          09:00 bot → ops: starting
          09:00   $ make deploy ENV=prod  (exit 2 after 1m 30s)
          09:00   … 2m later
          09:01   ⇄ POST https://chat.example.com/done  (204)
          09:01 bot → ops: [card "log", failed]
                  built
                  sent


                  ⚠️ that failed (run [id])
          09:01 bot → ops: ⚠️ That failed (run [id]). The owner can see why in the log.
          09:01   ✗ deploy.luau:8: half way
                    deploy.luau:8: in function 'run'

    0 passed, 1 failed in 1 file, [time]
    "##);
}

#[test]
fn what_no_test_plays_is_not_done_and_fails_the_test() {
    let folder = Folder::new(&[
        (
            "world.luau",
            r#"
bot.command("run", function(ctx) pcall(function() shell.run({ "touch", "/tmp/never \"x\"" }) end) ctx:reply("on") end)
bot.command("call", function(ctx) http.get("https://api.example.com/health?x=1") end)
bot.command("read", function(ctx) local _, err = fs.read("/etc/hostname") ctx:reply(err.kind) end)
"#,
        ),
        (
            "world.test.luau",
            r#"
test("program", function(t) local a = t:user("a") pcall(function() a:says("run") end) end)
test("call", function(t) t:user("a"):says("call") end)
test("files outside are refused", function(t) t:user("a"):says("read") t:expect_reply("denied") end)
"#,
        ),
    ]);
    let results = folder.results();
    assert_eq!(results["files outside are refused"], None);
    insta::assert_snapshot!(results["program"].as_deref().unwrap(), @r##"
    the test plays no program `touch '/tmp/never "x"'`; add to it:
      t:process({ "touch", "/tmp/never \"x\"" }, { stdout = "", code = 0 })
    "##);
    insta::assert_snapshot!(results["call"].as_deref().unwrap(), @r##"
    `user:says`: the test plays no answer to `GET https://api.example.com/health?x=1`; add to it:
      t:http("GET", "https://api.example.com/health?x=1", { status = 200, body = "" })
    "##);
}

#[test]
fn the_own_code_of_a_test_reaches_no_more_than_its_script_does() {
    let folder = Folder::new(&[
        ("own.luau", r#"bot.command("go", function(ctx) ctx:reply("on") end)"#),
        (
            "own.test.luau",
            r#"
local mark = "MARK"
test("program", function(t) shell.run({ "touch", mark }) end)
test("call", function(t) http.get("http://127.0.0.1:9/") end)
test("file", function(t)
    local _, err = fs.write(mark, "x")
    assert(err.kind == "denied")
    fs.write("~/own.txt", "mine")
    assert(fs.read("~/own.txt") == "mine")
end)
test("asked for", function(t)
    t:real("process")
    assert(shell.run({ "echo", "hi" }).out == "hi\n")
end)
"#,
        ),
    ]);
    let mark = folder.path("mark");
    let test = folder.path("scripts/own.test.luau");
    let text = fs::read_to_string(&test).unwrap();
    fs::write(&test, text.replace("MARK", mark.to_str().unwrap())).unwrap();
    let results = folder.results();
    for name in ["program", "call"] {
        let said = results[name].as_deref().unwrap();
        assert!(said.contains("unless `t:real` asks for it"), "{said}");
    }
    assert_eq!((&results["file"], &results["asked for"]), (&None, &None));
    assert!(!mark.exists());
}

#[test]
fn a_script_is_held_to_its_needs_in_a_test_too() {
    let folder = Folder::new(&[
        (
            "needs.luau",
            r#"
bot.script{ api = 1, needs = { "shell:git" } }
local function try(ctx, what)
    local _, why = pcall(what)
    ctx:reply(why:match("add `(.-)`") or why)
end
bot.command("git", function(ctx) ctx:reply(assert(shell.run({ "git", "status" })).out) end)
bot.command("make", function(ctx) try(ctx, function() shell.run({ "make" }) end) end)
bot.command("call", function(ctx) try(ctx, function() http.get("https://api.example.com/") end) end)
"#,
        ),
        (
            "needs.test.luau",
            r#"
test("git", function(t)
    t:process({ "git", "status" }, { stdout = "clean" })
    t:user("a"):says("git")
    t:expect_reply("clean")
end)
test("make", function(t)
    t:user("a"):says("make")
    t:expect_reply('"shell:make"')
end)
test("call", function(t)
    t:user("a"):says("call")
    t:expect_reply('"http:api.example.com"')
end)
"#,
        ),
    ]);
    folder.passes(3);
}

#[test]
fn time_stands_still_until_a_test_moves_it() {
    let folder = Folder::new(&[
        (
            "time.luau",
            r#"
bot.on("start", function() kv.set("started", time.format(nil, "%a %H:%M")) end)
bot.command("remind <when:duration> <text...>", { timeout = "30d", run = function(ctx)
	time.sleep(ctx.args.when)
	ctx:reply(`{ctx.args.text} at {time.format(nil, "%H:%M")}, {os.date("%H:%M", os.time())}`)
end })
bot.command("started", function(ctx) ctx:reply(kv.get("started")) end)
bot.command("keep", function(ctx) kv.set("k", 1, { ttl = "1h" }) end)
bot.command("kept", function(ctx) local k = kv.get("k") ctx:reply(tostring(k)) end)
bot.command("slow", { timeout = "5m", run = function() time.sleep("1h") end })
bot.every("6h", function() kv.incr("beats") end)
bot.command("beats", function(ctx) local n = kv.get("beats") ctx:reply(tostring(n)) end)
bot.cron("0 9 * * 1-5", { tz = "Asia/Shanghai" }, function() bot.send("owner", "stand-up on " .. time.format(nil, "%a")) end)
"#,
        ),
        (
            "time.test.luau",
            r#"
test("a reminder of two hours", function(t)
	local ann, bob = t:user("ann"), t:user("bob")
	ann:says("remind 2h tea")
	bob:says("remind 1h bread")
	t:advance("59m")
	t:expect_no_reply()
	t:advance("1m")
	t:expect_reply({ text = "bread at 10:00, 10:00", to = bob })
	t:expect_no_reply()
	t:advance("1h")
	t:expect_reply({ text = "tea at 11:00, 11:00", to = ann })
end)
test("a schedule over a weekend", function(t)
	local boss = t:user("boss", { role = "owner" })
	t:set_time("2026-03-06 08:59", "Asia/Shanghai")
	t:start()
	t:advance("4d1m")
	t:expect_reply({ text = "stand-up on Fri", to = boss })
	t:expect_reply("stand-up on Mon")
	t:expect_reply("stand-up on Tue")
	t:expect_no_reply()
	boss:says("beats")
	t:expect_reply("16")
end)
test("values expire", function(t)
	local ann = t:user("ann")
	ann:says("keep")
	t:advance("59m")
	ann:says("kept")
	t:expect_reply("1")
	t:advance("1m")
	ann:says("kept")
	t:expect_reply("nil")
end)
test("the limit of a handler", function(t)
	t:user("ann"):says("slow")
	t:advance("4m")
	t:expect_no_reply()
	t:advance("1m")
	t:expect_reply({ contains = "failed" })
end)
test("it begins on a Monday morning", function(t)
	t:user("ann"):says("started")
	t:expect_reply("Mon 09:00")
	assert(time.format() == "2026-01-05 09:00:00")
end)
"#,
        ),
    ]);
    folder.passes(5);
}

#[test]
fn programs_are_played_with_their_time_their_signals_and_their_input() {
    let folder = Folder::new(&[
        (
            "p.luau",
            r#"
bot.command("build", { timeout = "1h", run = function(ctx)
	local r, err = shell.run({ "/usr/bin/make", "build", timeout = "1m", stdin = "in" })
	if not r then ctx:reply(err.kind) return end
	ctx:reply(`{r.ok} {r.code} {r.signal} {r.timed_out} {r.out}{r.err}`)
end })
bot.command("follow", { timeout = "1h", run = function(ctx)
	for line in assert(shell.spawn({ "tail", "-f", "log" })):lines() do ctx:reply(line) end
end })
bot.command("live", { timeout = "1h", run = function(ctx) ctx:stream({ "make", "live", title = "live" }) end })
"#,
        ),
        (
            "p.test.luau",
            r#"
local function built(t, answer, said)
	t:process({ "make" }, { code = 9 }) -- the latest counts
	t:process({ "make", "build" }, answer)
	t:user("ann"):says("build")
	t:advance("1m")
	t:expect_reply(said)
end
test("code", function(t) built(t, { stdout = "a", stderr = "b", code = 3 }, "false 3 nil false ab") end)
test("signal", function(t) built(t, { signal = "KILL" }, "false nil SIGKILL false ") end)
test("timeout", function(t) built(t, { takes = "2m", stdout = "x" }, "false nil SIGTERM true x") end)
test("missing", function(t) built(t, { missing = true }, "not_found") end)
test("function", function(t)
	built(t, function(argv, stdin) return { stdout = table.concat(argv, " ") .. " " .. tostring(stdin) } end, "true 0 nil false /usr/bin/make build in")
end)
test("lines", function(t)
	t:process({ "tail" }, { stdout = "one\ntwo\n", takes = "10m" })
	local ann = t:user("ann")
	ann:says("follow")
	t:expect_reply("one")
	t:expect_reply("two")
	t:expect_no_reply()
	ann:says("stop")
	t:expect_reply({ contains = "Stopped" })
end)
test("live", function(t)
	t:process({ "make", "live" }, { stdout = "half\n", takes = "3m" })
	t:user("ann"):says("live")
	t:expect_card({ title = "live", state = "open", text = "half" })
	t:advance("3m")
	t:expect_card({ title = "live", state = "finished", text = "exit 0 · 3m" })
end)
test("really", function(t)
	t:real("process")
	t:process({ "tail" }, { stdout = "played\n" })
	local ann = t:user("ann")
	ann:says("follow")
	t:expect_reply("played")
	ann:says("build")
	t:expect_reply({ matches = "^(not_found|false)" })
end)
test("a function that fails", function(t)
	t:process({ "make" }, function() error("no idea") end)
	local ok, why = pcall(function() t:user("ann"):says("build") end)
	assert(not ok and string.find(why, "no idea"))
	error("seen")
end)
"#,
        ),
    ]);
    let results = folder.results();
    for (name, failure) in results {
        match name.as_str() {
            "a function that fails" => assert!(failure.unwrap().contains("seen")),
            _ => assert_eq!(failure, None, "{name}"),
        }
    }
}

#[test]
fn answers_are_played_whole_in_pieces_late_or_not_at_all() {
    let folder = Folder::new(&[
        (
            "ask.luau",
            r#"
bot.command("ask <what...>", { timeout = "1h", run = function(ctx)
	local card = ctx:card({ title = "answer" })
	local r = assert(http.post("https://llm.example.com/v1/chat", { json = { q = ctx.args.what }, stream = true }))
	for e in r:events() do
		if e.data ~= "[DONE]" then card:append(json.decode(e.data).text) end
	end
end })
bot.command("whoami", function(ctx)
	local key, err = secret.get("key")
	if not key then ctx:reply(err.kind) return end
	http.get("https://api.example.com/me", { headers = { authorization = secret.join("Bearer ", key) } })
	ctx:reply(tostring(key))
end)
bot.command("health", { timeout = "1h", run = function(ctx)
	local r, err = http.get("https://api.example.com/health", { timeout = "10s" })
	ctx:reply(if r then `{r.status} {r.body} {r.headers["content-type"]}` else err.kind)
end })
"#,
        ),
        (
            "ask.test.luau",
            r#"
test("a stream into a card", function(t)
	t:http("POST", "https://llm.example.com/*", { chunks = { 'data: {"text":"Hel', 'lo"}\n\ndata: {"text":" 世界"}\n\n', "data: [DONE]\n\n" } })
	t:user("ann"):says("ask who")
	t:expect_card({ title = "answer", state = "finished", text = "Hello 世界" })
	t:expect_http({ method = "POST", url = "https://llm.example.com/v1/chat", body = '"who"' })
end)
test("a secret", function(t)
	t:secret("key", "open-sesame")
	local got
	t:http("GET", "https://api.example.com/me", function(request) got = request.headers.authorization return {} end)
	t:user("ann"):says("whoami")
	t:expect_reply("***")
	assert(got == "Bearer open-sesame")
end)
test("no secret", function(t) t:user("ann"):says("whoami") t:expect_reply("not_found") end)
local function health(t, answer, said)
	t:http("GET", "https://api.example.com/health", answer)
	t:user("ann"):says("health")
	t:advance("10s")
	t:expect_reply(said)
end
test("json", function(t) health(t, { json = { ok = true } }, '200 {"ok":true} application/json') end)
test("status", function(t) health(t, { status = 503, body = "busy" }, "503 busy nil") end)
test("timeout", function(t) health(t, { error = "timeout" }, "timeout") end)
test("late", function(t) health(t, { takes = "11s" }, "timeout") end)
test("in time", function(t) health(t, { takes = "9s" }, "200  nil") end)
test("network", function(t) health(t, { error = "network" }, "network") end)
test("function", function(t) health(t, function(r) return { body = r.method .. " " .. r.url } end, "200 GET https://api.example.com/health nil") end)
"#,
        ),
    ]);
    folder.passes(10);
}

#[test]
fn people_have_roles_and_strangers_none() {
    let folder = Folder::new(&[
        (
            "who.luau",
            r#"
bot.command("whoami", function(ctx) ctx:reply(`{ctx.user.name} {ctx.user.id} {ctx.user.role} {ctx.chat.kind} {ctx.chat.title}`) end)
bot.command("secret", { role = "admin", run = function(ctx) ctx:reply("42") end })
bot.command("about <who:user>", function(ctx) ctx:reply(ctx.args.who .. " " .. #ctx.message.mentions) end)
bot.command("got", function(ctx) ctx:reply(ctx.message.files[1].name .. " " .. ctx.message.quoted.text) end)
bot.command("take", function(ctx)
	local saved = assert(ctx.message.files[1]:save())
	ctx:react("👍")
	ctx:reply(saved.name .. " " .. fs.read(saved.path))
end)
bot.command("note", function(ctx) fs.write("~/n.txt", fs.read("own.txt") .. "!") end)
bot.command("file", function(ctx) ctx:send_file("~/n.pdf") end)
"#,
        ),
        (
            "who.test.luau",
            r#"
test("roles", function(t)
	local guest, admin = t:user("guest1"), t:user("ann", { role = "admin", id = "manager7" })
	local owner, stranger = t:user("boss", { role = "owner" }), t:user("eve", { role = false })
	guest:says("whoami")
	t:expect_reply("guest1 guest1 guest dm nil")
	admin:says("whoami", { group = "ops" })
	t:expect_reply({ text = "ann manager7 admin group ops", group = "ops" })
	guest:says("secret")
	t:expect_reply({ contains = "may not" })
	admin:says("secret")
	t:expect_reply("42")
	owner:says("secret")
	t:expect_reply({ text = "42", to = owner })
	stranger:says("whoami")
	t:expect_reply({ contains = "Sorry" })
	stranger:says("whoami")
	t:expect_no_reply()
end)
test("mentions, files, quotes", function(t)
	local ann, bob = t:user("ann"), t:user("bob")
	ann:says("about", { group = "ops", at = { bob } })
	t:expect_reply("bob 1")
	ann:says("got", { files = { "plan.pdf" }, quotes = "earlier" })
	t:expect_reply("plan.pdf earlier")
	ann:says("take", { files = { { name = "a.csv", content = "1,2" } } })
	t:expect_reply("a.csv 1,2")
end)
test("files of its own", function(t)
	t:file("own.txt", "mine")
	t:file("~/n.pdf", "%PDF")
	local ann = t:user("ann")
	ann:says("note")
	assert(t:read("~/n.txt") == "mine!" and t:read("~/gone") == nil)
	ann:says("file")
	t:expect_reply({ file = "n.pdf" })
end)
"#,
        ),
    ]);
    folder.passes(3);
}

#[test]
fn a_wrong_word_in_a_test_is_named_with_the_right_one() {
    let folder = Folder::new(&[
        ("a.luau", "bot.command('a', function(ctx) ctx:reply('b') end)"),
        (
            "a.test.luau",
            r#"
test("method", function(t) t:expect_repyl("b") end)
test("option", function(t) t:user("ann", { rol = "admin" }) end)
test("reply", function(t) t:expect_reply({ contain = "x" }) end)
test("program", function(t) t:process({ "make" }, { stdut = "x" }) end)
test("state", function(t) t:expect_card({ state = "done" }) end)
test("real", function(t) t:user("ann"):says("a") t:real("time") end)
test("path", function(t) t:file("/etc/x", "") end)
test("time", function(t) t:set_time("noon") end)
"#,
        ),
    ]);
    let results = folder.results();
    let all: Vec<String> =
        results.iter().map(|(name, why)| format!("{name}: {}", why.as_deref().unwrap())).collect();
    insta::assert_snapshot!(all.join("\n"), @r##"
    method: `t` has no `expect_repyl`; did you mean `expect_reply`? it has `advance`, `expect_card`, `expect_http`, `expect_no_reply`, `expect_process`, `expect_reply`, `file`, `http`, `process`, `read`, `real`, `secret`, `set_time`, `start`, `user`
    option: `t:user`: unknown option `rol`; did you mean `role`? it takes `id`, `lang`, `role`
    path: `t:file`: expected a path below the home folder, such as "~/notes.txt", or a relative one, got "/etc/x"
    program: `t:process`: unknown option `stdut`; did you mean `stdout`? it takes `code`, `missing`, `signal`, `stderr`, `stdout`, `takes`
    real: `t:real`: call it before anybody says something: the script runs already
    reply: `t:expect_reply`: unknown option `contain`; did you mean `contains`? it takes `contains`, `file`, `group`, `markdown`, `matches`, `text`, `title`, `to`
    state: `t:expect_card`: option `state`: expected "open", "finished" or "failed", got "done"
    time: `t:set_time`: argument #1 (`time`): expected a time such as "2026-03-01 08:59", got "noon"
    "##);
}

#[test]
fn a_test_that_does_not_end_is_ended_and_the_others_go_on() {
    let folder = Folder::new(&[
        (
            "spin.luau",
            "bot.command('spin', function() while true do end end)\nbot.command('ok', function(ctx) ctx:reply('ok') end)",
        ),
        (
            "spin.test.luau",
            "test('spins', function(t) t:user('ann'):says('spin') end)\n\
             test('is fine', function(t) t:user('ann'):says('ok') t:expect_reply('ok') end)",
        ),
    ]);
    let results = folder.results();
    assert_eq!(results["is fine"], None);
    let why = results["spins"].as_deref().unwrap();
    assert_eq!(why, "the test did not end within 10s of real time; it was in ann:says(\"spin\")");
}

#[test]
fn files_that_do_not_load_say_why_and_the_others_run() {
    let folder = Folder::new(&[
        ("a.luau", "bot.command('a', function(ctx)"),
        ("a.test.luau", "test('x', function() end)"),
        ("b.luau", "bot.command('b', function() end)"),
        ("b.test.luau", "test('x', function()"),
        ("c.test.luau", "test('x', function() end)"),
        ("d.luau", ""),
        ("d.test.luau", "local x = 1"),
        ("e.luau", ""),
        ("e.test.luau", "bot.command('x', function() end)"),
        ("f.luau", ""),
        ("f.test.luau", "test('same', function() end)\ntest('same', function() end)"),
        ("g.luau", ""),
        ("g.test.luau", "test('well', function() end)"),
        ("h.luau", "bot.every('1s', function() error('oops') end)"),
        ("h.test.luau", "test('timer', function(t) t:start() t:advance('2s') end)"),
    ]);
    let answer = folder.run(&["test"]);
    assert_eq!(answer.code, 1);
    insta::assert_snapshot!(redacted(&answer.out), @r##"
    FAIL scripts/a.test.luau
      a.luau:1: Expected 'end' (to close 'function' at column 18), got <eof>
       1 | bot.command('a', function(ctx)
         |                  ^^^^^^^^
    FAIL scripts/b.test.luau
      b.test.luau:1: Expected 'end' (to close 'function' at column 11), got <eof>
       1 | test('x', function()
         |           ^^^^^^^^
    FAIL scripts/c.test.luau
      there is no script for this test: expected `c.luau` beside it
    FAIL scripts/d.test.luau
      `d.test.luau` declares no test; write `test("what it does", function(t) … end)`
    FAIL scripts/e.test.luau
      e.test.luau:1: handlers are declared in `e.luau`, not in its test
    FAIL scripts/f.test.luau
      f.test.luau:2: `test`: there is a test of that name already, in line 1
       2 | test('same', function() end)
         | ^^^^
      ok scripts/g.test.luau  1 test, [time]
    FAIL scripts/h.test.luau  1 of 1 test failed

      ✗ timer
        scripts/h.test.luau:1: `t:advance`: `bot.every 1s` of h.luau:1 failed: h.luau:1: oops
          h.luau:1: in function <h.luau:1>
        1 | test('timer', function(t) t:start() t:advance('2s') end)

        what happened:
          09:00   … 2s later
          09:00   ✗ `bot.every 1s` of h.luau:1 failed: h.luau:1: oops
                    h.luau:1: in function <h.luau:1>

    1 passed, 7 failed in 8 files, [time]
    "##);
}

#[test]
fn no_tests_is_misuse_and_says_where_they_go() {
    let folder = Folder::new(&[
        ("a.luau", ""),
        ("b.luau", ""),
        ("b.test.luau", "test('x', function() end)"),
    ]);
    for (arguments, part) in [
        (vec!["test", "scripts/a.luau"], "there is no `a.test.luau` beside it"),
        (vec!["test", "gone"], "there is no `gone`"),
        (vec!["test", "--filter", "zzz"], "no test has `zzz`"),
    ] {
        let answer = folder.run(&arguments);
        assert_eq!(answer.code, 2, "{}", answer.err);
        assert!(answer.err.contains(part) && answer.err.contains("hint: "), "{}", answer.err);
    }
    fs::remove_file(folder.path("scripts/b.test.luau")).unwrap();
    let answer = folder.run(&["test"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("there are no tests in `scripts`"), "{}", answer.err);
}

#[test]
fn the_filter_takes_names_of_tests_and_of_files() {
    let two = "test('one', function() end)\ntest('two', function() end)";
    let folder =
        Folder::new(&[("a.luau", ""), ("a.test.luau", two), ("b.luau", ""), ("b.test.luau", two)]);
    for (filter, passed) in [("one", 2), ("b.test", 2), ("", 4)] {
        let answer = folder.run(&["test", "--filter", filter]);
        assert!(answer.out.contains(&format!("{passed} passed")), "{filter}: {}", answer.out);
    }
    let answer = folder.run(&["test", "scripts/b.luau"]);
    assert!(answer.out.contains("2 passed in 1 file"), "{}", answer.out);
}

#[test]
fn junit_is_valid_whatever_people_and_programs_wrote() {
    let folder = Folder::new(&[
        (
            "a.luau",
            "bot.command('say <x...>', function(ctx) ctx:reply(ctx.args.x .. '\\27[31m\\0]]>') end)",
        ),
        (
            "a.test.luau",
            "test('<b> & \"quotes\" 你好', function(t) t:user('ann'):says('say <i>&amp;') t:expect_reply('x') end)\n\
             test('well', function() end)",
        ),
        ("b.test.luau", ""),
    ]);
    let answer = folder.run(&["test", "--junit", "out.xml"]);
    assert_eq!(answer.code, 1);
    assert!(!answer.out.contains('\u{1b}'), "{}", answer.out);
    let script = "import sys, xml.etree.ElementTree as e\n\
                  r = e.parse(sys.argv[1]).getroot()\n\
                  print(r.get('tests'), r.get('failures'), r.get('errors'))\n\
                  print([c.get('name') for c in r.iter('testcase')])\n\
                  print('<i>&amp;' in r.find('.//failure').text)";
    let Ok(seen) = Command::new("python3")
        .args(["-X", "utf8", "-c", script])
        .arg(folder.path("out.xml"))
        .output()
    else {
        return; // no Python here: what is escaped is tested beside the code
    };
    assert_eq!(
        String::from_utf8_lossy(&seen.stdout),
        "3 1 1\n['<b> & \"quotes\" 你好', 'well', '(loading)']\nTrue\n",
        "{}",
        String::from_utf8_lossy(&seen.stderr)
    );
}

#[test]
fn fifty_tests_are_quick() {
    use std::fmt::Write as _;
    let mut tests = String::new();
    for n in 0..50 {
        let _ = writeln!(
            tests,
            "test('n{n}', function(t) local a = t:user('ann') a:says('todo add x{n}') t:expect_reply('1. x{n}') a:says('todo') t:expect_reply('x{n}') end)"
        );
    }
    let folder = Folder::new(&[("todo.luau", TODO), ("todo.test.luau", &tests)]);
    let begun = Instant::now();
    folder.passes(50);
    // Printed, not asserted: this is a debug build beside other tests.
    println!("fifty tests took {:?}", begun.elapsed());
    let left = fs::read_dir(folder.0.root()).unwrap().count();
    assert_eq!(left, 1, "nothing is left behind but the scripts");
}

#[test]
fn the_tests_of_the_examples_pass() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let has_tests = fs::read_dir(examples)
        .unwrap()
        .any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".test.luau"));
    if has_tests {
        let answer = Folder::new(&[]).run(&["test", examples]);
        assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    }
}

#[test]
fn a_person_of_a_test_is_answered_in_their_language() {
    let folder = Folder::new(&[
        ("tongue.luau", r#"bot.command("tongue", function(ctx) ctx:reply(ctx.user.lang) end)"#),
        (
            "tongue.test.luau",
            r#"
test("as they write", function(t)
    local ann = t:user("ann")
    ann:says("tongue") t:expect_reply("en")
    ann:says("语言") t:expect_reply({ contains = "语言 中文" })
    ann:says("42") t:expect_reply({ contains = "没有命令" })
end)
test("as they chose", function(t)
    t:user("ann", { lang = "zh" }):says("tongue") t:expect_reply("zh")
end)
test("there are two", function(t)
    local ok, err = pcall(function() t:user("ann", { lang = "fr" }) end)
    assert(not ok and tostring(err):find('expected "zh", "en" or "auto", got "fr"', 1, true), tostring(err))
end)
"#,
        ),
    ]);
    folder.passes(3);
}
