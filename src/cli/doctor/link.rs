//! The connection: through the host that runs, else by opening one from beside.

use std::time::Duration;

use tokio::time::timeout;

use super::Facts;
use super::check::{Check, Page};
use crate::config::{Config, Mode};
use crate::dingtalk::Client;
use crate::store::Instance;
use crate::transport::{self, Heard};

/// From the call for a ticket until the socket is open.
const OPEN: Duration = Duration::from_secs(20);

/// Frames come every half minute at least.
const SILENCE_MS: i64 = 90_000;

/// Whether it is open, whether frames come, and whether another program has one too.
pub(super) async fn look(
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
