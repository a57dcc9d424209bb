//! Who waits for whom once it is known which handler a message is for: `queue = …`.
//!
//! The inbox hands out one row of a lane (a person in a chat) at a time, before it is known what the row asks for. Here a
//! row then takes its place in the queues of its handler, in the order of arrival, and goes when it is first in each of
//! them. A row whose queue is not its lane frees the lane in the inbox as soon as its place is taken, so that the row
//! behind it can be looked at too; of one lane up to [`AHEAD`] rows, so that who sends a thousand leaves room for others.
//!
//! A place is taken in all queues at once and queues are kept by row id, so rows cannot wait for one another in a circle.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::script::Queue;

/// Rows of one lane that may be under way at once, waiting ones included.
const AHEAD: usize = 64;

/// Whose row it is, and where it was said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Who {
    pub(super) chat: String,
    pub(super) person: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Lane(Who),
    Chat(String),
    Person(String),
    /// One handler of a lane whose newest message counts.
    Newest(String, Who),
}

impl Key {
    /// Whether a row of this person and chat might want a place in this queue.
    fn may_be_of(&self, who: &Who) -> bool {
        match self {
            Self::Lane(lane) => lane == who,
            Self::Chat(chat) => *chat == who.chat,
            Self::Person(person) => *person == who.person,
            Self::Newest(..) => false,
        }
    }
}

/// The queues of all rows that are under way; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Rows that were claimed, but not yet given to a handler: any of them may want a place before a later one.
    unrouted: BTreeMap<i64, Who>,
    places: HashMap<i64, Place>,
    /// Holds only queues that somebody is in.
    queues: HashMap<Key, Line>,
    /// Rows that freed their lane before their end, and how many there are of each lane.
    freed: HashMap<i64, Who>,
    ahead: HashMap<Who, usize>,
}

#[derive(Debug, Default)]
struct Line {
    running: Option<i64>,
    waiting: BTreeSet<i64>,
}

#[derive(Debug)]
struct Place {
    keys: Vec<Key>,
    who: Who,
    run: String,
    handler: String,
    goes: bool,
    wake: Arc<Notify>,
    stopped: CancellationToken,
    replaced: CancellationToken,
}

/// A row from its claim to its end. Dropping it gives up its place, so that no panic leaves others waiting.
#[derive(Debug)]
pub(super) struct Arrived {
    turns: Turns,
    id: i64,
}

/// A place in the queues of a handler.
#[derive(Debug)]
pub(super) struct Ticket {
    turns: Turns,
    id: i64,
    wake: Arc<Notify>,
    stopped: CancellationToken,
    replaced: CancellationToken,
}

/// How waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Go,
    /// Its person stopped it before it began.
    Stopped,
    /// A newer message took its place.
    Replaced,
}

impl Turns {
    /// Notes a row in the order of claims, before anybody looks at it.
    pub(super) fn arrive(&self, id: i64, who: Option<Who>) -> Arrived {
        if let Some(who) = who {
            self.lock().unrouted.insert(id, who);
        }
        Arrived { turns: self.clone(), id }
    }

    /// Takes a place for row `id`; `true`: its lane is free for the next row from now on.
    ///
    /// A place that the row had (of a handler that passed it on) is given up.
    pub(super) fn enter(
        &self,
        id: i64,
        who: &Who,
        queue: Queue,
        run: &str,
        handler: &str,
    ) -> (Ticket, bool) {
        let mut state = self.lock();
        state.leave(id);
        state.unrouted.remove(&id);
        let keys = match queue {
            Queue::Lane => vec![Key::Lane(who.clone())],
            Queue::Conversation => vec![Key::Lane(who.clone()), Key::Chat(who.chat.clone())],
            Queue::Person => vec![Key::Lane(who.clone()), Key::Person(who.person.clone())],
            Queue::None => Vec::new(),
            Queue::Replace => vec![Key::Newest(handler.to_owned(), who.clone())],
        };
        let frees = queue != Queue::Lane && state.free(id, who);
        let (stopped, replaced) = (CancellationToken::new(), CancellationToken::new());
        let wake = Arc::new(Notify::new());
        for key in &keys {
            let line = state.queues.entry(key.clone()).or_default();
            line.waiting.insert(id);
            if !matches!(key, Key::Newest(..)) {
                continue;
            }
            let older: Vec<i64> =
                line.running.into_iter().chain(line.waiting.range(..id).copied()).collect();
            // It came late, behind a newer one: it is the one that is replaced.
            if line.waiting.range(id + 1..).next().is_some() {
                replaced.cancel();
            }
            for older in older {
                if let Some(place) = state.places.get(&older) {
                    place.replaced.cancel();
                }
            }
        }
        let place = Place {
            keys: keys.clone(),
            who: who.clone(),
            run: run.to_owned(),
            handler: handler.to_owned(),
            goes: keys.is_empty(),
            wake: Arc::clone(&wake),
            stopped: stopped.clone(),
            replaced: replaced.clone(),
        };
        state.places.insert(id, place);
        state.advance(&keys);
        state.advance_for(who);
        drop(state);
        (Ticket { turns: self.clone(), id, wake, stopped, replaced }, frees)
    }

