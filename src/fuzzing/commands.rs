//! What authors declare and people type.

use std::sync::{Arc, LazyLock};

use chrono::NaiveDate;

use crate::access::Terms;
use crate::message::{Mention, StaffId};
use crate::router::quote;
use crate::router::{Args, Asked, Choice, Command, Handler, Help, Kind, Place, Routes, Value};
use crate::words::Lang;
use crate::words::help;

/// A declaration in the first line, what somebody types in the rest. What is printed of a declaration declares the same; of
/// arguments, typed out, become the same arguments; what is wrong is said without what acts, and the example works.
pub fn commands(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (declaration, typed) = text.split_once('\n').unwrap_or((&text, ""));
    let command = match Command::parse(declaration) {
        Ok(command) => command,
        Err(error) => {
            let shown = error.caret();
            assert!(shown.ends_with('^'), "no caret under {declaration:?}");
            assert!(error.column <= declaration.chars().count() + 1, "a column behind its line");
            return;
        }
    };
    let printed = command.to_string();
    let again = Command::parse(&printed);
    assert_eq!(again.as_ref(), Ok(&command), "`{printed}` declares something else");
    let _ = command.usage();
    let handler = Handler {
        id: 0_u32,
        kind: Kind::Command(command.clone()),
        priority: 0,
        place: Place { script: "fuzz.luau".to_owned(), line: 1 },
        terms: Terms::default(),
        help: Help::default(),
        aliases: Vec::new(),
        example: None,
    };
    let Ok(routes) = Routes::compile([Arc::new(handler)]) else { return };
    for mentions in [&[][..], &PEOPLE[..]] {
        understood(&command, &routes, typed, mentions);
    }
}

/// Whom a message mentions.
static PEOPLE: LazyLock<[Mention; 3]> = LazyLock::new(|| {
    [(Some("manager4220"), false), (None, true), (Some("@user7"), false)].map(|(id, is_bot)| {
        Mention { staff_id: id.map(StaffId::new), opaque_id: "$:LWCP_v1:$x".to_owned(), is_bot }
    })
});

fn understood(command: &Command, routes: &Routes<u32>, typed: &str, mentions: &[Mention]) {
    let today = NaiveDate::from_ymd_opt(2026, 11, 30).expect("a date");
    match routes.choose(typed, &Asked { today, mentions }) {
        Choice::BadArguments { handler, problem } => {
            for lang in [Lang::Zh, Lang::En] {
                let said = problem.text(lang);
                let acts = command.to_string().contains(char::is_control);
                assert!(acts || !said.contains(char::is_control), "{said:?} is more than a line");
                let explained = handler.explain(&problem, lang);
                assert!(explained.contains(&said), "nobody hears what is wrong: {explained}");
                let example = explained.lines().next_back().unwrap_or_default();
                let example = example.strip_prefix(&help::example("", lang));
                let line = example.expect("the last line is an example");
                let chosen = routes.choose(line, &Asked { today, mentions: &[] });
                assert!(
                    acts || matches!(chosen, Choice::Command { .. }),
                    "the example `{line}` became {chosen:?}"
                );
            }
        }
        Choice::Command { args, .. } => {
            // Whoever was mentioned is typed here.
            let same = |line: &str| {
                let chosen = routes.choose(line, &Asked { today, mentions: &[] });
                matches!(chosen, Choice::Command { args: again, .. } if again == args)
            };
            // The default of a rest may be what nobody can type, such as a blank.
            let (short, long) = typed_out(command, &args);
            assert!(same(&short) || same(&long), "`{long}` does not give {args:?} again");
        }
        Choice::Unknown { word } => {
            let _ = routes.unknown(&word, Lang::Zh, |_| true);
        }
        Choice::Help { topic } => {
            let _ = routes.help(topic.as_deref(), Lang::En, |_| true);
        }
        _ => {}
    }
}

/// Two lines, one of which gives these arguments to `command`: without the text that it takes at the end, and with it.
fn typed_out(command: &Command, args: &Args) -> (String, String) {
    let mut line = command.name.clone();
    for option in &command.options {
        match args.get(&option.key()) {
            None => {}
            Some(Value::Bool(false)) if option.is_flag() => {}
            Some(Value::Bool(true)) if option.is_flag() => {
                line = format!("{line} --{}", option.name);
            }
            Some(value) => line = format!("{line} --{}={}", option.name, quote(&word(value))),
        }
    }
    line.push_str(" --");
    for parameter in &command.parameters {
        // What is missing has only defaults behind it.
        let Some(value) = args.get(&parameter.key()) else { break };
        match value {
            Value::String(text) if parameter.rest => {
                // As it was typed, quotes included.
                let long = format!("{line} {text}");
                return (line, long);
            }
            Value::List(values) => {
                line =
                    values.iter().fold(line, |line, one| format!("{line} {}", quote(&word(one))));
            }
            value => line = format!("{line} {}", quote(&word(value))),
        }
    }
    (line.clone(), line)
}

/// A word that is read as this value.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) | Value::Path(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => (if *yes { "yes" } else { "no" }).to_owned(),
        Value::Duration(duration) => {
            format!("{}s0.{:09}s", duration.as_secs(), duration.subsec_nanos())
        }
        Value::User(id) => format!("@{id}"),
        Value::Date(date) => date.format("%Y-%m-%d").to_string(),
        Value::List(values) => panic!("a list in a list: {values:?}"),
    }
}
