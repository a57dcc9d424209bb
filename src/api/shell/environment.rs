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
/// Variables that make a program run other code than it is, or read its settings, which name code, elsewhere. A name from
/// chat in `env` must not become one of these, so no name is. By kind, with spaces in between, and never complete: each program
/// may have its own.
const DECIDING: &[&str] = &[
    // Where programs and their settings are found.
    "PATH PATHEXT COMSPEC HOME USERPROFILE HOMEDRIVE HOMEPATH APPDATA LOCALAPPDATA SHELL",
    // Shells.
    "IFS ENV BASH_ENV BASH_LOADABLES_PATH BASHOPTS SHELLOPTS PS4 PROMPT_COMMAND CDPATH FPATH ZDOTDIR INPUTRC \
     PSMODULEPATH",
    // Loaders and the C library.
    "GCONV_PATH GETCONF_DIR GLIBC_TUNABLES HOSTALIASES LOCPATH NIS_PATH NLSPATH RES_OPTIONS RESOLV_HOST_CONF \
     TERMCAP TERMINFO TERMINFO_DIRS",
    // What tools start for you: editors, pagers, browsers, askers, filters.
    "EDITOR VISUAL FCEDIT PAGER BROWSER MANPAGER MANOPT MANPATH LESS LESSOPEN LESSCLOSE MORE SSH_ASKPASS \
     SUDO_ASKPASS SUDO_EDITOR SYSTEMD_EDITOR SYSTEMD_PAGER KUBE_EDITOR VIMINIT EXINIT VIM VIMRUNTIME \
     EMACSLOADPATH EMACSDATA FZF_DEFAULT_COMMAND FZF_DEFAULT_OPTS",
    // Arguments that a program reads beside its own.
    "TAR_OPTIONS RSH RSYNC_RSH RSYNC_CONNECT_PROG CVS_RSH SVN_SSH SVN_EDITOR HGRCPATH HGEDITOR HGMERGE GZIP \
     ZIPOPT UNZIP XZ_OPT GREP_OPTIONS RIPGREP_CONFIG_PATH BAT_CONFIG_PATH WGETRC CURL_HOME NETRC PSQLRC \
     PGSYSCONFDIR MYSQL_HOME AWKPATH AWKLIBPATH SCREENRC SYSSCREENRC",
    // Cryptography and sign-on that load modules.
    "OPENSSL_CONF OPENSSL_CONF_INCLUDE OPENSSL_ENGINES OPENSSL_MODULES SSLKEYLOGFILE KRB5_CONFIG SASL_PATH \
     GNUPGHOME PKCS11_PROVIDER_PATH",
    // Compilers and builds.
    "CC CXX CPP LD AR AS FC NM RANLIB STRIP OBJCOPY PKG_CONFIG HOSTCC HOSTCXX CPATH C_INCLUDE_PATH \
     CPLUS_INCLUDE_PATH LIBRARY_PATH COMPILER_PATH GCC_EXEC_PREFIX CFLAGS CXXFLAGS CPPFLAGS LDFLAGS MAKE \
     MAKEFLAGS GNUMAKEFLAGS MFLAGS MAKEFILES MAKESHELL CMAKE_TOOLCHAIN_FILE CMAKE_PREFIX_PATH \
     CMAKE_PROJECT_INCLUDE RUSTC RUSTDOC RUSTFMT RUSTFLAGS RUSTDOCFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER \
     RUSTC_BOOTSTRAP GOFLAGS GOROOT GOPATH GOBIN GOENV GOTOOLCHAIN GOTOOLDIR GOPROXY GOSUMDB GONOSUMDB GOWORK \
     ANT_OPTS ANT_ARGS MAVEN_OPTS MAVEN_ARGS M2_HOME SBT_OPTS BAZELISK_BASE_URL CLASSPATH JAVA_HOME JAVA_OPTS \
     JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS",
    // Interpreters.
    "PERL5DB PERL5LIB PERL5OPT PERLLIB RUBYLIB RUBYOPT RUBYSHELL BUNDLE_GEMFILE GEM_HOME GEM_PATH PHPRC \
     PHP_INI_SCAN_DIR COMPOSER_HOME TCLLIBPATH JULIA_LOAD_PATH JULIA_DEPOT_PATH ERL_FLAGS ERL_LIBS ERL_AFLAGS \
     ERL_ZFLAGS ELIXIR_ERL_OPTIONS GUILE_LOAD_PATH OCTAVE_PATH MATLABPATH DOTNET_STARTUP_HOOKS \
     DOTNET_ADDITIONAL_DEPS DOTNET_SHARED_STORE DOTNET_ROOT COR_PROFILER COR_PROFILER_PATH \
     COR_ENABLE_PROFILING CORECLR_PROFILER CORECLR_PROFILER_PATH CORECLR_ENABLE_PROFILING MONO_PATH \
     MSBUILD_EXE_PATH NUGET_PLUGIN_PATHS DENO_DIR BUN_INSTALL ELECTRON_RUN_AS_NODE TS_NODE_PROJECT",
    // Desktops and other libraries that load modules.
    "GTK_MODULES GTK_PATH GIO_EXTRA_MODULES GIO_MODULE_DIR GST_PLUGIN_PATH QT_PLUGIN_PATH QML2_IMPORT_PATH \
     QML_IMPORT_PATH GSETTINGS_SCHEMA_DIR FONTCONFIG_FILE MAGICK_CONFIGURE_PATH MAGICK_CODER_MODULE_PATH \
     TEXINPUTS TEXMFCNF",
    // Where a session listens: whoever answers there runs what is asked.
    "DBUS_SESSION_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS SSH_AUTH_SOCK KUBECONFIG COMPOSE_FILE",
];
/// The same, by the beginning of the name.
const DECIDING_PREFIXES: &str = "LD_ DYLD_ _RLD LDR_ BASH_FUNC_ GIT_ NPM_ NODE_ YARN_ PNPM_ COREPACK_ PYTHON \
     PIP_ PIPX_ UV_ POETRY_ VIRTUAL_ENV CONDA_ CARGO_ RUSTUP_ R_ LUA_ LUAROCKS_ GRADLE_ ORG_GRADLE_ ANSIBLE_ \
     DOCKER_ BUILDKIT_ PODMAN_ CONTAINERS_ TF_ HELM_ NIX_ HOMEBREW_ XDG_ CGO_ MOONBELL_";
