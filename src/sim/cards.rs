//! Interactive cards: their variables, and the state machine that a reader watches.
//!
//! Two families of templates behave differently on purpose (protocol F.5): in one the streaming calls drive the state,
//! in the other only the variable `flowStatus` does, and a host that forgets the last update leaves the card
//! "thinking". [`Card::state`] never goes back from an end.

use std::collections::BTreeMap;
use std::collections::HashMap;

use serde_json::Map;
use serde_json::Value;

use super::now_ms;
use super::render;
use super::templates::CARD_BUTTONS;
use super::templates::CARD_TEMPLATE;
use super::templates::Family;
use super::templates::STOP_BUTTONS;
use super::templates::TEXT_VARIABLES;
use super::templates::Template;
use super::view;
use super::view::Button;
use super::view::CardState;

#[derive(Debug)]
pub(super) struct Card {
    pub(super) id: String,
    pub(super) template: Template,
    pub(super) chats: Vec<String>,
    pub(super) params: BTreeMap<String, String>,
    pub(super) private: HashMap<String, BTreeMap<String, String>>,
    pub(super) state: CardState,
    /// Without a callback type no click ever reaches the bot.
    pub(super) callback_type: Option<String>,
    /// For calls: where to.
    pub(super) route_key: Option<String>,
    pub(super) user_id_type: i64,
    pub(super) spaces: Vec<&'static str>,
    last_guid: Option<String>,
    pub(super) updated_ms: i64,
    pub(super) calls: u64,
}

/// One streaming call, already checked for its required fields.
#[derive(Debug)]
pub(super) struct Streaming<'a> {
    pub(super) guid: &'a str,
    pub(super) key: &'a str,
    pub(super) content: &'a str,
    pub(super) finalize: bool,
    pub(super) error: bool,
}

impl Card {
    pub(super) fn new(id: &str, template: Template, params: BTreeMap<String, String>) -> Self {
        let mut card = Self {
            id: id.to_owned(),
            template,
            chats: Vec::new(),
            params,
            private: HashMap::new(),
            state: CardState::Processing,
            callback_type: None,
            route_key: None,
            user_id_type: 1,
            spaces: Vec::new(),
            last_guid: None,
            updated_ms: now_ms(),
            calls: 1,
        };
        card.follow_flow_status();
        card
    }

    /// Takes new public variables. Unless `by_key`, they replace *all* variables: what is not named is gone.
    pub(super) fn update(&mut self, params: BTreeMap<String, String>, by_key: bool) {
        self.touch();
        let frozen = self.state.is_terminal().then(|| self.streamed());
        if by_key {
            self.params.extend(params);
        } else {
            self.params = params;
        }
        // A bare update of a finished card answers 200 and changes nothing of what was streamed.
        if self.template.family == Family::Streaming {
            self.params.extend(frozen.into_iter().flatten());
        }
        self.follow_flow_status();
    }

    pub(super) fn update_private(
        &mut self,
        person: &str,
        params: BTreeMap<String, String>,
        by_key: bool,
    ) {
        let data = self.private.entry(person.to_owned()).or_default();
        if !by_key {
            data.clear();
        }
        data.extend(params);
    }

    /// Takes one streaming call. The same guid again is the same call again: nothing happens.
    pub(super) fn stream(&mut self, call: &Streaming<'_>) {
        self.touch();
        if self.last_guid.as_deref() == Some(call.guid) {
            return;
        }
        self.last_guid = Some(call.guid.to_owned());
        // After the end only another final frame shows.
        if !self.state.is_terminal() || call.finalize {
            self.params.insert(call.key.to_owned(), call.content.to_owned());
        }
        if self.template.family == Family::Streaming && !self.state.is_terminal() {
            self.state = if call.error {
                CardState::Failed
            } else if call.finalize {
                CardState::Finished
            } else {
                CardState::Inputing
            };
        }
    }

    pub(super) fn is_stuck(&self) -> bool {
        !self.chats.is_empty() && !self.state.is_terminal()
    }

    fn touch(&mut self) {
        self.calls += 1;
        self.updated_ms = now_ms();
    }

