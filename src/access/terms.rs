//! For whom a handler is, as its script declares it: data beside the handler, so that it can be listed and explained.

use std::fmt;
use std::time::Duration;

use crate::message::Chat;
use crate::message::ChatKind;

/// More runs than this in one window is no limit that anybody counts.
const MOST: u32 = 1_000;

/// A window that outlives the memory of the host would promise what it cannot keep.
const LONGEST: Duration = Duration::from_hours(24);

/// What a handler asks of who wants it, and of the chat where they ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// `None`: anyone who has some role.
    pub role: Option<String>,
    pub scope: Scope,
    pub rate: Option<Rate>,
    /// In a group, what it says goes to the person alone.
    pub quiet: bool,
    /// What somebody must say yes to before it runs.
    pub confirm: Option<Confirm>,
}

/// What a handler asks before it runs, each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// With the names of arguments in braces.
    pub question: String,
    /// The role of those who decide, and then never whoever asked; `None`: whoever asked.
    pub approvers: Option<String>,
    pub timeout: Duration,
}

impl Confirm {
    /// Unless a handler says otherwise.
    pub const TIMEOUT: Duration = Duration::from_mins(5);

    /// The question, with what `value` says for each name in braces. `{{` is a brace.
    ///
    /// # Errors
    /// The first name that `value` does not know, or what is wrong with the braces.
    pub fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut out = String::with_capacity(self.question.len());
        let mut rest = self.question.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let (brace, tail) = rest[at..].split_at(1);
            if tail.starts_with(brace) {
                out.push_str(brace);
                rest = &tail[1..];
                continue;
            }
            let ("{", Some((name, tail))) = (brace, tail.split_once('}')) else {
                return Err(format!("a `{brace}` stands alone in {:?}", self.question));
            };
            out.push_str(&value(name).ok_or_else(|| format!("there is no argument `{name}`"))?);
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// Where a handler may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    #[default]
    Anywhere,
    /// In these places only.
    Only(Vec<Place>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A direct chat with the bot.
    Direct,
    /// Any group.
    Group,
    /// One group, by its conversation id: compared byte by byte.
    Chat(String),
}

impl Place {
    /// Reads `dm`, `group` or the id of a group.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "dm" => Ok(Self::Direct),
            "group" => Ok(Self::Group),
            id if id.starts_with("cid") && !id.chars().any(char::is_whitespace) => {
                Ok(Self::Chat(id.to_owned()))
            }
            other => Err(format!(
                "expected \"dm\", \"group\" or the id of a group (`ctx.chat.id`, it begins with `cid`), got {other:?}"
            )),
        }
    }
}

impl Scope {
    /// Whether it holds `chat`. A chat that is not known (an event, a timer) is in no narrower scope.
    pub(super) fn holds(&self, chat: Option<&Chat>) -> bool {
        let Self::Only(places) = self else { return true };
        let Some(chat) = chat else { return false };
        places.iter().any(|place| match place {
            Place::Direct => chat.kind == ChatKind::Direct,
            Place::Group => chat.kind == ChatKind::Group,
            Place::Chat(id) => chat.kind == ChatKind::Group && id == chat.id.as_str(),
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Only(places) = self else { return f.write_str("anywhere") };
        for (n, place) in places.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            match place {
                Place::Direct => write!(f, "{comma}dm")?,
                Place::Group => write!(f, "{comma}group")?,
                Place::Chat(id) => write!(f, "{comma}{id}")?,
            }
        }
        Ok(())
    }
}

/// So many runs of one handler by one person in any stretch of time of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub times: u32,
    pub per: Duration,
}

impl Rate {
    /// Reads `5/1m`; `duration` reads what stands behind the slash.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str, duration: impl Fn(&str) -> Option<Duration>) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected how often in how long, such as \"5/1m\" (at most {MOST} times, 24h), got {text:?}"
            )
        };
        let (times, per) = text.split_once('/').ok_or_else(expected)?;
        let times: u32 = times.trim().parse().map_err(|_| expected())?;
        let per = duration(per.trim()).ok_or_else(expected)?;
        if (1..=MOST).contains(&times) && per >= Duration::from_secs(1) && per <= LONGEST {
            Ok(Self { times, per })
        } else {
            Err(expected())
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:?}", self.times, self.per)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ConversationId;

    fn chat(kind: ChatKind, id: &str) -> Chat {
        Chat { id: ConversationId::new(id), kind, title: None }
    }

    #[test]
    fn a8_a_group_is_known_by_every_letter_of_its_id() {
        let scope = Scope::Only(vec![Place::parse("cidAbC=").unwrap()]);
        assert!(scope.holds(Some(&chat(ChatKind::Group, "cidAbC="))));
        for other in ["cidabc=", "cidABC=", "cidAbC", "cidAbC= ", ""] {
            assert!(!scope.holds(Some(&chat(ChatKind::Group, other))), "{other:?}");
        }
        assert!(!scope.holds(Some(&chat(ChatKind::Direct, "cidAbC="))));
        assert!(!scope.holds(None));
    }

    #[test]
    fn a_question_is_filled_with_arguments_and_never_with_what_is_in_them() {
        let fill = |question: &str| {
            let (approvers, timeout) = (None, Confirm::TIMEOUT);
            let confirm = Confirm { question: question.to_owned(), approvers, timeout };
            confirm.fill(|name| match name {
                "env" => Some("{tag} {{".to_owned()),
                "tag" => Some("v1".to_owned()),
                _ => None,
            })
        };
        assert_eq!(fill("Deploy {tag} to {env}?").unwrap(), "Deploy v1 to {tag} {{?");
        assert_eq!(fill("{{env}} {tag}").unwrap(), "{env} v1");
        assert_eq!(fill("plain").unwrap(), "plain");
        for wrong in ["{nope}", "{env", "env}", "{", "{}", "{env }"] {
            assert!(fill(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rate_says_how_often_in_how_long() {
        let seconds = |text: &str| text.strip_suffix('s')?.parse().ok().map(Duration::from_secs);
        let rate = Rate::parse("5/60s", seconds).unwrap();
        assert_eq!(rate, Rate { times: 5, per: Duration::from_mins(1) });
        for wrong in ["", "5", "5/", "/60s", "0/60s", "5/0s", "-1/60s", "5/100000s", "1001/1s"] {
            assert!(Rate::parse(wrong, seconds).is_err(), "{wrong:?}");
        }
    }
}
