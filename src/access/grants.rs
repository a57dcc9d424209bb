//! Roles beside the settings: the owner who claimed, and what the owner gave and took from a chat.
//!
//! Held in memory, where every decision looks, and in the journal, which a change reaches first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::message::Chat;
use crate::message::ChatKind;
use crate::message::StaffId;
use crate::store::Error;
use crate::store::Store;

/// Before the conversation id of a group, where a staff id might stand.
pub const GROUP: &str = "group:";

/// Stands for every role where all are taken, and for everybody in the lists of the settings.
const ALL: &str = "*";

/// One line of `who`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// A staff id, or `group:` and a conversation id.
    pub subject: String,
    /// `*`: every role.
    pub role: String,
    /// Given; else taken.
    pub allowed: bool,
    /// Unix time in milliseconds; `None`: for good.
    pub until_ms: Option<i64>,
    pub by: String,
}

#[derive(Debug, Default)]
pub(super) struct Grants {
    held: RwLock<Held>,
}

#[derive(Debug, Default)]
struct Held {
    claimed: Option<StaffId>,
    list: BTreeMap<(String, String), Grant>,
}

impl Grants {
    /// What the journal has for `app`.
    pub(super) async fn open(store: &Store, app: &str) -> Result<Self, Error> {
        let of = app.to_owned();
        if store.read(orphan).await? {
            let of = of.clone();
            store.write(move |c| adopt(c, &of)).await?;
        }
        let (claimed, list) = store.read(move |c| read(c, &of)).await?;
        let list = list.into_iter().map(|one| ((one.subject.clone(), one.role.clone()), one));
        Ok(Self { held: RwLock::new(Held { claimed, list: list.collect() }) })
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn claimed(&self) -> Option<StaffId> {
        self.held().claimed.clone()
    }

    pub(super) fn set_claimed(&self, owner: StaffId) {
        self.held.write().unwrap_or_else(PoisonError::into_inner).claimed = Some(owner);
    }

    /// The roles of `person` in `chat`, given those that the settings list.
    pub(super) fn roles(
        &self,
        person: &StaffId,
        chat: Option<&Chat>,
        lists: &BTreeMap<String, Vec<String>>,
        now_ms: i64,
    ) -> BTreeSet<String> {
        let held = self.held();
        let group = chat
            .filter(|chat| chat.kind == ChatKind::Group)
            .map(|chat| format!("{GROUP}{}", chat.id));
        let mut roles = BTreeSet::new();
        for subject in std::iter::once(person.as_str()).chain(group.as_deref()) {
            let mut of_subject: BTreeSet<&str> = lists
                .iter()
                .filter(|(_, ids)| ids.iter().any(|listed| listed == subject))
                .map(|(role, _)| role.as_str())
                .collect();
            held.apply(subject, now_ms, &mut of_subject);
            roles.extend(of_subject.into_iter().map(str::to_owned));
        }
        let for_all = lists.iter().filter(|(_, ids)| ids.iter().any(|listed| listed == ALL));
        roles.extend(for_all.map(|(role, _)| role.clone()));
        // What was taken from the person stays taken, however else it would come.
        held.take_away(person.as_str(), now_ms, &mut roles);
        roles
    }

    /// When the first of what holds for a time ends; `None`: nothing does.
    pub(super) fn next_end(&self, now_ms: i64) -> Option<i64> {
        let held = self.held();
        held.list.values().filter_map(|grant| grant.until_ms).filter(|at| *at > now_ms).min()
    }

    pub(super) fn put(&self, grant: Grant) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if grant.role == ALL {
            // All are taken: what was given before goes; what is given from now on counts.
            held.list.retain(|(subject, _), _| *subject != grant.subject);
        }
        held.list.insert((grant.subject.clone(), grant.role.clone()), grant);
    }

    /// What holds now, by subject and role.
    pub(super) fn list(&self, now_ms: i64) -> Vec<Grant> {
        self.held().list.values().filter(|grant| grant.holds(now_ms)).cloned().collect()
    }
}

impl Grant {
    fn holds(&self, now_ms: i64) -> bool {
        self.until_ms.is_none_or(|until| now_ms < until)
    }
}

impl Held {
    fn of<'a>(&'a self, subject: &'a str, now_ms: i64) -> impl Iterator<Item = &'a Grant> {
        let from = (subject.to_owned(), String::new());
        self.list
            .range(from..)
            .map(|(_, grant)| grant)
            .take_while(move |grant| grant.subject == subject)
            .filter(move |grant| grant.holds(now_ms))
    }

