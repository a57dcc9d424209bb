//! The rules of the router as tables: one line, one behaviour.

use std::sync::Arc;

use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;
use crate::access::Terms;
use crate::message::{Mention, StaffId};
use crate::words::Lang;

type Choice<'r> = super::Choice<'r, u32>;

fn asked() -> Asked<'static> {
    Asked { today: NaiveDate::from_ymd_opt(2026, 11, 22).unwrap(), mentions: &[] }
}

fn handler(id: u32, kind: Kind) -> Handler<u32> {
    Handler {
        id,
        kind,
        priority: 0,
        place: Place { script: "test.luau".to_owned(), line: id },
        terms: Terms::default(),
        help: Help::default(),
        aliases: Vec::new(),
        example: None,
    }
}

fn command(id: u32, declaration: &str) -> Handler<u32> {
    handler(id, Kind::Command(Command::parse(declaration).unwrap()))
}

fn matching(id: u32, pattern: &str) -> Handler<u32> {
    handler(id, Kind::Match(Pattern::new(pattern).unwrap()))
}

fn compile(handlers: Vec<Handler<u32>>) -> Routes<u32> {
    Routes::compile(handlers.into_iter().map(Arc::new)).unwrap()
}

fn faults(handlers: Vec<Handler<u32>>) -> Vec<String> {
    let faults = Routes::compile(handlers.into_iter().map(Arc::new)).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

/// What a choice is, in one line: `1 {env: prod}`, `bad 1: …`, `help deploy`, `unknown x`.
fn told(choice: &Choice<'_>) -> String {
    match choice {
        Choice::Control(control) => format!("{control:?}"),
        Choice::Help { topic } => format!("help {}", topic.as_deref().unwrap_or("-")),
        Choice::Command { handler, args, .. } => format!("{} {}", handler.id, told_args(args)),
        Choice::BadArguments { handler, problem } => {
            format!("bad {}: {}", handler.id, problem.text(Lang::En))
        }
        Choice::Match { handler, captures, .. } => {
            format!("{} {:?}", handler.id, captures.groups[0].as_deref().unwrap())
        }
        Choice::Fallback { handler, .. } => format!("fallback {}", handler.id),
        Choice::Unknown { word } => format!("unknown {word}"),
    }
}

fn told_args(args: &Args) -> String {
    let parts: Vec<String> =
        args.iter().map(|(name, value)| format!("{name}={}", told_value(value))).collect();
    format!("{{{}}}", parts.join(" "))
}

fn told_value(value: &Value) -> String {
    match value {
        Value::String(text) | Value::Path(text) | Value::User(text) => format!("{text:?}"),
        Value::Int(number) => number.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Duration(duration) => format!("{}s", duration.as_secs_f64()),
        Value::Date(date) => date.to_string(),
        Value::List(values) => values.iter().map(told_value).collect::<Vec<_>>().join(","),
    }
}

/// Checks `declaration` against what a person typed: typed text and what comes of it.
#[track_caller]
fn arguments(declaration: &str, table: &[(&str, &str)]) {
    let routes = compile(vec![command(1, declaration)]);
    for (typed, expected) in table {
        assert_eq!(told(&routes.choose(typed, &asked())), *expected, "{declaration} ← {typed}");
    }
}

#[test]
fn positional_arguments() {
    arguments(
        "deploy <env:dev|staging|prod> [tag]",
        &[
            ("deploy prod", r#"1 {env="prod"}"#),
            ("deploy prod v1.2", r#"1 {env="prod" tag="v1.2"}"#),
            ("DEPLOY Prod v1.2", r#"1 {env="prod" tag="v1.2"}"#),
            ("ｄｅｐｌｏｙ　ｐｒｏｄ", r#"1 {env="prod"}"#),
            ("/deploy prod", r#"1 {env="prod"}"#),
            ("／deploy prod", r#"1 {env="prod"}"#),
            ("deploy! prod", r#"1 {env="prod"}"#),
            ("deploy：prod", r#"1 {env="prod"}"#),
            ("deploy，prod　v2", r#"1 {env="prod" tag="v2"}"#),
            ("deploy \"prod\" 'v 2'", r#"1 {env="prod" tag="v 2"}"#),
            ("deploy “prod” “v 2”", r#"1 {env="prod" tag="v 2"}"#),
            (
                "deploy prdo",
                "bad 1: env: `prdo` is not one of dev, staging, prod; did you mean prod?",
            ),
            ("deploy moon", "bad 1: env: `moon` is not one of dev, staging, prod"),
            ("deploy", "bad 1: env is missing; expected one of dev, staging, prod"),
            (
                "deploy prod v1 now",
                "bad 1: `now` is one word too many; put quotes around what holds spaces",
            ),
            ("deploy --force prod", "bad 1: unknown option `--force`; this command takes none"),
            ("deployprod", "unknown deployprod"),
            ("please deploy prod", "unknown please"),
            ("\"deploy\" prod", "unknown deploy"),
        ],
    );
}

#[test]
fn options_and_flags() {
    arguments(
        "build [target] --force|-f --jobs|-j:int=2 --dry-run --mode:fast|slow",
        &[
            ("build", "1 {force=false jobs=2 dry_run=false}"),
            ("build --force", "1 {force=true jobs=2 dry_run=false}"),
            ("build -f all", r#"1 {target="all" force=true jobs=2 dry_run=false}"#),
            ("build all -f", r#"1 {target="all" force=true jobs=2 dry_run=false}"#),
            ("build —force", "1 {force=true jobs=2 dry_run=false}"),
            ("build –force", "1 {force=true jobs=2 dry_run=false}"),
            ("build －－ｆｏｒｃｅ", "1 {force=true jobs=2 dry_run=false}"),
            ("build --FORCE", "1 {force=true jobs=2 dry_run=false}"),
            ("build --force=no", "1 {force=false jobs=2 dry_run=false}"),
            ("build --jobs=8", "1 {force=false jobs=8 dry_run=false}"),
            ("build --jobs 8 all", r#"1 {target="all" force=false jobs=8 dry_run=false}"#),
            ("build --jobs＝８", "1 {force=false jobs=8 dry_run=false}"),
            ("build -j 8", "1 {force=false jobs=8 dry_run=false}"),
            ("build -j=-8", "1 {force=false jobs=-8 dry_run=false}"),
            ("build --dry-run --mode SLOW", r#"1 {force=false jobs=2 dry_run=true mode="slow"}"#),
            ("build -- --force", r#"1 {target="--force" force=false jobs=2 dry_run=false}"#),
            ("build \"--force\"", r#"1 {target="--force" force=false jobs=2 dry_run=false}"#),
            ("build -x", r#"1 {target="-x" force=false jobs=2 dry_run=false}"#),
            ("build --jobs", "bad 1: --jobs needs a value; expected a whole number such as 3"),
            ("build --jobs=many", "bad 1: jobs: `many` is not a whole number such as 3"),
            (
                "build --froce",
                "bad 1: unknown option `--froce`; it takes --force, --jobs, --dry-run, --mode; did you mean --force?",
            ),
            (
                "build --zzz",
                "bad 1: unknown option `--zzz`; it takes --force, --jobs, --dry-run, --mode",
            ),
            ("build -f --force", "bad 1: --force is given twice"),
        ],
    );
}

#[test]
fn a_rest_argument_is_text_as_it_was_typed() {
    arguments(
        "say|说 <text...> --loud",
        &[
            ("say hello  world", r#"1 {text="hello  world" loud=false}"#),
            ("say \"a b\" c", r#"1 {text="\"a b\" c" loud=false}"#),
            ("say --loud hi", r#"1 {text="hi" loud=true}"#),
            ("say hi --loud", r#"1 {text="hi --loud" loud=false}"#),
            ("say --version", r#"1 {text="--version" loud=false}"#),
            (
                "say --luod hi",
                "bad 1: unknown option `--luod`; it takes --loud; did you mean --loud?",
            ),
            ("say -- --loud", r#"1 {text="--loud" loud=false}"#),
            ("say ls -la | wc", r#"1 {text="ls -la | wc" loud=false}"#),
            ("say two\nlines\n", r#"1 {text="two\nlines" loud=false}"#),
            ("说 你好", r#"1 {text="你好" loud=false}"#),
            ("说：你好，世界", r#"1 {text="你好，世界" loud=false}"#),
            ("say", "bad 1: text is missing"),
        ],
    );
    arguments(
        "remind <when:duration> <text...>",
        &[
            ("remind 10m drink tea", r#"1 {when=600s text="drink tea"}"#),
            ("remind １０分钟　喝水", r#"1 {when=600s text="喝水"}"#),
            ("remind 10 tea", "bad 1: when: `10` is not a duration such as 10m, 1h30m or 90s"),
        ],
    );
    arguments(
        "sum <numbers:number...>",
        &[
            ("sum 1 2.5 -3", "1 {numbers=1,2.5,-3}"),
            ("sum 1 x", "bad 1: numbers: `x` is not a number such as 2.5"),
            ("sum", "bad 1: numbers is missing; expected a number such as 2.5"),
        ],
    );
    arguments(
        "note [text...=nothing]",
        &[("note", r#"1 {text="nothing"}"#), ("note a b", r#"1 {text="a b"}"#)],
    );
}

#[test]
fn people_and_dates() {
    let alice = Mention {
        staff_id: Some(StaffId::new("alice1")),
        opaque_id: "x".to_owned(),
        is_bot: false,
    };
    let bob =
        Mention { staff_id: Some(StaffId::new("bob2")), opaque_id: "y".to_owned(), is_bot: false };
    let bot = Mention { staff_id: None, opaque_id: "z".to_owned(), is_bot: true };
    let mentions = [bot, alice, bob];
    let routes = compile(vec![
        command(1, "assign <who:user> <what...>"),
        command(2, "meet <day:date> <who:user...>"),
    ]);
    let table: [(&str, &[Mention], &str); 5] = [
        ("assign fix it", &mentions[..2], r#"1 {who="alice1" what="fix it"}"#),
        ("assign @carol3 fix it", &[], r#"1 {who="carol3" what="fix it"}"#),
        ("meet 明天", &mentions, r#"2 {day=2026-11-23 who="alice1","bob2"}"#),
        (
            "meet tomorrow",
            &[],
            "bad 2: who is missing; expected a person: mention them, or give a staff id",
        ),
        (
            "meet soon",
            &mentions,
            "bad 2: day: `soon` is not a date such as 2026-01-31, today or tomorrow",
        ),
    ];
    for (typed, mentions, expected) in table {
        assert_eq!(
            told(&routes.choose(typed, &Asked { mentions, ..asked() })),
            expected,
            "{typed}"
        );
    }
}

#[test]
fn who_gets_a_message() {
    let mut urgent = matching(22, "(?i)fire");
    urgent.priority = 5;
    let routes = compile(vec![
        command(1, "git <what>"),
        command(2, "git status|状态"),
        command(3, "ping"),
        matching(20, "^hello (?<name>\\w+)"),
        matching(21, "hello"),
        urgent,
        handler(30, Kind::Fallback),
    ]);
    let table = [
        ("git pull", r#"1 {what="pull"}"#),
        ("git status", "2 {}"),
        ("git  STATUS。", "2 {}"),
        ("状态", "2 {}"),
        (
            "git status now",
            "bad 2: `now` is one word too many; put quotes around what holds spaces",
        ),
        ("ping", "3 {}"),
        ("ping。", "3 {}"),
        ("PING!!", "3 {}"),
        ("hello bob", r#"20 "hello bob""#),
        ("hello", r#"21 "hello""#),
        ("hello fire", r#"22 "fire""#),
        ("anything else", "fallback 30"),
        ("", "fallback 30"),
        ("stop", "Stop(None)"),
        ("STOP", "Stop(None)"),
        ("ｓｔｏｐ", "Stop(None)"),
        ("stop!", "Stop(None)"),
        ("/stop", "Stop(None)"),
        ("停止", "Stop(None)"),
        ("stop r7k2", r#"Stop(Some("r7k2"))"#),
        ("stop #r7k2", r#"Stop(Some("r7k2"))"#),
        ("stop the music please", "fallback 30"),
        ("取消", "Cancel"),
        ("取消。", "Cancel"),
        ("runs", "Runs"),
        ("lock", "Lock"),
        ("help", "help -"),
        ("帮助", "help -"),
        ("？", "help -"),
        ("help git status", "help git status"),
    ];
    for (typed, expected) in table {
        assert_eq!(told(&routes.choose(typed, &asked())), expected, "{typed}");
    }
}

#[test]
fn a_handler_that_hands_on_is_followed_by_the_next() {
    let routes = compile(vec![
        command(1, "hello [who]"),
        matching(20, "hello"),
        matching(21, "^hel"),
        handler(30, Kind::Fallback),
        handler(31, Kind::Fallback),
    ]);
    let mut order = Vec::new();
    let mut choice = routes.choose("hello bob", &asked());
    while let Choice::Command { handler, after, .. }
    | Choice::Match { handler, after, .. }
    | Choice::Fallback { handler, after } = choice
    {
        order.push(handler.id);
        choice = routes.choose_after("hello bob", after);
    }
    assert_eq!(order, [1, 20, 21, 30, 31]);
    assert_eq!(told(&choice), "unknown hello");
}

#[test]
fn captures_hold_groups_and_names() {
    let routes = compile(vec![matching(1, r"^(?<who>\w+) (likes|hates)( not)? (?<what>.+)$")]);
    let Choice::Match { captures, .. } = routes.choose("bob likes 茶", &asked()) else {
        panic!("no match")
    };
    let groups: Vec<_> = captures.groups.iter().map(Option::as_deref).collect();
    assert_eq!(groups, [Some("bob likes 茶"), Some("bob"), Some("likes"), None, Some("茶")]);
    assert_eq!(
        captures.named,
        [("who".to_owned(), "bob".to_owned()), ("what".to_owned(), "茶".to_owned())]
    );
}

#[test]
fn priority_then_file_then_line_decides_among_matches() {
    let at = |id, script: &str, line, priority| {
        let place = Place { script: script.to_owned(), line };
        Handler { priority, place, ..matching(id, "x") }
    };
    let routes = compile(vec![
        at(1, "b.luau", 1, 0),
        at(2, "a.luau", 9, 0),
        at(3, "a.luau", 2, 0),
        at(4, "z.luau", 1, 1),
    ]);
    let mut order = Vec::new();
    let mut after = After::default();
    while let Choice::Match { handler, after: next, .. } = routes.choose_after("x", after) {
        order.push(handler.id);
        after = next;
    }
    assert_eq!(order, [4, 3, 2, 1]);
    let warnings: Vec<String> = routes.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings[0],
        "a.luau:2: never reached unless z.luau:1 hands on: it has the same pattern `x`"
    );
    assert_eq!(warnings.len(), 3);
}

#[test]
fn what_is_never_reached_is_found_when_it_is_declared() {
    let table: &[(&[&str], &[&str])] = &[
        // Earlier patterns; those that are not reached, each with what is said of it.
        (&["hello", "hello world"], &["2 … `hello` matches whatever this one does"]),
        (&["^hello", "hello"], &[]),
        (&["hello", "^hello$"], &["2 … `hello` matches whatever this one does"]),
        (&["(?i)hello", "^(?:HELLO|Hello)$"], &["2 … `(?i)hello` matches whatever this one does"]),
        (&["hello", "hello|hi"], &[]),
        (&["h(i|ello)", "hello|hi"], &["2 … `h(i|ello)` matches whatever this one does"]),
        (&[r"\bhi\b", "hi"], &[]),
        (&[r"^\w+$", "^hello$"], &[r"2 … `^\w+$` matches whatever this one does"]),
        (&["(?s).*", "x"], &["2 … that one matches every text"]),
        (&["^(.*)$", "^x"], &["2 … that one matches every text"]),
        (&["^.+$", "x"], &[]),
        (&["^deploy (.*)"], &["1 … what begins so is the command `deploy`"]),
        (&[r"(?i)^deploy\b"], &["1 … what begins so is the command `deploy`"]),
        (&[r"^(deploy\s+prod)$"], &["1 … what begins so is the command `deploy`"]),
        (&["^deploy$"], &["1 … what begins so is the command `deploy`"]),
        (&["^deployed"], &[]),
        (&["^deploy"], &[]),
        (&["deploy "], &[]),
        (&["^部署 (.*)"], &["1 … what begins so is the command `deploy`"]),
        (&["^help$"], &["1 … `help` is a word of moonbell's own, which answers it first"]),
        (&["(?i)^停止$"], &["1 … `停止` is a word of moonbell's own, which answers it first"]),
        (&["^stop the music"], &[]),
    ];
    for (patterns, expected) in table {
        let mut handlers = vec![command(9, "deploy|部署 [what]")];
        handlers.extend((1..).zip(*patterns).map(|(id, pattern)| matching(id, pattern)));
        let said: Vec<String> = compile(handlers)
            .warnings()
            .iter()
            .map(|warning| {
                let said = warning.to_string();
                let what = said.rsplit_once(" on: ").or_else(|| said.rsplit_once("reached: "));
                format!("{} … {}", warning.place().line, what.unwrap().1)
            })
            .collect();
        assert_eq!(said, *expected, "{patterns:?}");
    }
    let routes = compile(vec![handler(30, Kind::Fallback), handler(31, Kind::Fallback)]);
    assert_eq!(
        routes.warnings()[0].to_string(),
        "test.luau:31: never reached unless test.luau:30 hands on: that one is a fallback too"
    );
}

#[test]
fn conflicts_name_both_places() {
    let mut other = command(2, "ship");
    other.aliases = vec!["DEPLOY".to_owned()];
    assert_eq!(
        faults(vec![command(1, "deploy"), other]),
        ["the command `DEPLOY` is declared twice: test.luau:1 and test.luau:2"]
    );
    assert_eq!(
        faults(vec![command(1, "help [x]"), command(2, "a|取消 x")]),
        [
            "test.luau:1: `help` is a word of moonbell's own and would never reach a script; choose another name",
            "test.luau:2: `取消` is a word of moonbell's own and would never reach a script; choose another name",
        ]
    );
    let mut odd = command(1, "a");
    odd.aliases = vec!["/b".to_owned()];
    assert_eq!(
        faults(vec![odd]),
        ["test.luau:1: write the name without the slash: a person may type it with one anyway"]
    );
}

#[test]
fn declarations_read_and_print() {
    // Declaration, canonical form.
    let table = [
        ("ping", "ping"),
        ("  git   status  ", "git status"),
        (
            "deploy <env:dev|staging|prod> [tag] [text...] --force --n:int=3",
            "deploy <env:dev|staging|prod> [tag] [text...] --force --n:int=3",
        ),
        ("a|b|丙 <x>", "a|b|丙 <x>"),
        ("a <n:int=3>", "a [n:int=3]"),
        ("a <x:string>", "a <x>"),
        ("a [p:path=/]", "a [p:path=/]"),
        ("a <x:user...>", "a <x...:user>"),
        ("a [x=hello world]", "a [x=\"hello world\"]"),
        ("a [x=\"q\\\"]\"]", "a [x=\"q\\\"]\"]"),
        ("a --force:bool", "a --force"),
        ("a --name=bob", "a --name:string=bob"),
        ("a --force|-f", "a --force|-f"),
        ("a --on:bool=yes", "a --on:bool=yes"),
        ("提醒 <时间:duration> <内容...>", "提醒 <时间:duration> <内容...>"),
        ("a\u{3000}<x>", "a <x>"),
    ];
    for (declaration, canonical) in table {
        let parsed =
            Command::parse(declaration).unwrap_or_else(|error| panic!("{declaration}: {error}"));
        assert_eq!(parsed.to_string(), canonical, "{declaration}");
        assert_eq!(Command::parse(canonical).unwrap(), parsed, "{declaration}");
    }
}

#[test]
fn a_wrong_declaration_is_shown_with_its_place() {
    let table = [
        ("", 1, "a command needs a name"),
        ("<x>", 1, "a command needs a name"),
        ("a||b", 3, "a command needs a name"),
        ("a|A", 3, "the name `A` is given twice"),
        ("a b c d e", 1, "the name has 5 words"),
        ("/a", 1, "without the slash"),
        ("--force", 1, "reads as an option"),
        ("a <x:itn>", 6, "unknown type `itn`; did you mean `int`?"),
        ("a <x:colour>", 6, "unknown type `colour`: types are string, int"),
        ("a <x:a|>", 8, "a choice is empty"),
        ("a <x:a|A>", 8, "given twice"),
        ("a <x:a|b......>", 8, "a character of the declaration itself"),
        ("a <x", 5, "expected `>`"),
        ("a <x]", 5, "expected `>`"),
        ("a <>", 3, "needs a name"),
        ("a <1x>", 4, "begin with a letter"),
        ("a [x] <y>", 7, "`y` is required and cannot follow the optional `x`"),
        ("a <x...> [y]", 10, "nothing can follow `x...`"),
        ("a <x> --x", 7, "declared twice"),
        ("a --dry-run --dry_run", 13, "declared twice"),
        ("a <n:int=many>", 10, "the default `many` is not a whole number"),
        ("a <e:x|y=z>", 10, "the default `z` is not one of x, y"),
        ("a <x=\"y>", 6, "never closed"),
        ("a -f", 3, "two dashes"),
        ("a --f|-1", 8, "one letter"),
        ("a --a|-x --b|-x", 10, "same short name"),
        ("a --f,g", 6, "unexpected `,`"),
        ("a <x> y", 7, "unexpected `y`"),
        ("a <n...:int=3>", 3, "a list cannot have a default"),
        ("发布 <环境:itn>", 8, "unknown type"),
    ];
    for (declaration, column, message) in table {
        let error = Command::parse(declaration).expect_err(declaration);
        assert!(error.to_string().contains(message), "{declaration}: {error}");
        assert_eq!(error.column, column, "{declaration}: {error}");
    }
    assert_eq!(
        Command::parse("发布 <环境:itn>").unwrap_err().caret(),
        "发布 <环境:itn>\n           ^"
    );
}

#[test]
fn a_bad_argument_is_answered_with_usage_and_example() {
    let mut deploy = command(1, "deploy <env:dev|staging|prod> [tag] --force --n:int=3");
    let answer = |handler: Handler<u32>, typed: &str, lang| {
        let routes = compile(vec![handler]);
        let Choice::BadArguments { handler, problem } = routes.choose(typed, &asked()) else {
            panic!("{typed} is right")
        };
        handler.explain(&problem, lang)
    };
    insta::assert_snapshot!(answer(deploy.clone(), "deploy prdo", Lang::En), @"
    env: `prdo` is not one of dev, staging, prod; did you mean prod?
    usage: deploy <env> [tag] [--force] [--n=3]
    example: deploy prod
    ");
    insta::assert_snapshot!(answer(deploy.clone(), "deploy", Lang::Zh), @"
    缺少 env，应为dev、staging、prod 之一
    用法：deploy <env> [tag] [--force] [--n=3]
    例如：deploy dev
    ");
    insta::assert_snapshot!(answer(deploy.clone(), "deploy dev --n=x", Lang::Zh), @"
    n：`x` 不对，应为整数，例如 3
    用法：deploy <env> [tag] [--force] [--n=3]
    例如：deploy dev --n=3
    ");
    deploy.example = Some("deploy prod v1.2".to_owned());
    insta::assert_snapshot!(answer(deploy, "deploy dev v1 `rm`\n", Lang::En), @"
    `'rm'` is one word too many; put quotes around what holds spaces
    usage: deploy <env> [tag] [--force] [--n=3]
    example: deploy prod v1.2
    ");
}

#[test]
fn help_shows_what_this_person_may_use() {
    let mut deploy =
        command(1, "deploy|发布 <env:dev|prod> [tag] <note...=none> --force|-f --n:int=3");
    deploy.terms.role = Some("admin".to_owned());
    deploy.help =
        Help { zh: Some("发布一个版本".to_owned()), en: Some("Deploy a tag".to_owned()) };
    deploy.aliases = vec!["ship".to_owned()];
    let mut ping = command(2, "ping");
    ping.help.en = Some("Answers pong".to_owned());
    let mut hello = matching(3, "^hello");
    hello.help.zh = Some("打招呼".to_owned());
    let routes = compile(vec![deploy, ping, hello, matching(4, "secret")]);
    let guest = |handler: &Handler<u32>| handler.terms.role.is_none();
    insta::assert_snapshot!(routes.help(None, Lang::En, |_| true), @"
    deploy <env> [tag] [--force] [--n=3] [note...] — Deploy a tag
    ping — Answers pong
    · 打招呼

    help NAME: more about one · stop: end what runs · runs: what is running · log ID: what a run did · again ID: run it once more
    ");
    insta::assert_snapshot!(routes.help(None, Lang::Zh, guest), @"
    ping — Answers pong
    · 打招呼

    help 命令名：详细说明 · stop：停止正在运行的 · runs：查看运行 · log 编号：详情 · again 编号：再运行一次
    ");
    insta::assert_snapshot!(routes.help(Some("发布"), Lang::En, |_| true), @"
    deploy <env> [tag] [--force] [--n=3] [note...]
    Deploy a tag
      env: one of dev, prod
      tag: a word (optional)
      note: all the text that follows (none unless given)
      --force, -f
      --n: a whole number such as 3 (3 unless given)
    also: 发布, ship
    who: admin
    example: deploy dev
    ");
    assert_eq!(
        routes.help(Some("deploy"), Lang::En, guest),
        "There is no command `deploy`. Send help to see them all."
    );
    assert_eq!(
        routes.unknown("pnig", Lang::Zh, guest),
        "没有命令 `pnig`；是不是 ping？发送 help 查看全部。"
    );
    assert_eq!(
        routes.unknown("depoly", Lang::En, guest),
        "There is no command `depoly`. Send help to see them all."
    );
}

#[test]
fn a_pattern_cannot_cost_more_than_linear_time_or_much_memory() {
    assert!(Pattern::new("(a{1000}){1000}").is_err());
    assert!(Pattern::new("(unclosed").unwrap_err().to_string().contains("unclosed"));
    let routes = compile(vec![matching(1, "(a|a)*(a|a)*(a|a)*b$")]);
    let long = "a".repeat(20_000);
    assert_eq!(told(&routes.choose(&format!("x {long}"), &asked())), "unknown x");
}

/// Declarations as people could write them, already canonical or not.
fn declaration() -> impl Strategy<Value = String> {
    let name = "[a-z发布]{1,6}( [a-z]{1,4}){0,2}(\\|[A-Z状态]{1,4}){0,1}";
    let kind = prop_oneof![
        Just(String::new()),
        Just(":int".to_owned()),
        Just(":duration".to_owned()),
        Just(":user".to_owned()),
        "[a-f]{1,3}\\|[g-m]{1,3}(\\|[n-z测试]{1,3})?".prop_map(|choices| format!(":{choices}")),
    ];
    let default = prop_oneof![
        Just(String::new()),
        "[a-z0-9]{1,4}".prop_map(|d| format!("={d}")),
        any::<String>().prop_map(|d| format!("={d:?}"))
    ];
    let argument = (0..4u8, "[a-z_]{1,4}", kind, default).prop_map(
        |(shape, name, kind, default)| match shape {
            0 => format!(" <{name}{kind}>"),
            1 => format!(" [{name}{default}]"),
            2 => format!(" --{name}{kind}"),
            _ => format!(" <{name}...>"),
        },
    );
    (name, prop::collection::vec(argument, 0..5))
        .prop_map(|(name, arguments)| name + &arguments.concat())
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_as_the_same_command(declaration in declaration()) {
        if let Ok(command) = Command::parse(&declaration) {
            let printed = command.to_string();
            prop_assert_eq!(Command::parse(&printed), Ok(command), "{}", printed);
        }
    }

    #[test]
    fn any_declaration_is_read_or_refused(declaration in prop_oneof![any::<String>(), "[a-c<>\\[\\]:|=. \"\\\\-]{0,24}"]) {
        match Command::parse(&declaration) {
            Ok(command) => prop_assert_eq!(Command::parse(&command.to_string()), Ok(command)),
            Err(error) => prop_assert!(!error.caret().is_empty()),
        }
    }

    #[test]
    fn no_text_panics(text in prop_oneof![any::<String>(), "(deploy|git|说|stop|help)?[ \"“”'=:：，/\\\\—–a-z-]{0,30}"]) {
        let routes = compile(vec![
            command(1, "deploy <env:dev|prod> [day:date] [who:user] --n:int --for:duration --force|-f"),
            command(2, "git status"),
            command(3, "说 [text...] --loud"),
            matching(4, "^h"),
        ]);
        match routes.choose(&text, &asked()) {
            Choice::BadArguments { handler, problem } => {
                prop_assert!(!handler.explain(&problem, Lang::Zh).is_empty());
            }
            Choice::Unknown { word } => prop_assert!(!routes.unknown(&word, Lang::En, |_| true).is_empty()),
            Choice::Help { topic } => prop_assert!(!routes.help(topic.as_deref(), Lang::En, |_| true).is_empty()),
            _ => {}
        }
    }

    #[test]
    fn the_first_pattern_that_matches_is_chosen_whatever_the_index_says(
        patterns in prop::collection::vec(
            prop::sample::select(vec![
                "hello", "^hello", "(?i)HELLO", r"\bhi\b", "h.llo", "部署", "^部署(.*)$", r"\d+", "", "x?", "a|b", "(?i)ß|k", "lo w", "[ab]c$",
            ]),
            1..12,
        ),
        text in "(hello|HELLO|hi|部署|[abcx 0-9wK\u{212a}]){0,6}",
    ) {
        let routes = compile((0..).zip(&patterns).map(|(id, pattern)| matching(id, pattern)).collect());
        let naive: Vec<u32> = (0..)
            .zip(&patterns)
            .filter(|(_, pattern)| regex::Regex::new(pattern).unwrap().is_match(&text))
            .map(|(id, _)| id)
            .collect();
        let mut chosen = Vec::new();
        let mut after = After::default();
        while let Choice::Match { handler, after: next, .. } = routes.choose_after(&text, after) {
            chosen.push(handler.id);
            after = next;
        }
        prop_assert_eq!(chosen, naive);
    }

    #[test]
    fn arguments_never_leak_into_one_another(first in any::<String>(), second in any::<String>(), name in any::<String>(), rest in "[a-z \"'=-]{0,12}x") {
        let routes = compile(vec![command(1, "do <first> <second> <rest...> --name:string")]);
        let typed = format!("do --name={} {} {} -- {rest}", quote(&format!("{name} ")), quote(&first), quote(&second));
        let Choice::Command { args, .. } = routes.choose(&typed, &asked()) else { panic!("{typed}") };
        let text = |name: &str| match args.get(name) {
            Some(Value::String(text)) => text.clone(),
            other => panic!("{name}: {other:?}"),
        };
        prop_assert_eq!((text("first"), text("second"), text("name")), (first, second, format!("{name} ")));
        prop_assert_eq!(text("rest"), rest.trim_start());
    }
}
