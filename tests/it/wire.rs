//! What DingTalk sends, read into the host's nouns; what its answers mean. Every fixture of the protocol is here.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]
#![allow(clippy::format_collect, reason = "a table of a few lines reads best as what it prints")]

use std::path::Path;

use moonbell::dingtalk::{Class, Frame, Received, Topic, classify, receive, robot_message};
use moonbell::message::{ChatKind, Inbound, Kind, Message, StaffId};
use serde_json::{Value, json};

#[track_caller]
fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.json"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
fn names(prefix: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|file| {
            Some(file.unwrap().file_name().to_str()?.strip_suffix(".json")?.to_owned())
        })
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

#[track_caller]
fn parse(data: &str) -> Message {
    match robot_message(data) {
        Ok(Received::Inbound(Inbound::Message(message))) => message,
        other => panic!("expected a message, got {other:?}"),
    }
}

/// One line per message: kind, text, files as `kind:code(fallback)name`, quote.
fn summary(message: &Message) -> String {
    let files = |files: &[moonbell::message::File]| {
        let one = |file: &moonbell::message::File| {
            let fallback =
                file.fallback_code.as_deref().map(|code| format!("|{code}")).unwrap_or_default();
            let name = file.name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
            let duration = file.duration.map(|duration| format!(" {duration}")).unwrap_or_default();
            format!(" <{}:{}{fallback}{name}{duration}>", file.kind.as_str(), file.download_code)
        };
        files.iter().map(one).collect::<String>()
    };
    let quoted = message.quoted.as_ref().map(|quoted| {
        let id = quoted.id.as_ref().map_or("-", |id| id.as_str().trim_end_matches("AAAAAAAAAAA=="));
        let bot = if quoted.from_bot { " bot" } else { "" };
        format!(" [{id} {}{bot} {:?}{}]", quoted.kind.as_str(), quoted.text, files(&quoted.files))
    });
    format!(
        "{} {:?}{}{}",
        message.kind.as_str(),
        message.text,
        files(&message.files),
        quoted.unwrap_or_default()
    )
}

