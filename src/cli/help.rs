//! `--help` in Chinese, where that is what the reader reads.
//!
//! Arguments are parsed in English, where their doc comments are the help; only when help is asked for is the same command
//! line dressed in `words::manual`. What clap says of wrong arguments stays as it words it.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory as _};

use super::{Cli, Global, columns, lang, talk};
use crate::words::Lang;
use crate::words::manual::{self, PAGES, Page};

/// As wide as English help gets, too.
const WIDEST: usize = 100;

/// Columns before the help of an argument that stands below its name, and of one that stands beside it.
const BELOW: usize = 10;
const BESIDE: usize = 24;

/// The help that `error` is, in the language of this terminal.
pub(super) fn told(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if !asked {
        return error;
    }
    Global::of_variables().heed_language();
    if lang::here() == Lang::En {
        return error;
    }
    chinese(talk::width().min(WIDEST)).try_get_matches_from(arguments).err().unwrap_or(error)
}

/// The command line in Chinese, its text broken into lines of so many columns.
fn chinese(width: usize) -> Command {
    let mut program = Cli::command();
    // Only then are its flags for help and version there.
    program.build();
    dressed(program, "", width)
}

fn dressed(command: Command, path: &str, width: usize) -> Command {
    let Some(page) = page(path) else { return command.about(manual::HELP_COMMAND) };
    let has_commands = command.has_subcommands();
    let has_places = command.get_positionals().any(|argument| !argument.is_hide_set());
    let command = command
        .help_template(template(has_commands, has_places))
        .about(broken(page.about, width))
        .after_help(broken(page.after, width))
        // Beside their names there would be little room, and clap does not break Chinese.
        .next_line_help(!has_commands)
        .mut_args(|argument| {
            let before = if has_commands { BESIDE } else { BELOW };
            let help = broken(help(page, &argument), width - before);
            argument.long_help(None).help(help)
        })
        .mut_subcommands(|inner| {
            let path = format!("{path} {}", inner.get_name());
            dressed(inner, path.trim_start(), width)
        });
    if page.more.is_empty() {
        return command;
    }
    command.long_about(broken(&format!("{}\n\n{}", page.about, page.more), width))
}

/// Clap's own headings end in a colon of ASCII.
fn template(has_commands: bool, has_places: bool) -> String {
    let parts = [
        (has_commands, manual::COMMANDS, "{subcommands}"),
        (has_places, manual::ARGUMENTS, "{positionals}"),
        (true, manual::OPTIONS, "{options}"),
    ];
    let mut template = format!("{{before-help}}{{about-with-newline}}\n{}{{usage}}", manual::USAGE);
    for (_, heading, tag) in parts.into_iter().filter(|(is_there, ..)| *is_there) {
        let _ = write!(template, "\n\n{heading}\n{tag}");
    }
    template + "{after-help}"
}

fn page(path: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.command == path)
}

/// What the page says of an argument, or the program's own, which has those of all commands.
fn help(page: &Page, argument: &Arg) -> &'static str {
    let id = argument.get_id().as_str();
    let own = [("help", manual::HELP), ("version", manual::VERSION)];
    let all = page.arguments.iter().chain(PAGES[0].arguments).chain(&own);
    all.clone().find(|(known, _)| *known == id).map_or("", |(_, help)| help)
}

/// Clap breaks lines at spaces, of which Chinese has few. Examples stay as they are.
fn broken(text: &str, width: usize) -> String {
    let one = |line: &str| {
        if line.starts_with(' ') { line.to_owned() } else { columns::wrap(line, 0, 0, width) }
    };
    text.lines().map(one).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

    use super::*;

    /// Every command, by its whole name, without those that clap adds.
    fn commands(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
        found.push((path.to_owned(), command.clone()));
        for inner in command.get_subcommands() {
            commands(inner, format!("{path} {}", inner.get_name()).trim_start(), found);
        }
    }

    #[test]
    fn every_command_and_argument_has_its_chinese_line_and_no_other_has() {
        let mut all = Vec::new();
        commands(&Cli::command(), "", &mut all);
        let known: BTreeSet<&str> = PAGES.iter().map(|page| page.command).collect();
        let there: BTreeSet<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(known, there);
        for (path, command) in &all {
            let page = page(path).unwrap();
            let known: BTreeSet<&str> = page.arguments.iter().map(|(id, _)| *id).collect();
            let mut there: BTreeSet<&str> =
                command.get_arguments().map(|argument| argument.get_id().as_str()).collect();
            // Those of the command above that count for this one, too.
            there.retain(|id| *id != "help" && *id != "version");
            assert_eq!(known, there, "`{path}`");
            let long = command.get_long_about().is_some();
            assert_eq!(!page.more.is_empty(), long, "`{path}`: what only --help says");
            assert_eq!(!page.after.is_empty(), command.get_after_help().is_some(), "`{path}`");
            for line in page.after.lines().filter(|line| line.starts_with(' ')) {
                let is_code = !line.chars().any(|c| c.width() == Some(2));
                assert!(is_code || line.width() <= 80, "`{path}`: too wide: {line}");
            }
            let texts = page.arguments.iter().map(|(_, text)| *text);
            for text in texts.chain([page.about]) {
                assert_eq!(Lang::of(text), Some(Lang::Zh), "`{path}`: {text}");
            }
        }
    }

    #[test]
    fn help_is_chinese_from_the_first_line_to_the_last() {
        for arguments in [
            &["moonbell", "--help"][..],
            &["moonbell", "run", "--help"],
            &["moonbell", "runs", "-h"],
            &["moonbell", "help", "explain"],
            &["moonbell", "outbox", "drop", "--help"],
        ] {
            let error = chinese(80).try_get_matches_from(arguments).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{arguments:?}: {error}");
            let help = error.to_string();
            for heading in ["用法：moonbell", "选项："] {
                assert!(help.contains(heading), "{heading}: {help}");
            }
            for english in [
                "选项:",
                "参数:",
                "命令:",
                "Usage",
                "Options",
                "Arguments",
                "Commands",
                "Print",
                "Examples",
            ] {
                assert!(!help.contains(english), "{english}: {help}");
            }
        }
    }
}
