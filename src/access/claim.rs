//! How the bot gets its owner: a code that is shown on this computer only, and sent to the bot in a direct message.
//!
//! The journal holds a digest of the code, when it ends and how many tries are left; a try is counted in the transaction
//! that checks it. There is one code at a time, and it works once. Which answer a try gets says nothing to whoever is not
//! meant to know: a wrong code is refused as any stranger is.

use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom as _, SystemRandom};
use rusqlite::{Connection, OptionalExtension as _, params};
use subtle::ConstantTimeEq as _;

use super::Access;
use super::Door;
use super::Record;
use super::actor::Who;
use crate::config::Language;
use crate::message::Person;
use crate::message::StaffId;
use crate::store::Error;

/// How long a code works: long enough to find the phone.
pub const LIFE_MS: i64 = 10 * 60 * 1000;

/// Wrong codes, of whomever, after which none is right any more.
pub const TRIES: u32 = 5;

/// Without letters and digits that look alike. 32 of them: eight make 40 bits, of which five tries see nothing.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ#";

const LETTERS: usize = 8;

/// A fresh code, as people read it: `K7QF-3M9T`. It is nowhere but on the screen.
#[derive(Clone)]
pub struct Code(String);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Code {
    /// For the screen.
    pub fn show(&self) -> String {
        format!("{}-{}", &self.0[..LETTERS / 2], &self.0[LETTERS / 2..])
    }
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It was the code, in a direct message: its sender owns the bot now, and chose this language at the computer.
    Claimed(Option<Language>),
    /// It was the code, but said in a group: it works no more.
    Burnt,
    /// It was not; so many tries are left.
    Wrong { left: u32 },
    /// There is no code, or it has ended.
    Closed,
}

/// Writes a new code into the journal, in place of any other. `language` is what whoever is to send it chose.
///
/// # Errors
/// When the journal cannot be written.
///
/// # Panics
/// When the operating system has no randomness to give, which no supported one does.
pub fn renew(c: &Connection, language: Option<Language>, now_ms: i64) -> rusqlite::Result<Code> {
    let random = SystemRandom::new();
    let (mut letters, mut salt) = ([0; LETTERS], [0; 16]);
    let filled = random.fill(&mut salt).and_then(|()| fill(&random, &mut letters));
    filled.expect("the operating system gives random bytes");
    let code = Code(letters.iter().map(|letter| char::from(*letter)).collect());
    let digest = digest(&salt, &code.0);
    c.execute(
        "INSERT INTO claim (one, salt, digest, expires_at_ms, tries_left, language) VALUES (1, ?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (one) DO UPDATE SET salt = excluded.salt, digest = excluded.digest,
         expires_at_ms = excluded.expires_at_ms, tries_left = excluded.tries_left, language = excluded.language",
        params![salt, digest, now_ms.saturating_add(LIFE_MS), TRIES, language.map(Language::word)],
    )?;
    Ok(code)
}

/// Random letters of the alphabet but its last, each as likely as any other.
fn fill(
    random: &SystemRandom,
    letters: &mut [u8; LETTERS],
) -> Result<(), ring::error::Unspecified> {
    for letter in letters {
        loop {
            let mut byte = [0];
            random.fill(&mut byte)?;
            *letter = ALPHABET[usize::from(byte[0] & 31)];
            // 31 letters are enough; the sign only fills the table.
            if *letter != b'#' {
                break;
            }
        }
    }
    Ok(())
}

/// Tries `code` for `person`; a code that fits makes them the owner of `app`, if `direct`. All of it in the caller's
/// transaction.
///
/// # Errors
/// When the journal cannot be read or written.
pub(super) fn attempt(
    c: &Connection,
    code: &str,
    (app, person): (&str, &StaffId),
    direct: bool,
    now_ms: i64,
) -> rusqlite::Result<Tried> {
    let open = c
        .query_row(
            "SELECT salt, digest, expires_at_ms, tries_left, language FROM claim",
            [],
            |row| {
                let (salt, known): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
                let (expires_at_ms, left): (i64, u32) = (row.get(2)?, row.get(3)?);
                Ok((salt, known, expires_at_ms, left, row.get::<_, Option<String>>(4)?))
            },
        )
        .optional()?;
    let Some((salt, known, expires_at_ms, left, language)) = open else {
        return Ok(Tried::Closed);
    };
    // A code from the future is of a clock that was set back.
    let lives = (now_ms..=now_ms.saturating_add(LIFE_MS)).contains(&expires_at_ms);
    if !lives || left == 0 || now_ms == expires_at_ms {
        c.execute("DELETE FROM claim", [])?;
        return Ok(Tried::Closed);
    }
    if !bool::from(digest(&salt, code).as_slice().ct_eq(known.as_slice())) {
        let left = left - 1;
        if left == 0 {
            c.execute("DELETE FROM claim", [])?;
        } else {
            c.execute("UPDATE claim SET tries_left = ?1", [left])?;
        }
        return Ok(Tried::Wrong { left });
    }
    c.execute("DELETE FROM claim", [])?;
    if !direct {
        return Ok(Tried::Burnt);
    }
    c.execute(
        "INSERT INTO owner (app, staff_id, claimed_at_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (app) DO UPDATE SET staff_id = excluded.staff_id, claimed_at_ms = excluded.claimed_at_ms",
        params![app, person.as_str(), now_ms],
    )?;
    Ok(Tried::Claimed(language.as_deref().and_then(Language::from_word)))
}

