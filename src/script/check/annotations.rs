//! Types, read only to know where they end: `typeof(x)` is all in them that reads a local.

use super::lexer::Kind;
use super::scope::{Read, Reader};

impl Reader<'_> {
    /// `<T, U...>`, with defaults.
    pub(super) fn generics(&mut self) -> Read {
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

    pub(super) fn type_statement(&mut self) -> Read {
        let (name, _) = self.name()?;
        if name == "function" {
            self.name()?;
            return self.function();
        }
        self.generics()?;
        self.expect("=")?;
        self.type_()
    }

    pub(super) fn type_(&mut self) -> Read {
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
