//! A claimed row while it is served: it gives its lane back when it goes, however it goes.

use super::turns::Arrived;
use crate::inbox::Inbox;

/// Frees the lane of a row, unless that was done before its end. Dropped by a panic too: whoever sends something that
/// breaks a run must not be left unheard until the next start.
#[derive(Debug)]
pub(super) struct Held {
    inbox: Inbox,
    lane: String,
    pub(super) arrived: Arrived,
}

impl Held {
    pub(super) fn new(inbox: Inbox, lane: String, arrived: Arrived) -> Self {
        Self { inbox, lane, arrived }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.arrived.has_freed() {
            self.inbox.release(&self.lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::Row;
    use crate::message::CardAction;
    use crate::message::Inbound;
    use crate::script::Queue;
    use crate::store::Store;
    use crate::worker::turns::Turns;
    use crate::worker::turns::Who;

    /// A click: those on one card share a lane.
    fn click(id: &str) -> Inbound {
        Inbound::CardAction(CardAction {
            id: id.into(),
            card_id: "card".into(),
            staff_id: None,
            corp_id: None,
            conversation_id: None,
            action_ids: Vec::new(),
            params: serde_json::Map::new(),
        })
    }

    async fn next(inbox: &Inbox) -> Vec<Row> {
        inbox.claim(10).await.unwrap()
    }

    #[tokio::test]
    async fn a_row_whose_serving_panics_leaves_its_lane_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(Store::open(dir.path()).unwrap(), |_| false).await.unwrap();
        for id in ["a", "b"] {
            inbox.accept(click(id)).await.unwrap();
        }
        let turns = Turns::default();
        let row = next(&inbox).await.remove(0);
        let held = Held::new(inbox.clone(), row.lane, turns.arrive(row.id, None));
        assert!(next(&inbox).await.is_empty());
        let serving = tokio::task::spawn_blocking(move || {
            let _held = held;
            panic!("a bug of ours");
        });
        assert!(serving.await.unwrap_err().is_panic());
        assert_eq!(next(&inbox).await.len(), 1);
    }

    #[tokio::test]
    async fn a_lane_that_was_freed_before_the_end_is_not_freed_again() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(Store::open(dir.path()).unwrap(), |_| false).await.unwrap();
        for id in ["a", "b", "c"] {
            inbox.accept(click(id)).await.unwrap();
        }
        let turns = Turns::default();
        let row = next(&inbox).await.remove(0);
        let who = Who { chat: "c".to_owned(), person: "p".to_owned() };
        let arrived = turns.arrive(row.id, Some(who.clone()));
        let held = Held::new(inbox.clone(), row.lane.clone(), arrived);
        let (_ticket, frees) = turns.enter(row.id, &who, Queue::None, &row.run, "h");
        assert!(frees);
        inbox.release(&row.lane);
        assert_eq!(next(&inbox).await.len(), 1);
        drop(held);
        assert!(next(&inbox).await.is_empty(), "the second has the lane");
    }
}
