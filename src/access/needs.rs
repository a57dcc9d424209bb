//! What a script may reach: what it asks for in `bot.script{ needs = … }`, and whether that is enough for what it does.
//!
//! The set of words is closed. Enforced where each thing is done, by the host; a script only declares.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use strsim::damerau_levenshtein;

use super::disguise::{disguises, unseen};
use super::launchers;
use crate::words::Lang;
use crate::words::needs as w;

/// One thing that a script asks for. `Display` is how it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Every program, or the one that is called so.
    Shell(Option<String>),
    /// Reading, or changing, files: everywhere, or below this path.
    Fs(Option<Use>, Option<String>),
    /// Every host, or this one: `host` or `host:port`.
    Http(Option<String>),
    /// Every secret, or the one of this name.
    Secret(Option<String>),
    /// Writing to anybody unasked, or to the owner alone.
    Send(Option<Owner>),
    /// Hearing messages that are no command of its own.
    Messages,
    /// Running by the clock.
    Schedule,
    /// Running when files change.
    Watch,
    /// Running when something happens in the organisation, or somebody clicks on a card.
    Events,
}

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    Read,
    /// Made, changed, moved or removed.
    Write,
}

impl Use {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The owner, as somebody who is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner;

/// Words that stand alone, and how those are written that take more: for errors and the reference.
pub const WORDS: &[&str] = &[
    "shell",
    "shell:PROGRAM",
    "fs",
    "fs:read",
    "fs:read:PATH",
    "fs:write",
    "fs:write:PATH",
    "http",
    "http:HOST",
    "http:HOST:PORT",
    "secret",
    "secret:NAME",
    "send",
    "send:owner",
    "messages",
    "schedule",
    "watch",
    "events",
];

/// Longer ones are no need that anybody reads before saying yes.
const MAX_BYTES: usize = 512;

impl Need {
    /// Reads one as it is written.
    ///
    /// # Errors
    /// What is wrong with it, with the nearest right word.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES || text.chars().any(char::is_control) {
            let shown: String = text.chars().take(40).collect();
            return Err(format!("`{}…` is no need of a script", shown.escape_debug()));
        }
        if let Some((before, c)) = unseen(text) {
            return Err(format!(
                "`{}` has a character that nobody sees: number {}, U+{:04X}",
                text.escape_default(),
                before + 1,
                u32::from(c)
            ));
        }
        if !disguises(text).is_empty() {
            return Err(format!("`{}` reads otherwise than it is", text.escape_default()));
        }
        let (word, rest) = match text.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        let own = |rest: Option<&str>| rest.map(str::to_owned);
        let empty = |rest: Option<&str>| rest.is_some_and(|rest| rest.trim().is_empty());
        let lacks = |what: &str| Err(format!("`{text}` names no {what}: expected `{word}:{what}`"));
        match (word, rest) {
            ("shell", rest) if empty(rest) => lacks("PROGRAM"),
            ("shell", rest) if rest.is_some_and(|rest| rest.contains(char::is_whitespace)) => {
                Err(format!("`{text}`: a program alone, without arguments: `shell:git`"))
            }
            ("shell", rest) => Ok(Self::Shell(own(rest))),
            ("fs", None) => Ok(Self::Fs(None, None)),
            ("fs", Some(rest)) => Self::files(text, rest),
            ("http", rest) if empty(rest) => lacks("HOST"),
            ("http", None) => Ok(Self::Http(None)),
            ("http", Some(host)) => match host_of(host) {
                Some(host) => Ok(Self::Http(Some(host))),
                None => Err(format!(
                    "`{text}`: expected a host or host:port, such as `http:api.example.com`; there are no patterns and no paths"
                )),
            },
            ("secret", rest) if empty(rest) => lacks("NAME"),
            ("secret", rest) => Ok(Self::Secret(own(rest))),
            ("send", None) => Ok(Self::Send(None)),
            ("send", Some("owner")) => Ok(Self::Send(Some(Owner))),
            ("messages", None) => Ok(Self::Messages),
            ("schedule", None) => Ok(Self::Schedule),
            ("watch", None) => Ok(Self::Watch),
            ("events", None) => Ok(Self::Events),
            _ => Err(unknown(text)),
        }
    }

    fn files(text: &str, rest: &str) -> Result<Self, String> {
        let (verb, path) = match rest.split_once(':') {
            Some((verb, path)) => (verb, Some(path)),
            None => (rest, None),
        };
        let does = match verb {
            "read" => Use::Read,
            "write" => Use::Write,
            _ => return Err(unknown(text)),
        };
        match path {
            Some(path) if !is_place(path) => Err(format!(
                "`{text}`: expected an absolute path, or one that begins with `~/`, without `..` and patterns"
            )),
            path => Ok(Self::Fs(Some(does), path.map(str::to_owned))),
        }
    }

    /// Whether whoever may do this may do `other`. Paths are compared as they are written.
    pub fn covers(&self, other: &Self) -> bool {
        fn holds<T: PartialEq>(all: Option<&T>, one: Option<&T>) -> bool {
            all.is_none() || all == one
        }
        match (self, other) {
            (Self::Shell(all), Self::Shell(one)) | (Self::Secret(all), Self::Secret(one)) => {
                holds(all.as_ref(), one.as_ref())
            }
            (Self::Send(all), Self::Send(one)) => holds(all.as_ref(), one.as_ref()),
            (Self::Http(None), Self::Http(_)) => true,
            (Self::Http(Some(host)), Self::Http(Some(one))) => {
                host == one || (!has_port(host) && host_alone(one) == host)
            }
            (Self::Fs(does, path), Self::Fs(one, at)) => {
                holds(does.as_ref(), one.as_ref())
                    && match (path, at) {
                        (None, _) => true,
                        (Some(_), None) => false,
                        (Some(path), Some(at)) => is_below(path, at),
                    }
            }
            _ => self == other,
        }
    }

    /// What it is, in the words of a refusal.
    fn told(&self) -> String {
        match self {
            Self::Shell(Some(program)) => format!("the program `{program}`"),
            Self::Fs(Some(does), Some(path)) => format!("`fs:{}` of `{path}`", does.as_str()),
            Self::Http(Some(host)) => format!("`http` to `{host}`"),
            Self::Secret(Some(name)) => format!("the secret `{name}`"),
            Self::Send(Some(Owner)) => "writing to the owner".to_owned(),
            _ => format!("`{self}`"),
        }
    }

    /// Whether it is a program that starts others, or changes what others run, when its arguments say so.
    pub fn is_any_program(&self) -> bool {
        match self {
            Self::Shell(program) => program.as_deref().is_none_or(launchers::is_one),
            _ => false,
        }
    }

    /// What it lets a script do, in words, for whoever is asked to grant it.
    pub fn means(&self, lang: Lang) -> String {
        match self {
            Self::Shell(None) => w::any_program(lang).to_owned(),
            Self::Shell(Some(program)) => w::program(program, lang),
            Self::Fs(Some(Use::Read), Some(path)) => w::read_files(path, lang),
            Self::Fs(Some(Use::Write), Some(path)) => w::write_files(path, lang),
            Self::Fs(None, Some(path)) => w::use_files(path, lang),
            Self::Fs(Some(Use::Read), None) => w::read_all_files(lang).to_owned(),
            Self::Fs(Some(Use::Write), None) => w::write_all_files(lang).to_owned(),
            Self::Fs(None, None) => w::use_all_files(lang).to_owned(),
            Self::Http(None) => w::any_host(lang).to_owned(),
            Self::Http(Some(host)) => w::host(host, lang),
            Self::Secret(None) => w::every_secret(lang).to_owned(),
            Self::Secret(Some(name)) => w::secret(name, lang),
            Self::Send(None) => w::send_to_anybody(lang).to_owned(),
            Self::Send(Some(Owner)) => w::send_to_owner(lang).to_owned(),
            Self::Messages => w::messages(lang).to_owned(),
            Self::Schedule => w::schedule(lang).to_owned(),
            Self::Watch => w::watch(lang).to_owned(),
            Self::Events => w::events(lang).to_owned(),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |f: &mut fmt::Formatter<'_>, word: &str, rest: Option<&str>| match rest {
            Some(rest) => write!(f, "{word}:{rest}"),
            None => f.write_str(word),
        };
        match self {
            Self::Shell(program) => with(f, "shell", program.as_deref()),
            Self::Fs(does, path) => {
                with(f, "fs", does.map(Use::as_str))?;
                path.as_ref().map_or(Ok(()), |path| write!(f, ":{path}"))
            }
            Self::Http(host) => with(f, "http", host.as_deref()),
            Self::Secret(name) => with(f, "secret", name.as_deref()),
            Self::Send(owner) => with(f, "send", owner.map(|Owner| "owner")),
            Self::Messages => f.write_str("messages"),
            Self::Schedule => f.write_str("schedule"),
            Self::Watch => f.write_str("watch"),
            Self::Events => f.write_str("events"),
        }
    }
}

