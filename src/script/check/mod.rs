//! What can be said about scripts before a message comes: whether they load and fit together, whether their types are
//! right, and what is hardly meant as it is written.
//!
//! [`folder`] loads every script as a host would and throws it away again; nothing of it runs but its top level.
//! [`text`] looks at one file by itself: that is what a save asks for.

mod annotations;
mod expressions;
mod finding;
mod lexer;
mod needs;
mod scope;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::access::Reach;
use crate::access::disguise::{Disguise, disguises};
use crate::api::Host;
use crate::router::Handler;
use crate::router::Routes;
use crate::router::Warning;
use crate::words::findings as w;
use crate::words::{Lang, Said};

use super::asked;
use super::diagnostic::{LoadError, LoadErrorKind};
use super::edition::{Candidate, Target};
use super::loader::conflict_error;
use super::require::{Folder, Resolver};
use super::scan::{self, FolderError, Look, Recorder};
use super::vm::{Source, Vm, compiles};

pub use super::scan::{is_script, is_test};
pub use finding::{Finding, Severity};
use scope::Lint;

/// What `check` found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// By file, line and column.
    pub findings: Vec<Finding>,
    /// Files that were read, required ones included.
    pub files: usize,
    pub handlers: usize,
}

/// Checks the scripts of `dir`, and what they require. With `only`, the name of one script: what concerns that one, as
/// it stands among the others.
///
/// # Errors
/// When the folder cannot be read.
pub fn folder(dir: &Path, only: Option<&str>, host: &Host) -> Result<Checked, FolderError> {
    let mut checker = Checker { dir, host, checked: Checked::default(), read: BTreeMap::new() };
    let mut candidates: Vec<Candidate> = Vec::new();
    for (name, path) in scan::scripts(dir, host.asked())? {
        let concerned = only.is_none_or(|only| only == name);
        match checker.load(&name, &path, candidates.len() as u64, concerned) {
            Ok(candidate) => candidates.push(candidate),
            Err(error) if concerned => checker.checked.findings.push(Finding::from(&error)),
            Err(_) => {}
        }
    }
    let concerns = |path: &str, read: &BTreeMap<String, String>| {
        only.is_none_or(|only| path == only) || read.contains_key(path)
    };
    let handlers: Vec<Arc<Handler<Target>>> =
        candidates.iter().flat_map(Candidate::handlers).cloned().collect();
    checker.checked.handlers = handlers.len();
    for fault in Routes::check(handlers.iter().cloned()) {
        let error = conflict_error(&fault, "", |path| checker.source(path));
        let both = format!("{fault}");
        if concerns(&error.path, &checker.read) || only.is_some_and(|only| both.contains(only)) {
            checker.checked.findings.push(Finding::from(&error));
        }
    }
    if let Ok(routes) = Routes::compile(handlers) {
        for warning in routes.warnings() {
            let finding = unreachable(&warning, |path| checker.source(path));
            if concerns(&finding.path, &checker.read) {
                checker.checked.findings.push(finding);
            }
        }
    }
    for (name, path) in scan::tests(dir) {
        if only.is_none_or(|only| only == name) {
            checker.test(name, &path);
        }
    }
    for (path, source) in &checker.read {
        checker.checked.findings.extend(text(path, source));
    }
    checker.checked.files = checker.read.len();
    let findings = &mut checker.checked.findings;
    findings.sort_by(|a, b| (&a.path, a.start, a.severity).cmp(&(&b.path, b.start, b.severity)));
    findings.dedup();
    Ok(checker.checked)
}

/// Checks one file by itself: types and lints. A file that does not compile has no findings here; loading says why.
pub fn text(path: &str, text: &str) -> Vec<Finding> {
    // The byte order mark of some editors is not part of the script.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (tokens, comments) = lexer::tokens(text);
    let mut findings = types::findings(path, text);
    findings.extend(
        scope::lints(text, &tokens)
            .into_iter()
            .map(|(lint, span)| describe(lint, path, text, &span)),
    );
    findings
        .extend(disguises(text).into_iter().map(|(span, what)| hidden(&what, path, text, &span)));
    allow(text, &comments, &mut findings);
    findings.sort_by_key(|finding| finding.start);
    findings
}

