//! Groups D and M: scripts of other people.

use std::fs;
use std::process::{Output, Stdio};

use super::super::process::{HostProcess, bare, settings};
use super::super::stage::{ALICE, OWNER, Setup, Stage};
use super::{count, moonbell, run, text};

/// A host with a folder of other people's scripts, and these in it.
async fn host(setup: Setup, scripts: &[(&str, &str)]) -> HostProcess {
    let stage = setup.stage().await;
    fs::create_dir(stage.path("scripts/theirs")).unwrap();
    for (name, script) in scripts {
        stage.write(&format!("theirs/{name}"), script);
    }
    asked(&stage);
    run(stage).await
}

/// Settings in which `theirs` is other people's.
fn asked(stage: &Stage) {
    let path = settings(stage);
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("[scripts]\n", "[scripts]\nasked = [\"theirs\"]\n");
    let text = text + "[secrets]\ntoken = \"a-token-of-the-owner\"\n";
    fs::write(&path, text).unwrap();
}

/// What `moonbell ARGS` prints. (Not `Stage::says`, which writes the settings anew.)
fn says(stage: &Stage, args: &[&str]) -> String {
    text(&moonbell(stage, args))
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

const FIRST: &str = r#"
bot.script{ api = 1, needs = { "shell:echo" } }
bot.command("theirs", function(ctx) assert(shell.run{ "echo", "ran" }) ctx:reply("one ran") end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn m1_a_script_of_other_people_does_nothing_before_it_is_granted_and_waits_when_it_asks_for_more()
 {
    let host = host(Setup::new(), &[("tool.luau", FIRST)]).await;
    host.until("the owner is told what it asks for", |seen| {
        seen.to(OWNER).iter().any(|said| {
            said.contains("theirs/tool.luau: waits for a grant: it asks for `shell:echo`")
                && said.contains("moonbell grant theirs/tool.luau")
        })
    })
    .await;
    host.say(ALICE, "theirs");
    host.until("there is no such command", |seen| seen.to(ALICE).len() == 1).await;
    assert!(says(&host, &["status"]).contains("waits for a grant"));
    assert!(says(&host, &["check"]).contains("warning[ungranted]"));

    // Without a terminal nobody is asked, so nobody says yes.
    let unasked = moonbell(&host, &["grant", "theirs/tool.luau"]);
    assert_eq!(code(&unasked), 2, "{}", text(&unasked));
    assert!(text(&unasked).contains("run `echo` as you, with any arguments"), "{}", text(&unasked));
    // What lets a script change what you run is named as what it is.
    host.write("theirs/notes.luau", "bot.script{ api = 1, needs = { \"fs:write:~\" } }\n");
    let notes = moonbell(&host, &["grant", "theirs/notes.luau"]);
    assert!(text(&notes).contains("it is as much as running any program"), "{}", text(&notes));
    fs::remove_file(host.path("scripts/theirs/notes.luau")).unwrap();
    let granted = moonbell(&host, &["grant", "theirs/tool.luau", "--yes"]);
    assert_eq!(code(&granted), 0, "{}", text(&granted));
    host.until("the owner hears that it serves", |seen| {
        seen.to(OWNER).iter().any(|said| said.contains("theirs/tool.luau: version 1 serves"))
    })
    .await;
    host.say(ALICE, "theirs");
    host.until("it serves", |seen| seen.to(ALICE).last() == Some(&"one ran")).await;

    // The same needs, other content: no grant is asked for.
    host.write("theirs/tool.luau", &FIRST.replace("one ", "two "));
    host.until_true("that is told to whoever asks", || {
        says(&host, &["grant", "--list"]).contains("content has changed")
    })
    .await;
    let answered = async |text: &str| {
        let before = host.look(|seen| seen.to(ALICE).len());
        host.say(ALICE, "theirs");
        host.until("an answer", |seen| seen.to(ALICE).len() > before).await;
        host.look(|seen| seen.to(ALICE)[before] == text)
    };
    while !answered("two ran").await {}
    // More needs: the version that was granted serves on.
    let more =
        FIRST.replace("one ", "three ").replace("\"shell:echo\"", "\"shell:echo\", \"shell\"");
    host.write("theirs/tool.luau", &more);
    host.until("the owner is told of the growth", |seen| {
        seen.to(OWNER)
            .iter()
            .any(|said| said.contains("asks for more than it was granted: `shell`"))
    })
    .await;
    host.say(ALICE, "theirs");
    host.until("it is still the second", |seen| seen.to(ALICE).last() == Some(&"two ran")).await;

    let revoked = moonbell(&host, &["grant", "--revoke", "theirs/tool.luau"]);
    assert_eq!(code(&revoked), 0, "{}", text(&revoked));
    host.until_true("it serves no more", || {
        says(&host, &["status"]).contains("theirs/tool.luau  not loaded")
    })
    .await;
    let before = host.look(|seen| seen.to(ALICE).len());
    host.say(ALICE, "theirs");
    host.until("it serves no more", |seen| {
        seen.to(ALICE).len() == before + 1 && !seen.to(ALICE)[before].contains("ran")
    })
    .await;
    let (_, stage) = host.terminate().await;
    assert_eq!(count(&stage, &[("event", "consent"), ("verdict", "allow")]), 1);
    assert_eq!(count(&stage, &[("event", "consent"), ("verdict", "deny")]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn d6_a_script_reaches_neither_the_secrets_nor_the_data_of_another() {
    let mine = r#"
        bot.command("keep", function(ctx)
            kv.set("what", "mine alone")
            assert(fs.write("own.txt", "mine alone"))
            ctx:reply("kept")
        end)
    "#;
    let thief = r#"
        bot.script{ needs = {} }
        bot.command("steal", function(ctx)
            local tries = {
                function() return kv.get("what") end,
                function() return fs.read("own.txt") end,
                function() return fs.read("../mine/own.txt") end,
                function() return fs.read("{home}/state/files/mine/own.txt") end,
                function() return fs.read("{home}/bot.toml") end,
                function() return secret.get("token") end,
                function() return shell.run{ "cat", "{home}/state/files/mine/own.txt" } end,
                function() return require("../mine") end,
                function() return require("link") end,
            }
            local got = {}
            for i, try in tries do
                local ok, value = pcall(try)
                if ok and value ~= nil then table.insert(got, i) end
            end
            ctx:reply("got " .. #got)
        end)
    "#;
    let loot = "local ok, mine = pcall(require, \"link\")\nreturn ok and mine";
    let sneak = r#"
        local loot = require("loot")
        bot.command("loot", function(ctx) ctx:reply(if loot then "got " .. loot.password else "got none") end)
    "#;
    let setup = Setup::new().script("mine.luau", mine);
    let theirs = [("thief.luau", thief), ("sneak.luau", sneak)];
    let host = host(setup, &theirs).await;
    fs::create_dir(host.path("scripts/lib")).unwrap();
    fs::create_dir(host.path("scripts/theirs/lib")).unwrap();
    fs::write(host.path("scripts/lib/keys.luau"), "return { password = 'hush' }").unwrap();
    fs::write(host.path("scripts/theirs/lib/loot.luau"), loot).unwrap();
    let link = host.path("scripts/theirs/link.luau");
    std::os::unix::fs::symlink(host.path("scripts/lib/keys.luau"), link).unwrap();
    host.write("theirs/sneak.luau", &sneak.replace("require(\"loot\")", "require(\"lib/loot\")"));
    let granted = moonbell(&host, &["grant", "--yes"]);
    assert_eq!(code(&granted), 0, "{}", text(&granted));
    host.say(OWNER, "keep");
    host.until("it is kept", |seen| seen.to(OWNER).contains(&"kept")).await;
    host.until_true("it serves", || {
        says(&host, &["status"]).contains("theirs/thief.luau  1 handler")
    })
    .await;
    host.say(OWNER, "steal");
    host.until("nothing of it", |seen| seen.to(OWNER).last() == Some(&"got 0")).await;
    host.until_true("it serves too", || {
        says(&host, &["status"]).contains("theirs/sneak.luau  1 handler")
    })
    .await;
    host.say(OWNER, "loot");
    host.until("nor by a link", |seen| seen.to(OWNER).last() == Some(&"got none")).await;
}

#[test]
fn m2_check_shows_characters_that_make_a_script_read_otherwise_than_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let script = "bot.command('a', function(ctx)\n\
        \t-- allowed \u{202e} only for admins \u{2066}\n\
        \tctx:reply('\u{43f}\u{430}ypal')\n\
        \tctx:reply('zero\u{200b}width')\n\
        \tctx:reply('中文 and latin, ünd 😀\u{fe0f}, family 👨\u{200d}👩')\n\
        end)\n";
    fs::write(dir.path().join("a.luau"), script).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_moonbell"))
        .args(["check", "--json"])
        .arg(dir.path())
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found: Vec<String> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["start"]["line"], one["rule"].as_str().unwrap()))
        .collect();
    assert_eq!(found, ["2 bidi", "2 bidi", "3 lookalike", "4 invisible"]);
    // What is shown of the line shows what hides in it.
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_moonbell"))
        .arg("check")
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(!String::from_utf8(output.stdout).unwrap().contains('\u{202e}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn m1_a_script_of_other_people_takes_no_name_from_the_owners_own_also_at_the_start() {
    let own = r#"bot.command("mine", { role = "owner", run = function(ctx) ctx:reply("of the owner") end })"#;
    let theirs = r#"
        bot.script{ api = 1, needs = {} }
        bot.command("mine", function(ctx) ctx:reply("of others") end)
    "#;
    let host = host(Setup::new().script("zeta.luau", own), &[("tool.luau", theirs)]).await;
    let granted = moonbell(&host, &["grant", "theirs/tool.luau", "--yes"]);
    assert_eq!(code(&granted), 0, "{}", text(&granted));
    let (_, stage) = host.terminate().await;
    let host = run(stage).await;
    host.say(OWNER, "mine");
    host.until("the owner's own serves", |seen| seen.to(OWNER).last() == Some(&"of the owner"))
        .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m1_a_folder_of_other_people_floods_nobody_and_says_nothing_in_its_own_words() {
    let shout = "error('SECURITY NOTICE: run this on your computer')";
    let names: Vec<String> = (0..30).map(|n| format!("s{n:02}.luau")).collect();
    let mut scripts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), shout)).collect();
    // One spins while it is loaded to see what it asks for.
    scripts.push(("spin.luau", "while true do end"));
    let host = host(Setup::new(), &scripts).await;
    host.say(OWNER, "echo served");
    host.until("the owner is served", |seen| seen.to(OWNER).contains(&"served")).await;
    host.until("and told of a few", |seen| {
        seen.to(OWNER).iter().any(|said| said.contains("for an hour only `moonbell status` tells"))
    })
    .await;
    host.say(OWNER, "echo again, later");
    host.until("still served", |seen| seen.to(OWNER).contains(&"again, later")).await;
    host.look(|seen| {
        let told = seen.to(OWNER);
        assert_eq!(told.iter().filter(|said| said.contains("theirs/")).count(), 5, "{told:?}");
        assert!(!told.iter().any(|said| said.contains("SECURITY NOTICE")), "{told:?}");
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m1_tests_of_other_people_run_only_when_they_are_named() {
    let ran = r#"
        test("it acts", function(t) t:real("process") shell.run{ "touch", "{home}/acted" } end)
    "#;
    let host = host(Setup::new(), &[("tool.luau", FIRST)]).await;
    host.write("theirs/tool.test.luau", ran);
    let said = moonbell(&host, &["test"]);
    assert!(text(&said).contains("is of other people and was not run"), "{}", text(&said));
    assert!(!host.path("acted").exists());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m1_tests_of_other_people_in_a_checkout_run_only_when_they_are_named() {
    let stage = Setup::new().stage().await;
    asked(&stage);
    let folder = stage.path("checkout/scripts/theirs");
    fs::create_dir_all(&folder).unwrap();
    let acted = stage.path("acted");
    let script = format!("bot.on('start', function() shell.run{{ 'touch', {acted:?} }} end)");
    fs::write(folder.join("z.luau"), script).unwrap();
    let test = "test('it starts', function(t) t:real('process') t:start() end)";
    fs::write(folder.join("z.test.luau"), test).unwrap();
    let tested = |paths: &[&str]| {
        let mut command = bare(&stage, env!("CARGO_BIN_EXE_moonbell"));
        command.arg("test").args(paths).arg("--config").arg(stage.path("bot.toml"));
        command.current_dir(stage.path("checkout"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
    };
    // Neither the folder that is looked at unasked, nor one that it is somewhere in.
    for paths in [&[][..], &["scripts"], &["."], &["../checkout"]] {
        let said = tested(paths);
        assert!(text(&said).contains("is of other people and was not run"), "{}", text(&said));
        assert!(!acted.exists(), "{paths:?}");
    }
    let said = tested(&["scripts/theirs"]);
    assert!(acted.exists(), "named it runs: {}", text(&said));
}

#[tokio::test(flavor = "multi_thread")]
async fn m1_a_program_that_starts_others_is_granted_as_what_it_is() {
    let stage = Setup::new().stage().await;
    fs::create_dir(stage.path("scripts/theirs")).unwrap();
    asked(&stage);
    let granting = |needs: &str| {
        stage.write("theirs/tool.luau", &format!("bot.script{{ api = 1, needs = {{ {needs} }} }}"));
        text(&moonbell(&stage, &["grant", "theirs/tool.luau"]))
    };
    for needs in
        ["'shell:sh'", "'shell:python3.12'", "'shell:/usr/bin/env'", "'shell:git'", "'shell'"]
    {
        let said = granting(needs);
        assert!(said.contains("it is as much as running any program"), "{needs}: {said}");
        assert!(!said.contains("reaches nothing else"), "{needs}: {said}");
    }
    let said = granting("'shell:uptime', 'send:owner'");
    assert!(!said.contains("as much as"), "{said}");
    assert!(
        said.contains("moonbell holds the script to their names, and them to nothing"),
        "{said}"
    );
    assert!(granting("'send:owner'").contains("it reaches nothing else"));
    // What nobody sees in a need is no part of one.
    let said = granting("'shell:uptime\u{3164}'");
    assert!(said.contains("tool.luau:1") && said.contains("number 13, U+3164"), "{said}");
}
