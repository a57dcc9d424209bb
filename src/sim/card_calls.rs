//! The calls of `/v1.0/card`: what is checked, in which order, with which answer (protocol F).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::answer::Outcome;
use super::answer::Refusal;
use super::call::Call;
use super::call::text;
use super::cards::Card;
use super::cards::Streaming;
use super::doors::Route;
use super::faults;
use super::posts::Post;
use super::view::MessageKind;
use super::world::World;

const MAX_TRACK_ID: usize = 64;
const MAX_KEY_BYTES: usize = 100;

type Object = Map<String, Value>;

/// A place that a card is put into.
struct Space {
    kind: &'static str,
    id: String,
}

impl World {
    pub(super) fn card_create(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        let card = self.new_card(&body)?;
        let id = card.id.clone();
        self.cards.insert(id.clone(), card);
        self.trim_cards();
        self.announce_card(&id);
        Ok(json!({ "success": true, "result": id }))
    }

    pub(super) fn card_deliver(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        let id = self.existing(&body)?;
        let spaces = spaces(&body)?;
        check_deliver_models(&body, &spaces)?;
        let user_id_type = user_id_type(&body);
        let results = self.put_into(&id, &spaces, user_id_type);
        if let Some(card) = self.cards.get_mut(&id) {
            card.calls += 1;
        }
        self.announce_card(&id);
        Ok(json!({ "success": true, "result": results }))
    }

    pub(super) fn card_create_and_deliver(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        let card = self.new_card(&body)?;
        let spaces = spaces(&body)?;
        check_space_models(&body, &spaces)?;
        check_deliver_models(&body, &spaces)?;
        let id = card.id.clone();
        let user_id_type = card.user_id_type;
        self.cards.insert(id.clone(), card);
        self.trim_cards();
        let results = self.put_into(&id, &spaces, user_id_type);
        self.announce_card(&id);
        // A failed delivery is still a success on the outside.
        Ok(json!({ "success": true, "result": { "outTrackId": id, "deliverResults": results } }))
    }

    pub(super) fn card_update(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        let id = self.existing(&body)?;
        let public = body.get("cardData").and_then(Value::as_object);
        let private =
            body.get("privateData").and_then(Value::as_object).filter(|people| !people.is_empty());
        if public.is_none() && private.is_none() {
            return Err(Refusal::parameter("param.cardDataAndPrivateDataBothEmpty"));
        }
        let public = public.map(|data| self.variables(data)).transpose()?;
        let mut people = Vec::new();
        for (person, data) in private.into_iter().flatten() {
            people.push((
                person.clone(),
                self.variables(data.as_object().unwrap_or(&Object::new()))?,
            ));
        }
        let options = body.get("cardUpdateOptions").and_then(Value::as_object);
        self.change_card(&id, options, public, people);
        Ok(json!({ "success": true, "result": true }))
    }

    pub(super) fn card_stream(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        let id = text(&body, "outTrackId")
            .ok_or_else(|| Refusal::api(400, "param.stream.outTrackId", "outTrackId is empty"))?;
        let key = text(&body, "key").ok_or_else(|| Refusal::parameter("param.stream.keyEmpty"))?;
        let guid =
            text(&body, "guid").ok_or_else(|| Refusal::parameter("param.stream.guidEmpty"))?;
        let content = body.get("content").and_then(Value::as_str);
        let content = content.ok_or_else(|| Refusal::parameter("param.stream.contentEmpty"))?;
        let flag = |name: &str| body.get(name).and_then(Value::as_bool);
        // Every streaming variable here is Markdown, which is only ever sent whole.
        if flag("isFull") != Some(true) {
            return Err(Refusal::api(
                400,
                "param.stream.isFull",
                "isFull must be true for a markdown variable",
            ));
        }
        let limits = &self.options.limits;
        let Some(card) = self.cards.get_mut(id) else {
            return Err(Refusal::api(400, "param.stream.outTrackId", "card is not exist"));
        };
        if !card.template.streams.iter().any(|known| known == key) {
            return Err(Refusal::api(500, "unknownError", "未知错误"));
        }
        if content.len() > limits.card_value_bytes {
            return Err(Refusal::api(400, "param.stream.content", "content is too large"));
        }
        if limits.strict_streaming && content.is_empty() {
            return Err(Refusal::parameter("param.stream.contentEmpty"));
        }
        if limits.strict_streaming && card.state.is_terminal() {
            return Err(Refusal::api(400, "param.stream.outTrackId", "card is finished"));
        }
        card.stream(&Streaming {
            guid,
            key,
            content,
            finalize: flag("isFinalize") == Some(true),
            error: flag("isError") == Some(true),
        });
        self.announce_card(id);
        Ok(json!({ "success": true, "result": true }))
    }