/// Takes out what comments allow.
fn allow(text: &str, comments: &[Range<usize>], findings: &mut Vec<Finding>) {
    let allowed = allowances(text, comments);
    findings.retain(|finding| {
        let line = finding.start.map_or(0, |(line, _)| line);
        !allowed.iter().any(|(at, rule)| rule == finding.rule && (*at == line || at + 1 == line))
    });
}

/// What a file of a script does that the script does not ask for.
fn unasked(path: &str, text: &str, reach: &Reach) -> Vec<Finding> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (tokens, comments) = lexer::tokens(text);
    let mut findings = needs::findings(path, text, &tokens, reach);
    allow(text, &comments, &mut findings);
    findings
}

fn hidden(what: &Disguise, path: &str, text: &str, span: &Range<usize>) -> Finding {
    let code = |c: char| format!("U+{:04X}", u32::from(c));
    let (rule, message) = match what {
        Disguise::Bidi(c) => ("bidi", Said::new(|lang| w::bidi(&code(*c), lang))),
        Disguise::Invisible(c) => ("invisible", Said::new(|lang| w::invisible(&code(*c), lang))),
        Disguise::Lookalike(alphabet) => {
            ("lookalike", Said::new(|lang| w::lookalike(alphabet, lang)))
        }
    };
    let mut finding = Finding::warning(rule, path, text, span, |lang| message.pick(lang));
    // Shown, it would do to the terminal what it does to the editor.
    finding.source = finding.source.map(|line| visible(&line));
    finding.hint(w::take_it_out)
}

/// A line in which what hides shows, one sign for each.
fn visible(line: &str) -> String {
    let mut shown = line.to_owned();
    for (span, what) in disguises(line).into_iter().rev() {
        if !matches!(what, Disguise::Lookalike(_)) {
            shown.replace_range(span, "\u{fffd}");
        }
    }
    shown
}

struct Checker<'a> {
    dir: &'a Path,
    host: &'a Host,
    checked: Checked,
    /// The text of each file to look at by itself.
    read: BTreeMap<String, String>,
}

