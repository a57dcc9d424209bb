//! The decision as a table: who, where, what.

use super::*;
use crate::message::ChatKind;
use crate::message::ConversationId;

fn access() -> Access {
    let roles = [("admin", vec!["ann"]), ("guest", vec!["bob", "ann"]), ("owner", vec!["eve"])];
    let roles = roles
        .into_iter()
        .map(|(role, ids)| (role.to_owned(), ids.into_iter().map(str::to_owned).collect()));
    Access::new(config::Access { owner: Some(StaffId::new("boss")), roles: roles.collect() })
}

fn person(id: &str) -> Person {
    let staff_id = Some(StaffId::new(id));
    Person { staff_id, opaque_id: "$:x".into(), nick: "boss".into(), same_org: true, corp_id: None }
}

fn speak(access: &Access, person: &Person) -> Result<Actor, Denied> {
    let actor = access.actor(person, None, Door::Message);
    access.authorize(&actor, None, None, Action::Speak { run: "r" }).map(|()| actor)
}

#[test]
fn the_owner_may_do_everything_and_others_what_their_roles_say() {
    let access = access();
    let [boss, ann, bob] = ["boss", "ann", "bob"].map(|id| speak(&access, &person(id)).unwrap());
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
        let terms = Terms { role: role.map(str::to_owned), ..Terms::default() };
        let handler = Some(Handler { name: "h", terms: &terms });
        for action in [Action::See, Action::Run { run: "r" }, Action::Answer { run: "r" }] {
            let decided = access.authorize(actor, None, handler, action);
            assert_eq!(decided.is_ok(), expected, "{actor:?} {role:?} {action:?}");
        }
    }
    assert_eq!([boss.role(), ann.role(), bob.role()], ["owner", "admin", "guest"]);
}

#[test]
fn a_stranger_is_nobody_whatever_the_name_says() {
    let access = access();
    let stranger = person("mallory");
    assert_eq!(speak(&access, &stranger), Err(Denied::NoRole(StaffId::new("mallory"))));
    for odd in ["", " boss", "boss ", "BOSS", "ｂｏｓｓ", "*", "group:x", "host", "local"] {
        assert!(speak(&access, &person(odd)).is_err(), "{odd:?}");
    }
    let nameless = Person { staff_id: None, ..person("boss") };
    assert_eq!(speak(&access, &nameless), Err(Denied::NoStaffId));
    let foreign = Person { same_org: false, ..person("boss") };
    assert_eq!(speak(&access, &foreign), Err(Denied::OtherOrganisation));
}

#[test]
fn nobody_becomes_owner_through_a_list_or_a_grant() {
    let access = access();
    access.grant(OWNER, &StaffId::new("mallory"));
    assert!(speak(&access, &person("eve")).is_err());
    assert!(speak(&access, &person("mallory")).is_err());
}

#[test]
fn without_an_owner_a_stranger_is_told_apart_in_the_log_alone() {
    let access = Access::new(config::Access::default());
    assert_eq!(speak(&access, &person("ann")), Err(Denied::Unclaimed));
}

#[test]
fn a_star_lets_everybody_of_the_organisation_in_but_nobody_else() {
    let roles = std::iter::once(("guest".to_owned(), vec!["*".to_owned()])).collect();
    let mut lists = config::Access { owner: None, roles };
    assert_eq!(speak(&Access::new(lists.clone()), &person("anyone")), Err(Denied::Unclaimed));
    lists.owner = Some(StaffId::new("boss"));
    let access = Access::new(lists);
    assert_eq!(speak(&access, &person("anyone")).unwrap().role(), "guest");
    assert!(speak(&access, &Person { same_org: false, ..person("anyone") }).is_err());
}

#[test]
fn scope_and_rate_are_part_of_the_one_decision() {
    let access = access().on_clock(Clock::standing(chrono::DateTime::UNIX_EPOCH));
    let group = Chat { id: ConversationId::new("cidA"), kind: ChatKind::Group, title: None };
    let direct = Chat { id: ConversationId::new("cidB"), kind: ChatKind::Direct, title: None };
    let terms = Terms {
        scope: Scope::Only(vec![Place::parse("cidA").unwrap()]),
        rate: Some(Rate { times: 1, per: Duration::from_mins(1) }),
        ..Terms::default()
    };
    let handler = Some(Handler { name: "h", terms: &terms });
    let bob = speak(&access, &person("bob")).unwrap();
    let ask = |chat, action| access.authorize(&bob, chat, handler, action);
    assert!(matches!(ask(Some(&direct), Action::See), Err(Denied::Scope(_))));
    assert!(matches!(ask(None, Action::Run { run: "r" }), Err(Denied::Scope(_))));
    assert_eq!(ask(Some(&group), Action::Run { run: "r" }), Ok(()));
    // Looking costs nothing.
    assert_eq!(ask(Some(&group), Action::See), Ok(()));
    assert!(matches!(ask(Some(&group), Action::Run { run: "r" }), Err(Denied::Rate(_))));
}

#[tokio::test]
async fn a_run_whose_right_goes_is_stopped_and_others_run_on() {
    let access = access();
    let terms = Terms { role: Some("guest".to_owned()), ..Terms::default() };
    let handler = Handler { name: "h", terms: &terms };
    let begin = |id| {
        let actor = access.actor(&person(id), None, Door::Message);
        let cancel = CancellationToken::new();
        (access.begin(&actor, None, handler, id, &cancel).unwrap(), cancel)
    };
    let (bob, bobs) = begin("bob");
    let (ann, anns) = begin("ann");
    let deny = Grant {
        subject: "bob".to_owned(),
        role: "guest".to_owned(),
        allowed: false,
        until_ms: None,
        by: "boss".to_owned(),
    };
    access.change(&Actor::local(Door::Cli), deny).await.unwrap();
    assert!(bobs.is_cancelled() && !anns.is_cancelled());
    assert_eq!(bob.taken(), Some(&Denied::NoRole(StaffId::new("bob"))));
    assert_eq!(ann.taken(), None);
    // The lock spares nobody, nor what runs by itself.
    let timer = CancellationToken::new();
    let own = access.begin(&Actor::host(Door::Schedule), None, handler, "t", &timer).unwrap();
    access.shut(&Actor::local(Door::Cli)).unwrap();
    assert!(anns.is_cancelled() && timer.is_cancelled());
    assert_eq!(own.taken(), Some(&Denied::Locked));
    let again = access.begin(&Actor::host(Door::Schedule), None, handler, "t", &timer);
    assert!(matches!(again, Err(Denied::Locked)));
}
