//! What leaves the host fits DingTalk's limits, and nothing secret leaves it; what comes in is fetched with care.

use std::fs;

use moonbell::sim::{FaultOrder, HttpFault, HttpFaultKind, MessageKind, RawFrame, Say};
use serde_json::{Value, json};

use super::super::process::{HostProcess, command};
use super::super::stage::{ALICE, BOB, OWNER, Setup};
use super::{
    ROBOT, TO_PERSON, WEBHOOK, acked, asked, data, frame_with, set_data, without_webhooks,
};

#[tokio::test(flavor = "multi_thread")]
async fn h17_a_text_over_the_limits_arrives_in_pieces_and_whole() {
    let long = r#"
        bot.command("long", function(ctx)
            local lines = {}
            for n = 1, 4000 do lines[n] = `line {n} 一二三 "` end
            ctx:reply(table.concat(lines, "\n"))
        end)
        bot.command("code", function(ctx)
            local lines = { "```lua" }
            for n = 1, 1500 do table.insert(lines, `print({n})`) end
            table.insert(lines, "```")
            ctx:reply({ markdown = table.concat(lines, "\n") })
        end)
    "#;
    let expected: Vec<String> = (1..=4000).map(|n| format!("line {n} 一二三 \"")).collect();
    for (setup, path) in [(Setup::new(), WEBHOOK), (without_webhooks(), TO_PERSON)] {
        let host = setup.script("long.luau", long).start().await;
        host.say(ALICE, "long");
        host.until("every line, in order", |seen| {
            let lines: Vec<&str> = seen.to(ALICE).iter().flat_map(|text| text.lines()).collect();
            lines == expected
        })
        .await;
        host.say(BOB, "code");
        host.until("all of the code", |seen| {
            seen.to(BOB).last().is_some_and(|text| text.contains("print(1500)"))
        })
        .await;
        host.look(|seen| {
            assert!(seen.to(ALICE).len() > 1 && seen.to(BOB).len() > 1);
            for piece in seen.to(BOB) {
                assert!(
                    piece.starts_with("```lua\n") && piece.trim_end().ends_with("\n```"),
                    "{piece}"
                );
            }
        });
        for body in asked(&host, path) {
            let limited = body.get("msgParam").and_then(Value::as_str);
            let (size, limit) = match limited {
                Some(param) => (param.len(), 15_000),
                None => (body.to_string().len(), 20_000),
            };
            assert!(size < limit, "{size} bytes");
        }
        host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h18_markdown_has_a_short_title_that_says_something() {
    let script = r###"
        bot.command("md <which:int>", function(ctx)
            local texts = {
                "## A headline that goes on for much longer than a chat list shows\nbody",
                "```\ncode\n```",
                "---",
                "**bold** [link](https://example.com) text",
            }
            ctx:reply({ markdown = texts[ctx.args.which] })
        end)
    "###;
    let host = Setup::new().script("md.luau", script).start().await;
    for n in 1..=4 {
        host.say(ALICE, &format!("md {n}"));
    }
    host.until("all four", |seen| seen.to(ALICE).len() == 4).await;
    host.look(|seen| {
        let said = seen.state.messages.iter().filter(|message| message.from == "bot");
        for message in said {
            assert_eq!(message.kind, MessageKind::Markdown);
            let title = message.title.as_deref().unwrap_or_default();
            assert!((1..=20).contains(&title.chars().count()), "{title:?}");
            assert!(!title.contains(['#', '*', '`', '[']), "{title:?}");
        }
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h23_files_are_fetched_bare_named_safely_and_never_from_inside() {
    let script = r"
        bot.fallback(function(ctx)
            for _, file in ctx.message.files do
                local saved, err = file:save()
                ctx:reply(if saved then saved.path else err.kind)
            end
        end)
    ";
    let host = Setup::new().script("files.luau", script).start().await;
    let send = |name: &str| {
        let upload = host.sim.upload(name, &b"content"[..]);
        host.sim.say(&Say::direct(ALICE, "").with_file(upload)).unwrap();
    };
    // The simulated store refuses a link that is asked with a Content-Type, as the real one does.
    send("../../up\u{202e}\n; rm -rf.txt");
    host.until("it is there", |seen| seen.to(ALICE).len() == 1).await;
    let path = host.look(|seen| seen.to(ALICE)[0].to_owned());
    assert_eq!(fs::read_to_string(&path).unwrap(), "content");
    let home = fs::canonicalize(host.state_dir()).unwrap();
    assert!(fs::canonicalize(&path).unwrap().starts_with(home), "{path}");
    assert!(!path.contains("..") && !path.contains(['\n', '\u{202e}']), "{path:?}");
    let inside = Some("http://169.254.169.254/latest/meta-data".to_owned());
    host.sim.faults(&FaultOrder { download_url: inside, ..FaultOrder::default() });
    send("b.txt");
    host.until("it is refused", |seen| seen.to(ALICE).last() == Some(&"denied")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h26_no_secret_is_in_the_log_however_much_it_says_and_whatever_fails() {
    let stage = Setup::new().stage().await;
    let mut run = command(&stage);
    run.env("MOONBELL_LOG", "trace");
    let host = HostProcess::started(run.spawn().unwrap(), stage).await;
    let kinds = [HttpFaultKind::Reset, HttpFaultKind::Html, HttpFaultKind::Busy];
    for (n, kind) in kinds.into_iter().enumerate() {
        let fault = |path: &str| HttpFault::new(kind.clone()).on(path).calls(1);
        let http = [WEBHOOK, TO_PERSON, "/v1.0/card", "/v1.0/oauth2", super::OPEN].map(fault);
        host.sim.faults(&FaultOrder {
            clear: true,
            // The waits before another connection grow with each.
            close: n == 0,
            expire_tokens: true,
            http: http.to_vec(),
            ..FaultOrder::default()
        });
        host.say(ALICE, &format!("echo words of {n}"));
        host.until("it is answered", |seen| seen.to(ALICE).len() == n + 1).await;
    }
    let secret = host.sim.client_secret();
    let (status, stage) = host.terminate().await;
    assert!(status.success());
    let log = stage.lines("err").join("\n");
    assert!(log.contains("sessionWebhook: "), "the failures are told:\n{log}");
    for leak in [&*secret, "session=", "ticket=", "access_token=", "words of", "Alice Chen"] {
        assert!(!log.contains(leak), "{leak} is in the log:\n{log}");
    }
    // Tokens have no look of their own; what carries them has.
    assert!(!log.contains("accessToken\":"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h28_rights_hang_on_the_staff_id_of_this_organisation_and_the_bot_hears_not_itself() {
    let host = Setup::new().start().await;
    host.say(OWNER, "echo mine");
    host.until("the answer", |seen| seen.to(OWNER) == ["mine"]).await;
    let frame = frame_with(&host, "echo mine");
    let forge = |id: &str, change: &dyn Fn(&mut Value)| {
        let (mut frame, mut message) = (frame.clone(), data(&frame));
        frame["headers"]["messageId"] = json!(format!("m-{id}"));
        message["msgId"] = json!(format!("msg-{id}"));
        message["text"]["content"] = json!(format!("trace {id}"));
        change(&mut message);
        set_data(&mut frame, &message);
        host.sim.raw(RawFrame::Text(frame.to_string())).unwrap();
    };
    forge("name", &|message| {
        assert_eq!(message["senderNick"], "王小明");
        message["senderStaffId"] = json!("015412345604");
    });
    forge("organisation", &|message| message["senderCorpId"] = json!("dingother"));
    forge("admin", &|message| {
        message["senderStaffId"] = json!("");
        message["isAdmin"] = json!(true);
    });
    forge("itself", &|message| message["senderId"] = message["chatbotUserId"].clone());
    forge("owner", &|_| {});
    host.until("the owner is served", |seen| seen.to(OWNER).contains(&"did owner")).await;
    let acks = acked(&host, ROBOT);
    host.say(BOB, "echo last");
    host.until("all were taken", |seen| seen.to(BOB) == ["last"] && acked(&host, ROBOT) > acks)
        .await;
    let stage = host.stop().await;
    assert_eq!(stage.lines("ran"), ["owner"]);
}
