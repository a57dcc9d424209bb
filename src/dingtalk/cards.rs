//! AI cards: create and deliver, stream, finish, for the two families of templates that exist.
//!
//! Family A drives its look by the streaming calls alone. Family B (the public templates that older connectors use)
//! must also be told its state in `flowStatus`: "inputing" before the first frame, "finished" after the last, or it
//! thinks forever. The caller coalesces and retries; with one `guid` per frame a repetition is harmless.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::error::{ApiError, Class};
use crate::message::{Address, ChatKind};
use crate::words;
use crate::words::Lang;

const CREATE: &str = "/v1.0/card/instances/createAndDeliver";
const UPDATE: &str = "/v1.0/card/instances";
pub(super) const STREAM: &str = "/v1.0/card/streaming";

/// Values longer than this are not known to work; the caller keeps the tail and continues elsewhere.
pub(super) const CARD_LIMIT_BYTES: usize = 20_000;

/// Variables that say whether the Stop button is shown, as "true" or "false". Templates ignore what they do not know;
/// these two are what published ones ask for.
const STOP_VARIABLES: [&str; 2] = ["stop_action", "hasAction"];

/// Public templates that follow `flowStatus`; everything else drives itself by streaming.
const FLOW_STATUS_TEMPLATES: [&str; 3] = [
    "382e4302-551d-4880-bf29-a30acfab2e71.schema",
    "02fcf2f4-5e02-4a85-b672-46d1f715543e.schema",
    "675cde2f-f526-40cb-b828-f5b2b57b8b77.schema",
];

/// How a template learns its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// By the streaming calls.
    A,
    /// By the variable `flowStatus`.
    B,
}

impl Family {
    pub fn of(template: &str) -> Self {
        if FLOW_STATUS_TEMPLATES.contains(&template) { Self::B } else { Self::A }
    }
}

/// A button by which a question is answered: what it says, and the key that its callback sends back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    pub label: String,
    pub action: String,
}

/// Which card, of which template, and the variable of it that streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Chosen by the host (`outTrackId`), at most 64 characters.
    pub id: String,
    pub template: String,
    pub key: String,
    /// Whether the template has a Stop button, which is shown until the card ends.
    pub stop: bool,
    /// The buttons that answer it, until it ends.
    pub buttons: Vec<Button>,
    /// How many such buttons its template has; 0 where none of them was ever shown.
    pub places: usize,
}

/// What a streamed frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// More will come.
    Typing,
    /// The last frame: the card is finished.
    Done,
    /// The last frame: the card shows a failure.
    Failed,
}

