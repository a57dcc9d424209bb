//! Messages as they came, for a replay: taken from a journal, and without names when they are saved.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::access::OWNER;
use crate::access::{Access, Door};
use crate::inbox::Past;
use crate::message::Inbound;
use crate::message::Message;
use crate::message::MessageId;
use crate::message::StaffId;
use crate::sink::redact;

/// What a saved file says of itself; another number is another format.
const FORMAT: u32 = 1;

/// Messages and who sent them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    format: u32,
    /// Staff id to roles, by the settings of the time.
    pub roles: BTreeMap<String, Vec<String>>,
    pub messages: Vec<Recorded>,
}

/// A message and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Short id of its run; empty if it never began.
    pub run: String,
    pub state: String,
    /// The handler that took it, or that it was meant for.
    pub handler: Option<String>,
    /// Whether that handler ran, and was not only explained.
    pub ran: bool,
    pub received_at_ms: i64,
    pub message: Message,
}

impl Recorded {
    /// Whether a handler took it and came to its end well.
    pub fn was_handled(&self) -> bool {
        self.ran && self.state == "done"
    }
}

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("this is no recording: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("this recording has format {0}, expected {FORMAT}")]
    Format(u32),
}

impl Recording {
    /// Messages of a journal; `explained` tells of those whose answer was only a word of the host's.
    pub fn from_journal(
        past: Vec<Past>,
        access: &Access,
        explained: impl Fn(&Past, &Message) -> bool,
    ) -> Self {
        let mut roles = BTreeMap::new();
        let messages = past.into_iter().filter_map(|past| {
            let Some(Inbound::Message(message)) = &past.inbound else { return None };
            let actor = access.actor(&message.sender, Some(&message.chat), Door::Message);
            let has: Vec<String> = actor.roles().map(str::to_owned).collect();
            if let Some(id) = actor.person().filter(|_| !has.is_empty()) {
                roles.insert(id.to_string(), has);
            }
            let refused = past.error.as_deref().is_some_and(|error| error.starts_with("denied"));
            let ran = past.handler.is_some() && !refused && !explained(&past, message);
            let message = message.clone();
            Some(Recorded {
                run: past.run.unwrap_or_default(),
                state: past.state,
                handler: past.handler,
                ran,
                received_at_ms: past.received_at_ms,
                message,
            })
        });
        let messages = messages.collect();
        Self { format: FORMAT, roles, messages }
    }

    /// Reads a saved file.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.format != FORMAT {
            return Err(RecordingError::Format(head.format));
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The owner among the people, if there is one.
    pub fn owner(&self) -> StaffId {
        let is_owner = |roles: &Vec<String>| roles.iter().any(|role| role == OWNER);
        let found = self.roles.iter().find(|(_, roles)| is_owner(roles));
        StaffId::new(found.map_or(OWNER, |(id, _)| id))
    }

    /// The same without names, ids, webhooks and secrets. Who is the same stays the same, roles stay; what people wrote
    /// stays but for those names, and what looks like a secret.
    #[must_use]
    pub fn scrubbed(&self) -> Self {
        let mut names = Names::default();
        for recorded in &self.messages {
            names.learn(&recorded.message);
        }
        let messages = self.messages.iter().enumerate().map(|(number, recorded)| Recorded {
            run: format!("run-{}", number + 1),
            message: names.scrub(&recorded.message, number + 1),
            ..recorded.clone()
        });
        let messages = messages.collect();
        let roles = self.roles.iter();
        let roles = roles.map(|(id, roles)| (names.person(id), roles.clone())).collect();
        Self { format: FORMAT, roles, messages }
    }

    /// As a file that can be kept with the scripts.
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("our own types have string keys only");
        text.push('\n');
        text
    }
}

/// What stands for whom.
#[derive(Debug, Default)]
struct Names {
    people: BTreeMap<String, String>,
    chats: BTreeMap<String, String>,
    /// Words of texts and what stands for them, longest first.
    words: Vec<(String, String)>,
}

impl Names {
    fn learn(&mut self, message: &Message) {
        let key = message.sender.key().to_owned();
        let person = self.stand_in_for_person(&key);
        for name in [message.sender.nick.as_str(), key.as_str(), message.sender.opaque_id.as_str()]
        {
            self.word(name, &person);
        }
        for mention in &message.mentions {
            let key = mention.staff_id.as_ref().map_or(mention.opaque_id.as_str(), StaffId::as_str);
            let person = self.stand_in_for_person(key);
            self.word(key, &person);
        }
        let next = format!("chat-{}", self.chats.len() + 1);
        let chat = self.chats.entry(message.chat.id.to_string()).or_insert(next).clone();
        if let Some(title) = &message.chat.title {
            self.word(title, &chat);
        }
    }

    fn stand_in_for_person(&mut self, key: &str) -> String {
        let next = format!("person-{}", self.people.len() + 1);
        self.people.entry(key.to_owned()).or_insert(next).clone()
    }

    fn word(&mut self, word: &str, stand_in: &str) {
        // A single letter as a name would shred every text.
        if word.chars().count() < 2 || self.words.iter().any(|(known, _)| known == word) {
            return;
        }
        self.words.push((word.to_owned(), stand_in.to_owned()));
        self.words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    }

