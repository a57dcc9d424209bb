//! What can be seen on this computer alone: files, folders, scripts, the journal, a host that runs.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use super::Facts;
use super::check::{Check, Fix, Said};
use crate::access::Lock;
use crate::access::read_grants;
use crate::budget::{Month, Report, Spent};
use crate::cli::service;
use crate::cli::starter;
use crate::inbox::{Filter, list};
use crate::message::Inbound;
use crate::outbox::counts;
use crate::script::check::{self, Severity};
use crate::store::Look;

/// Below this, messages will soon not be stored.
const LITTLE: u64 = 100 << 20;
const LOW: u64 = 1 << 30;

/// How long the system may take to list its disks.
const DISKS: Duration = Duration::from_secs(3);

/// Messages that tell whether the app is published.
const LOOK_BACK: usize = 200;

/// Files of a host that is gone; they lead others astray at worst.
const LEFT: [&str; 4] = ["status.json", "status.json.new", "console.json", "console.json.new"];

pub(super) fn file_modes(facts: &Facts, fix: Fix) -> Check {
    let config = &facts.loaded.config;
    let mut private: Vec<PathBuf> = facts.loaded.secret_files.iter().cloned().collect();
    private.extend([config.state.dir.clone(), config.state.locks.clone()]);
    let mut own = vec![config.scripts.dir.clone()];
    own.extend(facts.loaded.file.clone());
    let scripts = fs::read_dir(&config.scripts.dir).into_iter().flatten().flatten();
    own.extend(scripts.map(|entry| entry.path()).filter(|path| check::is_script(&name_of(path))));
    let (mut open, mut fixed) = (Vec::new(), Vec::new());
    for (paths, others) in [(private, 0o077), (own, 0o022)] {
        for path in paths.into_iter().filter(|path| allows(path, others)) {
            match fix
                .run(&path, "已收紧权限", "permissions tightened", || restrict(&path, others))
            {
                Some(said) => fixed.push(said),
                None if others == 0o077 => open.push(Said::new(
                    format!("本机其他用户能读 {}", path.display()),
                    format!("other users of this computer can read {}", path.display()),
                )),
                None => open.push(Said::new(
                    format!("本机其他用户能改 {}", path.display()),
                    format!("other users of this computer can change {}", path.display()),
                )),
            }
        }
    }
    let check = match open.into_iter().reduce(|all, more| all.and(&more)) {
        None => Check::ok("file-modes", "只有你能读写", "yours alone to read and to change"),
        Some(seen) => Check::new("file-modes", super::State::Failed, seen).todo(
            "运行 moonbell doctor --fix，或 chmod 600（目录 700）",
            "run `moonbell doctor --fix`, or chmod 600 (folders: 700)",
        ),
    };
    Check { fixed, ..check }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(unix)]
fn allows(path: &Path, others: u32) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & others != 0)
}

#[cfg(unix)]
fn restrict(path: &Path, others: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)?.permissions().mode();
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7777 & !others))
}

/// Windows keeps a profile's files from other users unless their owner shares them.
#[cfg(not(unix))]
fn allows(_: &Path, _: u32) -> bool {
    false
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: u32) -> std::io::Result<()> {
    Ok(())
}

/// Kinds of file systems that other computers have too: locks and SQLite are not safe there, nor are secrets.
const SHARED: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smbfs",
    "smb2",
    "smb3",
    "afpfs",
    "webdav",
    "davfs",
    "fuse.sshfs",
    "9p",
    "ceph",
];

/// Names of folders that programs copy to other computers.
const SYNCED: &[&str] = &[
    "dropbox",
    "onedrive",
    "google drive",
    "googledrive",
    "my drive",
    "icloud drive",
    "mobile documents",
    "nutstore",
    "坚果云",
    "baidusyncdisk",
    "百度云同步盘",
    "pcloud",
    "syncthing",
    "creative cloud files",
    "box sync",
];

