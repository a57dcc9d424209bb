//! Loops with something that answers by itself: another bot, or a person's account with an automatic reply.
//!
//! DingTalk does not deliver what bots say, and our own messages are dropped where they are read. What is left looks like
//! a person and answers like a machine: within three seconds of our answer comes what we had said, or once more what it had
//! said, to which we say once more what we had said. After three such rounds nothing is run for it; a pause, or another
//! text, ends that. In memory: a restart forgives.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

/// Rounds that are answered.
const ROUNDS: u32 = 3;

/// Nobody reads an answer and writes again so quickly, four times in a row, the same.
const MACHINE_MS: i64 = 3_000;

/// Lanes remembered at once; those that have been quiet go first.
const REMEMBERED: usize = 10_000;

/// Cheap to clone; all share one memory.
#[derive(Clone, Debug, Default)]
pub struct Echoes(Arc<Mutex<HashMap<String, Lane>>>);

#[derive(Debug)]
struct Lane {
    theirs: u64,
    /// What we answered, if that is known.
    ours: Option<u64>,
    answered_at_ms: i64,
    /// Our last two answers were the same.
    repeats: bool,
    rounds: u32,
    told: bool,
}

/// What a message is to be taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Somebody,
    /// One round too many; the first that is refused, and so is told, or not.
    Loop {
        first: bool,
    },
}

impl Echoes {
    /// A message of a lane, which came at `at_ms`.
    pub(super) fn hear(&self, lane: &str, text: &str, at_ms: i64) -> Heard {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lane) = lanes.get_mut(lane) else { return Heard::Somebody };
        let (text, since) = (digest(text), at_ms - lane.answered_at_ms);
        let same = (text == lane.theirs && lane.repeats) || Some(text) == lane.ours;
        if !same || !(0..MACHINE_MS).contains(&since) {
            (lane.rounds, lane.told) = (0, false);
            return Heard::Somebody;
        }
        lane.rounds += 1;
        if lane.rounds < ROUNDS {
            return Heard::Somebody;
        }
        let first = !std::mem::replace(&mut lane.told, true);
        // It answers to that, too.
        lane.answered_at_ms = at_ms;
        Heard::Loop { first }
    }

    /// What was answered to it, if that is known, at `at_ms`.
    pub(super) fn answered(&self, lane: &str, theirs: &str, ours: Option<&str>, at_ms: i64) {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= REMEMBERED && !lanes.contains_key(lane) {
            lanes.retain(|_, lane| (0..MACHINE_MS).contains(&(at_ms - lane.answered_at_ms)));
        }
        let ours = ours.map(digest);
        let theirs = digest(theirs);
        match lanes.get_mut(lane) {
            Some(lane) => {
                lane.repeats = lane.ours == ours;
                (lane.theirs, lane.ours, lane.answered_at_ms) = (theirs, ours, at_ms);
            }
            None => {
                let fresh = Lane {
                    theirs,
                    ours,
                    answered_at_ms: at_ms,
                    repeats: true,
                    rounds: 0,
                    told: false,
                };
                lanes.insert(lane.to_owned(), fresh);
            }
        }
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.trim().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who says what how long after our last answer, and what we answer: whether it is still heard.
    fn heard(rounds: &[(&str, i64, &str)]) -> Vec<bool> {
        let echoes = Echoes::default();
        let mut now = 0;
        rounds
            .iter()
            .map(|(theirs, wait, ours)| {
                now += wait;
                let heard = echoes.hear("lane", theirs, now) == Heard::Somebody;
                if heard {
                    echoes.answered("lane", theirs, Some(ours), now);
                }
                heard
            })
            .collect()
    }

    #[test]
    fn a_loop_is_cut_after_three_rounds_and_a_pause_or_another_text_ends_that() {
        let same = ("I am away.", 300, "There is no command.");
        assert_eq!(heard(&[same; 6]), [true, true, true, false, false, false]);
        // Each says what the other said.
        let echo =
            [("a", 300, "b"), ("b", 300, "a"), ("a", 300, "b"), ("b", 300, "a"), ("b", 300, "a")];
        assert_eq!(heard(&echo), [true, true, true, false, false]);
        let later = ("I am away.", 60_000, "There is no command.");
        assert_eq!(
            heard(&[same, same, same, same, later, same]),
            [true, true, true, false, true, true]
        );
        let other = ("hello", 300, "There is no command.");
        assert_eq!(heard(&[same, same, same, same, other]), [true, true, true, false, true]);
    }

    #[test]
    fn people_who_repeat_themselves_are_heard() {
        // Slowly, or while the answers change.
        assert_eq!(heard(&[("status", 4_000, "building"); 8]), [true; 8]);
        let pages: Vec<(&str, i64, &str)> =
            ["one", "two", "three", "four", "five"].map(|page| ("next", 500, page)).to_vec();
        assert_eq!(heard(&pages), [true; 5]);
        // Five at once, before there was an answer.
        let echoes = Echoes::default();
        for n in 0..5 {
            assert_eq!(echoes.hear("lane", "go", 0), Heard::Somebody);
            echoes.answered("lane", "go", Some("went"), 100 + n);
        }
        // A clock that was set back.
        assert_eq!(echoes.hear("lane", "go", -86_400_000), Heard::Somebody);
    }
}
