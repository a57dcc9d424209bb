//! In-memory index of a journal's waiting rows: the oldest of every lane that has none running, lanes taking turns.
//!
//! A journal keeps it in step with its table, so that finding work costs nothing that grows with the queue.

use std::collections::{HashMap, VecDeque};

/// Row ids by lane. Holds only lanes that have a row waiting, running or announced.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    by_name: HashMap<String, Lane>,
    /// Lanes with a row to hand out and none running, in the order in which they became so.
    free: VecDeque<String>,
    /// The same, for lanes that go before all others.
    urgent: VecDeque<String>,
    is_urgent: Option<fn(&str) -> bool>,
    waiting: usize,
    announced: usize,
}

#[derive(Debug, Default)]
struct Lane {
    rows: VecDeque<i64>,
    running: bool,
    /// Rows that are written but not committed yet: nothing may overtake them.
    announced: usize,
}

impl Lanes {
    /// Lanes whose names `is_urgent` picks are handed out before all others; see [`Self::take_urgent`].
    pub(crate) fn with_urgent(is_urgent: fn(&str) -> bool) -> Self {
        Self { is_urgent: Some(is_urgent), ..Self::default() }
    }

    /// Marks the lane as running, for a row that was never waiting, if that overtakes nobody: nothing of this lane waits or
    /// runs, no other lane waits for its turn, and no row is announced.
    pub(crate) fn start(&mut self, name: &str) -> bool {
        if !(self.free.is_empty() && self.urgent.is_empty())
            || self.announced > 0
            || self.by_name.contains_key(name)
        {
            return false;
        }
        self.by_name.insert(name.to_owned(), Lane { running: true, ..Lane::default() });
        true
    }

    /// Tells of a row that is written and not committed yet; [`Self::arrive`] or [`Self::forget`] follows.
    pub(crate) fn announce(&mut self, name: &str) {
        self.by_name.entry(name.to_owned()).or_default().announced += 1;
        self.announced += 1;
    }

    /// The announced row is committed and waits.
    pub(crate) fn arrive(&mut self, name: String, id: i64) {
        if let Some(lane) = self.by_name.get_mut(&name) {
            lane.announced -= 1;
            self.announced -= 1;
        }
        self.push(name, id);
    }

    /// The announced row did not come to be.
    pub(crate) fn forget(&mut self, name: &str) {
        let Some(lane) = self.by_name.get_mut(name) else { return };
        lane.announced -= 1;
        self.announced -= 1;
        if lane.announced == 0 && lane.rows.is_empty() && !lane.running {
            self.by_name.remove(name);
        }
    }

    pub(crate) fn push(&mut self, name: String, id: i64) {
        let lane = self.by_name.entry(name.clone()).or_default();
        // Commits are answered in the order of their ids, but their askers may be polled in another.
        let place = lane.rows.partition_point(|waiting| *waiting < id);
        lane.rows.insert(place, id);
        self.waiting += 1;
        if !lane.running && lane.rows.len() == 1 {
            self.line_of(&name).push_back(name);
        }
    }

    fn line_of(&mut self, name: &str) -> &mut VecDeque<String> {
        if self.is_urgent.is_some_and(|is_urgent| is_urgent(name)) {
            &mut self.urgent
        } else {
            &mut self.free
        }
    }

    /// Takes the oldest row of up to `room` free lanes, which then count as running.
    pub(crate) fn take(&mut self, room: usize) -> Vec<(String, i64)> {
        let mut taken = self.take_urgent(room);
        while taken.len() < room
            && let Some(name) = self.free.pop_front()
        {
            taken.push(self.begin(name));
        }
        taken
    }

    /// The same, only of lanes that go before all others.
    pub(crate) fn take_urgent(&mut self, room: usize) -> Vec<(String, i64)> {
        let mut taken = Vec::new();
        while taken.len() < room
            && let Some(name) = self.urgent.pop_front()
        {
            taken.push(self.begin(name));
        }
        taken
    }

    fn begin(&mut self, name: String) -> (String, i64) {
        let lane = self.by_name.get_mut(&name).expect("a free lane exists");
        let id = lane.rows.pop_front().expect("a free lane has a row");
        lane.running = true;
        self.waiting -= 1;
        (name, id)
    }

    /// Undoes a [`Self::take`] that could not be written down.
    pub(crate) fn put_back(&mut self, name: String, id: i64) {
        let lane = self.by_name.get_mut(&name).expect("a running lane exists");
        lane.rows.push_front(id);
        lane.running = false;
        self.waiting += 1;
        self.line_of(&name).push_front(name);
    }

    /// The row of this lane that ran has ended. A lane that runs nothing stays as it is.
    pub(crate) fn release(&mut self, name: &str) {
        let Some(lane) = self.by_name.get_mut(name).filter(|lane| lane.running) else { return };
        lane.running = false;
        if lane.rows.is_empty() {
            if lane.announced == 0 {
                self.by_name.remove(name);
            }
        } else {
            self.line_of(name).push_back(name.to_owned());
        }
    }