impl Client {
    /// Creates `card` and puts it into the chat `to`, showing `text`. The notice of it is in `lang`.
    ///
    /// # Errors
    /// Also when the card was created but not delivered, which DingTalk reports as a success.
    pub async fn create_and_deliver(
        &self,
        card: &Card,
        to: &Address,
        text: &str,
        lang: Lang,
    ) -> Result<(), ApiError> {
        let space = Space::of(card, to)?;
        // A family B card without text is blank until its first update.
        let text = if card.family() == Family::B && text.trim().is_empty() { "…" } else { text };
        let robot = self.robot_code(to.robot_code.as_deref());
        let mut request = create_request(card, &space, robot, text, lang);
        self.clicks().say(&mut request);
        match self.api(Method::POST, CREATE, &request).await {
            Ok(answer) => check_delivery(&answer),
            // Ids are never reused, so an earlier try went through although its answer was lost.
            Err(error) if error.code == "param.cardAlreadyExist" => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tells a card that typing begins. Only family B needs it, before its first frame.
    ///
    /// # Errors
    /// As classified from the answer.
    pub async fn begin_card(&self, card: &Card, text: &str) -> Result<(), ApiError> {
        match card.family() {
            Family::A => Ok(()),
            Family::B => self.put_card(UPDATE, update_request(card, "2", text)).await,
        }
    }

    /// Streams the whole text so far. `guid` names this frame: the same when it is repeated, new for the next.
    ///
    /// # Errors
    /// As classified from the answer.
    pub async fn stream_card(
        &self,
        card: &Card,
        guid: &str,
        text: &str,
        phase: Phase,
    ) -> Result<(), ApiError> {
        // Measured as it travels.
        let size_bytes = serde_json::to_string(text).map_or(0, |json| json.len() - 2);
        if size_bytes > CARD_LIMIT_BYTES {
            let message = format!(
                "the text of the card is {size_bytes} bytes; at most {CARD_LIMIT_BYTES} work"
            );
            return Err(ApiError::local(STREAM, Class::TooLarge, "too-large", message));
        }
        let client = self.ending(phase);
        client.put_card(STREAM, stream_request(card, guid, text, phase)).await.map_err(|error| {
            if error.code == "unknownError" {
                // What DingTalk says of a variable that the template does not have.
                let message = format!("the template has no streaming variable `{}`", card.key);
                return ApiError {
                    class: Class::Permanent,
                    code: "template-key".to_owned(),
                    message,
                    ..error
                };
            }
            error
        })
    }

    /// Sets the end state after the last frame. Only family B needs it.
    ///
    /// # Errors
    /// As classified from the answer.
    pub async fn end_card(&self, card: &Card, text: &str, phase: Phase) -> Result<(), ApiError> {
        let client = self.ending(phase);
        match (card.family(), phase) {
            (Family::A, _) | (Family::B, Phase::Typing) => Ok(()),
            (Family::B, Phase::Done) => {
                client.put_card(UPDATE, update_request(card, "3", text)).await
            }
            (Family::B, Phase::Failed) => {
                client.put_card(UPDATE, update_request(card, "5", text)).await
            }
        }
    }

    /// Takes the buttons off a card. Family B does that with the one for Stop at its end.
    ///
    /// # Errors
    /// As classified from the answer.
    pub async fn hide_buttons(&self, card: &Card) -> Result<(), ApiError> {
        let mut variables = Map::new();
        if card.stop {
            let hidden = STOP_VARIABLES.iter().map(|name| ((*name).to_owned(), json!("false")));
            variables.extend(hidden);
        }
        for place in 1..=card.places {
            variables.extend(answer_variables(place, None));
        }
        self.update_card(card, &variables).await
    }

    /// Changes variables of a card and leaves the others as they are. Values that are not text are sent as JSON text.
    ///
    /// # Errors
    /// As classified from the answer.
    pub async fn update_card(
        &self,
        card: &Card,
        variables: &Map<String, Value>,
    ) -> Result<(), ApiError> {
        let request = json!({
            "outTrackId": card.id,
            "cardData": { "cardParamMap": strings(variables) },
            "cardUpdateOptions": { "updateCardDataByKey": true },
        });
        self.put_card(UPDATE, request).await
    }

    /// A card that is in its chat is owed its end, whatever is left of the month: two calls at most.
    fn ending(&self, phase: Phase) -> Self {
        if phase == Phase::Typing { self.clone() } else { self.owed() }
    }

    async fn put_card(&self, path: &'static str, request: Value) -> Result<(), ApiError> {
        self.api(Method::PUT, path, &request).await.map(drop)
    }
}

impl Card {
    pub fn family(&self) -> Family {
        Family::of(&self.template)
    }

    /// Whether it must be told when typing begins and how it ended, in calls of their own.
    pub fn needs_beginning(&self) -> bool {
        self.family() == Family::B
    }

    /// Shows or hides the Stop button.
    fn show_stop(&self, variables: &mut Value, shown: bool) {
        if self.stop {
            for name in STOP_VARIABLES {
                variables[name] = if shown { "true" } else { "false" }.into();
            }
        }
    }
}

/// Where a card is delivered to.
struct Space {
    id: String,
    kind: ChatKind,
    owner: Option<String>,
}

impl Space {
    fn of(card: &Card, to: &Address) -> Result<Self, ApiError> {
        let refuse =
            |code, message: String| ApiError::local(CREATE, Class::Permanent, code, message);
        if card.id.is_empty() || card.id.chars().count() > 64 {
            return Err(refuse(
                "card-id",
                format!("the card id `{}` has not 1 to 64 characters", card.id),
            ));
        }
        let owner = to.staff_id.as_ref().map(ToString::to_string);
        let id = match (to.kind, &owner) {
            (ChatKind::Group, _) => format!("dtv1.card//IM_GROUP.{}", to.conversation_id),
            // The conversation id is not accepted here.
            (ChatKind::Direct, Some(person)) => format!("dtv1.card//IM_ROBOT.{person}"),
            (ChatKind::Direct, None) => {
                let message =
                    "a card in a direct chat needs the person's staff id, and this person has none";
                return Err(refuse("no-staff-id", message.to_owned()));
            }
        };
        Ok(Self { id, kind: to.kind, owner })
    }
}

fn create_request(card: &Card, space: &Space, robot_code: &str, text: &str, lang: Lang) -> Value {
    let mut variables = json!({ "config": AUTO_LAYOUT, &card.key: text });
    if card.family() == Family::B {
        variables["flowStatus"] = "1".into();
        variables["staticMsgContent"] = "".into();
        variables["sys_full_json_obj"] = order(card).into();
    }
    card.show_stop(&mut variables, true);
    for place in 1..=card.places {
        for (name, value) in answer_variables(place, card.buttons.get(place - 1)) {
            variables[name] = value;
        }
    }
    let mut request = json!({
        "cardTemplateId": card.template,
        "outTrackId": card.id,
        "cardData": { "cardParamMap": variables },
        "openSpaceId": space.id,
        "userIdType": 1,
    });
    if let Some(owner) = &space.owner {
        request["userId"] = owner.as_str().into();
    }
    let summary =
        if card.buttons.is_empty() { words::cards::working } else { words::approvals::waiting };
    let model = json!({
        "supportForward": true,
        "lastMessageI18n": {
            "ZH_CN": summary(Lang::Zh),
            "EN_US": summary(Lang::En),
        },
        "notification": { "alertContent": words::cards::answering(lang), "notificationOff": false },
    });
    match space.kind {
        ChatKind::Group => {
            request["imGroupOpenSpaceModel"] = model;
            request["imGroupOpenDeliverModel"] = json!({ "robotCode": robot_code });
        }
        ChatKind::Direct => {
            request["imRobotOpenSpaceModel"] = model;
            request["imRobotOpenDeliverModel"] = json!({
                "spaceType": "IM_ROBOT",
                "robotCode": robot_code,
                "extension": { "dynamicSummary": "true" },
            });
        }
    }
    request
}

/// What the button in a place of the template shows and sends; no button: nothing, and it is hidden.
fn answer_variables(place: usize, button: Option<&Button>) -> [(String, Value); 2] {
    let (label, action) =
        button.map_or(("", ""), |button| (button.label.as_str(), button.action.as_str()));
    [(format!("button_{place}"), json!(label)), (format!("action_{place}"), json!(action))]
}

const AUTO_LAYOUT: &str = r#"{"autoLayout":true}"#;

fn order(card: &Card) -> String {
    json!({ "order": [card.key] }).to_string()
}

fn update_request(card: &Card, flow_status: &str, text: &str) -> Value {
    let mut variables = json!({
        "flowStatus": flow_status,
        &card.key: text,
        "staticMsgContent": "",
        "sys_full_json_obj": order(card),
        "config": AUTO_LAYOUT,
    });
    card.show_stop(&mut variables, flow_status == "2");
    json!({
        "outTrackId": card.id,
        "cardData": { "cardParamMap": variables },
        // Without it every variable that is not named here is wiped.
        "cardUpdateOptions": { "updateCardDataByKey": true },
    })
}

fn stream_request(card: &Card, guid: &str, text: &str, phase: Phase) -> Value {
    // Newlines at the end of an unfinished text flicker as empty lines.
    let text = if phase == Phase::Typing { text.trim_end_matches('\n') } else { text };
    json!({
        "outTrackId": card.id,
        "guid": guid,
        "key": card.key,
        "content": text,
        "isFull": true,
        "isFinalize": phase == Phase::Done,
        "isError": phase == Phase::Failed,
    })
}

/// Template variables are text only; anything else is refused by DingTalk.
fn strings(variables: &Map<String, Value>) -> Map<String, Value> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    variables.iter().map(|(key, value)| (key.clone(), Value::String(text(value)))).collect()
}

/// A failed delivery is reported inside of a success.
fn check_delivery(answer: &Value) -> Result<(), ApiError> {
    let results = answer.pointer("/result/deliverResults").and_then(Value::as_array);
    let Some(failed) =
        results.into_iter().flatten().find(|one| one.get("success") != Some(&Value::Bool(true)))
    else {
        return Ok(());
    };
    let why = failed
        .get("errorMsg")
        .and_then(Value::as_str)
        .filter(|why| !why.is_empty())
        .unwrap_or("no reason given");
    let message = format!("the card was not delivered: {}", super::redact::redact(why));
    Err(ApiError::local(CREATE, Class::Permanent, "not-delivered", message))
}

#[cfg(test)]
mod tests {
    use super::super::clicks::Clicks;
    use super::*;
    use crate::message::{ConversationId, StaffId};

