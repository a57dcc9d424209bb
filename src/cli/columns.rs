//! Text in the columns of a terminal, where a Chinese character takes two.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

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
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// In lines of so many columns: the first has `before` of them taken already, those after it begin at `indent`. Breaks at
/// spaces, and between characters that are two columns wide, for Chinese has no spaces. What cannot be broken, such as an
/// address, stays whole.
pub(super) fn wrap(text: &str, before: usize, indent: usize, width: usize) -> String {
    let width = width.max(indent + 20);
    let mut wrapped = String::new();
    let (mut begin, mut column) = (before, before);
    for piece in pieces(text) {
        let wide = piece.trim_end().width();
        if column > begin && column + wide > width && !wrapped.trim_start().is_empty() {
            wrapped.truncate(wrapped.trim_end_matches(' ').len());
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            (begin, column) = (indent, indent);
        }
        wrapped.push_str(piece);
        column += piece.width();
    }
    wrapped
}

/// Parts of `text` that stay in one line, each with the space after it. What closes stays with what is before it.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = rest.len();
        let mut chars = rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let after = at + c.len_utf8();
            let next = chars.peek().map(|(_, c)| *c);
            let wide = c.width() == Some(2) || next.is_some_and(|next| next.width() == Some(2));
            let tied = next.is_some_and(|next| "，。；：、）」》？！,.;:)".contains(next))
                || "（「《(".contains(c);
            if (c == ' ' && next != Some(' ')) || (wide && !tied && next != Some(' ')) {
                end = after;
                break;
            }
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
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
    fn lines_break_between_words_and_between_chinese_characters() {
        let text = "one two three four five six";
        assert_eq!(wrap(text, 2, 2, 22), "one two three four\n  five six");
        assert_eq!(wrap(&format!("  {text}"), 0, 4, 24), "  one two three four\n    five six");
        assert_eq!(
            wrap("一二三四五六七八九十，一二三", 0, 0, 20),
            "一二三四五六七八九\n十，一二三"
        );
        let address = "  https://bot.example.com/dingtalk";
        assert_eq!(wrap(address, 0, 4, 24), address);
    }
}
