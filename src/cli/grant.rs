//! `moonbell grant`: what scripts of other people may reach, decided on this computer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

use super::{Failed, Global, columns, errors, lang, starter, talk};
use crate::access::consents::{granted, insert, read, remove, revoked};
use crate::access::needs::covered;
use crate::access::{self, Audit, Consent, Needs, Use};
use crate::api::Host;
use crate::config::Need;
use crate::script::{Asked, asked};
use crate::sink::escape;
use crate::store::{Instance, Look, Store, note, now_ms};
use crate::words::Lang;
use crate::words::commands::grant as w;
use crate::words::{is_yes, list};

/// Grant scripts of other people what they ask for
///
/// They lie in the folders that `scripts.asked` names, and serve once you have read what they ask for and said yes. A grant
/// belongs to a file and to what it asks for: its content may change, but when it asks for more you are asked again.
/// Without SCRIPT: each one that waits. A running host follows within a second.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_help = "Examples:
  moonbell grant                                each script that waits, one after another
  moonbell grant shared/report.luau
  moonbell grant --list                         what every script of other people asks for, and what it has
  moonbell grant --revoke shared/report.luau    it serves no more, at once

Exit codes: 0 done, or nothing waits; 1 not granted; 2 misuse.")]
pub(super) struct Grant {
    /// The script, as a path below the scripts folder or any other path
    #[arg(value_name = "SCRIPT")]
    script: Option<PathBuf>,
    /// Show what was granted, and what waits
    #[arg(long, conflicts_with_all = ["script", "revoke", "yes"])]
    list: bool,
    /// Take back what was granted to this script
    #[arg(long, value_name = "SCRIPT", conflicts_with_all = ["script", "yes"])]
    revoke: Option<PathBuf>,
    /// Do not ask; for those who have read the script
    #[arg(long, short)]
    yes: bool,
    /// With --list: print JSON
    #[arg(long, requires = "list")]
    json: bool,
    /// Of the host of `moonbell dev`
    #[arg(long)]
    dev: bool,
}

impl Grant {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let config = global.load(Need::Settings)?.config;
        let (state, dir) = if self.dev {
            (config.state.dir.join("dev"), starter::dev_folder(false, &config.scripts.dir))
        } else {
            (config.state.dir.clone(), config.scripts.dir.clone())
        };
        let (dir, lang) = (std::path::absolute(dir)?, lang::here());
        let book = Book { state, dir, folders: config.scripts.asked };
        if let Some(script) = &self.revoke {
            return book.revoke(script);
        }
        if book.folders.is_empty() {
            return Err(Failed::new(w::no_folders(lang))
                .hint(w::no_folders_hint(lang))
                .misuse()
                .into());
        }
        let scripts = book.scripts()?;
        let held = book.held()?;
        if self.list {
            if self.json {
                talk::data(serde_json::to_string_pretty(&as_json(&scripts, &held))?);
            } else {
                talk::quoted(&listed(&scripts, &held, lang));
            }
            return Ok(ExitCode::SUCCESS);
        }
        let mut refused = false;
        let mut one = false;
        for script in book.wanted(&scripts, self.script.as_deref())? {
            let needs = match &script.needs {
                Ok(needs) => needs,
                Err(error) if self.script.is_some() => {
                    let told = w::does_not_load(&script.name, &error.to_string(), lang);
                    return Err(Failed::new(told).into());
                }
                Err(_) => continue,
            };
            let has = held.get(&key(script)).map(|consent| &consent.needs);
            if has.is_some_and(|has| covered(has, needs)) {
                if self.script.is_some() {
                    talk::say(w::has_all(&escape(&script.name), lang));
                    return Ok(ExitCode::SUCCESS);
                }
                continue;
            }
            if std::mem::replace(&mut one, true) {
                talk::say("");
            }
            talk::say(question(script, needs, has, &book.dir, lang));
            if self.yes || confirmed()? {
                book.grant(script, needs)?;
                talk::say(w::granted(&escape(&script.name), lang));
            } else {
                refused = true;
                talk::say(w::not_granted(&escape(&script.name), lang));
            }
        }
        if !one {
            talk::say(w::none_waits(lang));
        }
        Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

enum Change {
    Grant(Consent),
    Revoke(String),
}

/// Where grants are kept, and the scripts that they are for.
struct Book {
    state: PathBuf,
    dir: PathBuf,
    folders: Vec<String>,
}

impl Book {
    fn scripts(&self) -> Result<Vec<Asked>> {
        // Processes of a host are looked after on a runtime; no script starts one while it loads.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(crate::words::commands::errors::no_threads(lang::here()))?;
        let _runtime = runtime.enter();
        let host = Host::default().with_asked(&self.folders, None);
        Ok(asked(&self.dir, &host).map_err(|error| errors::of_folder(&error))?)
    }