impl Access {
    /// Tries `code`, said by `person`, in a direct chat or not. Whatever becomes of it is recorded.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub async fn claim(&self, person: &Person, code: &str, direct: bool) -> Result<Tried, Error> {
        let (Some(store), Who::Person(id)) = (&self.store, Who::of(person)) else {
            return Ok(Tried::Closed);
        };
        if !self.may_claim(person) {
            return Ok(Tried::Closed);
        }
        // Where the settings name the owner there is nothing to claim; and a locked bot is claimed by nobody.
        if self.settings().owner.is_some() || self.look() {
            return Ok(Tried::Closed);
        }
        let (code, app, who) = (code.to_owned(), self.app.clone(), id.clone());
        let now = self.clock.now_ms();
        let tried = store.write(move |c| attempt(c, &code, (&app, &who), direct, now)).await?;
        let verdict = match tried {
            Tried::Claimed(_) => "allow",
            Tried::Burnt | Tried::Wrong { .. } => "deny",
            // Nothing was tried: the message is one like any other.
            Tried::Closed => return Ok(tried),
        };
        let reason = match tried {
            Tried::Burnt => "said in a group".to_owned(),
            Tried::Wrong { left } => format!("wrong code, {left} tries left"),
            Tried::Claimed(_) | Tried::Closed => String::new(),
        };
        let door = Door::Message.as_str().to_owned();
        let record = Record::event("claim", verdict, id.as_str(), reason);
        self.audit.record(Record { door, ..record });
        match tried {
            Tried::Claimed(_) => {
                tracing::warn!(person.id = %id, "the bot was claimed: this person owns it now");
                self.grants.set_claimed(id);
                self.keep_organisation(person).await;
                self.told.set(self.owner());
                // Whoever owned it before does no more.
                self.sweep();
            }
            Tried::Burnt => {
                tracing::warn!(person.id = %id, "the claim code was said in a group, so it works no more; `moonbell claim` prints a new one");
            }
            Tried::Wrong { left: 0 } => {
                tracing::warn!(person.id = %id, "a wrong claim code, and the last try: no code works any more; `moonbell claim` prints a new one");
            }
            Tried::Wrong { left } => {
                tracing::warn!(person.id = %id, left, "somebody sent a wrong claim code");
            }
            Tried::Closed => {}
        }
        Ok(tried)
    }
}

fn digest(salt: &[u8], code: &str) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(salt);
    context.update(code.as_bytes());
    context.finish().as_ref().to_vec()
}

/// The code that a message may hold: `K7QF-3M9T`, or `claim k7qf3m9t`. Other words are no tries, whatever they are.
pub fn read(text: &str) -> Option<String> {
    let mut text: String = text.trim().chars().map(narrow).collect();
    let lower = text.to_lowercase();
    let said = ["/claim ", "claim ", "认领 ", "认领"]
        .iter()
        .find_map(|word| lower.strip_prefix(word).map(|_| word.len()));
    if let Some(length) = said {
        text = text.get(length..)?.trim().to_owned();
    } else if !text.contains('-') {
        return None;
    }
    let code: String =
        text.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_uppercase()).collect();
    let fits = code.len() == LETTERS
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && (said.is_some() || text.len() == LETTERS + 1 && text.as_bytes()[LETTERS / 2] == b'-');
    fits.then_some(code)
}

/// Whether a text is a code and nothing else: in which language it was written says nothing.
pub fn is_bare(text: &str) -> bool {
    text.chars().all(|c| narrow(c).is_ascii()) && !text.trim().contains(' ') && read(text).is_some()
}