    fn person(&self, key: &str) -> String {
        self.people.get(key).cloned().unwrap_or_else(|| "somebody".to_owned())
    }

    fn text(&self, text: &str) -> String {
        let named = self.words.iter().fold(redact(text).into_owned(), |text, (word, stand_in)| {
            let pattern = format!(
                r"(^|[^\p{{Alphabetic}}\d_-]){}($|[^\p{{Alphabetic}}\d_-])",
                regex::escape(word)
            );
            // Chinese has no spaces between words.
            let between = word.chars().any(|c| u32::from(c) > 0x2e7f);
            match Regex::new(&pattern) {
                Ok(pattern) if !between => {
                    // Twice: neighbours share the character between them.
                    let with = format!("${{1}}{stand_in}${{2}}");
                    let once = pattern.replace_all(&text, with.as_str()).into_owned();
                    pattern.replace_all(&once, with.as_str()).into_owned()
                }
                _ => text.replace(word.as_str(), stand_in),
            }
        });
        without_secrets(&named)
    }

    fn scrub(&self, message: &Message, number: usize) -> Message {
        let mut clean = message.clone();
        let person = self.person(message.sender.key());
        clean.id = MessageId::new(format!("message-{number}"));
        clean.sender.opaque_id = format!("$:{person}");
        clean.sender.staff_id = message.sender.staff_id.as_ref().map(|_| StaffId::new(&person));
        clean.sender.nick = person;
        let chat = self.chats.get(message.chat.id.as_str()).cloned().unwrap_or_default();
        clean.chat.title = message.chat.title.as_ref().map(|_| chat.clone());
        clean.chat.id = crate::message::ConversationId::new(chat);
        clean.text = self.text(&message.text);
        clean.webhook = None;
        clean.robot_code = message.robot_code.as_ref().map(|_| "robot".to_owned());
        for mention in &mut clean.mentions {
            let key = mention.staff_id.as_ref().map_or(mention.opaque_id.as_str(), StaffId::as_str);
            let person = self.person(key);
            mention.staff_id = mention.staff_id.as_ref().map(|_| StaffId::new(&person));
            mention.opaque_id = format!("$:{person}");
        }
        if let Some(quoted) = &mut clean.quoted {
            quoted.id = None;
            quoted.text = self.text(&quoted.text);
            quoted.files.iter_mut().for_each(hide);
        }
        clean.files.iter_mut().for_each(hide);
        clean
    }
}

/// Of a file only its kind and ending stay.
fn hide(file: &mut crate::message::File) {
    "code".clone_into(&mut file.download_code);
    file.fallback_code = file.fallback_code.as_ref().map(|_| "code".to_owned());
    file.name = file.name.as_ref().map(|name| match name.rsplit_once('.') {
        Some((_, end)) if end.len() <= 8 => format!("file.{end}"),
        _ => "file".to_owned(),
    });
}

/// Replaces what looks like a secret: after words that announce one, in the forms that services give theirs, and what
/// lets somebody into a URL.
fn without_secrets(text: &str) -> String {
    const SECRETS: &[(&str, &str)] = &[
        (r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}", "$1 ***"),
        (
            r#"(?i)((?:access_?token|token|secret|password|passwd|pwd|api_?key|session|sign|密码|口令|密钥)["']?\s*[=:：]\s*)["']?[^\s"'&]+"#,
            "${1}***",
        ),
        (
            r"\b(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[abp]|AKIA|ASIA|LTAI)[-_A-Za-z0-9]{12,}",
            "***",
        ),
        (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", "***"),
        (r"://[^/\s:@]+:[^/\s@]+@", "://***@"),
    ];
    SECRETS.iter().fold(text.to_owned(), |text, (pattern, with)| {
        let pattern = Regex::new(pattern).expect("a constant that a test has read");
        pattern.replace_all(&text, *with).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_replaced_and_the_rest_is_not() {
        for (text, expected) in [
            ("deploy prod v1.2", "deploy prod v1.2"),
            ("login password=hunter2 now", "login password=*** now"),
            ("密码：芝麻开门", "密码：***"),
            (
                "get https://a.example/?access_token=abc&x=1",
                "get https://a.example/?access_token=***&x=1",
            ),
            ("use sk-abcdefghijklmnop", "use ***"),
            ("clone https://me:pw@git.example/x", "clone https://***@git.example/x"),
            ("header Bearer abcdefgh12345", "header Bearer ***"),
        ] {
            assert_eq!(without_secrets(text), expected);
        }
    }

    #[test]
    fn names_are_replaced_as_words_and_stay_the_same_person() {
        let mut names = Names::default();
        for (id, nick) in [("manager1", "Ann"), ("u2", "李雷")] {
            let person = names.stand_in_for_person(id);
            names.word(nick, &person);
            names.word(id, &person);
        }
        assert_eq!(
            names.text("ask Ann, Ann Annabel and manager1"),
            "ask person-1, person-1 Annabel and person-1"
        );
        assert_eq!(names.text("问问李雷吧"), "问问person-2吧");
    }
}
