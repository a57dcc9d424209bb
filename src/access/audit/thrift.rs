//! Keeps a flood out of the audit: what repeats itself is counted instead of written again.
//!
//! What a person was allowed is never left out. Denials are, per person, door and reason, past a few in a minute; and so
//! are timers, which decide the same thing again and again.

use std::collections::HashMap;

use super::Record;

/// Written in full within one window; more of the same are counted.
const FIRST: u64 = 5;

const WINDOW_MS: i64 = 60_000;

/// Kinds of records remembered at once. A crowd that is larger is written as one.
const REMEMBERED: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Thrift {
    seen: HashMap<Key, Seen>,
    /// Something was counted since [`Thrift::untold`].
    news: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    verdict: String,
    door: String,
    who: String,
    handler: String,
    reason: String,
}

#[derive(Debug)]
struct Seen {
    since_ms: i64,
    written: u64,
    left_out: u64,
}

impl Thrift {
    /// The record as it is to be written; `None`: it is counted, and the next one like it says so.
    pub(super) fn pass(&mut self, mut record: Record) -> Option<Record> {
        // What a crash cut short is said of each run.
        let repeats =
            record.verdict == "deny" || (record.who == "host" && record.reason != "crash");
        if !repeats || !matches!(record.event.as_str(), "decision" | "end" | "approval") {
            return Some(record);
        }
        let now = record.at_ms;
        let mut key = Key {
            verdict: record.verdict.clone(),
            door: record.door.clone(),
            who: record.who.clone(),
            handler: record.handler.clone(),
            reason: record.reason.clone(),
        };
        if !self.seen.contains_key(&key) && self.seen.len() >= REMEMBERED {
            // What still has something to tell stays.
            self.seen.retain(|_, seen| seen.left_out > 0 || !seen.is_over(now));
            if self.seen.len() >= REMEMBERED {
                key.who.clear();
                key.handler.clear();
            }
        }
        let seen = self.seen.entry(key).or_insert(Seen { since_ms: now, written: 0, left_out: 0 });
        if seen.is_over(now) {
            *seen = Seen { since_ms: now, written: 0, left_out: seen.left_out };
        }
        if seen.written >= FIRST {
            seen.left_out += 1;
            return None;
        }
        seen.written += 1;
        record.left_out = std::mem::take(&mut seen.left_out);
        Some(record)
    }
}

impl Thrift {
    /// Whether this is the first that was counted since [`Thrift::untold`].
    pub(super) fn has_news(&mut self) -> bool {
        !std::mem::replace(&mut self.news, true)
    }

    /// What was left out and not told yet, as records.
    pub(super) fn untold(&mut self, at_ms: i64) -> Vec<Record> {
        self.news = false;
        let untold = self.seen.iter().filter(|(_, seen)| seen.left_out > 0);
        let told = untold.map(|(key, seen)| Record {
            at_ms,
            event: "left_out".to_owned(),
            verdict: key.verdict.clone(),
            door: key.door.clone(),
            who: key.who.clone(),
            handler: key.handler.clone(),
            reason: key.reason.clone(),
            left_out: seen.left_out,
            ..Record::default()
        });
        told.collect()
    }

    /// The same, for the end of the writer: told, and forgotten.
    pub(super) fn rest(&mut self, at_ms: i64) -> Vec<Record> {
        let rest = self.untold(at_ms);
        self.seen.clear();
        rest
    }
}

impl Seen {
    fn is_over(&self, now_ms: i64) -> bool {
        !(0..WINDOW_MS).contains(&(now_ms - self.since_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(verdict: &str, who: &str, at_ms: i64) -> Record {
        Record { at_ms, ..Record::event("decision", verdict, who, "no_role") }
    }

    #[test]
    fn what_repeats_itself_is_counted_and_the_next_record_tells() {
        let mut thrift = Thrift::default();
        let mut written = 0;
        for n in 0..1_000 {
            written += u64::from(thrift.pass(record("deny", "eve", n)).is_some());
        }
        assert_eq!(written, FIRST);
        assert_eq!(thrift.pass(record("deny", "bob", 1_000)).unwrap().left_out, 0);
        assert_eq!(thrift.pass(record("deny", "eve", WINDOW_MS)).unwrap().left_out, 1_000 - FIRST);
        assert_eq!(thrift.pass(record("deny", "eve", WINDOW_MS + 1)).unwrap().left_out, 0);
    }

    #[test]
    fn the_end_tells_what_no_record_has_told() {
        let mut thrift = Thrift::default();
        for n in 0..20 {
            let _ = thrift.pass(record("deny", "eve", n));
        }
        let rest = thrift.rest(20);
        assert_eq!(rest.len(), 1);
        assert_eq!((rest[0].who.as_str(), rest[0].left_out), ("eve", 20 - FIRST));
        assert!(thrift.rest(21).is_empty());
    }

    #[test]
    fn each_run_that_a_crash_cut_short_has_its_record() {
        let mut thrift = Thrift::default();
        let end = |n| Record { at_ms: n, ..Record::event("end", "interrupted", "host", "crash") };
        assert!((0..100).all(|n| thrift.pass(end(n)).is_some()));
    }

    #[test]
    fn what_a_person_was_allowed_is_never_left_out() {
        let mut thrift = Thrift::default();
        assert!((0..1_000).all(|n| thrift.pass(record("allow", "ann", n)).is_some()));
    }

    #[test]
    fn a_crowd_costs_no_memory() {
        let mut thrift = Thrift::default();
        for n in 0..100_000 {
            let _ = thrift.pass(record("deny", &format!("person {n}"), n / 10_000));
        }
        assert!(thrift.seen.len() <= REMEMBERED + 10);
    }
}
