//! The values that nobody may read, and text without them.
//!
//! Global, because whoever writes (a library, an error of the system, a program's output) does not know that what it
//! holds is a secret. A secret is known as it is and in the [forms](super::forms) it takes on the way, in capitals or not,
//! and with what [nobody sees](super::bare) in between. Not covered: parts of it, other encodings (compressed, encrypted,
//! encoded twice), and texts that hold it in an order of their own.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::addresses;
use super::bare::Bare;
use super::forms::{self, SHORTEST};

/// Tokens, tickets and what scripts make of secrets: the newest stay known. A script that makes more than this in a loop
/// forgets its own.
const PASSING: usize = 256;

/// The beginning of a secret at the end of a text that is still written is as good as the secret.
const BEGUN: usize = 4;

/// A table for each byte is quick and large; past so many bytes of forms a smaller one does.
const LARGE: usize = 16 << 10;

/// Held back at most while it may become a secret.
const HELD: usize = 1 << 20;

/// What is written in their place.
const SHOWN: &str = "***";

static KNOWN: RwLock<Known> = RwLock::new(Known {
    kept: BTreeSet::new(),
    passing: VecDeque::new(),
    finder: None,
    stale: false,
});

struct Known {
    kept: BTreeSet<String>,
    passing: VecDeque<String>,
    /// Finds all of them, unless it is `stale`.
    finder: Option<Arc<Finder>>,
    stale: bool,
}

/// From now on `secret` is written as `***`, whoever writes it.
pub fn hide(secret: &str) {
    if secret.chars().count() < SHORTEST {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.kept.insert(secret.to_owned()) {
        known.passing.retain(|passing| passing != secret);
        known.stale = true;
    }
}

/// The same for a value that others follow, such as a token: of these, so many of the newest are known.
pub fn hide_passing(secret: &str) {
    if secret.chars().count() < SHORTEST {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.kept.contains(secret) || known.passing.iter().any(|passing| passing == secret) {
        return;
    }
    known.passing.push_back(secret.to_owned());
    if known.passing.len() > PASSING {
        known.passing.pop_front();
    }
    known.stale = true;
}

fn finder() -> Option<Arc<Finder>> {
    {
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        if !known.stale {
            return known.finder.clone();
        }
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.stale {
        known.finder = Finder::of(known.kept.iter().chain(&known.passing)).map(Arc::new);
        known.stale = false;
    }
    known.finder.clone()
}

/// Finds every form of every secret.
struct Finder {
    automaton: AhoCorasick,
    /// In small letters, without what is not seen, in order.
    forms: Vec<Vec<u8>>,
}

impl Finder {
    fn of<'a>(secrets: impl Iterator<Item = &'a String>) -> Option<Self> {
        let mut all = BTreeSet::new();
        for form in secrets.flat_map(|secret| forms::of(secret)) {
            let mut bytes = form.into_bytes();
            // A key of several lines is looked for without its line breaks.
            if let Some(bare) = Bare::of(&bytes) {
                bytes = bare.bytes;
            }
            bytes.make_ascii_lowercase();
            if bytes.len() >= SHORTEST {
                all.insert(bytes);
            }
        }
        if all.is_empty() {
            return None;
        }
        let large = all.iter().map(Vec::len).sum::<usize>() > LARGE;
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(large.then_some(AhoCorasickKind::ContiguousNFA))
            .build(&all)
            .ok()?;
        Some(Self { automaton, forms: all.into_iter().collect() })
    }

    fn longest(&self) -> usize {
        self.automaton.max_pattern_len()
    }

    /// Where secrets stand in `text`, in order and apart from each other: those that share letters are one place.
    fn places(&self, text: &[u8], bare: Option<&Bare>) -> Vec<Range<usize>> {
        let found = self.automaton.find_overlapping_iter(text).map(|found| found.range());
        let mut places: Vec<Range<usize>> = found.collect();
        if let Some(bare) = bare {
            let found = self.automaton.find_overlapping_iter(&bare.bytes);
            places.extend(
                found.map(|found| bare.place(found.start())..bare.place(found.end() - 1) + 1),
            );
        }
        joined(places)
    }

    /// Where the beginning of a secret stands at the very end of `text`.
    fn begun(&self, text: &[u8]) -> Option<usize> {
        let first = text.len().saturating_sub(self.longest());
        let end = text[first..].to_ascii_lowercase();
        (0..end.len().saturating_sub(BEGUN - 1))
            .find(|at| {
                let begun = &end[*at..];
                let next = self.forms.partition_point(|form| form.as_slice() < begun);
                self.forms.get(next).is_some_and(|form| form.starts_with(begun))
            })
            .map(|at| first + at)
    }
}

/// In order; those that share letters as one.
fn joined(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_unstable_by_key(|place| place.start);
    places.dedup_by(|next, kept| {
        let joined = next.start < kept.end;
        if joined {
            kept.end = kept.end.max(next.end);
        }
        joined
    });
    places
}

/// `text` with every hidden secret, and the key in every address that is one, as `***`.
pub fn redact(text: &str) -> Cow<'_, str> {
    redacted(text, false)
}

/// The same for a text to which more will come: what at its end may be the beginning of a secret is hidden, too.
pub fn redact_begun(text: &str) -> Cow<'_, str> {
    redacted(text, true)
}

