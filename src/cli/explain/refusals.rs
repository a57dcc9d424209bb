//! Why somebody may not, in the language of whoever looks into it.

use crate::access::Denied;
use crate::words::Lang;
use crate::words::explain::refusals as w;

/// What the `Display` of it says in English.
pub(super) fn text(why: &Denied, lang: Lang) -> String {
    let says = match why {
        Denied::NoRole(id) => return w::no_role(id.as_str(), lang),
        Denied::Role(role) => return w::role(role, lang),
        Denied::Scope(places) => return w::scope(places, lang),
        Denied::Rate(rate) => return w::rate(rate, lang),
        Denied::Flood { most, .. } => return w::flood(*most, lang),
        Denied::PersonRuns(most) => return w::person_runs(*most, lang),
        Denied::HandlerRuns(most) => return w::handler_runs(*most, lang),
        Denied::Locked => w::locked,
        Denied::NoStaffId => w::no_staff_id,
        Denied::OtherOrganisation => w::other_organisation,
        Denied::UnknownOrganisation => w::unknown_organisation,
        Denied::Unclaimed => w::unclaimed,
        Denied::NotAsked => w::not_asked,
        Denied::OwnRequest => w::own_request,
    };
    says(lang).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::StaffId;

    #[test]
    fn english_is_what_the_audit_and_the_log_have() {
        for why in [
            Denied::Locked,
            Denied::NoStaffId,
            Denied::OtherOrganisation,
            Denied::UnknownOrganisation,
            Denied::Unclaimed,
            Denied::NoRole(StaffId::new("015412345604")),
            Denied::Role("admin".to_owned()),
            Denied::Scope("dm, group".to_owned()),
            Denied::Rate("5 in 60s".to_owned()),
            Denied::NotAsked,
            Denied::OwnRequest,
            Denied::Flood { most: 60, first: true },
            Denied::PersonRuns(32),
            Denied::HandlerRuns(9),
        ] {
            assert_eq!(text(&why, Lang::En), why.to_string());
            assert_eq!(Lang::of(&text(&why, Lang::Zh)), Some(Lang::Zh), "{why:?}");
        }
    }
}
