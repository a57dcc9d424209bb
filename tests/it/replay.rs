//! `moonbell replay`: the real binary on a journal that a host could have left.

use std::fs;
use std::path::PathBuf;

use moonbell::inbox::{Account, End, Inbox, State, complete};
use moonbell::message::{
    Chat, ChatKind, ConversationId, Inbound, Kind, Message, MessageId, Person, StaffId, Webhook,
};
use moonbell::store::{Store, now_ms};

use crate::home::{Answer, Home};

/// With a journal that the test writes.
struct Journal(Home);

impl Journal {
    fn new(script: &str) -> Self {
        let home = Home::with_scripts(&[("a.luau", script)]);
        fs::create_dir(home.path("state")).unwrap();
        home.write(
            "moonbell.toml",
            "[scripts]\ndir = \"scripts\"\n[state]\ndir = \"state\"\n\
             [access]\nowner = \"boss42\"\n[access.roles]\nadmin = [\"manager7\"]\n",
        );
        Self(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Answer {
        let mut command = self.0.command(arguments);
        Answer::of(command.arg("--config").arg(self.path("moonbell.toml")).output().unwrap())
    }

    /// What came in, in order: who, text, the handler that took it.
    async fn record(&self, messages: &[(&str, &str, Option<&str>)]) {
        let store = Store::open(&self.path("state")).unwrap();
        let inbox = Inbox::open(store.clone(), |_| false).await.unwrap();
        for (n, (who, text, handler)) in messages.iter().enumerate() {
            inbox.accept(Inbound::Message(message(n, who, text))).await.unwrap();
            let row = inbox.claim(1).await.unwrap().remove(0);
            let handler = handler.map(str::to_owned);
            store
                .write(move |c| {
                    let account = Account { handler: handler.as_deref(), ..Account::default() };
                    complete(c, row.id, &End { account, ..End::new(State::Done) })
                })
                .await
                .unwrap();
            inbox.release(&row.lane);
        }
    }
}

fn message(n: usize, who: &str, text: &str) -> Message {
    let group = who == "manager7";
    Message {
        id: MessageId::new(format!("msg{n}SECRETID")),
        chat: Chat {
            id: ConversationId::new(format!("cid{who}==")),
            kind: if group { ChatKind::Group } else { ChatKind::Direct },
            title: group.then(|| "项目群".to_owned()),
        },
        sender: Person {
            staff_id: Some(StaffId::new(who)),
            opaque_id: format!("$:LWCP:{who}"),
            nick: if group { "Ann Lee".to_owned() } else { "老板".to_owned() },
            same_org: true,
            corp_id: None,
        },
        kind: Kind::Text,
        text: text.to_owned(),
        files: Vec::new(),
        mentions: Vec::new(),
        quoted: None,
        robot_code: Some("dingrobot".to_owned()),
        sent_at_ms: now_ms(),
        webhook: Some(Webhook {
            url: "https://oapi.example/session=1".to_owned(),
            expires_at_ms: 0,
        }),
    }
}

const SCRIPT: &str = r#"
bot.command("deploy <env:staging|prod>", { role = "admin", run = function(ctx)
	shell.run({ "make", "deploy", "ENV=" .. ctx.args.env })
	http.post("https://chat.example.com/done", { json = { by = ctx.user.id } })
	ctx:reply("deployed for " .. ctx.user.role)
end })
bot.command("remind <when:duration>", { timeout = "2d", run = function(ctx) time.sleep(ctx.args.when) ctx:reply("now") end })
bot.command("broken", function(ctx) local x = nil ctx:reply(x.y) end)
bot.every("1s", function() shell.run({ "never" }) end)
"#;

#[tokio::test]
async fn messages_of_the_journal_meet_the_scripts_of_today_and_nothing_happens() {
    let home = Journal::new(SCRIPT);
    home.record(&[
        ("manager7", "deploy prod", Some("deploy")),
        ("boss42", "remind 2h", Some("remind")),
        ("boss42", "broken", Some("broken")),
        ("manager7", "rollback", Some("rollback")),
        ("manager7", "deploy prod now please", Some("deploy")),
        ("stranger", "deploy prod", None),
        ("boss42", "stop zzzzz", None),
    ])
    .await;
    let answer = home.run(&["replay"]);
    assert_eq!(answer.code, 1, "{}{}", answer.out, answer.err);
    let time = regex::Regex::new(r"\d\d-\d\d \d\d:\d\d").unwrap();
    let run = regex::Regex::new(r"\(run [0-9a-z]{5}\)").unwrap();
    let out = time.replace_all(&answer.out, "[time]").into_owned();
    insta::assert_snapshot!(run.replace_all(&out, "(run [id])"), @r##"
      same [time] Ann Lee (admin, in 项目群): deploy prod
             `deploy`
             would run:  make deploy ENV=prod
             would call: POST https://chat.example.com/done
             would say:  deployed for admin
      same [time] 老板 (owner): remind 2h
             `remind`
             would say:  now
    BROKEN [time] 老板 (owner): broken
             then: `broken`
             now:  `broken`, failed: a.luau:8: attempt to index nil with 'y'
             would say:  ⚠️ That failed (run [id]): a.luau:8: attempt to index nil with 'y'
    BROKEN [time] Ann Lee (admin, in 项目群): rollback
             then: `rollback`
             now:  moonbell itself
             would say:  There is no command `rollback`. Send help to see them all.
    BROKEN [time] Ann Lee (admin, in 项目群): deploy prod now please
             then: `deploy`
             now:  usage of `deploy`
             would say:  `now` is one word too many; put quotes around what holds spaces
                         usage: deploy <env>
                         example: deploy staging
      same [time] 老板 (a stranger): deploy prod
             nobody: denied: `stranger` has no role here; `allow stranger ROLE` from the owner, or `access.roles`, lets them in
             would say:  Sorry, I only work for people whom my owner has let in.
      same [time] 老板 (owner): stop zzzzz
             moonbell itself
             would say:  No run `zzzzz` that you may stop. Send runs to see them.

    7 messages: 4 as before, 3 no longer handled
    "##);
}

#[tokio::test]
async fn it_is_told_in_chinese_to_whoever_reads_chinese() {
    let home = Journal::new(SCRIPT);
    home.record(&[
        ("manager7", "deploy prod", Some("deploy")),
        ("manager7", "deploy prod now please", Some("deploy")),
    ])
    .await;
    let mut command = home.0.command(&["replay", "--config"]);
    command.arg(home.path("moonbell.toml")).env("LANG", "zh_CN.UTF-8");
    let answer = Answer::of(command.output().unwrap());
    let time = regex::Regex::new(r"\d\d-\d\d \d\d:\d\d").unwrap();
    insta::assert_snapshot!(time.replace_all(&answer.out, "[time]"), @r##"
      相同 [time] Ann Lee（admin，在 项目群）：deploy prod
             `deploy`
             会运行：make deploy ENV=prod
             会调用：POST https://chat.example.com/done
             会回答：deployed for admin
      失效 [time] Ann Lee（admin，在 项目群）：deploy prod now please
             当时：`deploy`
             现在：`deploy` 的用法
             会回答：`now` is one word too many; put quotes around what holds spaces
                     usage: deploy <env>
                     example: deploy staging

    2 条消息：1 条和以前一样，1 条不再处理
    "##);
}

#[tokio::test]
async fn the_answer_to_a_question_is_as_it_was() {
    let home = Journal::new(
        r#"
bot.command("reboot", function(ctx) ctx:reply(if ctx:confirm("sure?") then "off it goes" else "not now") end)
bot.command("answer <n:int>", function(ctx) ctx:reply("42") end)
"#,
    );
    home.record(&[
        ("boss42", "reboot", Some("reboot")),
        ("boss42", "yes", Some("answer")),
        ("boss42", "answer me", Some("answer")),
    ])
    .await;
    let answer = home.run(&["replay"]);
    assert_eq!(answer.code, 1, "{}{}", answer.out, answer.err);
    assert!(answer.out.contains("would say:  off it goes"), "{}", answer.out);
    assert!(answer.out.contains("yes\n         answers a script's question\n"), "{}", answer.out);
    assert!(answer.out.contains("now:  usage of `answer`"), "{}", answer.out);
    assert!(answer.out.contains("3 messages: 2 as before, 1 no longer handled"), "{}", answer.out);
}

#[tokio::test]
async fn scripts_of_other_people_answer_as_far_as_they_are_granted() {
    let home = Journal::new("bot.command(\"own\", function(ctx) ctx:reply(\"mine\") end)");
    fs::create_dir(home.path("scripts/theirs")).unwrap();
    home.0.write(
        "scripts/theirs/tool.luau",
        "bot.command(\"tool\", function(ctx) ctx:reply(\"theirs\") end)",
    );
    let settings = fs::read_to_string(home.path("moonbell.toml")).unwrap();
    home.0.write(
        "moonbell.toml",
        &settings.replace("[scripts]\n", "[scripts]\nasked = [\"theirs\"]\n"),
    );
    home.record(&[("boss42", "own", Some("own")), ("boss42", "tool", Some("tool"))]).await;
    let waits = home.run(&["replay"]);
    assert_eq!(waits.code, 1, "{}{}", waits.out, waits.err);
    assert!(waits.out.contains("1 as before, 1 no longer handled"), "{}", waits.out);
    let granted = home.run(&["grant", "theirs/tool.luau", "--yes"]);
    assert_eq!(granted.code, 0, "{}{}", granted.out, granted.err);
    let serves = home.run(&["replay"]);
    assert_eq!(serves.code, 0, "{}{}", serves.out, serves.err);
    assert!(serves.out.contains("2 messages: 2 as before"), "{}", serves.out);
}

#[tokio::test]
async fn a_saved_recording_names_nobody_and_is_a_regression_test() {
    let home = Journal::new(SCRIPT);
    home.record(&[
        ("manager7", "deploy prod", Some("deploy")),
        ("boss42", "remind 1h", Some("remind")),
        ("manager7", "ask 老板 or Ann Lee in 项目群, token=abc123, boss42", None),
    ])
    .await;
    let saved = home.run(&["replay", "--save", "today.json"]);
    assert_eq!(saved.code, 0, "{}{}", saved.out, saved.err);
    let text = fs::read_to_string(home.path("today.json")).unwrap();
    for secret in [
        "manager7",
        "boss42",
        "Ann Lee",
        "老板",
        "项目群",
        "SECRETID",
        "LWCP",
        "oapi",
        "dingrobot",
        "cid",
        "abc123",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(text.contains("ask person-2 or person-1 in chat-1, token=*** person-2"), "{text}");
    // Another computer: no settings, no journal.
    fs::remove_dir_all(home.path("state")).unwrap();
    fs::write(home.path("moonbell.toml"), "").unwrap();
    let same = home.run(&["replay", "--from", "today.json", "--json"]);
    assert_eq!(same.code, 0, "{}{}", same.out, same.err);
    let same: serde_json::Value = serde_json::from_str(&same.out).unwrap();
    assert_eq!((&same["same"], &same["broken"]), (&3.into(), &0.into()));
    assert_eq!(same["messages"][0]["now"]["would_run"][0], "make deploy ENV=prod");
    assert_eq!(same["messages"][0]["now"]["would_say"][0], "deployed for admin");
    assert_eq!(same["messages"][1]["now"]["would_say"][0], "now");

    fs::write(home.path("scripts/a.luau"), SCRIPT.replace("staging|prod", "staging|live")).unwrap();
    let broken = home.run(&["replay", "--from", "today.json"]);
    assert_eq!(broken.code, 1);
    assert!(broken.out.contains("usage of `deploy"), "{}", broken.out);
    assert!(broken.out.contains("1 no longer handled"), "{}", broken.out);
}

#[tokio::test]
async fn one_run_can_be_replayed_and_what_is_missing_is_said() {
    let home = Journal::new(SCRIPT);
    let answer = home.run(&["replay"]);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("no host has kept a journal"), "{}", answer.err);
    home.record(&[("manager7", "deploy prod", Some("deploy"))]).await;
    let all = home.run(&["replay", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&all.out).unwrap();
    let run = all["messages"][0]["run"].as_str().unwrap();
    let one = home.run(&["replay", "--run", run]);
    assert_eq!(one.code, 0, "{}", one.err);
    assert!(one.out.contains("1 message: 1 as before"), "{}", one.out);
    assert_eq!(home.run(&["replay", "--run", "zzzzz"]).code, 1);
    fs::write(home.path("x.json"), "{}").unwrap();
    let wrong = home.run(&["replay", "--from", "x.json"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("this is no recording"), "{}", wrong.err);
}
