//! What DingTalk's answers mean, decided in one place.
//!
//! The HTTP status alone says little: the legacy API reports failures as 200 with an `errcode`, throttling comes as
//! 403 beside missing permissions, an expired token as 400, and the gateway may answer with a page of HTML. Codes are
//! therefore looked at first, throttling before permission, and the status last.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::lenient::{integer, text};
use super::redact::redact;
use crate::words::Lang;
use crate::words::dingtalk as says;
use crate::words::network;

/// What a failed call means for the caller; each class has one reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Too many calls; nothing was executed. Wait, then repeat.
    Throttled,
    /// The monthly budget of calls is used up. Waiting a moment does not help.
    Quota,
    /// The access token is expired or unknown. The client fetches a new one and repeats the call once by itself.
    Token,
    /// Client id and secret do not fit.
    Credentials,
    /// The app lacks these permissions; empty when DingTalk does not name them.
    Scope(Vec<String>),
    /// The address of this computer is not on the app's allow-list.
    IpNotAllowed,
    /// What was addressed (session, card, group, robot, file) does not exist any more: take another path.
    Gone,
    /// Over a size limit.
    TooLarge,
    /// The content was refused by review or by the robot's security settings.
    Rejected,
    /// A passing fault: busy, timeout, no connection, a gateway's page.
    Transient,
    /// Wrong, and wrong again when repeated.
    Permanent,
}

/// Why a call to DingTalk failed. `Display` is what the operator reads; it holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// What was called, without query.
    pub endpoint: &'static str,
    pub class: Class,
    /// DingTalk's code, or one word of ours (`timeout`, `connect`, `gateway`).
    pub code: String,
    pub message: String,
    pub request_id: Option<Box<String>>,
    /// How long to wait before a repetition makes sense, where the answer says or the limit is known.
    pub retry_after: Option<Duration>,
    /// The page where the owner mends it.
    pub page: Option<Box<String>>,
}

/// How far "too many calls" reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One conversation or person; others are counted apart.
    Chat,
    /// This app: everything it sends.
    App,
    /// The address of this computer: no call of any kind is answered.
    Computer,
}

impl std::error::Error for ApiError {}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

impl ApiError {
    /// The code of a call that was not made, because the ledger has no room for it.
    pub const BUDGET: &str = "budget";

    /// A failure that this side noticed, without an answer to classify.
    pub fn local(
        endpoint: &'static str,
        class: Class,
        code: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            endpoint,
            class,
            code: code.to_owned(),
            message: message.into(),
            request_id: None,
            retry_after: None,
            page: None,
        }
    }

    /// Of a throttled call: what else would be throttled now.
    pub fn reach(&self) -> Reach {
        match self.code.as_str() {
            "1111" => Reach::Computer,
            "130101" | "660026" | "410100" | "flow-controlled" | "send.byToken.tooFast" => {
                Reach::Chat
            }
            _ => Reach::App,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.class, Class::Throttled | Class::Transient | Class::Token)
    }

    /// Whether the same call may succeed some day, without anybody changing it: also once the month has turned.
    pub fn is_passing(&self) -> bool {
        self.is_transient() || self.class == Class::Quota
    }

    /// Whether the call may have been executed although it failed: repeating it can say a thing twice.
    pub fn outcome_unknown(&self) -> bool {
        matches!(self.code.as_str(), "timeout" | "broken" | "gateway" | "ServiceTimeout" | "15")
    }

    /// Whether the call was made and DingTalk's answer did not come: it may well have been executed. (A gateway's page is
    /// not counted: almost always the call never got through it.)
    pub fn was_not_answered(&self) -> bool {
        matches!(self.code.as_str(), "timeout" | "broken" | "ServiceTimeout" | "15")
    }

    /// What failed, in the language of whoever reads it; what DingTalk said of it stays as it is.
    pub fn text(&self, lang: Lang) -> String {
        let what = match &self.class {
            Class::Scope(scopes) if !scopes.is_empty() => {
                network::lacks_permission(&scopes.join("`, `"), lang)
            }
            _ if self.message.is_empty() => network::call_failed(lang).to_owned(),
            _ => self.message_in(lang),
        };
        match &self.request_id {
            Some(id) => network::of_request(self.endpoint, &what, &self.code, id, lang),
            None => network::of_call(self.endpoint, &what, &self.code, lang),
        }
    }

    /// Its message alone; DingTalk's own words stay as they are.
    pub fn message_in(&self, lang: Lang) -> String {
        network::retold(&self.message, lang)
    }

    /// The operator's next step, printed under the error as `hint: …`.
    pub fn hint(&self) -> Option<String> {
        self.hint_in(Lang::En)
    }

    /// The same, where it is said to the owner.
    pub fn hint_in(&self, lang: Lang) -> Option<String> {
        let hint = match &self.class {
            Class::Throttled if self.reach() == Reach::Computer => says::banned(lang),
            Class::Throttled => says::throttled(lang),
            Class::Quota if self.code == Self::BUDGET => says::over_budget(lang),
            Class::Quota => says::used_up(lang),
            Class::Credentials => says::credentials(lang),
            Class::Scope(scopes) => {
                let what = match scopes.as_slice() {
                    [] => says::the_permission(lang).to_owned(),
                    scopes => format!("`{}`", scopes.join("`, `")),
                };
                return Some(match &self.page {
                    Some(page) => says::grant_at(&what, page, lang),
                    None => says::grant(&what, lang),
                });
            }
            Class::Permanent if self.code.eq_ignore_ascii_case("chatbotId.notAllow.sendOTO") => {
                says::enable_the_robot(lang)
            }
            Class::IpNotAllowed => says::not_on_the_list(lang),
            Class::TooLarge => says::too_large(lang),
            Class::Rejected => says::rejected(lang),
            Class::Permanent if self.code == "template-key" => says::template_key(lang),
            Class::Permanent if self.code.starts_with("param.template") => says::template(lang),
            Class::Token | Class::Gone | Class::Transient | Class::Permanent => return None,
        };
        Some(hint.to_owned())
    }
}

