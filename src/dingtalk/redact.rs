//! What DingTalk says of a failure, as one short line: it sometimes echoes the request.

use crate::sink;

/// Longer server messages are cut: they go into one log line or one chat message.
const MAX_CHARS: usize = 400;

/// Returns `text` on one line, without control characters, secrets and values of tell-tale parameters.
pub(super) fn redact(text: &str) -> String {
    let quiet = sink::quiet(text).replace(['\n', '\t'], " ");
    let clean = sink::redact(&quiet);
    let clean = sink::blank_parameters(&clean);
    match clean.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_short_line_without_what_opens_doors() {
        sink::hide("s3cr3t-value-of-it");
        let long = "长".repeat(2_000);
        let shown = redact(&format!("a\nb\u{1b}[31mkey s3cr3t-value-of-it ticket=t-1 {long}"));
        assert!(shown.starts_with("a bkey *** ticket=*** 长"), "{shown}");
        assert_eq!(shown.chars().count(), MAX_CHARS + 1);
    }
}
