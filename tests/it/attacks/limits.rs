//! I3 to I5, on the real program: memory and time that scripts ask for without end.

use super::super::process::HostProcess;
use super::super::stage::{ALICE, BOB, LINA, OWNER, Setup};
use super::answer;

/// One command for each of `bodies`: `bad-0` and so on.
fn commands(bodies: &[&str]) -> String {
    let command = |(n, body)| {
        format!(
            "bot.command(\"bad-{n}\", {{ queue = \"none\", run = function(ctx)\n{body}\nend }})\n"
        )
    };
    bodies.iter().enumerate().map(command).collect()
}

/// The most that the process ever held, in KiB; zero where the system does not tell.
fn most_kib(host: &HostProcess) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_whoever_asks_for_memory_without_end_is_told_and_the_rest_goes_on() {
    let greedy = [
        "string.rep('x', 1e9)",
        "('x'):rep(1e9)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = { 1, 2, 3 } end",
        "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
        "buffer.create(1e9)",
        "local t = {} while true do pcall(function() while true do t[#t + 1] = ('x'):rep(1e5) .. #t end end) end",
    ];
    let errors = [
        "local function f() return 1 + f() end f()",
        "table.create(1e9, 1)",
        "return table.unpack({}, 1, 1e8)",
        "string.format('%99999d', 1)",
    ];
    let host = Setup::new()
        .script("greedy.luau", &commands(&greedy))
        .script("errors.luau", &commands(&errors).replace("bad-", "odd-"))
        .toml("[limits]\nmemory_mb = 16")
        .spawn()
        .await;
    for (n, code) in greedy.iter().enumerate() {
        let said = answer(&host, OWNER, &format!("bad-{n}")).await;
        assert!(said.contains("the memory limit of 16 MiB was reached"), "{code}: {said}");
        let next = format!("echo {n}");
        assert_eq!(answer(&host, ALICE, &next).await, n.to_string());
    }
    for (n, code) in errors.iter().enumerate() {
        let said = answer(&host, OWNER, &format!("odd-{n}")).await;
        assert!(said.contains("That failed"), "{code}: {said}");
    }
    // A debug build of the whole program, and nothing like the gigabytes that were asked for.
    let most = most_kib(&host);
    assert!(most < 512 * 1024, "{most} KiB");
    host.stop().await;
}

/// Ways to spin, of which most catch whatever is thrown at them.
const SPINS: [&str; 15] = [
    "while true do end",
    "repeat until false",
    "while true do pcall(function() while true do end end) end",
    "coroutine.wrap(function() while true do pcall(function() while true do end end) end end)()",
    "string.find(('a'):rep(2e5), ('a?'):rep(30) .. '.-.-.-.-b')",
    "while true do pcall(string.find, ('a'):rep(2e5), ('.-'):rep(20) .. 'b') end",
    "table.sort(table.create(20000, 1), function() while true do end end)",
    "table.sort(table.create(20000, 1), function() while true do pcall(function() while true do end end) end end)",
    "while true do xpcall(error, function() while true do end end) end",
    "local e = setmetatable({}, { __tostring = function() while true do end end }) while true do pcall(function() tostring(e) end) end",
    "for _ in function() return 1 end do end",
    "while true do pcall(string.gsub, ('a'):rep(100), 'a', function() while true do end end) end",
    "local t = setmetatable({}, { __index = function() while true do end end }) while true do pcall(function() return t.x end) end",
    "while true do os.time() end",
    "while true do pcall(json.encode, { 1 }) end",
];

#[tokio::test(flavor = "multi_thread")]
async fn i4_handlers_that_spin_in_every_way_are_stopped_and_others_are_answered_meanwhile() {
    let setup = Setup::new().script("spins.luau", &commands(&SPINS));
    let host = setup.toml("[limits]\nrun_cpu = \"500ms\"").spawn().await;
    // All of them at once.
    for n in 0..SPINS.len() {
        host.say([OWNER, LINA, BOB][n % 3], &format!("bad-{n}"));
    }
    for n in 0..5 {
        assert_eq!(answer(&host, ALICE, &format!("echo {n}")).await, n.to_string());
    }
    let limit = "the CPU limit of 500ms was reached";
    host.until("each is stopped, and whoever asked is told", |seen| {
        let told = [OWNER, LINA, BOB].map(|person| seen.to(person));
        // Beside them the owner hears of each handler once.
        told.iter().flatten().filter(|said| said.contains(limit)).count() >= SPINS.len()
            && told[1..].iter().all(|said| said.len() == SPINS.len() / 3)
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_no_pcall_keeps_a_run_going_past_its_time() {
    let waits = [
        "time.sleep('1h')",
        "while true do pcall(time.sleep, '1h') end",
        "coroutine.wrap(function() pcall(time.sleep, '1h') end)()",
        "while true do pcall(shell.run, { 'sleep', '600' }) end",
        "while true do pcall(function() time.sleep('10ms') end) shell.sh('echo $$ >> {home}/beats') end",
    ];
    let setup = Setup::new().script("waits.luau", &commands(&waits));
    let host = setup.toml("[limits]\nrun_time = \"1s\"").spawn().await;
    for (n, wait) in waits.iter().enumerate() {
        let said = answer(&host, ALICE, &format!("bad-{n}")).await;
        assert!(said.contains("the time limit of 1s was reached"), "{wait}: {said}");
    }
    // It is over, and not only said to be.
    let beats = host.lines("beats").len();
    assert_eq!(answer(&host, ALICE, "echo after").await, "after");
    assert_eq!(host.lines("beats").len(), beats);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_what_a_script_keeps_has_a_bound_and_the_other_scripts_keep_on() {
    let hoard = r#"
        bot.script{ needs = {} }
        bot.command("hoard", function(ctx)
            local piece, kept = ("x"):rep(300000), 0
            local ok, why = pcall(function()
                while true do kv.set(tostring(kept), piece) kept += 1 end
            end)
            ctx:reply(kept .. " " .. tostring(why))
        end)
        bot.command("free", function(ctx)
            kv.delete("0")
            ctx:reply(tostring(kv.set("again", ("y"):rep(300000))))
        end)
    "#;
    let other = r#"bot.command("other", function(ctx) ctx:reply(tostring(kv.set("a", ("x"):rep(300000)))) end)"#;
    let setup = Setup::new().script("hoard.luau", hoard).script("other.luau", other);
    let host = setup.toml("[limits]\nkv_mb = 1").spawn().await;
    let said = answer(&host, ALICE, "hoard").await;
    assert!(said.starts_with("3 ") && said.contains("`limits.kv_mb`"), "{said}");
    assert_eq!(answer(&host, ALICE, "other").await, "true");
    assert!(answer(&host, ALICE, "hoard").await.contains("`limits.kv_mb`"), "also in the next run");
    assert_eq!(answer(&host, ALICE, "free").await, "true");
    host.stop().await;
}
