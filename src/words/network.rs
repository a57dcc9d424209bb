//! Why DingTalk is not reached, or a call failed. A host says it in English (its log, its status file), and [`retold`] says
//! that again to whoever reads Chinese.

use super::Lang;

words! {
    // The WebSocket.
    no_connection_to(host: &str, why: &str) {
        zh: "连不上 `{host}`：{why}",
        en: "no connection to `{host}`: {why}",
    }
    not_open_within(time: &str) {
        zh: "{time} 内没有连上",
        en: "the connection was not open within {time}",
    }
    no_frame_for(time: &str) { zh: "{time} 没有收到任何数据", en: "no frame for {time}" }
    closed_by_server { zh: "被服务器关闭", en: "the server closed it" }
    tls_failed(why: &str) { zh: "TLS 失败：{why}", en: "TLS failed: {why}" }
    too_much { zh: "服务器一次发来超过 1 MiB", en: "the server sent more than 1 MiB at once" }
    broke_protocol(why: &str) {
        zh: "服务器没有遵守 WebSocket 协议：{why}",
        en: "the server broke the WebSocket protocol: {why}",
    }
    no_utf8 {
        zh: "服务器发来的文字不是 UTF-8",
        en: "the server sent text that is not UTF-8",
    }
    http_status(status: &str) {
        zh: "服务器回答了 HTTP 状态 {status}",
        en: "the server answered with HTTP status {status}",
    }
    no_handshake { zh: "握手失败", en: "the handshake failed" }
    nothing_listens { zh: "那个地址上没有程序在监听", en: "nothing listens at its address" }
    no_way {
        zh: "没有网络能到达那个地址：这台电脑联网了吗？",
        en: "no way leads to its address: is this computer online?",
    }
    silent { zh: "那个地址没有回答", en: "its address does not answer" }
    was_cut { zh: "连接被切断", en: "the connection was cut" }
    ended { zh: "连接没有说明就结束了", en: "the connection ended without a word" }
    failed(why: &str) { zh: "连接失败：{why}", en: "the connection failed: {why}" }

    // Calls.
    no_connection { zh: "没有连接", en: "no connection" }
    no_connection_through(proxy: &str) {
        zh: "通过代理 `{proxy}` 没有连接",
        en: "no connection through the proxy `{proxy}`",
    }
    no_answer_within(time: &str) { zh: "{time} 内没有回答", en: "no answer within {time}" }
    broke { zh: "连接在调用时断开", en: "the connection broke during the call" }
    its_certificate { zh: "它的证书", en: "its certificate" }
    its_certificate_or_the_hosts {
        zh: "它的证书，或它后面主机的证书",
        en: "its certificate, or that of the host behind it,",
    }
    shown_certificate { zh: "对方出示的证书", en: "the certificate that is shown there" }
    not_trusted(what: &str, whose: &str, why: &str) {
        zh: "{what}：{whose}不可信：{why}",
        en: "{what}: {whose} is not trusted: {why}",
    }
    unknown_issuer {
        zh: "签发者不受这台电脑信任",
        en: "nobody whom this computer trusts has signed it",
    }
    expired { zh: "已过期", en: "it has expired" }
    not_valid_yet {
        zh: "还没有生效：这台电脑的时钟对吗？",
        en: "it is not valid yet: is the clock of this computer right?",
    }
    for_another_host { zh: "它属于另一台主机", en: "it is for another host" }
    proxy_wants_password(proxy: &str) {
        zh: "代理 `{proxy}` 没有密码不放行",
        en: "the proxy `{proxy}` does not let through without its password",
    }
    gateway(status: &str) {
        zh: "应该是 JSON，收到的却是别的，HTTP 状态 {status}：回答的是代理或网关",
        en: "expected JSON, got something else with HTTP status {status}: a proxy or gateway answered",
    }
    lacks_permission(scopes: &str) {
        zh: "应用缺少权限 `{scopes}`",
        en: "the app lacks the permission `{scopes}`",
    }
    call_failed { zh: "调用失败", en: "the call failed" }
    of_call(endpoint: &str, what: &str, code: &str) {
        zh: "{endpoint}：{what}（`{code}`）",
        en: "{endpoint}: {what} (`{code}`)",
    }
    of_request(endpoint: &str, what: &str, code: &str, request: &str) {
        zh: "{endpoint}：{what}（`{code}`，请求 `{request}`）",
        en: "{endpoint}: {what} (`{code}`, request `{request}`)",
    }
    /// Something, and what it came from.
    caused(what: &str, cause: &str) { zh: "{what}：{cause}", en: "{what}: {cause}" }

    // What a proxy does.
    proxy_broke(cause: &str) { zh: "连接断开：{cause}", en: "the connection broke: {cause}" }
    endless_answer { zh: "它的回答没有结尾", en: "its answer does not end" }
    no_http { zh: "它的回答不是 HTTP", en: "its answer is not HTTP" }
    no_roots { zh: "这台电脑没有根证书", en: "this computer has no root certificates" }

    // What looks wrong, though the connection may be up.
    closed_soon(times: &str) {
        zh: "钉钉有 {times} 次在连接建立后不久就关闭了它：可能另有程序在用同一个 client id，也许在别的电脑上",
        en: "DingTalk closed {times} connections soon after they were opened: another program may be connected with this client id, perhaps on another computer",
    }
    signed_early(seconds: &str) {
        zh: "上一次调用被拒绝：按这台电脑的时钟，钉钉在 {seconds} 秒前签名。时钟对吗？",
        en: "the last call that DingTalk signed was refused, because it was signed {seconds} s ago by this computer's clock: is the clock right?",
    }
    signed_late(seconds: &str) {
        zh: "上一次调用被拒绝：按这台电脑的时钟，钉钉签名的时间还在 {seconds} 秒之后。时钟对吗？",
        en: "the last call that DingTalk signed was refused, because it was signed {seconds} s ahead by this computer's clock: is the clock right?",
    }
}

