//! Help that writes itself from the declarations, in the reader's language, about what the reader may use.
//!
//! Plain text: `<env>` would be eaten where Markdown is rendered.

use std::fmt::Write;

use super::declaration::Command;
use super::problem::Problem;
use super::routes::{Handler, Kind, Routes};
use super::value::Type;
use super::words;
use crate::words::Lang;
use crate::words::approvals;
use crate::words::help as says;
use crate::words::list;

/// What a handler is for, in the languages its author wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Help {
    pub zh: Option<String>,
    pub en: Option<String>,
}

impl Help {
    /// The text in this language, or else in the other.
    pub fn pick(&self, lang: Lang) -> Option<&str> {
        let (first, second) = lang.pick((&self.zh, &self.en), (&self.en, &self.zh));
        first.as_deref().or(second.as_deref())
    }
}

impl<I> Handler<I> {
    /// The answer to wrong arguments: what is wrong, how it is written, an example.
    pub fn explain(&self, problem: &Problem, lang: Lang) -> String {
        let Some(command) = self.command() else { return problem.text(lang) };
        format!(
            "{}\n{}\n{}",
            problem.text(lang),
            says::usage(&command.usage(), lang),
            says::example(&self.example_line(command, Some(problem)), lang),
        )
    }

    /// A line that works as it stands: the author's, or one made of the required arguments.
    fn example_line(&self, command: &Command, problem: Option<&Problem>) -> String {
        let corrected = problem
            .is_some_and(|p| command.parameters.iter().any(|a| p.correction(&a.name).is_some()));
        if let (Some(example), false) = (&self.example, corrected) {
            return example.clone();
        }
        let mut line = command.name.clone();
        let wrong = problem.and_then(Problem::argument);
        // An optional argument is shown where it is the one that went wrong, and what stands before it with it.
        let shown =
            command.parameters.iter().rposition(|p| !p.optional || wrong == Some(p.name.as_str()));
        for parameter in command.parameters.iter().take(shown.map_or(0, |last| last + 1)) {
            let meant = problem.and_then(|p| p.correction(&parameter.name)).map(words::quote);
            let value = meant
                .or_else(|| parameter.kind.example())
                .unwrap_or_else(|| words::quote(&parameter.name));
            let _ = write!(line, " {value}");
        }
        for option in command.options.iter().filter(|option| wrong == Some(option.name.as_str())) {
            let meant = problem.and_then(|p| p.correction(&option.name)).map(words::quote);
            let value = meant
                .or_else(|| option.kind.example())
                .unwrap_or_else(|| words::quote(&option.name));
            let _ = if option.is_flag() {
                write!(line, " --{}", option.name)
            } else {
                write!(line, " --{}={value}", option.name)
            };
        }
        line
    }

    /// All about one command.
    fn describe(&self, command: &Command, lang: Lang) -> String {
        let mut text = command.usage();
        if let Some(help) = self.help.pick(lang) {
            let _ = write!(text, "\n{help}");
        }
        for parameter in &command.parameters {
            let expected = if parameter.rest && parameter.kind == Type::String {
                says::the_rest(lang).to_owned()
            } else {
                parameter.kind.expected(lang)
            };
            let _ = write!(text, "\n  {}", says::argument(&parameter.name, &expected, lang));
            match &parameter.default {
                Some(default) => text.push_str(&says::unless_given(&default.0, lang)),
                None if parameter.optional => text.push_str(says::optional(lang)),
                None => {}
            }
        }
        for option in &command.options {
            let mut name = format!("--{}", option.name);
            if let Some(short) = option.short {
                let _ = write!(name, ", -{short}");
            }
            if !option.is_flag() {
                name = says::argument(&name, &option.kind.expected(lang), lang);
            }
            let _ = write!(text, "\n  {name}");
            if let Some(default) = &option.default {
                text.push_str(&says::unless_given(&default.0, lang));
            }
        }
        let others: Vec<&str> =
            command.names().skip(1).chain(self.aliases.iter().map(String::as_str)).collect();
        if !others.is_empty() {
            let _ = write!(text, "\n{}", says::also(&list(&others, lang), lang));
        }
        if let Some(role) = &self.terms.role {
            let _ = write!(text, "\n{}", says::who(role, lang));
        }
        match self.terms.confirm.as_ref().map(|confirm| confirm.approvers.as_deref()) {
            Some(None) => {
                let _ = write!(text, "\n{}", approvals::asks_first(lang));
            }
            Some(Some(role)) => {
                let _ = write!(text, "\n{}", approvals::asks_another(role, lang));
            }
            None => {}
        }
        let _ = write!(text, "\n{}", says::example(&self.example_line(command, None), lang));
        text
    }
}

impl<I> Routes<I> {
    /// The answer to `help` or `help TOPIC`, about the handlers that `allowed` says this person may use.
    pub fn help(
        &self,
        topic: Option<&str>,
        lang: Lang,
        allowed: impl Fn(&Handler<I>) -> bool,
    ) -> String {
        match topic {
            Some(topic) => self.help_on(topic, lang, allowed),
            None => self.overview(lang, allowed),
        }
    }

    fn overview(&self, lang: Lang, allowed: impl Fn(&Handler<I>) -> bool) -> String {
        let mut lines: Vec<String> = Vec::new();
        for handler in self.handlers().filter(|handler| allowed(handler)) {
            let help = handler.help.pick(lang).and_then(|help| help.lines().next());
            let what = match &handler.kind {
                Kind::Command(command) => command.usage(),
                // A pattern says nothing to a reader; its help might.
                Kind::Match(_) | Kind::Fallback => match help {
                    Some(help) => {
                        lines.push(format!("· {help}"));
                        continue;
                    }
                    None => continue,
                },
            };
            lines.push(help.map_or_else(|| what.clone(), |help| format!("{what} — {help}")));
        }
        lines.sort();
        if lines.is_empty() {
            lines.push(says::nothing(lang).to_owned());
        }
        lines.push(String::new());
        lines.push(says::more(lang).to_owned());
        lines.join("\n")
    }

    fn help_on(&self, topic: &str, lang: Lang, allowed: impl Fn(&Handler<I>) -> bool) -> String {
        if let Some(handler) = self.named(topic).filter(|handler| allowed(handler))
            && let Some(command) = handler.command()
        {
            return handler.describe(command, lang);
        }
        self.unknown(topic, lang, allowed)
    }

    /// The polite answer to a command that is not there: the nearest that this person may use.
    pub fn unknown(&self, word: &str, lang: Lang, allowed: impl Fn(&Handler<I>) -> bool) -> String {
        let nearest = self.nearest(word, allowed);
        let word = words::shown(word);
        match nearest {
            Some(nearest) => says::no_such_but(&word, nearest, lang),
            None => says::no_such(&word, lang),
        }
    }
}