    /// Stops those that still wait and that `chosen` picks, by person, chat and run; returns the ids of their runs.
    pub(super) fn stop(&self, chosen: impl Fn(&Who, &str) -> bool) -> Vec<String> {
        let state = self.lock();
        let waiting = state.places.values().filter(|place| !place.goes);
        waiting
            .filter(|place| chosen(&place.who, &place.run))
            .map(|place| {
                place.stopped.cancel();
                place.run.clone()
            })
            .collect()
    }

    /// Runs that wait, with the names of their handlers, oldest first.
    pub(super) fn waiting(&self, chosen: impl Fn(&Who) -> bool) -> Vec<(String, String)> {
        let state = self.lock();
        let mut waiting: Vec<_> = state
            .places
            .iter()
            .filter(|(_, place)| !place.goes && chosen(&place.who))
            .map(|(id, place)| (*id, place.run.clone(), place.handler.clone()))
            .collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, run, handler)| (run, handler)).collect()
    }

    /// Rows that wait, with the names of their handlers.
    pub(super) fn rows_waiting(&self) -> Vec<(i64, String)> {
        let state = self.lock();
        let waiting = state.places.iter().filter(|(_, place)| !place.goes);
        waiting.map(|(id, place)| (*id, place.handler.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets the lane go on, unless enough of its rows are under way.
    fn free(&mut self, id: i64, who: &Who) -> bool {
        if self.freed.contains_key(&id) {
            return false;
        }
        let ahead = self.ahead.entry(who.clone()).or_default();
        if *ahead >= AHEAD {
            return false;
        }
        *ahead += 1;
        self.freed.insert(id, who.clone());
        true
    }

    fn leave(&mut self, id: i64) {
        let Some(place) = self.places.remove(&id) else { return };
        for key in &place.keys {
            let Some(line) = self.queues.get_mut(key) else { continue };
            line.waiting.remove(&id);
            if line.running == Some(id) {
                line.running = None;
            }
            if line.running.is_none() && line.waiting.is_empty() {
                self.queues.remove(key);
            }
        }
        self.advance(&place.keys);
    }

    /// Lets those go that are first in each of their queues, of the ones at the front of these.
    fn advance(&mut self, keys: &[Key]) {
        let mut fronts: BTreeSet<i64> = BTreeSet::new();
        for key in keys {
            let line = self.queues.get(key).filter(|line| line.running.is_none());
            fronts.extend(line.and_then(|line| line.waiting.first()));
        }
        for id in fronts {
            let Some(place) = self.places.get(&id) else { continue };
            let first = place.keys.iter().all(|key| {
                let line = &self.queues[key];
                line.running.is_none()
                    && line.waiting.first() == Some(&id)
                    && !self.unrouted.range(..id).any(|(_, who)| key.may_be_of(who))
            });
            if !first {
                continue;
            }
            let place = self.places.get_mut(&id).expect("it was there a moment ago");
            place.goes = true;
            place.wake.notify_one();
            for key in &place.keys {
                let line = self.queues.get_mut(key).expect("whoever is in a queue keeps it");
                line.waiting.remove(&id);
                line.running = Some(id);
            }
        }
    }

    /// The same where a row of this person and chat might have been awaited.
    fn advance_for(&mut self, who: &Who) {
        self.advance(&[
            Key::Lane(who.clone()),
            Key::Chat(who.chat.clone()),
            Key::Person(who.person.clone()),
        ]);
    }
}

impl Arrived {
    /// The row has found its handler, or needs none: nobody has to await its choice.
    pub(super) fn routed(&self) {
        let mut state = self.turns.lock();
        if let Some(who) = state.unrouted.remove(&self.id) {
            state.advance_for(&who);
        }
    }

    /// Whether the lane was freed before the end of the row.
    pub(super) fn has_freed(&self) -> bool {
        self.turns.lock().freed.contains_key(&self.id)
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        self.routed();
        let mut state = self.turns.lock();
        state.leave(self.id);
        if let Some(who) = state.freed.remove(&self.id)
            && let Some(ahead) = state.ahead.get_mut(&who)
        {
            *ahead -= 1;
            if *ahead == 0 {
                state.ahead.remove(&who);
            }
        }
    }
}

impl Ticket {
    /// Waits until it is this row's turn.
    pub(super) async fn turn(&self) -> Turn {
        loop {
            if self.replaced.is_cancelled() {
                return Turn::Replaced;
            }
            if self.goes() {
                return Turn::Go;
            }
            tokio::select! {
                biased;
                () = self.replaced.cancelled() => {}
                () = self.stopped.cancelled() => return Turn::Stopped,
                () = self.wake.notified() => {}
            }
        }
    }

    /// Whether it is its turn now.
    pub(super) fn goes(&self) -> bool {
        self.turns.lock().places.get(&self.id).is_none_or(|place| place.goes)
    }

    /// Cancelled when a newer message takes its place.
    pub(super) fn replaced(&self) -> &CancellationToken {
        &self.replaced
    }

    /// Gives the place up before the end of the row: its handler passed the message on.
    pub(super) fn give_up(self) {
        self.turns.lock().leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    struct Row {
        _arrived: Arrived,
        ticket: Ticket,
        frees: bool,
    }

    impl Row {
        fn goes(&self) -> Option<Turn> {
            self.ticket.turn().now_or_never()
        }
    }

    fn who(chat: &str, person: &str) -> Who {
        Who { chat: chat.to_owned(), person: person.to_owned() }
    }

    fn row(turns: &Turns, id: i64, chat: &str, person: &str, queue: Queue) -> Row {
        let arrived = turns.arrive(id, Some(who(chat, person)));
        let (ticket, frees) = turns.enter(id, &who(chat, person), queue, &format!("r{id}"), "h");
        Row { _arrived: arrived, ticket, frees }
    }

    #[test]
    fn a_conversation_goes_one_after_another_whoever_speaks_in_it() {
        let turns = Turns::default();
        let one = row(&turns, 1, "c", "ann", Queue::Conversation);
        let two = row(&turns, 2, "c", "bob", Queue::Conversation);
        let elsewhere = row(&turns, 3, "d", "bob", Queue::Conversation);
        let lane = row(&turns, 4, "c", "eve", Queue::Lane);
        assert_eq!(
            [&one, &two, &elsewhere, &lane].map(Row::goes),
            [Some(Turn::Go), None, Some(Turn::Go), Some(Turn::Go)]
        );
        drop(one);
        assert_eq!(two.goes(), Some(Turn::Go));
    }

    #[test]
    fn an_earlier_row_that_is_still_being_looked_at_is_awaited() {
        let turns = Turns::default();
        let first = turns.arrive(1, Some(who("c", "ann")));
        let elsewhere = turns.arrive(2, Some(who("d", "eve")));
        let third = row(&turns, 3, "c", "bob", Queue::Conversation);
        assert_eq!(third.goes(), None);
        let (ticket, _) = turns.enter(1, &who("c", "ann"), Queue::Conversation, "r1", "h");
        assert_eq!(ticket.turn().now_or_never(), Some(Turn::Go));
        assert_eq!(third.goes(), None);
        drop(first);
        assert_eq!(third.goes(), Some(Turn::Go));
        drop(elsewhere);
    }

    #[test]
    fn one_that_needs_no_handler_lets_the_next_go() {
        let turns = Turns::default();
        let first = turns.arrive(1, Some(who("c", "ann")));
        let second = row(&turns, 2, "c", "bob", Queue::Conversation);
        assert_eq!(second.goes(), None);
        first.routed();
        assert_eq!(second.goes(), Some(Turn::Go));
    }

    #[test]
    fn the_newest_replaces_the_one_that_runs_and_those_that_wait() {
        let turns = Turns::default();
        let one = row(&turns, 1, "c", "ann", Queue::Replace);
        assert_eq!(one.goes(), Some(Turn::Go));
        let two = row(&turns, 2, "c", "ann", Queue::Replace);
        let bobs = row(&turns, 3, "c", "bob", Queue::Replace);
        let four = row(&turns, 4, "c", "ann", Queue::Replace);
        assert!(one.ticket.replaced().is_cancelled());
        assert_eq!(
            [&two, &bobs, &four].map(Row::goes),
            [Some(Turn::Replaced), Some(Turn::Go), None]
        );
        drop(two);
        assert_eq!(four.goes(), None);
        drop(one);
        assert_eq!(four.goes(), Some(Turn::Go));
    }

    #[test]
    fn of_one_lane_only_so_many_are_under_way() {
        let turns = Turns::default();
        let rows: Vec<Row> =
            (0_i64..).take(AHEAD + 1).map(|n| row(&turns, n, "c", "ann", Queue::None)).collect();
        assert!(rows[..AHEAD].iter().all(|row| row.frees) && !rows[AHEAD].frees);
        assert!(rows.iter().all(|row| row.goes() == Some(Turn::Go)));
        drop(rows);
        let state = turns.lock();
        assert!(state.places.is_empty() && state.queues.is_empty() && state.unrouted.is_empty());
        assert!(state.ahead.is_empty() && state.freed.is_empty());
    }

    #[test]
    fn one_that_waits_can_be_stopped_and_is_no_obstacle_then() {
        let turns = Turns::default();
        let one = row(&turns, 1, "c", "ann", Queue::Person);
        let two = row(&turns, 2, "d", "ann", Queue::Person);
        let three = row(&turns, 3, "e", "ann", Queue::Person);
        assert_eq!(turns.waiting(|_| true).len(), 2);
        assert_eq!(turns.stop(|who, _| who.chat == "d"), ["r2"]);
        assert_eq!(two.goes(), Some(Turn::Stopped));
        drop((one, two));
        assert_eq!(three.goes(), Some(Turn::Go));
    }
}