    fn held(&self) -> Result<BTreeMap<String, Consent>> {
        let list = match Look::open(&self.state).map_err(failed)? {
            Some(journal) => journal.read(read).map_err(failed)?,
            None => Vec::new(),
        };
        Ok(list.into_iter().map(|consent| (consent.path.clone(), consent)).collect())
    }

    /// The script that was named, or all.
    fn wanted<'a>(&self, scripts: &'a [Asked], named: Option<&Path>) -> Result<Vec<&'a Asked>> {
        let Some(named) = named else { return Ok(scripts.iter().collect()) };
        let path = self.path_of(named)?;
        let found: Vec<&Asked> = scripts.iter().filter(|script| script.path == path).collect();
        if found.is_empty() {
            let lang = lang::here();
            let names: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
            let hint = match names.as_slice() {
                [] => w::none_in(&list(&self.folders, lang), lang),
                names => w::there_are(&list(names, lang), lang),
            };
            let message = w::no_such(&named.to_string_lossy(), lang);
            return Err(Failed::new(message).hint(hint).misuse().into());
        }
        Ok(found)
    }

    /// The whole path: below the scripts folder, or from where we stand.
    fn path_of(&self, named: &Path) -> Result<PathBuf> {
        let below = self.dir.join(named);
        Ok(if below.exists() { below } else { std::path::absolute(named)? })
    }

    fn grant(&self, script: &Asked, needs: &Needs) -> Result<()> {
        let consent = Consent {
            path: key(script),
            needs: needs.clone(),
            content: script.content.clone(),
            at_ms: now_ms(),
        };
        self.change(&Change::Grant(consent))
    }

    fn revoke(&self, named: &Path) -> Result<ExitCode> {
        let (held, lang) = (self.held()?, lang::here());
        // Also of a script that is gone.
        let candidates = [self.dir.join(named), std::path::absolute(named)?];
        let path = candidates.iter().map(|path| path.to_string_lossy().into_owned());
        let Some(path) = path.into_iter().find(|path| held.contains_key(path)) else {
            let names: Vec<&str> = held.keys().map(String::as_str).collect();
            let hint = match names.as_slice() {
                [] => w::nothing_granted(lang).to_owned(),
                names => w::granted_are(&list(names, lang), lang),
            };
            let message = w::nothing_granted_to(&named.to_string_lossy(), lang);
            return Err(Failed::new(message).hint(hint).misuse().into());
        };
        talk::say(w::taken_back(&escape(&path), lang));
        self.change(&Change::Revoke(path))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Changes the journal, and records it: a running host records what it finds changed itself.
    fn change(&self, change: &Change) -> Result<()> {
        let instance = match Instance::holder(&self.state) {
            Some(_) => None,
            None => {
                let instance = Instance::acquire(&self.state, "grant")?;
                // Makes the journal, or brings it to this version.
                drop(Store::open(&self.state).map_err(failed)?);
                Some(instance)
            }
        };
        let written = note(&self.state, |c| match change {
            Change::Grant(consent) => insert(c, consent),
            Change::Revoke(path) => remove(c, path).map(drop),
        });
        written.map_err(failed)?;
        if instance.is_some() {
            let audit = Audit::open(&self.state)?;
            audit.record(match change {
                Change::Grant(consent) => granted(consent),
                Change::Revoke(path) => revoked(path),
            });
            audit.close();
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn failed(error: crate::store::Error) -> Failed {
    errors::of_journal(&error)
}

fn key(script: &Asked) -> String {
    script.path.to_string_lossy().into_owned()
}

/// What somebody reads before they say yes.
fn question(script: &Asked, needs: &Needs, has: Option<&Needs>, dir: &Path, lang: Lang) -> String {
    let name = escape(&script.name);
    let mut text = match has {
        _ if needs.is_empty() => w::asks_nothing(&name, lang),
        None => w::asks(&name, lang),
        Some(_) => w::asks_more(&name, lang),
    };
    text.push('\n');
    let asked = |need: &access::Need| talk::fit(&escape(&need.to_string())).into_owned();
    let width = needs.iter().map(|need| asked(need).width()).max().unwrap_or_default();
    for need in needs {
        let new = has.is_some_and(|has| !has.iter().any(|one| one.covers(need)));
        let mark = if new { "+" } else { " " };
        let shown = columns::pad(&asked(need), width);
        let _ = writeln!(text, "  {mark} {shown}  {}", escape(&need.means(lang)));
    }
    if needs.iter().any(|need| changes_programs(need, dir)) {
        let _ = writeln!(text, "{}", w::changes_programs(lang));
    }
    let any: Vec<String> = needs
        .iter()
        .filter(|need| need.is_any_program())
        .map(|need| format!("`{}`", escape(&need.to_string())))
        .collect();
    if !any.is_empty() {
        let _ = writeln!(text, "{}", w::starts_programs(&list(&any, lang), lang));
    }
    // Nobody holds a program to what it was meant for.
    let shell = needs.iter().any(|need| matches!(need, access::Need::Shell(_)));
    text + if shell { w::beside_programs(lang) } else { w::beside(lang) }
}

/// Whether `need` lets change what runs without being asked again: the scripts, or what a shell reads when it starts.
fn changes_programs(need: &access::Need, dir: &Path) -> bool {
    let access::Need::Fs(does, path) = need else { return false };
    let home = std::env::home_dir().unwrap_or_default();
    let path = match path.as_deref().map(|path| (path, path.strip_prefix('~'))) {
        None => return *does != Some(Use::Read),
        Some((_, Some(rest))) => home.join(rest.trim_start_matches('/')),
        Some((path, None)) => PathBuf::from(path),
    };
    *does != Some(Use::Read) && [dir, &home].iter().any(|inside| inside.starts_with(&path))
}

/// Asks on the terminal.
fn confirmed() -> Result<bool> {
    let lang = lang::here();
    if !std::io::stdin().is_terminal() {
        return Err(Failed::new(w::no_terminal(lang)).hint(w::say_yes(lang)).misuse().into());
    }
    prompt(w::question(lang));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(is_yes(&line))
}

fn prompt(question: &str) {
    use std::io::Write as _;
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{question} ");
    let _ = err.flush();
}

/// How it stands with one script.
fn standing(script: &Asked, held: &BTreeMap<String, Consent>, lang: Lang) -> String {
    let needs = match &script.needs {
        Ok(needs) => needs,
        Err(error) => return w::broken(&error.to_string(), lang),
    };
    let stands = match held.get(&key(script)) {
        None => w::waits,
        Some(consent) if !covered(&consent.needs, needs) => w::waits_for_more,
        Some(consent) if consent.content != script.content => w::changed_since,
        Some(_) => w::is_granted,
    };
    stands(lang).to_owned()
}

fn listed(scripts: &[Asked], held: &BTreeMap<String, Consent>, lang: Lang) -> String {
    let mut text = String::new();
    for script in scripts {
        // A name is one line, whatever is in it.
        let _ = writeln!(text, "{}  {}", escape(&script.name), standing(script, held, lang));
        for need in script.needs.iter().flatten() {
            let granted = held
                .get(&key(script))
                .is_some_and(|has| has.needs.iter().any(|one| one.covers(need)));
            let mark = if granted { "✓" } else { "+" };
            let _ = writeln!(text, "  {mark} {}", escape(&need.to_string()));
        }
    }
    let gone =
        held.values().filter(|consent| scripts.iter().all(|script| key(script) != consent.path));
    for consent in gone {
        let _ = writeln!(text, "{}  {}", escape(&consent.path), w::is_gone(lang));
    }
    if text.is_empty() {
        text.push_str(w::none(lang));
    }
    text.trim_end().to_owned()
}

fn as_json(scripts: &[Asked], held: &BTreeMap<String, Consent>) -> serde_json::Value {
    let words = |needs: &Needs| needs.iter().map(ToString::to_string).collect::<Vec<_>>();
    let one = |script: &Asked| {
        let consent = held.get(&key(script));
        let needs = script.needs.as_ref().ok();
        let serves = match (consent, needs) {
            (Some(consent), Some(needs)) => covered(&consent.needs, needs),
            _ => false,
        };
        json!({
            "script": script.name,
            "path": script.path,
            "needs": needs.map(words),
            "error": script.needs.as_ref().err().map(ToString::to_string),
            "granted": consent.map(|consent| words(&consent.needs)),
            "changed": consent.is_some_and(|consent| consent.content != script.content),
            "serves": serves,
        })
    };
    json!({ "scripts": scripts.iter().map(one).collect::<Vec<_>>() })
}
