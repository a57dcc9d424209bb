//! Text of others inside Markdown of ours.

use super::spoken;

pub use super::fence::Fence;

/// Text that Markdown shows as it is: signs get a backslash, signs that only mean something where a line begins get it
/// there, and an `@` is kept from mentioning. Secrets and what acts go first: a backslash in their middle would hide them.
pub fn escape(text: &str) -> String {
    escaped(&spoken(text), true)
}

/// The same for text that does not stand where a line begins, such as the cell of a table.
pub fn escape_inline(text: &str) -> String {
    escaped(&spoken(text), false)
}

fn escaped(text: &str, mut begin: bool) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for line in text.split_inclusive('\n') {
        let line = if begin { indented(&mut out, line) } else { line };
        // `begin` holds while there were only blanks and digits since the line began.
        let mut digits = false;
        for (at, c) in line.char_indices() {
            match c {
                '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '!' | '$' | '&' => {
                    out.push('\\');
                    out.push(c);
                }
                '#' | '-' | '+' | '=' if begin && !digits => {
                    out.push('\\');
                    out.push(c);
                }
                // Some readers take `:--` under a line for a table.
                ':' if begin && !digits && line[at..].starts_with(":-") => out.push_str("\\:"),
                '.' | ')' if begin && digits => {
                    out.push('\\');
                    out.push(c);
                }
                // A joiner that nobody sees stands between the sign and the name.
                '@' => out.push_str("@\u{2060}"),
                c => out.push(c),
            }
            match c {
                '0'..='9' if begin => digits = true,
                _ => begin = false,
            }
        }
        begin = true;
    }
    out
}

/// Writes the blanks that `line` begins with, and returns what follows. Four of them would make it a block of code, so that
/// many are written as blanks that Markdown takes for letters.
fn indented<'l>(out: &mut String, line: &'l str) -> &'l str {
    let rest = line.trim_start_matches([' ', '\t']);
    let blanks = &line[..line.len() - rest.len()];
    let width =
        blanks.chars().fold(0, |width, c| if c == '\t' { width / 4 * 4 + 4 } else { width + 1 });
    if width < 4 || rest.trim().is_empty() {
        out.push_str(blanks);
    } else {
        out.extend(std::iter::repeat_n('\u{a0}', width));
    }
    rest
}

/// `text` as a block of code that it cannot close: the fence is longer than any run of backticks in it.
pub fn fenced(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}\n{text}{}{fence}", if text.ends_with('\n') { "" } else { "\n" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_code_cannot_be_closed_from_inside() {
        for (text, expected) in [
            ("a", "```\na\n```"),
            ("a\n", "```\na\n```"),
            ("```\n[Approve](http://evil)", "````\n```\n[Approve](http://evil)\n````"),
            ("`````", "``````\n`````\n``````"),
            ("", "```\n\n```"),
        ] {
            assert_eq!(fenced(text), expected);
        }
    }

    #[test]
    fn what_acts_and_what_is_secret_goes_before_a_backslash_stands_in_it() {
        crate::sink::hide("sk_live_*key*_1");
        assert_eq!(escape("it is sk_live_*key*_1"), "it is \\*\\*\\*");
        assert_eq!(escape_inline("\u{1b}[2J\u{1b}]0;title\u{7}red"), "red");
    }

    #[test]
    fn an_indented_line_is_no_block_of_code() {
        assert_eq!(
            escape("    a\n  \tb\n   - c\n    \nd    e"),
            "\u{a0}\u{a0}\u{a0}\u{a0}a\n\u{a0}\u{a0}\u{a0}\u{a0}b\n   \\- c\n    \nd    e"
        );
    }

    #[test]
    fn a_line_under_another_makes_no_table_of_it() {
        assert_eq!(escape("a\n:--\n :-:\n: x"), "a\n\\:--\n \\:-:\n: x");
    }

    #[test]
    fn a_title_with_markdown_of_somebody_else_stays_a_title() {
        assert_eq!(
            escape_inline("deploy** [Approve](http://evil) @all"),
            "deploy\\*\\* \\[Approve\\](http://evil) @\u{2060}all"
        );
    }
}
