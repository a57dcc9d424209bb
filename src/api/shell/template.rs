//! Makes `shell.sh("grep -c $1 $2", a, b)` mean what it looks like: an argument stays one word.
//!
//! A POSIX shell splits an unquoted `$1` at spaces and expands `*` in it. Here such a parameter is put into double
//! quotes. Where that cannot be done with certainty (here-documents, backquotes, an odd number of quotes), splitting and
//! expansion are turned off for the whole script instead: it may then miss a pattern of its own (and an empty argument
//! that is not quoted vanishes), but never does something with an argument that nobody wrote.

/// Turns off splitting and expansion; on the first line, so that line numbers in messages stay right.
const LITERAL: &str = "set -f; IFS=; ";

/// The script with its positional parameters quoted.
pub(super) fn quoted(script: &str) -> String {
    rewrite(script).unwrap_or_else(|| format!("{LITERAL}{script}"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// A command, with the parentheses open in it.
    Command(u32),
    Single,
    Double,
    /// `$(( … ))`: nothing is split in it, and a quote is an error.
    Arithmetic(u32),
    /// `${name:-word}` outside of quotes, and in quotes.
    Brace,
}

/// `None`: not understood well enough.
fn rewrite(script: &str) -> Option<String> {
    let mut out = String::with_capacity(script.len() + 16);
    let mut stack = vec![Inside::Command(0)];
    let mut rest = script;
    let mut word_start = true;
    while let Some(next) = rest.chars().next() {
        let top = *stack.last()?;
        let mut length = next.len_utf8();
        match (top, next) {
            (Inside::Single, '\'') | (Inside::Double, '"') | (Inside::Brace, '}') => {
                stack.pop();
            }
            (Inside::Single, _) => {}
            (_, '`') | (Inside::Brace, '"' | '\'') => return None,
            (_, '\\') => length += rest[1..].chars().next().map_or(0, char::len_utf8),
            (Inside::Command(_), '"') => stack.push(Inside::Double),
            (Inside::Command(_), '\'') => stack.push(Inside::Single),
            (Inside::Command(_), '#') if word_start => {
                length = rest.find('\n').unwrap_or(rest.len());
            }
            (Inside::Command(_), '<') if rest.starts_with("<<") => return None,
            (Inside::Command(depth), '(') => {
                *stack.last_mut()? = Inside::Command(depth + 1);
            }
            (Inside::Command(0), ')') if stack.len() > 1 => {
                stack.pop();
            }
            (Inside::Command(depth), ')') => {
                *stack.last_mut()? = Inside::Command(depth.checked_sub(1)?);
            }
            (Inside::Arithmetic(depth), '(') => {
                *stack.last_mut()? = Inside::Arithmetic(depth + 1);
            }
            (Inside::Arithmetic(0), ')') => {
                if !rest.starts_with("))") {
                    return None;
                }
                length = 2;
                stack.pop();
            }
            (Inside::Arithmetic(depth), ')') => {
                *stack.last_mut()? = Inside::Arithmetic(depth - 1);
            }
            (_, '$') => {
                let after = &rest[1..];
                if after.starts_with("((") {
                    length = 3;
                    stack.push(Inside::Arithmetic(0));
                } else if after.starts_with('(') {
                    length = 2;
                    stack.push(Inside::Command(0));
                } else if after.starts_with('\'') {
                    return None; // `$'…'`: some shells know it, some do not
                } else if let Some(parameter) = positional(after) {
                    let whole = &rest[..=parameter];
                    if matches!(top, Inside::Command(_)) {
                        out.push('"');
                        // One word each, as `"$@"` is; `"$*"` would join them.
                        out.push_str(if whole == "$*" { "$@" } else { whole });
                        out.push('"');
                    } else {
                        out.push_str(whole);
                    }
                    rest = &rest[whole.len()..];
                    word_start = false;
                    continue;
                } else if after.starts_with('{') {
                    // `${1:-x}`, `${x:-$1}`: what is split there is hard to say.
                    if matches!(top, Inside::Command(_)) && holds_positional(after) {
                        return None;
                    }
                    length = 2;
                    stack.push(Inside::Brace);
                }
            }
            // A `)` of a pattern is none of ours.
            (Inside::Command(_), 'c') if word_start && rest.starts_with("case") => return None,
            _ => {}
        }
        word_start =
            matches!(top, Inside::Command(_)) && (next.is_whitespace() || ";&|()".contains(next));
        let (now, later) = rest.split_at(length.min(rest.len()));
        out.push_str(now);
        rest = later;
    }
    (stack == [Inside::Command(0)]).then_some(out)
}

/// Length of `1`, `@`, `*`, `{12}` at the beginning.
fn positional(after: &str) -> Option<usize> {
    let first = after.chars().next()?;
    if matches!(first, '1'..='9' | '@' | '*') {
        return Some(1);
    }
    let name = after.strip_prefix('{')?;
    let end = name.find('}')?;
    let digits = &name[..end];
    (!digits.is_empty() && digits != "0" && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(end + 2)
}

fn holds_positional(after: &str) -> bool {
    let end = after.find('}').unwrap_or(after.len());
    let inside = &after[..end];
    inside[1..].starts_with(|c: char| c.is_ascii_digit() || matches!(c, '@' | '*'))
        || inside.contains('$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_quoted_where_a_shell_would_split_them() {
        let cases = [
            ("grep -c $1 $2", r#"grep -c "$1" "$2""#),
            (r#"printf %s "$1""#, r#"printf %s "$1""#),
            ("printf %s '$1'", "printf %s '$1'"),
            ("echo $10 ${10}", r#"echo "$1"0 "${10}""#),
            ("for x in $@; do echo $x; done", r#"for x in "$@"; do echo $x; done"#),
            ("ls $*", r#"ls "$@""#),
            ("cat *.log | wc -l > $1", r#"cat *.log | wc -l > "$1""#),
            (r"echo \$1 \' $1", r#"echo \$1 \' "$1""#),
            ("x=$(cat $1) # don't\necho $1", "x=$(cat \"$1\") # don't\necho \"$1\""),
            (r#"echo "a $(grep "$1" $2) b""#, r#"echo "a $(grep "$1" "$2") b""#),
            ("echo $(( $1 + (2 * $2) )) $#", "echo $(( $1 + (2 * $2) )) $#"),
            ("(cd $1 && ls)", r#"(cd "$1" && ls)"#),
            ("echo ${HOME:-/}/$1", r#"echo ${HOME:-/}/"$1""#),
            ("echo a#b $1", r#"echo a#b "$1""#),
            ("echo 你好 $1", r#"echo 你好 "$1""#),
            ("echo $HOME $?", "echo $HOME $?"),
            ("", ""),
        ];
        for (script, expected) in cases {
            assert_eq!(quoted(script), expected, "{script}");
        }
    }

    #[test]
    fn where_quoting_is_uncertain_nothing_is_split_at_all() {
        for script in [
            "cat <<X\n$1\nX",
            "echo `ls $1`",
            "echo ${1:-x}",
            "echo $'a' $1",
            "echo 'odd $1",
            "case $1 in a) ;; esac",
            "echo )",
        ] {
            assert_eq!(quoted(script), format!("{LITERAL}{script}"));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_script_is_taken_without_a_panic(script in "[ $(){}\"'`\\\\#<1@*a\\n好]{0,40}") {
            quoted(&script);
        }
    }
}
