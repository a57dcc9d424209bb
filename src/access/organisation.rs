//! The organisation that the bot belongs to: a staff id counts only inside it.
//!
//! A message names two organisations, its sender's and the bot's; a click on a card names one. So the bot's is kept: from
//! the settings (`dingtalk.corp_id`), else from whoever claimed the bot, else from the first message of somebody whom the
//! owner named: who has a role by `"*"`, or by a group, is of anywhere. It belongs to the app and not to the state folder: another app is asked for its own.

use std::sync::{PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Access;
use super::Record;
use crate::message::Person;
use crate::message::StaffId;
use crate::store::Error;
use crate::store::Store;

#[derive(Debug, Default)]
pub(super) struct Organisation {
    /// From the settings: nothing else counts.
    is_set: bool,
    corp_id: RwLock<Option<String>>,
}

impl Organisation {
    pub(super) async fn open(store: &Store, app: &str, set: Option<&str>) -> Result<Self, Error> {
        let corp_id = match set {
            Some(set) => Some(set.to_owned()),
            None => {
                let app = app.to_owned();
                store.read(move |c| kept(c, &app)).await?
            }
        };
        Ok(Self { is_set: set.is_some(), corp_id: RwLock::new(corp_id) })
    }

    fn known(&self) -> Option<String> {
        self.corp_id.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Access {
    /// The bot's organisation (`corpId`), once it is known.
    pub fn organisation(&self) -> Option<String> {
        self.organisation.known()
    }

    /// Whether `person` is of another organisation than the bot. Who is named without one was named by the host itself.
    pub(super) fn is_foreign(&self, person: &Person) -> bool {
        match (&person.corp_id, self.organisation.known()) {
            (Some(theirs), Some(ours)) => *theirs != ours,
            _ => false,
        }
    }

    /// Whether `person` is of the organisation that the settings name, if they do: any other that was learnt is learnt
    /// anew from whoever has the claim code.
    pub(super) fn may_claim(&self, person: &Person) -> bool {
        !self.organisation.is_set || !self.is_foreign(person)
    }

    /// Learns the bot's organisation from a message of `person`, who has a role, unless it is known, or they have the role
    /// without being named. Only in memory if the journal does not take it: the next start learns it again.
    pub async fn learn_organisation(&self, person: &Person) {
        if self.organisation().is_none() && self.is_named(person) {
            self.keep_organisation(person).await;
        }
    }

    /// Whether the owner, the settings or a grant name this very person.
    fn is_named(&self, person: &Person) -> bool {
        let Some(id) = &person.staff_id else { return false };
        let settings = self.settings();
        self.owner().as_ref() == Some(id)
            || settings.roles.values().flatten().any(|listed| listed == id.as_str())
            || self.changes().iter().any(|grant| grant.allowed && grant.subject == id.as_str())
    }

    /// The bot's organisation is that of `person`, who claimed it, unless the settings say which it is.
    pub(super) async fn keep_organisation(&self, person: &Person) {
        let Some(corp_id) = person.corp_id.clone().filter(|_| person.same_org) else { return };
        if self.organisation.is_set || self.organisation().as_ref() == Some(&corp_id) {
            return;
        }
        if let Some(store) = &self.store {
            let (app, corp_id) = (self.app.clone(), corp_id.clone());
            let now_ms = self.clock.now_ms();
            let written = store.write(move |c| keep(c, &app, &corp_id, now_ms)).await;
            if let Err(error) = written {
                tracing::error!(%error, "the bot's organisation cannot be noted");
            }
        }
        let who = person.staff_id.as_ref().map(StaffId::as_str).unwrap_or_default();
        self.audit.record(Record::event("organisation", "", who, corp_id.as_str()));
        tracing::warn!(
            corp_id,
            "this is the bot's organisation from now on; staff ids of any other are nobody's"
        );
        *self.organisation.corp_id.write().unwrap_or_else(PoisonError::into_inner) = Some(corp_id);
    }
}

fn kept(c: &Connection, app: &str) -> rusqlite::Result<Option<String>> {
    let ask = "SELECT corp_id FROM organisation WHERE app = ?1";
    c.query_row(ask, [app], |row| row.get(0)).optional()
}

fn keep(c: &Connection, app: &str, corp_id: &str, now_ms: i64) -> rusqlite::Result<()> {
    c.execute(
        "INSERT INTO organisation (app, corp_id, known_at_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (app) DO UPDATE SET corp_id = excluded.corp_id,
         known_at_ms = excluded.known_at_ms",
        params![app, corp_id, now_ms],
    )?;
    Ok(())
}