    /// Takes a waiting row out, wherever it stands. `false`: it does not wait (any more).
    pub(crate) fn remove(&mut self, name: &str, id: i64) -> bool {
        let Some(lane) = self.by_name.get_mut(name) else { return false };
        let Some(index) = lane.rows.iter().position(|row| *row == id) else { return false };
        lane.rows.remove(index);
        self.waiting -= 1;
        if lane.rows.is_empty() && !lane.running {
            let announced = lane.announced > 0;
            self.line_of(name).retain(|free| free != name);
            if !announced {
                self.by_name.remove(name);
            }
        }
        true
    }

    /// Takes all waiting rows of a lane out, oldest first.
    pub(crate) fn remove_all(&mut self, name: &str) -> Vec<i64> {
        let Some(lane) = self.by_name.get_mut(name) else { return Vec::new() };
        let rows = Vec::from(std::mem::take(&mut lane.rows));
        let (running, announced) = (lane.running, lane.announced > 0);
        self.waiting -= rows.len();
        if !running && !rows.is_empty() {
            self.line_of(name).retain(|free| free != name);
            if !announced {
                self.by_name.remove(name);
            }
        }
        rows
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Rows that wait in one lane.
    pub(crate) fn waiting_in(&self, name: &str) -> usize {
        self.by_name.get(name).map_or(0, |lane| lane.rows.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(lanes: &mut Lanes, room: usize) -> Vec<i64> {
        lanes.take(room).into_iter().map(|(_, id)| id).collect()
    }

    #[test]
    fn a_lane_hands_out_one_row_at_a_time_in_order() {
        let mut lanes = Lanes::default();
        lanes.push("a".into(), 2);
        lanes.push("a".into(), 1);
        lanes.push("b".into(), 3);
        assert_eq!(taken(&mut lanes, 10), [1, 3]);
        assert_eq!(taken(&mut lanes, 10), [0; 0]);
        lanes.release("a");
        assert_eq!(taken(&mut lanes, 10), [2]);
    }

    #[test]
    fn a_flood_in_one_lane_lets_the_others_take_turns() {
        let mut lanes = Lanes::default();
        (0..1000).for_each(|id| lanes.push("flood".into(), id));
        lanes.push("quiet".into(), 1000);
        assert_eq!(taken(&mut lanes, 1), [0]);
        lanes.release("flood");
        assert_eq!(taken(&mut lanes, 1), [1000]);
    }

    #[test]
    fn an_urgent_lane_goes_first_and_alone_where_there_is_no_room_for_others() {
        let mut lanes = Lanes::with_urgent(|name| name.starts_with('!'));
        lanes.push("a".into(), 1);
        lanes.push("!b".into(), 2);
        lanes.push("!c".into(), 3);
        lanes.push("!c".into(), 4);
        assert_eq!(taken(&mut lanes, 1), [2]);
        let urgent: Vec<i64> = lanes.take_urgent(10).into_iter().map(|(_, id)| id).collect();
        assert_eq!(urgent, [3]);
        assert!(!lanes.start("d"), "a lane waits");
        lanes.put_back("!c".into(), 3);
        assert!(lanes.take_urgent(10).iter().map(|(_, id)| *id).eq([3]));
        lanes.release("!c");
        assert_eq!(taken(&mut lanes, 10), [4, 1]);
    }

    #[test]
    fn a_row_starts_at_once_only_where_it_overtakes_nobody() {
        let mut lanes = Lanes::default();
        assert!(lanes.start("a"));
        assert!(!lanes.start("a"), "one at a time");
        lanes.announce("b");
        assert!(!lanes.start("b"), "a row before it is on its way to disk");
        assert!(!lanes.start("c"), "so is one that may have to be looked at first");
        lanes.arrive("b".into(), 1);
        assert!(!lanes.start("c"), "another lane waits for its turn");
        assert_eq!(taken(&mut lanes, 10), [1]);
        assert!(lanes.start("c"));
        lanes.announce("a");
        lanes.release("a");
        assert!(!lanes.start("a"), "a row before it is on its way to disk");
        lanes.forget("a");
        assert!(lanes.start("a"));
        for name in ["a", "b", "c"] {
            lanes.release(name);
        }
        assert!(lanes.by_name.is_empty() && lanes.free.is_empty());
    }

    #[test]
    fn a_lane_that_is_released_twice_hands_out_one_row_all_the_same() {
        let mut lanes = Lanes::default();
        (1..=3).for_each(|id| lanes.push("a".into(), id));
        assert_eq!(taken(&mut lanes, 10), [1]);
        lanes.release("a");
        lanes.release("a");
        assert_eq!(taken(&mut lanes, 10), [2]);
        assert_eq!(taken(&mut lanes, 10), [0; 0]);
    }

    #[test]
    fn a_lane_without_rows_takes_no_memory() {
        let mut lanes = Lanes::default();
        lanes.push("a".into(), 1);
        lanes.take(1);
        lanes.release("a");
        assert!(lanes.by_name.is_empty() && lanes.free.is_empty() && lanes.waiting() == 0);
    }
}
