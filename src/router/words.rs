//! What a person typed, cut into words: quotes, full-width characters, dashes that a phone made of `--`.
//!
//! Lenient where a person would be understood: a quote that is never closed is an ordinary character, and so is a
//! backslash before anything but a quote or a space, so that `C:\dir` and `don't` survive. Only quoting is decided
//! here; each [`Word`] keeps where it began, so that a rest argument can be taken as it was typed.

use std::borrow::Cow;

/// One word as it was meant: quotes and escapes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Byte offset of its first character, quote included, in what was typed.
    pub(super) start: usize,
    /// Whether it began with a quote: such a word is never an option.
    pub(super) quoted: bool,
}

/// Cuts `typed` into words.
pub(super) fn split(typed: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(skipped) = typed[at..].find(|c| !is_space(c)) {
        at += skipped;
        let (word, end) = word(typed, at);
        words.push(word);
        at = end;
    }
    words
}

/// Reads the word that begins at `start`; returns it with the offset after it.
fn word(typed: &str, start: usize) -> (Word, usize) {
    if let Some((text, end)) = quoted(typed, start) {
        return (Word { text, start, quoted: true }, end);
    }
    let mut text = String::new();
    let mut at = start;
    while let Some(c) = typed[at..].chars().next() {
        if is_space(c) {
            break;
        }
        if c == '\\' {
            at =
                backslashes(typed, at, &mut text, |next| is_space(next) || closers(next).is_some());
            continue;
        }
        // `--name="two words"`: a quote may open right after the equals sign of an option.
        if matches!(c, '=' | '＝') && starts_like_option(&text) {
            let after = at + c.len_utf8();
            if let Some((value, end)) = quoted(typed, after) {
                text.push('=');
                text.push_str(&value);
                return (Word { text, start, quoted: false }, end);
            }
        }
        text.push(c);
        at += c.len_utf8();
    }
    (Word { text, start, quoted: false }, at)
}

/// Reads a quotation that opens at `start` and closes before a space or the end; `None` when there is none.
fn quoted(typed: &str, start: usize) -> Option<(String, usize)> {
    let open = typed[start..].chars().next()?;
    let closing = closers(open)?;
    let mut text = String::new();
    let mut at = start + open.len_utf8();
    while let Some(c) = typed[at..].chars().next() {
        if c == '\\' {
            at = backslashes(typed, at, &mut text, |next| closing.contains(&next));
            continue;
        }
        at += c.len_utf8();
        if closing.contains(&c) && typed[at..].chars().next().is_none_or(is_space) {
            return Some((text, at));
        }
        text.push(c);
    }
    None
}

/// Reads a run of backslashes: before a character that `escapes` says needs it, two mean one and an odd one takes
/// that character literally; anywhere else they are what they look like. Returns the offset after what was read.
fn backslashes(
    typed: &str,
    start: usize,
    text: &mut String,
    escapes: impl Fn(char) -> bool,
) -> usize {
    let count = typed[start..].bytes().take_while(|&b| b == b'\\').count();
    let end = start + count;
    match typed[end..].chars().next() {
        Some(next) if escapes(next) => {
            text.extend(std::iter::repeat_n('\\', count / 2));
            if count % 2 == 1 {
                text.push(next);
                return end + next.len_utf8();
            }
        }
        _ => text.extend(std::iter::repeat_n('\\', count)),
    }
    end
}

/// The characters that close what `open` opens: phones mix typographic and straight ones.
fn closers(open: char) -> Option<&'static [char]> {
    match open {
        '"' => Some(&['"', '”']),
        '“' | '”' | '„' | '＂' => Some(&['”', '“', '"', '＂']),
        '\'' => Some(&['\'', '’']),
        '‘' | '’' | '＇' => Some(&['’', '‘', '\'', '＇']),
        '「' => Some(&['」']),
        '『' => Some(&['』']),
        _ => None,
    }
}

/// Whether `text` begins as an option does.
fn starts_like_option(text: &str) -> bool {
    text.chars().next().is_some_and(is_dash)
}

pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}')
}

/// The dashes that keyboards, phones and input methods make of `-` and `--`.
fn is_dash(c: char) -> bool {
    matches!(c, '-' | '‐' | '‑' | '–' | '—' | '−' | '－')
}

/// The name part of a word that looks like an option, however its dashes came out: `--force`, `—force`, `－－force`.
/// The second value tells a long option from a short one (`-f`).
pub(super) fn option_name(word: &str) -> Option<(&str, bool)> {
    let first = word.chars().next()?;
    let name = word.trim_start_matches(is_dash);
    let dashes = word[..word.len() - name.len()].chars().count();
    // `-5` and `—` are words: an option has a name.
    if dashes == 0 || dashes > 2 || name.chars().next().is_none_or(|c| !c.is_alphabetic()) {
        return None;
    }
    Some((name, dashes == 2 || matches!(first, '–' | '—')))
}

/// `text` with full-width ASCII made ordinary: what a name, a number or a choice is compared by.
pub(super) fn narrow(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(narrow_char).collect())
}

pub(super) fn narrow_char(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        other => other,
    }
}

/// The form under which names are compared: narrow, lower case.
pub(super) fn fold(text: &str) -> String {
    narrow(text).to_lowercase()
}

/// Punctuation that people put after a word without meaning anything by it: `ping!`, `取消。`, `部署：`.
pub(super) fn trim_punctuation(text: &str) -> &str {
    text.trim_end_matches(|c| {
        matches!(narrow_char(c), '!' | '?' | '.' | ',' | ':' | ';' | '。' | '、' | '…' | '~')
    })
}

