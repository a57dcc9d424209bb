//! `status`, at once and with `--watch`.

use crate::words::Lang;

words! {
    starting(pid: &str) { zh: "正在启动，进程 {pid}", en: "starting, process {pid}" }
    head(how: &str, version: &str, command: &str, pid: &str, up: &str) {
        zh: "{how}（moonbell {version} {command}，进程 {pid}，已运行 {up}）",
        en: "{how} (moonbell {version} {command}, process {pid}, up {up})",
    }
    connecting { zh: "正在连接", en: "connecting" }
    connected { zh: "已连接", en: "connected" }
    registered { zh: "已登记，等待回调", en: "registered" }
    deaf { zh: "没有动静，正在重新连接", en: "deaf" }
    backing_off { zh: "等待重试", en: "backing off" }
    refused { zh: "被拒绝", en: "refused" }
    stopping { zh: "正在停止", en: "stopping" }
    until(state: &str, until: &str) { zh: "{state}，到 {until}", en: "{state} until {until}" }
    since(state: &str, since: &str) { zh: "{state}，从 {since} 开始", en: "{state} since {since}" }
    down_since(state: &str, since: &str) {
        zh: "{state}，从 {since} 起没有连接",
        en: "{state}, not connected since {since}",
    }
    seconds(n: i64) { zh: "{n} 秒", en: "{n} s" }
    minutes(n: i64) { zh: "{n} 分钟", en: "{n} min" }
    hours(h: i64, m: i64) { zh: "{h} 小时 {m} 分钟", en: "{h} h {m} min" }
    days(d: i64, h: i64) { zh: "{d} 天 {h} 小时", en: "{d} d {h} h" }

    reason(why: &str) { zh: "原因：{why}", en: "reason: {why}" }
    warning(what: &str) { zh: "警告：{what}", en: "warning: {what}" }
    hint(what: &str) { zh: "提示：{what}", en: "hint: {what}" }

    /// `why`: in brackets, or nothing.
    locked(why: &str) {
        zh: "已锁定{why}，不为任何人服务；运行 moonbell unlock 解除",
        en: "locked{why}, nobody is served; `moonbell unlock` lifts it",
    }

    // Names of rows.
    mode { zh: "方式", en: "mode" }
    page { zh: "页面", en: "page" }
    webhook { zh: "回调", en: "webhook" }
    console { zh: "控制台", en: "console" }
    runs { zh: "任务", en: "runs" }
    outbox { zh: "发件箱", en: "outbox" }
    budget { zh: "用量", en: "budget" }
    settings { zh: "设置", en: "settings" }
    scripts { zh: "脚本", en: "scripts" }
    events { zh: "事件", en: "events" }
    cards { zh: "卡片", en: "cards" }
    on { zh: "监听", en: "on" }

    stream { zh: "Stream（由这台电脑连接钉钉）", en: "Stream (this computer connects to DingTalk)" }
    http { zh: "HTTP（由钉钉访问这台电脑）", en: "HTTP (DingTalk calls this computer)" }

    shut { zh: "关闭：没有设置它的密钥", en: "shut: its secret is not set" }
    listens(address: &str, tls: &str, refused: u64) {
        zh: "{address}，{tls}；拒绝了 {refused} 次调用",
        en: "{address}, {tls}; {refused} calls refused",
    }
    with_tls { zh: "有 TLS", en: "with TLS" }
    without_tls { zh: "没有 TLS", en: "without TLS" }
    local_only {
        zh: "只在这台电脑上有效：请设置 `http.public_url`",
        en: "good on this computer only: set `http.public_url`",
    }

    counts(running: u64, queued: u64, done: u64, failed: u64) {
        zh: "{running} 正在运行，{queued} 排队，{done} 完成，{failed} 失败",
        en: "{running} running, {queued} queued, {done} done, {failed} failed",
    }
    waiting(n: u64) { zh: "{n} 等待发送", en: "{n} waiting" }
    waiting_and_parked(n: u64, parked: u64) {
        zh: "{n} 等待发送，{parked} 已搁置（见 moonbell outbox）",
        en: "{n} waiting, {parked} parked (see `moonbell outbox`)",
    }
    used(month: &str, calls: &str, pushes: &str) {
        zh: "{month}：API 调用 {calls}；消息推送 {pushes}",
        en: "{month}: API calls {calls}; Webhook & Stream {pushes}",
    }
    used_of(used: &str, limit: &str, share: u64) {
        zh: "{used} / {limit}（{share}%）",
        en: "{used} of {limit} ({share} %)",
    }
    used_up { zh: "，钉钉说已用完", en: ", DingTalk says: used up" }
    no_streaming {
        zh: "流式输出已关闭：完成后作为一条消息发送",
        en: "streaming is off: output comes as one message when it is complete",
    }

    settings_read(file: &str, at: &str) { zh: "{file}，读于 {at}", en: "{file}, read {at}" }
    settings_wrong(why: &str) { zh: "新的内容没有采用：{why}", en: "newest version not read: {why}" }
    settings_restart(keys: &str) {
        zh: "已修改，下次启动时生效：{keys}",
        en: "changed, and count from the next start on: {keys}",
    }
    scripts_in(n: usize, folder: &str) { zh: "{n} 个，在 {folder}", en: "{n} in {folder}" }
    not_loaded { zh: "没有加载", en: "not loaded" }
    loaded(handlers: &str, version: u64, at: &str) {
        zh: "{handlers}，第 {version} 版，加载于 {at}",
        en: "{handlers}, version {version}, loaded {at}",
    }
    script_wrong(why: &str) { zh: "新的内容没有加载：{why}", en: "newest version not loaded: {why}" }

    gone_since(at: &str) {
        zh: "；上一次运行没有正常结束，最后的消息在 {at}",
        en: "; the last one ended without saying so, some time after {at}",
    }

    // `--watch`.
    ctrl_c_ends { zh: "按 Ctrl-C 结束", en: "Ctrl-C ends" }
    more_lines(n: usize) {
        zh: "（还有 {n} 行：moonbell status 显示全部）",
        en: "({n} more lines: `moonbell status` shows all)",
    }
    no_host_runs { zh: "moonbell 没有在运行", en: "no host runs" }
    change(how: &str, runs: &str, waiting: u64, parked: u64, scripts: usize, broken: usize) {
        zh: "{how}；任务 {runs}；发件箱 {waiting} 等待发送，{parked} 已搁置；脚本 {scripts} 个，{broken} 个有错误",
        en: "{how}; runs {runs}; outbox {waiting} waiting, {parked} parked; scripts {scripts}, {broken} broken",
    }
    and_locked { zh: "；已锁定", en: "; locked" }
    settings_are_wrong { zh: "；设置有错误", en: "; settings wrong" }
}

/// How messages come in, by the name that the status file has for it.
pub(crate) fn mode_of(name: &str, lang: Lang) -> Option<&'static str> {
    Some(match name {
        "stream" => stream(lang),
        "http" => http(lang),
        _ => return None,
    })
}

/// The state of a connection, by the name that the status file has for it.
pub(crate) fn state(name: &str, lang: Lang) -> String {
    let says: fn(Lang) -> &'static str = match name {
        "connecting" => connecting,
        "connected" => connected,
        "registered" => registered,
        "deaf" => deaf,
        "backing_off" => backing_off,
        "refused" => refused,
        "stopping" => stopping,
        // A newer host may have others.
        other => return other.replace('_', " "),
    };
    says(lang).to_owned()
}
