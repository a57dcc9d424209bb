//! What only shows when DingTalk is asked: the way to it, id and secret, permissions, the connection.
//!
//! Nothing reaches anybody but by `--card`: the calls are for nobody, or of cards that do not exist.

use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;
use url::{Host, Url};

use super::Facts;
use super::check::{Check, Page, Said};
use super::link;
use crate::config::Config;
use crate::dingtalk::{ApiError, Card, Class, Client, Permission};

/// A name server that has not answered by then leaves messages waiting just as long.
const DNS: Duration = Duration::from_secs(6);

/// DingTalk signs with its clock, and certificates end by it.
const SKEW: Duration = Duration::from_mins(1);

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
        found.extend(link::look(facts, config, &client, Some(blocked), listen).await);
        return found;
    }
    let token = token(&client).await;
    let blocked = token.iter().find(|check| check.is_bad()).map(|check| check.id);
    found.extend(token);
    found.push(clock(&client));
    let (permissions, connection) = tokio::join!(
        permissions(config, &client, blocked),
        link::look(facts, config, &client, blocked, listen),
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
        buttons: Vec::new(),
        places: 0,
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
