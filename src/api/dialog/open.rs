//! The questions that are open, by lane: a message of the lane that comes after a question is its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// What came to a question.
#[derive(Debug)]
pub(super) enum Answer {
    Text(String),
    /// The person left the dialog: `cancel`, `取消`.
    Cancelled,
}

/// The questions that are open, by lane; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Dialogs(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: Mutex<HashMap<String, Open>>,
    /// Wakes whoever waits until another run's question in the lane is closed.
    closed: Notify,
}

#[derive(Debug)]
struct Open {
    answer: oneshot::Sender<Answer>,
    /// A message that came after the question is on its way to be the answer.
    coming: bool,
}

impl Dialogs {
    /// Whether a message of this lane that has just come is the answer to a question; the one after it is not.
    pub fn take_next(&self, lane: &str) -> bool {
        match self.open().get_mut(lane) {
            Some(open) if !open.coming => {
                open.coming = true;
                true
            }
            _ => false,
        }
    }

    /// Whether the answer that [`Dialogs::take_next`] announced is still waited for.
    pub fn awaits(&self, lane: &str) -> bool {
        self.open().get(lane).is_some_and(|open| open.coming)
    }

    /// What was announced is no answer after all; the next message may be one.
    pub fn put_back(&self, lane: &str) {
        if let Some(open) = self.open().get_mut(lane) {
            open.coming = false;
        }
    }

    /// Hands over the answer; `false`: nobody waits for it any more.
    pub fn answer(&self, lane: &str, text: &str) -> bool {
        self.end(lane, Answer::Text(text.to_owned()))
    }

    /// The person does not want to answer; `false`: nothing was asked.
    pub fn cancel(&self, lane: &str) -> bool {
        self.end(lane, Answer::Cancelled)
    }

    fn end(&self, lane: &str, answer: Answer) -> bool {
        let open = self.open().remove(lane);
        self.0.closed.notify_waiters();
        open.is_some_and(|open| open.answer.send(answer).is_ok())
    }

    /// Opens a question in `lane`, once there is no other.
    pub(super) async fn begin(&self, lane: &str) -> Question {
        loop {
            let closed = self.0.closed.notified();
            tokio::pin!(closed);
            // Before looking, or the wake-up between the two is lost.
            closed.as_mut().enable();
            if let Some(question) = self.try_begin(lane) {
                return question;
            }
            closed.await;
        }
    }

    fn try_begin(&self, lane: &str) -> Option<Question> {
        let mut open = self.open();
        if open.contains_key(lane) {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        open.insert(lane.to_owned(), Open { answer, coming: false });
        Some(Question { dialogs: self.clone(), lane: lane.to_owned(), answered })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open question; dropping it closes it.
#[derive(Debug)]
pub(super) struct Question {
    dialogs: Dialogs,
    lane: String,
    pub(super) answered: oneshot::Receiver<Answer>,
}

impl Drop for Question {
    fn drop(&mut self) {
        // Closed first: so it is this question's entry whose receiver is gone, and not the next one's.
        self.answered.close();
        let mut open = self.dialogs.open();
        if open.get(&self.lane).is_some_and(|open| open.answer.is_closed()) {
            open.remove(&self.lane);
        }
        drop(open);
        self.dialogs.0.closed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_message_answers_one_question_and_a_closed_one_takes_none() {
        let dialogs = Dialogs::default();
        assert!(!dialogs.take_next("a") && !dialogs.answer("a", "x"));
        let mut first = dialogs.begin("a").await;
        assert!(!dialogs.awaits("a"), "nothing has come");
        assert!(dialogs.take_next("a") && dialogs.awaits("a"));
        assert!(!dialogs.take_next("a"), "the second message is none");
        assert!(!dialogs.take_next("b"), "nor is another person's");
        assert!(dialogs.answer("a", "x"));
        assert!(matches!((&mut first.answered).await, Ok(Answer::Text(text)) if text == "x"));
        // The next question is not closed by the end of the last one.
        let second = dialogs.begin("a").await;
        drop(first);
        assert!(dialogs.take_next("a"));
        drop(second);
        assert!(!dialogs.awaits("a") && !dialogs.cancel("a"));
    }
}