impl Checker<'_> {
    fn load(
        &mut self,
        name: &str,
        path: &Path,
        id: u64,
        concerned: bool,
    ) -> Result<Candidate, LoadError> {
        let bytes = match scan::read(path) {
            Look::Bytes(bytes) => bytes,
            other => return Err(scan::unusable(name, &other)),
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let inside = self.host.asked_folder(name).unwrap_or_default();
        let recorder = Arc::new(Recorder::new(Folder::new(self.dir).only(inside)));
        let loaded = Vm::load(
            &Source { path: name.to_owned(), bytes },
            self.host,
            Arc::clone(&recorder) as Arc<dyn Resolver>,
        );
        let compiled = !matches!(
            &loaded,
            Err(LoadError {
                kind: LoadErrorKind::Syntax | LoadErrorKind::NotUtf8 | LoadErrorKind::TooLarge,
                path,
                ..
            }) if path == name
        );
        if concerned && compiled {
            self.read.insert(name.to_owned(), text);
            let broken = loaded.as_ref().err().map(|error| error.path.as_str());
            for path in recorder.asked().into_iter().filter_map(|(path, found)| found.map(|_| path))
            {
                if broken != Some(path.as_str())
                    && let Some(text) = self.source(&path)
                {
                    self.read.insert(path, text);
                }
            }
        }
        let vm = loaded?;
        if concerned && let Err(error) = asked::granted(self.host, self.dir, name, &vm.needs()) {
            let severity = Severity::Warning;
            self.checked.findings.push(Finding { severity, ..Finding::from(&error) });
        }
        let reach = vm.reach().get();
        if concerned && matches!(reach, Reach::Only(_)) {
            let files = std::iter::once(name).chain(vm.dependencies().iter().map(String::as_str));
            let unasked =
                files.filter_map(|file| Some(unasked(file, self.read.get(file)?, &reach)));
            let unasked: Vec<Finding> = unasked.flatten().collect();
            self.checked.findings.extend(unasked);
        }
        Candidate::new(id, vm, |path| self.source(path))
    }

    /// A test is compiled and looked at; `test` runs it.
    fn test(&mut self, name: String, path: &Path) {
        let Look::Bytes(bytes) = scan::read(path) else {
            let error = LoadError::new(LoadErrorKind::Unreadable, name, "the file cannot be read");
            return self.checked.findings.push(Finding::from(&error));
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match compiles(&Source { path: name.clone(), bytes }) {
            Ok(()) => drop(self.read.insert(name, text)),
            Err(error) => self.checked.findings.push(Finding::from(&error)),
        }
    }

    fn source(&self, path: &str) -> Option<String> {
        let bytes = Folder::new(self.dir).read(path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn describe(lint: Lint, path: &str, text: &str, span: &Range<usize>) -> Finding {
    match lint {
        Lint::UnusedLocal { name } => {
            let message = |lang| w::unread_local(&name, lang);
            Finding::warning("unused_local", path, text, span, message)
                .hint(|lang| w::remove_or_rename(&name, lang))
        }
        Lint::UnusedFunction { name } => {
            let message = |lang| w::uncalled_function(&name, lang);
            Finding::warning("unused_function", path, text, span, message)
                .hint(|lang| w::remove_or_rename(&name, lang))
        }
        Lint::Removed { name } => {
            let message = |lang| w::removed(&name, lang);
            Finding::warning("unknown_global", path, text, span, message).hint(w::removed_hint)
        }
        Lint::ShellTemplate => {
            Finding::warning("shell_template", path, text, span, w::shell_template)
                .hint(w::shell_template_hint)
        }
    }
}

fn unreachable(warning: &Warning, source: impl Fn(&str) -> Option<String>) -> Finding {
    let place = warning.place();
    // The caret goes to what its message quotes.
    let said = warning.text(Lang::En);
    let mut error = LoadError::new(LoadErrorKind::Conflict, place.script.clone(), said);
    error = error.at(place.line as usize, source(&place.script).as_deref());
    let message = Said::new(|lang| warning.text(lang));
    Finding { severity: Severity::Warning, rule: "unreachable", message, ..Finding::from(&error) }
        .hint(|lang| warning.hint(lang))
}

/// Rules that comments switch off, for their own line and the next: `-- moonbell: allow shell_template`.
fn allowances(text: &str, comments: &[Range<usize>]) -> BTreeSet<(usize, String)> {
    let mut allowed = BTreeSet::new();
    for span in comments {
        let comment = text[span.clone()].trim_start_matches('-').trim();
        let Some(rules) = comment.strip_prefix("moonbell: allow ") else { continue };
        let (line, _) = finding::position(text, span.start);
        // What follows the rules may say why.
        let rules = rules.split([' ', ',']).filter(|rule| !rule.is_empty());
        allowed.extend(rules.map(|rule| (line, rule.to_owned())));
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each finding as `line:column rule message`.
    fn found(source: &str) -> Vec<String> {
        let one = |finding: Finding| {
            let (line, column) = finding.start.unwrap_or_default();
            format!("{line}:{column} {} {}", finding.rule, finding.message)
        };
        text("a.luau", source).into_iter().map(one).collect()
    }

    #[test]
    fn the_definitions_are_one_valid_definition_file() {
        let wrong = luaur_rt::check_with_definitions("", crate::api::definitions::all());
        assert_eq!(wrong, Ok(()));
    }

    #[test]
    fn mistakes_of_type_are_found_without_an_annotation() {
        for (source, expected) in [
            (
                "bot.command('a', function(ctx) ctx:repyl('x') end)",
                "1:36 type `Ctx` has no `repyl`",
            ),
            ("bot.comand('a', print)", "1:5 type `bot` has no `comand`"),
            (
                "bot.match('a', function(ctx) ctx:reply(ctx.user.nmae) end)",
                "1:49 type `User` has no `nmae`",
            ),
            (
                "bot.command('a', { run = function(ctx) ctx:foo() end })",
                "1:44 type `Ctx` has no `foo`",
            ),
            ("local s = shel.run({ 'ls' }) print(s)", "1:11 unknown_global there is no `shel`"),
            ("print(totals)", "1:7 unknown_global there is no `totals`"),
            ("print(loadstring('x'))", "1:7 unknown_global scripts have no `loadstring`"),
            (
                "--!strict\nlocal r = shell.run({ 'ls' })\nprint(r.out)",
                "3:7 type this may be nil (its type is `ShellResult?`)",
            ),
            (
                "--!strict\nlocal n: number = time.format()\nprint(n)",
                "2:1 type expected `number`, got `string`",
            ),
            (
                "--!strict\nbot.on('strat', function() end)",
                "2:8 type expected `\"card\" | \"chat_add_member\" | \"chat_disband\" | \"chat_quit\" | \"chat_remove_member\" | \"chat_update_owner\" | \"chat_update_title\" | \"event\" | \"robot_msg_read\" | \"robot_msg_recall\" | \"start\" | \"stop\" | \"user_add_org\" | \"user_leave_org\"`, got `\"strat\"`",
            ),
        ] {
            assert_eq!(found(source), [expected], "{source}");
        }
    }

    #[test]
    fn what_is_right_is_left_alone() {
        for source in [
            "bot.command('a', function(ctx) ctx:reply('x') end)",
            "bot.command('a', function(ctx) return bot.pass end)",
            "bot.command('a <n:int>', { help = { en = 'x' }, run = function(ctx) ctx:reply(ctx.args.n + 1) end })",
            "local lib = require('lib/text')\nbot.fallback(function(ctx) ctx:reply(lib.shout(ctx.text)) end)",
            "--!strict\nlocal r, err = shell.run({ 'git', 'pull', cwd = '~' })\nprint(if r then r.out else err)",
            "--!strict\nfor line in assert(shell.spawn({ 'ls' })):lines() do print(line) end",
            "--!strict\nbot.every('10s', function() log.info('x', { a = 1 }) kv.incr('n') end)",
            "--!nocheck\nbot.comand('a')",
            "--!strict\nbot.fallback(function(ctx) local t, err = fs.read('x') if not t then ctx:reply(err.message) return end ctx:reply(t) end)",
            "--!strict\nbot.fallback(function(ctx) local t, err = fs.read('x') ctx:reply(if t then t else 'no: ' .. err) end)",
            "--!strict\nbot.fallback(function(ctx) local ok, err = fs.write('x', 'y') if not ok then ctx:reply(err) end end)",
            "--!strict\nlocal _, err = fs.read('x')\nif err then error(err) end",
            "--!strict\nprint(#assert(fs.read('x')), assert(shell.run({ 'ls' })).out)",
            "--!strict\nlocal function get(): (string?, Failure?) return fs.read('x') end\nprint(get())",
            "--!strict\nlocal r = http.get('https://x', { headers = { accept = 'x' }, query = { page = 2 }, timeout = '5s' })\nif r then bot.send('owner', r.body) end",
        ] {
            assert_eq!(found(source), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn what_may_be_nil_or_is_nowhere_declared_says_what_to_do() {
        for (source, hint) in [
            ("--!strict\nlocal n = tonumber('1') + 1\nprint(n)", "it may be nil"),
            ("print(totals)", "`local totals = …`"),
        ] {
            let findings = text("a.luau", source);
            let hinted = findings[0].hint.as_ref().unwrap().to_string();
            assert!(hinted.contains(hint), "{source}: {hinted}");
        }
    }

    #[test]
    fn a_comment_allows_a_rule_on_its_line_and_the_next() {
        let script =
            "bot.command('a', function(ctx)\n\tWHERE1\n\tshell.sh(ctx.text) WHERE2\nend)\n";
        let with =
            |one: &str, two: &str| found(&script.replace("WHERE1", one).replace("WHERE2", two));
        assert_eq!(with("", "").len(), 1);
        assert!(with("-- moonbell: allow shell_template: the owner asked", "").len() == 1);
        assert!(with("-- moonbell: allow shell_template, the owner asked", "").is_empty());
        assert!(with("", "-- moonbell: allow shell_template").is_empty());
        assert_eq!(with("-- moonbell: allow unused_local", "").len(), 1);
    }

    #[test]
    fn code_that_nests_as_deep_as_it_may_is_checked_or_given_up_never_worse() {
        for (open, inner, close) in
            [("(", "1", ")"), ("{", "1", "}"), ("function() return ", "1", " end")]
        {
            let depth = 180;
            let source =
                format!("local x = {}{inner}{}\nprint(x)", open.repeat(depth), close.repeat(depth));
            assert!(text("a.luau", &source).len() <= 1, "{open}");
        }
        text("a.luau", &format!("print({})", vec!["'a'"; 900].join(" .. ")));
    }
}
