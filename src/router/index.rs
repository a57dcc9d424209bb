//! Which patterns can match a text at all, found without trying each of them.
//!
//! Most patterns cannot match without some literal text: `^deploy (\w+)` needs `deploy `. All such literals are looked
//! for in one pass ([`AhoCorasick`]), and only patterns whose literal is there are tried, in their order. A [`RegexSet`]
//! alone does not do: with thousands of patterns its cache thrashes, and every text pays for every pattern. Patterns
//! without a literal (`^\d+$`) share such a set, which stays small in practice.
//!
//! Letters are compared folded, in the text and in the literals alike, so `(?i)` costs nothing. A literal that is found
//! promises nothing: the pattern itself decides. One that is missing is certain.

use std::borrow::Cow;
use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use regex::{RegexSet, RegexSetBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

/// Texts that a part of a pattern can match, when these are all.
const MAX_TEXTS: usize = 16;
/// Longer literals tell nothing more.
const MAX_TEXT_BYTES: usize = 48;
/// Members of a class that are spelt out; `[0-9]` already says little.
const MAX_MEMBERS: u32 = 6;

/// The patterns of all handlers, by the literal texts that they need.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// `None`: no pattern has a literal.
    literals: Option<AhoCorasick>,
    /// Literal to the positions of the patterns that it may mean.
    wanted: Vec<Vec<u32>>,
    /// Patterns without a literal, and their positions.
    others: RegexSet,
    other_positions: Vec<u32>,
}

impl Index {
    /// `size_limit` bounds the patterns without a literal, all together.
    ///
    /// # Errors
    /// When they grow larger than that.
    pub(super) fn new(patterns: &[&str], size_limit: usize) -> Result<Self, regex::Error> {
        let choices: Vec<Vec<Texts>> = patterns
            .iter()
            .map(|pattern| match regex_syntax::parse(pattern) {
                Ok(hir) => Needs::of(&hir).choices(),
                Err(_) => Vec::new(), // the set's error says why
            })
            .collect();
        // `^deploy (\w+) db7$` needs `deploy ` and ` db7`: what few others need tells more.
        let mut frequency: HashMap<&str, usize> = HashMap::new();
        for text in choices.iter().flatten().flatten() {
            *frequency.entry(text).or_default() += 1;
        }
        let rarity = |texts: &&Texts| {
            let shared: usize = texts.iter().map(|text| frequency[text.as_str()]).sum();
            let shortest = texts.iter().map(String::len).min().unwrap_or_default();
            (shared, usize::MAX - shortest)
        };
        let mut index = Self::default();
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut others = Vec::new();
        for (position, choices) in (0_u32..).zip(&choices) {
            let Some(texts) = choices.iter().min_by_key(rarity) else {
                others.push(patterns[position as usize]);
                index.other_positions.push(position);
                continue;
            };
            for text in texts {
                let literal = *known.entry(text).or_insert_with(|| {
                    index.wanted.push(Vec::new());
                    index.wanted.len() - 1
                });
                index.wanted[literal].push(position);
            }
        }
        let mut literals: Vec<(&str, usize)> = known.into_iter().collect();
        literals.sort_unstable_by_key(|(_, literal)| *literal);
        index.literals = (!literals.is_empty())
            .then(|| AhoCorasick::new(literals.iter().map(|(text, _)| text)).ok())
            .flatten();
        if index.literals.is_none() && !index.wanted.is_empty() {
            // Too many to be one automaton (gigabytes of them): all are tried.
            let all =
                Self { other_positions: (0..).take(patterns.len()).collect(), ..Self::default() };
            return Ok(Self { others: set(patterns, size_limit)?, ..all });
        }
        index.others = set(&others, size_limit)?;
        Ok(index)
    }

    /// Positions, from `first` on and in order, of all patterns that match `text`, and of few that do not.
    pub(super) fn candidates(&self, text: &str, first: usize) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        if let Some(literals) = &self.literals {
            let folded = fold(text);
            let mut there: Vec<usize> = literals
                .find_overlapping_iter(folded.as_bytes())
                .map(|literal| literal.pattern().as_usize())
                .collect();
            // A long text may hold the same one thousands of times.
            there.sort_unstable();
            there.dedup();
            let wanted = there.into_iter().flat_map(|literal| &self.wanted[literal]);
            found.extend(wanted.map(|position| *position as usize));
        }
        if !self.other_positions.is_empty() {
            let others = self.others.matches(text);
            found.extend(others.into_iter().map(|other| self.other_positions[other] as usize));
        }
        found.retain(|position| *position >= first);
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn set(patterns: &[&str], size_limit: usize) -> Result<RegexSet, regex::Error> {
    RegexSetBuilder::new(patterns).size_limit(size_limit).build()
}

/// Texts of which at least one is in whatever matches; folded, none of them empty.
type Texts = Vec<String>;

/// What a part of a pattern needs.
#[derive(Debug)]
struct Needs {
    /// All texts that it can match, folded, when they are few.
    exactly: Option<Texts>,
    /// Each alternative suffices by itself as a filter.
    choices: Vec<Texts>,
}

impl Needs {
    fn exactly(texts: Texts) -> Self {
        Self { exactly: Some(texts), choices: Vec::new() }
    }

