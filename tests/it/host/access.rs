//! Whom the host works for.

use serde_json::{Value, json};

use super::stage::{ALICE, BOB, OWNER, STRANGER, Setup, Stage};

const ROLES: &str = r#"
bot.command("secret <text...>", {
    role = "owner",
    help = { en = "for the owner" },
    run = function(ctx) ctx:reply("secret " .. ctx.args.text) end,
})
bot.command("count <n:int> [mode:fast|slow]", function(ctx)
    shell.sh("echo ran >> $1", "{home}/ran")
    ctx:reply(`counted {ctx.args.n}`)
end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_hears_one_refusal_and_nothing_runs() {
    let host = Setup::new().start().await;
    for text in ["trace one", "help", "stop", "trace two", "hello"] {
        host.say(STRANGER, text);
    }
    host.say_in(0, STRANGER, "trace three");
    // Later messages of somebody else are answered, so these were seen.
    host.until("six were taken", |seen| seen.state.counters.acks >= 6).await;
    host.say(ALICE, "echo hi");
    host.until("a guest is served", |seen| seen.to(ALICE) == ["hi"]).await;
    let stage = host.stop().await;
    let said: Vec<String> = {
        let state = stage.sim.state();
        let group = stage.sim.group(0);
        let chats = [stage.sim.direct_chat(STRANGER), group];
        chats.iter().flat_map(|chat| state.replies(chat)).map(str::to_owned).collect()
    };
    assert_eq!(said, ["Sorry, I only work for people whom my owner has let in."]);
    assert!(stage.lines("ran").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_may_use_what_asks_for_no_role_and_help_lists_just_that() {
    let host = Setup::new().script("roles.luau", ROLES).start().await;
    host.say(ALICE, "secret one");
    host.say(ALICE, "help");
    host.say(ALICE, "count 3");
    host.say(OWNER, "help");
    host.say(OWNER, "secret two");
    host.until("all five", |seen| seen.to(ALICE).len() == 3 && seen.to(OWNER).len() == 2).await;
    host.look(|seen| {
        // `help` waits for nobody, so the order of the rest is not known.
        let guest = seen.to(ALICE);
        assert!(guest.contains(&"Sorry, you may not use `secret`."), "{guest:?}");
        assert!(guest.contains(&"counted 3"), "{guest:?}");
        let help = guest.iter().find(|text| text.contains("echo")).unwrap();
        assert!(help.contains("count") && !help.contains("secret"), "{help}");
        let owner = seen.to(OWNER);
        assert!(owner.contains(&"secret two"), "{owner:?}");
        assert!(
            owner.iter().any(|text| text.contains("secret") && text.contains("count")),
            "{owner:?}"
        );
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_never_reach_the_handler() {
    let host = Setup::new().script("roles.luau", ROLES).start().await;
    for text in
        ["count", "count three", "count 3 fsat", "count 3 fast more", "count 99999999999999999999"]
    {
        host.say(BOB, text);
    }
    host.until("each is explained", |seen| seen.to(BOB).len() == 5).await;
    host.look(|seen| {
        for text in seen.to(BOB) {
            assert!(text.contains("usage: count"), "{text}");
        }
        assert!(seen.to(BOB)[2].contains("fast"), "{}", seen.to(BOB)[2]);
    });
    assert!(host.lines("ran").is_empty());
    host.say(BOB, "count 4");
    host.until("what fits is run", |seen| seen.to(BOB).last() == Some(&"counted 4")).await;
    host.stop().await;
}

/// A message as DingTalk would push it, changed by `change`.
pub(super) fn push(host: &Stage, id: &str, text: &str, change: impl FnOnce(&mut Value)) {
    let mut data = json!({
        "conversationId": host.sim.direct_chat(OWNER),
        "conversationType": "1",
        "chatbotCorpId": host.sim.corp_id(),
        "chatbotUserId": "$:bot",
        "msgId": id,
        "senderNick": "the owner",
        "senderId": "$:somebody",
        "senderCorpId": host.sim.corp_id(),
        "senderStaffId": OWNER,
        "isAdmin": true,
        "createAt": moonbell::store::now_ms(),
        "robotCode": host.sim.client_id(),
        "msgtype": "text",
        "text": { "content": text },
    });
    change(&mut data);
    host.sim.callback("/v1.0/im/bot/messages/get", &data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_without_a_staff_id_or_from_another_organisation_is_nobody() {
    let host = Setup::new().start().await;
    push(&host, "m1", "trace no id", |data| {
        data.as_object_mut().unwrap().remove("senderStaffId");
    });
    push(&host, "m2", "trace empty id", |data| data["senderStaffId"] = "".into());
    push(&host, "m3", "trace null id", |data| data["senderStaffId"] = Value::Null);
    push(&host, "m4", "trace odd id", |data| data["senderStaffId"] = json!([OWNER]));
    push(&host, "m5", "trace elsewhere", |data| data["senderCorpId"] = "dingcorp2".into());
    push(&host, "m6", "trace nowhere", |data| {
        data.as_object_mut().unwrap().remove("senderCorpId");
    });
    push(&host, "m7", "trace the owner", |_| {});
    host.until("the owner is served", |seen| seen.to(OWNER).contains(&"did the owner")).await;
    host.until("all were taken", |seen| seen.state.counters.acks >= 7).await;
    let stage = host.stop().await;
    assert_eq!(stage.lines("ran"), ["the owner"]);
}