    /// Adds spaces to a card that is there.
    pub(super) fn card_spaces(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        let id = self.existing(&body)?;
        if let Some(card) = self.cards.get_mut(&id) {
            card.calls += 1;
            card.spaces = space_models(&body);
        }
        Ok(json!({ "success": true, "result": true }))
    }

    /// Registers where HTTP callbacks go. A known key keeps its registration, unless told otherwise.
    pub(super) fn card_callback_route(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        let key = text(&body, "callbackRouteKey")
            .ok_or_else(|| Refusal::parameter("param.callbackRouteKeyEmpty"))?;
        let url = text(&body, "callbackUrl")
            .ok_or_else(|| Refusal::parameter("param.callbackUrlEmpty"))?;
        let secret = text(&body, "apiSecret")
            .map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned);
        let force = body.get("forceUpdate").and_then(Value::as_bool) == Some(true);
        if force || !self.callback_routes.contains_key(key) {
            self.callback_routes.insert(key.to_owned(), Route { url: url.to_owned(), secret });
        }
        let Route { url, secret } = &self.callback_routes[key];
        Ok(json!({ "success": true, "result": { "callbackUrl": url, "apiSecret": secret } }))
    }

    /// Applies what the bot answered to a click (protocol F.6). Values that are not strings are not applied.
    pub(super) fn take_card_answer(&mut self, id: &str, person: &str, response: &Value) {
        let Some(response) = response.as_object() else { return };
        let data = |name: &str| response.get(name).and_then(Value::as_object);
        let public = data("cardData").and_then(|data| self.variables(data).ok());
        let private = data("userPrivateData").and_then(|data| self.variables(data).ok());
        let people = private.map(|params| (person.to_owned(), params)).into_iter().collect();
        if public.is_some() || data("userPrivateData").is_some() {
            self.change_card(id, data("cardUpdateOptions"), public, people);
        }
    }

    fn change_card(
        &mut self,
        id: &str,
        options: Option<&Object>,
        public: Option<BTreeMap<String, String>>,
        people: Vec<(String, BTreeMap<String, String>)>,
    ) {
        let by_key =
            |name: &str| options.and_then(|options| options.get(name)?.as_bool()).unwrap_or(false);
        if let Some(card) = self.cards.get_mut(id) {
            if let Some(params) = public {
                card.update(params, by_key("updateCardDataByKey"));
            }
            for (person, params) in people {
                card.update_private(&person, params, by_key("updatePrivateDataByKey"));
            }
        }
        self.announce_card(id);
    }

    fn new_card(&self, body: &Object) -> Result<Card, Refusal> {
        let template = text(body, "cardTemplateId")
            .ok_or_else(|| Refusal::parameter("param.cardTemplateIdEmpty"))?;
        let id =
            text(body, "outTrackId").ok_or_else(|| Refusal::parameter("param.outTrackIdEmpty"))?;
        if id.chars().count() > MAX_TRACK_ID {
            return Err(Refusal::parameter("outTrackId.outOfLimit"));
        }
        let known = self.templates.iter().find(|known| known.id == template);
        let template = known.ok_or_else(|| Refusal::parameter("param.templateNotExist"))?.clone();
        let data = body.get("cardData").and_then(Value::as_object);
        let data = data.ok_or_else(|| Refusal::parameter("param.cardPublicDataEmpty"))?;
        let params = self.variables(data)?;
        if self.cards.contains_key(id) {
            return Err(Refusal::parameter("param.cardAlreadyExist"));
        }
        let mut card = Card::new(id, template, params);
        card.callback_type = text(body, "callbackType").map(str::to_owned);
        card.route_key = text(body, "callbackRouteKey").map(str::to_owned);
        card.user_id_type = user_id_type(body);
        card.spaces = space_models(body);
        for (person, data) in
            body.get("privateData").and_then(Value::as_object).into_iter().flatten()
        {
            let params = self.variables(data.as_object().unwrap_or(&Object::new()))?;
            card.update_private(person, params, true);
        }
        Ok(card)
    }

    /// `cardParamMap`: strings and nothing else, each of a bounded size.
    fn variables(&self, data: &Object) -> Result<BTreeMap<String, String>, Refusal> {
        let Some(map) = data.get("cardParamMap") else { return Ok(BTreeMap::new()) };
        let invalid = |why: String| Refusal::api(400, "param.invalid", &why);
        let map =
            map.as_object().ok_or_else(|| invalid("cardParamMap is not an object".to_owned()))?;
        let mut params = BTreeMap::new();
        for (name, value) in map {
            let value = value
                .as_str()
                .ok_or_else(|| invalid(format!("cardParamMap.{name} is not a string")))?;
            if name.len() > MAX_KEY_BYTES {
                return Err(invalid(format!("the key of cardParamMap.{name} is too long")));
            }
            if value.len() > self.options.limits.card_value_bytes {
                return Err(invalid(format!("cardParamMap.{name}: content is too large")));
            }
            params.insert(name.clone(), value.to_owned());
        }
        Ok(params)
    }

    fn existing(&self, body: &Object) -> Result<String, Refusal> {
        let id =
            text(body, "outTrackId").ok_or_else(|| Refusal::parameter("param.outTrackIdEmpty"))?;
        if !self.cards.contains_key(id) {
            return Err(Refusal::parameter("param.cardNotExist"));
        }
        Ok(id.to_owned())
    }

    /// Puts a card into each space; each says for itself whether that worked.
    fn put_into(&mut self, id: &str, spaces: &[Space], user_id_type: i64) -> Vec<Value> {
        let mut results = Vec::new();
        for space in spaces {
            let mut result = json!({ "spaceType": space.kind, "spaceId": space.id, "success": true, "errorMsg": "" });
            let chat = self.space_chat(space.kind, &space.id, user_id_type);
            let prepared = self.cards.get(id).is_some_and(|card| card.spaces.contains(&space.kind));
            let error = match chat {
                _ if faults::take(&mut self.faults.fail_delivery) => {
                    Some("deliver failed on demand")
                }
                _ if !prepared => Some("the card was created without this space"),
                None => Some("spaceId is illegal"),
                Some(chat) => {
                    let carrier = STANDARD.encode(format!("carrier {}", Uuid::new_v4().simple()));
                    let mut post = Post::new(MessageKind::Card, None, String::new());
                    post.card = Some(id.to_owned());
                    if let Some(card) = self.cards.get_mut(id) {
                        card.chats.push(chat.clone());
                    }
                    self.post(&chat, post, Some(carrier.clone()));
                    result["carrierId"] = json!(carrier);
                    None
                }
            };
            if let Some(error) = error {
                result["success"] = json!(false);
                result["errorMsg"] = json!(error);
            }
            results.push(result);
        }
        results
    }

    /// As many cards are kept as messages: the oldest finished ones go first.
    fn trim_cards(&mut self) {
        while self.cards.len() > self.options.limits.messages {
            let oldest = self.cards.values().min_by_key(|card| (card.is_stuck(), card.updated_ms));
            let Some(id) = oldest.map(|card| card.id.clone()) else { return };
            self.cards.remove(&id);
        }
    }
}

