//! Handlers that no message will reach, or hardly as their author meant: what `check` tells beside faults.

use std::collections::HashMap;
use std::fmt;

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind, Look, LookSet};

use super::routes::{Pattern, Place, Routes};
use super::words;
use crate::words::Lang;
use crate::words::findings as w;

/// Something that works, but hardly as its author meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    SamePattern { pattern: String, earlier: Place, place: Place },
    AfterCatchAll { earlier: Place, place: Place },
    Shadowed { pattern: String, earlier: Place, place: Place },
    AfterCommand { command: String, earlier: Place, place: Place },
    AfterControl { word: String, place: Place },
    SecondFallback { earlier: Place, place: Place },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.text(Lang::En))
    }
}

impl Warning {
    /// What is wrong there.
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Self::SamePattern { pattern, earlier, .. } => {
                w::same_pattern(&earlier.to_string(), pattern, lang)
            }
            Self::AfterCatchAll { earlier, .. } => w::after_catch_all(&earlier.to_string(), lang),
            Self::Shadowed { pattern, earlier, .. } => {
                w::shadowed(&earlier.to_string(), pattern, lang)
            }
            Self::AfterCommand { command, earlier, .. } => {
                w::after_command(&earlier.to_string(), command, lang)
            }
            Self::AfterControl { word, .. } => w::after_control(word, lang),
            Self::SecondFallback { earlier, .. } => w::second_fallback(&earlier.to_string(), lang),
        }
    }

    /// The author's next step.
    pub fn hint(&self, lang: Lang) -> &'static str {
        let says = match self {
            Self::AfterControl { .. } => w::match_something_else,
            Self::AfterCommand { .. } => w::make_it_an_argument,
            Self::SecondFallback { .. } => w::keep_one,
            Self::SamePattern { .. } | Self::AfterCatchAll { .. } | Self::Shadowed { .. } => {
                w::remove_one
            }
        };
        says(lang)
    }

    /// Where the handler stands that is not reached.
    pub fn place(&self) -> &Place {
        match self {
            Self::SamePattern { place, .. }
            | Self::AfterCatchAll { place, .. }
            | Self::Shadowed { place, .. }
            | Self::AfterCommand { place, .. }
            | Self::AfterControl { place, .. }
            | Self::SecondFallback { place, .. } => place,
        }
    }
}

impl<I> Routes<I> {
    /// What is not reached, in the order in which handlers are tried.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut seen: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut catch_all: Vec<usize> = Vec::new();
        let mut warnings = Vec::new();
        for (position, (pattern, index)) in self.matches.iter().enumerate() {
            let place = &self.handlers[*index].place;
            let hir = regex_syntax::parse(pattern.as_str()).ok();
            let earlier = |earlier: usize| (self.handlers[earlier].place.clone(), place.clone());
            let hiding =
                |those: &[usize]| those.iter().copied().find(|&one| self.hides(one, *index));
            if let Some(first) = seen.get(pattern.as_str()).and_then(|those| hiding(those)) {
                let (earlier, place) = earlier(first);
                let pattern = pattern.as_str().to_owned();
                warnings.push(Warning::SamePattern { pattern, earlier, place });
            } else if let Some(first) = hiding(&catch_all) {
                let (earlier, place) = earlier(first);
                warnings.push(Warning::AfterCatchAll { earlier, place });
            } else if let Some(hidden) = hir.as_ref().and_then(|hir| self.hidden(hir, position)) {
                warnings.push(hidden);
            }
            seen.entry(pattern.as_str()).or_default().push(*index);
            if hir.is_some_and(|hir| matches_all(&hir)) {
                catch_all.push(*index);
            }
        }
        let place = |index: usize| self.handlers[index].place.clone();
        for (position, &later) in self.fallbacks.iter().enumerate() {
            let first = self.fallbacks[..position].iter().find(|&&one| self.hides(one, later));
            warnings.extend(first.map(|&first| Warning::SecondFallback {
                earlier: place(first),
                place: place(later),
            }));
        }
        warnings
    }

    /// Whether whoever `later` is for is served by `earlier` already. A handler with a role leaves the message to the next
    /// one for everybody else.
    fn hides(&self, earlier: usize, later: usize) -> bool {
        let role = |index: usize| self.handlers[index].terms.role.as_deref();
        role(earlier).is_none() || role(earlier) == role(later)
    }

    fn hidden(&self, hir: &Hir, position: usize) -> Option<Warning> {
        let place = &self.handlers[self.matches[position].1].place;
        if let Some(text) = whole_words(hir) {
            let words = words::split(&text);
            if let Some(control) = words.first().filter(|_| {
                // With more behind it, most control words are not meant.
                ends_there(hir) && super::is_control(&text)
            }) {
                let word = control.text.clone();
                return Some(Warning::AfterControl { word, place: place.clone() });
            }
            if let Some((handler, _)) = self.command(&words) {
                let (command, earlier) = (handler.title().to_owned(), handler.place.clone());
                return Some(Warning::AfterCommand { command, earlier, place: place.clone() });
            }
        }
        let earlier = self.shadow(hir, position)?;
        let (pattern, index) = &self.matches[earlier];
        if !self.hides(*index, self.matches[position].1) {
            return None;
        }
        Some(Warning::Shadowed {
            pattern: pattern.as_str().to_owned(),
            earlier: self.handlers[*index].place.clone(),
            place: place.clone(),
        })
    }

    /// An earlier pattern that matches whatever the one at `position` does. Only found for patterns that are some words.
    fn shadow(&self, hir: &Hir, position: usize) -> Option<usize> {
        let whole = is_whole(hir);
        // A pattern that looks at what is around it may say no where the words stand inside of a longer text.
        let mut allowed = LookSet::empty();
        if whole {
            allowed = allowed.insert(Look::Start).insert(Look::End);
        }
        if !hir.properties().look_set().subtract(allowed).is_empty() {
            return None;
        }
        let texts = Extractor::new().extract(hir);
        let texts = texts.literals().filter(|texts| {
            !texts.is_empty() && texts.iter().all(regex_syntax::hir::literal::Literal::is_exact)
        })?;
        let counts = |earlier: &Pattern| {
            whole
                || regex_syntax::parse(earlier.as_str())
                    .is_ok_and(|earlier| earlier.properties().look_set().is_empty())
        };
        let mut hidden_by = None;
        for text in texts {
            let text = std::str::from_utf8(text.as_bytes()).ok()?;
            let first = self.first_match(text, counts).filter(|first| *first < position)?;
            hidden_by.get_or_insert(first);
        }
        hidden_by
    }
}

