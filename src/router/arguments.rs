//! From words to typed arguments: the second half of a command.
//!
//! Each word goes to exactly one argument. Options are recognised by name in any place, until `--` or until a rest
//! argument of text begins: what follows belongs to that text, as it was typed, quotes included.

use std::collections::VecDeque;

use super::declaration::{Command, Opt, Parameter};
use super::problem::Problem;
use super::routes::Asked;
use super::value::{Type, Value};
use super::words::{self, Word};

/// The arguments of one call, in the order of the declaration. Absent optional ones are not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args(Vec<(String, Value)>);

impl Args {
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Name and value; the names are those that scripts see (`--dry-run` is `dry_run`).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What was given so far.
struct Binding<'c> {
    command: &'c Command,
    asked: &'c Asked<'c>,
    mentioned: VecDeque<&'c str>,
    positional: Vec<Option<Value>>,
    named: Vec<Option<Value>>,
    /// Index of the parameter that the next word belongs to.
    next: usize,
}

/// Gives `words`, which follow the command's name in `typed`, to the arguments of `command`.
pub(super) fn bind(
    command: &Command,
    typed: &str,
    words: &[Word],
    asked: &Asked<'_>,
) -> Result<Args, Problem> {
    let mentioned = asked.mentions.iter().filter(|mention| !mention.is_bot);
    let mut binding = Binding {
        command,
        asked,
        // DingTalk removes mentions from the text, so people come beside it, in its order.
        mentioned: mentioned
            .filter_map(|mention| mention.staff_id.as_ref().map(crate::message::StaffId::as_str))
            .collect(),
        positional: vec![None; command.parameters.len()],
        named: vec![None; command.options.len()],
        next: 0,
    };
    let mut words = words.iter();
    let mut options_end = false;
    binding.take_mentions();
    while let Some(word) = words.next() {
        if !word.quoted && !options_end {
            if matches!(&*words::narrow(&word.text), "--") {
                options_end = true;
                continue;
            }
            if let Some((index, value)) = binding.option(word)? {
                binding.set_option(index, value, &mut words)?;
                continue;
            }
        }
        if binding.positional_word(word, typed)? {
            break;
        }
        binding.take_mentions();
    }
    binding.finish()
}

impl Binding<'_> {
    /// The option that `word` names, with the value written after its equals sign; `None` when it names none.
    fn option<'w>(&self, word: &'w Word) -> Result<Option<(usize, Option<&'w str>)>, Problem> {
        let Some((written, long)) = words::option_name(&word.text) else { return Ok(None) };
        let (name, value) = match written.split_once(['=', '＝']) {
            Some((name, value)) => (name, Some(value)),
            None => (written, None),
        };
        let folded = words::fold(name);
        let found = self.command.options.iter().position(|option| {
            if long {
                words::fold(&option.name) == folded
            } else {
                option.short.is_some_and(|short| name == short.to_string())
            }
        });
        if let Some(index) = found {
            return Ok(Some((index, value)));
        }
        if !long {
            return Ok(None);
        }
        let nearest =
            words::nearest(name, self.command.options.iter().map(|option| option.name.as_str()));
        // Text may hold dashes of its own, but a slip in an option must not vanish into it.
        let is_text = self.command.parameters.get(self.next).is_some_and(takes_text);
        if is_text && nearest.is_none() {
            return Ok(None);
        }
        Err(Problem::UnknownOption {
            word: format!("--{name}"),
            nearest: nearest.map(|name| format!("--{name}")),
            known: self.command.options.iter().map(|option| format!("--{}", option.name)).collect(),
        })
    }

    fn set_option<'w>(
        &mut self,
        index: usize,
        value: Option<&'w str>,
        words: &mut impl Iterator<Item = &'w Word>,
    ) -> Result<(), Problem> {
        let option: &Opt = &self.command.options[index];
        if self.named[index].is_some() {
            return Err(Problem::Twice { option: option.name.clone() });
        }
        let value = match value {
            None if option.is_flag() => Value::Bool(true),
            Some(word) => self.read(&option.name, &option.kind, word)?,
            None => match words.next() {
                Some(word) => self.read(&option.name, &option.kind, &word.text)?,
                None => {
                    return Err(Problem::NoValue {
                        option: option.name.clone(),
                        kind: option.kind.clone(),
                    });
                }
            },
        };
        self.named[index] = Some(value);
        Ok(())
    }

    /// Gives `word` to the next parameter; returns whether that took everything that is left.
    fn positional_word(&mut self, word: &Word, typed: &str) -> Result<bool, Problem> {
        let Some(parameter) = self.command.parameters.get(self.next) else {
            return Err(Problem::Extra { word: word.text.clone() });
        };
        if takes_text(parameter) {
            let text = typed[word.start..].trim_end_matches(words::is_space);
            self.positional[self.next] = Some(Value::String(text.to_owned()));
            return Ok(true);
        }
        let value = self.read(&parameter.name, &parameter.kind, &word.text)?;
        self.give(value);
        Ok(false)
    }

    /// People who were mentioned fill the arguments that are people, before any word does.
    fn take_mentions(&mut self) {
        while self
            .command
            .parameters
            .get(self.next)
            .is_some_and(|parameter| parameter.kind == Type::User)
        {
            let Some(id) = self.mentioned.pop_front() else { return };
            self.give(Value::User(id.to_owned()));
        }
    }

    fn give(&mut self, value: Value) {
        if self.command.parameters[self.next].rest {
            match &mut self.positional[self.next] {
                Some(Value::List(values)) => values.push(value),
                empty => *empty = Some(Value::List(vec![value])),
            }
        } else {
            self.positional[self.next] = Some(value);
            self.next += 1;
        }
    }

    fn read(&self, argument: &str, kind: &Type, word: &str) -> Result<Value, Problem> {
        kind.read(word, self.asked.today).ok_or_else(|| {
            let nearest = match kind {
                Type::Enum(choices) => {
                    words::nearest(word, choices.iter().map(String::as_str)).map(str::to_owned)
                }
                _ => None,
            };
            Problem::Value {
                argument: argument.to_owned(),
                word: word.to_owned(),
                kind: kind.clone(),
                nearest,
            }
        })
    }

    /// Fills in defaults; what is required and absent is a problem.
    fn finish(self) -> Result<Args, Problem> {
        let mut args = Vec::new();
        for (parameter, value) in self.command.parameters.iter().zip(self.positional) {
            let default = || {
                parameter.default.as_ref().and_then(|d| d.value(&parameter.kind, self.asked.today))
            };
            match value.or_else(default) {
                Some(value) => args.push((parameter.key(), value)),
                None if parameter.optional => {}
                None => {
                    return Err(Problem::Missing {
                        argument: parameter.name.clone(),
                        kind: parameter.kind.clone(),
                    });
                }
            }
        }
        for (option, value) in self.command.options.iter().zip(self.named) {
            let default = || match &option.default {
                Some(default) => default.value(&option.kind, self.asked.today),
                None => option.is_flag().then_some(Value::Bool(false)),
            };
            if let Some(value) = value.or_else(default) {
                args.push((option.key(), value));
            }
        }
        Ok(Args(args))
    }
}

fn takes_text(parameter: &Parameter) -> bool {
    parameter.rest && parameter.kind == Type::String
}