    fn nothing() -> Self {
        Self { exactly: None, choices: Vec::new() }
    }

    /// Filters for the whole: what is matched exactly is one too.
    fn choices(self) -> Vec<Texts> {
        let mut choices = self.choices;
        choices.extend(self.exactly.filter(tells));
        choices
    }

    fn of(part: &Hir) -> Self {
        match part.kind() {
            HirKind::Empty | HirKind::Look(_) => Self::exactly(vec![String::new()]),
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => Self::exactly(vec![fold(text).into_owned()]),
                Err(_) => Self::nothing(),
            },
            HirKind::Class(class) => members(class).map_or_else(Self::nothing, Self::exactly),
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Repetition(repetition) => {
                let inner = Self::of(&repetition.sub);
                match (repetition.min, repetition.max) {
                    (1, Some(1)) => inner,
                    (0, Some(1)) => match inner.exactly {
                        Some(mut texts) if texts.len() < MAX_TEXTS => {
                            texts.push(String::new());
                            Self::exactly(texts)
                        }
                        _ => Self::nothing(),
                    },
                    (0, _) => Self::nothing(),
                    _ => Self { exactly: None, choices: inner.choices() },
                }
            }
            HirKind::Concat(parts) => Self::all_of(parts),
            HirKind::Alternation(parts) => Self::one_of(parts),
        }
    }

    fn all_of(parts: &[Hir]) -> Self {
        let mut choices = Vec::new();
        // The texts of the parts that stand side by side so far.
        let mut run = vec![String::new()];
        let mut whole = true;
        for part in parts {
            let needs = Self::of(part);
            match needs.exactly {
                Some(texts) => match joined(&run, &texts) {
                    Some(longer) => run = longer,
                    None => {
                        whole = false;
                        choices.push(std::mem::replace(&mut run, texts));
                    }
                },
                None => {
                    whole = false;
                    choices.push(std::mem::replace(&mut run, vec![String::new()]));
                    choices.extend(needs.choices);
                }
            }
        }
        if whole {
            return Self::exactly(run);
        }
        choices.push(run);
        choices.retain(tells);
        Self { exactly: None, choices }
    }

    fn one_of(parts: &[Hir]) -> Self {
        let needs: Vec<Self> = parts.iter().map(Self::of).collect();
        let count: usize =
            needs.iter().filter_map(|needs| needs.exactly.as_ref()).map(Vec::len).sum();
        if count <= MAX_TEXTS && needs.iter().all(|needs| needs.exactly.is_some()) {
            return Self::exactly(
                needs.into_iter().filter_map(|needs| needs.exactly).flatten().collect(),
            );
        }
        let mut either = Vec::new();
        for needs in needs {
            let best = needs
                .choices()
                .into_iter()
                .max_by_key(|texts| texts.iter().map(String::len).min().unwrap_or_default());
            let Some(best) = best else { return Self::nothing() };
            either.extend(best);
        }
        Self { exactly: None, choices: vec![either] }
    }
}

/// Whether texts tell anything: the empty one is in everything.
fn tells(texts: &Texts) -> bool {
    !texts.is_empty() && texts.iter().all(|text| !text.is_empty())
}

/// Every text of the first followed by every one of the second; `None` when that grows too large.
fn joined(first: &[String], second: &[String]) -> Option<Texts> {
    if first.len() * second.len() > MAX_TEXTS {
        return None;
    }
    let joined = first.iter().flat_map(|a| second.iter().map(move |b| format!("{a}{b}")));
    let mut joined: Texts = joined.collect();
    joined.sort_unstable();
    joined.dedup();
    joined.iter().all(|text| text.len() <= MAX_TEXT_BYTES).then_some(joined)
}

/// The members of a class, folded, when they are few: `(?i)a` is the class of `a` and `A`, and so one text.
fn members(class: &Class) -> Option<Texts> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
        Class::Bytes(class) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
    };
    let count =
        ranges.iter().fold(0_u32, |count, (start, end)| count.saturating_add(end - start + 1));
    if count == 0
        || count > MAX_MEMBERS
        || ranges.iter().any(|(_, end)| *end > 0x7f) && matches!(class, Class::Bytes(_))
    {
        return None;
    }
    let chars = ranges.into_iter().flat_map(|(start, end)| start..=end).filter_map(char::from_u32);
    let mut members: Texts = chars.map(|c| fold_char(c).to_string()).collect();
    members.sort_unstable();
    members.dedup();
    Some(members)
}

