//! Expressions: which locals they read, and what reaches `shell.sh`.

use std::ops::Range;

use super::lexer::Kind;
use super::scope::{Lint, Read, Reader, Value};

/// What the checker knows of Luau and `vm.rs` takes away.
const REMOVED: &[&str] = &["loadstring", "getfenv", "setfenv", "newproxy", "gcinfo", "debug.info"];

impl Reader<'_> {
    pub(super) fn expressions(&mut self) -> Read<Vec<Value>> {
        let mut values = vec![self.expression()?];
        while self.take(",") {
            values.push(self.expression()?);
        }
        Some(values)
    }

    pub(super) fn expression(&mut self) -> Read<Value> {
        self.deeper(|reader| {
            let mut value = reader.operand()?;
            while let Some(operator) = reader.peek() {
                match operator {
                    ".." | "+" | "-" | "*" | "/" | "//" | "%" | "^" | "==" | "~=" | "<" | "<="
                    | ">" | ">=" | "and" | "or" => {
                        reader.at += 1;
                        let right = reader.operand()?;
                        // Constants stay constant, in whatever way they are joined.
                        let constant = reader.is_constant(&value) && reader.is_constant(&right);
                        value = if constant { Value::Constant } else { Value::Other };
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
    pub(super) fn suffixed(&mut self) -> Read<Value> {
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
}