    fn streamed(&self) -> Vec<(String, String)> {
        let values =
            self.template.streams.iter().filter_map(|name| self.params.get_key_value(name));
        values.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn follow_flow_status(&mut self) {
        match self.template.family {
            Family::Plain => self.state = CardState::Finished,
            Family::Streaming => {}
            Family::FlowStatus if self.state.is_terminal() => {}
            Family::FlowStatus => {
                self.state = match self.params.get("flowStatus").map(String::as_str) {
                    Some("2" | "4") => CardState::Inputing,
                    Some("3") => CardState::Finished,
                    Some("5") => CardState::Failed,
                    _ => CardState::Processing,
                }
            }
        }
    }

    pub(super) fn view(&self, media: &HashMap<String, String>) -> view::Card {
        let text = self.text();
        view::Card {
            id: self.id.clone(),
            chat: self.chats.first().cloned().unwrap_or_default(),
            template: self.template.id.clone(),
            state: self.state,
            html: render::markdown(&text, media),
            text,
            params: self.params.clone(),
            buttons: self.buttons(),
            updated_ms: self.updated_ms,
            calls: self.calls,
        }
    }

    pub(super) fn text(&self) -> String {
        let streamed = self.template.streams.iter().map(String::as_str);
        let others = TEXT_VARIABLES
            .iter()
            .copied()
            .filter(|name| !self.template.streams.iter().any(|own| own == name));
        let parts: Vec<&str> = streamed
            .chain(others)
            .filter_map(|name| Some(self.params.get(name)?.as_str()))
            .filter(|text| !text.is_empty())
            .collect();
        parts.join("\n\n")
    }

    /// Buttons come as JSON text: in `buttons`, or in `sys_full_json_obj.msgButtons`.
    fn buttons(&self) -> Vec<Button> {
        let parse = |name: &str| serde_json::from_str::<Value>(self.params.get(name)?).ok();
        let list = parse("buttons").or_else(|| {
            parse("sys_full_json_obj").and_then(|object| object.get("msgButtons").cloned())
        });
        let list = list.and_then(|list| list.as_array().cloned()).unwrap_or_default();
        let given = list.iter().filter_map(Value::as_object).filter_map(button);
        given.chain(self.answer_buttons()).chain(self.stop_button()).collect()
    }

    /// The template's own, while they are called something.
    fn answer_buttons(&self) -> Vec<Button> {
        let places = if self.template.id == CARD_TEMPLATE { CARD_BUTTONS } else { 0 };
        let button = |place: usize| {
            let text =
                self.params.get(&format!("button_{place}")).filter(|text| !text.is_empty())?;
            let action = self.params.get(&format!("action_{place}")).cloned().unwrap_or_default();
            Some(Button {
                id: "answer".to_owned(),
                text: text.clone(),
                status: None,
                color: None,
                params: [("action".to_owned(), action.into())].into_iter().collect(),
            })
        };
        (1..=places).filter_map(button).collect()
    }

    /// The template's own, while its variable says that it is shown.
    fn stop_button(&self) -> Option<Button> {
        let (_, variable, id) =
            STOP_BUTTONS.iter().find(|(template, ..)| *template == self.template.id)?;
        let shown = self.params.get(*variable).is_some_and(|value| value == "true");
        shown.then(|| Button {
            id: (*id).to_owned(),
            text: "停止 Stop".to_owned(),
            status: None,
            color: Some("red".to_owned()),
            params: Map::new(),
        })
    }
}

fn button(object: &Map<String, Value>) -> Option<Button> {
    let get = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let text = get("text").or_else(|| get("title"))?;
    Some(Button {
        id: get("id").or_else(|| get("actionId")).unwrap_or_else(|| text.clone()),
        text,
        status: get("status"),
        color: get("color"),
        params: Map::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn card(family: Family, pairs: &[(&str, &str)]) -> Card {
        let template = Template { id: "t".to_owned(), family, streams: vec!["content".to_owned()] };
        Card::new("c", template, params(pairs))
    }

    fn frame<'a>(guid: &'a str, content: &'a str, finalize: bool) -> Streaming<'a> {
        Streaming { guid, key: "content", content, finalize, error: false }
    }

    #[test]
    fn streaming_moves_a_native_card_through_its_life() {
        let mut card = card(Family::Streaming, &[("content", "")]);
        assert_eq!(card.state, CardState::Processing);
        card.stream(&frame("1", "", false));
        assert_eq!(card.state, CardState::Inputing);
        card.stream(&frame("2", "done", true));
        assert_eq!((card.state, card.text().as_str()), (CardState::Finished, "done"));
    }

    #[test]
    fn a_flow_status_card_that_is_only_streamed_keeps_thinking() {
        let mut card = card(Family::FlowStatus, &[("flowStatus", "1")]);
        card.stream(&frame("1", "all of it", true));
        assert_eq!(card.state, CardState::Processing);
        card.update(params(&[("flowStatus", "3"), ("content", "all of it")]), true);
        assert_eq!(card.state, CardState::Finished);
    }

    #[test]
    fn an_update_without_by_key_wipes_the_other_variables() {
        let mut card = card(Family::FlowStatus, &[("flowStatus", "2"), ("title", "t")]);
        card.update(params(&[("content", "x")]), false);
        assert_eq!(card.params, params(&[("content", "x")]));
        assert_eq!(card.state, CardState::Processing, "the status was wiped with the rest");
    }

    #[test]
    fn a_repeated_guid_changes_nothing() {
        let mut card = card(Family::Streaming, &[]);
        card.stream(&frame("1", "a", false));
        card.stream(&frame("1", "b", true));
        assert_eq!((card.state, card.text().as_str()), (CardState::Inputing, "a"));
    }

    #[test]
    fn a_finished_card_only_changes_its_other_variables() {
        let mut card = card(Family::Streaming, &[]);
        card.stream(&frame("1", "end", true));
        card.update(params(&[("content", "changed"), ("note", "n")]), true);
        assert_eq!(card.text(), "end");
        assert_eq!(card.params["note"], "n");
        card.stream(&frame("2", "late", false));
        assert_eq!(card.text(), "end");
        card.stream(&frame("3", "again", true));
        assert_eq!((card.state, card.text().as_str()), (CardState::Finished, "again"));
    }
}
