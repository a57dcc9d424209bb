//! Tables of what is found and what is left alone.

use super::*;
use crate::script::check::lexer::tokens;

/// What is found, as `lint text`.
fn found(text: &str) -> Vec<String> {
    let (tokens, _) = tokens(text);
    lints(text, &tokens)
        .into_iter()
        .map(|(lint, span)| {
            let word = match lint {
                Lint::UnusedLocal { .. } => "local",
                Lint::UnusedFunction { .. } => "function",
                Lint::ShellTemplate => "shell",
                Lint::Removed { .. } => "removed",
            };
            format!("{word} {}", &text[span])
        })
        .collect()
}

#[test]
fn locals_that_nothing_reads_are_found_and_no_others() {
    for (text, expected) in [
        ("local a = 1", vec!["local a"]),
        ("local a = 1 print(a)", vec![]),
        ("local a, b = 1, 2 print(b)", vec!["local a"]),
        ("local _a = 1", vec![]),
        ("local a a = 1", vec!["local a"]),
        ("local a = 0 a += 1 print(a)", vec![]),
        ("local a = 1 do local a = 2 print(a) end", vec!["local a"]),
        ("local a = 1 local a = a + 1 print(a)", vec![]),
        ("local function f() return f() end", vec!["function f"]),
        ("local function f() end f()", vec![]),
        ("local f function f() end", vec!["local f"]),
        ("local t = {} function t.f() end", vec![]),
        ("local t = {} function t:f() return self end", vec![]),
        ("local t = {} t.x = 1", vec![]),
        ("local t = {} t[1], t.y = 1, 2", vec![]),
        ("local a = 1 local t = { a = 2 } print(t)", vec!["local a"]),
        ("local a = 1 local t = { [a] = 2, a } print(t.a)", vec![]),
        ("local a = 1 print(`{a}`)", vec![]),
        ("local a = 1 print(`a {1} b {if a then 1 else 2}`)", vec![]),
        ("local a = 1 print(x.a, x:a())", vec!["local a"]),
        ("for i, v in x do end for i = 1, 2 do local j = i end", vec!["local j"]),
        ("repeat local done = f() until done", vec![]),
        ("local x = 1 type T = { x: number } local y: T? = nil print(y)", vec!["local x"]),
        ("local x = 1 type T = typeof(x) local y: T", vec!["local y"]),
        ("local x: Map<string, Map<number, {n: (a: number, ...string) -> ()}>> = f() g(x)", vec![]),
        ("local function f<T, U...>(a: T, ...: U...): (T?, ...number) return a end f(1)", vec![]),
        ("local x = if a then b elseif c then d else e print(x)", vec![]),
        ("local x = (a :: any).b :: { [string]: number } print(x)", vec![]),
        ("local type = 1 type = 2 print(type)", vec![]),
        ("local continue = 1 continue = 2 while true do continue end", vec!["local continue"]),
        ("export type A = | 'a' | \"b\" & C.D local function f(): never error() end f()", vec![]),
        ("@native local function f() end f()", vec![]),
        ("local a = 1 goto x", vec![]), // not understood: says nothing
        ("local x = function(a: string, b) local c = a return b end x()", vec!["local c"]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn scripts_for_a_shell_must_be_constant() {
    for (text, expected) in [
        ("shell.sh('ls $1', x)", vec![]),
        ("shell.sh 'ls'", vec![]),
        ("shell.sh [[ls]]", vec![]),
        ("shell.sh('ls ' .. \"-l\")", vec![]),
        ("shell.sh(('ls'))", vec![]),
        ("shell.sh('ls ' .. x)", vec!["shell 'ls ' .. x"]),
        ("shell.sh(`ls {x}`, 1)", vec!["shell `ls {x}`"]),
        ("shell.sh `ls {x}`", vec!["shell `ls {x}`"]),
        ("shell.sh(ctx.args.text)", vec!["shell ctx.args.text"]),
        ("shell.sh(string.format('ls %s', x))", vec!["shell string.format('ls %s', x)"]),
        ("local s = 'ls' shell.sh(s)", vec![]),
        ("local s = if x then 'ls' else 'ls -l' shell.sh(s .. ' -a')", vec![]),
        ("local s = 'ls' s ..= x shell.sh(s)", vec!["shell s"]),
        ("local s = 'ls' local function f() shell.sh(s) end s = x f()", vec!["shell s"]),
        ("local function f(s) shell.sh(s) end f()", vec!["shell s"]),
        ("local shell = mine shell.sh(x)", vec![]),
        ("shell.run({ x })", vec![]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z{}()`'\"=.,:<>\\[\\] \n\\\\-]{0,80}|(local|function|end|if|then|for|in|do|a|=|\\(|\\)|\\{|\\}|`|,|:|\\?| ){0,60}") {
        let (tokens, _) = tokens(&text);
        lints(&text, &tokens);
    }
}
