//! Every refusal that DingTalk is known for has one meaning: the tables of its reference, row by row.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use moonbell::dingtalk::{ApiError, Class, Reach, classify};

const NO_SCOPE: Class = Class::Scope(Vec::new());

#[track_caller]
fn refused(status: u16, body: &str) -> ApiError {
    let Err(error) = classify("call", status, body.as_bytes()) else {
        panic!("{status} {body} is taken for a success");
    };
    error
}

/// The current API: an HTTP status and a code.
fn current(status: u16, code: &str) -> ApiError {
    refused(status, &format!(r#"{{"code":"{code}","message":"why","requestid":"id"}}"#))
}

/// The older one and webhooks: HTTP 200 and a number.
fn older(errcode: i64) -> ApiError {
    refused(200, &format!(r#"{{"errcode":{errcode},"errmsg":"why"}}"#))
}

/// The older one behind its gateway.
fn below_88(sub_code: &str) -> ApiError {
    refused(
        200,
        &format!(r#"{{"errcode":88,"sub_code":"{sub_code}","sub_msg":"why","errmsg":"x"}}"#),
    )
}

#[track_caller]
fn all(class: &Class, errors: impl IntoIterator<Item = ApiError>) {
    for error in errors {
        assert_eq!(error.class, *class, "{error}");
    }
}

#[test]
fn credentials_tokens_permissions_and_addresses() {
    all(
        &Class::Credentials,
        [
            current(400, "invalidClientIdOrSecret"),
            older(40_096),
            older(40_089),
            current(400, "invalid.client"),
            current(401, "unauthorized.client"),
            current(401, "authFailed"),
        ],
    );
    all(
        &Class::Token,
        [
            current(400, "InvalidAuthentication"),
            current(401, "InvalidAuthentication"),
            current(400, "invalidAccessToken"),
            current(400, "accesstoken.expired"),
            current(400, "AuthenticationFailed.MissingParameter"),
            current(401, "anything"),
            older(40_014),
            older(42_001),
            below_88("40014"),
            below_88("40000"),
        ],
    );
    all(
        &NO_SCOPE,
        [current(403, "Forbidden.AccessDenied.AccessTokenPermissionDenied"), below_88("60011")],
    );
    let named = Class::Scope(vec!["a".to_owned(), "b".to_owned()]);
    for detail in ["accessdenieddetail", "AccessDeniedDetail"] {
        let body = format!(
            r#"{{"Code":"Forbidden.AccessDenied.AccessTokenPermissionDenied","{detail}":{{"requiredScopes":["a","b"]}}}}"#
        );
        all(&named, [refused(403, &body)]);
    }
    all(
        &named,
        [refused(
            200,
            r#"{"errcode":88,"sub_code":"60011","sub_msg":"no: {requiredScopes=[a, b]}"}"#,
        )],
    );
    all(
        &Class::IpNotAllowed,
        [current(403, "Forbidden.AccessDenied.IpNotInWhiteList"), older(60_020), below_88("60020")],
    );
}

#[test]
fn throttling_is_told_from_permissions_quotas_and_faults() {
    let app = [
        current(403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"),
        current(403, "Forbidden.AccessDenied.QpsLimitForApi"),
        current(403, "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi"),
        current(403, "Forbidden.AccessDenied.QpmLimitForSuitekeyAndOrgAndApi"),
        current(429, "system.busy"),
        older(90_018),
        older(90_002),
        current(400, "send.too.fast"),
    ];
    for error in &app {
        assert_eq!((error.reach(), error.is_transient()), (Reach::App, true), "{error}");
        assert!(error.retry_after.unwrap().as_secs() >= 1, "at least a second: {error}");
    }
    all(&Class::Throttled, app);
    let chat =
        [older(130_101), older(660_026), older(410_100), current(400, "send.byToken.tooFast")];
    for error in &chat {
        assert_eq!(error.reach(), Reach::Chat, "{error}");
    }
    all(&Class::Throttled, chat);
    let ban = refused(200, r#"{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"u"}"#);
    assert_eq!((ban.reach(), ban.retry_after.unwrap().as_secs()), (Reach::Computer, 300));
    all(&Class::Throttled, [ban]);
    all(
        &Class::Quota,
        [
            current(403, "Forbidden.AccessDenied.ApiCountLimitForOrg"),
            older(90_020),
            below_88("90020"),
        ],
    );
    all(
        &Class::Transient,
        [
            current(500, "system.busy"),
            current(500, "systemBusy"),
            current(500, "system.error"),
            current(500, "unknownError"),
            current(504, "ServiceTimeout"),
            older(-1),
            older(15),
            below_88(""),
            refused(200, "<html>blocked</html>"),
            refused(403, "<html>blocked</html>"),
            refused(502, "<html>Bad Gateway</html>"),
            refused(503, ""),
            refused(200, "[]"),
        ],
    );
    // Nobody knows whether these were done: they are not repeated on another path.
    for error in [current(504, "ServiceTimeout"), older(15), refused(502, "<html></html>")] {
        assert!(error.outcome_unknown(), "{error}");
    }
    assert!(!current(500, "system.busy").outcome_unknown());
}

#[test]
fn webhooks() {
    all(&Class::Gone, [300_001, 300_005, 400_013, 400_101, 400_102, 400_106].map(older));
    all(&Class::TooLarge, [460_101, 101_002].map(older));
    all(&Class::Permanent, [40_035, 43_002, 43_004, 400_105, 400_402, 404].map(older));
    all(&Class::Rejected, [310_000, 430_101, 430_102, 430_103, 430_104].map(older));
}

#[test]
fn sends_as_the_robot_and_uploads() {
    all(
        &Class::Permanent,
        [
            "invalidParameter.robotCode.empty",
            "invalidParameter.robotCode.auth",
            "invalidParameter.robotCode.invalid",
            "invalidParameter.robotCode.coolApp",
            "invalidParameter.userIds.empty",
            "invalidParameter.userIds.overMax",
            "invalidParameter.msgKey.empty",
            "invalidParameter.msgKey.invalid",
            "invalidParameter.msgParam.invalid",
            "invalidParameter.msg.unsupport",
            "miss.openConversationId",
            "template.stopped",
            "template.not.existed",
            "chatbotId.notAllow.sendOTO",
            "too.many.people",
            "too.many.group",
            "miss.param.content",
        ]
        .map(|code| current(400, code)),
    );
    all(
        &Class::Gone,
        [
            "invalidParameter.robotCode.notExsit",
            "invalid.openConversationId",
            "group.disbanded",
            "bot.stopped",
            "bot.forbidden.sendMessage",
            "resource.not.found",
            "staffId.notExisted",
            "robot.oto.notExist",
            "session.notExisted",
            "session.expired",
        ]
        .map(|code| current(400, code)),
    );
    all(
        &Class::TooLarge,
        [current(400, "invalidParameter.msgParam.tooLong"), older(40_006), current(413, "x")],
    );
    all(
        &Class::Rejected,
        ["contain.notAllowed.text", "contain.notAllowed.picture", "contain.notAllowed.content"]
            .map(|code| current(400, code)),
    );
    all(&Class::Permanent, [older(40_004), older(40_005)]);
    all(&Class::Gone, [older(40_007)]);
}

#[test]
fn cards() {
    all(
        &Class::Permanent,
        [
            "param.empty",
            "param.outTrackIdEmpty",
            "outTrackId.outOfLimit",
            "param.openSpaceIdEmpty",
            "param.openSpaceIdInvalid",
            "param.openDeliverModelEmpty",
            "param.openDeliverModelError",
            "param.openSpaceModelInvalid",
            "param.cardTemplateIdEmpty",
            "param.cardPublicDataEmpty",
            "param.userIdEmpty",
            "param.userIdNotExist",
            "param.invalid",
            "param.templateNotExist",
            "param.templateUnpublished",
            "param.cardAlreadyExist",
            "param.dynamicDataSourceEmpty",
            "param.dynamicSourceEmpty",
            "param.stream.keyEmpty",
            "param.stream.contentEmpty",
            "param.stream.guidEmpty",
            "param.stream.isFull",
            "param.cardDataAndPrivateDataBothEmpty",
        ]
        .map(|code| current(400, code)),
    );
    all(
        &Class::Gone,
        ["param.cardNotExist", "param.stream.outTrackId"].map(|code| current(400, code)),
    );
    all(&Class::TooLarge, [current(400, "param.stream.content")]);
    all(&Class::Rejected, [current(400, "param.contentUnsafe")]);
    all(&Class::Transient, [current(500, "system.busy")]);
}

#[test]
fn a_status_of_200_alone_is_no_success() {
    for body in [
        r#"{"success":false}"#,
        r#"{"success":true,"result":false}"#,
        r#"{"success":false,"code":"param.invalid"}"#,
        r#"{"errcode":1}"#,
        r#"{"errcode":"1"}"#,
    ] {
        all(&Class::Permanent, [refused(200, body)]);
    }
    for body in [
        r#"{"errcode":0,"errmsg":"ok"}"#,
        r#"{"success":true,"result":true}"#,
        r#"{"processQueryKey":"k"}"#,
        "{}",
    ] {
        assert!(classify("call", 200, body.as_bytes()).is_ok(), "{body}");
    }
}