/// Of those, what says only how much is told, in which form, and who it is from.
const HARMLESS: &str = "GIT_TERMINAL_PROMPT GIT_OPTIONAL_LOCKS GIT_MERGE_AUTOEDIT GIT_AUTHOR_NAME \
     GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE NODE_ENV \
     NODE_NO_WARNINGS PYTHONUNBUFFERED PYTHONIOENCODING PYTHONUTF8 PYTHONHASHSEED PYTHONDONTWRITEBYTECODE \
     PIP_NO_INPUT CARGO_TERM_COLOR CARGO_NET_OFFLINE ANSIBLE_NOCOLOR ANSIBLE_FORCE_COLOR TF_INPUT TF_IN_AUTOMATION \
     HOMEBREW_NO_AUTO_UPDATE";
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
    let listed = |list: &str| list.split(' ').any(|one| one == name);
    let mut prefixes = DECIDING_PREFIXES.split(' ');
    DECIDING.iter().any(|kind| listed(kind))
        || (prefixes.any(|begin| name.starts_with(begin)) && !listed(HARMLESS))
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
            "MAKEFLAGS",
            "DOTNET_STARTUP_HOOKS",
            "OPENSSL_CONF",
            "RUSTC_WRAPPER",
            "GOFLAGS",
            "CC",
            "GIT_PAGER",
            "TAR_OPTIONS",
            "ANSIBLE_CONFIG",
            "R_PROFILE",
            "HOME",
            "PAGER",
            "EDITOR",
            "VISUAL",
            "LESSOPEN",
            "PERL5OPT",
            "RUBYOPT",
            "NODE_OPTIONS",
            "PYTHONSTARTUP",
            "JAVA_TOOL_OPTIONS",
            "CARGO_BUILD_RUSTC",
            "npm_config_script_shell",
            "LUA_INIT_5_4",
            "XDG_CONFIG_HOME",
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
