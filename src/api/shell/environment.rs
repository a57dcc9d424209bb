//! The environment of a program: what is inherited of the host's, and what the script adds.
//!
//! Built from a list, so the host's secrets never get into it; and no name that decides which code runs is a script's to
//! set, for the name may come from a chat.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::api::shell::command::SpawnError;

/// Variables that a child gets from the host: where things are, how the person speaks, and the addresses of their own
/// session (so that `git` over ssh, `systemctl --user` and desktop tools work). Nothing that holds a secret.
const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "TZ",
    "LANG",
    "LANGUAGE",
    "SSH_AUTH_SOCK",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
    // Windows: without these even small programs fail to start.
    "SYSTEMROOT",
    "WINDIR",
    "SYSTEMDRIVE",
    "COMSPEC",
    "PATHEXT",
    "TEMP",
    "TMP",
    "USERPROFILE",
    "USERNAME",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
];
/// The same, by the beginning of the name.
const INHERITED_PREFIXES: &[&str] = &["LC_", "XDG_"];
/// Variables that make a program run other code than it is: of loaders, shells, interpreters, and of tools that start others.
/// A name from chat in `env` must not become one of these, so no name is.
const DECIDING: &[&str] = &[
    "PATH",
    "PATHEXT",
    "COMSPEC",
    "SHELL",
    "IFS",
    "ENV",
    "BASH_ENV",
    "BASHOPTS",
    "SHELLOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "ZDOTDIR",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "EDITOR",
    "VISUAL",
    "BROWSER",
    "LESSOPEN",
    "LESSCLOSE",
    "MANPAGER",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "RSYNC_RSH",
    "GIT_ASKPASS",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_PROXY_COMMAND",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_TEMPLATE_DIR",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "RUBYLIB",
    "RUBYOPT",
    "NODE_OPTIONS",
    "NODE_PATH",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "LUA_CPATH",
    "LUA_INIT",
    "LUA_PATH",
    "PHPRC",
];
/// The same, by the beginning of the name.
const DECIDING_PREFIXES: &[&str] =
    &["LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG", "NPM_CONFIG_", "MOONBELL_"];
/// The environment of a child: what is inherited of `host`, then what the script says.
pub(super) fn environment(
    host: impl Iterator<Item = (OsString, OsString)>,
    extra: &BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<OsString, OsString>, SpawnError> {
    let mut env: BTreeMap<_, _> = host
        .filter(|(name, value)| {
            let Some(name) = name.to_str().map(str::to_ascii_uppercase) else { return false };
            // A proxy is part of where things are, but its address may hold a password.
            let proxy = name.ends_with("_PROXY") && !value.to_string_lossy().contains('@');
            INHERITED.contains(&name.as_str())
                || INHERITED_PREFIXES.iter().any(|begin| name.starts_with(begin))
                || proxy
        })
        .collect();
    // Nothing here shows colours or moves a cursor: well-behaved programs then write plain text.
    env.insert("TERM".into(), "dumb".into());
    for (name, value) in extra {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(SpawnError::EnvName { name: name.clone() });
        }
        match value {
            Some(_) if decides(name) => {
                return Err(SpawnError::EnvDecides { name: name.clone() });
            }
            Some(value) if value.contains('\0') => {
                return Err(SpawnError::Nul { what: format!("environment variable `{name}`") });
            }
            Some(value) => {
                env.insert(name.into(), value.into());
            }
            None => {
                env.remove(OsStr::new(name));
            }
        }
    }
    Ok(env)
}

fn decides(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    DECIDING.contains(&name.as_str())
        || DECIDING_PREFIXES.iter().any(|begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(pairs: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
        pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    #[test]
    fn a_child_inherits_places_and_languages_but_no_secret() {
        let host = host(&[
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("DINGTALK_CLIENT_SECRET", "s"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("LD_PRELOAD", "/x.so"),
            ("BASH_ENV", "/x"),
            ("TERM", "xterm"),
            ("HTTPS_PROXY", "http://me:password@proxy"),
            ("no_proxy", "localhost"),
        ]);
        let extra = BTreeMap::from([
            ("STAGE".to_owned(), Some("prod".to_owned())),
            ("LC_ALL".to_owned(), None),
        ]);
        let env = environment(host, &extra).unwrap();
        let env: Vec<_> = env
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        assert_eq!(env, ["PATH=/bin", "STAGE=prod", "TERM=dumb", "no_proxy=localhost"]);
    }

    #[test]
    fn names_of_variables_are_checked() {
        for name in ["", "A=B", "A\0"] {
            let extra = BTreeMap::from([(name.to_owned(), Some(String::new()))]);
            assert_eq!(environment(host(&[]), &extra).unwrap_err().kind(), "invalid", "{name:?}");
        }
        let extra = BTreeMap::from([("A".to_owned(), Some("x\0y".to_owned()))]);
        assert!(
            environment(host(&[]), &extra).unwrap_err().to_string().contains("`A` contains a NUL")
        );
    }

    #[test]
    fn b4_no_variable_that_decides_which_code_runs_is_set_by_a_script() {
        for name in [
            "LD_PRELOAD",
            "PATH",
            "Path",
            "BASH_ENV",
            "GIT_SSH_COMMAND",
            "git_config_count",
            "DYLD_X",
        ] {
            let extra = BTreeMap::from([(name.to_owned(), Some("/tmp/x".to_owned()))]);
            let error = environment(host(&[("PATH", "/bin")]), &extra).unwrap_err();
            assert_eq!(error.kind(), "denied", "{name}");
            // Without it a program runs no other code than with the host's.
            let extra = BTreeMap::from([(name.to_owned(), None)]);
            assert!(environment(host(&[("PATH", "/bin")]), &extra).is_ok(), "{name}");
        }
    }
}