/// The parts of a pattern one after another, whichever groups they stand in.
fn parts(hir: &Hir) -> Vec<&Hir> {
    match hir.kind() {
        HirKind::Concat(inner) => inner.iter().flat_map(parts).collect(),
        HirKind::Capture(capture) => parts(&capture.sub),
        _ => vec![hir],
    }
}

fn is_look(part: &Hir, look: Look) -> bool {
    matches!(part.kind(), HirKind::Look(found) if *found == look)
}

/// Whether it matches whole texts only, and looks at nothing but their ends.
fn is_whole(hir: &Hir) -> bool {
    let parts = parts(hir);
    let around = |part: Option<&&Hir>, look| part.is_some_and(|part| is_look(part, look));
    parts.len() > 2
        && around(parts.first(), Look::Start)
        && around(parts.last(), Look::End)
        && parts[1..parts.len() - 1].iter().all(|part| part.properties().look_set().is_empty())
}

/// The whole words that every text which it matches begins with.
fn whole_words(hir: &Hir) -> Option<String> {
    let parts = parts(hir);
    let mut rest = parts.iter();
    if !is_look(rest.next()?, Look::Start) {
        return None;
    }
    let mut text = String::new();
    let mut complete = false;
    for part in rest {
        if let Some(letters) = letters(part) {
            text.push_str(&letters);
            continue;
        }
        complete = match part.kind() {
            HirKind::Look(look) => matches!(
                look,
                Look::End
                    | Look::WordAscii
                    | Look::WordUnicode
                    | Look::WordEndAscii
                    | Look::WordEndUnicode
            ),
            HirKind::Repetition(repetition) => repetition.min > 0 && is_space(&repetition.sub),
            _ => is_space(part),
        };
        break;
    }
    let cut = if complete { text.len() } else { text.rfind(words::is_space)? };
    text.truncate(cut);
    (!text.trim().is_empty()).then_some(text)
}

/// Whether what [`whole_words`] found is all that it matches.
fn ends_there(hir: &Hir) -> bool {
    is_whole(hir) && parts(hir)[1..].iter().rev().skip(1).all(|part| letters(part).is_some())
}

/// The letters that it stands for, in any case: a literal, or what `(?i)` made of one.
fn letters(part: &Hir) -> Option<String> {
    match part.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(str::to_owned),
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => {
            let mut chars = class.iter().flat_map(|range| range.start()..=range.end());
            let first = chars.next()?;
            let folded = words::fold(&first.to_string());
            chars.take(8).all(|c| words::fold(&c.to_string()) == folded).then(|| first.to_string())
        }
        HirKind::Capture(capture) => letters(&capture.sub),
        _ => None,
    }
}

fn is_space(part: &Hir) -> bool {
    match part.kind() {
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => {
            class.iter().all(|range| words::is_space(range.start()) && words::is_space(range.end()))
        }
        HirKind::Literal(literal) => {
            std::str::from_utf8(&literal.0).is_ok_and(|text| text.starts_with(words::is_space))
        }
        HirKind::Capture(capture) => is_space(&capture.sub),
        _ => false,
    }
}

/// Whether it matches every text of one line: `.*` with or without what changes nothing.
fn matches_all(hir: &Hir) -> bool {
    let parts = parts(hir);
    parts.iter().enumerate().all(|(n, part)| match part.kind() {
        HirKind::Empty => true,
        HirKind::Look(Look::Start) => n == 0,
        HirKind::Look(Look::End) => {
            n + 1 == parts.len() && n > 0 && !matches!(parts[n - 1].kind(), HirKind::Look(_))
        }
        HirKind::Capture(capture) => matches_all(&capture.sub),
        HirKind::Repetition(repetition) => {
            repetition.min == 0 && repetition.max.is_none() && is_any(&repetition.sub)
        }
        _ => false,
    })
}

fn is_any(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Class(regex_syntax::hir::Class::Unicode(class))
        if { let mut rest = class.clone(); rest.negate(); rest.iter().all(|range| range.start() == '\n' && range.end() == '\n') })
}
