//! Clicks on the Stop button of cards: which button it is, and whose card.

use rusqlite::OptionalExtension as _;

use super::Outbox;
use super::card::Card;
use crate::message::CardAction;
use crate::words::Lang;

/// The card of a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clicked {
    /// The run that opened it.
    pub run: String,
    pub lang: Lang,
    /// It is of this process and has not ended.
    pub open: bool,
}

impl Outbox {
    /// Whether the click is one on a Stop button.
    pub fn is_stop(&self, action: &CardAction) -> bool {
        is_stop(&self.cards.get().stop_actions, action)
    }

    /// The card that was clicked on; `None`: it is none of this host's, or long forgotten.
    pub async fn clicked(&self, card: &str) -> Option<Clicked> {
        let here = self.cards().get(card).map(|card: &Card| Clicked {
            run: card.run().to_owned(),
            lang: card.lang(),
            open: card.is_open(),
        });
        if here.is_some() {
            return here;
        }
        let id = card.to_owned();
        let found = self.store.read(move |c| {
            c.query_row("SELECT run, lang FROM cards WHERE id = ?1", [id], |row| {
                let lang = Lang::from_code(&row.get::<_, String>(1)?).unwrap_or_default();
                Ok(Clicked { run: row.get(0)?, lang, open: false })
            })
            .optional()
        });
        found.await.unwrap_or_else(|error| {
            tracing::error!(%error, "the card of a click cannot be looked up");
            None
        })
    }
}

/// The card builder may put a number behind the id that was given to a button; or the button says it in a parameter.
fn is_stop(ids: &[String], action: &CardAction) -> bool {
    let is_one = |given: &str| {
        ids.iter().any(|id| {
            given.strip_prefix(id.as_str()).is_some_and(|rest| {
                let digits = rest.trim_start_matches(['_', '-']);
                rest.is_empty()
                    || (!digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()))
            })
        })
    };
    action.action_ids.iter().any(|id| is_one(id))
        || action.params.get("action").and_then(|value| value.as_str()).is_some_and(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_button_is_known_with_a_number_behind_its_id_and_by_its_parameter() {
        let ids = ["stop".to_owned(), "btn_stop".to_owned()];
        let click = |id: &str, action: Option<&str>| CardAction {
            id: "click".into(),
            card_id: "card".into(),
            staff_id: None,
            corp_id: None,
            conversation_id: None,
            action_ids: vec![id.to_owned()],
            params: action.map(|action| ("action".to_owned(), action.into())).into_iter().collect(),
        };
        for (id, action, expected) in [
            ("stop", None, true),
            ("stop_1767852000000", None, true),
            ("stop-3", None, true),
            ("stop12", None, true),
            ("btn_stop_2", None, true),
            ("button_17", Some("stop"), true),
            ("stop_all", None, false),
            ("stop_", None, false),
            ("nonstop", None, false),
            ("", None, false),
            ("approve", Some("approve"), false),
        ] {
            assert_eq!(is_stop(&ids, &click(id, action)), expected, "{id} {action:?}");
        }
        assert!(!is_stop(&[], &click("stop", None)));
    }
}
