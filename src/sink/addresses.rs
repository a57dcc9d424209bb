//! Addresses that are keys themselves: whoever has the URL of a webhook writes into that chat. And parameters whose names
//! tell that their values are nobody's business.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes;
use regex::{Captures, Regex};

/// What a session webhook or a custom robot is called by, in a URL as it is or encoded once: all of it that follows.
static WEBHOOK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"robot(?:/|\\/|%2[Ff])send(?:BySession)?(?:\?|%3[Ff])[^\s"'<>]*"#)
        .expect("the pattern is a constant that tests compile")
});

/// The keys in it: whatever stands before one may look like one.
static KEY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"((?:access_token|session)(?:=|%3[Dd]|\\u003[Dd]))(?:[A-Za-z0-9_.~+/=$:-]|%[0-9A-Fa-f]{2})+",
    )
    .expect("the pattern is a constant that tests compile")
});

static PARAMETER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)(access_?token|session|ticket|sign(?:ature)?|(?:app|client)_?secret|secret|ossaccesskeyid)(\\*["']?\s*[=:]\s*\\*["']?)[^&\s"'\\,}]+"#,
    )
    .expect("the pattern is a constant that tests compile")
});

/// `text` without the keys of webhooks.
pub(super) fn blank(text: &str) -> Cow<'_, str> {
    WEBHOOK.replace_all(text, |call: &Captures<'_>| KEY.replace_all(&call[0], "$1***").into_owned())
}

/// The same pattern for what a program writes, which need be no text.
static WEBHOOK_BYTES: LazyLock<bytes::Regex> = LazyLock::new(|| {
    bytes::Regex::new(WEBHOOK.as_str()).expect("the pattern is a constant that tests compile")
});

static KEY_BYTES: LazyLock<bytes::Regex> = LazyLock::new(|| {
    bytes::Regex::new(KEY.as_str()).expect("the pattern is a constant that tests compile")
});

/// What may be the beginning of such an address, with nothing behind it.
static BEGUN: LazyLock<bytes::Regex> = LazyLock::new(|| {
    bytes::Regex::new(
        r#"(?:r|ro|rob|robo|robot(?:[/\\%][A-Za-z0-9/%]{0,24}|[/\\%][A-Za-z0-9/%]{0,24}(?:\?|%3[Ff])[^\s"'<>]*)?)$"#,
    )
    .expect("the pattern is a constant that tests compile")
});

/// Where in `bytes` the keys of webhooks are.
pub(super) fn keys(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut keys = Vec::new();
    for call in WEBHOOK_BYTES.find_iter(bytes) {
        for key in KEY_BYTES.captures_iter(call.as_bytes()) {
            let (whole, name) = (key.get(0), key.get(1));
            let (Some(whole), Some(name)) = (whole, name) else { continue };
            keys.push(call.start() + name.end()..call.start() + whole.end());
        }
    }
    keys
}

/// From where on more of a webhook's address may come.
pub(super) fn begun(bytes: &[u8]) -> Option<usize> {
    BEGUN.find(bytes).map(|begun| begun.start())
}

/// `text` without the values of tell-tale parameters: for what DingTalk and libraries say, not for what people do.
pub fn blank_parameters(text: &str) -> Cow<'_, str> {
    PARAMETER.replace_all(text, "$1$2***")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_open_doors_are_taken_out() {
        for (raw, clean) in [
            (
                "POST https://oapi.dingtalk.com/robot/sendBySession?session=abc123 failed",
                "session=*** failed",
            ),
            ("bad access_token=tok-1&type=image", "access_token=***&type=image"),
            (r#"{"clientSecret":"hunter2hunter2"}"#, r#"{"clientSecret":"***"}"#),
            (r#"{\"ticket\":\"t-1\"}"#, r#"\"ticket\":\"***"#),
        ] {
            let shown = blank_parameters(raw);
            assert!(shown.contains(clean), "{raw} became {shown}");
        }
    }

    #[test]
    fn the_address_of_a_webhook_is_shown_without_its_key_and_other_addresses_whole() {
        for (raw, shown) in [
            (
                "see https://oapi.dingtalk.com/robot/send?access_token=0a1b2c&timestamp=1 now",
                "see https://oapi.dingtalk.com/robot/send?access_token=***&timestamp=1 now",
            ),
            (
                "[x](https://oapi.dingtalk.com/robot/sendBySession?session=0a1b2c)",
                "[x](https://oapi.dingtalk.com/robot/sendBySession?session=***)",
            ),
            (
                "u=https%3A%2F%2Foapi.dingtalk.com%2Frobot%2Fsend%3Faccess_token%3D0a1b2c",
                "u=https%3A%2F%2Foapi.dingtalk.com%2Frobot%2Fsend%3Faccess_token%3D***",
            ),
            (
                r#""https:\/\/oapi.dingtalk.com\/robot\/send?access_token=0a""#,
                r#""https:\/\/oapi.dingtalk.com\/robot\/send?access_token=***""#,
            ),
            (
                "https://oapi.dingtalk.com/robot/send?session=0a&access_token=0a1b2c&x=1",
                "https://oapi.dingtalk.com/robot/send?session=***&access_token=***&x=1",
            ),
            (
                "robot/send?session=https://oapi.dingtalk.com/robot/send?access_token=0a1b2c",
                "robot/send?session=***?access_token=***",
            ),
            (
                "https://example.com/?session=5&sign=positive",
                "https://example.com/?session=5&sign=positive",
            ),
        ] {
            assert_eq!(blank(raw), shown);
        }
    }
}