/// `text` with every letter in one case, character by character.
fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(fold_char).collect())
}

/// Letters that any case-insensitive pattern takes for the same come out the same: `ſ` is `s`, `ς` is `σ`.
fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    // Characters of Chinese have no case, and are most of what is left.
    if matches!(c, '\u{2e80}'..='\u{9fff}') {
        return c;
    }
    only(only(c, c.to_uppercase()), only(c, c.to_uppercase()).to_lowercase())
}

/// The one character that `cased` is, or else `c`.
fn only(c: char, mut cased: impl Iterator<Item = char>) -> char {
    match (cased.next(), cased.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn needs(pattern: &str) -> Vec<Vec<String>> {
        Needs::of(&regex_syntax::parse(pattern).unwrap()).choices()
    }

    #[test]
    fn what_a_pattern_needs_is_found_in_it() {
        let table: &[(&str, &[&[&str]])] = &[
            ("hello", &[&["hello"]]),
            ("(?i)Hello", &[&["hello"]]),
            (r"^deploy (\w+) db7$", &[&["deploy "], &[" db7"]]),
            (r"\b(?:hi|hello|你好)\b", &[&["hello", "hi", "你好"]]),
            ("colou?r", &[&["color", "colour"]]),
            ("(ab)+c", &[&["ab"], &["c"]]),
            ("a|", &[]),
            (r"^\d+$", &[]),
            (".*", &[]),
            ("x*", &[]),
            ("(?:foo.*|bar.*)baz", &[&["foo", "bar"], &["baz"]]),
            ("(?:foo|.*)baz", &[&["baz"]]),
        ];
        for (pattern, expected) in table {
            assert_eq!(needs(pattern), *expected, "{pattern}");
        }
    }

    #[test]
    fn a_text_is_compared_with_few_of_many_patterns() {
        let patterns: Vec<String> =
            (0..2_000).map(|n| format!(r"^run (\w+) on host{n}$")).collect();
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let index = Index::new(&patterns, 1 << 20).unwrap();
        assert_eq!(index.candidates("run tests on host1234", 0), [1, 12, 123, 1234]);
        assert_eq!(index.candidates("run tests on host1234", 13), [123, 1234]);
        assert!(index.candidates("good morning", 0).is_empty());
    }

    /// Patterns from pieces that people write, joined at random.
    fn pattern() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("hello"),
            Just("HI"),
            Just("k"),
            Just("s"),
            Just("部署"),
            Just("µ"),
            Just("ß"),
            Just("İ"),
            Just(" "),
            Just(r"\b"),
            Just("^"),
            Just("$"),
            Just(r"\d"),
            Just(r"\w+"),
            Just(".*"),
            Just("[ab]"),
            Just("[^a]"),
            Just("(?i)"),
            Just("(?-i)"),
            Just("a?"),
            Just("(?:ab){2}"),
            Just("b{0,2}"),
            Just("(x|yz)"),
            Just("(?:hi|部|)"),
            Just("(?:k|.)"),
            Just("(?s:.)"),
            Just("ς"),
            Just("(?:a|b|c|d|e|f|g)"),
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("hello"),
            Just("HELLO"),
            Just("hi"),
            Just("K"),
            Just("k"),
            Just("\u{212a}"),
            Just("ſ"),
            Just("S"),
            Just("部署"),
            Just("部"),
            Just("Μ"),
            Just("µ"),
            Just("ẞ"),
            Just("ss"),
            Just("i\u{307}"),
            Just("İ"),
            Just(" "),
            Just("7"),
            Just("ab"),
            Just("A"),
            Just("b"),
            Just("x"),
            Just("YZ"),
            Just("Σ"),
            Just("\n"),
            Just("c"),
        ];
        prop_oneof![
            prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
            any::<String>()
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn no_pattern_that_matches_is_left_out(patterns in prop::collection::vec(pattern(), 1..12), text in text()) {
            let patterns: Vec<(Regex, &str)> = patterns
                .iter()
                .filter_map(|pattern| Some((Regex::new(pattern).ok()?, pattern.as_str())))
                .collect();
            let sources: Vec<&str> = patterns.iter().map(|(_, source)| *source).collect();
            let index = Index::new(&sources, 10 << 20).unwrap();
            let naive: Vec<usize> = patterns
                .iter()
                .enumerate()
                .filter(|(_, (pattern, _))| pattern.is_match(&text))
                .map(|(position, _)| position)
                .collect();
            let tried = index.candidates(&text, 0);
            prop_assert!(tried.is_sorted());
            let found: Vec<usize> =
                tried.into_iter().filter(|position| patterns[*position].0.is_match(&text)).collect();
            prop_assert_eq!(found, naive, "{:?} ← {:?}", sources, text);
        }
    }
}