/// A sentence whose holes are open.
type Open = fn(&[&str], Lang) -> String;

const SENTENCES: &[Open] = &[
    |_, lang| closed_by_server(lang).to_owned(),
    |_, lang| too_much(lang).to_owned(),
    |_, lang| no_utf8(lang).to_owned(),
    |_, lang| no_handshake(lang).to_owned(),
    |_, lang| nothing_listens(lang).to_owned(),
    |_, lang| no_way(lang).to_owned(),
    |_, lang| silent(lang).to_owned(),
    |_, lang| was_cut(lang).to_owned(),
    |_, lang| ended(lang).to_owned(),
    |_, lang| no_connection(lang).to_owned(),
    |_, lang| broke(lang).to_owned(),
    |_, lang| its_certificate(lang).to_owned(),
    |_, lang| its_certificate_or_the_hosts(lang).to_owned(),
    |_, lang| shown_certificate(lang).to_owned(),
    |_, lang| unknown_issuer(lang).to_owned(),
    |_, lang| expired(lang).to_owned(),
    |_, lang| not_valid_yet(lang).to_owned(),
    |_, lang| for_another_host(lang).to_owned(),
    |_, lang| call_failed(lang).to_owned(),
    |_, lang| endless_answer(lang).to_owned(),
    |_, lang| no_http(lang).to_owned(),
    |_, lang| no_roots(lang).to_owned(),
    |of, lang| no_connection_to(of[0], of[1], lang),
    |of, lang| not_trusted(of[0], of[1], of[2], lang),
    |of, lang| not_open_within(of[0], lang),
    |of, lang| no_frame_for(of[0], lang),
    |of, lang| tls_failed(of[0], lang),
    |of, lang| broke_protocol(of[0], lang),
    |of, lang| http_status(of[0], lang),
    |of, lang| failed(of[0], lang),
    |of, lang| proxy_wants_password(of[0], lang),
    |of, lang| gateway(of[0], lang),
    |of, lang| lacks_permission(of[0], lang),
    |of, lang| proxy_broke(of[0], lang),
    |of, lang| closed_soon(of[0], lang),
    |of, lang| signed_early(of[0], lang),
    |of, lang| signed_late(of[0], lang),
    |of, lang| super::dingtalk::proxy_unreachable(of[0], of[1], lang),
    |of, lang| super::dingtalk::proxy_untrusted(of[0], of[1], lang),
    |of, lang| super::dingtalk::proxy_did_not_answer(of[0], of[1], lang),
    |of, lang| super::dingtalk::proxy_wants_login(of[0], lang),
    |of, lang| super::dingtalk::proxy_refuses_login(of[0], lang),
    |of, lang| super::dingtalk::proxy_refuses(of[0], of[1], of[2], lang),
    |of, lang| super::dingtalk::no_such_proxy(of[0], of[1], lang),
];

