//! Text in the columns of a terminal, where a Chinese character takes two.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::letters;

/// Filled up to so many columns; what is wider stays.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Filled up from the left: numbers end below one another.
pub(super) fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

/// Cut or filled up to so many columns.
pub(super) fn fit(text: &str, width: usize) -> String {
    pad(&cut(text, width), width)
}

/// What is too wide ends with `…`.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mark = letters::cut_mark();
    let mut out = String::new();
    let mut used = mark.width();
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push_str(mark);
    out
}

/// Room that a line has at least, however narrow the terminal: a word in Chinese.
const NARROWEST: usize = 4;

/// In lines of so many columns: the first has `before` of them taken already, those after it begin at `indent`. Breaks where
/// a reader would: between words, and between any two characters of Chinese, which has no blanks, but not before what ends
/// a sentence. A path that is longer than a line breaks behind its slashes; any other word that is, such as an address that
/// can be clicked, stays whole.
pub(super) fn wrap(text: &str, before: usize, indent: usize, width: usize) -> String {
    let width = width.max(indent + NARROWEST);
    let mut wrapped = String::new();
    let (mut begin, mut column) = (before, before);
    let mut rest = text;
    while !rest.is_empty() {
        let mut word = &rest[..first_word(rest)];
        if indent + word.trim_end().width() > width && !word.contains("://") {
            word = &word[..first_part(word)];
        }
        let end = column + word.trim_end().width();
        if column > begin && end > width && !wrapped.trim_start().is_empty() {
            wrapped.truncate(wrapped.trim_end_matches(' ').len());
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            (begin, column) = (indent, indent);
        }
        wrapped.push_str(word);
        column += word.width();
        rest = &rest[word.len()..];
    }
    wrapped
}

/// How many bytes of a path stay together.
fn first_part(path: &str) -> usize {
    let end = path.char_indices().skip(1).find(|(_, c)| matches!(c, '/' | '\\'));
    end.map_or(path.len(), |(at, c)| at + c.len_utf8())
}

/// How many bytes of `text` stay together: a word with the blanks behind it, or a wide character with what ends it.
fn first_word(text: &str) -> usize {
    let is_wide = |c: char| c.width() == Some(2);
    let ends = |c: char| "，。；：！？、）」》”…,.;:)".contains(c);
    let opens = |c: char| "（「《“(".contains(c);
    let mut before = None;
    for (at, c) in text.char_indices() {
        let breaks = match before {
            None => false,
            Some(' ') => c != ' ',
            Some(last) => (is_wide(last) || is_wide(c)) && !ends(c) && c != ' ' && !opens(last),
        };
        if breaks {
            return at;
        }
        before = Some(c);
    }
    text.len()
}

/// Parts of a line that are no wider than so many columns, wherever that breaks it.
pub(super) fn fold(line: &str, width: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut used = 0;
    for c in line.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width && used > 0 {
            parts.push(String::new());
            used = 0;
        }
        used += wide;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_and_chinese_takes_two() {
        assert_eq!(cut("scripts  3", 10), "scripts  3");
        assert_eq!(cut("scripts  13", 10), "scripts  …");
        assert_eq!(cut("脚本 部署.luau", 8), "脚本 部…");
        assert_eq!(cut("脚本", 3), "脚…");
        assert_eq!(pad("脚本", 6), "脚本  ");
        assert_eq!(fit("脚本", 3), "脚…");
        assert_eq!(fold("脚本 部署", 5), ["脚本 ", "部署"]);
        assert_eq!(fold("", 5), [""]);
        assert_eq!(fold("脚", 1), ["脚"]);
    }

    #[test]
    fn lines_break_between_words_and_between_chinese_characters_but_before_no_full_stop() {
        for (text, width, expected) in [
            ("one two three", 9, "one two\nthree"),
            (
                "see https://example.com/a/long/path now",
                12,
                "see\nhttps://example.com/a/long/path\nnow",
            ),
            ("打开钉钉，搜索机器人。", 10, "打开钉钉，\n搜索机器\n人。"),
            ("一二三四五六七八九十，一二三", 20, "一二三四五六七八九\n十，一二三"),
            ("运行 moonbell init（或重试）", 14, "运行 moonbell\ninit（或重试）"),
            ("", 10, ""),
        ] {
            assert_eq!(wrap(text, 0, 0, width), expected);
        }
        let text = "用 moonbell service install 让它在后台运行";
        assert_eq!(wrap(text, 0, 0, usize::MAX), text);
        for columns in 4..40 {
            let whole = wrap(text, 0, 0, columns).replace([' ', '\n'], "");
            assert_eq!(whole, text.replace(' ', ""), "nothing is lost");
        }
    }

    #[test]
    fn lines_go_on_below_where_they_are_told_to() {
        let text = "one two three four five six";
        assert_eq!(wrap(text, 2, 2, 22), "one two three four\n  five six");
        assert_eq!(wrap(&format!("  {text}"), 0, 4, 24), "  one two three four\n    five six");
        let address = "  https://bot.example.com/dingtalk";
        assert_eq!(wrap(address, 0, 4, 24), address);
    }

    #[test]
    fn a_path_that_is_longer_than_a_line_breaks_behind_its_slashes() {
        assert_eq!(
            wrap("Settings: ~/a/long/way/down/config.toml (yours)", 0, 0, 16),
            "Settings: ~/a/\nlong/way/\ndown/config.toml\n(yours)"
        );
        assert_eq!(
            wrap("/home/ann/some/where/deep/config.toml", 10, 10, 30),
            "/home/ann/some/\n          where/\n          deep/config.toml"
        );
    }
}