    fn apply<'a>(&'a self, subject: &'a str, now_ms: i64, roles: &mut BTreeSet<&'a str>) {
        for grant in self.of(subject, now_ms) {
            if grant.allowed {
                roles.insert(&grant.role);
            } else if grant.role == ALL {
                roles.clear();
            } else {
                roles.remove(grant.role.as_str());
            }
        }
    }

    fn take_away(&self, subject: &str, now_ms: i64, roles: &mut BTreeSet<String>) {
        for grant in self.of(subject, now_ms).filter(|grant| !grant.allowed) {
            if grant.role == ALL {
                // `*` stands before every name, so what was given after it is still to come.
                let given: BTreeSet<String> = self
                    .of(subject, now_ms)
                    .filter(|grant| grant.allowed)
                    .map(|grant| grant.role.clone())
                    .collect();
                roles.retain(|role| given.contains(role));
            } else {
                roles.remove(&grant.role);
            }
        }
    }
}

/// Who claimed `app`, or a bot of the time when apps were not told apart.
fn claimed(c: &Connection, app: &str) -> rusqlite::Result<Option<StaffId>> {
    let id: Option<String> = c
        .query_row(
            "SELECT staff_id FROM owner WHERE app IN (?1, '') ORDER BY app DESC LIMIT 1",
            [app],
            |row| row.get(0),
        )
        .optional()?;
    Ok(id.map(StaffId::new))
}

/// Whether somebody claimed, gave or took something when apps were not told apart.
fn orphan(c: &Connection) -> rusqlite::Result<bool> {
    c.query_row(
        "SELECT EXISTS (SELECT 1 FROM owner WHERE app = '') OR EXISTS (SELECT 1 FROM grants WHERE app = '')",
        [],
        |row| row.get(0),
    )
}

/// From now on it is of `app`, and of no other.
fn adopt(c: &Connection, app: &str) -> rusqlite::Result<()> {
    for table in ["owner", "grants"] {
        c.execute(&format!("UPDATE OR IGNORE {table} SET app = ?1 WHERE app = ''"), [app])?;
        c.execute(&format!("DELETE FROM {table} WHERE app = ''"), [])?;
    }
    Ok(())
}

/// The app that was claimed last, of those that are not `app`.
pub fn claimed_elsewhere(c: &Connection, app: &str) -> rusqlite::Result<Option<String>> {
    c.query_row(
        "SELECT app FROM owner WHERE app NOT IN (?1, '') ORDER BY claimed_at_ms DESC LIMIT 1",
        [app],
        |row| row.get(0),
    )
    .optional()
}

/// What was given and taken for `app`; what is older than apps first.
fn list(c: &Connection, app: &str) -> rusqlite::Result<Vec<Grant>> {
    c.prepare(
        "SELECT subject, role, allowed, until_ms, by_id FROM grants WHERE app IN (?1, '') ORDER BY app",
    )?
        .query_map([app], |row| {
            Ok(Grant {
                subject: row.get(0)?,
                role: row.get(1)?,
                allowed: row.get(2)?,
                until_ms: row.get(3)?,
                by: row.get(4)?,
            })
        })?
        .collect()
}

/// Who claimed `app`, and what was given and taken, from a journal that is only read.
pub fn read(c: &Connection, app: &str) -> rusqlite::Result<(Option<StaffId>, Vec<Grant>)> {
    Ok((claimed(c, app)?, list(c, app)?))
}

