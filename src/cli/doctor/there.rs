//! What only shows when DingTalk is asked: the way to it, id and secret, permissions, the connection.
//!
//! Nothing reaches anybody but by `--card`: the calls are for nobody, or of cards that do not exist.

use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;
use url::{Host, Url};

use super::Facts;
use super::check::{Check, Page, Said};
use crate::config::{Config, Mode};
use crate::dingtalk::{ApiError, Card, Class, Client, Permission};
use crate::store::Instance;
use crate::transport::{self, Heard};

/// A name server that has not answered by then leaves messages waiting just as long.
const DNS: Duration = Duration::from_secs(6);

/// From the call for a ticket until the socket is open.
const OPEN: Duration = Duration::from_secs(20);

/// DingTalk signs with its clock, and certificates end by it.
const SKEW: Duration = Duration::from_mins(1);

/// Frames come every half minute at least.
const SILENCE_MS: i64 = 90_000;

/// What hangs on the calls with a token.
const WITH_TOKEN: [&str; 4] = [
    "permission-robot-send",
    "permission-card-instance",
    "permission-card-streaming",
    "card-template",
];

/// All of it, as far as it can be looked at.
pub(super) async fn all(facts: &Facts, config: &Config, listen: Duration) -> Vec<Check> {
    let client = match Client::through(&config.dingtalk, config.proxy.as_ref()) {
        Ok(client) => client,
        Err(error) => {
            let check = Check::failed("tls", error.to_string(), error.to_string());
            return vec![check];
        }
    };
    let mut found = Vec::new();
    let way = way(config, &client).await;
    let blocked = way.iter().find(|check| check.is_bad()).map(|check| check.id);
    found.extend(way);
    if let Some(blocked) = blocked {
        for id in ["clock", "secret", "token", "address"].into_iter().chain(WITH_TOKEN) {
            found.push(Check::after(id, blocked));
        }
        found.extend(connection(facts, config, &client, Some(blocked), listen).await);
        return found;
    }
    let token = token(&client).await;
    let blocked = token.iter().find(|check| check.is_bad()).map(|check| check.id);
    found.extend(token);
    found.push(clock(&client));
    let (permissions, connection) = tokio::join!(
        permissions(config, &client, blocked),
        connection(facts, config, &client, blocked, listen),
    );
    found.extend(permissions);
    found.extend(connection);
    found
}

/// The network up to DingTalk's hosts.
async fn way(config: &Config, client: &Client) -> Vec<Check> {
    let bases = [&config.dingtalk.api_base, &config.dingtalk.oapi_base];
    if let Some(proxy) = client.proxy().filter(|proxy| proxy.covers(bases[0])) {
        let proxy = proxy.to_string();
        if let Err(error) = client.dial(bases[0]).await {
            let mut check = Check::failed("proxy", error.to_string(), error.to_string());
            check.todo = error.hint().map(|hint| Said::new(hint, hint));
            return vec![check, Check::after("dns", "proxy"), Check::after("tls", "proxy")];
        }
        let check = Check::ok("proxy", format!("{proxy} 可用"), format!("{proxy} lets through"));
        let dns = Check::ok("dns", "由代理解析", "the proxy looks names up");
        return vec![check, dns, tls(client, bases).await];
    }
    let named = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let proxy = match named {
        Some(name) if config.proxy.is_none() => Check::ok(
            "proxy",
            format!(
                "不用代理（环境变量 {name} 不会自动采用；要用就设 network.proxy = \"environment\"）"
            ),
            format!(
                "none ({name} is set but not taken unasked: `network.proxy = \"environment\"` takes it)"
            ),
        ),
        _ => Check::ok("proxy", "不用代理", "none"),
    };
    let dns = dns(bases).await;
    let tls = if dns.is_bad() { Check::after("tls", "dns") } else { tls(client, bases).await };
    vec![proxy, dns, tls]
}

