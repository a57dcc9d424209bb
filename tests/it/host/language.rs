//! Who is answered in Chinese and who in English: by choice, by the settings, by what they write.

use std::path::Path;

use moonbell::config::{Config, Language};

use super::process::{HostProcess, command};
use super::stage::{ALICE, BOB, OWNER, STRANGER, Setup, TestHost};

/// `person` says `text`; what the bot says to it begins so.
#[track_caller]
fn answered<'h>(
    host: &'h TestHost,
    person: &'h str,
    text: &str,
    begins: &'h str,
) -> impl Future<Output = ()> + 'h {
    let before = host.look(|seen| seen.to(person).len());
    host.say(person, text);
    host.until(begins, move |seen| {
        let said = seen.to(person);
        said.len() > before && said[before].starts_with(begins)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_letters_is_answered_in_the_language_of_the_one_before() {
    let host = Setup::new().start().await;
    answered(&host, ALICE, "12345", "There is no command `12345`").await;
    answered(&host, ALICE, "你好", "没有命令 `你好`").await;
    answered(&host, ALICE, "12345", "没有命令 `12345`").await;
    answered(&host, ALICE, "👍", "没有命令 `👍`").await;
    answered(&host, BOB, "👍", "There is no command `👍`").await;
    let host = host.stop().await.start().await;
    answered(&host, ALICE, "12345", "没有命令 `12345`").await;
    answered(&host, ALICE, "hello", "There is no command `hello`").await;
    answered(&host, ALICE, "12345", "There is no command `12345`").await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_died_knows_the_language_of_the_last_message_all_the_same() {
    let host = Setup::new().spawn().await;
    host.say(ALICE, "你好");
    host.until("answered", |seen| seen.to(ALICE).len() == 1).await;
    let host = HostProcess::spawn(host.kill().await).await;
    host.say(ALICE, "12345");
    host.until("in the same language", |seen| {
        seen.to(ALICE).last().is_some_and(|text| text.starts_with("没有命令 `12345`"))
    })
    .await;
    host.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_language_holds_in_every_chat_and_over_restarts_until_it_is_given_up() {
    let host = Setup::new().start().await;
    answered(&host, ALICE, "language", "I answer in the language that you write in.").await;
    answered(&host, ALICE, "language zh", "我用中文和你交流。").await;
    answered(&host, ALICE, "nonsense", "没有命令 `nonsense`").await;
    // Nobody else is spoken to otherwise.
    answered(&host, BOB, "nonsense", "There is no command `nonsense`").await;
    let host = host.stop().await.start().await;
    answered(&host, ALICE, "nonsense", "没有命令 `nonsense`").await;
    host.say_in(0, ALICE, "nonsense");
    host.until("in a group too", |seen| {
        seen.in_group(0).last().is_some_and(|text| text.starts_with("没有命令 `nonsense`"))
    })
    .await;
    answered(&host, ALICE, "语言 英文", "I speak English with you.").await;
    answered(&host, ALICE, "你好", "There is no command `你好`").await;
    answered(&host, ALICE, "语言 自动", "你用哪种语言写，我就用哪种语言回答。").await;
    answered(&host, ALICE, "nonsense", "There is no command `nonsense`").await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_speak_for_everybody_who_chose_nothing() {
    let chinese = |config: &mut Config, _: &Path| config.language = Language::Zh;
    let host = Setup::new().settings(chinese).start().await;
    answered(&host, ALICE, "nonsense", "没有命令 `nonsense`").await;
    answered(&host, STRANGER, "hello", "抱歉，我只为主人允许的人服务。").await;
    answered(&host, ALICE, "language", "我用中文和你交流：设置里为所有人选了中文。").await;
    answered(&host, ALICE, "language auto", "I answer in the language that you write in.").await;
    answered(&host, ALICE, "nonsense", "There is no command `nonsense`").await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_its_help_its_questions_and_its_cards_follow_the_person() {
    let script = r#"
        local TEXTS = { en = "hello", zh = "你好" }
        bot.command("greet", {
            help = { en = "Say hello", zh = "打个招呼" },
            run = function(ctx) ctx:reply(ctx.user.lang .. " " .. TEXTS[ctx.user.lang]) end,
        })
        bot.command("sure", function(ctx)
            ctx:confirm("?")
        end)
        bot.command("show", function(ctx) ctx:stream({ "true" }) end)"#;
    let host = Setup::new().script("greet.luau", script).start().await;
    answered(&host, ALICE, "greet", "en hello").await;
    answered(&host, ALICE, "language zh", "我用中文").await;
    answered(&host, ALICE, "greet", "zh 你好").await;
    answered(&host, ALICE, "help greet", "greet\n打个招呼\n例如：greet").await;
    answered(&host, ALICE, "sure", "? （请回复“是”或“否”）").await;
    answered(&host, ALICE, "hm", "请只回复“是”或“否”").await;
    host.say(ALICE, "yes");
    host.say(OWNER, "show");
    host.until("an English card", |seen| {
        seen.to(OWNER).last().is_some_and(|text| text.contains("exit 0 · "))
    })
    .await;
    answered(&host, OWNER, "语言 中文", "我用中文").await;
    host.say(OWNER, "show");
    host.until("a Chinese card", |seen| {
        seen.to(OWNER).last().is_some_and(|text| text.contains("退出码 0 · "))
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_that_nobody_asked_for_come_in_the_language_of_the_owner() {
    let script = r#"
        bot.every("100ms", { name = "tick" }, function()
            if fs.exists("{home}/broken") then error("no disk") end
        end)"#;
    let host = Setup::new().script("tick.luau", script).start().await;
    answered(&host, OWNER, "language zh", "我用中文").await;
    std::fs::write(host.path("broken"), "").unwrap();
    host.until("a timer that fails", |seen| {
        seen.to(OWNER).iter().any(|text| text.starts_with("⚠️ tick.luau：`tick` 出错了（运行 "))
    })
    .await;
    std::fs::remove_file(host.path("broken")).unwrap();
    host.until("it works again", |seen| seen.to(OWNER).contains(&"✅ tick.luau：`tick` 恢复正常"))
        .await;
    host.write("tick.luau", "bot.command(");
    host.until("a save that broke it", |seen| {
        seen.to(OWNER).iter().any(|text| {
            text.starts_with("⚠️ 没有加载 tick.luau:1") && text.ends_with(" 的版本仍在工作")
        })
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_starts_the_host_is_told_in_their_language_how_it_is() {
    let stage = Setup::new().stage().await;
    let run = |stage: &super::stage::Stage| {
        let mut run = command(stage);
        run.env("LANG", "zh_CN.UTF-8");
        run
    };
    let child = run(&stage).spawn().unwrap();
    let host = HostProcess::started(child, stage).await;
    let says =
        |host: &HostProcess, words: &str| host.lines("err").iter().any(|l| l.contains(words));
    host.until_true("it says that it is connected", || says(&host, "已连接钉钉")).await;
    assert!(says(&host, "这里连接的是模拟器") && says(&host, "脚本："), "{:?}", host.lines("err"));
    // Another one on the same folder.
    assert_eq!(run(&host).status().unwrap().code(), Some(1));
    assert!(says(&host, "错误：另一个 moonbell（进程"), "{:?}", host.lines("err"));
    assert!(says(&host, "提示：停止另一个"), "{:?}", host.lines("err"));

    host.sim.faults(&moonbell::sim::FaultOrder {
        http: vec![
            moonbell::sim::HttpFault::new(moonbell::sim::HttpFaultKind::AuthFailed).on("/v1.0"),
        ],
        close: true,
        ..moonbell::sim::FaultOrder::default()
    });
    host.until_true("it says why it is not", || says(&host, "钉钉拒绝了连接：")).await;
    host.until_true("and what to do", || says(&host, "提示：检查 client id 和 secret")).await;
    let (_, stage) = host.terminate().await;
    let lines = stage.lines("err");
    assert!(lines.iter().any(|line| line == "正在停止；再按一次立即停止"), "{lines:?}");
}
