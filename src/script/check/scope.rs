//! What the type checker does not tell: locals that nothing reads, and shell scripts pasted together from text.
//!
//! Reads a file that has compiled, once, from front to back. Whatever it does not understand ends the reading; what was
//! found until then stands.

use std::ops::Range;

use super::lexer::{Kind, Token};

/// What the checker knows of Luau and `vm.rs` takes away.
const REMOVED: &[&str] = &["loadstring", "getfenv", "setfenv", "newproxy", "gcinfo", "debug.info"];

/// Deeper than the compiler lets code nest.
const DEPTH: usize = 400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lint {
    /// A local that is never read.
    UnusedLocal {
        name: String,
    },
    UnusedFunction {
        name: String,
    },
    /// `shell.sh` gets a script that is not a constant.
    ShellTemplate,
    /// A part of Luau's library that scripts do not have.
    Removed {
        name: String,
    },
}

pub(super) fn lints(text: &str, tokens: &[Token]) -> Vec<(Lint, Range<usize>)> {
    let mut reader = Reader {
        text,
        tokens,
        at: 0,
        depth: 0,
        locals: Vec::new(),
        scripts: Vec::new(),
        found: Vec::new(),
    };
    // What stops short knows only half of the uses: it says nothing about locals.
    let complete = reader.block().is_some() && reader.peek().is_none();
    reader.leave(0);
    let Reader { mut found, scripts, .. } = reader;
    if !complete {
        found.clear();
    }
    found.extend(scripts.into_iter().map(|span| (Lint::ShellTemplate, span)));
    found.sort_by_key(|(_, span)| span.start);
    found
}

struct Local {
    name: String,
    span: Range<usize>,
    read: bool,
    role: Role,
    /// Holds a constant text, for good.
    constant: bool,
    /// Arguments of `shell.sh` that are this local.
    scripts: Vec<Range<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Variable,
    Function,
    /// Parameters and loop variables: nobody can leave them out.
    Given,
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    locals: Vec<Local>,
    scripts: Vec<Range<usize>>,
    found: Vec<(Lint, Range<usize>)>,
}

/// What an expression is, as far as that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Constant,
    Local(usize),
    /// A dotted path from a global.
    Path(String),
    Other,
}

