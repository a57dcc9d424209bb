//! Takes out of text what nobody but DingTalk may see: error messages sometimes echo the request.

use std::sync::LazyLock;

use regex::Regex;

/// Longer server messages are cut: they go into one log line or one chat message.
const MAX_CHARS: usize = 400;

static QUERY_SECRETS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)(access_?token|session|ticket|sign(?:ature)?|(?:app|client)_?secret|secret|ossaccesskeyid)(\\*["']?\s*[=:]\s*\\*["']?)[^&\s"'\\,}]+"#,
    )
    .expect("the pattern is a constant that tests compile")
});

/// Returns `text` on one line, without control characters, `secrets` and values of tell-tale parameters.
pub(super) fn redact(text: &str, secrets: &[&str]) -> String {
    let mut clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
        clean = clean.replace(secret, "***");
    }
    let clean = QUERY_SECRETS.replace_all(&clean, "$1$2***");
    match clean.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_open_doors_are_taken_out() {
        for (raw, clean) in [
            (
                "POST https://oapi.dingtalk.com/robot/sendBySession?session=abc123 failed",
                "session=***",
            ),
            ("bad access_token=tok-1&type=image", "access_token=***&type=image"),
            (r#"{"clientSecret":"hunter2hunter2"}"#, r#"{"clientSecret":"***"}"#),
            (r#"{\"ticket\":\"t-1\"}"#, r#"\"ticket\":\"***"#),
            ("the key is s3cr3t-value here", "the key is *** here"),
        ] {
            let shown = redact(raw, &["s3cr3t-value"]);
            assert!(shown.contains(clean), "{raw} became {shown}");
        }
    }

    #[test]
    fn a_message_stays_one_short_line() {
        let shown = redact(&format!("a\nb\u{1b}[31m{}", "长".repeat(2_000)), &[]);
        assert!(shown.starts_with("a b [31m长"));
        assert_eq!(shown.chars().count(), MAX_CHARS + 1);
    }
}
