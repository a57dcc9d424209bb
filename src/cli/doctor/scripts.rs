//! Scripts: whether they load, and whether there are any.

use super::Facts;
use super::check::{Check, Fix};
use crate::cli::check::granted;
use crate::cli::errors;
use crate::cli::starter;
use crate::script::check::{self, Severity};
use crate::words::commands::errors as says;
use crate::words::doctor::scripts as w;

pub(super) fn scripts(facts: &Facts, fix: Fix) -> Check {
    const ID: &str = "scripts";
    let dir = &facts.loaded.config.scripts.dir;
    let folder = dir.to_string_lossy();
    let mut fixed = Vec::new();
    if !dir.exists() {
        let made = fix.run(dir, w::created, || {
            starter::prepare(dir).map(drop).map_err(std::io::Error::other)
        });
        if made.is_none() {
            return Check::warning(ID, |lang| w::missing(&folder, lang)).todo(w::make_it);
        }
        fixed.extend(made);
    }
    // What a journal that cannot be read grants is nothing.
    let host = granted(&facts.loaded.config).unwrap_or_default();
    let check = match check::folder(dir, None, &host) {
        Err(error) => Check::failed(ID, |lang| errors::folder(&error, lang))
            .todo(|lang| says::retold(error.hint(), lang)),
        Ok(checked) => {
            let is_error = |finding: &&check::Finding| finding.severity == Severity::Error;
            let all = checked.findings.iter().filter(is_error).count();
            let (files, handlers) = (checked.files, checked.handlers);
            match checked.findings.iter().find(is_error) {
                Some(first) => {
                    let at = first.start.map_or(String::new(), |(line, _)| format!(":{line}"));
                    let what = |lang| format!("{}{at}: {}", first.path, first.message.pick(lang));
                    Check::failed(ID, |lang| w::mistakes(all, &what(lang), lang)).todo(w::see_all)
                }
                None if handlers == 0 => {
                    Check::warning(ID, |lang| w::empty(&folder, lang)).todo(w::write_one)
                }
                None => Check::ok(ID, |lang| {
                    w::sound(&w::files(files, lang), &w::handlers(handlers, lang), lang)
                }),
            }
        }
    };
    Check { fixed, ..check }
}
