//! What the type checker does not tell: locals that nothing reads, and shell scripts pasted together from text.
//!
//! Reads a file that has compiled, once, from front to back. Whatever it does not understand ends the reading; what was
//! found until then stands.

use std::ops::Range;

use super::lexer::{Kind, Token};

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

pub(super) struct Local {
    name: String,
    span: Range<usize>,
    pub(super) read: bool,
    role: Role,
    /// Holds a constant text, for good.
    pub(super) constant: bool,
    /// Arguments of `shell.sh` that are this local.
    pub(super) scripts: Vec<Range<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Variable,
    Function,
    /// Parameters and loop variables: nobody can leave them out.
    Given,
}

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: &'a [Token],
    pub(super) at: usize,
    depth: usize,
    pub(super) locals: Vec<Local>,
    pub(super) scripts: Vec<Range<usize>>,
    pub(super) found: Vec<(Lint, Range<usize>)>,
}

/// What an expression is, as far as that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Constant,
    Local(usize),
    /// A dotted path from a global.
    Path(String),
    Other,
}

pub(super) type Read<T = ()> = Option<T>;

impl<'a> Reader<'a> {
    pub(super) fn peek(&self) -> Option<&'a str> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<&'a str> {
        self.tokens.get(self.at + ahead).map(|token| &self.text[token.span.clone()])
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.peek() == Some(text)
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.is(text);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, text: &str) -> Read {
        self.take(text).then_some(())
    }

    pub(super) fn name(&mut self) -> Read<(String, Range<usize>)> {
        let token = self.tokens.get(self.at).filter(|token| token.kind == Kind::Name)?;
        self.at += 1;
        Some((self.text[token.span.clone()].to_owned(), token.span.clone()))
    }

    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.depth += 1;
        let result = (self.depth < DEPTH).then(|| read(self)).flatten();
        self.depth -= 1;
        result
    }

    fn declare(&mut self, (name, span): (String, Range<usize>), role: Role) {
        let (read, constant, scripts) = (false, false, Vec::new());
        self.locals.push(Local { name, span, read, role, constant, scripts });
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
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
            for name in names {
                reader.declare(name, Role::Given);
            }
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

    /// Parameters, types and body; `function` and its name have been read.
    pub(super) fn function(&mut self) -> Read {
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
            for name in names {
                reader.declare(name, Role::Given);
            }
            reader.block()
        })?;
        self.expect("end")
    }
}

#[cfg(test)]
mod tests;