/// Full-width letters as keyboards for Chinese write them.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        '—' | '–' => '-',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    const APP: &str = "dingone@api.dingtalk.com";

    async fn store() -> (tempfile::TempDir, Store, Code) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let code = store.write(|c| renew(c, None, 0)).await.unwrap();
        (dir, store, code)
    }

    async fn attempt_at(store: &Store, code: &str, who: &str, direct: bool, now: i64) -> Tried {
        let (code, who) = (read(code).expect("it looks like one"), StaffId::new(who));
        store.write(move |c| attempt(c, &code, (APP, &who), direct, now)).await.unwrap()
    }

    #[tokio::test]
    async fn it_works_once_and_for_the_first() {
        let (_dir, store, code) = store().await;
        let code = code.show().to_lowercase();
        let (one, two) = tokio::join!(
            attempt_at(&store, &code, "ann", true, 1),
            attempt_at(&store, &code, "bob", true, 1)
        );
        assert_eq!((one, two), (Tried::Claimed(None), Tried::Closed));
        let owner = store
            .read(|c| c.query_row("SELECT staff_id FROM owner", [], |r| r.get::<_, String>(0)));
        assert_eq!(owner.await.unwrap(), "ann");
        let kept =
            store.read(|c| c.query_row("SELECT count(*) FROM claim", [], |r| r.get::<_, i64>(0)));
        assert_eq!(kept.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn five_wrong_ones_of_whomever_end_it() {
        let (_dir, store, code) = store().await;
        for left in (0..TRIES).rev() {
            let who = format!("person {left}");
            assert_eq!(attempt_at(&store, "2222-2222", &who, true, 1).await, Tried::Wrong { left });
        }
        assert_eq!(attempt_at(&store, &code.show(), "ann", true, 1).await, Tried::Closed);
    }

    #[tokio::test]
    async fn it_ends_after_ten_minutes_and_when_a_group_hears_it() {
        let (_dir, store, code) = store().await;
        let late = attempt_at(&store, &code.show(), "ann", true, LIFE_MS).await;
        assert_eq!(late, Tried::Closed);
        let code = store.write(|c| renew(c, None, 0)).await.unwrap();
        assert_eq!(attempt_at(&store, &code.show(), "ann", false, 1).await, Tried::Burnt);
        assert_eq!(attempt_at(&store, &code.show(), "ann", true, 1).await, Tried::Closed);
        let code = store.write(|c| renew(c, None, LIFE_MS * 9)).await.unwrap();
        // The clock was set back.
        assert_eq!(attempt_at(&store, &code.show(), "ann", true, 1).await, Tried::Closed);
    }

    #[tokio::test]
    async fn the_language_chosen_at_the_computer_comes_with_the_claim() {
        let (_dir, store, _) = store().await;
        for language in [Some(Language::Zh), None] {
            let code = store.write(move |c| renew(c, language, 0)).await.unwrap();
            let tried = attempt_at(&store, &code.show(), "ann", true, 1).await;
            assert_eq!(tried, Tried::Claimed(language));
        }
    }

    #[test]
    fn only_what_looks_like_a_code_is_a_try() {
        for text in [
            "K7QF-3M9T",
            " k7qf-3m9t ",
            "claim k7qf3m9t",
            "Claim K7QF 3M9T",
            "认领K7QF-3M9T",
            "ｋ７ｑｆ－３ｍ９ｔ",
            "/claim K7QF-3M9T",
        ] {
            assert_eq!(read(text).as_deref(), Some("K7QF3M9T"), "{text}");
            let words = text.to_lowercase().contains("claim") || text.contains("认领");
            assert_eq!(is_bare(text), !words, "{text}");
        }
        for text in [
            "",
            "services",
            "deploy prod",
            "K7QF3M9T",
            "K7Q-F3M9T",
            "claim",
            "claim it",
            "K7QF-3M9T please",
            "K7QF-3M9é",
        ] {
            assert_eq!(read(text), None, "{text}");
            assert!(!is_bare(text), "{text}");
        }
    }

    #[test]
    fn codes_do_not_print_by_accident_and_differ() {
        let code = Code("K7QF3M9T".to_owned());
        assert_eq!(format!("{code:?}"), "***");
        let random = SystemRandom::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let mut letters = [0; LETTERS];
            fill(&random, &mut letters).unwrap();
            assert!(letters.iter().all(u8::is_ascii_alphanumeric));
            seen.insert(letters);
        }
        assert_eq!(seen.len(), 1_000);
    }
}
