//! Text that lies to nobody: what a terminal or a reader would act on is taken out, what would be shown is kept.
//!
//! Escape sequences (colours, links, clipboard, titles), control characters, and characters that turn the reading
//! direction go; a line rewritten with `\r` or backspaces keeps its last state, as a progress bar does on a screen.

use std::borrow::Cow;

/// Columns that a tab may fill.
const TAB: &str = "    ";

/// Text for a chat, a card or a log line. Newlines stay; everything else that is not shown goes.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| c == '\n' || is_shown(c)) {
        return Cow::Borrowed(text);
    }
    let plain = strip_ansi(text);
    let mut out = String::with_capacity(plain.len());
    for (index, line) in plain.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str(&overwritten(line));
    }
    Cow::Owned(out)
}

/// Text that somebody wrote for a chat, without what acts: escape sequences, control characters, those that turn the
/// reading direction, spaces without width. Tabs, and the joiners of emoji, of Persian and of [`super::markdown`], stay.
pub fn quiet(text: &str) -> Cow<'_, str> {
    let stays = |c: char| match c {
        '\n' | '\t' | '\u{200c}' | '\u{2060}' => true,
        c => is_shown(c),
    };
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(strip_ansi(text).chars().filter(|c| stays(*c)).collect())
}

/// Whether nobody would see anything of it.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_whitespace()
            || !is_shown(c)
            || matches!(
                c,
                '\u{ad}'
                    | '\u{34f}'
                    | '\u{115f}'
                    | '\u{1160}'
                    | '\u{180e}'
                    | '\u{200d}'
                    | '\u{2800}'
                    | '\u{3164}'
                    | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
            )
    })
}

/// Removes the escape sequences of terminals: CSI (colours, cursor), OSC (titles, links, clipboard) and the other strings,
/// in their seven-bit and their one-character form. One that is cut off is removed to its line's end.
pub fn strip_ansi(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let kind = match c {
            '\u{1b}' => match chars.next_if(|next| *next != '\n') {
                Some(kind) => kind,
                None => continue,
            },
            '\u{90}' => 'P',
            '\u{98}' => 'X',
            '\u{9b}' => '[',
            '\u{9d}' => ']',
            '\u{9e}' => '^',
            '\u{9f}' => '_',
            shown => {
                out.push(shown);
                continue;
            }
        };
        match kind {
            // Parameters and intermediates, then one final character.
            '[' => {
                while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                chars.next_if(|c| matches!(c, '@'..='~'));
            }
            // A string up to BEL or ST.
            'P' | 'X' | ']' | '^' | '_' => {
                while let Some(c) = chars.next_if(|c| *c != '\n') {
                    match c {
                        '\u{7}' | '\u{9c}' => break,
                        '\u{1b}' => {
                            chars.next_if_eq(&'\\');
                            break;
                        }
                        _ => {}
                    }
                }
            }
            // Character sets and the like: intermediates, then one final.
            ' '..='/' => {
                while chars.next_if(|c| matches!(c, ' '..='/')).is_some() {}
                chars.next_if(|c| matches!(c, '0'..='~'));
            }
            _ => {}
        }
    }
    out
}

/// One line as a screen would show it after its `\r` and backspaces; other control characters go.
fn overwritten(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    if !line.contains(['\r', '\u{8}']) {
        let mut out = String::with_capacity(line.len());
        for c in line.chars() {
            push(&mut out, c);
        }
        return out;
    }
    let mut screen: Vec<char> = Vec::new();
    let mut column = 0;
    for c in line.chars() {
        match c {
            '\r' => column = 0,
            '\u{8}' => column = usize::saturating_sub(column, 1),
            c => {
                if column < screen.len() {
                    screen[column] = c;
                } else {
                    screen.push(c);
                }
                column += 1;
            }
        }
    }
    let mut out = String::with_capacity(screen.len());
    for c in screen {
        push(&mut out, c);
    }
    out.truncate(out.trim_end().len()); // blanks that wiped out a longer state
    out
}

fn push(out: &mut String, c: char) {
    match c {
        '\t' => out.push_str(TAB),
        c if is_shown(c) => out.push(c),
        _ => {}
    }
}

/// Not a control character, not one that turns the reading direction or hides. The joiner of emoji families stays.
fn is_shown(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_taken_out() {
        let cases = [
            ("plain\nlines\n", "plain\nlines\n"),
            ("\x1b[1;31mred\x1b[0m", "red"),
            ("\x1b[2J\x1b[H\x1b[?25lhome", "home"),
            ("\u{9b}31mred", "red"),
            ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b]52;c;c2VjcmV0\x07after", "after"),
            ("\x1b]0;title\u{9c}after", "after"),
            ("\x1bPq#0;2\x1b\\sixel", "sixel"),
            ("\x1b(Bascii \x1b=keys \x1bcreset", "ascii keys reset"),
            ("cut \x1b]52;c;never closed\nnext", "cut \nnext"),
            ("cut \x1b[31", "cut "),
            ("end \x1b", "end "),
            ("bell\x07 nul\0 del\x7f c1\u{85}", "bell nul del c1"),
            ("a\tb", "a    b"),
            ("rm \u{202e}txt.exe \u{200b}\u{feff}\u{2066}x", "rm txt.exe x"),
            ("👨\u{200d}👩 你好 é\u{301} \u{fffd}", "👨\u{200d}👩 你好 é\u{301} \u{fffd}"),
            ("a\r\nb\r\n", "a\nb\n"),
            (" 10%\r 55%\r100%\ndone", "100%\ndone"),
            ("longer text\rshort", "shortr text"),
            ("working...\r          \rdone", "done"),
            ("ab\u{8}c", "ac"),
            ("\u{8}\u{8}x", "x"),
            ("\r", ""),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_somebody_wrote_is_kept_but_for_what_acts() {
        for (text, expected) in [
            ("# Title\r\n\tcode 你好 👨\u{200d}👩", "# Title\n\tcode 你好 👨\u{200d}👩"),
            ("@\u{2060}all \u{202e}gpj.exe \u{2066}x\u{2069}\u{200b}", "@\u{2060}all gpj.exe x"),
            ("\x1b[2J\x1b]52;c;x\x07red\0\u{9b}31m", "red"),
            ("10%\r20%", "10%20%"),
        ] {
            assert_eq!(quiet(text), expected, "{text:?}");
        }
        assert!(matches!(quiet("two\n\tlines"), Cow::Borrowed(_)));
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in "[\\x00-\\x9f\\u{200b}-\\u{2070}a好]{0,60}") {
            let clean = clean(&text).into_owned();
            proptest::prop_assert!(clean.chars().all(|c| c == '\n' || is_shown(c)), "{:?}", clean);
            let lines = |text: &str| text.matches('\n').count();
            proptest::prop_assert_eq!(lines(&text), lines(&clean));
            let once = super::clean(&clean).into_owned();
            proptest::prop_assert_eq!(once, clean);
        }
    }
}
