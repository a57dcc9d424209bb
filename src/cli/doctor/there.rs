//! What only shows when DingTalk is asked: the way to it, id and secret, permissions, the connection.
//!
//! Nothing reaches anybody but by `--card`: the calls are for nobody, or of cards that do not exist.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;
use url::{Host, Url};

use super::Facts;
use super::card;
use super::check::{Check, Page, Said};
use super::link;
use crate::budget::Aside;
use crate::config::Config;
use crate::dingtalk::{ApiError, Class, Client, Permission};
use crate::words::doctor::app as w;
use crate::words::doctor::network as way;

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
pub(super) async fn all(
    facts: &Facts,
    config: &Config,
    meter: &Aside,
    listen: Duration,
) -> Vec<Check> {
    let client = match Client::through(&config.dingtalk, config.proxy.as_ref()) {
        Ok(client) => client.metered(Arc::new(meter.clone())),
        Err(error) => {
            return vec![Check::failed("tls", |_| error.to_string())];
        }
    };
    let mut found = Vec::new();
    let network = network(config, &client).await;
    let blocked = network.iter().find(|check| check.is_bad()).map(|check| check.id);
    found.extend(network);
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
async fn network(config: &Config, client: &Client) -> Vec<Check> {
    let bases = [&config.dingtalk.api_base, &config.dingtalk.oapi_base];
    if let Some(proxy) = client.proxy().filter(|proxy| proxy.covers(bases[0])) {
        let proxy = proxy.to_string();
        if let Err(error) = client.dial(bases[0]).await {
            let mut check = Check::failed("proxy", |lang| error.text(lang));
            check.todo =
                error.hint().map(|_| Said::new(|lang| error.hint_in(lang).unwrap_or_default()));
            return vec![check, Check::after("dns", "proxy"), Check::after("tls", "proxy")];
        }
        let check = Check::ok("proxy", |lang| way::proxy_works(&proxy, lang));
        let dns = Check::ok("dns", way::names_by_proxy);
        return vec![check, dns, tls(client, bases).await];
    }
    let named = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let proxy = match named {
        Some(name) if config.proxy.is_none() => {
            Check::ok("proxy", |lang| way::proxy_not_taken(name, lang))
        }
        _ => Check::ok("proxy", way::no_proxy),
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
                None => Said::new(way::no_address),
            },
            Ok(Err(error)) => Said::new(|_| error.to_string()),
            Err(_) => Said::new(|lang| way::no_answer(DNS.as_secs(), lang)),
        };
        return Check::failed("dns", |lang| way::name_unknown(name, reason.pick(lang), lang))
            .todo(way::check_names);
    }
    if names.is_empty() {
        return Check::ok("dns", way::no_names);
    }
    let names = names.join(", ");
    Check::ok("dns", |lang| way::names_found(&names, lang))
}

async fn tls(client: &Client, bases: [&Url; 2]) -> Check {
    let (api, oapi) = tokio::join!(client.knock(bases[0]), client.knock(bases[1]));
    for (base, answer) in bases.into_iter().zip([api, oapi]) {
        let Err(error) = answer else { continue };
        let host = base.host_str().unwrap_or_default();
        return Check::failed("tls", |lang| way::not_safe(host, &error.message_in(lang), lang))
            .todo(way::check_safety);
    }
    if bases.iter().all(|base| base.scheme() == "http") {
        return Check::ok("tls", way::simulated);
    }
    Check::ok("tls", way::both_hosts)
}

fn clock(client: &Client) -> Check {
    let Some(ahead_ms) = client.ahead_ms() else {
        return Check::skipped("clock", way::time_unknown);
    };
    let off = Duration::from_millis(ahead_ms.unsigned_abs());
    if off < SKEW {
        return Check::ok("clock", way::same_time);
    }
    // To the nearest one: ten minutes are not nine because the answer took a moment.
    let minutes = (off.as_secs() + 30) / 60;
    let wrong = if ahead_ms > 0 { way::slow } else { way::fast };
    Check::failed("clock", |lang| wrong(minutes, lang)).todo(way::set_clock)
}

/// Id and secret, and the call that takes them.
async fn token(client: &Client) -> Vec<Check> {
    match client.try_secret().await {
        Ok(()) => vec![Check::ok("secret", w::secret_works), Check::ok("token", w::token_works)],
        Err(error) if error.class == Class::Credentials => vec![
            Check::failed("secret", |lang| w::secret_refused(&error.code, lang))
                .todo(w::copy_again)
                .page(Page::Credentials),
            Check::after("token", "secret"),
            Check::after("address", "secret"),
        ],
        Err(error) if error.class == Class::IpNotAllowed => {
            vec![Check::after("secret", "address"), Check::after("token", "address"), not_allowed()]
        }
        Err(error) => vec![
            Check::after("secret", "token"),
            asked(Check::failed("token", |lang| error.text(lang)), &error),
            Check::after("address", "token"),
        ],
    }
}

fn not_allowed() -> Check {
    Check::failed("address", w::address_refused).todo(w::add_address).page(Page::Allowlist)
}

/// With what DingTalk's answer itself says to do.
fn asked(check: Check, error: &ApiError) -> Check {
    check.todo(|lang| error.hint_in(lang).unwrap_or_else(|| w::try_later(lang).to_owned()))
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
            Ok(()) => Check::ok(id, |lang| w::granted(scope, lang)),
            Err(error) => {
                // What concerns the whole app is said once.
                match &error.class {
                    Class::IpNotAllowed => whole = Some(not_allowed()),
                    Class::Quota => whole = Some(used_up(&error)),
                    Class::Token => {
                        let check = Check::failed("token", |lang| error.text(lang));
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
        found.push(Check::ok("address", w::address_works));
    }
    found
}

fn used_up(error: &ApiError) -> Check {
    Check::failed("budget", |lang| w::used_up(&error.code, lang)).todo(w::buy).page(Page::Resources)
}

fn lacking(id: &'static str, permission: Permission, client: &Client, error: &ApiError) -> Check {
    let scope = permission.scope();
    let Class::Scope(named) = &error.class else {
        // A robot that is not there is no passing fault.
        let check = if matches!(error.class, Class::Gone | Class::Permanent) {
            Check::failed(id, |_| error.to_string()).page(Page::Robot)
        } else {
            Check::warning(id, |_| error.to_string())
        };
        return asked(check, error);
    };
    let named = if named.is_empty() { scope.to_owned() } else { named.join(", ") };
    Check::failed(id, |lang| w::lacking(&named, lang))
        .todo(w::apply)
        .page(Page::Permission { client_id: client.client_id().to_owned(), scope })
}

async fn template(config: &Config, client: &Client) -> Check {
    const ID: &str = "card-template";
    let Some(template) = &config.dingtalk.card_template else {
        return Check::ok(ID, w::no_template);
    };
    match client.try_template(&card::of(template, config)).await {
        Ok(()) => Check::ok(ID, |lang| w::template_there(template, lang)),
        Err(error) if error.code.to_ascii_lowercase().starts_with("param.") => {
            Check::failed(ID, |lang| w::template_unusable(template, &error.code, lang))
                .todo(w::check_template)
                .page(Page::Cards)
        }
        Err(error) => asked(Check::warning(ID, |_| error.to_string()), &error),
    }
}