/// These two end in a time or a name, behind which a cause may stand.
const WITH_CAUSE: &[Open] =
    &[|of, lang| no_connection_through(of[0], lang), |of, lang| no_answer_within(of[0], lang)];

/// What stands in the holes while a sentence is compared.
const MARKS: [&str; 3] = ["\u{1}", "\u{2}", "\u{3}"];

/// What was said in English, in the language of somebody who reads that. What is not ours stays as it is.
pub(crate) fn retold(text: &str, lang: Lang) -> String {
    if lang == Lang::En {
        return text.to_owned();
    }
    if let Some(told) = call(text, lang) {
        return told;
    }
    if let Some(told) = known(SENTENCES, text, lang) {
        return told;
    }
    if let Some((what, cause)) = text.split_once(": ")
        && let Some(told) = known(WITH_CAUSE, what, lang).or_else(|| known(SENTENCES, what, lang))
    {
        return caused(&told, &retold(cause, lang), lang);
    }
    known(WITH_CAUSE, text, lang).unwrap_or_else(|| text.to_owned())
}

fn known(sentences: &[Open], text: &str, lang: Lang) -> Option<String> {
    sentences.iter().find_map(|says| {
        let holes: Vec<String> =
            holes(text, *says)?.into_iter().map(|hole| retold(hole, lang)).collect();
        let holes: Vec<&str> = holes.iter().map(String::as_str).collect();
        Some(says(&holes, lang))
    })
}

/// What stands in the holes of a sentence, if `text` is that one.
fn holes(text: &str, says: Open) -> Option<Vec<&str>> {
    let sentence = says(&MARKS, Lang::En);
    let mut between =
        sentence.split(|c: char| MARKS.iter().any(|mark| mark.starts_with(c))).peekable();
    let mut rest = text.strip_prefix(between.next()?)?;
    let mut found = Vec::new();
    while let Some(literal) = between.next() {
        let is_last = between.peek().is_none();
        let (hole, after) =
            if is_last { (rest.strip_suffix(literal)?, "") } else { rest.split_once(literal)? };
        found.push(hole);
        rest = after;
    }
    rest.is_empty().then_some(found)
}

/// Of an error of DingTalk's API, whose endpoint stands before it and its code behind.
fn call(text: &str, lang: Lang) -> Option<String> {
    let (endpoint, rest) = text.split_once(": ").filter(|(endpoint, _)| !endpoint.contains(' '))?;
    let (what, code) = rest.strip_suffix("`)")?.rsplit_once(" (`")?;
    let what = retold(what, lang);
    Some(match code.split_once("`, request `") {
        Some((code, request)) => of_request(endpoint, &what, code, request, lang),
        None => of_call(endpoint, &what, code, lang),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_said_in_english_is_told_again_in_chinese() {
        for (english, chinese) in [
            (
                "no connection to `wss.dingtalk.com`: the proxy `http://127.0.0.1:9` cannot be reached: Connection refused",
                "连不上 `wss.dingtalk.com`：连不上代理 `http://127.0.0.1:9`：Connection refused",
            ),
            (
                "/v1.0/x: no connection through the proxy `http://a:1`: nobody (`connect`)",
                "/v1.0/x：通过代理 `http://a:1` 没有连接：nobody（`connect`）",
            ),
            (
                "/v1.0/x: no answer within 15s: operation timed out (`timeout`)",
                "/v1.0/x：15s 内没有回答：operation timed out（`timeout`）",
            ),
            (
                "/v1.0/x: the app lacks the permission `A.B` (`Forbidden`, request `7`)",
                "/v1.0/x：应用缺少权限 `A.B`（`Forbidden`，请求 `7`）",
            ),
            (
                "no connection: its certificate is not trusted: it has expired",
                "没有连接：它的证书不可信：已过期",
            ),
            (
                "the proxy `socks5h://a:1` did not answer within 10s",
                "代理 `socks5h://a:1` 在 10 秒内没有回答",
            ),
            ("somebody else's words", "somebody else's words"),
        ] {
            assert_eq!(retold(english, Lang::Zh), chinese);
            assert_eq!(retold(english, Lang::En), english);
        }
    }

    #[test]
    fn every_sentence_is_known_again() {
        for says in SENTENCES.iter().chain(WITH_CAUSE) {
            let english = says(&["one", "two", "three"], Lang::En);
            assert_eq!(retold(&english, Lang::Zh), says(&["one", "two", "three"], Lang::Zh));
        }
    }
}