/// Decides what an answer means: the body of a success, or a classified error.
///
/// # Errors
/// [`ApiError`] for everything that is not a success: a status over 299, an `errcode`, `success: false`, no JSON.
pub fn classify(endpoint: &'static str, status: u16, body: &[u8]) -> Result<Value, ApiError> {
    let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(body) else {
        return Err(not_json(endpoint, status));
    };
    let answer = Answer::read(&object);
    if (200..300).contains(&status) && answer.is_success() {
        return Ok(Value::Object(object));
    }
    let class = class_of(status, &answer);
    let retry_after = match class {
        // Limits are per second, but a client that comes back after exactly one is throttled again.
        Class::Throttled if answer.banned => Some(Duration::from_mins(5)),
        Class::Throttled if matches!(answer.code.as_str(), "130101" | "660026" | "410100") => {
            Some(Duration::from_mins(1))
        }
        Class::Throttled if code_has(&answer, "qpm") => Some(Duration::from_mins(1)),
        Class::Throttled => Some(Duration::from_secs(2)),
        _ => None,
    };
    Err(ApiError {
        endpoint,
        class,
        code: answer.code,
        message: redact(&answer.message),
        request_id: answer.request_id.map(Box::new),
        retry_after,
        page: None,
    })
}

/// A proxy, the edge or nobody answered, not the API.
fn not_json(endpoint: &'static str, status: u16) -> ApiError {
    let class = if status == 429 { Class::Throttled } else { Class::Transient };
    let message = network::gateway(&status.to_string(), Lang::En);
    ApiError {
        retry_after: Some(Duration::from_secs(2)),
        ..ApiError::local(endpoint, class, "gateway", message)
    }
}

/// The parts of an answer that decide, read without regard to upper and lower case of their keys.
struct Answer {
    code: String,
    message: String,
    request_id: Option<String>,
    scopes: Vec<String>,
    errcode: Option<i64>,
    success: Option<bool>,
    /// Of card updates: `true` when it was done.
    result: Option<bool>,
    banned: bool,
}