#[test]
fn every_kind_of_message_is_read() {
    let table: String = names("robot_")
        .iter()
        .filter(|name| *name != "robot_quota_exceeded")
        .map(|name| {
            format!("{}: {}\n", name.trim_start_matches("robot_"), summary(&parse(&fixture(name))))
        })
        .collect();
    insta::assert_snapshot!(table, @r####"
    action_card: card "" [- card "### 审批提醒\n请尽快处理\nhttps://example.com/a/1"]
    audio: audio "钉钉机器人语音识别文本" <audio:dlcode-fixture-audio-0001 4000>
    audio_no_recognition: audio "" <audio:dlcode-fixture-audio-0002 1200>
    chat_record: chat_record "" [- chat_record "Alice: 早\nBob: 早"]
    chat_record_empty: chat_record "" [- chat_record "Alice: 早"]
    content_as_json_string: picture "" <picture:dlcode-fixture-pic-0002|pdlcode-fixture-pic-0002>
    file: file "" <file:dlcode-fixture-file-0001 季度报告 v2.pdf>
    interactive_card_alidocs: card "" [- card "https://alidocs.dingtalk.com/i/nodes/FixtureNodeId0001"]
    interactive_card_file_share: card "" [- card "dingtalk://dingtalkclient/page/yunpan?route=previewDentry&spaceId=22300000573&fileId=117000000849&type=file"]
    markdown: card "" [- card "# 周报\n- 完成 A"]
    picture: picture "" <picture:dlcode-fixture-pic-0001|pdlcode-fixture-pic-0001>
    reply_audio: text "这是什么意思？" [msgQuoted0005 audio "" <audio:dlcode-fixture-q-0004 2000>]
    reply_bot_card: text "这是什么意思？" [msgQuoted0007 card bot "构建成功，详情见 https://example.com/build/42"]
    reply_bot_card_no_content: text "这是什么意思？" [msgQuoted0008 card bot ""]
    reply_chat_record: text "这是什么意思？" [msgQuoted0010 chat_record "Alice: 早"]
    reply_file: text "这是什么意思？" [msgQuoted0004 file "" <file:dlcode-fixture-q-0003 设计.docx>]
    reply_inside_rich_text: rich_text "为什么还没完成" <picture:dlcode-fixture-rich-0009> [msgQuoted0011 text "任务进度 80%"]
    reply_legacy_quote_message: text "老客户端引用" [msgQuoted0013 text "被引用的旧消息"]
    reply_original_id_only: text "接着上面说" [msgQuoted0012 unknown ""]
    reply_picture: text "这是什么意思？" [msgQuoted0002 picture "" <picture:dlcode-fixture-q-0001|pdlcode-fixture-q-0001>]
    reply_rich_text: text "这是什么意思？" [msgQuoted0003 rich_text "看图：@Alice [OK]" <picture:dlcode-fixture-q-0002>]
    reply_text: text "这是什么意思？" [msgQuoted0001 text "昨天的构建失败了"]
    reply_unknown: text "这是什么意思？" [msgQuoted0009 unknown ""]
    reply_video: text "这是什么意思？" [msgQuoted0006 video "" <video:dlcode-fixture-q-0005 3000>]
    rich_text: rich_text "这个报错怎么解决？\n截图如上" <picture:dlcode-fixture-rich-0001|pdlcode-fixture-rich-0001>
    rich_text_all_elements: rich_text "@Bob 请看 加粗重点[微笑]" <picture:dlcode-fixture-rich-0002|pdlcode-fixture-rich-0002> <file:dlcode-fixture-rich-0003 log.txt>
    rich_text_legacy_list: rich_text "旧版结构"
    text_empty: text ""
    text_group: text "帮我查一下今天的构建"
    text_group_external_sender: text "你好"
    text_group_multi_at: text "和  一起看下这个问题"
    text_hosting_context: text "代发"
    text_p2p: text "hello DingTalk"
    unknown: unknown ""
    video: video "" <video:dlcode-fixture-video-0001 4000>
    video_duration_string: video "" <video:dlcode-fixture-video-0002 5>
    "####);
}

#[test]
fn a_group_message_names_its_people_and_its_way_back() {
    let message = parse(&fixture("robot_text_group_multi_at"));
    assert_eq!(message.chat.kind, ChatKind::Group);
    assert_eq!(message.chat.id.as_str(), "cidGrpFixture0000001abcDEF==");
    assert_eq!(message.chat.title.as_deref(), Some("研发测试群"));
    assert_eq!(message.sender.staff_id.as_ref().unwrap().as_str(), "015412345678901234");
    assert!(message.sender.same_org);
    assert_eq!(message.robot_code.as_deref(), Some("dingfixturebot000001"));
    let mentions: Vec<_> = message
        .mentions
        .iter()
        .map(|m| (m.staff_id.as_ref().map(StaffId::as_str), m.is_bot))
        .collect();
    assert_eq!(mentions, [(None, true), (Some("manager4220"), false), (None, false)]);
    let webhook = message.webhook.unwrap();
    assert!(webhook.url.starts_with("https://oapi.dingtalk.com/robot/sendBySession?session="));
    assert!(webhook.expires_at_ms > message.sent_at_ms);
}

#[test]
fn a_person_from_outside_has_no_staff_id() {
    let message = parse(&fixture("robot_text_group_external_sender"));
    assert_eq!(message.sender.staff_id, None);
    assert!(!message.sender.same_org);
    assert_eq!(message.sender.key(), "$:LWCP_v1:$RXh0ZXJuYWxGaXh0dXJlMDE=");
}

#[test]
fn rich_text_mentions_are_known_people_not_the_bot() {
    let message = parse(&fixture("robot_rich_text_all_elements"));
    let ids: Vec<_> = message
        .mentions
        .iter()
        .map(|m| (m.staff_id.as_ref().map(StaffId::as_str), m.is_bot))
        .collect();
    assert_eq!(ids, [(None, true), (Some("015412345678901234"), false)]);
}

#[test]
fn an_exhausted_quota_is_told_and_nothing_else() {
    assert!(matches!(
        robot_message(&fixture("robot_quota_exceeded")),
        Ok(Received::QuotaExhausted { .. })
    ));
    let event = Frame::parse(&fixture("stream_frame_event_quota_exceeded")).unwrap();
    assert!(
        matches!(receive(&event), Ok(Received::QuotaExhausted { message }) if message.contains("超量"))
    );
}

#[test]
fn a_redelivery_is_the_same_message() {
    let once = receive(&Frame::parse(&fixture("stream_frame_robot_message")).unwrap()).unwrap();
    let again = receive(&Frame::parse(&fixture("stream_frame_robot_message_redelivered")).unwrap())
        .unwrap();
    assert_eq!(once, again);
}

#[test]
fn the_bots_own_message_is_dropped() {
    let mut data: Value = serde_json::from_str(&fixture("robot_text_group")).unwrap();
    data["senderId"] = data["chatbotUserId"].clone();
    assert_eq!(robot_message(&data.to_string()), Ok(Received::Own));
}

#[test]
fn clicks_carry_card_person_action_and_parameters() {
    let Ok(Received::Inbound(Inbound::CardAction(click))) =
        receive(&Frame::parse(&fixture("stream_frame_card_callback")).unwrap())
    else {
        panic!("expected a click")
    };
    assert_eq!(click.card_id, "fixture_1767852000000_a1b2c3d4");
    assert_eq!(click.staff_id.unwrap().as_str(), "manager4220");
    assert_eq!(click.conversation_id.unwrap().as_str(), "cidGrpFixture0000001abcDEF==");
    assert_eq!(click.action_ids, ["btn_approve"]);
    assert_eq!(Value::Object(click.params), json!({ "action": "approve", "id": "42" }));
}

fn card_frame(data: &Value) -> Frame {
    let frame = json!({
        "type": "CALLBACK",
        "headers": { "topic": "/v1.0/card/instances/callback", "messageId": "m1" },
        "data": data.to_string(),
    });
    Frame::parse(&frame.to_string()).unwrap()
}

#[test]
fn a_submitted_form_keeps_its_shape_and_other_callbacks_are_no_clicks() {
    let form: Value = serde_json::from_str(&fixture("card_callback_form")).unwrap();
    let Ok(Received::Inbound(Inbound::CardAction(click))) = receive(&card_frame(&form)) else {
        panic!()
    };
    assert_eq!(click.params["form"]["choice"]["index"], 1);
    let pull: Value = serde_json::from_str(&fixture("card_dynamic_data_request")).unwrap();
    assert_eq!(receive(&card_frame(&pull)), Ok(Received::Ignored));
}

#[test]
fn odd_clicks_lose_only_what_is_odd() {
    for odd in [
        json!({ "outTrackId": "c" }),
        json!({ "outTrackId": "c", "userId": 7, "content": "not json" }),
        json!({ "outTrackId": "c", "userId": null, "content": { "cardPrivateData": { "actionIds": "x" } } }),
        json!({ "outTrackId": "c", "content": "[".repeat(10_000), "value": [] }),
    ] {
        let Ok(Received::Inbound(Inbound::CardAction(click))) = receive(&card_frame(&odd)) else {
            panic!("{odd} is a click")
        };
        assert_eq!(
            (click.card_id.as_str(), click.staff_id, click.action_ids.len()),
            ("c", None, 0)
        );
    }
    let beside = json!({ "outTrackId": "c", "value": r#"{"cardPrivateData":{"actionIds":["a"]},"params":{"k":1}}"# });
    let Ok(Received::Inbound(Inbound::CardAction(click))) = receive(&card_frame(&beside)) else {
        panic!()
    };
    assert_eq!((click.action_ids, click.params["k"].clone()), (vec!["a".to_owned()], json!(1)));
    assert!(receive(&card_frame(&json!({ "userId": "u" }))).is_err(), "a click on no card");
}

#[test]
fn every_event_is_read() {
    let table: String = names("event_")
        .iter()
        .map(|name| {
            let frame = Frame::parse(&fixture(name)).unwrap();
            assert_eq!(frame.topic(), Topic::Event);
            let Ok(Received::Inbound(Inbound::Event(event))) = receive(&frame) else {
                panic!("{name}")
            };
            assert_eq!(event.data, serde_json::from_str::<Value>(&frame.data).unwrap());
            format!("{} {} {}\n", event.kind, event.id, event.born_at_ms)
        })
        .collect();
    insta::assert_snapshot!(table, @r#"
    chat_add_member c7c7120f2c07419ea1b2ebdba0319002 1767852000002
    chat_disband c7c7120f2c07419ea1b2ebdba0319007 1767852000007
    chat_quit c7c7120f2c07419ea1b2ebdba0319004 1767852000004
    chat_remove_member c7c7120f2c07419ea1b2ebdba0319003 1767852000003
    chat_update_owner c7c7120f2c07419ea1b2ebdba0319005 1767852000005
    chat_update_title c7c7120f2c07419ea1b2ebdba0319006 1767852000006
    robot_msg_read c7c7120f2c07419ea1b2ebdba0319008 1767852000008
    robot_msg_recall c7c7120f2c07419ea1b2ebdba0319009 1767852000009
    user_add_org c7c7120f2c07419ea1b2ebdba0319000 1767852000000
    user_leave_org c7c7120f2c07419ea1b2ebdba0319001 1767852000001
    "#);
}

#[test]
fn a_field_of_the_wrong_type_costs_that_field_only() {
    let good: Value = serde_json::from_str(&fixture("robot_text_group")).unwrap();
    let odd = [
        json!(null),
        json!(7),
        json!(true),
        json!([]),
        json!({}),
        json!(""),
        json!("x"),
        json!([[[{}]]]),
    ];
    for field in good.as_object().unwrap().keys() {
        if matches!(field.as_str(), "msgId" | "conversationId" | "conversationType") {
            continue;
        }
        for value in &odd {
            let mut data = good.clone();
            data[field] = value.clone();
            let message = parse(&data.to_string());
            if !matches!(field.as_str(), "text" | "msgtype") {
                assert_eq!(message.text, "帮我查一下今天的构建", "{field} = {value}");
            }
        }
        let mut data = good.clone();
        data.as_object_mut().unwrap().remove(field);
        parse(&data.to_string());
    }
}

#[test]
fn rights_hang_on_a_staff_id_that_is_a_string() {
    let good: Value = serde_json::from_str(&fixture("robot_text_p2p")).unwrap();
    for odd in [
        json!(null),
        json!(""),
        json!(4220),
        json!(["manager4220"]),
        json!({}),
        json!("m".repeat(10_240)),
    ] {
        let mut data = good.clone();
        data["senderStaffId"] = odd;
        assert_eq!(parse(&data.to_string()).sender.staff_id, None);
    }
    for other in [" manager4220", "Manager4220", "manager４２２０"] {
        let mut data = good.clone();
        data["senderStaffId"] = json!(other);
        assert_eq!(
            parse(&data.to_string()).sender.staff_id.unwrap().as_str(),
            other,
            "ids stay as they are"
        );
    }
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_what_is_missing() {
    for (data, message) in [
        ("", "the data is not a JSON object"),
        ("[1]", "the data is not a JSON object"),
        ("{}", "the field `msgId` is missing or empty"),
        (r#"{"msgId":"m"}"#, "the field `conversationId` is missing or empty"),
        (
            r#"{"msgId":"m","conversationId":"c"}"#,
            "the field `conversationType` is missing or empty",
        ),
        (
            r#"{"msgId":"m","conversationId":"c","conversationType":"3"}"#,
            "the field `conversationType` is `3`; expected `1` or `2`",
        ),
        (&"[".repeat(10_000), "the data is not a JSON object"),
        (r#"{"a":"\ud800"}"#, "the data is not a JSON object"),
    ] {
        assert_eq!(robot_message(data).unwrap_err().to_string(), message);
    }
    assert_eq!(
        parse(r#"{"msgId":1,"conversationId":"c","conversationType":1}"#).kind,
        Kind::Unknown
    );
}

#[test]
fn every_answer_has_one_meaning() {
    let table: String = [
        ("api_token_error_400", 400),
        ("api_token_legacy_error", 200),
        ("stream_open_error_401", 401),
        ("stream_open_error_400", 400),
        ("api_error_invalid_token", 400),
        ("api_error_missing_token", 400),
        ("api_error_permission_403", 403),
        ("api_error_qps_403", 403),
        ("api_error_ip_403", 403),
        ("api_error_ip_banned", 200),
        ("api_error_system_busy", 500),
        ("api_error_gateway_timeout", 504),
        ("api_error_legacy_invalid_token", 200),
        ("api_error_legacy_permission", 200),
        ("api_error_legacy_timeout", 200),
        ("api_webhook_response_session_expired", 200),
        ("api_webhook_response_rate_limited", 200),
        ("api_webhook_response_too_long", 200),
        ("api_webhook_response_token_missing", 200),
        ("api_webhook_response_markdown_title_missing", 200),
        ("api_webhook_response_sign_mismatch", 200),
        ("api_send_error_robot_missing", 400),
        ("api_message_file_download_error", 400),
        ("api_message_file_download_error_expired", 400),
        ("api_media_upload_error_size", 200),
        ("api_card_error_not_exist", 400),
        ("api_card_error_update_not_exist", 400),
        ("api_card_error_already_exist", 400),
        ("api_card_error_content_unsafe", 400),
        ("api_card_error_template_key", 500),
    ]
    .iter()
    .map(|(name, status)| {
        let error = classify("call", *status, fixture(name).as_bytes()).unwrap_err();
        format!("{name} {status}: {:?} transient={}\n", error.class, error.is_transient())
    })
    .collect();
    insta::assert_snapshot!(table, @r#"
    api_token_error_400 400: Credentials transient=false
    api_token_legacy_error 200: Credentials transient=false
    stream_open_error_401 401: Credentials transient=false
    stream_open_error_400 400: Permanent transient=false
    api_error_invalid_token 400: Token transient=true
    api_error_missing_token 400: Token transient=true
    api_error_permission_403 403: Scope(["Card.Streaming.Write"]) transient=false
    api_error_qps_403 403: Throttled transient=true
    api_error_ip_403 403: IpNotAllowed transient=false
    api_error_ip_banned 200: Throttled transient=true
    api_error_system_busy 500: Transient transient=true
    api_error_gateway_timeout 504: Transient transient=true
    api_error_legacy_invalid_token 200: Token transient=true
    api_error_legacy_permission 200: Scope(["qyapi_get_member"]) transient=false
    api_error_legacy_timeout 200: Transient transient=true
    api_webhook_response_session_expired 200: Gone transient=false
    api_webhook_response_rate_limited 200: Throttled transient=true
    api_webhook_response_too_long 200: TooLarge transient=false
    api_webhook_response_token_missing 200: Gone transient=false
    api_webhook_response_markdown_title_missing 200: Permanent transient=false
    api_webhook_response_sign_mismatch 200: Rejected transient=false
    api_send_error_robot_missing 400: Gone transient=false
    api_message_file_download_error 400: Permanent transient=false
    api_message_file_download_error_expired 400: Gone transient=false
    api_media_upload_error_size 200: TooLarge transient=false
    api_card_error_not_exist 400: Gone transient=false
    api_card_error_update_not_exist 400: Gone transient=false
    api_card_error_already_exist 400: Permanent transient=false
    api_card_error_content_unsafe 400: Rejected transient=false
    api_card_error_template_key 500: Transient transient=true
    "#);
}

#[test]
fn answers_without_a_fixture_have_a_meaning_too() {
    for (status, body, class) in [
        (200, r#"{"errcode":-1,"errmsg":"busy"}"#, Class::Transient),
        (200, r#"{"errcode":"90018"}"#, Class::Throttled),
        (200, r#"{"errcode":90020}"#, Class::Quota),
        (200, r#"{"errcode":42001}"#, Class::Token),
        (200, r#"{"errcode":404,"errmsg":"no such path"}"#, Class::Permanent),
        (200, r#"{"success":false,"code":"param.cardNotExist"}"#, Class::Gone),
        (200, r#"{"success":false}"#, Class::Permanent),
        (200, "<html>blocked</html>", Class::Transient),
        (200, "", Class::Transient),
        (403, "<html>blocked</html>", Class::Transient),
        (429, "slow down", Class::Throttled),
        (429, "{}", Class::Throttled),
        (503, "{}", Class::Transient),
        (401, "{}", Class::Token),
        (
            403,
            r#"{"Code":"Forbidden.AccessDenied.QpmLimitForSuitekeyAndOrgAndApi"}"#,
            Class::Throttled,
        ),
        (403, r#"{"code":"Forbidden.AccessDenied.ApiCountLimitForOrg"}"#, Class::Quota),
        (400, r#"{"code":"invalidParameter.msgParam.tooLong"}"#, Class::TooLarge),
        (400, r#"{"code":"contain.notAllowed.picture"}"#, Class::Rejected),
        (400, r#"{"code":7,"message":[]}"#, Class::Permanent),
    ] {
        let error = classify("call", status, body.as_bytes()).unwrap_err();
        assert_eq!(error.class, class, "{status} {body}");
    }
    for name in names("api_")
        .iter()
        .filter(|name| name.ends_with("_response") || name.ends_with("response_ok"))
    {
        assert!(classify("call", 200, fixture(name).as_bytes()).is_ok(), "{name} is a success");
    }
}

#[test]
fn an_error_reads_well_and_says_what_to_do() {
    let error =
        classify("/v1.0/card/streaming", 403, fixture("api_error_permission_403").as_bytes())
            .unwrap_err();
    insta::assert_snapshot!(format!("{error}\nhint: {}", error.hint().unwrap()), @r#"
    /v1.0/card/streaming: the app lacks the permission `Card.Streaming.Write` (`Forbidden.AccessDenied.AccessTokenPermissionDenied`, request `e64a36ef-2fb4-4bc5-bbd8-80e0f54218f9`)
    hint: grant the app `Card.Streaming.Write` on open-dev.dingtalk.com, Permissions
    "#);
}