    fn fixture(name: &str) -> Value {
        let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn card(id: &str) -> Card {
        Card {
            id: id.to_owned(),
            template: FLOW_STATUS_TEMPLATES[1].to_owned(),
            key: "msgContent".to_owned(),
            ..Card::default()
        }
    }

    fn address(kind: ChatKind) -> Address {
        Address {
            conversation_id: ConversationId::new("cidGrpFixture0000001abcDEF=="),
            kind,
            staff_id: Some(StaffId::new("manager4220")),
            robot_code: None,
            webhook: None,
        }
    }

    fn create(card: &Card, kind: ChatKind) -> Value {
        let space = Space::of(card, &address(kind)).unwrap();
        let mut request = create_request(card, &space, "dingfixturebot000001", "", Lang::Zh);
        Clicks::Stream.say(&mut request);
        // The samples have one language only.
        for model in ["imGroupOpenSpaceModel", "imRobotOpenSpaceModel"] {
            if let Some(texts) = request.pointer_mut(&format!("/{model}/lastMessageI18n")) {
                assert!(texts.as_object_mut().unwrap().remove("EN_US").is_some());
            }
        }
        request
    }

    #[test]
    fn cards_are_created_as_documented() {
        let group = create(&card("fixture_1767852000000_a1b2c3d4"), ChatKind::Group);
        assert_eq!(group, fixture("api_card_create_and_deliver_group_request"));

        let mut robot = create(&card("fixture_1767852000000_a1b2c3d4p"), ChatKind::Direct);
        // The sample leaves out two variables that the group's one has; they do no harm.
        let variables = robot["cardData"]["cardParamMap"].as_object_mut().unwrap();
        assert!(
            variables.remove("staticMsgContent").is_some()
                && variables.remove("sys_full_json_obj").is_some()
        );
        assert_eq!(robot, fixture("api_card_create_and_deliver_robot_request"));
    }

    #[test]
    fn frames_and_updates_are_as_documented() {
        let card = card("fixture_1767852000000_a1b2c3d4");
        let guid = "5c1f2a7e-0001-4a51-8b62-000000000001";
        assert_eq!(
            stream_request(&card, guid, "正在分析\n", Phase::Typing),
            fixture("api_card_streaming_request")
        );
        let guid = "5c1f2a7e-0001-4a51-8b62-000000000009";
        let last = stream_request(&card, guid, "正在分析……完成", Phase::Done);
        assert_eq!(last, fixture("api_card_streaming_finalize_request"));
        let finished = update_request(&card, "3", "正在分析……完成");
        assert_eq!(finished, fixture("api_card_update_finished_request"));
        let mut inputing = update_request(&card, "2", "正在");
        assert!(inputing.as_object_mut().unwrap().remove("cardUpdateOptions").is_some());
        assert_eq!(inputing, fixture("api_card_update_inputing_request"));
    }

    #[test]
    fn a_template_of_ones_own_gets_no_flow_status() {
        let own = Card { template: "11111111-2222.schema".to_owned(), ..card("c") };
        assert_eq!(own.family(), Family::A);
        let request = create(&own, ChatKind::Group);
        assert!(request["cardData"]["cardParamMap"].get("flowStatus").is_none());
    }

    #[test]
    fn the_stop_button_is_there_until_the_end_and_only_where_the_template_has_one() {
        let button = |request: &Value| {
            let variables = &request["cardData"]["cardParamMap"];
            (variables["stop_action"].clone(), variables["hasAction"].clone())
        };
        let with = Card { stop: true, ..card("c") };
        let (on, off) = ((json!("true"), json!("true")), (json!("false"), json!("false")));
        assert_eq!(button(&create(&with, ChatKind::Group)), on);
        assert_eq!(button(&update_request(&with, "2", "")), on);
        for status in ["3", "5"] {
            assert_eq!(button(&update_request(&with, status, "")), off);
        }
        assert_eq!(button(&create(&card("c"), ChatKind::Group)), (Value::Null, Value::Null));
    }

    #[test]
    fn a_question_fills_the_places_of_its_template_and_leaves_the_others_empty() {
        let button = |label: &str| Button { label: label.to_owned(), action: format!("k-{label}") };
        let buttons = ["Approve", "Refuse"].map(button).to_vec();
        let card = Card { buttons, places: 3, ..card("c") };
        let request = create(&card, ChatKind::Group);
        let variables = &request["cardData"]["cardParamMap"];
        let place = |n: usize| {
            (variables[format!("button_{n}")].clone(), variables[format!("action_{n}")].clone())
        };
        assert_eq!(place(1), (json!("Approve"), json!("k-Approve")));
        assert_eq!(place(2), (json!("Refuse"), json!("k-Refuse")));
        assert_eq!(place(3), (json!(""), json!("")));
        assert_eq!(place(4), (Value::Null, Value::Null));
    }

    #[test]
    fn every_variable_is_text() {
        let request = create(&card("c"), ChatKind::Group);
        let variables = request["cardData"]["cardParamMap"].as_object().unwrap();
        assert!(variables.values().all(Value::is_string), "{variables:?}");
        let mixed = json!({ "n": 1, "b": true, "o": { "k": [1] }, "s": "x" });
        assert_eq!(
            Value::Object(strings(mixed.as_object().unwrap())),
            json!({ "n": "1", "b": "true", "o": "{\"k\":[1]}", "s": "x" })
        );
    }

    #[test]
    fn a_card_that_was_not_delivered_is_a_failure() {
        assert_eq!(check_delivery(&fixture("api_card_create_and_deliver_response")), Ok(()));
        let error =
            check_delivery(&fixture("api_card_create_and_deliver_response_failed")).unwrap_err();
        assert!(error.to_string().contains("spaceId is illegal"), "{error}");
        assert!(!error.is_transient());
    }

    #[test]
    fn a_direct_card_needs_a_person() {
        let nobody = Address { staff_id: None, ..address(ChatKind::Direct) };
        assert!(Space::of(&card("c"), &nobody).is_err());
        assert!(Space::of(&card(&"x".repeat(65)), &address(ChatKind::Group)).is_err());
    }
}
