//! What the host itself writes into cards and beside their files, in the two languages.

use crate::router::Lang;

/// How many lines are above what a card shows.
pub(super) fn above(lines: u64, lang: Lang) -> String {
    let count = thousands(lines);
    match (lang, lines) {
        (Lang::Zh, _) => format!("… 上面还有 {count} 行"),
        (Lang::En, 1) => "… 1 line above".to_owned(),
        (Lang::En, _) => format!("… {count} lines above"),
    }
}

/// The last line of a card whose run was cut short by a crash.
pub(super) fn interrupted(run: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("⚠️ 已中断：moonbell 重新启动了。重新运行请发送：again {run}"),
        Lang::En => {
            format!("⚠️ interrupted: moonbell was restarted. To run it again, send: again {run}")
        }
    }
}

/// The same, of a run that is run again without being asked.
pub(super) fn repeats(lang: Lang) -> &'static str {
    lang.pick(
        "⚠️ 已中断：moonbell 重新启动了，正在重新运行。",
        "⚠️ interrupted: moonbell was restarted, and runs it again.",
    )
}

/// In the place of a text that DingTalk's review refused.
pub(super) fn refused(lang: Lang) -> &'static str {
    lang.pick(
        "⚠️ 钉钉拒绝显示这张卡片的内容。",
        "⚠️ DingTalk refused to show the text of this card.",
    )
}

/// In the place of a text that was said as a message instead.
pub(super) fn said_below(lang: Lang) -> &'static str {
    lang.pick("（内容见下面的消息）", "(the text is in the message below)")
}

/// Beside the end of an output that is too large for DingTalk even as a zip.
pub(super) fn too_large(name: &str, whole: u64, zipped: u64, sent: u64, lang: Lang) -> String {
    let [whole, zipped, sent] = [whole, zipped, sent].map(megabytes);
    match lang {
        Lang::Zh => format!(
            "`{name}` 的完整输出有 {whole}（压缩后 {zipped}），超过钉钉 20 MB 的文件上限。附上的是最后 {sent}。"
        ),
        Lang::En => format!(
            "The whole output of `{name}` is {whole} ({zipped} as a zip); DingTalk takes files of 20 MB at most. Attached are its last {sent}."
        ),
    }
}

/// The file of an output cannot be had any more.
pub(super) fn gone(name: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("`{name}` 的完整输出已不在这台电脑上，无法附上。"),
        Lang::En => format!(
            "The whole output of `{name}` is no longer on this computer and cannot be attached."
        ),
    }
}

pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1 << 20))
}