pub(super) fn shared_disk(facts: &Facts) -> Check {
    let config = &facts.loaded.config;
    let mut places = vec![&config.state.dir, &config.scripts.dir];
    places.extend(facts.loaded.file.as_ref());
    let disks = disks();
    for place in places {
        if let Some(folder) = synced(place) {
            return Check::warning(
                "shared-disk",
                format!("{} 在同步目录 {folder} 里：会被复制到其他电脑", place.display()),
                format!("{} is in {folder}, which is copied to other computers", place.display()),
            )
            .todo(
                "用 state.dir 和 scripts.dir 换到不同步的目录；密钥和日志不要同步",
                "move it with `state.dir` and `scripts.dir` to a folder that is not synced: neither secrets nor the journal belong there",
            );
        }
        let kind = disk_of(disks.as_ref(), place)
            .map(|disk| disk.file_system().to_string_lossy().to_lowercase());
        if let Some(kind) = kind.filter(|kind| SHARED.contains(&kind.as_str())) {
            return Check::warning(
                "shared-disk",
                format!("{} 在网络磁盘上（{kind}）", place.display()),
                format!("{} is on a disk of the network ({kind})", place.display()),
            )
            .todo(
                "用 state.dir 换到本机磁盘：网络磁盘上的锁和数据库不可靠",
                "move it to a disk of this computer with `state.dir`: locks and databases are not safe on others",
            );
        }
    }
    Check::ok("shared-disk", "在本机磁盘上，不同步", "on a disk of this computer, not synced")
}

/// The part of `path` that a program copies elsewhere.
fn synced(path: &Path) -> Option<String> {
    let parts = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    parts.into_iter().find(|part| {
        let part = part.to_lowercase();
        SYNCED.iter().any(|name| part == *name || part.starts_with(&format!("{name} - ")))
    })
}

/// None where the system does not tell, or does not answer: a disk of the network whose server is gone holds up whoever
/// asks for it.
fn disks() -> Option<sysinfo::Disks> {
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || told.send(sysinfo::Disks::new_with_refreshed_list()));
    heard.recv_timeout(DISKS).ok()?.ok()
}

fn disk_of<'d>(disks: Option<&'d sysinfo::Disks>, path: &Path) -> Option<&'d sysinfo::Disk> {
    let real = existing(path).canonicalize().ok()?;
    let holds = |disk: &&sysinfo::Disk| real.starts_with(disk.mount_point());
    disks?.iter().filter(holds).max_by_key(|disk| disk.mount_point().as_os_str().len())
}

/// `path`, or the nearest folder above it that is there.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(path)
}

pub(super) fn disk(facts: &Facts, fix: Fix) -> Check {
    let dir = &facts.loaded.config.state.dir;
    let mut fixed = Vec::new();
    if !dir.exists() {
        let made = fix.run(dir, "已新建", "created", || {
            fs::create_dir_all(dir).and_then(|()| restrict(dir, 0o077))
        });
        fixed.extend(made);
    }
    let at = existing(dir);
    if !at.is_dir() {
        return Check::failed(
            "disk",
            format!("{} 不是目录", at.display()),
            format!("{} is not a folder", at.display()),
        )
        .todo("用 state.dir 换一个目录", "name another folder with `state.dir`");
    }
    if let Err(error) = tempfile::tempfile_in(at) {
        return Check::failed(
            "disk",
            format!("{} 不能写：{error}", at.display()),
            format!("{} cannot be written to: {error}", at.display()),
        )
        .todo(
            "检查目录权限和磁盘空间，或用 state.dir 换一个目录",
            "check its permissions and the room on its disk, or name another folder with `state.dir`",
        );
    }
    let disks = disks();
    let Some(free) = disk_of(disks.as_ref(), dir).map(sysinfo::Disk::available_space) else {
        return Check { fixed, ..Check::ok("disk", "可写", "can be written to") };
    };
    let megabytes = free >> 20;
    let check = if free < LITTLE {
        Check::failed(
            "disk",
            format!("磁盘只剩 {megabytes} MB：收到的消息很快就存不下"),
            format!("{megabytes} MB are left: messages can soon not be stored"),
        )
    } else if free < LOW {
        Check::warning("disk", format!("磁盘剩 {megabytes} MB"), format!("{megabytes} MB are left"))
    } else {
        Check::ok(
            "disk",
            format!("可写，剩 {megabytes} MB"),
            format!("can be written to, {megabytes} MB free"),
        )
    };
    let check = if free < LOW {
        check.todo("清理磁盘，或减小 history.max_mb", "make room, or lower `history.max_mb`")
    } else {
        check
    };
    Check { fixed, ..check }
}

