//! Linux: a unit of the user's own systemd.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::plan::Plan;
use super::{NAME, State, Told, ask, order};
use crate::cli::{Failed, lang};
use crate::words::commands::service as w;

pub(super) const UNIT: &str = "moonbell.service";

/// The unit file.
///
/// # Errors
/// When systemd would not take the path of the program, however it is quoted.
pub(super) fn unit(plan: &Plan) -> Result<String> {
    if plan.program.contains(['"', '\'', '\\']) || plan.program.chars().any(char::is_control) {
        let shown = plan.program.escape_debug();
        let lang = lang::here();
        return Err(Failed::new(w::awkward_path(&shown.to_string(), lang))
            .hint(w::awkward_path_hint(lang))
            .into());
    }
    let mut unit = format!(
        "# Written by `moonbell service install`, which writes it again; `moonbell service uninstall` removes it.\n\
         [Unit]\n\
         Description={NAME}: Lua that answers DingTalk\n\
         \n\
         [Service]\n\
         Type=exec\n"
    );
    // The colon keeps `$` what it is.
    let mut command = format!("ExecStart=:{}", quoted(&plan.program));
    for argument in &plan.arguments {
        let _ = write!(command, " {}", quoted(argument));
    }
    let _ = writeln!(unit, "{command}");
    for (name, value) in &plan.environment {
        let _ = writeln!(unit, "Environment={}", quoted(&format!("{name}={value}")));
    }
    let _ = write!(
        unit,
        "# Settings that cannot be used (exit code 2) do not mend themselves.\n\
         Restart=on-failure\n\
         RestartSec=5\n\
         RestartPreventExitStatus=2\n\
         # Programs of handlers are the host's to end; what is left after that is killed.\n\
         KillMode=mixed\n\
         TimeoutStopSec={}\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n",
        plan.patience.as_secs()
    );
    Ok(unit)
}

/// As systemd reads it back: quotes, C escapes, and `%` twice, for it begins a specifier.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '%' => quoted.push_str("%%"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn systemctl(arguments: &[&str]) -> Result<()> {
    order("systemctl", &[&["--user"], arguments].concat())
}

pub(super) fn is_reachable() -> Result<()> {
    let lang = lang::here();
    let told = ask("systemctl", &["--user", "show", "--property=Version"])?;
    let why = match told {
        Some(Told { ok: true, .. }) => return Ok(()),
        Some(Told { err, .. }) => {
            w::no_session(err.lines().next().unwrap_or(w::said_nothing(lang)), lang)
        }
        None => w::no_systemd(lang).to_owned(),
    };
    Err(Failed::new(why).hint(w::no_session_hint(lang)).into())
}

pub(super) fn start(changed: bool) -> Result<()> {
    if changed {
        reload()?;
    }
    systemctl(&["enable", UNIT])?;
    systemctl(&["restart", UNIT])
}

pub(super) fn stop() -> Result<()> {
    systemctl(&["disable", "--now", UNIT])
}

pub(super) fn reload() -> Result<()> {
    systemctl(&["daemon-reload"])
}

pub(super) fn state() -> Result<State> {
    let properties = "--property=ActiveState,SubState,UnitFileState,MainPID,ExecMainStatus";
    let told = ask("systemctl", &["--user", "show", UNIT, properties])?;
    let out = told.map(|told| told.out).unwrap_or_default();
    let property = |name: &str| {
        let found = out.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default()
    };
    let mut word = format!("{}, {}", property("ActiveState"), property("SubState"));
    if property("ActiveState") == "failed" {
        let _ = write!(word, ", exit code {}", property("ExecMainStatus"));
    }
    Ok(State {
        running: matches!(property("ActiveState"), "active" | "reloading"),
        enabled: property("UnitFileState") == "enabled",
        pid: property("MainPID").parse().ok().filter(|pid| *pid != 0),
        word,
        linger: lingers(),
    })
}

/// Whether services of this user run while nobody is logged in.
fn lingers() -> Option<bool> {
    let user = ask("id", &["-un"]).ok()??.out;
    let told = ask("loginctl", &["show-user", &user, "--property=Linger", "--value"]).ok()??;
    told.ok.then(|| told.out == "yes")
}

/// Turns that on, if it is off and this user may.
pub(super) fn linger() -> Option<bool> {
    if lingers()? {
        return Some(true);
    }
    let _ = ask("loginctl", &["enable-linger"]);
    lingers()
}

/// Prints what systemd's journal has of it; `false`: nothing, or there is no such journal.
pub(super) fn journal(follow: bool, lines: usize) -> Result<bool> {
    let lines = lines.to_string();
    let of_it = ["--user-unit", UNIT, "--no-hostname", "--quiet", "--lines"];
    let look = ask("journalctl", &[&of_it[..], &["1"]].concat())?;
    if !look.is_some_and(|told| told.ok && !told.out.is_empty()) {
        return Ok(false);
    }
    let mut command = Command::new("journalctl");
    command.args(of_it).arg(lines).arg("--no-pager").stdin(Stdio::null());
    if follow {
        command.arg("--follow");
    }
    Ok(command.status()?.success())
}

#[cfg(test)]
mod tests {
    use super::super::plan::awkward;
    use super::*;

    #[test]
    fn the_unit_quotes_whatever_a_path_may_hold() {
        let program = "/opt/我的 程序/50% off $HOME/moonbell".to_owned();
        insta::assert_snapshot!(unit(&Plan { program, ..awkward() }).unwrap(), @r###"
# Written by `moonbell service install`, which writes it again; `moonbell service uninstall` removes it.
[Unit]
Description=moonbell: Lua that answers DingTalk

[Service]
Type=exec
ExecStart=:"/opt/我的 程序/50%% off $HOME/moonbell" "run" "--config" "/home/me/配置 & <more>/it's $1 100%%.toml"
Environment="PATH=/home/me/bin dir:/usr/bin:/50%%/$x"
Environment="LANG=zh_CN.UTF-8"
# Settings that cannot be used (exit code 2) do not mend themselves.
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2
# Programs of handlers are the host's to end; what is left after that is killed.
KillMode=mixed
TimeoutStopSec=90

[Install]
WantedBy=default.target
"###);
        let refused = unit(&awkward()).unwrap_err().to_string();
        assert!(
            refused.starts_with("systemd starts no program whose path is like `/opt/"),
            "{refused}"
        );
        assert_eq!(quoted("a\nb\u{7}"), r#""a\nb\x07""#);
    }
}