fn user_id_type(body: &Object) -> i64 {
    body.get("userIdType").and_then(Value::as_i64).unwrap_or(1)
}

/// `dtv1.card//TYPE.id`, several joined with `;`.
fn spaces(body: &Object) -> Result<Vec<Space>, Refusal> {
    let all =
        text(body, "openSpaceId").ok_or_else(|| Refusal::parameter("param.openSpaceIdEmpty"))?;
    let invalid = || Refusal::parameter("param.openSpaceIdInvalid");
    let space = |one: &str| {
        let (kind, id) = one.strip_prefix("dtv1.card//")?.split_once('.')?;
        let kind = ["IM_GROUP", "IM_ROBOT", "ONE_BOX"]
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(kind))?;
        (!id.is_empty()).then(|| Space { kind, id: id.to_owned() })
    };
    all.split(';').filter(|one| !one.is_empty()).map(|one| space(one).ok_or_else(invalid)).collect()
}

const SPACE_MODELS: &[(&str, &str, &str)] = &[
    ("IM_GROUP", "imGroupOpenSpaceModel", "imGroupOpenDeliverModel"),
    ("IM_ROBOT", "imRobotOpenSpaceModel", "imRobotOpenDeliverModel"),
    ("ONE_BOX", "topOpenSpaceModel", "topOpenDeliverModel"),
];

fn space_models(body: &Object) -> Vec<&'static str> {
    SPACE_MODELS
        .iter()
        .filter(|(_, model, _)| body.get(*model).is_some_and(Value::is_object))
        .map(|(kind, ..)| *kind)
        .collect()
}

fn check_space_models(body: &Object, spaces: &[Space]) -> Result<(), Refusal> {
    let models = space_models(body);
    if spaces.iter().all(|space| models.contains(&space.kind)) {
        return Ok(());
    }
    Err(Refusal::parameter("param.openSpaceModelInvalid"))
}

fn check_deliver_models(body: &Object, spaces: &[Space]) -> Result<(), Refusal> {
    for space in spaces {
        let name =
            SPACE_MODELS.iter().find(|(kind, ..)| *kind == space.kind).map(|(_, _, name)| *name);
        let model = name.and_then(|name| body.get(name)).and_then(Value::as_object);
        let model = model.ok_or_else(|| Refusal::parameter("param.openDeliverModelEmpty"))?;
        let complete = match space.kind {
            "IM_GROUP" => text(model, "robotCode").is_some(),
            "IM_ROBOT" => text(model, "spaceType") == Some("IM_ROBOT"),
            _ => true,
        };
        if !complete {
            return Err(Refusal::parameter("param.openDeliverModelError"));
        }
    }
    Ok(())
}
