//! What the owner granted to scripts of other people, on this computer.
//!
//! A grant belongs to a file and to a set of needs, not to the content of the file: a script may be mended without being
//! asked about again, and whatever it becomes it reaches no more than what was read before saying yes. What it asks for
//! more than that waits for another yes. The content at the time is noted, for whoever wants to compare.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::{Connection, params};
use tokio_util::sync::CancellationToken;

use super::audit::{Audit, Record};
use super::needs::{Need, Needs};
use crate::store::Error;
use crate::store::Store;

/// How soon a running host sees what `moonbell grant` wrote.
const LOOK: Duration = Duration::from_millis(500);

/// One grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The whole path of the script.
    pub path: String,
    pub needs: Needs,
    /// SHA-256 of the script when it was granted, in hex.
    pub content: String,
    pub at_ms: i64,
}

/// All grants, as a host holds them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Consents(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None`: nothing is looked for.
    store: Option<Store>,
    held: RwLock<BTreeMap<String, Consent>>,
}

impl Consents {
    /// # Errors
    /// When the journal cannot be read.
    pub async fn open(store: Store) -> Result<Self, Error> {
        let held = RwLock::new(by_path(store.read(read).await?));
        Ok(Self(Arc::new(Inner { store: Some(store), held })))
    }

    /// These, of a journal that is only read.
    pub fn known(list: Vec<Consent>) -> Self {
        Self(Arc::new(Inner { store: None, held: RwLock::new(by_path(list)) }))
    }

    /// What was granted to the script at `path`; `None`: nothing, not even to serve.
    pub fn of(&self, path: &str) -> Option<Needs> {
        let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
        held.get(path).map(|consent| consent.needs.clone())
    }

    /// Looks until `stop` for what was granted and taken back by another process, records it, and calls `changed`.
    pub async fn watch(self, audit: Audit, stop: CancellationToken, changed: impl Fn()) {
        let Some(store) = self.0.store.clone() else { return };
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            // A journal that cannot be read now has grants that nobody changed.
            let Ok(found) = store.read(read).await else { continue };
            let found = by_path(found);
            let before = {
                let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
                if *held == found {
                    continue;
                }
                std::mem::replace(&mut *held, found.clone())
            };
            for record in records(&before, &found) {
                audit.record(record);
            }
            changed();
        }
    }
}

fn by_path(list: Vec<Consent>) -> BTreeMap<String, Consent> {
    list.into_iter().map(|consent| (consent.path.clone(), consent)).collect()
}

/// What the audit holds of a change.
fn records(
    before: &BTreeMap<String, Consent>,
    now: &BTreeMap<String, Consent>,
) -> impl Iterator<Item = Record> {
    let given = now.values().filter(|one| before.get(&one.path) != Some(one)).map(granted);
    let taken = before.keys().filter(|path| !now.contains_key(*path)).map(|path| revoked(path));
    given.chain(taken).collect::<Vec<_>>().into_iter()
}

/// The record of a grant.
pub fn granted(consent: &Consent) -> Record {
    let needs: Vec<String> = consent.needs.iter().map(ToString::to_string).collect();
    let reason = format!("sha256 {}: {}", consent.content, needs.join(", "));
    let handler = consent.path.clone();
    Record { handler, ..Record::event("consent", "allow", "local", reason) }
}

/// The record of a grant that was taken back.
pub fn revoked(path: &str) -> Record {
    Record { handler: path.to_owned(), ..Record::event("consent", "deny", "local", "") }
}

/// All grants of a journal.
///
/// # Errors
/// When it cannot be read.
pub fn read(c: &Connection) -> rusqlite::Result<Vec<Consent>> {
    c.prepare("SELECT script, needs, content, at_ms FROM consents ORDER BY script")?
        .query_map([], |row| {
            let needs: String = row.get(1)?;
            Ok(Consent {
                path: row.get(0)?,
                // What an older moonbell granted and this one does not know gives nothing.
                needs: needs.lines().filter_map(|line| Need::parse(line).ok()).collect(),
                content: row.get(2)?,
                at_ms: row.get(3)?,
            })
        })?
        .collect()
}

/// Writes a grant, in place of an earlier one.
///
/// # Errors
/// When the journal cannot be written.
pub fn insert(c: &Connection, consent: &Consent) -> rusqlite::Result<()> {
    let needs: Vec<String> = consent.needs.iter().map(ToString::to_string).collect();
    c.execute(
        "INSERT INTO consents (script, needs, content, at_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (script) DO UPDATE SET needs = excluded.needs, content = excluded.content,
         at_ms = excluded.at_ms",
        params![consent.path, needs.join("\n"), consent.content, consent.at_ms],
    )?;
    Ok(())
}

/// Takes a grant back; `false`: there was none.
///
/// # Errors
/// When the journal cannot be written.
pub fn remove(c: &Connection, path: &str) -> rusqlite::Result<bool> {
    Ok(c.execute("DELETE FROM consents WHERE script = ?1", [path])? > 0)
}
