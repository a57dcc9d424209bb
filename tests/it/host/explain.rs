//! `moonbell explain`: the real binary tells why a message did, or did not, run.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use moonbell::sim::FaultOrder;
use serde_json::Value;

use super::stage::{ALICE, BOB, OWNER, STRANGER, Setup, Stage};

const SCRIPT: &str = r#"
bot.command("deploy|发布 <env:dev|staging|prod> [tag] --force", { role = "admin", timeout = "10m", queue = "conversation", run = function(ctx) ctx:reply("deployed") end })
bot.match("^first", { priority = 5, role = "ops" }, function(ctx) return bot.pass end)
bot.match("^first", function(ctx) return bot.pass end)
bot.match("^f", function(ctx) ctx:reply("f") end)
"#;

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Asks the binary about the folders of this stage.
fn explain(stage: &Stage, arguments: &[&str]) -> Answer {
    explain_in("C", stage, arguments)
}

fn explain_in(lang: &str, stage: &Stage, arguments: &[&str]) -> Answer {
    let mut settings = format!(
        "[scripts]\ndir = {:?}\n[state]\ndir = {:?}\n[access]\nowner = \"{OWNER}\"\n[access.roles]\nadmin = [\"{BOB}\"]\n",
        stage.path("scripts"),
        stage.state_dir()
    );
    let _ = writeln!(settings, "guest = {:?}", stage.guests);
    let file = stage.path("moonbell.toml");
    fs::write(&file, settings).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_moonbell"))
        .args(["explain", "--config"])
        .arg(&file)
        .args(arguments)
        .env_clear()
        .env("HOME", stage.home.path())
        .env("TZ", "UTC")
        .env("LANG", lang)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[track_caller]
fn json(stage: &Stage, arguments: &[&str]) -> Value {
    let answer = explain(stage, &[arguments, &["--json"]].concat());
    assert_eq!(answer.code, Some(0), "{}", answer.err);
    serde_json::from_str(&answer.out).unwrap()
}

/// `access yes, control no, …`, and how it ends.
fn gates(told: &Value) -> String {
    let mut text = String::new();
    for gate in told["gates"].as_array().unwrap() {
        let answer = match gate["answer"].as_bool() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        let _ = write!(text, "{} {answer}, ", gate["gate"].as_str().unwrap());
    }
    text + told["outcome"]["kind"].as_str().unwrap_or("nothing")
}

async fn stage(script: &str) -> Stage {
    Setup::new().script("deploy.luau", script).stage().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gate_tells_its_answer() {
    let stage = stage(SCRIPT).await;
    let before = "duplicate no, access yes, control no, dialog -, ";
    for (text, who, expected) in [
        ("deploy prod", OWNER, "command yes, match -, fallback -, runs"),
        ("发布 prod", BOB, "command yes, match -, fallback -, runs"),
        ("deploy", OWNER, "command yes, match -, fallback -, bad_arguments"),
        ("deploy prod", ALICE, "command yes, match -, fallback -, refused"),
        ("first", OWNER, "command no, match yes, fallback -, runs"),
        ("nothing", OWNER, "command no, match no, fallback no, nobody yes, nobody"),
        ("", OWNER, "command no, match no, fallback no, nobody yes, nobody"),
    ] {
        let told = json(&stage, &[text, "--as", who]);
        assert_eq!(gates(&told), format!("{before}{expected}"), "`{text}` from {who}");
    }
    let told = json(&stage, &["stop", "--as", ALICE]);
    assert_eq!(
        gates(&told),
        "duplicate no, access yes, control yes, dialog -, command -, match -, fallback -, answered"
    );
    let told = json(&stage, &["deploy prod", "--as", STRANGER]);
    assert_eq!(
        gates(&told),
        "duplicate no, access no, control -, dialog -, command -, match -, fallback -, refused"
    );
    fs::create_dir_all(stage.state_dir()).unwrap();
    fs::write(stage.state_dir().join("locked"), "").unwrap();
    let told = json(&stage, &["deploy prod", "--as", OWNER]);
    assert_eq!(
        gates(&told),
        "duplicate no, lock yes, access -, control -, dialog -, command -, match -, fallback -, refused"
    );
    assert!(told["outcome"]["answer"].as_str().unwrap().starts_with("I am locked"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_reads_it_from_the_first_gate_to_the_handler() {
    let stage = stage(SCRIPT).await;
    let answer = explain(&stage, &["deploy prod v2", "--as", BOB, "--group"]);
    let shown = answer.out.replace(&format!("{}/", stage.home.path().display()), "");
    insta::assert_snapshot!(shown, @r#"
    `deploy prod v2` from `015412345603` in a group, as `moonbell run` would take it

      seen before?           no   this text was not sent by anybody
      may they write here?   yes  `015412345603` has the role `admin` (`access.roles.admin`, moonbell.toml:8:1) and has the role `guest` (`access.roles.guest`, moonbell.toml:9:1)
      a word of moonbell's?  no   not a word of moonbell's own
      an open dialog?        ?    only a running host knows whether a script waits for an answer
      a command?             yes  `deploy <env> [tag] [--force]`, deploy.luau:2
      a pattern?             -    not asked
      a fallback?            -    not asked

    ✓ runs `deploy` of deploy.luau:2
        declared    command deploy <env> [tag] [--force] in deploy.luau:2
        arguments   {"env":"prod","force":false,"tag":"v2"}
        role        `admin`: they have it
        queue       after everything earlier in this chat
        timeout     10 min
        then        if it hands on (`return bot.pass`), which only running it can tell: nobody

    hint: no host runs here, so nothing answers: start it with `moonbell run`
    hint: in a group DingTalk passes on only messages that mention the bot
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_in_chinese_to_whoever_reads_chinese() {
    let stage = stage(SCRIPT).await;
    let answer = explain_in("zh_CN.UTF-8", &stage, &["deploy prod v2", "--as", ALICE]);
    let shown = answer.out.replace(&format!("{}/", stage.home.path().display()), "");
    insta::assert_snapshot!(shown, @r#"
    `deploy prod v2`，`015412345601` 在单聊里发送，由 `moonbell run` 接收

      以前收到过？           否   这段文字没有人发过
      可以给机器人发消息？   是   `015412345601` 有角色 `guest`（`access.roles.guest`，moonbell.toml:9:1）
      moonbell 自己的指令？  否   不是 moonbell 自己的指令
      正在进行的对话？       ?    只有正在运行的 moonbell 知道脚本是不是在等回答
      命令？                 是   `deploy <env> [tag] [--force]`，deploy.luau:2
      模式？                 -    没有问到
      兜底处理器？           -    没有问到

    ✗ 拒绝：它只给角色 `admin` 用，而 `015412345601` 有 `guest`
        对方看到    Sorry, you may not use `deploy`.
        声明        command deploy <env> [tag] [--force]，在 deploy.luau:2
        角色        `admin`：这个人没有
        排队        等这个聊天里更早的消息都处理完
        时限        10 分钟

    提示：没有 moonbell 在这里运行，所以不会有回答：用 moonbell run 启动
    提示：要放行：[access.roles] admin = ["015412345601", …]（在 moonbell.toml）
    "#);
    let programs = |lang: &str| explain_in(lang, &stage, &["deploy prod", "--json"]).out;
    assert_eq!(programs("zh_CN.UTF-8"), programs("C"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_are_told_as_the_person_would_read_them() {
    let stage = stage(SCRIPT).await;
    let told = json(&stage, &["deploy prd"]);
    let answer = told["outcome"]["answer"].as_str().unwrap();
    assert!(answer.starts_with("env: `prd` is not one of dev, staging, prod"), "{answer}");
    assert_eq!(told["handler"]["line"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_that_were_asked_before_are_listed_with_their_answer() {
    let stage = stage(SCRIPT).await;
    let told = json(&stage, &["first", "--as", ALICE]);
    let gate = &told["gates"][5];
    assert_eq!(gate["why"], "`^first`, deploy.luau:4");
    assert_eq!(
        gate["details"][0],
        "`^first`, deploy.luau:3: matches, but it is for the role `ops`"
    );
    // Only running it can tell that this one hands on; the next one is named.
    assert_eq!(told["handler"]["then"], "`^f` of deploy.luau:5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_does_not_load_is_named_when_it_has_the_command() {
    let stage = stage("bot.command('logs <service>', function(ctx)\n  ctx:reply('x'\nend)\n").await;
    let told = json(&stage, &["logs web"]);
    assert_eq!(told["outcome"]["kind"], "nobody");
    let hints = told["hints"].to_string();
    assert!(
        hints.contains(
            "line 1 of deploy.luau declares `logs`, but the script does not load: deploy.luau:3: "
        ),
        "{hints}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_with_the_line_to_write() {
    let stage = stage(SCRIPT).await;
    let told = json(&stage, &["deploy prod", "--as", ALICE]);
    assert_eq!(
        told["outcome"]["summary"],
        format!("refused: it is for the role `admin`, and `{ALICE}` has `guest`")
    );
    let hints = told["hints"].to_string();
    assert!(hints.contains(&format!("[access.roles] admin = [\\\"{ALICE}\\\", …]")), "{hints}");
    let told = json(&stage, &["deploy prod", "--as", BOB]);
    let why = told["gates"][1]["why"].as_str().unwrap();
    assert!(
        why.starts_with(&format!("`{BOB}` has the role `admin` (`access.roles.admin`, "))
            && why.contains("moonbell.toml:8:1"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_came_is_told_from_the_journal_while_the_host_runs() {
    let fail = "bot.command('fail', function() error('no such luck') end)";
    let host = Setup::new().script("fail.luau", fail).start().await;
    host.say(ALICE, "echo hello");
    host.until("it is answered", |seen| seen.to(ALICE) == ["hello"]).await;
    // Said, and then noted as said.
    host.until_true("it is noted", || {
        host.journal("SELECT count(*) FROM outbox WHERE state = 'sent'") == 1
    })
    .await;
    let told = json(&host, &["--last"]);
    let past = &told["past"];
    assert_eq!((&past["state"], &past["handler"]), (&"done".into(), &"echo".into()), "{past}");
    assert_eq!(past["sender"]["staff_id"], ALICE);
    assert_eq!(
        (&past["replies"][0]["text"], &past["replies"][0]["state"]),
        (&"hello".into(), &"sent".into())
    );
    assert_eq!(told["outcome"]["kind"], "runs");
    assert_eq!(told["handler"]["script"], "basics.luau");

    host.say(STRANGER, "echo let me in");
    host.until("the stranger is told", |seen| !seen.to(STRANGER).is_empty()).await;
    let told = json(&host, &["--last"]);
    let refused = told["past"]["refused"].as_str().unwrap();
    assert!(refused.contains("has no role"), "{refused}");

    host.say(OWNER, "fail");
    host.until("it failed", |seen| !seen.to(OWNER).is_empty()).await;
    let run = json(&host, &["--last"])["past"]["run"].as_str().unwrap().to_owned();
    let answer = explain(&host, &["--run", &run]);
    assert!(answer.out.starts_with(&format!("run {run}: failed\n")), "{}", answer.out);
    assert!(answer.out.contains("no such luck"), "{}", answer.out);
    host.write("fail.luau", "bot.command('other', function() end)");
    let told = json(&host, &["--run", &run]);
    let hints = told["hints"].to_string();
    assert!(
        hints.contains(
            "then `fail` took it; the scripts and settings of today give it to no handler"
        ),
        "{hints}"
    );
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_of_dingtalk_are_counted() {
    let host = Setup::new().start().await;
    let gate = host.hold("a");
    host.sim.faults(&FaultOrder { duplicate: Some(1), ..FaultOrder::default() });
    host.say(ALICE, "hold a");
    host.entered(&["a"]).await;
    host.until_true("it came again", || host.journal("SELECT max(deliveries) FROM inbox") == 2)
        .await;
    let answer = explain(&host, &["--last"]);
    assert!(answer.out.contains("delivered 2 times: the repeats were dropped"), "{}", answer.out);
    assert!(answer.out.contains(": running\n"), "{}", answer.out);
    gate.open();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_journal_is_said_so() {
    let stage = stage(SCRIPT).await;
    let answer = explain(&stage, &["--last"]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.err.contains("no host has kept a journal"), "{}", answer.err);
    let host = stage.start().await;
    let answer = explain(&host, &["--run", "zzzzz"]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.err.contains("there is no run `zzzzz`"), "{}", answer.err);
    host.stop().await;
}
