//! `bot.script`: a script that names its needs gets those and nothing else.

use std::fs;

use super::engine::{Bench, failed};
use moonbell::api::fs::roots::Roots;
use moonbell::script::{Ended, Host, LoadErrorKind};

/// A bench whose host has a secret and folders.
async fn bench() -> Bench {
    let mut bench = Bench::new().await;
    let token = Some(moonbell::config::Secret::new("token-of-the-tests"));
    bench.host = bench
        .host
        .with_secrets([("token".to_owned(), token)].into())
        .with_roots(Roots::everything(bench.dir.path().join("files")));
    for folder in ["logs", "out", "files"] {
        fs::create_dir(bench.dir.path().join(folder)).unwrap();
    }
    fs::write(bench.dir.path().join("logs/a.txt"), "a line").unwrap();
    fs::write(bench.dir.path().join("note.txt"), "not yours").unwrap();
    bench
}

/// How a handler ends that does `body`, in a script that asks for `needs` and nothing else.
async fn ends(bench: &Bench, needs: &str, body: &str) -> Ended {
    let home = bench.dir.path().to_str().unwrap();
    let text = format!(
        "bot.script{{ api = 1, needs = {{ {needs} }} }}\nbot.command(\"go\", function(ctx)\n{body}\nend)"
    );
    let generation = bench.load(&text.replace("HOME", home));
    bench.start(&generation, &bench.run("r")).await
}

#[tokio::test]
async fn what_a_script_asked_for_it_may_do() {
    let bench = bench().await;
    for (needs, body) in [
        ("'shell'", "assert(shell.run{ 'true' }) assert(shell.sh('exit 0'))"),
        ("'shell:true'", "assert(shell.run{ 'true' }).ok = true"),
        ("'fs:read:HOME/logs'", "assert(fs.read('HOME/logs/a.txt') == 'a line')"),
        ("'fs:read:HOME/logs'", "assert(#assert(fs.list('HOME/logs')) == 1)"),
        ("'fs:read:HOME/logs/a.txt'", "assert(fs.read('HOME/logs/a.txt'))"),
        (
            "'fs:write:HOME/out'",
            "assert(fs.write('HOME/out/new/b.txt', 'x') or fs.mkdir('HOME/out/new'))",
        ),
        ("'fs:write:HOME/later'", "assert(fs.mkdir('HOME/later/deep'))"),
        ("'fs'", "assert(fs.read('HOME/note.txt'))"),
        ("'secret:token'", "assert(secret.get('token'))"),
        ("'secret'", "assert(secret.get('token'))"),
        ("", "assert(fs.write('own.txt', 'x')) assert(fs.read('own.txt') == 'x')"),
        ("", "kv.set('a', 1) assert(kv.get('a') == 1) ctx:reply('hello')"),
    ] {
        assert_eq!(ends(&bench, needs, body).await, Ended::Done, "{needs}: {body}");
    }
}

#[tokio::test]
async fn what_it_did_not_ask_for_raises_with_the_line_to_add() {
    let bench = bench().await;
    for (needs, body, told) in [
        (
            "",
            "shell.run{ 'git', 'pull' }",
            "the program `git` is not in this script's needs; add `\"shell:git\"` to `bot.script{ needs = … }`",
        ),
        ("'shell:git'", "shell.spawn{ 'sh' }", "add `\"shell:sh\"`"),
        ("'shell:git'", "shell.run{ './git' }", "add `\"shell:./git\"`"),
        ("'shell:sh'", "shell.sh('ls')", "`shell` is not in this script's needs; add `\"shell\"`"),
        ("'shell:git'", "ctx:stream{ 'make' }", "add `\"shell:make\"`"),
        (
            "",
            "http.get('https://api.example.com/x')",
            "`http` to `api.example.com` is not in this script's needs; add `\"http:api.example.com\"`",
        ),
        (
            "'http:api.example.com'",
            "http.post('https://example.com')",
            "add `\"http:example.com\"`",
        ),
        (
            "'http:api.example.com:443'",
            "http.get('https://api.example.com:8443')",
            "add `\"http:api.example.com:8443\"`",
        ),
        ("", "fs.read('HOME/note.txt')", "add `\"fs:read:HOME/note.txt\"`"),
        (
            "'fs:read:HOME/logs'",
            "fs.read('HOME/logs/../note.txt')",
            "is not in this script's needs",
        ),
        (
            "'fs:read:HOME/logs'",
            "fs.write('HOME/logs/a.txt', '')",
            "add `\"fs:write:HOME/logs/a.txt\"`",
        ),
        (
            "'fs:write:HOME/out'",
            "fs.copy('HOME/note.txt', 'HOME/out/note.txt')",
            "add `\"fs:read:HOME/note.txt\"`",
        ),
        ("'fs:write'", "fs.move('HOME/note.txt', 'mine.txt')", "add `\"fs:read:HOME/note.txt\"`"),
        ("'fs:read'", "fs.remove('HOME/note.txt')", "add `\"fs:write:HOME/note.txt\"`"),
        ("", "ctx:send_file('HOME/note.txt')", "add `\"fs:read:HOME/note.txt\"`"),
        (
            "'secret:other'",
            "secret.get('token')",
            "the secret `token` is not in this script's needs; add `\"secret:token\"`",
        ),
        (
            "",
            "bot.send('owner', 'hi')",
            "writing to the owner is not in this script's needs; add `\"send:owner\"`",
        ),
        (
            "'send:owner'",
            "bot.send({ user = 'u2' }, 'hi')",
            "`send` is not in this script's needs; add `\"send\"`",
        ),
    ] {
        let error = failed(ends(&bench, needs, body).await);
        let home = bench.dir.path().to_str().unwrap();
        let told = told.replace("HOME", home);
        assert!(error.short.contains(&told), "{needs}: {body}: {}", error.short);
        assert!(error.short.starts_with("test.luau:3: "), "{}", error.short);
    }
    assert_eq!(fs::read_to_string(bench.dir.path().join("note.txt")).unwrap(), "not yours");
}

