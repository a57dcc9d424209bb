//! What the host before left unfinished: told as interrupted, or run after all.

use rusqlite::Connection;

use super::{Inbox, LATE, Row, requeue};
use crate::store::Error;

/// A row that was cut short.
#[derive(Clone, Debug)]
pub struct Cut {
    pub row: Row,
    /// Whether its handler may have begun: what it did may have been done.
    pub began: bool,
    /// The handler that was noted to have it, if one was.
    pub handler: Option<String>,
}

/// What becomes of a row that was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits for its turn again, as another attempt.
    Again,
    Interrupted,
}

/// What was settled.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    pub interrupted: Vec<Row>,
    /// How many wait again.
    pub again: usize,
    /// Those that no message had started: nobody is told.
    pub own: Vec<OwnCut>,
}

/// A run of a timer, a hook or a watcher that was cut short.
#[derive(Clone, Debug)]
pub struct OwnCut {
    pub run: String,
    /// As the journal has them.
    pub script: Option<String>,
    pub handler: Option<String>,
}

/// A row as it is on disk.
struct Found {
    id: i64,
    run: String,
    lane: String,
    payload: String,
    received_at_ms: i64,
    attempt: u32,
    script: Option<String>,
    handler: Option<String>,
}

impl Found {
    /// `None`: it cannot be read.
    fn cut(self, began: bool) -> Option<Cut> {
        let Self { id, run, lane, payload, received_at_ms, attempt, script: _, handler } = self;
        let inbound = serde_json::from_str(&payload).ok()?;
        let row = Row { id, run, lane, received_at_ms, attempt, inbound };
        Some(Cut { row, began, handler })
    }
}

impl Inbox {
    /// Settles what was under way when the host before died.
    ///
    /// Call it once, before the first claim. `settle` decides for each row, and runs in the transaction that writes it
    /// down: what it writes (a notice) is there if and only if the row is marked.
    pub async fn recover<F>(&self, settle: F) -> Result<Recovered, Error>
    where
        F: Fn(&Connection, &Cut) -> rusqlite::Result<Fate> + Send + 'static,
    {
        let (left, shared, oldest) = (self.left.clone(), self.shared.clone(), self.oldest_ms);
        self.store
            .write_then(
                move |c| {
                    let cut: Vec<Found> = c
                        .prepare(
                            "SELECT id, run, lane, payload, received_at_ms, attempt, script, handler FROM inbox
                             WHERE state IN ('running', 'waiting') ORDER BY id",
                        )?
                        .query_map([], |r| {
                            Ok(Found {
                                id: r.get(0)?,
                                run: r.get(1)?,
                                lane: r.get(2)?,
                                payload: r.get(3)?,
                                received_at_ms: r.get(4)?,
                                attempt: r.get(5)?,
                                script: r.get(6)?,
                                handler: r.get(7)?,
                            })
                        })?
                        .collect::<rusqlite::Result<_>>()?;
                    let (mut interrupted, mut again, mut own) = (Vec::new(), Vec::new(), Vec::new());
                    for found in cut {
                        let id = found.id;
                        // It has done something: it is noted only then, and no message can start it again.
                        if found.lane.is_empty() {
                            interrupt(c, id)?;
                            let Found { run, script, handler, .. } = found;
                            own.push(OwnCut { run, script, handler });
                            continue;
                        }
                        let began = left.may_have_begun(id);
                        let is_late = !began && found.received_at_ms < oldest;
                        let lane = match found.lane.strip_prefix(LATE) {
                            None if is_late => format!("{LATE}{}", found.lane),
                            _ => found.lane.clone(),
                        };
                        let cut = found.cut(began);
                        let fate = match &cut {
                            Some(cut) => settle(c, cut)?,
                            None => Fate::Interrupted,
                        };
                        match fate {
                            Fate::Again => {
                                requeue(c, id, true)?;
                                again.push((lane, id));
                            }
                            Fate::Interrupted => {
                                interrupt(c, id)?;
                                interrupted.extend(cut.map(|cut| cut.row));
                            }
                        }
                    }
                    Ok((interrupted, again, own))
                },
                move |(interrupted, again, own)| {
                    let count = again.len();
                    let mut desk = shared.desk();
                    for (lane, id) in again {
                        desk.lanes.push(lane, id);
                    }
                    drop(desk);
                    shared.ready.notify_one();
                    Recovered { interrupted, again: count, own }
                },
            )
            .await
    }
}

/// What was noted of it on the way stays.
fn interrupt(c: &Connection, id: i64) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE inbox SET state = 'interrupted', ended_at_ms = ?2, error = 'the host stopped while this ran' WHERE id = ?1",
    )?
    .execute(rusqlite::params![id, crate::store::now_ms()])?;
    Ok(())
}
