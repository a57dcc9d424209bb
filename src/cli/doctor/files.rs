//! Files: who else may read or change them, and what a host that is gone left behind.

use std::fs;
use std::path::Path;

use super::Facts;
use super::check::{Check, Fix, Said, State};
use crate::cli::modes::{self, Open};
use crate::words::doctor::files as w;

/// Files of a host that is gone; they lead others astray at worst.
const LEFT: [&str; 4] = ["status.json", "status.json.new", "console.json", "console.json.new"];

pub(super) fn file_modes(facts: &Facts, fix: Fix) -> Check {
    let config = &facts.loaded.config;
    let (mut open, mut fixed) = (Vec::new(), Vec::new());
    for Open { path, others } in modes::open(config, &facts.loaded) {
        match fix.run(&path, w::tightened, || restrict(&path, others)) {
            Some(said) => fixed.push(said),
            None => open.push(Said::new(|lang| modes::told(&path, others, lang))),
        }
    }
    let check = match open.into_iter().reduce(|all, more| all.and(&more)) {
        None => Check::ok("file-modes", w::yours_alone),
        Some(seen) => Check::new("file-modes", State::Failed, seen).todo(w::tighten),
    };
    Check { fixed, ..check }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(unix)]
pub(super) fn restrict(path: &Path, others: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)?.permissions().mode();
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7777 & !others))
}

#[cfg(not(unix))]
pub(super) fn restrict(_: &Path, _: u32) -> std::io::Result<()> {
    Ok(())
}

pub(super) fn stale_files(facts: &Facts, fix: Fix) -> Check {
    if facts.runs {
        return Check::ok("stale-files", w::a_host_runs);
    }
    let dir = &facts.loaded.config.state.dir;
    let left = LEFT.iter().map(|name| dir.join(name)).filter(|path| path.exists());
    let (mut there, mut fixed) = (Vec::new(), Vec::new());
    for path in left {
        match fix.run(&path, w::removed, || fs::remove_file(&path)) {
            Some(said) => fixed.push(said),
            None => there.push(name_of(&path)),
        }
    }
    let check = if there.is_empty() {
        Check::ok("stale-files", w::none_left)
    } else {
        let names = there.join(", ");
        Check::warning("stale-files", |lang| w::left(&names, lang)).todo(w::harmless)
    };
    Check { fixed, ..check }
}