/// Whether a hidden secret stands in `bytes`, which need be no text.
pub fn holds_secret(bytes: &[u8]) -> bool {
    finder().is_some_and(|finder| {
        finder.automaton.is_match(bytes)
            || Bare::of(bytes).is_some_and(|bare| finder.automaton.is_match(&bare.bytes))
    })
}

fn redacted(text: &str, begun: bool) -> Cow<'_, str> {
    let Some(finder) = finder() else { return addresses::blank(text) };
    let bare = Bare::of(text.as_bytes());
    let mut places = finder.places(text.as_bytes(), bare.as_ref());
    if begun {
        let at = match &bare {
            Some(bare) => finder.begun(&bare.bytes).map(|at| bare.place(at)),
            None => finder.begun(text.as_bytes()),
        };
        places.extend(at.map(|at| at..text.len()));
        places = joined(places);
    }
    if places.is_empty() {
        return addresses::blank(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    for place in places {
        // A secret is found by its bytes, and might end within a character of another text.
        let (start, end) =
            (text.floor_char_boundary(place.start), text.ceil_char_boundary(place.end));
        clean.push_str(&text[done..start.max(done)]);
        clean.push_str(SHOWN);
        done = end;
    }
    clean.push_str(&text[done..]);
    Cow::Owned(addresses::blank(&clean).into_owned())
}

/// Moves what of `ahead` is safe to hand on into `clean`, with every hidden secret, and the key in every address that is
/// one, as `***`. What may be the beginning of one stays, unless nothing comes any more (`last`).
pub fn redact_ahead(ahead: &mut Vec<u8>, clean: &mut Vec<u8>, last: bool) {
    let mut places = addresses::keys(ahead);
    let mut safe = ahead.len();
    if let Some(finder) = finder() {
        let bare = Bare::of(ahead);
        let seen = bare.as_ref().map_or(ahead.len(), |bare| bare.bytes.len());
        let held = finder.longest() - 1;
        safe = match (&bare, seen.checked_sub(held)) {
            _ if last => ahead.len(),
            (_, None | Some(0)) => ahead.len().saturating_sub(HELD),
            (Some(bare), Some(safe)) if safe < seen => bare.place(safe),
            (_, Some(safe)) => safe,
        };
        places.extend(finder.places(ahead, bare.as_ref()));
        places = joined(places);
    }
    if !last && let Some(begun) = addresses::begun(ahead) {
        safe = safe.min(begun);
    }
    // Another that has begun in this one may not have come in whole.
    let across = places.iter().find(|place| place.start < safe && safe < place.end);
    let safe = across.map_or(safe, |place| place.start);
    let safe = safe.max(ahead.len().saturating_sub(HELD));
    let mut done = 0;
    for place in places.into_iter().take_while(|place| place.start < safe) {
        clean.extend_from_slice(&ahead[done..place.start]);
        clean.extend_from_slice(SHOWN.as_bytes());
        done = place.end;
    }
    if done < safe {
        clean.extend_from_slice(&ahead[done..safe]);
        done = safe;
    }
    ahead.drain(..done);
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_secret_is_taken_out_in_every_form_it_travels_in() {
        let secret = "p@ss \"wörd\"+1";
        hide(secret);
        hide("p@ss");
        for text in [
            secret.to_owned(),
            secret.to_uppercase(),
            secret.chars().rev().collect(),
            "70407373202277c3b67264222b31".to_owned(),
            "70407373202277C3B67264222B31".to_owned(),
            "70 40 73 73 20 22 77 c3 b6 72 64 22 2b 31".to_owned(),
            "p%40ss%20%22w%C3%B6rd%22%2B1".to_owned(),
            "p%40ss%20%22w%c3%b6rd%22%2b1".to_owned(),
            "p%40ss+%22w%C3%B6rd%22%2B1".to_owned(),
            r#"p@ss \"wörd\"+1"#.to_owned(),
            r#"p@ss \"w\u00f6rd\"+1"#.to_owned(),
            "p@ss \"\u{1b}[31mwö\u{1b}[0mrd\"+1".to_owned(),
            "p@\u{200b}ss\u{2060} \"wörd\"\n+1".to_owned(),
            "p@ss \"w\u{1b}]0;a title\u{7}örd\"+1".to_owned(),
            "p@ss &quot;wörd&quot;+1".to_owned(),
            "p@ss &#34;wörd&#34;+1".to_owned(),
            "%70%40%73%73%20%22%77%c3%b6%72%64%22%2B%31".to_owned(),
            "&#112;&#64;&#115;&#115;&#32;&#34;&#119;&#246;&#114;&#100;&#34;&#43;&#49;".to_owned(),
            "&#x70;&#x40;&#x73;&#x73;&#x20;&#x22;&#x77;&#xF6;&#x72;&#x64;&#x22;&#x2b;&#x31;"
                .to_owned(),
            "7040 7373 2022 77c3 b672 6422 2b31".to_owned(),
            "70 4073 7320 2277 c3b6 7264 222b 31".to_owned(),
        ] {
            assert_eq!(redact(&format!("a {text}, b {text}")), "a ***, b ***", "{text:?}");
        }
        for text in ["user:p@ss \"wörd\"+1", "{\"a\":\"p@ss \"wörd\"+1\"}", secret] {
            let encoded = STANDARD.encode(text);
            let folded = encoded
                .as_bytes()
                .chunks(10)
                .map(|line| String::from_utf8_lossy(line))
                .collect::<Vec<_>>()
                .join("\n");
            for encoded in [encoded, folded] {
                let shown = redact(&encoded);
                assert!(
                    shown.contains("***") && !shown.contains("c3Mg"),
                    "{encoded} became {shown}"
                );
            }
        }
        // In the address of a link that a terminal would not show.
        assert_eq!(
            redact("\u{1b}]8;;http://x/p@ss \"wörd\"+1\u{7}here"),
            "\u{1b}]8;;http://x/***\u{7}here"
        );
        assert_eq!(
            redact("p@ss alone is too short to be one"),
            "p@ss alone is too short to be one"
        );
        assert!(matches!(redact("nothing"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_beginning_of_a_secret_is_none_to_show_while_the_rest_may_come() {
        hide("zebra-crossing-77");
        for (text, shown) in [
            ("the key is zebra-cro", "the key is ***"),
            ("the key is ZEBRA", "the key is ***"),
            ("the key is ze\u{200b}bra-", "the key is ***"),
            ("the key is zebra-crossing-77", "the key is ***"),
            ("the key is zebra, I think", "the key is zebra, I think"),
            ("the key is zeb", "the key is zeb"),
        ] {
            assert_eq!(redact_begun(text), shown);
        }
        assert_eq!(redact("the key is zebra-cro"), "the key is zebra-cro");
    }

    #[test]
    fn secrets_that_share_letters_are_both_hidden() {
        hide("begin-of-one/+middle");
        hide("+middle/and-another-end");
        let text = "a begin-of-one/+middle/and-another-end b";
        assert_eq!(redact(text), "a *** b");
        assert_eq!(redact_begun("a begin-of-one/+middle/and-ano"), "a ***");
        for cut in 0..text.len() {
            let (mut ahead, mut clean) = (text.as_bytes()[..cut].to_vec(), Vec::new());
            redact_ahead(&mut ahead, &mut clean, false);
            ahead.extend_from_slice(&text.as_bytes()[cut..]);
            redact_ahead(&mut ahead, &mut clean, true);
            assert_eq!(String::from_utf8(clean).unwrap(), "a *** b", "cut at {cut}");
        }
    }

    #[test]
    fn the_key_of_a_webhook_is_hidden_wherever_its_address_is_cut() {
        let text = "robots rob https://oapi.dingtalk.com/robot/send?access_token=0a1b2c3d&timestamp=1 robot";
        let shown =
            "robots rob https://oapi.dingtalk.com/robot/send?access_token=***&timestamp=1 robot";
        for cut in 0..=text.len() {
            let (mut ahead, mut clean) = (text.as_bytes()[..cut].to_vec(), Vec::new());
            redact_ahead(&mut ahead, &mut clean, false);
            ahead.extend_from_slice(&text.as_bytes()[cut..]);
            redact_ahead(&mut ahead, &mut clean, true);
            assert_eq!(String::from_utf8(clean).unwrap(), shown, "cut at {cut}");
        }
        let (mut ahead, mut clean) = (Vec::new(), Vec::new());
        for byte in text.bytes() {
            ahead.push(byte);
            redact_ahead(&mut ahead, &mut clean, false);
        }
        redact_ahead(&mut ahead, &mut clean, true);
        assert_eq!(String::from_utf8(clean).unwrap(), shown, "byte by byte");
    }

    #[test]
    fn tokens_pass_and_secrets_of_the_settings_stay() {
        hide("stays-for-good-1");
        for n in 0..PASSING + 10 {
            hide_passing(&format!("passing-token-{n:04}."));
        }
        assert_eq!(redact("stays-for-good-1 passing-token-0200."), "*** ***");
    }

    proptest::proptest! {
        /// However it is cut into pieces and whatever unseen stands in it, nothing of it comes out but `***`.
        #[test]
        fn pieces_hold_no_secret(
            before in "[a-z \n]{0,30}",
            after in "[a-z \n]{0,30}",
            gaps in proptest::collection::vec(proptest::sample::select(vec!["", "", "", "\u{1b}[1m", "\u{200b}", "\n", "\u{1b}[38;5;9m"]), 15),
            cuts in proptest::collection::vec(1_usize..9, 0..40),
        ) {
            hide("Qy7#streamed-KEY");
            let split = "Qy7#streamed-KEY".chars().zip(gaps.iter().chain([&""])).fold(String::new(), |split, (c, gap)| format!("{split}{c}{gap}"));
            let text = format!("{before}{split}{after}");
            let (mut ahead, mut clean) = (Vec::new(), Vec::new());
            let mut rest = text.as_bytes();
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                ahead.extend_from_slice(now);
                redact_ahead(&mut ahead, &mut clean, false);
                rest = later;
            }
            ahead.extend_from_slice(rest);
            redact_ahead(&mut ahead, &mut clean, true);
            proptest::prop_assert_eq!(String::from_utf8(clean).unwrap(), format!("{before}***{after}"));
        }
    }
}
