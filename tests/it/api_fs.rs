//! `fs` on real files: what it does, what it refuses, and that no link leads out of its folders.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use moonbell::api::fs::roots::Roots;

use crate::engine::Bench;

/// A bench whose scripts may use `in`, beside which `out` lies; `IN` and `OUT` in a body are their paths.
struct Disk(Bench);

impl Disk {
    async fn new() -> Self {
        let mut bench = Bench::new().await;
        let (inside, outside) = (bench.dir.path().join("in"), bench.dir.path().join("out"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        bench.host = bench.host.with_roots(Roots::only(&[inside], bench.dir.path().join("data")));
        Self(bench)
    }

    fn path(&self) -> &Path {
        self.0.dir.path()
    }

    async fn passes(&self, body: &str) {
        let at = |name: &str| format!("{:?}", self.path().join(name));
        let body = body.replace("IN", &at("in")).replace("OUT", &at("out"));
        self.0.passes(&body).await;
    }
}

#[tokio::test]
async fn files_are_written_read_listed_and_removed() {
    let disk = Disk::new().await;
    disk.passes(
        r#"
        local dir = IN
        assert(fs.write(dir .. "/a.txt", "one\0two") and fs.read(dir .. "/a.txt") == "one\0two")
        assert(fs.append(dir .. "/a.txt", 3) and fs.append(dir .. "/new.log", "x"))
        assert(fs.read(dir .. "/a.txt") == "one\0two3" and fs.read(dir .. "/new.log") == "x")
        assert(fs.mkdir(dir .. "/b/c") and fs.mkdir(dir .. "/b/c"))
        assert(fs.copy(dir .. "/a.txt", dir .. "/b/c/d.txt") and fs.move(dir .. "/new.log", dir .. "/b/e.log"))
        local all = fs.list(dir)
        assert(#all == 2 and all[1].name == "a.txt" and all[1].kind == "file" and all[1].size == 8 and all[2].kind == "folder")
        local found = fs.glob(dir .. "/**/*.{txt,log}")
        assert(#found == 3, #found)
        assert(#fs.glob(dir .. "/*.txt") == 1 and #fs.glob(dir .. "/none/*") == 0)
        local one = fs.stat(dir .. "/b/../a.txt")
        assert(one.path:sub(-9) == "/in/a.txt" and one.modified > 1.7e9)
        assert(fs.exists(dir .. "/a.txt") == true and fs.exists(dir .. "/none/at/all") == false)
        local none, err = fs.copy(dir .. "/a.txt", dir .. "/b/e.log")
        assert(none == nil and err.kind == "exists" and err.hint:find("overwrite"), tostring(err))
        assert(fs.copy(dir .. "/a.txt", dir .. "/b/e.log", { overwrite = true }))
        none, err = fs.remove(dir .. "/b")
        assert(err.kind == "not_empty" and fs.remove(dir .. "/b", { recursive = true }) and fs.remove(dir .. "/a.txt"))
        none, err = fs.read(dir .. "/a.txt")
        assert(none == nil and err.kind == "not_found" and tostring(err):find("a.txt"))
        none, err = fs.read(dir)
        assert(err.kind == "not_a_file", err.kind)
        none, err = fs.list(dir .. "/zzz")
        assert(err.kind == "not_found", err.kind)
        assert(fs.write(dir .. "/big", ("x"):rep(100)))
        none, err = fs.read(dir .. "/big", { max = 99 })
        assert(err.kind == "too_large" and #fs.read(dir .. "/big", { max = 100 }) == 100)
        assert(fs.write("note", "mine") and fs.read("./note") == "mine")
        "#,
    )
    .await;
    assert_eq!(fs::read_to_string(disk.path().join("data/test/note")).unwrap(), "mine");
    let left: Vec<_> = fs::read_dir(disk.path().join("in")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "no temporary file stays: {left:?}");
}

#[tokio::test]
async fn c1_no_path_leaves_the_folders() {
    let disk = Disk::new().await;
    let (inside, outside) = (disk.path().join("in"), disk.path().join("out"));
    symlink(&outside, inside.join("link")).unwrap();
    symlink("../out/secret", inside.join("relative")).unwrap();
    symlink("/proc/self/root", inside.join("root")).unwrap();
    symlink(outside.join("not-yet"), inside.join("dangling")).unwrap();
    symlink("loop", inside.join("loop")).unwrap();
    fs::write(inside.join("own"), "own").unwrap();
    symlink(inside.join("own"), inside.join("alias")).unwrap();
    disk.passes(
        r#"
        local dir, out = IN, OUT
        for _, path in {
            out .. "/secret", dir .. "/../out/secret", dir .. "/link/secret", dir .. "/relative", dir .. "/root/etc/passwd",
            "/etc/passwd", "../../out/secret", "~/x", "/dev/zero", dir .. "/dangling", dir .. "/loop", dir .. "/none/../../out/secret",
            "~root/x", "", "a\0b", ("x"):rep(5000), "/proc/self/environ",
        } do
            for _, name in { "read", "list", "stat" } do
                local none, err = fs[name](path)
                assert(none == nil and err.kind ~= nil, name .. " " .. path)
            end
            local none, err = fs.write(path, "bad")
            assert(none == nil, "write " .. path)
            assert(fs.append(path, "bad") == nil and fs.mkdir(path) == nil, path)
            assert(fs.copy(dir .. "/own", path, { overwrite = true }) == nil, path)
        end
        local none, err = fs.read(dir .. "/link/secret")
        assert(err.kind == "denied" and err.hint, tostring(err))
        assert(fs.glob(dir .. "/**/secret")[1] == nil and fs.glob(out .. "/*") == nil)
        assert(fs.read(dir .. "/alias") == "own")
        assert(fs.move(dir .. "/own", out .. "/own") == nil and fs.move(out .. "/secret", dir .. "/s") == nil)
        assert(fs.remove(dir .. "/link") and fs.remove(dir .. "/dangling"))
        none, err = fs.remove(dir, { recursive = true })
        assert(err.kind == "denied", tostring(err))
        "#,
    )
    .await;
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[tokio::test]
async fn c2_what_is_no_file_is_refused_at_once() {
    let bench = Bench::new().await; // reaches everything
    let pipe = bench.dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(bench.dir.path().join("socket")).unwrap();
    bench
        .passes(&format!(
            r#"
            for _, path in {{ "/dev/zero", "/dev/tty", {pipe:?}, {socket:?} }} do
                local none, err = fs.read(path)
                assert(none == nil and (err.kind == "not_a_file" or err.kind == "not_found"), path .. ": " .. tostring(err))
                assert(fs.write(path, "x") == nil and fs.append(path, "x") == nil)
            end
            assert(fs.read("/proc/meminfo"):find("MemTotal"))
            local none, err = fs.read("relative")
            assert(none == nil and err.hint:find("absolute"), tostring(err))
            none, err = fs.remove("/", {{ recursive = true }})
            assert(err.kind == "denied")
            none, err = fs.remove("~", {{ recursive = true }})
            assert(err.kind == "denied")
            "#,
            pipe = pipe,
            socket = bench.dir.path().join("socket"),
        ))
        .await;
}

#[tokio::test]
async fn c2_a_link_that_is_swapped_under_the_call_leads_nowhere() {
    let disk = Disk::new().await;
    let (inside, outside) = (disk.path().join("in"), disk.path().join("out"));
    fs::create_dir(inside.join("real")).unwrap();
    fs::write(inside.join("real/secret"), "mine").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (stop, door) = (Arc::clone(&stop), inside.join("door"));
        let (good, bad) = (inside.join("real"), outside.clone());
        move || {
            while !stop.load(Ordering::Relaxed) {
                for target in [&good, &bad] {
                    let next = door.with_extension("next");
                    symlink(target, &next).unwrap();
                    fs::rename(&next, &door).unwrap();
                }
            }
        }
    });
    disk.passes(
        r#"
        local path, ok = IN .. "/door/secret", 0
        for _ = 1, 10000 do
            local text = fs.read(path)
            assert(text == nil or text == "mine", text)
            if text then ok += 1 end
            if ok % 8 == 0 then fs.write(path, "mine") end
        end
        assert(ok > 0)
        "#,
    )
    .await;
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
}

#[tokio::test]
async fn c2_a_hard_link_is_the_file_that_it_is_and_one_swapped_for_a_link_is_not_followed() {
    let disk = Disk::new().await;
    let (inside, outside) = (disk.path().join("in"), disk.path().join("out"));
    // Whoever may make one could read the file before; what is written takes the place of the name alone.
    fs::hard_link(outside.join("secret"), inside.join("hard")).unwrap();
    symlink("hard", inside.join("soft")).unwrap();
    disk.passes(
        r#"
        assert(fs.write(IN .. "/hard", "mine") and fs.read(IN .. "/hard") == "mine")
        assert(fs.remove(IN .. "/soft") and fs.read(IN .. "/hard") == "mine")
        "#,
    )
    .await;
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
}

#[tokio::test]
async fn c5_what_is_moonbells_own_is_read_written_sent_and_removed_by_no_script() {
    let mut disk = Disk::new().await;
    let state = disk.path().join("state");
    fs::create_dir_all(state.join("files/other")).unwrap();
    fs::write(state.join("the-journal"), "journal").unwrap();
    fs::write(state.join("files/other/note"), "another's").unwrap();
    fs::write(disk.path().join("config.toml"), "client_secret").unwrap();
    symlink(state.join("the-journal"), disk.path().join("in/link")).unwrap();
    let roots = Roots::everything(state.join("files"));
    let closed = [state.clone(), disk.path().join("config.toml")];
    disk.0.host = disk.0.host.with_roots(roots.closing(closed));
    let body = r#"
        local home = HOME
        for _, path in { "/state/the-journal", "/config.toml", "/state/files/other/note", "/in/link", "/state" } do
            for _, name in { "read", "list", "stat", "mkdir" } do
                local none, err = fs[name](home .. path)
                assert(none == nil and err.kind == "denied", name .. " " .. path .. ": " .. tostring(err))
            end
            assert(fs.write(home .. path, "x") == nil and fs.append(home .. path, "x") == nil)
            assert(fs.copy(home .. path, "stolen") == nil and fs.move(home .. path, "stolen") == nil or path == "/in/link")
            assert(ctx:send_file(home .. path) == nil, path)
        end
        for _, path in LINUX do
            local none, err = fs.read(path)
            assert(none == nil and err.kind == "denied", path .. ": " .. tostring(err))
        end
        assert(fs.remove(home, { recursive = true }) == nil and fs.remove(home .. "/state", { recursive = true }) == nil)
        assert(#fs.glob(home .. "/**/the-journal") == 0 and #fs.glob(home .. "/**/note") == 0)
        assert(fs.write("own", "x") and fs.read("own") == "x" and fs.read(home .. "/state/files/test/own") == "x")
    "#;
    // The host's own environment and memory, which may hold secrets.
    let linux = if cfg!(target_os = "linux") {
        r#"{ "/proc/self/environ", "/proc/thread-self/environ", "/proc/self/maps" }"#
    } else {
        "{}"
    };
    let body = body.replace("LINUX", linux).replace("HOME", &format!("{:?}", disk.path()));
    disk.0.passes(&body).await;
    assert_eq!(fs::read_to_string(state.join("the-journal")).unwrap(), "journal");
    assert_eq!(fs::read_to_string(state.join("files/other/note")).unwrap(), "another's");
}

#[tokio::test]
async fn a_write_keeps_the_mode_and_a_refusal_keeps_the_file() {
    let disk = Disk::new().await;
    let file = disk.path().join("in/run.sh");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o750)).unwrap();
    disk.passes(r#"assert(fs.write(IN .. "/run.sh", "new"))"#).await;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
}

#[tokio::test]
async fn misuse_names_function_and_argument() {
    let bench = Bench::new().await;
    for (call, expected) in [
        ("fs.read(1)", "`fs.read`: argument #1 (`path`): expected a path (string), got number"),
        ("fs.read('x\\255')", "expected a path (UTF-8)"),
        ("fs.write('x', {})", "`fs.write`: argument #2 (`content`): expected text, got table"),
        ("fs.remove('x', { recursiv = true })", "did you mean `recursive`?"),
        ("fs.read('x', { max = 1e9 })", "option `max`"),
    ] {
        let raised = bench.raises(call).await;
        assert!(raised.contains(expected), "{call}: {raised}");
    }
}