type Read<T = ()> = Option<T>;

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Option<&'a str> {
        self.tokens.get(self.at + ahead).map(|token| &self.text[token.span.clone()])
    }

    fn kind(&self) -> Option<Kind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    fn is(&self, text: &str) -> bool {
        self.peek() == Some(text)
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.is(text);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, text: &str) -> Read {
        self.take(text).then_some(())
    }

    fn name(&mut self) -> Read<(String, Range<usize>)> {
        let token = self.tokens.get(self.at).filter(|token| token.kind == Kind::Name)?;
        self.at += 1;
        Some((self.text[token.span.clone()].to_owned(), token.span.clone()))
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.depth += 1;
        let result = (self.depth < DEPTH).then(|| read(self)).flatten();
        self.depth -= 1;
        result
    }

    fn declare(&mut self, (name, span): (String, Range<usize>), role: Role) {
        let (read, constant, scripts) = (false, false, Vec::new());
        self.locals.push(Local { name, span, read, role, constant, scripts });
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.locals.iter().rposition(|local| local.name == name)
    }

    /// Ends the scope of all locals from `first` on.
    fn leave(&mut self, first: usize) {
        for local in self.locals.drain(first..) {
            if !local.constant {
                self.scripts.extend(local.scripts);
            }
            if !local.read && local.role != Role::Given && !local.name.starts_with('_') {
                let lint = match local.role {
                    Role::Function => Lint::UnusedFunction { name: local.name },
                    _ => Lint::UnusedLocal { name: local.name },
                };
                self.found.push((lint, local.span));
            }
        }
    }

    fn scoped(&mut self, read: impl FnOnce(&mut Self) -> Read) -> Read {
        let first = self.locals.len();
        let result = self.deeper(read);
        self.leave(first);
        result
    }

    /// Statements up to what ends a block, or the end of the file.
    fn block(&mut self) -> Read {
        loop {
            match self.peek() {
                None | Some("end" | "else" | "elseif" | "until") => return Some(()),
                Some(_) => self.statement()?,
            }
        }
    }

    fn body(&mut self) -> Read {
        self.scoped(Self::block)
    }

    fn statement(&mut self) -> Read {
        while self.take("@") {
            self.name()?;
        }
        match self.peek()? {
            ";" | "break" => self.at += 1,
            "local" => {
                self.at += 1;
                self.local()?;
            }
            "function" => {
                self.at += 1;
                let (name, _) = self.name()?;
                if let Some(local) = self.find(&name) {
                    // `function t.f()` reads `t`; `function f()` writes it.
                    self.locals[local].read |= self.is(".") || self.is(":");
                }
                while self.take(".") || self.take(":") {
                    self.name()?;
                }
                self.function()?;
            }
            "if" => {
                self.at += 1;
                loop {
                    self.expression()?;
                    self.expect("then")?;
                    self.body()?;
                    if !self.take("elseif") {
                        break;
                    }
                }
                if self.take("else") {
                    self.body()?;
                }
                self.expect("end")?;
            }
            "while" => {
                self.at += 1;
                self.expression()?;
                self.loop_body()?;
            }
            "do" => self.loop_body()?,
            "for" => {
                self.at += 1;
                self.for_loop()?;
            }
            "repeat" => {
                self.at += 1;
                // The condition sees the locals of the body.
                self.scoped(|reader| {
                    reader.block()?;
                    reader.expect("until")?;
                    reader.expression().map(drop)
                })?;
            }
            "return" => {
                self.at += 1;
                if !matches!(self.peek(), None | Some("end" | "else" | "elseif" | "until" | ";")) {
                    self.expressions()?;
                }
            }
            "continue" if !self.continues_expression(1) => self.at += 1,
            "export" if self.peek_at(1) == Some("type") => {
                self.at += 2;
                self.type_statement()?;
            }
            "type" if self.is_name_at(1) => {
                self.at += 1;
                self.type_statement()?;
            }
            _ => self.assignment()?,
        }
        Some(())
    }

    fn is_name_at(&self, ahead: usize) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| token.kind == Kind::Name)
    }

    fn continues_expression(&self, ahead: usize) -> bool {
        let string =
            self.tokens.get(self.at + ahead).is_some_and(|token| token.kind == Kind::String);
        string
            || matches!(self.peek_at(ahead), Some("." | ":" | "(" | "[" | "{" | "=" | "," | "+="))
    }

    fn loop_body(&mut self) -> Read {
        self.expect("do")?;
        self.body()?;
        self.expect("end")
    }

    fn local(&mut self) -> Read {
        if self.take("function") {
            let name = self.name()?;
            self.declare(name, Role::Function);
            let index = self.locals.len() - 1;
            let read = self.function();
            // That it calls itself is no use of it.
            if let Some(local) = self.locals.get_mut(index) {
                local.read = false;
            }
            return read;
        }
        let names = self.bindings()?;
        let mut values = Vec::new();
        if self.take("=") {
            values = self.expressions()?;
        }
        for (index, name) in names.into_iter().enumerate() {
            self.declare(name, Role::Variable);
            let constant = match values.get(index) {
                Some(Value::Constant) => true,
                Some(Value::Local(other)) => self.locals[*other].constant,
                _ => false,
            };
            if let Some(local) = self.locals.last_mut() {
                local.constant = constant;
            }
        }
        Some(())
    }

    /// Names with their types.
    fn bindings(&mut self) -> Read<Vec<(String, Range<usize>)>> {
        let mut names = Vec::new();
        loop {
            names.push(self.name()?);
            if self.take(":") {
                self.type_()?;
            }
            if !self.take(",") {
                return Some(names);
            }
        }
    }

    fn for_loop(&mut self) -> Read {
        let names = self.bindings()?;
        if !self.take("=") {
            self.expect("in")?;
        }
        self.expressions()?;
        self.scoped(|reader| {
            names.into_iter().for_each(|name| reader.declare(name, Role::Given));
            reader.loop_body()
        })
    }

    fn assignment(&mut self) -> Read {
        let mut targets = Vec::new();
        loop {
            // A plain name to the left of `=` is written, not read.
            let plain =
                matches!(self.peek_at(1), Some("=" | ",")) && self.kind() == Some(Kind::Name);
            if plain {
                let (name, _) = self.name()?;
                targets.extend(self.find(&name));
            } else if let Value::Local(local) = self.suffixed()? {
                // `x += 1`
                targets.push(local);
            }
            if !self.take(",") {
                break;
            }
        }
        // A statement that assigns nothing is a call.
        let last = self.tokens.get(self.at.checked_sub(1)?)?;
        let calls = matches!(last.kind, Kind::String | Kind::InterpolatedEnd)
            || matches!(&self.text[last.span.clone()], ")" | "}");
        let assigns = self.is("=")
            || self.peek().is_some_and(|symbol| {
                matches!(symbol, "+=" | "-=" | "*=" | "/=" | "//=" | "%=" | "^=" | "..=")
            });
        if assigns {
            self.at += 1;
            self.expressions()?;
            for target in targets {
                self.locals[target].constant = false;
            }
        }
        (assigns || calls).then_some(())
    }

    fn expressions(&mut self) -> Read<Vec<Value>> {
        let mut values = vec![self.expression()?];
        while self.take(",") {
            values.push(self.expression()?);
        }
        Some(values)
    }

    fn expression(&mut self) -> Read<Value> {
        self.deeper(|reader| {
            let mut value = reader.operand()?;
            while let Some(operator) = reader.peek() {
                match operator {
                    ".." | "+" | "-" | "*" | "/" | "//" | "%" | "^" | "==" | "~=" | "<" | "<="
                    | ">" | ">=" | "and" | "or" => {
                        reader.at += 1;
                        let right = reader.operand()?;
                        // Constants stay constant, in whatever way they are joined.
                        if !(reader.is_constant(&value) && reader.is_constant(&right)) {
                            value = Value::Other;
                        } else {
                            value = Value::Constant;
                        }
                    }
                    _ => break,
                }
            }
            Some(value)
        })
    }

    fn is_constant(&self, value: &Value) -> bool {
        match value {
            Value::Constant => true,
            Value::Local(local) => self.locals[*local].constant,
            _ => false,
        }
    }

    fn operand(&mut self) -> Read<Value> {
        while self.take("not") || self.take("-") || self.take("#") {}
        let value = match (self.kind()?, self.peek()?) {
            (Kind::String | Kind::Number, _) | (_, "nil" | "true" | "false") => {
                self.at += 1;
                Value::Constant
            }
            (Kind::InterpolatedStart, _) => {
                self.interpolated()?;
                Value::Other
            }
            (_, "...") => {
                self.at += 1;
                Value::Other
            }
            (_, "{") => {
                self.table()?;
                Value::Other
            }
            (_, "function") => {
                self.at += 1;
                self.function()?;
                Value::Other
            }
            (_, "if") => {
                self.at += 1;
                let mut constant = true;
                loop {
                    self.expression()?;
                    self.expect("then")?;
                    let value = self.expression()?;
                    constant &= self.is_constant(&value);
                    if !self.take("elseif") {
                        break;
                    }
                }
                self.expect("else")?;
                let value = self.expression()?;
                if constant && self.is_constant(&value) { Value::Constant } else { Value::Other }
            }
            (_, "@") => {
                self.at += 1;
                self.name()?;
                self.operand()?
            }
            _ => self.suffixed()?,
        };
        while self.take("::") {
            self.type_()?;
        }
        Some(value)
    }

    fn interpolated(&mut self) -> Read {
        loop {
            self.at += 1;
            self.expression()?;
            match self.kind()? {
                Kind::InterpolatedMiddle => {}
                Kind::InterpolatedEnd => break,
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }

    /// A name or something in parentheses, with what is called on it and taken from it.
    fn suffixed(&mut self) -> Read<Value> {
        let mut value = if self.take("(") {
            let value = self.expression()?;
            self.expect(")")?;
            value
        } else {
            let (name, span) = self.name()?;
            match self.find(&name) {
                Some(local) => {
                    // Undone by `assignment` for what is only written.
                    self.locals[local].read = true;
                    Value::Local(local)
                }
                None => {
                    self.global(&name, span);
                    Value::Path(name)
                }
            }
        };
        loop {
            match (self.kind(), self.peek()) {
                (_, Some(".")) => {
                    self.at += 1;
                    let (field, span) = self.name()?;
                    value = match value {
                        Value::Path(path) => {
                            let path = format!("{path}.{field}");
                            self.global(&path, span);
                            Value::Path(path)
                        }
                        _ => Value::Other,
                    };
                }
                (_, Some("[")) => {
                    self.at += 1;
                    self.expression()?;
                    self.expect("]")?;
                    value = Value::Other;
                }
                (_, Some(":")) => {
                    self.at += 1;
                    self.name()?;
                    self.arguments(false)?;
                    value = Value::Other;
                }
                (Some(Kind::String | Kind::InterpolatedStart), _) | (_, Some("(" | "{")) => {
                    self.arguments(value == Value::Path("shell.sh".to_owned()))?;
                    value = Value::Other;
                }
                _ => return Some(value),
            }
        }
    }

    fn global(&mut self, path: &str, span: Range<usize>) {
        if REMOVED.contains(&path) {
            self.found.push((Lint::Removed { name: path.to_owned() }, span));
        }
    }

    /// The arguments of a call; `script`: the first one is a script for a shell.
    fn arguments(&mut self, script: bool) -> Read {
        let start = self.tokens.get(self.at)?.span.start;
        match self.kind()? {
            Kind::String => self.at += 1,
            Kind::InterpolatedStart => {
                self.interpolated()?;
                if script {
                    self.scripts.push(start..self.tokens[self.at - 1].span.end);
                }
            }
            _ if self.is("{") => self.table()?,
            _ => {
                self.expect("(")?;
                let mut first = script;
                while !self.is(")") {
                    let start = self.tokens.get(self.at)?.span.start;
                    let value = self.expression()?;
                    let span = start..self.tokens[self.at - 1].span.end;
                    match value {
                        _ if !std::mem::take(&mut first) => {}
                        Value::Constant => {}
                        // Whether it is assigned to later is known at the end of its scope.
                        Value::Local(local) => self.locals[local].scripts.push(span),
                        _ => self.scripts.push(span),
                    }
                    if !self.take(",") {
                        break;
                    }
                }
                self.expect(")")?;
            }
        }
        Some(())
    }

    fn table(&mut self) -> Read {
        self.expect("{")?;
        while !self.is("}") {
            if self.take("[") {
                self.expression()?;
                self.expect("]")?;
                self.expect("=")?;
            } else if self.kind() == Some(Kind::Name) && self.peek_at(1) == Some("=") {
                self.at += 2;
            }
            self.expression()?;
            if !(self.take(",") || self.take(";")) {
                break;
            }
        }
        self.expect("}")
    }

    /// Parameters, types and body; `function` and its name have been read.
    fn function(&mut self) -> Read {
        self.generics()?;
        self.expect("(")?;
        let mut names = Vec::new();
        while !self.is(")") {
            if self.take("...") {
                if self.take(":") {
                    self.type_()?;
                    self.take("...");
                }
            } else {
                names.push(self.name()?);
                if self.take(":") {
                    self.type_()?;
                }
            }
            if !self.take(",") {
                break;
            }
        }
        self.expect(")")?;
        if self.take(":") {
            self.type_()?;
        }
        self.scoped(|reader| {
            names.into_iter().for_each(|name| reader.declare(name, Role::Given));
            reader.block()
        })?;
        self.expect("end")
    }

    /// `<T, U...>`, with defaults.
    fn generics(&mut self) -> Read {
        if !self.take("<") {
            return Some(());
        }
        while !self.is(">") {
            self.name()?;
            self.take("...");
            if self.take("=") {
                self.type_()?;
            }
            if !self.take(",") {
                break;
            }
        }
        self.expect(">")
    }

    fn type_statement(&mut self) -> Read {
        let (name, _) = self.name()?;
        if name == "function" {
            self.name()?;
            return self.function();
        }
        self.generics()?;
        self.expect("=")?;
        self.type_()
    }

    fn type_(&mut self) -> Read {
        self.deeper(|reader| {
            let _ = reader.take("|") || reader.take("&");
            reader.simple_type()?;
            loop {
                if reader.take("?") {
                } else if reader.take("|") || reader.take("&") {
                    reader.simple_type()?;
                } else {
                    return Some(());
                }
            }
        })
    }

    fn simple_type(&mut self) -> Read {
        match (self.kind()?, self.peek()?) {
            (Kind::String, _) => self.at += 1,
            (_, "...") => {
                self.at += 1;
                self.type_()?;
            }
            (_, "typeof") => {
                self.at += 1;
                self.expect("(")?;
                self.expression()?;
                self.expect(")")?;
            }
            (_, "{") => self.table_type()?,
            (_, "<") => {
                self.generics()?;
                self.simple_type()?;
            }
            (_, "(") => {
                self.at += 1;
                while !self.is(")") {
                    // A parameter of a function may have a name.
                    if self.kind() == Some(Kind::Name) && self.peek_at(1) == Some(":") {
                        self.at += 2;
                    }
                    self.type_()?;
                    if !self.take(",") {
                        break;
                    }
                }
                self.expect(")")?;
                if self.take("->") {
                    self.type_()?;
                }
            }
            _ => {
                self.name()?;
                while self.take(".") {
                    self.name()?;
                }
                if self.take("<") {
                    while !self.is(">") {
                        self.type_()?;
                        if !self.take(",") {
                            break;
                        }
                    }
                    self.expect(">")?;
                }
                self.take("...");
            }
        }
        Some(())
    }

    fn table_type(&mut self) -> Read {
        self.expect("{")?;
        while !self.is("}") {
            if matches!(self.peek(), Some("read" | "write")) && self.peek_at(1) != Some(":") {
                self.at += 1;
            }
            if self.take("[") {
                self.type_()?;
                self.expect("]")?;
                self.expect(":")?;
            } else if self.kind() == Some(Kind::Name) && self.peek_at(1) == Some(":") {
                self.at += 2;
            }
            self.type_()?;
            if !(self.take(",") || self.take(";")) {
                break;
            }
        }
        self.expect("}")
    }
}

#[cfg(test)]
mod tests {
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
            (
                "local x: Map<string, Map<number, {n: (a: number, ...string) -> ()}>> = f() g(x)",
                vec![],
            ),
            (
                "local function f<T, U...>(a: T, ...: U...): (T?, ...number) return a end f(1)",
                vec![],
            ),
            ("local x = if a then b elseif c then d else e print(x)", vec![]),
            ("local x = (a :: any).b :: { [string]: number } print(x)", vec![]),
            ("local type = 1 type = 2 print(type)", vec![]),
            ("local continue = 1 continue = 2 while true do continue end", vec!["local continue"]),
            (
                "export type A = | 'a' | \"b\" & C.D local function f(): never error() end f()",
                vec![],
            ),
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
}