pub(super) fn insert(
    c: &Connection,
    app: &str,
    grant: &Grant,
    now_ms: i64,
) -> rusqlite::Result<()> {
    if grant.role == ALL {
        let of_theirs = "DELETE FROM grants WHERE app = ?1 AND subject = ?2";
        c.execute(of_theirs, [app, &grant.subject])?;
    }
    c.execute(
        "INSERT INTO grants (app, subject, role, allowed, until_ms, by_id, at_ms) VALUES (?7, ?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (app, subject, role) DO UPDATE SET allowed = excluded.allowed, until_ms = excluded.until_ms,
         by_id = excluded.by_id, at_ms = excluded.at_ms",
        params![grant.subject, grant.role, grant.allowed, grant.until_ms, grant.by, now_ms, app],
    )?;
    // What ended says nothing any more.
    c.execute("DELETE FROM grants WHERE until_ms <= ?1", [now_ms])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ConversationId;

    fn grant(subject: &str, role: &str, allowed: bool, until_ms: Option<i64>) -> Grant {
        let (subject, role) = (subject.to_owned(), role.to_owned());
        Grant { subject, role, allowed, until_ms, by: "boss".to_owned() }
    }

    fn chat(id: &str, kind: ChatKind) -> Chat {
        Chat { id: ConversationId::new(id), kind, title: None }
    }

    fn lists(lists: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let own = |ids: &&[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        lists.iter().map(|(role, ids)| ((*role).to_owned(), own(ids))).collect()
    }

    #[tokio::test]
    async fn whoever_claimed_before_apps_were_told_apart_owns_the_next_one_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let put = "INSERT INTO owner (app, staff_id, claimed_at_ms) VALUES ('', 'ann', 1)";
        store.write(move |c| c.execute(put, [])).await.unwrap();
        let ann = Some(StaffId::new("ann"));
        // Whoever only looks sees what a host would; and a host keeps it.
        assert_eq!(store.read(|c| read(c, "one@dingtalk")).await.unwrap().0, ann);
        for (app, owner) in
            [("one@dingtalk", &ann), ("two@dingtalk", &None), ("one@dingtalk", &ann)]
        {
            assert_eq!(&Grants::open(&store, app).await.unwrap().claimed(), owner, "{app}");
        }
        let elsewhere = store.read(|c| claimed_elsewhere(c, "two@dingtalk")).await.unwrap();
        assert_eq!(elsewhere.as_deref(), Some("one@dingtalk"));
        assert_eq!(store.read(|c| claimed_elsewhere(c, "one@dingtalk")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_was_given_for_one_app_says_nothing_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let given = |app: &'static str, role: &str, allowed| {
            let grant = grant("ann", role, allowed, None);
            store.write(move |c| insert(c, app, &grant, 1))
        };
        given("", "old", true).await.unwrap();
        given("one@dingtalk", "ops", true).await.unwrap();
        given("two@dingtalk", "*", false).await.unwrap();
        for (app, held) in [
            ("one@dingtalk", &["old", "ops"][..]),
            ("two@dingtalk", &["*"]),
            ("three@dingtalk", &[]),
        ] {
            let list = Grants::open(&store, app).await.unwrap().list(1);
            let roles: Vec<&str> = list.iter().map(|grant| grant.role.as_str()).collect();
            assert_eq!(roles, held, "{app}");
        }
    }

    #[test]
    fn a_role_of_a_group_holds_in_that_group_only() {
        let lists = lists(&[("ops", &["group:cidA"])]);
        let grants = Grants::default();
        grants.put(grant("group:cidB", "guest", true, None));
        let roles = |id: &str, kind| {
            let roles = grants.roles(&StaffId::new("ann"), Some(&chat(id, kind)), &lists, 0);
            roles.into_iter().collect::<Vec<_>>().join(",")
        };
        assert_eq!(roles("cidA", ChatKind::Group), "ops");
        assert_eq!(roles("cidB", ChatKind::Group), "guest");
        for (id, kind) in
            [("cida", ChatKind::Group), ("cidA", ChatKind::Direct), ("cidC", ChatKind::Group)]
        {
            assert_eq!(roles(id, kind), "", "{id} {kind:?}");
        }
    }

    #[test]
    fn what_was_taken_stays_taken_until_it_is_given_again() {
        let lists = lists(&[("guest", &["*"]), ("ops", &["ann"])]);
        let grants = Grants::default();
        let roles = |now| {
            let roles = grants.roles(&StaffId::new("ann"), None, &lists, now);
            roles.into_iter().collect::<Vec<_>>().join(",")
        };
        assert_eq!(roles(0), "guest,ops");
        grants.put(grant("ann", "ops", false, None));
        assert_eq!(roles(0), "guest");
        grants.put(grant("ann", "*", false, None));
        assert_eq!(roles(0), "");
        grants.put(grant("ann", "night", true, Some(10)));
        assert_eq!(roles(9), "night");
        assert_eq!(grants.next_end(0), Some(10));
        assert_eq!(roles(10), "");
        grants.put(grant("ann", "ops", true, None));
        assert_eq!(roles(10), "ops");
    }
}
