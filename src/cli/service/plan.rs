//! What a service has to run: the same for every system.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cli::{Failed, Global, lang};
use crate::config::{self, Need, Source};
use crate::words::commands::errors;
use crate::words::commands::service as w;

/// Beyond `shutdown.deadline`: replies are sent for ten seconds, then the stages close.
const LAST_STEPS: Duration = Duration::from_secs(30);

/// What the service sees of the environment in which it was installed: where programs are, in which language they speak,
/// where this user keeps things.
const PASSED: [&str; 5] = ["PATH", "LANG", "LC_ALL", "XDG_CONFIG_HOME", "XDG_DATA_HOME"];

/// Variables that say how a command is started, not what the settings are.
const HANDLED: [&str; 2] = ["MOONBELL_CONFIG", "MOONBELL_LOG"];

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// How long it may take to end.
    pub(super) patience: Duration,
    pub(super) home: String,
    pub(super) state: PathBuf,
    /// Settings of this shell that the service does not have.
    pub(super) left_out: Vec<String>,
}

impl Plan {
    pub(super) fn new(global: &Global) -> Result<Self> {
        let lang = lang::here();
        let shell = global.source();
        let is_setting = |name: &str| name.starts_with("MOONBELL_") && !HANDLED.contains(&name);
        let left_out = shell.environment.iter().filter_map(|(name, _)| name.to_str());
        let mut left_out: Vec<String> =
            left_out.filter(|name| is_setting(name)).map(str::to_owned).collect();
        left_out.sort();
        let environment = shell
            .environment
            .iter()
            .filter(|(name, _)| !name.to_string_lossy().starts_with("MOONBELL_"));
        let source = Source { environment: environment.cloned().collect(), ..shell.clone() };
        let config = config::load(&source, Need::Account).map_err(|problems| {
            let told = Failed::new(w::not_complete(&problems.text(lang), lang));
            told.hint(if left_out.is_empty() {
                w::init_writes(lang).to_owned()
            } else {
                w::not_seen(&left_out.join(", "), lang)
            })
            .misuse()
        })?;
        let config = config.config;
        let program = std::env::current_exe().context(errors::no_own_path(lang))?;
        let mut arguments = vec!["run".to_owned(), "--config".to_owned()];
        // The default too: a service may have another idea of where that is.
        let file = shell.file.or_else(|| shell.places.default_file());
        let file = file
            .ok_or_else(|| Failed::new(w::no_settings_file(lang)).hint(w::init_writes_one(lang)))?;
        arguments.push(text(&std::path::absolute(file)?)?);
        if let Some(filter) = &global.log {
            arguments.extend(["--log".to_owned(), filter.clone()]);
        }
        let mut passed = Vec::new();
        for name in PASSED {
            if let Ok(value) = std::env::var(name) {
                passed.push((name.to_owned(), value));
            }
        }
        let home = shell.places.home.unwrap_or_default();
        Ok(Self {
            program: text(&program)?,
            arguments,
            environment: passed,
            patience: config.shutdown.deadline + LAST_STEPS,
            home: text(&home)?,
            state: config.state.dir,
            left_out,
        })
    }

    /// Whether the next `cargo clean` takes the program away.
    pub(super) fn is_in_build_folder(&self) -> bool {
        let mut folders = Path::new(&self.program).ancestors().skip(1);
        folders.any(|folder| folder.join("CACHEDIR.TAG").is_file() && folder.ends_with("target"))
    }
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| {
        let lang = lang::here();
        Failed::new(w::no_unicode(&path.to_string_lossy(), lang)).hint(w::rename(lang))
    })?;
    Ok(text.to_owned())
}

/// One that makes every system's quoting work.
#[cfg(test)]
pub(super) fn awkward() -> Plan {
    Plan {
        program: "/opt/我的 程序/50% \"off\" $HOME\\moonbell".to_owned(),
        arguments: ["run", "--config", "/home/me/配置 & <more>/it's $1 100%.toml"]
            .map(str::to_owned)
            .to_vec(),
        environment: vec![
            ("PATH".to_owned(), "/home/me/bin dir:/usr/bin:/50%/$x".to_owned()),
            ("LANG".to_owned(), "zh_CN.UTF-8".to_owned()),
        ],
        patience: Duration::from_secs(90),
        home: "/home/me".to_owned(),
        state: PathBuf::from("/home/me/.local/share/moonbell"),
        left_out: Vec::new(),
    }
}
