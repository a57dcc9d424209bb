//! Changes that wait for a yes: what a person asked for, shown to them with a code, to be said by them in the same chat.
//!
//! In memory, one for each person and chat: a newer one replaces it, and a restart forgets it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::grants::Grant;
use crate::message::ConversationId;
use crate::message::StaffId;

/// Who has not said yes by then has changed their mind.
const LIFE_MS: i64 = 2 * 60 * 1000;

/// More people than own one bot.
const MOST: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: Mutex<HashMap<(StaffId, ConversationId), Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    code: String,
    changes: Vec<Grant>,
    until_ms: i64,
}

impl Pending {
    /// Keeps `changes` until a yes; returns the code that must come with it.
    pub(super) fn put(
        &self,
        person: &StaffId,
        chat: &ConversationId,
        changes: Vec<Grant>,
        now_ms: i64,
    ) -> String {
        let code = rand::random_range(1000..=9999).to_string();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, one| now_ms < one.until_ms);
        if waiting.len() >= MOST {
            waiting.clear();
        }
        let one = Waiting { code: code.clone(), changes, until_ms: now_ms + LIFE_MS };
        waiting.insert((person.clone(), chat.clone()), one);
        code
    }

    /// Forgets what waits for `person` in `chat`. Returns whether anything did.
    pub(super) fn forget(&self, person: &StaffId, chat: &ConversationId, now_ms: i64) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&(person.clone(), chat.clone())).is_some_and(|one| now_ms < one.until_ms)
    }

    /// What `code` confirms; a code works once, and a wrong one ends the question.
    pub(super) fn take(
        &self,
        person: &StaffId,
        chat: &ConversationId,
        code: &str,
        now_ms: i64,
    ) -> Option<Vec<Grant>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let one = waiting.remove(&(person.clone(), chat.clone()))?;
        (one.code == code && now_ms < one.until_ms).then_some(one.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_of_one_person_in_one_chat_once_and_not_for_long() {
        let pending = Pending::default();
        let [ann, bob] = ["ann", "bob"].map(StaffId::new);
        let [one, two] = ["c1", "c2"].map(ConversationId::new);
        let put = || pending.put(&ann, &one, Vec::new(), 0);
        let take = |who, chat, code: &str, now| pending.take(who, chat, code, now).is_some();
        let code = put();
        assert!(!take(&bob, &one, &code, 1) && !take(&ann, &two, &code, 1));
        assert!(take(&ann, &one, &code, 1) && !take(&ann, &one, &code, 1));
        let code = put();
        assert!(!take(&ann, &one, "0000", 1) && !take(&ann, &one, &code, 1));
        let code = put();
        assert!(!take(&ann, &one, &code, LIFE_MS));
    }
}
