//! The made-up organisation: who there is, and where they can talk.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::options::Options;
use super::view;
use super::view::ChatKind;

/// Avatar colours, dark enough for white letters.
const COLORS: &[&str] =
    &["#3b6fd4", "#c2542d", "#2f8f5b", "#8a4bb8", "#b0892a", "#2a8f9c", "#b8406b", "#5b6470"];

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) staff_id: String,
    pub(super) nick: String,
    pub(super) owner: bool,
    pub(super) external: bool,
    color: &'static str,
}

impl Person {
    /// The encrypted id: always there, never good for sending.
    pub(super) fn opaque_id(&self) -> String {
        opaque(&self.staff_id)
    }

    pub(super) fn union_id(&self) -> String {
        format!("{}iEiE", STANDARD.encode(&self.staff_id).trim_end_matches('='))
    }

    pub(super) fn view(&self) -> view::Person {
        let role_hint = if self.external {
            "external"
        } else if self.owner {
            "owner"
        } else {
            "member"
        };
        view::Person {
            staff_id: self.staff_id.clone(),
            nick: self.nick.clone(),
            role_hint: role_hint.to_owned(),
            color: self.color.to_owned(),
        }
    }
}

/// People, direct chats and groups. They do not change while the simulator runs.
#[derive(Debug)]
pub(super) struct Organisation {
    pub(super) corp_id: String,
    pub(super) people: Vec<Person>,
    pub(super) chats: Vec<view::Chat>,
}

impl Organisation {
    pub(super) fn new(options: &Options) -> Self {
        let people: Vec<Person> = options
            .people
            .iter()
            .zip(COLORS.iter().cycle())
            .map(|(person, &color)| Person {
                staff_id: person.staff_id.clone(),
                nick: person.nick.clone(),
                owner: person.owner,
                external: person.external,
                color,
            })
            .collect();
        let direct = people.iter().map(|person| view::Chat {
            id: direct_chat(&person.staff_id),
            kind: ChatKind::Dm,
            title: person.nick.clone(),
            members: vec![person.staff_id.clone()],
        });
        let groups = options.groups.iter().enumerate().map(|(index, group)| view::Chat {
            id: group_chat(index),
            kind: ChatKind::Group,
            title: group.title.clone(),
            members: group.members.clone(),
        });
        let chats = direct.chain(groups).collect();
        Self { corp_id: "dingsimulatorcorp0f1e2d3c4b5a6978".to_owned(), people, chats }
    }

    pub(super) fn person(&self, staff_id: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.staff_id == staff_id)
    }

    /// Finds by staff id, or by union id when the call says so (`userIdType` 2).
    pub(super) fn person_by(&self, id: &str, user_id_type: i64) -> Option<&Person> {
        self.people.iter().find(|person| {
            if user_id_type == 2 {
                person.union_id() == id
            } else {
                person.staff_id == id && !person.external
            }
        })
    }

    /// Ids are compared byte by byte: DingTalk refuses a conversation id in lower case.
    pub(super) fn chat(&self, id: &str) -> Option<&view::Chat> {
        self.chats.iter().find(|chat| chat.id == id)
    }

    pub(super) fn group(&self, id: &str) -> Option<&view::Chat> {
        self.chat(id).filter(|chat| chat.kind == ChatKind::Group)
    }
}

/// The id of the direct chat between a person and the bot.
pub(super) fn direct_chat(staff_id: &str) -> String {
    format!("cidDm{}", STANDARD.encode(format!("simulated direct chat {staff_id}")))
}

/// The id of the group with this index in [`Options::groups`].
pub(super) fn group_chat(index: usize) -> String {
    format!("cidGrp{}", STANDARD.encode(format!("simulated group {index}")))
}

pub(super) fn opaque(id: &str) -> String {
    format!("$:LWCP_v1:${}", STANDARD.encode(format!("opaque {id}")))
}