pub(super) fn journal(look: &Result<Option<Look>, crate::store::Error>) -> Check {
    match look {
        Ok(None) => Check::ok(
            "journal",
            "还没有（第一次 run 时新建）",
            "none yet: the first `run` makes it",
        ),
        Ok(Some(look)) => match look.read(counts) {
            Ok(_) => Check::ok("journal", "可读", "readable"),
            Err(error) => broken(&error),
        },
        Err(error) => broken(error),
    }
}

fn broken(error: &crate::store::Error) -> Check {
    let check = Check::failed("journal", error.to_string(), error.to_string());
    match error.hint() {
        Some(hint) => check.todo(hint, hint),
        None => check,
    }
}

pub(super) fn stale_files(facts: &Facts, fix: Fix) -> Check {
    if facts.runs {
        return Check::ok("stale-files", "主机在运行", "a host runs");
    }
    let dir = &facts.loaded.config.state.dir;
    let left = LEFT.iter().map(|name| dir.join(name)).filter(|path| path.exists());
    let (mut there, mut fixed) = (Vec::new(), Vec::new());
    for path in left {
        match fix.run(&path, "已删除", "removed", || fs::remove_file(&path)) {
            Some(said) => fixed.push(said),
            None => there.push(name_of(&path)),
        }
    }
    let check = if there.is_empty() {
        Check::ok("stale-files", "没有", "none")
    } else {
        let names = there.join(", ");
        Check::warning(
            "stale-files",
            format!("上一个主机没有正常结束，留下了 {names}"),
            format!("the last host did not end in order and left {names}"),
        )
        .todo(
            "无害；下次启动会覆盖，或运行 moonbell doctor --fix",
            "harmless: the next start writes them anew, `moonbell doctor --fix` removes them",
        )
    };
    Check { fixed, ..check }
}

