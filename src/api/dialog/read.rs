//! What somebody means by what they wrote: a choice, a yes, a no.

/// As it is compared: half-width, small letters, nothing around it.
fn plain(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    };
    let text: String = text.chars().map(narrow).flat_map(char::to_lowercase).collect();
    text.trim_matches(|c: char| {
        c.is_whitespace()
            || matches!(c, '.' | ',' | '!' | '?' | '。' | '，' | '、' | '~' | '"' | '“' | '”')
    })
    .to_owned()
}

/// The choice that somebody means: its number, its text or its beginning; else the nearest, to be asked about.
pub(super) fn pick(answer: &str, choices: &[String]) -> Result<usize, Option<usize>> {
    let said = plain(answer);
    let names: Vec<String> = choices.iter().map(|choice| plain(choice)).collect();
    // A choice that is a number itself is meant before the one in that place.
    if let Some(n) = names.iter().position(|name| *name == said) {
        return Ok(n);
    }
    let number = said.trim_end_matches(['.', ')', '、']).parse::<usize>().ok();
    if let Some(n) = number.filter(|n| (1..=choices.len()).contains(n)) {
        return Ok(n - 1);
    }
    let mut begin =
        names.iter().enumerate().filter(|(_, name)| !said.is_empty() && name.starts_with(&said));
    if let (Some((n, _)), None) = (begin.next(), begin.next()) {
        return Ok(n);
    }
    let distance = |name: &String| strsim::damerau_levenshtein(name, &said);
    let near = (0..names.len()).min_by_key(|&n| distance(&names[n]));
    // One sign is one slip away from any other.
    let guess = |n: &usize| {
        said.chars().count() > 1 && distance(&names[*n]) <= 1 + names[*n].chars().count() / 3
    };
    Err(near.filter(guess))
}

pub(super) fn yes_or_no(answer: &str) -> Option<bool> {
    match plain(answer).as_str() {
        "yes" | "y" | "ok" | "okay" | "sure" | "是" | "是的" | "好" | "好的" | "对" | "行"
        | "可以" | "确认" | "确定" | "同意" => Some(true),
        "no" | "n" | "nope" | "否" | "不" | "不是" | "不要" | "不行" | "不可以" | "不好"
        | "不同意" | "别" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_taken_by_number_text_and_beginning_and_guessed_at_otherwise() {
        let choices: Vec<String> = ["staging", "prod", "7", "生产"].map(str::to_owned).into();
        for (said, expected) in [
            ("1", Ok(0)),
            ("２。", Ok(1)),
            ("PROD", Ok(1)),
            ("st", Ok(0)),
            ("7", Ok(2)),
            ("生产！", Ok(3)),
            ("prdo", Err(Some(1))),
            ("5", Err(None)),
            ("", Err(None)),
            ("whatever", Err(None)),
        ] {
            assert_eq!(pick(said, &choices), expected, "`{said}`");
        }
    }

    #[test]
    fn only_a_message_that_is_nothing_but_a_yes_is_one() {
        for yes in ["yes", "Y", " OK! ", "是", "好的。", "ｙｅｓ", "确认"] {
            assert_eq!(yes_or_no(yes), Some(true), "{yes}");
        }
        for no in ["no", "N", "否", "不", "不要！", "不行"] {
            assert_eq!(yes_or_no(no), Some(false), "{no}");
        }
        for neither in ["", "yes please", "not yes", "不是不行", "maybe", "y n", "👍"] {
            assert_eq!(yes_or_no(neither), None, "{neither}");
        }
    }
}