/// `text` as one word that [`split`] reads back, quoted when it has to be.
pub fn quote(text: &str) -> String {
    let plain = !text.is_empty()
        && !text
            .chars()
            .any(|c| is_space(c) || closers(c).is_some() || matches!(c, '\\' | '=' | '＝'))
        && !text.chars().next().is_some_and(is_dash);
    if plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    let mut backslashes = 0;
    for c in text.chars() {
        if matches!(c, '"' | '”') {
            quoted.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        quoted.push(c);
    }
    quoted.extend(std::iter::repeat_n('\\', backslashes));
    quoted.push('"');
    quoted
}

/// Somebody's text for one line of an answer: no line breaks or control characters, no backticks, not too long.
pub(super) fn shown(text: &str) -> String {
    const LIMIT: usize = 40; // characters: enough to recognise, too little to flood
    let mut shown: String = text
        .chars()
        .take(LIMIT)
        .map(|c| match c {
            '`' => '\'',
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}') => ' ',
            c => c,
        })
        .collect();
    if text.chars().nth(LIMIT).is_some() {
        shown.push('…');
    }
    shown
}

/// `line` and under it a caret at `column` (characters, from 1), aligned where Chinese is two columns wide.
pub fn caret(line: &str, column: usize) -> String {
    let before: usize =
        line.chars().take(column.saturating_sub(1)).map(|c| if is_wide(c) { 2 } else { 1 }).sum();
    format!("{}\n{}^", line.replace('\t', " "), " ".repeat(before))
}

/// Whether a terminal draws `c` over two columns: the blocks that occur in declarations and scripts.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
}

/// The candidate that `word` most probably means, if any is near enough.
pub(super) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let word = fold(word);
    let length = word.chars().count();
    if length == 0 || length > 64 {
        return None;
    }
    let near = |candidate: &&str| {
        let folded = fold(candidate);
        let other = folded.chars().count();
        // A transposition is one slip; a short word may have one slip, a longer one as many as a third of it.
        let allowed = (length.max(other) / 3).clamp(1, 3);
        if length.abs_diff(other) <= allowed {
            let distance = strsim::osa_distance(&word, &folded);
            if distance <= allowed && distance < length {
                return Some(distance);
            }
        }
        // `dep` for `deploy`, and `提醒10分钟` for `提醒`.
        let (short, long) = if length < other { (&word, &folded) } else { (&folded, &word) };
        let telling = short.chars().count() >= 3 || !short.is_ascii();
        (telling && long.starts_with(short.as_str())).then_some(4)
    };
    candidates
        .into_iter()
        .filter_map(|c| near(&c).map(|distance| (distance, c)))
        .min_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)))
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(typed: &str) -> Vec<String> {
        split(typed).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_come_out_as_a_person_meant_them() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("   ", &[]),
            ("a b", &["a", "b"]),
            ("a\u{3000}b", &["a", "b"]),
            (" a \t b \n", &["a", "b"]),
            (r#"say "hello world""#, &["say", "hello world"]),
            ("say “hello world”", &["say", "hello world"]),
            ("say “hello world\"", &["say", "hello world"]),
            ("say 'a b' c", &["say", "a b", "c"]),
            ("say ‘a b’", &["say", "a b"]),
            ("说 「你好 世界」", &["说", "你好 世界"]),
            (r#"say """#, &["say", ""]),
            ("don't worry", &["don't", "worry"]),
            ("'don't worry'", &["don't worry"]),
            ("'tis late", &["'tis", "late"]),
            ("say \"unclosed end", &["say", "\"unclosed", "end"]),
            (r"C:\dir\file x", &[r"C:\dir\file", "x"]),
            (r"\\server\share", &[r"\\server\share"]),
            (r"a\ b c", &["a b", "c"]),
            (r#""a \"b\" c""#, &[r#"a "b" c"#]),
            (r#""ends with \\" x"#, &[r"ends with \", "x"]),
            (r#"\"a b"#, &["\"a", "b"]),
            (r"\", &[r"\"]),
            (r#"--name="two words" x"#, &["--name=two words", "x"]),
            ("—name＝“two words”", &["—name=two words"]),
            (r#"a="b c""#, &["a=\"b", "c\""]),
        ];
        for (typed, expected) in table {
            assert_eq!(texts(typed), *expected, "typed: {typed}");
        }
    }

    #[test]
    fn the_nearest_is_near() {
        let names = ["deploy", "logs", "prod", "提醒"];
        for (word, expected) in [
            ("depoly", Some("deploy")),
            ("DEPLOI", Some("deploy")),
            ("dep", Some("deploy")),
            ("prdo", Some("prod")),
            ("log", Some("logs")),
            ("提醒10分钟", Some("提醒")),
            ("weather", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
    }

    #[test]
    fn a_caret_stands_under_the_character_it_means() {
        assert_eq!(caret("发布 <x:foo>", 7), "发布 <x:foo>\n        ^");
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_comes_back_as_that_one_word(words in prop::collection::vec(any::<String>(), 0..6)) {
            let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(texts(&line), words);
        }

        #[test]
        fn the_awkward_characters_survive_quoting(words in prop::collection::vec("[\"'\\\\ “”‘’「」=a-]{0,8}", 0..6)) {
            let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(texts(&line), words);
        }

        #[test]
        fn nothing_typed_panics(typed in any::<String>()) {
            for word in split(&typed) {
                let _ = (option_name(&word.text), narrow(&word.text), shown(&word.text), caret(&typed, word.start));
            }
        }
    }
}
