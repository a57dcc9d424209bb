//! Secrets in what is written, and what acts on those who read it.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::sink;

/// The second begins with the end of the first.
const SECRETS: [&str; 3] =
    ["fuzzed-S3cret/+value", "+value~of-ANOTHER_k3y", "fuzz \"p@ss\" <w\u{f6}rd>&'/=\\x"];

/// What nobody sees.
const GAPS: [&str; 12] = [
    "",
    "\u{1b}[1m",
    "\u{200b}",
    "\n",
    "\r\n",
    "\u{ad}",
    "\u{fe0f}",
    "\0",
    "\u{1b}]0;title\u{7}",
    "\u{e0041}",
    "\\n",
    "\u{2060}",
];

/// A text with a secret in it, encoded or split: nothing of it comes out. The first bytes say which one, in which form, what
/// stands between its letters, and where the text is cut in two; the others are the text around it.
pub fn secrets(data: &[u8]) {
    static HIDDEN: LazyLock<()> =
        LazyLock::new(|| SECRETS.iter().for_each(|secret| sink::hide(secret)));
    let () = *HIDDEN;
    let (&[which, form, gap, cut], rest) = data.split_first_chunk::<4>().unwrap_or((&[0; 4], data));
    let text = String::from_utf8_lossy(rest);
    let (before, after) = text.split_at(text.floor_char_boundary(text.len() / 2));
    if which == b'w' {
        webhook(form, before, after);
    }
    let secret = SECRETS[usize::from(which) % SECRETS.len()];
    let gap = GAPS[usize::from(gap) % GAPS.len()];
    let (whole, parts) = hidden_in(form, secret, before, after, gap);
    for part in &parts {
        for shown in [sink::spoken(&whole), sink::redact(&whole), sink::redact_begun(&whole)] {
            is_without(part, gap, &shown);
        }
        is_without(part, "\u{2060}", &unescaped(&sink::markdown::escape(&whole)));
        // The same in two pieces, wherever they are cut.
        let cut = usize::from(cut) * whole.len() / 255;
        let (mut ahead, mut clean) = (whole.as_bytes()[..cut].to_vec(), Vec::new());
        sink::redact_ahead(&mut ahead, &mut clean, false);
        ahead.extend_from_slice(&whole.as_bytes()[cut..]);
        sink::redact_ahead(&mut ahead, &mut clean, true);
        is_without(part, gap, &String::from_utf8_lossy(&clean));
    }
    let escaped = sink::escape(&text);
    assert!(!escaped.chars().any(char::is_control), "it acts on a terminal: {escaped:?}");
    let clean = sink::clean(&text);
    assert!(!clean.chars().any(|c| c != '\n' && c.is_control()), "it acts on a chat: {clean:?}");
    assert_eq!(sink::clean(&clean), clean, "cleaning leaves something to clean");
    let quiet = sink::quiet(&text);
    assert!(
        !quiet.chars().any(|c| !matches!(c, '\n' | '\t') && c.is_control()),
        "it acts on a chat: {quiet:?}"
    );
    assert_eq!(sink::quiet(&quiet), quiet, "quieting leaves something to quieten");
}

/// The address of a group's own robot between other texts: its key does not come out.
fn webhook(form: u8, before: &str, after: &str) {
    const KEY: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    let plain = format!("https://oapi.dingtalk.com/robot/send?access_token={KEY}");
    let url = match form % 4 {
        0 => plain,
        1 => plain.replace("send?access_token", "sendBySession?session"),
        2 => url::form_urlencoded::byte_serialize(plain.as_bytes()).collect(),
        _ => plain.replace('/', "\\/").replace('=', "\\u003d"),
    };
    let whole = format!("{before}{url}{after}");
    for shown in [sink::spoken(&whole), sink::redact(&whole), sink::redact_begun(&whole)] {
        is_without(KEY, "", &shown);
    }
}

/// A text with the secret in this form, and what of it must not come out.
fn hidden_in(
    form: u8,
    secret: &str,
    before: &str,
    after: &str,
    gap: &str,
) -> (String, Vec<String>) {
    let each = |write: &dyn Fn(u8) -> String| secret.bytes().map(write).collect::<String>();
    let written = match form % 18 {
        0 => secret.to_owned(),
        1 => secret.to_uppercase(),
        2 => secret.chars().rev().collect(),
        3 => each(&|byte| format!("{byte:02x}")),
        4 => each(&|byte| format!("{byte:02X} ")),
        5 => each(&|byte| format!("{byte:02x}:")),
        6 => percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC)
            .to_string(),
        7 => url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        8 => json(secret),
        9 => json(secret).replace('\u{f6}', "\\u00f6"),
        10 => format!("{secret:?}").trim_matches('"').to_owned(),
        11 => html(secret),
        12 | 13 => {
            // Where a text in base64 holds it, its neighbours decide about its first and its last letter.
            let text = format!("{before}{secret}{after}");
            let engine = if form % 18 == 12 { STANDARD } else { URL_SAFE };
            let encoded = engine.encode(&text);
            let first = (before.len() * 8).div_ceil(6);
            let last = (before.len() + secret.len()) * 8 / 6;
            let part = encoded[first..last].to_owned();
            let folded: Vec<&str> = encoded
                .as_bytes()
                .chunks(19)
                .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
                .collect();
            return (folded.join(if gap == "\n" { gap } else { "" }), vec![part]);
        }
        14 => json(secret).replace('/', "\\/"),
        15 => secret.replace('\'', r"'\''"),
        16 => html(secret).replace('/', "&#x2F;").replace('`', "&#x60;").replace('=', "&#x3D;"),
        _ => {
            // A line break, so that the text before it does not take the first letter for the end of its own sequence.
            let split = secret
                .chars()
                .fold(String::new(), |split, c| split + gap + c.encode_utf8(&mut [0; 4]));
            return (format!("{before}\n{split}{after}"), vec![secret.to_owned()]);
        }
    };
    (format!("{before}{written}{after}"), vec![written])
}

/// As a reader of Markdown sees it.
fn unescaped(markdown: &str) -> String {
    let mut letters = markdown.chars();
    std::iter::from_fn(|| {
        letters.next().map(|c| if c == '\\' { letters.next().unwrap_or(c) } else { c })
    })
    .collect()
}

fn json(text: &str) -> String {
    let json = serde_json::to_string(text).expect("text is JSON");
    json[1..json.len() - 1].to_owned()
}

/// As pages and feeds write it.
fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// In small letters, without `gap`.
fn plain(text: &str, gap: &str) -> String {
    let text = if gap.is_empty() { text.to_owned() } else { text.replace(gap, "") };
    text.to_ascii_lowercase()
}

#[track_caller]
fn is_without(part: &str, gap: &str, shown: &str) {
    assert!(!plain(shown, gap).contains(&plain(part, gap)), "{part:?} is shown in {shown:?}");
}