fn unknown(text: &str) -> String {
    let begin = text.split(':').next().unwrap_or_default();
    let nearest = WORDS
        .iter()
        .flat_map(|word| [(*word, text), (*word, begin)])
        .map(|(word, text)| (damerau_levenshtein(&text.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .min();
    let listed: Vec<String> = WORDS.iter().map(|word| format!("`{word}`")).collect();
    let meant = nearest.map(|(_, word)| format!(" did you mean `{word}`?")).unwrap_or_default();
    format!("`{text}` is no need of a script;{meant} there are {}", listed.join(", "))
}

/// `host` or `host:port` as a call says it: in lower case, and names of other alphabets as `xn--…`, which look like nothing
/// else.
fn host_of(text: &str) -> Option<String> {
    let url = url::Url::parse(&format!("http://{text}/")).ok()?;
    let plain = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !text.contains(['*', '/', '@', '?', '#']);
    let name = url.host_str()?.trim_end_matches('.').to_lowercase();
    let port = text.strip_prefix(host_alone(text)).unwrap_or_default();
    plain.then(|| format!("{name}{port}"))
}

fn has_port(host: &str) -> bool {
    host_alone(host) != host
}

/// Without its port. The colons of an IPv6 address stand in brackets.
fn host_alone(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((alone, port))
            if !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit())
                && (!alone.contains(':') || alone.ends_with(']')) =>
        {
            alone
        }
        _ => host,
    }
}

fn is_place(path: &str) -> bool {
    let rooted = path == "~" || path.starts_with("~/") || std::path::Path::new(path).is_absolute();
    rooted && !path.contains(['*', '?', '[', '{']) && path.split('/').all(|part| part != "..")
}

/// Whether `at` is `path`, or in it.
fn is_below(path: &str, at: &str) -> bool {
    std::path::Path::new(at).starts_with(path)
}

/// What a script asked for, or was granted.
pub type Needs = BTreeSet<Need>;

/// Whether everything in `asked` is covered by something in `granted`.
pub fn covered(granted: &Needs, asked: &Needs) -> bool {
    asked.iter().all(|need| granted.iter().any(|one| one.covers(need)))
}

/// What a script reaches.
#[derive(Clone, Debug, Default)]
pub enum Reach {
    /// Whatever the owner may.
    #[default]
    All,
    /// These things, and answering.
    Only(Arc<Needs>),
    /// It was taken back: not even the next call of a run under way.
    Nothing,
}

impl Reach {
    /// Asks for `need`.
    ///
    /// # Errors
    /// In words for the writer of the script, with the line to add.
    pub fn ask(&self, need: &Need) -> Result<(), String> {
        match self {
            Self::All => Ok(()),
            Self::Only(needs) if needs.iter().any(|one| one.covers(need)) => Ok(()),
            Self::Only(_) => Err(missing(need)),
            Self::Nothing => Err(format!(
                "{} is not granted to this script any more; `moonbell grant` on the computer grants it",
                need.told()
            )),
        }
    }

    /// As [`Reach::ask`], for one path among those that were asked for: where files may be used so, as written; `None`:
    /// everywhere.
    pub fn places(&self, does: Use) -> Option<Vec<&str>> {
        let needs = match self {
            Self::All => return None,
            Self::Only(needs) => needs,
            Self::Nothing => return Some(Vec::new()),
        };
        let mut places = Vec::new();
        for need in needs.iter() {
            if let Need::Fs(verb, path) = need
                && verb.is_none_or(|verb| verb == does)
            {
                places.push(path.as_deref()?);
            }
        }
        Some(places)
    }
}

/// That something is not among a script's needs, with the line to add.
pub fn missing(need: &Need) -> String {
    format!(
        "{} is not in this script's needs; add `\"{need}\"` to `bot.script{{ needs = … }}`",
        need.told()
    )
}

/// The reach of one version of a script: known when it has loaded, and taken back when its grant is. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ReachCell(Arc<RwLock<Reach>>);

impl ReachCell {
    pub fn get(&self) -> Reach {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, reach: Reach) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = reach;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(text: &str) -> Need {
        Need::parse(text).unwrap()
    }

    #[test]
    fn a_need_is_written_as_it_is_read() {
        for text in [
            "shell",
            "shell:git",
            "shell:/usr/bin/git",
            "fs",
            "fs:read",
            "fs:read:~/logs",
            "fs:write:/srv/a:b",
            "http",
            "http:api.example.com",
            "http:api.example.com:8443",
            "http:[::1]:80",
            "secret",
            "secret:ci_token",
            "send",
            "send:owner",
            "messages",
            "schedule",
            "watch",
            "events",
        ] {
            assert_eq!(need(text).to_string(), text);
        }
    }

    #[test]
    fn a_host_of_another_alphabet_is_shown_as_it_is_called() {
        assert_eq!(need("http:B\u{fc}cher.example").to_string(), "http:xn--bcher-kva.example");
        assert_eq!(need("http:0x7f000001:80").to_string(), "http:127.0.0.1:80");
        assert_eq!(need("http:API.Example.com.").to_string(), "http:api.example.com");
    }

    #[test]
    fn a_wrong_need_is_told_with_the_nearest_right_one() {
        for (text, part) in [
            ("shel", "did you mean `shell`?"),
            ("fs:reed:~/logs", "did you mean `fs`?"),
            ("schedul", "did you mean `schedule`?"),
            ("shell:", "`shell:` names no PROGRAM"),
            ("shell:git pull", "without arguments"),
            ("http:*.example.com", "there are no patterns"),
            ("http:https://example.com", "expected a host"),
            ("fs:read:logs", "expected an absolute path"),
            ("fs:read:~/a/../b", "expected an absolute path"),
            ("send:everybody", "is no need of a script"),
            ("", "is no need of a script"),
            ("a\nb", "is no need of a script"),
            ("shell:g\u{456}t", "reads otherwise than it is"),
            ("shell:a\u{3164}", "number 8, U+3164"),
            ("shell:\u{200b}sh", "number 7, U+200B"),
            ("shell:sh\u{fe0f}", "number 9, U+FE0F"),
            ("shell:a\u{a0}b", "number 8, U+00A0"),
        ] {
            let error = Need::parse(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_wider_covers_the_narrower_and_never_the_other_way_round() {
        for (wide, narrow) in [
            ("shell", "shell:git"),
            ("fs", "fs:read"),
            ("fs", "fs:write:/x"),
            ("fs:read", "fs:read:~/a"),
            ("fs:read:~/a", "fs:read:~/a/b"),
            ("http", "http:a.com"),
            ("http:a.com", "http:a.com:8080"),
            ("secret", "secret:a"),
            ("send", "send:owner"),
        ] {
            assert!(need(wide).covers(&need(narrow)), "{wide} {narrow}");
            assert!(!need(narrow).covers(&need(wide)), "{narrow} {wide}");
        }
        for (one, other) in [
            ("fs:read:~/a", "fs:read:~/ab"),
            ("fs:read:~/a", "fs:write:~/a"),
            ("http:a.com", "http:b.a.com"),
            ("http:a.com:80", "http:a.com:81"),
            ("shell:git", "shell:/usr/bin/git"),
        ] {
            assert!(!need(one).covers(&need(other)), "{one} {other}");
        }
    }
}
