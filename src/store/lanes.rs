//! In-memory index of a journal's waiting rows: the oldest of every lane that has none running, lanes taking turns.
//!
//! A journal keeps it in step with its table, so that finding work costs nothing that grows with the queue.

use std::collections::{HashMap, VecDeque};

/// Row ids by lane. Holds only lanes that have a row waiting or running.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    by_name: HashMap<String, Lane>,
    /// Lanes with a row to hand out and none running, in the order in which they became so.
    free: VecDeque<String>,
    waiting: usize,
}

#[derive(Debug, Default)]
struct Lane {
    rows: VecDeque<i64>,
    running: bool,
}

impl Lanes {
    pub(crate) fn push(&mut self, name: String, id: i64) {
        let lane = self.by_name.entry(name.clone()).or_default();
        // Commits are answered in the order of their ids, but their askers may be polled in another.
        let place = lane.rows.partition_point(|waiting| *waiting < id);
        lane.rows.insert(place, id);
        self.waiting += 1;
        if !lane.running && lane.rows.len() == 1 {
            self.free.push_back(name);
        }
    }

    /// Takes the oldest row of up to `room` free lanes, which then count as running.
    pub(crate) fn take(&mut self, room: usize) -> Vec<(String, i64)> {
        let mut taken = Vec::new();
        while taken.len() < room
            && let Some(name) = self.free.pop_front()
        {
            let lane = self.by_name.get_mut(&name).expect("a free lane exists");
            let id = lane.rows.pop_front().expect("a free lane has a row");
            lane.running = true;
            self.waiting -= 1;
            taken.push((name, id));
        }
        taken
    }

    /// Undoes a [`Self::take`] that could not be written down.
    pub(crate) fn put_back(&mut self, name: String, id: i64) {
        let lane = self.by_name.get_mut(&name).expect("a running lane exists");
        lane.rows.push_front(id);
        lane.running = false;
        self.waiting += 1;
        self.free.push_front(name);
    }

    pub(crate) fn release(&mut self, name: &str) {
        let Some(lane) = self.by_name.get_mut(name) else { return };
        lane.running = false;
        if lane.rows.is_empty() {
            self.by_name.remove(name);
        } else {
            self.free.push_back(name.to_owned());
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
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
    fn a_lane_without_rows_takes_no_memory() {
        let mut lanes = Lanes::default();
        lanes.push("a".into(), 1);
        lanes.take(1);
        lanes.release("a");
        assert!(lanes.by_name.is_empty() && lanes.free.is_empty() && lanes.waiting() == 0);
    }
}
