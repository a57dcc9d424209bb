//! Who may do what. One decision for every door; closed unless the owner opened it.
//!
//! Rights belong to staff ids inside the bot's own organisation, never to names: `senderNick` is free text, `isAdmin`
//! speaks of the organisation and not of this computer, and people outside it can carry the same staff id.
//!
//! Today the lists come from the configuration: `access.owner` and `access.roles`. The owner has every role; any other
//! role, `admin` too, gives just itself; a handler without a role serves whoever has some role.

mod refusals;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use crate::config;
use crate::message::Person;
use crate::message::StaffId;

use refusals::Refusals;

/// Name of the role that `access.owner` gives.
pub const OWNER: &str = "owner";

/// Answers "may this person do that?".
#[derive(Debug)]
pub struct Access {
    owner: Option<StaffId>,
    roles: RwLock<BTreeMap<String, Vec<String>>>,
    refusals: Refusals,
}

/// A person who may do something here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    id: StaffId,
    roles: BTreeSet<String>,
}

/// Why somebody may not. `Display` is for the owner; the person only hears that it is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error(
        "DingTalk sent no staff id: the app is not published, or the person is outside the organisation"
    )]
    NoStaffId,
    #[error("the person belongs to another organisation than the bot")]
    OtherOrganisation,
    #[error("`{0}` has no role; add the id to `access.roles` to let them in")]
    NoRole(StaffId),
}

impl Access {
    pub fn new(lists: config::Access) -> Self {
        Self { owner: lists.owner, roles: RwLock::new(lists.roles), refusals: Refusals::default() }
    }

    /// Gives `person` a role beside those of the lists. The role of the owner is not given.
    pub fn grant(&self, role: &str, person: &StaffId) {
        let mut roles = self.roles.write().unwrap_or_else(PoisonError::into_inner);
        roles.entry(role.to_owned()).or_default().push(person.to_string());
    }

    /// Returns who `person` is here, or why nobody.
    pub fn actor(&self, person: &Person) -> Result<Actor, Denied> {
        let id = person
            .staff_id
            .clone()
            .filter(|id| !id.as_str().is_empty())
            .ok_or(Denied::NoStaffId)?;
        if !person.same_org {
            return Err(Denied::OtherOrganisation);
        }
        let mut roles: BTreeSet<String> = self
            .roles
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|(_, ids)| ids.iter().any(|listed| listed == "*" || listed == id.as_str()))
            .map(|(role, _)| role.clone())
            .collect();
        // The owner is one person, named in one place: a list called `owner` gives nothing.
        roles.remove(OWNER);
        if self.owner.as_ref() == Some(&id) {
            roles.insert(OWNER.to_owned());
        }
        if roles.is_empty() { Err(Denied::NoRole(id)) } else { Ok(Actor { id, roles }) }
    }

    /// Whether a refused person is told so this time: once an hour, so that a stranger costs one reply at most.
    pub fn may_tell(&self, person: &Person) -> bool {
        self.refusals.may_tell(person.key())
    }

    pub fn owner(&self) -> Option<&StaffId> {
        self.owner.as_ref()
    }
}

impl Actor {
    /// Whether a handler that asks for `role` (`None`: for any) serves this person.
    pub fn has(&self, role: Option<&str>) -> bool {
        match role {
            None => true,
            Some(role) => self.is_owner() || self.roles.contains(role),
        }
    }

    pub fn is_owner(&self) -> bool {
        self.roles.contains(OWNER)
    }

    /// The one role that scripts see: owner before admin before the first of the others.
    pub fn role(&self) -> &str {
        [OWNER, "admin"]
            .into_iter()
            .find(|role| self.roles.contains(*role))
            .or_else(|| self.roles.first().map(String::as_str))
            .expect("an actor has a role")
    }

    /// All roles, by name.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(String::as_str)
    }

    pub fn id(&self) -> &StaffId {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let roles = [("admin", vec!["ann"]), ("guest", vec!["bob", "ann"]), ("owner", vec!["eve"])];
        let roles = roles
            .into_iter()
            .map(|(role, ids)| (role.to_owned(), ids.into_iter().map(str::to_owned).collect()));
        Access::new(config::Access { owner: Some(StaffId::new("boss")), roles: roles.collect() })
    }

    fn person(id: &str) -> Person {
        let staff_id = Some(StaffId::new(id));
        Person { staff_id, opaque_id: "$:x".into(), nick: "boss".into(), same_org: true }
    }

    #[test]
    fn the_owner_may_do_everything_and_others_what_their_roles_say() {
        let access = access();
        let boss = access.actor(&person("boss")).unwrap();
        let ann = access.actor(&person("ann")).unwrap();
        let bob = access.actor(&person("bob")).unwrap();
        for (actor, role, expected) in [
            (&boss, None, true),
            (&boss, Some("owner"), true),
            (&boss, Some("anything"), true),
            (&ann, Some("admin"), true),
            (&ann, Some("owner"), false),
            (&bob, None, true),
            (&bob, Some("guest"), true),
            (&bob, Some("admin"), false),
        ] {
            assert_eq!(actor.has(role), expected, "{actor:?} {role:?}");
        }
        assert_eq!([boss.role(), ann.role(), bob.role()], ["owner", "admin", "guest"]);
    }

    #[test]
    fn a_stranger_is_nobody_whatever_the_name_says() {
        let access = access();
        let stranger = person("mallory");
        assert_eq!(access.actor(&stranger), Err(Denied::NoRole(StaffId::new("mallory"))));
        for odd in ["", " boss", "boss ", "BOSS", "ｂｏｓｓ", "*"] {
            assert!(access.actor(&person(odd)).is_err(), "{odd:?}");
        }
        assert_eq!(
            access.actor(&Person { staff_id: None, ..person("boss") }),
            Err(Denied::NoStaffId)
        );
        assert_eq!(
            access.actor(&Person { same_org: false, ..person("boss") }),
            Err(Denied::OtherOrganisation)
        );
    }

    #[test]
    fn nobody_becomes_owner_through_a_list() {
        assert!(access().actor(&person("eve")).is_err());
    }

    #[test]
    fn a_star_lets_everybody_of_the_organisation_in_but_nobody_else() {
        let roles = std::iter::once(("guest".to_owned(), vec!["*".to_owned()])).collect();
        let access = Access::new(config::Access { owner: None, roles });
        assert_eq!(access.actor(&person("anyone")).unwrap().role(), "guest");
        assert!(access.actor(&Person { same_org: false, ..person("anyone") }).is_err());
    }
}
