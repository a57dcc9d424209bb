//! What the audit is told beside decisions: why something was not done, what became of approvals, what never began.

use super::actor::{Actor, Door};
use super::{Access, Record};
use crate::message::Chat;
use crate::message::Person;

impl Access {
    /// Records that what somebody said was not done, for another reason than their rights.
    pub fn refused(&self, person: &Person, chat: &Chat, run: &str, reason: &str) {
        self.audit.record(Record {
            chat: chat.id.to_string(),
            run: run.to_owned(),
            reason: reason.to_owned(),
            ..Record::of("decision", "deny", &self.actor(person, Some(chat), Door::Message))
        });
    }

    /// Records what became of an approval: `verdict` of `actor` about what `digest` stands for. One record for each try.
    pub fn decided(
        &self,
        actor: &Actor,
        chat: Option<&str>,
        run: &str,
        digest: &str,
        (verdict, reason): (&str, &str),
    ) {
        self.audit.record(Record {
            chat: chat.unwrap_or_default().to_owned(),
            run: run.to_owned(),
            digest: digest.to_owned(),
            reason: reason.to_owned(),
            ..Record::of("approval", verdict, actor)
        });
    }

    /// Records the end of a run that had not begun: somebody took it out of its queue. `who`: whose it was.
    pub fn never_began(&self, who: &str, chat: &str, run: &str) {
        let record = Record::event("end", "cancelled", who, "not_begun");
        self.audit.record(Record { run: run.to_owned(), chat: chat.to_owned(), ..record });
    }
}