async fn dns(bases: [&Url; 2]) -> Check {
    let mut names = Vec::new();
    for base in bases {
        let Some(Host::Domain(name)) = base.host() else { continue };
        if names.contains(&name) {
            continue;
        }
        names.push(name);
        let looked = timeout(DNS, lookup_host((name, 443))).await;
        let reason = match looked {
            Ok(Ok(mut addresses)) => match addresses.next() {
                Some(_) => continue,
                None => "no address".to_owned(),
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {DNS:?}"),
        };
        return Check::failed(
            "dns",
            format!("找不到 {name} 的地址：{reason}"),
            format!("the address of {name} cannot be found: {reason}"),
        )
        .todo(
            "检查网络和 DNS；公司网络可能需要代理（network.proxy）",
            "check the network and its name server; in a company a proxy may be needed (`network.proxy`)",
        );
    }
    if names.is_empty() {
        return Check::ok("dns", "是 IP 地址，不用解析", "addresses, nothing to look up");
    }
    let names = names.join(", ");
    Check::ok("dns", format!("{names} 可解析"), format!("{names} found"))
}

async fn tls(client: &Client, bases: [&Url; 2]) -> Check {
    let (api, oapi) = tokio::join!(client.knock(bases[0]), client.knock(bases[1]));
    for (base, answer) in bases.into_iter().zip([api, oapi]) {
        let Err(error) = answer else { continue };
        let host = base.host_str().unwrap_or_default();
        return Check::failed(
            "tls",
            format!("{host} 无法安全连接：{}", error.message),
            format!("no safe connection to {host}: {}", error.message),
        )
        .todo(
            "检查防火墙和本机时间；网络登录页或会解密的代理会换掉证书，那时要把它的根证书加进系统",
            "check firewall and clock; a login page of the network, or a proxy that decrypts, shows a certificate of its own: the \
             system must trust its root",
        );
    }
    if bases.iter().all(|base| base.scheme() == "http") {
        return Check::ok(
            "tls",
            "本机的模拟钉钉，不加密",
            "a simulated DingTalk on this computer, without TLS",
        );
    }
    Check::ok("tls", "两个主机都可达", "both hosts answer")
}

fn clock(client: &Client) -> Check {
    let Some(ahead_ms) = client.ahead_ms() else {
        return Check::skipped("clock", "钉钉没有说它的时间", "DingTalk did not say its time");
    };
    let off = Duration::from_millis(ahead_ms.unsigned_abs());
    if off < SKEW {
        return Check::ok("clock", "和钉钉一致", "as DingTalk's");
    }
    let minutes = off.as_secs() / 60;
    let (zh, en) = if ahead_ms > 0 { ("慢", "behind") } else { ("快", "ahead of") };
    Check::failed(
        "clock",
        format!("本机时间比钉钉{zh} {minutes} 分钟"),
        format!("this computer's clock is {minutes} min {en} DingTalk's"),
    )
    .todo(
        "打开系统的自动校时（Linux：timedatectl set-ntp true）",
        "let the system set its clock (Linux: `timedatectl set-ntp true`)",
    )
}

/// Id and secret, and the call that takes them.
async fn token(client: &Client) -> Vec<Check> {
    match client.try_secret().await {
        Ok(()) => vec![
            Check::ok("secret", "钉钉认可 client id 和密钥", "DingTalk accepts client id and secret"),
            Check::ok("token", "已取得", "handed out"),
        ],
        Err(error) if error.class == Class::Credentials => vec![
            Check::failed(
                "secret",
                format!("钉钉不认可 client id 和密钥（{}）", error.code),
                format!("DingTalk does not accept client id and secret (`{}`)", error.code),
            )
            .todo(
                "重新复制两者，注意不要有空格；密钥可能已重置，应用可能已停用或删除",
                "copy both again, without stray spaces; the secret may have been reset, the app stopped or deleted",
            )
            .page(Page::Credentials),
            Check::after("token", "secret"),
            Check::after("address", "secret"),
        ],
        Err(error) if error.class == Class::IpNotAllowed => vec![
            Check::after("secret", "address"),
            Check::after("token", "address"),
            not_allowed(),
        ],
        Err(error) => vec![
            Check::after("secret", "token"),
            asked(Check::failed("token", error.to_string(), error.to_string()), &error),
            Check::after("address", "token"),
        ],
    }
}

fn not_allowed() -> Check {
    Check::failed(
        "address",
        "本机的出口 IP 不在应用的白名单里",
        "this computer's public address is not on the app's allow-list",
    )
    .todo("把它加进去，或清空白名单", "add it, or clear the list")
    .page(Page::Allowlist)
}

/// With what DingTalk's answer itself says to do.
fn asked(check: Check, error: &ApiError) -> Check {
    match error.hint() {
        Some(hint) => check.todo(hint.clone(), hint),
        None => check.todo(
            "稍后再试；如果一直如此，看看是不是中间的代理或网关在回答",
            "try again in a moment; if it stays so, a proxy or gateway in between may be answering",
        ),
    }
}

async fn permissions(
    config: &Config,
    client: &Client,
    blocked: Option<&'static str>,
) -> Vec<Check> {
    if let Some(blocked) = blocked {
        return WITH_TOKEN.map(|id| Check::after(id, blocked)).to_vec();
    }
    let (send, cards, streaming) = tokio::join!(
        client.try_permission(Permission::Send),
        client.try_permission(Permission::Cards),
        client.try_permission(Permission::Streaming),
    );
    let mut found = Vec::new();
    let mut whole = None;
    for (id, permission, answer) in [
        ("permission-robot-send", Permission::Send, send),
        ("permission-card-instance", Permission::Cards, cards),
        ("permission-card-streaming", Permission::Streaming, streaming),
    ] {
        let scope = permission.scope();
        let check = match answer {
            Ok(()) => Check::ok(id, format!("{scope} 已开通"), format!("{scope} is granted")),
            Err(error) => {
                // What concerns the whole app is said once.
                match &error.class {
                    Class::IpNotAllowed => whole = Some(not_allowed()),
                    Class::Quota => whole = Some(used_up(&error)),
                    Class::Token => {
                        let check = Check::failed("token", error.to_string(), error.to_string());
                        whole = Some(asked(check, &error));
                    }
                    _ => {}
                }
                match &whole {
                    Some(whole) => Check::after(id, whole.id),
                    None => lacking(id, permission, client, &error),
                }
            }
        };
        found.push(check);
    }
    let cards = found[1].is_bad();
    let blocked = whole.as_ref().map(|check| check.id);
    found.extend(whole);
    found.push(match blocked {
        Some(blocked) => Check::after("card-template", blocked),
        None if cards => Check::after("card-template", "permission-card-instance"),
        None => template(config, client).await,
    });
    if !found.iter().any(|check| check.id == "address") {
        found.push(Check::ok(
            "address",
            "钉钉接受来自本机的调用",
            "DingTalk takes calls from this computer",
        ));
    }
    found
}

fn used_up(error: &ApiError) -> Check {
    let check = Check::failed(
        "budget",
        format!("钉钉说本月的 API 调用已用完（{}）", error.code),
        format!("DingTalk says that this month's API calls are used up (`{}`)", error.code),
    );
    check
        .todo("购买用量包，或等到下个月", "buy a package, or wait for next month")
        .page(Page::Resources)
}

fn lacking(id: &'static str, permission: Permission, client: &Client, error: &ApiError) -> Check {
    let scope = permission.scope();
    let Class::Scope(named) = &error.class else {
        // A robot that is not there is no passing fault.
        let check = if matches!(error.class, Class::Gone | Class::Permanent) {
            Check::failed(id, error.to_string(), error.to_string()).page(Page::Robot)
        } else {
            Check::warning(id, error.to_string(), error.to_string())
        };
        return asked(check, error);
    };
    let named = if named.is_empty() { scope.to_owned() } else { named.join(", ") };
    Check::failed(id, format!("缺少权限 {named}"), format!("the app lacks the permission {named}"))
        .todo(
            "申请它，然后发布应用的新版本：没有发布的权限不生效",
            "apply for it, then publish a new version of the app: until then it does not count",
        )
        .page(Page::Permission { client_id: client.client_id().to_owned(), scope })
}

async fn template(config: &Config, client: &Client) -> Check {
    let Some(template) = &config.dingtalk.card_template else {
        return Check::ok(
            "card-template",
            "没有设置：用 Markdown 消息代替卡片",
            "none is set: Markdown instead of cards",
        );
    };
    let card = Card {
        id: format!("moonbell-doctor-{}", uuid::Uuid::new_v4()),
        template: template.clone(),
        key: config.dingtalk.card_key.clone(),
        stop: false,
    };
    match client.try_template(&card).await {
        Ok(()) => Check::ok(
            "card-template",
            format!("{template} 存在（能不能看到：moonbell doctor --card）"),
            format!("{template} is there (whether it shows: `moonbell doctor --card`)"),
        ),
        Err(error) if error.code.to_ascii_lowercase().starts_with("param.") => Check::failed(
            "card-template",
            format!("模板 {template} 不能用（{}）", error.code),
            format!("the template {template} cannot be used (`{}`)", error.code),
        )
        .todo(
            "检查 dingtalk.card_template：模板要发布，并属于这个应用",
            "check `dingtalk.card_template`: the template must be published, and belong to this app",
        )
        .page(Page::Cards),
        Err(error) => asked(Check::warning("card-template", error.to_string(), error.to_string()), &error),
    }
}

async fn connection(
    facts: &Facts,
    config: &Config,
    client: &Client,
    blocked: Option<&'static str>,
    listen: Duration,
) -> Vec<Check> {
    let other = other_host(facts, config);
    if config.dingtalk.mode == Mode::Http {
        return registered(facts, other);
    }
    if let Some(moment) = &facts.moment {
        return told(&moment.connection, other);
    }
    if let Some(blocked) = blocked {
        return vec![Check::after("connection", blocked), Check::after("frames", blocked), other];
    }
    if other.is_bad() {
        let after = |id| Check::after(id, "second-host");
        return vec![after("connection"), after("frames"), other];
    }
    let Ok(looked) = timeout(OPEN + listen, Box::pin(transport::look(client, listen))).await else {
        return vec![
            not_open(&format!("not open within {OPEN:?}"), None),
            Check::after("frames", "connection"),
            other,
        ];
    };
    match looked {
        Err(transport::StreamError::Api(error)) => {
            vec![not_open(&error.to_string(), error.hint()), Check::after("frames", "connection"), other]
        }
        Err(error) => vec![not_open(&error.to_string(), None), Check::after("frames", "connection"), other],
        Ok(Heard::Closed) => vec![
            not_open("DingTalk closed it at once", None),
            Check::after("frames", "connection"),
            Check::warning("second-host", "连接一打开就被关闭：可能别处有程序用同一个 client id 连接着", "the connection was closed at once: another program may be connected with this client id")
                .todo("找到并结束它，或给它单独的应用", "find and end it, or give it an app of its own"),
        ],
        Ok(heard) => {
            let open = Check::ok("connection", "可以打开（试了一下，没有主机在运行）", "can be opened (tried; no host runs)");
            let seconds = listen.as_secs();
            let frames = match heard {
                Heard::Frame => Check::ok("frames", "有数据帧", "frames come"),
                _ => Check::warning(
                    "frames",
                    format!("{seconds} 秒内没有数据帧"),
                    format!("no frame within {seconds} s"),
                )
                .todo(
                    "钉钉的第一帧有时要等半分钟：用 --listen 40 再试；如果还没有，检查防火墙和代理",
                    "DingTalk's first one takes half a minute at times: try `--listen 40`; if none comes then, look at firewall and proxy",
                ),
            };
            vec![open, frames, other]
        }
    }
}

fn not_open(why: &str, hint: Option<String>) -> Check {
    let check = Check::failed("connection", why, why).page(Page::Robot);
    match hint {
        Some(hint) => check.todo(hint.clone(), hint),
        None => check.todo(
            "确认应用有机器人，消息接收模式是 Stream，并已发布",
            "the app needs a robot, in Stream mode, and a published version",
        ),
    }
}

/// What the running host says of its connection.
fn told(connection: &crate::telemetry::status::Connection, other: Check) -> Vec<Check> {
    let state = connection.state.replace('_', " ");
    let why = connection.error.clone().unwrap_or_else(|| state.clone());
    let other = match &connection.warning {
        Some(warning) if !other.is_bad() => {
            Check::warning("second-host", warning.clone(), warning.clone()).todo(
                "找到并结束另一个程序，或给它单独的应用",
                "find and end the other program, or give it an app of its own",
            )
        }
        _ => other,
    };
    if state == "deaf" {
        let frames = Check::failed("frames", why.clone(), why).todo(
            "主机正在重新连接；如果反复出现，检查防火墙和代理",
            "the host is connecting anew; if it happens again and again, look at firewall and proxy",
        );
        return vec![Check::ok("connection", "已打开", "open"), frames, other];
    }
    if !connection.is_up() {
        return vec![
            not_open(&why, connection.hint.clone()),
            Check::after("frames", "connection"),
            other,
        ];
    }
    let now = crate::store::now_ms();
    let frames = match connection.last_frame_at_ms.filter(|at| now - at < SILENCE_MS) {
        Some(at) => {
            let seconds = (now - at).max(0) / 1000;
            Check::ok(
                "frames",
                format!("最近一帧在 {seconds} 秒前"),
                format!("the last one came {seconds} s ago"),
            )
        }
        None => Check::ok("frames", "刚刚连上", "connected just now"),
    };
    vec![Check::ok("connection", "主机已连接", "the host is connected"), frames, other]
}

/// Two hosts of one app would share its messages at random.
fn other_host(facts: &Facts, config: &Config) -> Check {
    let app = &config.dingtalk;
    let state = std::path::absolute(&config.state.dir).unwrap_or_else(|_| config.state.dir.clone());
    match Instance::holder_of_app(&config.state.locks, &app.client_id, &app.api_base) {
        Some(holder) if holder.dir != state || !facts.runs => {
            let (pid, dir) = (holder.pid, holder.dir.display().to_string());
            Check::failed(
                "second-host",
                format!("本机另一个 moonbell（进程 {pid}，{dir}）在用同一个应用"),
                format!("another moonbell on this computer (process {pid}, `{dir}`) answers for this app"),
            )
            .todo(
                "结束它，或用 dingtalk.client_id 给其中一个单独的应用",
                "end it, or give one of them an app of its own with `dingtalk.client_id`",
            )
        }
        _ => Check::ok(
            "second-host",
            "本机没有；别处的会在断线时看出来",
            "none on this computer; one elsewhere shows in broken connections",
        ),
    }
}

/// In HTTP mode DingTalk connects, not we.
fn registered(facts: &Facts, other: Check) -> Vec<Check> {
    let frames =
        Check::skipped("frames", "HTTP 模式没有长连接", "http mode has no connection of its own");
    let connection = match facts.moment.as_ref().map(|moment| &moment.connection) {
        None => Check::skipped("connection", "没有主机在运行", "no host runs"),
        Some(connection) if connection.is_up() => {
            Check::ok("connection", "主机在等钉钉的回调", "the host receives DingTalk's calls")
        }
        Some(connection) => {
            let why = connection.error.clone().unwrap_or_else(|| connection.state.clone());
            not_open(&why, connection.hint.clone())
        }
    };
    vec![connection, frames, other]
}

/// Whether DingTalk can find the address that it is to call, as far as that can be seen from here.
pub(super) async fn webhook_url(facts: &Facts, config: &Config) -> Check {
    const ID: &str = "webhook-url";
    if config.dingtalk.mode == Mode::Stream {
        return Check::skipped(ID, "Stream 模式没有回调地址", "stream mode has none");
    }
    let listen = config.http.listen;
    if !facts.runs
        && let Err(error) = std::net::TcpListener::bind(listen)
    {
        return Check::failed(
            ID,
            format!("{listen} 不能监听：{error}"),
            format!("{listen} cannot be listened on: {error}"),
        )
        .todo(
            "结束占用它的程序，或换一个 http.listen",
            "end the program that has it, or set another `http.listen`",
        );
    }
    let Some(url) = &config.http.public_url else {
        return Check::failed(
            ID,
            "没有设置 http.public_url：不知道钉钉该调用哪个地址",
            "`http.public_url` is not set: nobody knows which address DingTalk is to call",
        )
        .todo(
            "设置它，并把 moonbell status 显示的地址填到开发者后台",
            "set it, and copy the addresses that `moonbell status` shows into the developer console",
        )
        .page(Page::Robot);
    };
    if is_private(url) {
        return Check::failed(
            ID,
            format!("钉钉到不了 {url}：这是内网或本机地址"),
            format!("DingTalk cannot reach {url}: it is an address of this computer or of a private network"),
        )
        .todo(
            "用公网域名加 HTTPS，经反向代理或隧道转到本机；或改用 Stream 模式",
            "use a public name with https that leads here through a proxy or tunnel; or Stream mode, which needs none",
        )
        .page(Page::Robot);
    }
    let mut robot = url.clone();
    robot.set_path(&format!("{}/robot", url.path().trim_end_matches('/')));
    if !facts.runs {
        return Check::ok(
            ID,
            format!("{robot}（没有主机在运行，没有试）"),
            format!("{robot} (not tried: no host runs)"),
        );
    }
    let Ok(client) = Client::through(&config.dingtalk, config.proxy.as_ref()) else {
        return Check::after(ID, "tls");
    };
    match client.knock(&robot).await {
        Ok(status) if status >= 500 || (300..400).contains(&status) => Check::failed(
            ID,
            format!("{robot} 回答 HTTP {status}：没有通到 moonbell"),
            format!("{robot} answers with HTTP status {status}: it does not lead to moonbell"),
        )
        .todo(
            format!("检查代理或隧道：它要通到 http://{listen}{}", config.http.path),
            format!(
                "look at the proxy or tunnel: it must lead to http://{listen}{}",
                config.http.path
            ),
        ),
        Ok(_) => Check::ok(ID, format!("{robot} 可达"), format!("{robot} answers")),
        Err(error) => Check::failed(
            ID,
            format!("{robot} 不可达：{}", error.message),
            format!("{robot} does not answer: {}", error.message),
        )
        .todo("检查域名、证书、防火墙和隧道", "look at name, certificate, firewall and tunnel"),
    }
}

fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let ends = [".localhost", ".local", ".internal", ".lan", ".home.arpa"];
            name == "localhost" || !name.contains('.') || ends.iter().any(|end| name.ends_with(end))
        }
        Some(Host::Ipv4(ip)) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || (a == 100 && (64..128).contains(&b))
        }
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_nobody_outside_reaches_are_known() {
        for (url, private) in [
            ("https://bot.example.com/dingtalk", false),
            ("https://203.0.113.7", false),
            ("https://100.128.0.1", false),
            ("https://localhost:8787", true),
            ("https://printer/", true),
            ("https://nas.local", true),
            ("https://10.0.0.5", true),
            ("https://100.100.0.1", true),
            ("https://[fd00::1]", true),
            ("https://[::1]", true),
        ] {
            assert_eq!(is_private(&Url::parse(url).unwrap()), private, "{url}");
        }
    }
}
