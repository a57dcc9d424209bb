//! `moonbell check` and `moonbell types`: the real binary, and every script that this repository shows.

use std::fs;
use std::path::{Path, PathBuf};

use moonbell::api::reference;
use moonbell::script::check;

use crate::home::Home;

#[test]
fn nothing_found_is_exit_code_0() {
    let folder = Home::with_scripts(&[(
        "ping.luau",
        "bot.command('ping', function(ctx) ctx:reply('pong') end)",
    )]);
    let answer = folder.run(&["check"]);
    assert_eq!((answer.code, answer.out.as_str()), (0, ""), "{}", answer.err);
    assert_eq!(answer.err, "1 file, 1 handler: nothing to complain about\n");
}

#[test]
fn findings_are_shown_with_a_caret_as_a_compiler_does() {
    let folder = Home::with_scripts(&[
        (
            "a.luau",
            "--!strict\nlocal unused = 1\nbot.command(\"deploy\", function(ctx)\n\tctx:repyl(\"done\")\n\tlocal r = shell.sh(\"grep \" .. ctx.text)\n\tctx:reply(r.out)\nend)\n",
        ),
        ("b.luau", "bot.command('ping', function(ctx)\n"),
    ]);
    let answer = folder.run(&["check"]);
    assert_eq!(answer.code, 1);
    insta::assert_snapshot!(answer.out, @r#"
    a.luau:2:7: warning[unused_local]: nothing reads the local `unused`
     2 | local unused = 1
       |       ^^^^^^
    hint: remove it, or call it `_unused`

    a.luau:4:6: warning[type]: `Ctx` has no `repyl`
     4 |  ctx:repyl("done")
       |      ^^^^^
    hint: did you mean `reply`?

    a.luau:5:21: warning[shell_template]: this script is put together while it runs: text from chat in it would be run as commands
     5 |  local r = shell.sh("grep " .. ctx.text)
       |                     ^^^^^^^^^^^^^^^^^^^
    hint: write the script as one constant and pass what varies as arguments: `shell.sh("grep -c $1 $2", word, file)`

    a.luau:6:12: warning[type]: this may be nil (its type is `ShellResult?`)
     6 |  ctx:reply(r.out)
       |            ^
    hint: calls into the outside world return `nil, err` when they fail: test it first, `if not r then … end`

    b.luau:2:1: error[syntax]: Expected 'end' (to close 'function' at line 1), got <eof>
    "#);
    assert_eq!(answer.err, "1 file, 1 handler: 1 error, 4 warnings\n");
}

#[test]
fn findings_are_told_in_chinese_and_what_luau_says_stays() {
    let folder = Home::with_scripts(&[
        (
            "a.luau",
            "--!strict\nlocal unused = 1\nbot.command(\"a\", function(ctx)\n\tctx:repyl(\"done\")\nend)\n",
        ),
        ("b.luau", "bot.command('ping', function(ctx)\n"),
    ]);
    let output = folder.command(&["check"]).env("LANG", "zh_CN.UTF-8").output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    insta::assert_snapshot!(out, @r#"
    a.luau:2:7: 警告[unused_local]: 没有地方读取局部变量 `unused`
     2 | local unused = 1
       |       ^^^^^^
    提示：删掉它，或改名为 `_unused`

    a.luau:4:6: 警告[type]: `Ctx` 没有 `repyl`
     4 |  ctx:repyl("done")
       |      ^^^^^
    提示：是不是 `reply`？

    b.luau:2:1: 错误[syntax]: Expected 'end' (to close 'function' at line 1), got <eof>
    "#);
    let err = String::from_utf8(err).unwrap();
    assert_eq!(err, "1 个文件，1 个处理器：1 个错误，2 个警告\n");
}

/// What `check --json` says, as `path:line:column severity rule`.
#[track_caller]
fn found(scripts: &[(&str, &str)], arguments: &[&str]) -> Vec<String> {
    let folder = Home::with_scripts(scripts);
    let answer = folder.run(&[&["check", "--json"], arguments].concat());
    let report: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    let findings: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            let start = &finding["start"];
            format!(
                "{}:{}:{} {} {}",
                text("path"),
                start["line"],
                start["column"],
                text("severity"),
                text("rule")
            )
        })
        .collect();
    assert_eq!(answer.code, i32::from(!findings.is_empty()), "{}", answer.err);
    findings
}

