//! I7, on the real program: a script that is saved while the bot serves, in every wrong way.

use std::fs;
use std::os::unix::fs::symlink;

use super::super::stage::{ALICE, BOB, OWNER, Setup, Stage};
use super::{answer, moonbell, text};

fn saying(word: &str) -> String {
    format!("bot.command(\"which <n>\", function(ctx) ctx:reply(\"{word}\") end)")
}

/// Saves as an editor does, whatever the bytes are.
fn save(stage: &Stage, name: &str, bytes: &[u8]) {
    let fresh = stage.path("fresh");
    fs::write(&fresh, bytes).unwrap();
    fs::rename(fresh, stage.path("scripts").join(name)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn i7_a_wrong_save_changes_nothing_for_people_and_the_terminal_says_what_is_wrong() {
    let host = Setup::new().script("which.luau", &saying("good")).spawn().await;
    let mut large = saying("large").into_bytes();
    large.resize((1 << 20) + 1, b' ');
    let broken: [(&[u8], &str); 10] = [
        (b"local x = 1\nbot.command('which' function() end)", "which.luau:2"),
        (b"bot.command(\"which\", function() err", "which.luau:1"),
        (b"\nlocal x = nil\nprint(x.y)", "which.luau:3"),
        (b"kv.set('a', 1)", "which.luau:1"),
        (b"fs.write('x', 'y')", "which.luau:1"),
        (b"while true do end", "which.luau"),
        (b"bot.command('echo <x>', function() end)", "declared already, at basics.luau"),
        (b"bot.command('help', function() end)", "word of moonbell's own"),
        (&large, "1 MiB"),
        (b"-- caf\xe9\n", "UTF-8"),
    ];
    for (n, (bytes, said)) in broken.into_iter().enumerate() {
        save(&host, "which.luau", bytes);
        host.until_true(said, || {
            let told = host.lines("err");
            told.iter().filter(|line| line.contains("still running the version of")).count() > n
        })
        .await;
        let told = host.lines("err").join("\n");
        assert!(told.contains(said), "{said}: {told}");
        assert_eq!(answer(&host, ALICE, &format!("which {n}")).await, "good", "{said}");
        assert_eq!(answer(&host, BOB, &format!("echo {n}")).await, n.to_string());
    }
    assert!(text(&moonbell(&host, &["status"])).contains("which.luau"));
    // A thousand saves, of which the last one is right.
    for n in 0..1_000 {
        save(&host, "which.luau", saying(&format!("save {n}")).as_bytes());
    }
    let mut asked = 0;
    while answer(&host, OWNER, &format!("which {asked}")).await != "save 999" {
        asked += 1;
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i7_circles_links_and_pipes_in_the_folder_hold_up_no_start_and_no_save() {
    let stage = Setup::new().script("which.luau", &saying("good")).stage().await;
    let scripts = stage.path("scripts");
    fs::write(stage.path("outside.luau"), "return \"outside\"").unwrap();
    fs::create_dir(scripts.join("lib")).unwrap();
    for (name, body) in [
        ("lib/a.luau", "return require(\"./b\")"),
        ("lib/b.luau", "return require(\"./a\")"),
        ("circle.luau", "require(\"lib/a\")"),
        ("escape.luau", "require(\"../outside\")"),
        ("sneak.luau", "require(\"lib/link\")"),
        ("twin.luau", &saying("twin")),
    ] {
        fs::write(scripts.join(name), body).unwrap();
    }
    symlink(stage.path("outside.luau"), scripts.join("lib/link.luau")).unwrap();
    symlink(scripts.join("loop.luau"), scripts.join("loop.luau")).unwrap();
    symlink(scripts.join("missing"), scripts.join("nowhere.luau")).unwrap();
    symlink(&scripts, scripts.join("again")).unwrap();
    let pipe = scripts.join("pipe.luau");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let host = stage.spawn().await;
    assert_eq!(answer(&host, ALICE, "which 1").await, "twin", "of two the first by name serves");
    let status = text(&moonbell(&host, &["status"]));
    for script in ["circle", "escape", "sneak", "loop", "nowhere", "pipe"] {
        let name = format!("{script}.luau ");
        let is = |line: &str| line.trim().starts_with(&name) && line.ends_with("not loaded");
        assert!(status.lines().any(is), "{script}: {status}");
    }
    let told = host.lines("err").join("\n");
    for why in [
        "`lib/a.luau` requires itself, by way of `lib/b.luau`",
        "leads out of the scripts folder",
        "a link that leads nowhere",
    ] {
        assert!(told.contains(why), "{why}: {told}");
    }
    fs::remove_file(host.path("scripts/twin.luau")).unwrap();
    let mut asked = 2;
    while answer(&host, ALICE, &format!("which {asked}")).await != "good" {
        asked += 1;
    }
    host.stop().await;
}