#[tokio::test]
async fn a_link_in_a_folder_that_was_asked_for_leads_to_nothing_else() {
    let bench = bench().await;
    let dir = bench.dir.path();
    std::os::unix::fs::symlink(dir.join("note.txt"), dir.join("logs/link")).unwrap();
    std::os::unix::fs::symlink(dir, dir.join("logs/up")).unwrap();
    for path in ["HOME/logs/link", "HOME/logs/up/note.txt"] {
        let body = format!("fs.read('{path}')");
        let error = failed(ends(&bench, "'fs:read:HOME/logs'", &body).await);
        assert!(error.short.contains("is not in this script's needs"), "{}", error.short);
    }
}

#[tokio::test]
async fn a_required_file_acts_with_the_rights_of_the_script() {
    let bench = bench().await;
    let module = "return { go = function() return shell.run{ 'true' } end }";
    fs::write(bench.dir.path().join("lib.luau"), module).unwrap();
    let handler = "local lib = require('lib')\nbot.command('go', function() assert(lib.go()) end)";
    for (needs, passes) in [("'shell:true'", true), ("'shell:false'", false)] {
        let generation = bench.load(&format!("bot.script{{ needs = {{ {needs} }} }}\n{handler}"));
        let ended = bench.start(&generation, &bench.run("r")).await;
        assert_eq!(ended == Ended::Done, passes, "{needs}: {ended:?}");
    }
    let meddling = "bot.script{ needs = { 'shell' } }\nreturn {}";
    fs::write(bench.dir.path().join("lib.luau"), meddling).unwrap();
    let error = bench.vm("test.luau", "require('lib')").unwrap_err();
    assert!(error.message.contains("belongs into the script itself"), "{error}");
}

#[tokio::test]
async fn a_wrong_manifest_says_what_is_wrong_and_where() {
    let bench = bench().await;
    for (text, told) in [
        (
            "bot.script{ api = 2 }",
            "written for version 2 of the script API, and this moonbell has 1; update moonbell",
        ),
        ("bot.script{ api = 'one' }", "option `api`: expected a whole number"),
        (
            "bot.script{ needs = { 'shel' } }",
            "`shel` is no need of a script; did you mean `shell`?",
        ),
        ("bot.script{ needs = { 1 } }", "expected a list of texts, with a number"),
        ("bot.script{ need = {} }", "unknown option `need`; did you mean `needs`?"),
        ("bot.command('a', print) bot.script{}", "comes before everything else"),
        (
            "local t = secret.get('token') bot.script{ needs = { 'secret:token' } }",
            "comes before everything else",
        ),
        ("bot.script{} bot.script{}", "was said already"),
        (
            "bot.script{ needs = {} } bot.match('x', print)",
            "`messages` is not in this script's needs; add `\"messages\"`",
        ),
        ("bot.script{ needs = {} } bot.fallback(print)", "`messages`"),
        ("bot.script{ needs = {} } bot.every('1h', print)", "`schedule`"),
        ("bot.script{ needs = {} } bot.cron('0 9 * * *', print)", "`schedule`"),
        ("bot.script{ needs = {} } bot.on('card', print)", "`events`"),
        (
            "bot.script{ needs = { 'watch' } } bot.watch('/etc/*.conf', print)",
            "add `\"fs:read:/etc\"`",
        ),
    ] {
        let error = bench.vm("test.luau", text).unwrap_err();
        assert_eq!(error.kind, LoadErrorKind::Declaration, "{text}: {error}");
        assert!(error.message.contains(told), "{text}: {error}");
        assert_eq!(error.line, Some(1), "{text}: {error}");
    }
    bench
        .vm(
            "test.luau",
            "bot.script{ needs = { 'watch', 'fs:read:/etc' } } bot.watch('/etc/*.conf', print)",
        )
        .unwrap();
    let raised = bench.raises("bot.script{ needs = {} }").await;
    assert!(raised.contains("only at the top level"), "{raised}");
}

#[tokio::test]
async fn a_script_of_other_people_may_only_answer_unless_it_asks() {
    let mut bench = bench().await;
    bench.host = Host::with_asked(&bench.host, &["theirs".to_owned()], None);
    fs::create_dir(bench.dir.path().join("theirs")).unwrap();
    fs::write(bench.dir.path().join("mine.luau"), "return { password = 'x' }").unwrap();
    fs::write(bench.dir.path().join("theirs/lib.luau"), "return { n = 1 }").unwrap();
    let run = async |text: &str| {
        let vm = bench.vm("theirs/a.luau", text).unwrap();
        let generation = moonbell::script::Generation::spawn(vm, bench.runtime.engine());
        bench.start(&generation, &bench.run("r")).await
    };
    let nothing = run("bot.command('go', function() shell.run{ 'true' } end)").await;
    assert!(failed(nothing).short.contains("add `\"shell:true\"`"));
    let asked = "bot.script{ needs = { 'shell:true' } }\nbot.command('go', function() assert(shell.run{ 'true' }) end)";
    assert_eq!(run(asked).await, Ended::Done);
    // Its names count from its own folder, and lead out of it nowhere.
    let own = "local lib = require('lib')\nbot.command('go', function() assert(lib.n == 1) end)";
    assert_eq!(run(own).await, Ended::Done);
    for name in ["mine", "../mine", "./../mine"] {
        let text = format!("require('{name}')");
        assert!(bench.vm("theirs/a.luau", &text).is_err(), "{name}");
    }
}