#[test]
fn each_kind_of_mistake_is_found_at_its_place() {
    const PING: &str = "bot.command('ping', function(ctx) ctx:reply('pong') end)\n";
    let mut wrong = Vec::new();
    for (scripts, expected) in [
        (vec![("a.luau", "x = = 1")], vec!["a.luau:1:5 error syntax"]),
        (vec![("a.luau", "local x = nil\nprint(x.y)")], vec!["a.luau:2:9 error runtime"]),
        (vec![("a.luau", "shell.run({ 'ls' })")], vec!["a.luau:1:1 error top_level_io"]),
        (vec![("a.luau", "bot.command('a <n', print)")], vec!["a.luau:1:17 error declaration"]),
        (vec![("a.luau", "require('gone')")], vec!["a.luau:1:10 error runtime"]),
        (vec![("a.luau", PING), ("b.luau", PING)], vec!["b.luau:1:14 error conflict"]),
        (
            vec![("a.luau", "bot.command('stop', function() end)")],
            vec!["a.luau:1:14 error conflict"],
        ),
        (
            vec![
                ("a.luau", "bot.match('^a', function() end)"),
                ("b.luau", "\nbot.match('^a', function() end)"),
            ],
            vec!["b.luau:2:12 warning unreachable"],
        ),
        (
            vec![("a.luau", "bot.match('.*', function() end)\nbot.match('b', function() end)")],
            vec!["a.luau:2:1 warning unreachable"],
        ),
        (vec![("a.luau", "local x = 1")], vec!["a.luau:1:7 warning unused_local"]),
        (vec![("a.luau", "local function f() end")], vec!["a.luau:1:16 warning unused_function"]),
        (
            vec![("a.luau", "bot.fallback(function(ctx) shell.sh(ctx.text) end)")],
            vec!["a.luau:1:37 warning shell_template"],
        ),
        (
            vec![("a.luau", "bot.fallback(function() undefd() end)")],
            vec!["a.luau:1:25 warning unknown_global"],
        ),
        (
            vec![
                ("a.luau", "local l = require('lib/x')\nl.f()"),
                ("lib/x.luau", "local y = 1\nreturn { f = function() end }"),
            ],
            vec!["lib/x.luau:1:7 warning unused_local"],
        ),
        (
            vec![("a.luau", "local l = require('lib/x')\nl.f()"), ("lib/x.luau", "return {")],
            vec!["lib/x.luau:1:1 error syntax"],
        ),
        (vec![("a.luau", "local t = 1 -- moonbell: allow unused_local")], vec![]),
        (
            vec![("a.test.luau", "local x = 1"), ("a.d.luau", "nonsense")],
            vec!["a.test.luau:1:7 warning unused_local"],
        ),
        (
            vec![("a.test.luau", "test('x', function(t) t:expect_repyl('y') end)")],
            vec!["a.test.luau:1:25 warning type"],
        ),
        (vec![("a.test.luau", "x = = 1")], vec!["a.test.luau:1:5 error syntax"]),
        (vec![], vec![]),
    ] {
        let found = found(&scripts, &[]);
        if found != expected {
            wrong.push(format!("{scripts:?}: expected {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_a_script_does_and_does_not_ask_for_is_found_where_it_can_be_seen() {
    let script = r#"bot.script{ needs = { "http:a.example", "secret:one", "shell:git" } }
local which = require("lib/which")
bot.command("go <what>", function(ctx)
	shell.run{ "git", "pull" }
	shell.run({ "make" })
	shell.run{ ctx.args.what }
	shell.sh("ls")
	ctx:stream{ "make" }
	http.get("https://a.example/x")
	http.get("https://b.example/x")
	http.get(ctx.args.what)
	secret.get("one")
	secret.get("two")
	bot.send("owner", "hi")
	fs.read("own.txt")
	fs.read("~/x.txt")
	fs.write("/srv/x.txt", "")
	bot.send("owner", "hi") -- moonbell: allow need
	which.go()
end)
"#;
    let module = "return { go = function() shell.run{ 'which' } end }\n";
    let found = found(&[("a.luau", script), ("lib/which.luau", module)], &[]);
    let needs: Vec<&str> =
        found.iter().filter_map(|one| one.strip_suffix(" warning need")).collect();
    let expected = [
        "a.luau:5:2",
        "a.luau:7:2",
        "a.luau:8:6",
        "a.luau:10:2",
        "a.luau:13:2",
        "a.luau:14:2",
        "a.luau:16:2",
        "a.luau:17:2",
        "lib/which.luau:1:26",
    ];
    assert_eq!(needs, expected);
}

#[test]
fn one_script_is_checked_as_it_stands_among_the_others() {
    let scripts = [
        ("a.luau", "local unused = 1\nbot.command('ping', function() end)\n"),
        ("b.luau", "bot.command('ping', function() end)\n"),
        ("c.luau", "local unused = 1\n"),
    ];
    assert_eq!(found(&scripts, &["scripts/b.luau"]), ["b.luau:1:14 error conflict"]);
    assert_eq!(found(&scripts, &["scripts/c.luau"]), ["c.luau:1:7 warning unused_local"]);
}

#[test]
fn what_cannot_be_checked_is_misuse_and_says_what_to_name() {
    let folder = Home::with_scripts(&[("a.d.luau", "")]);
    for path in ["gone", "gone/a.luau", "scripts/a.d.luau"] {
        let answer = folder.run(&["check", path]);
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{}", answer.err);
        assert!(answer.err.contains("\nhint: "), "{}", answer.err);
    }
}

#[test]
fn checking_runs_no_handler_and_writes_nothing() {
    let folder = Home::with_scripts(&[(
        "a.luau",
        "bot.on('start', function() kv.set('a', 1) end)\nbot.every('1s', function() end)",
    )]);
    assert_eq!(folder.run(&["check"]).code, 0);
    assert_eq!(fs::read_dir(folder.root()).unwrap().count(), 1);
}

#[test]
fn types_writes_what_editors_read_and_says_what_is_next() {
    let folder = Home::with_scripts(&[]);
    let answer = folder.run(&["types"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.err.contains("next: open `"), "{}", answer.err);
    let written: Vec<&str> =
        answer.out.lines().map(|line| line.rsplit("/scripts/").next().unwrap()).collect();
    assert_eq!(
        written,
        [
            "moonbell.d.luau",
            "moonbell.docs.json",
            ".vscode/settings.json",
            ".vscode/extensions.json",
            ".luaurc"
        ]
    );
    let again = folder.run(&["types", "scripts"]);
    assert_eq!((again.code, again.out.as_str()), (0, ""));
    assert!(again.err.contains("everything is current"), "{}", again.err);
    // The definitions are no script.
    assert_eq!(folder.run(&["check"]).code, 0);
    assert_eq!(folder.run(&["types", "gone"]).code, 2);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_starter_scripts_have_nothing_to_complain_about() {
    for entry in fs::read_dir(root().join("scripts")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let findings = check::text(&name, &fs::read_to_string(&path).unwrap());
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

#[test]
fn the_reference_of_the_api_is_current() {
    let dir = root().join("docs/lua");
    let pages = reference::pages();
    if std::env::var_os("MOONBELL_TEST_UPDATE").is_some() {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        for (name, text) in &pages {
            fs::write(dir.join(name), text).unwrap();
        }
    }
    let mut written: Vec<String> = fs::read_dir(&dir)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()))
        .map(Iterator::collect)
        .unwrap_or_default();
    written.sort();
    let mut expected: Vec<&String> = pages.iter().map(|(name, _)| name).collect();
    expected.sort();
    let update = "docs/lua is not current: run `MOONBELL_TEST_UPDATE=1 tests/run check::`";
    assert!(written.iter().eq(expected), "{update}");
    for (name, text) in &pages {
        assert!(fs::read_to_string(dir.join(name)).unwrap() == *text, "{update} ({name})");
    }
}

/// Pages of documentation, at any depth of `docs/`.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md"), root().join("README.zh-CN.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The Lua blocks of a page, each preceded by as many line breaks as it takes to keep the line numbers of the page.
/// A block that opens with `lua fragment` is what stands inside a handler: it is checked there.
fn blocks(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(String, bool)> = None;
    for (number, line) in page.lines().enumerate() {
        let fence = line.trim_start();
        match &mut open {
            None if matches!(fence, "```lua" | "```lua fragment") => {
                let fragment = fence.ends_with("fragment");
                let mut text = "\n".repeat(number);
                text.push_str(if fragment { "bot.fallback(function(ctx)\n" } else { "\n" });
                open = Some((text, fragment));
            }
            None => {}
            Some(_) if fence == "```" => {
                let (mut text, fragment) = open.take().unwrap();
                if fragment {
                    text.push_str("end)\n");
                }
                found.push(text);
            }
            Some((text, _)) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found
}

#[test]
fn every_lua_block_of_the_documentation_checks() {
    let mut checked = 0;
    let mut complaints = Vec::new();
    for path in pages() {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        for block in blocks(&fs::read_to_string(&path).unwrap()) {
            checked += 1;
            // What declares tests stands in a test file.
            let is_test = block.lines().any(|line| line.starts_with("test("));
            let name = if is_test { format!("{name}.test.luau") } else { name.clone() };
            complaints.extend(check::text(&name, &block).iter().map(ToString::to_string));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n\n"));
    assert!(checked > 1, "no blocks were found");
}

#[test]
fn a_block_keeps_its_lines_and_a_fragment_stands_in_a_handler() {
    let found = blocks(
        "# A\n\n```lua\nlocal x = 1\n```\n\n```lua fragment\nctx:repyl('x')\n```\n```sh\nls\n```\n",
    );
    assert_eq!(found.len(), 2);
    let one = check::text("a.md", &found[0]);
    assert_eq!((one.len(), one[0].start), (1, Some((4, 7))));
    let two = check::text("a.md", &found[1]);
    assert_eq!((two.len(), two[0].start), (1, Some((8, 5))));
}

#[test]
fn odd_errors_of_the_top_level_name_their_line_too() {
    let folder = Home::with_scripts(&[
        ("a_nothing.luau", "local a = 1\nerror()\n"),
        ("b_table.luau", "\nerror({})\n"),
        ("c_function.luau", "error(print)\n"),
        ("d_yield.luau", "\n\ncoroutine.yield()\n"),
        ("e_endless.luau", "local n = 0\nwhile true do\n  n = n + 1\nend\n"),
        ("f_bytecode.luau", "\u{1b}LuaS"),
        ("g_call.luau", "local f\n\nf()\n"),
    ]);
    let answer = folder.run(&["check"]);
    let first: Vec<&str> = answer
        .out
        .lines()
        .filter(|line| line.contains("luau:") && line.contains(": error["))
        .collect();
    insta::assert_snapshot!(first.join("\n"), @r"
    a_nothing.luau:2:1: error[runtime]: `error` was called with nothing; give it a text
    b_table.luau:2:1: error[runtime]: `error` was called with a table; give it a text
    c_function.luau:1:1: error[runtime]: `error` was called with a function; give it a text
    d_yield.luau:3:1: error[runtime]: the top level cannot wait or yield: it may only declare handlers
    e_endless.luau:2:1: error[runtime]: the top level ran for 2s: it may only declare handlers
    f_bytecode.luau:1:1: error[syntax]: Expected identifier when parsing expression, got '\u{1b}'
    g_call.luau:3:1: error[runtime]: attempt to call a nil value
    ");
}

#[test]
fn a_handler_for_one_role_hides_nothing_from_the_others() {
    let folder = Home::with_scripts(&[
        (
            "a.luau",
            "bot.match('^x', { role = 'ops' }, print)\nbot.match('^x', print)\nbot.fallback({ role = 'ops', run = print })\nbot.fallback(print)\n",
        ),
        ("b.luau", "bot.match('^x', print)\nbot.fallback({ role = 'ops', run = print })\n"),
    ]);
    let answer = folder.run(&["check"]);
    let found: Vec<&str> =
        answer.out.lines().filter(|line| line.contains("[unreachable]")).collect();
    let places: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["b.luau:1:12", "b.luau:2:1"], "{found:#?}");
}