impl Answer {
    fn read(object: &Map<String, Value>) -> Self {
        let get = |names: &[&str]| {
            object
                .iter()
                .find(|(key, _)| names.iter().any(|name| key.eq_ignore_ascii_case(name)))
                .map(|(_, v)| v)
        };
        let errcode = get(&["errcode"]).and_then(integer);
        let sub_code = get(&["sub_code"]).and_then(text).filter(|code| !code.is_empty());
        // 1111 with a punishment is the gateway's ban of an address; a plain `status` field means nothing.
        let banned = get(&["status"]).and_then(integer) == Some(1111) && get(&["punish"]).is_some();
        let code = match (errcode, sub_code, get(&["code"]).and_then(text)) {
            (Some(88 | 15), Some(sub), _) => sub,
            (Some(code), ..) if code != 0 => code.to_string(),
            (_, _, Some(code)) => code,
            _ if banned => "1111".to_owned(),
            _ => String::new(),
        };
        let message = get(&["sub_msg"])
            .or_else(|| get(&["errmsg"]))
            .or_else(|| get(&["message"]))
            .or_else(|| get(&["errorMsg"]))
            .and_then(text)
            .unwrap_or_default();
        let mut scopes: Vec<String> = get(&["accessdenieddetail"])
            .and_then(|detail| detail.get("requiredScopes"))
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(text).collect())
            .unwrap_or_default();
        if scopes.is_empty() {
            scopes = scopes_in(&message);
        }
        Self {
            code,
            message,
            request_id: get(&["requestid", "request_id"])
                .and_then(text)
                .filter(|id| !id.is_empty()),
            scopes,
            errcode,
            success: get(&["success"]).and_then(Value::as_bool),
            result: get(&["result"]).and_then(Value::as_bool),
            banned,
        }
    }

    fn is_success(&self) -> bool {
        self.errcode.is_none_or(|code| code == 0)
            && self.success != Some(false)
            && self.result != Some(false)
            && !self.banned
    }
}

/// The legacy API names scopes only inside the text: `{requiredScopes=[a, b]}`.
fn scopes_in(message: &str) -> Vec<String> {
    let Some((_, rest)) = message.split_once("requiredScopes=[") else { return Vec::new() };
    let list = rest.split(']').next().unwrap_or_default();
    list.split(',').map(|scope| scope.trim().to_owned()).filter(|scope| !scope.is_empty()).collect()
}

fn code_has(answer: &Answer, part: &str) -> bool {
    answer.code.to_ascii_lowercase().contains(part)
}

fn class_of(status: u16, answer: &Answer) -> Class {
    let code = answer.code.to_ascii_lowercase();
    let code = code.as_str();
    // Throttling and quota come as `Forbidden.AccessDenied.…` too, so they are looked for before permissions.
    if answer.banned || status == 429 || code.contains("qpslimit") || code.contains("qpmlimit") {
        return Class::Throttled;
    }
    if code.contains("apicountlimit") {
        return Class::Quota;
    }
    match code {
        "90002"
        | "90018"
        | "130101"
        | "660026"
        | "410100"
        | "send.too.fast"
        | "send.bytoken.toofast" => Class::Throttled,
        "90020" => Class::Quota,
        "invalidauthentication"
        | "invalidaccesstoken"
        | "accesstoken.expired"
        | "40000"
        | "40001"
        | "40014"
        | "42001"
        | "authenticationfailed.missingparameter" => Class::Token,
        "authfailed"
        | "invalidclientidorsecret"
        | "40089"
        | "40096"
        | "invalid.client"
        | "unauthorized.client" => Class::Credentials,
        "60011" => Class::Scope(answer.scopes.clone()),
        "60020" => Class::IpNotAllowed,
        "300001"
        | "300005"
        | "400013"
        | "400101"
        | "400102"
        | "400106"
        | "40007"
        | "session.notexisted"
        | "session.expired"
        | "group.disbanded"
        | "invalid.openconversationid"
        | "bot.stopped"
        | "bot.forbidden.sendmessage"
        | "resource.not.found"
        | "staffid.notexisted"
        | "robot.oto.notexist"
        | "param.cardnotexist"
        | "param.stream.outtrackid"
        | "invalidparameter.robotcode.downloadcode"
        | "invalidparameter.robotcode.notexsit" => Class::Gone,
        "460101"
        | "101002"
        | "40006"
        | "invalidparameter.msgparam.toolong"
        | "param.stream.content" => Class::TooLarge,
        // A variable of a card.
        "param.invalid" if answer.message.contains("too large") => Class::TooLarge,
        "param.contentunsafe" | "310000" | "430101" | "430102" | "430103" | "430104" => {
            Class::Rejected
        }
        "-1" | "15" | "88" | "system.busy" | "systembusy" | "system.error" | "servicetimeout" => {
            Class::Transient
        }
        _ if code.starts_with("isp.") || code.starts_with("system.") => Class::Transient,
        _ if code.starts_with("contain.notallowed") => Class::Rejected,
        _ if code.contains("accesstokenpermissiondenied") => Class::Scope(answer.scopes.clone()),
        _ if code.contains("ipnotinwhitelist") => Class::IpNotAllowed,
        _ if !answer.scopes.is_empty() => Class::Scope(answer.scopes.clone()),
        _ => match status {
            401 => Class::Token,
            404 | 410 => Class::Gone,
            413 => Class::TooLarge,
            408 | 425 | 500..=599 => Class::Transient,
            _ => Class::Permanent,
        },
    }
}
