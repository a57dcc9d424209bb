//! Group C: paths from a chat, on the real program.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use moonbell::sim::MessageKind;

use super::super::process::HostProcess;
use super::super::stage::{ALICE, Setup, Stage};
use super::answer;

/// Does all that a script can do with the path that it is told, and says what came of it.
const DISK: &str = r#"
local function tries(ctx, path, ways)
    local came, kinds = {}, {}
    for _, way in ways do
        local result, err = way[2](path)
        if result ~= nil then table.insert(came, way[1]) else kinds[err.kind] = true end
    end
    local why = {}
    for kind in kinds do table.insert(why, kind) end
    table.sort(why)
    ctx:reply(if #came > 0 then "did " .. table.concat(came, " ") else "nothing: " .. table.concat(why, " "))
end
local function open(ctx)
    return {
        { "read", fs.read },
        { "write", function(path) return fs.write(path, "overwritten") end },
        { "append", function(path) return fs.append(path, "appended") end },
        { "copy", function(path) return fs.copy(path, "stolen", { overwrite = true }) end },
        { "send", function(path) return ctx:send_file(path) end },
    }
end
bot.match("^open (.*)$", function(ctx) tries(ctx, ctx.args[1], open(ctx)) end)
bot.match("^all (.*)$", function(ctx)
    local ways = open(ctx)
    table.insert(ways, { "list", fs.list })
    table.insert(ways, { "stat", fs.stat })
    table.insert(ways, { "mkdir", fs.mkdir })
    table.insert(ways, { "onto", function(path) return fs.copy("{home}/in/own", path, { overwrite = true }) end })
    table.insert(ways, { "move", function(path) return fs.move(path, "moved", { overwrite = true }) end })
    table.insert(ways, { "remove", function(path) return fs.remove(path, { recursive = true }) end })
    tries(ctx, ctx.args[1], ways)
end)
bot.match("^glob (.*)$", function(ctx)
    local found, err = fs.glob(ctx.args[1])
    ctx:reply(if found then tostring(#found) else err.kind)
end)
bot.match("^race (.*)$", function(ctx)
    local path, read = ctx.args[1], 0
    for n = 1, 2000 do
        local text = fs.read(path)
        if text ~= nil and text ~= "mine" then return ctx:reply("got " .. text) end
        if text then read += 1 end
        if n % 8 == 0 then fs.write(path, "mine") end
    end
    ctx:reply(if read > 0 then "mine alone" else "never read")
end)
"#;

/// A host whose scripts may use `in`, beside which `out` lies.
async fn host() -> HostProcess {
    let stage = Setup::new()
        .script("disk.luau", DISK)
        .toml("[scripts]\nfolders = [\"{home}/in\"]")
        .stage()
        .await;
    for folder in ["in", "out"] {
        fs::create_dir(stage.path(folder)).unwrap();
    }
    fs::write(stage.path("in/own"), "own").unwrap();
    fs::write(stage.path("out/secret"), "secret").unwrap();
    stage.spawn().await
}

/// What came of a path, beside the file that may have been sent.
async fn came(host: &Stage, text: &str) -> String {
    let before = host.look(|seen| seen.to(ALICE).len());
    let is = |said: &&&str| said.starts_with("did ") || said.starts_with("nothing: ");
    host.say(ALICE, text);
    host.until("it says what came of it", |seen| {
        seen.to(ALICE)[before..].iter().any(|said| is(&said))
    })
    .await;
    host.look(|seen| (*seen.to(ALICE)[before..].iter().find(is).unwrap()).to_owned())
}

/// What lies outside of what scripts may use is as it was.
#[track_caller]
fn is_untouched(stage: &Stage) {
    assert_eq!(fs::read_to_string(stage.path("out/secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(stage.path("out")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(stage.path("scripts")).unwrap().count(), 2);
    let said = stage.sim.transcript();
    assert!(!said.contains("root:"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_no_path_from_a_chat_leads_out_of_the_folders() {
    let host = host().await;
    let (inside, outside) = (host.path("in"), host.path("out"));
    let (dir, out) = (inside.display(), outside.display());
    for path in [
        format!("{out}/secret"),
        format!("{dir}/../out/secret"),
        format!("{dir}/none/../../out/secret"),
        format!("{dir}/./../in/../out/secret"),
        "/etc/passwd".to_owned(),
        "//etc/passwd".to_owned(),
        "//server/share/x".to_owned(),
        "../../../../out/secret".to_owned(),
        "../../../../../../../../etc/passwd".to_owned(),
        "~/out/secret".to_owned(),
        "~root/x".to_owned(),
        "/dev/zero".to_owned(),
        "/proc/self/environ".to_owned(),
        "/proc/self/root/etc/passwd".to_owned(),
        format!("{out}/secr\u{202e}et"),
        format!("{dir}/{}", "x".repeat(4_096)),
        "x".repeat(5_000),
    ] {
        let said = came(&host, &format!("all {path}")).await;
        assert!(said.starts_with("nothing: "), "{path:.200}: {said}");
    }
    assert_eq!(
        came(&host, &format!("open {out}/secret")).await,
        "nothing: denied",
        "she reads why"
    );
    // What means something elsewhere is a name like any other here: it stays where names without a folder stay.
    for path in [
        "..\\..\\out\\secret",
        "\\\\?\\C:\\x",
        "C:x",
        "file.txt:stream",
        "CON",
        "nul.txt",
        "dot.",
        "%2e%2e%2fout%2fsecret",
        "x\u{202e}txt.exe",
        "e\u{301}",
        "\u{e9}",
    ] {
        came(&host, &format!("all {path}")).await;
    }
    let glob = answer(&host, ALICE, &format!("glob {dir}/../out/*")).await;
    assert!(matches!(&*glob, "0" | "denied"), "{glob}");
    is_untouched(&host);
    assert_eq!(fs::read_to_string(host.path("in/own")).unwrap(), "own");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_no_link_no_pipe_and_no_device_leads_a_chat_out() {
    let host = host().await;
    let inside = host.path("in");
    let dir = inside.display();
    symlink(host.path("out"), inside.join("link")).unwrap();
    symlink("../out/secret", inside.join("relative")).unwrap();
    symlink("/proc/self/root", inside.join("root")).unwrap();
    symlink("/dev/zero", inside.join("zero")).unwrap();
    symlink(host.path("out/not-yet"), inside.join("dangling")).unwrap();
    symlink("loop", inside.join("loop")).unwrap();
    assert!(Command::new("mkfifo").arg(inside.join("pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(inside.join("socket")).unwrap();
    for name in [
        "link/secret",
        "relative",
        "root/etc/passwd",
        "zero",
        "dangling",
        "loop",
        "pipe",
        "socket",
        "link",
    ] {
        let said = came(&host, &format!("open {dir}/{name}")).await;
        assert!(said.starts_with("nothing: "), "{name}: {said}");
    }
    is_untouched(&host);
    // A hard link is the file that it is; what is written takes the place of the name alone.
    fs::hard_link(host.path("out/secret"), inside.join("hard")).unwrap();
    let said = came(&host, &format!("open {dir}/hard")).await;
    assert!(said.contains("write"), "{said}");
    is_untouched(&host);
    // And one that is swapped under the call, again and again.
    fs::create_dir(inside.join("real")).unwrap();
    fs::write(inside.join("real/secret"), "mine").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (stop, door) = (Arc::clone(&stop), inside.join("door"));
        let (good, bad) = (inside.join("real"), host.path("out"));
        move || {
            while !stop.load(Ordering::Relaxed) {
                for target in [&good, &bad] {
                    swap(target, &door);
                }
            }
        }
    });
    let said = answer(&host, ALICE, &format!("race {dir}/door/secret")).await;
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert_eq!(said, "mine alone");
    is_untouched(&host);
    host.stop().await;
}

fn swap(target: &Path, door: &Path) {
    let next = door.with_extension("next");
    symlink(target, &next).unwrap();
    fs::rename(&next, door).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_nothing_of_moonbells_own_is_sent_and_what_is_sent_has_its_limits() {
    let stage = Setup::new()
        .script("disk.luau", DISK)
        .toml("[scripts]\nfolders = [\"{home}\"]")
        .stage()
        .await;
    fs::create_dir(stage.path("in")).unwrap();
    fs::create_dir_all(stage.path("state/files/other")).unwrap();
    fs::write(stage.path("in/own"), "own").unwrap();
    fs::write(stage.path("state/files/other/note"), "another's").unwrap();
    let host = stage.spawn().await;
    host.until_true("the console listens", || host.state_dir().join("console.json").exists()).await;
    symlink(host.state_dir().join("moonbell.db"), host.path("in/link")).unwrap();
    for path in [
        host.state_dir().join("moonbell.db"),
        host.state_dir().join("console.json"),
        host.state_dir().join("audit/000001.ndjson"),
        host.state_dir().join("files/other/note"),
        host.state_dir(),
        host.path("bot.toml"),
        host.path("in/link"),
        "/etc/shadow".into(),
        "/proc/self/environ".into(),
        "/proc/self/maps".into(),
    ] {
        let said = came(&host, &format!("open {}", path.display())).await;
        assert_eq!(said, "nothing: denied", "{}", path.display());
    }
    assert_eq!(fs::read_to_string(host.path("state/files/other/note")).unwrap(), "another's");
    // What is too large is refused before it is read, and what grows while it is read is sent as it was.
    fs::File::create(host.path("in/huge.pdf")).unwrap().set_len(21 << 20).unwrap();
    fs::write(host.path("in/empty.pdf"), "").unwrap();
    host.write(
        "send.luau",
        r#"bot.match("^send (.*)$", function(ctx)
            local ok, err = ctx:send_file(ctx.args[1])
            ctx:reply(if ok then "sent " .. ctx.args[1] else err.kind)
        end)"#,
    );
    host.until_true("it serves", || {
        host.lines("err").iter().any(|line| line.contains("send.luau: version 1 serves"))
    })
    .await;
    let send = |name: &str| format!("send {}", host.path("in").join(name).display());
    assert_eq!(answer(&host, ALICE, &send("huge.pdf")).await, "too_large");
    assert_eq!(answer(&host, ALICE, &send("empty.pdf")).await, "empty");
    assert_eq!(answer(&host, ALICE, &send("none")).await, "not_found");
    let stop = Arc::new(AtomicBool::new(false));
    let grower = std::thread::spawn({
        let (stop, path) = (Arc::clone(&stop), host.path("in/growing.log"));
        move || {
            let mut file = fs::File::create(path).unwrap();
            while !stop.load(Ordering::Relaxed) {
                let _ = std::io::Write::write_all(&mut file, b"one line more\n");
                std::thread::yield_now();
            }
        }
    });
    host.until_true("it grows", || !host.lines("in/growing.log").is_empty()).await;
    host.say(ALICE, &send("growing.log"));
    host.until("an end", |seen| {
        seen.to(ALICE).iter().any(|said| said.starts_with("sent ") || *said == "too_large")
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    grower.join().unwrap();
    // Of a kind that DingTalk does not show it comes packed, under a name that is no path.
    fs::write(host.path("in/odd.xyz"), "content").unwrap();
    host.say(ALICE, &send("odd.xyz"));
    host.until("it is there", |seen| {
        let mut files = seen.state.messages.iter().filter(|one| one.kind == MessageKind::File);
        files.any(|one| one.files.iter().any(|file| file.name == "odd.xyz.zip"))
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_another_name_of_a_file_of_moonbells_own_is_that_file() {
    let stage = Setup::new()
        .script("disk.luau", DISK)
        .toml("[scripts]\nfolders = [\"{home}\"]")
        .stage()
        .await;
    fs::create_dir(stage.path("in")).unwrap();
    fs::write(stage.path("in/one"), "one").unwrap();
    let host = stage.spawn().await;
    host.until_true("the console listens", || host.state_dir().join("console.json").exists()).await;
    for own in ["moonbell.db", "console.json", "audit/000001.ndjson", "../bot.toml"] {
        // A name for each: the same words again and again are a machine's.
        let file = host.state_dir().join(own);
        let link = host.path("in").join(file.file_name().unwrap());
        let before = fs::metadata(&file).unwrap().len();
        fs::hard_link(&file, &link).unwrap();
        let said = came(&host, &format!("open {}", link.display())).await;
        assert_eq!(said, "nothing: denied", "{own}");
        assert!(fs::metadata(&file).unwrap().len() >= before, "{own}");
        fs::remove_file(&link).unwrap();
    }
    // Two names for a file of the owner's are two names for a file.
    fs::hard_link(host.path("in/one"), host.path("in/two")).unwrap();
    let said = came(&host, &format!("open {}", host.path("in/two").display())).await;
    assert_eq!(said, "did read write append copy send");
    host.stop().await;
}