pub(super) fn scripts(facts: &Facts, fix: Fix) -> Check {
    let dir = &facts.loaded.config.scripts.dir;
    let mut fixed = Vec::new();
    if !dir.exists() {
        let made = fix.run(
            dir,
            "已新建，附带示例脚本",
            "created, with the starter handlers",
            || starter::prepare(dir).map(drop).map_err(std::io::Error::other),
        );
        if made.is_none() {
            return Check::warning(
                "scripts",
                format!("没有目录 {}", dir.display()),
                format!("there is no folder {}", dir.display()),
            )
            .todo(
                "moonbell run 会新建它，附带示例脚本；或设置 scripts.dir",
                "`moonbell run` makes it, with starter handlers; or set `scripts.dir`",
            );
        }
        fixed.extend(made);
    }
    // What a journal that cannot be read grants is nothing.
    let host = crate::cli::check::granted(&facts.loaded.config).unwrap_or_default();
    let check = match check::folder(dir, None, &host) {
        Err(error) => Check::failed("scripts", error.to_string(), error.to_string())
            .todo(error.hint(), error.hint()),
        Ok(checked) => {
            let errors: Vec<_> = checked
                .findings
                .iter()
                .filter(|finding| finding.severity == Severity::Error)
                .collect();
            let (files, handlers) = (checked.files, checked.handlers);
            match errors.first() {
                Some(first) => {
                    let at = first.start.map_or(String::new(), |(line, _)| format!(":{line}"));
                    let what = format!("{}{at}: {}", first.path, first.message);
                    let all = errors.len();
                    Check::failed(
                        "scripts",
                        format!("{all} 处错误；第一处：{what}"),
                        format!("{all} mistakes, the first: {what}"),
                    )
                    .todo("运行 moonbell check 查看全部", "run `moonbell check` for all of them")
                }
                None if handlers == 0 => Check::warning(
                    "scripts",
                    format!("{} 里没有处理器：机器人不会回答任何命令", dir.display()),
                    format!("no handler in {}: the bot answers no command", dir.display()),
                )
                .todo("写一个脚本，或删掉空目录后运行 moonbell run", "write one; or remove the empty folder and start `moonbell run`, which fills it"),
                None => Check::ok(
                    "scripts",
                    format!("{files} 个文件，{handlers} 个处理器"),
                    format!("{}, {}", count(files, "file"), count(handlers, "handler")),
                ),
            }
        }
    };
    Check { fixed, ..check }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Whether other commands and monitors can ask the host.
pub(super) fn console(facts: &Facts) -> Check {
    let listen = facts.loaded.config.console.listen;
    if let Some(moment) = &facts.moment {
        return match &moment.console {
            Some(url) => Check::ok("console", url.clone(), url.clone()),
            None => Check::failed(
                "console",
                "主机在运行，但本地控制台没有打开",
                "the host runs, but its console is not open",
            )
            .todo("看 moonbell logs 里的原因", "`moonbell logs` says why"),
        };
    }
    match TcpListener::bind(listen) {
        Ok(_) => Check::ok("console", format!("{listen} 空闲"), format!("{listen} is free")),
        Err(error) => Check::warning(
            "console",
            format!("{listen} 不能用：{error}"),
            format!("{listen} cannot be used: {error}"),
        )
        .todo(
            "结束占用它的程序，或设置 console.listen；否则这次会用一个空闲端口，监控要另找地址",
            "end the program that has it, or set `console.listen`; else a free port is taken, which monitors do not know",
        ),
    }
}

/// Whether the host is kept up, where that was asked for.
pub(super) fn service() -> Check {
    let seen = match service::seen() {
        Ok(None) => {
            return Check::ok(
                "service",
                "没有安装：moonbell 只在你启动它时运行（moonbell service install）",
                "none is installed: moonbell runs while you run it (`moonbell service install`)",
            );
        }
        Ok(Some(seen)) => seen,
        Err(error) => {
            let error = error.to_string();
            return Check::warning(
                "service",
                format!("已安装，但问不到系统：{error}"),
                format!("installed, but the system cannot be asked: {error}"),
            )
            .todo("运行 moonbell service status", "run `moonbell service status`");
        }
    };
    let word = &seen.word;
    if !seen.running {
        return Check::warning(
            "service",
            format!("已安装，但没有运行（{word}）"),
            format!("installed, but it does not run ({word})"),
        )
        .todo(
            "moonbell service logs 有原因；修好后运行 moonbell service install",
            "`moonbell service logs` says why; once that is put right, `moonbell service install` starts it",
        );
    }
    if !seen.enabled || seen.linger == Some(false) {
        return Check::warning(
            "service",
            "在运行，但重启或退出登录后不会自己回来",
            "it runs, but does not come back by itself after a restart or a log-out",
        )
        .todo(
            "运行 moonbell service install；Linux 上还需要 loginctl enable-linger",
            "run `moonbell service install`; on Linux `loginctl enable-linger` too",
        );
    }
    Check::ok("service", format!("在运行（{word}）"), format!("it runs ({word})"))
}

pub(super) fn owner(facts: &Facts, look: Option<&Look>) -> Check {
    if let Some(owner) = &facts.loaded.config.access.owner {
        return Check::ok(
            "owner",
            format!("{owner}（access.owner）"),
            format!("{owner}, by `access.owner`"),
        );
    }
    let app = facts.loaded.config.dingtalk.app();
    let read = |look: &Look| look.read(|c| read_grants(c, &app)).ok();
    match look.and_then(read).and_then(|(claimed, _)| claimed) {
        Some(owner) => Check::ok("owner", format!("{owner}，已认领"), format!("{owner}, who claimed the bot")),
        None => Check::warning("owner", "机器人还没有主人：谁都不会得到服务", "nobody owns the bot: nobody is served")
            .todo(
                "把 moonbell run（或 moonbell claim）打印的认领码私聊发给机器人；或设置 access.owner",
                "send the bot the code that `moonbell run` or `moonbell claim` prints, in a direct message; or set `access.owner`",
            ),
    }
}

pub(super) fn lock(facts: &Facts) -> Check {
    let dir = &facts.loaded.config.state.dir;
    // Where there can be no lock, the host takes itself for locked.
    if dir.exists() && !dir.is_dir() {
        return Check::after("lock", "disk");
    }
    let lock = Lock::of(dir);
    if lock.is_locked() {
        let why = lock.why().unwrap_or_default();
        Check::failed(
            "lock",
            format!("已锁定，不服务任何人：{why}"),
            format!("locked, nobody is served: {why}"),
        )
        .todo("运行 moonbell unlock", "run `moonbell unlock`")
    } else {
        Check::ok("lock", "未锁定", "not locked")
    }
}

/// Before an app is published, DingTalk does not say who somebody is.
pub(super) fn published(look: Option<&Look>) -> Check {
    use super::check::Page;
    let filter = Filter { limit: LOOK_BACK, ..Filter::default() };
    let runs = look.and_then(|look| look.read(|c| list(c, &filter)).ok()).unwrap_or_default();
    let senders: Vec<bool> = runs
        .iter()
        .filter_map(|run| match &run.inbound {
            Some(Inbound::Message(message)) => Some(message.sender.staff_id.is_some()),
            _ => None,
        })
        .collect();
    if senders.is_empty() {
        return Check::skipped(
            "published",
            "还没有收到消息：私聊机器人说一句话，再运行一次",
            "no message has come yet: write to the bot in a direct message, and ask again",
        );
    }
    if senders.contains(&true) {
        return Check::ok("published", "消息带有发送人的员工 ID", "messages say who sent them");
    }
    Check::failed(
        "published",
        format!("最近 {} 条消息都没有发送人的员工 ID（senderStaffId）", senders.len()),
        format!("none of the last {} messages says who sent it (`senderStaffId`)", senders.len()),
    )
    .todo(
        "发布应用的一个版本；如果消息都来自组织外的人，则属正常，他们不会得到服务",
        "publish a version of the app; if all of them came from people outside your organisation, that is as it should be: they are not served",
    )
    .page(Page::Publish)
}

pub(super) fn outbox(facts: &Facts, look: Option<&Look>) -> Check {
    let parked = facts.moment.as_ref().map(|moment| moment.parked);
    let parked = parked.or_else(|| Some(look?.read(counts).ok()?.parked)).unwrap_or_default();
    if parked == 0 {
        return Check::ok("outbox", "没有搁置的回复", "no reply is parked");
    }
    Check::warning(
        "outbox",
        format!("{parked} 条回复没有发出，已搁置"),
        format!("{parked} replies could not be sent and are parked"),
    )
    .todo(
        "运行 moonbell outbox 查看原因；修好后 moonbell outbox retry all",
        "`moonbell outbox` says why; once that is put right, `moonbell outbox retry all`",
    )
}

/// By our own count; what DingTalk says itself is found by the calls.
pub(super) fn budget(facts: &Facts, look: Option<&Look>) -> Check {
    use super::check::Page;
    let limits = &facts.loaded.config.budget;
    let report = look.and_then(|look| look.read(|c| Report::of(c, Month::now(), limits)).ok());
    let spent = match (&facts.moment, report) {
        (Some(moment), _) if !moment.budget.month.is_empty() => {
            let budget = &moment.budget;
            [budget.api_calls, budget.pushes].map(|one| Spent {
                used: one.used,
                limit: one.limit,
                refused: one.refused,
            })
        }
        (_, Some(report)) => [report.api_calls, report.pushes],
        _ => [
            Spent { limit: limits.api_calls, ..Spent::default() },
            Spent { limit: limits.pushes, ..Spent::default() },
        ],
    };
    let line = |one: &Spent| match one.limit {
        Some(limit) => format!("{}/{limit}", one.used),
        None => one.used.to_string(),
    };
    let [calls, pushes] = [line(&spent[0]), line(&spent[1])];
    let zh = format!("本月 API 调用 {calls}，消息推送 {pushes}");
    let en = format!("this month: API calls {calls}, Webhook & Stream {pushes}");
    let share = spent.iter().filter_map(Spent::percent).max().unwrap_or(0);
    if spent.iter().any(|one| one.refused) || share >= 100 {
        Check::failed("budget", zh + "：已用完", en + ": used up")
            .todo(
                "购买用量包或等到下个月；套餐更大时提高 [budget]。谁用的：moonbell usage",
                "buy a package or wait for next month; if your plan gives more, raise `[budget]`. `moonbell usage` says by whom",
            )
            .page(Page::Resources)
    } else if share >= 80 {
        Check::warning("budget", zh, en)
            .todo("谁用的：moonbell usage", "`moonbell usage` says by whom")
            .page(Page::Resources)
    } else {
        Check::ok("budget", zh, en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_other_computers_get_a_copy_of_are_known_by_name() {
        for (path, folder) in [
            ("/home/ann/Dropbox/bot/scripts", Some("Dropbox")),
            ("/Users/ann/Library/Mobile Documents/com~apple~CloudDocs/x", Some("Mobile Documents")),
            ("/mnt/c/Users/ann/OneDrive - Example Ltd/bot", Some("OneDrive - Example Ltd")),
            ("/home/安/坚果云/bot", Some("坚果云")),
            ("/home/ann/dropboxes/bot", None),
            ("/home/ann/.local/share/moonbell", None),
        ] {
            assert_eq!(synced(Path::new(path)).as_deref(), folder, "{path}");
        }
    }
}
