//! Reads and evaluates an expression in one go.
//!
//! ```text
//! expression = ("*" | "&") expression | "(" type ")" expression | primary { "." name | "->" name | "[" number "]" }
//! primary    = number | name | "per_cpu(" name "," number ")" | "(" expression ")"
//! type       = ["struct" | "union" | "enum"] name { name } { "*" }
//! ```

use super::token::{Token, Tokens};
use super::value::{Storage, Type, Value};
use super::{ExpressionError, Printed, globals};
use crate::kernel::Kernel;
use crate::types::TypeId;

/// Parentheses, casts and stars inside of each other at most.
const MAX_DEPTH: u32 = 64;

impl Kernel {
    /// Evaluates a typed path and reads its value: `init_task.signal.nr_threads`,
    /// `*(struct rq *)per_cpu(runqueues, 1)`, `((struct task_struct *)0xffff888003a38000)->comm`.
    /// `.` and `->` both follow pointers.
    ///
    /// # Errors
    /// [`ExpressionError`], with the column or with the names that are nearest.
    pub fn evaluate(&self, expression: &str) -> Result<Printed, ExpressionError> {
        Printed::new(self, expression, value_of(self, expression)?)
    }
}

/// The value of a whole expression, not read yet.
pub(super) fn value_of(kernel: &Kernel, expression: &str) -> Result<Value, ExpressionError> {
    let mut parser = Parser { kernel, tokens: Tokens::new(expression) };
    let value = parser.expression(MAX_DEPTH)?;
    if parser.tokens.peek()? != Token::End {
        return Err(parser.tokens.expected("`.`, `->`, `[` or the end"));
    }
    Ok(value)
}

struct Parser<'a> {
    kernel: &'a Kernel,
    tokens: Tokens<'a>,
}

impl<'a> Parser<'a> {
    fn expression(&mut self, depth: u32) -> Result<Value, ExpressionError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.tokens.expected("fewer levels of parentheses"));
        };
        if self.tokens.accept('*')? {
            return self.expression(depth)?.follow(self.kernel);
        }
        if self.tokens.accept('&')? {
            return self.address_of(depth);
        }
        if let Some(ty) = self.cast()? {
            return self.cast_to(ty, depth);
        }
        let primary = self.primary(depth)?;
        self.postfix(primary)
    }

    /// The address of a variable needs no type: `&name` of an untyped one is a `void *`.
    fn address_of(&mut self, depth: u32) -> Result<Value, ExpressionError> {
        let before = self.tokens.clone();
        match self.expression(depth) {
            Err(ExpressionError::Untyped { name }) => {
                self.tokens = before;
                self.tokens.next()?;
                let address = self.kernel.symbols().address(&name);
                let address = address.map_err(crate::Error::from)?;
                let void = Type { id: TypeId(0), pointers: 1 };
                Ok(Value { ty: void, storage: Storage::Immediate(address) })
            }
            value => value?.reference(self.kernel),
        }
    }

    /// A cast keeps the bits and changes what they mean. A struct or an array cast to a pointer is its
    /// address, as arrays are in C.
    fn cast_to(&mut self, ty: Type, depth: u32) -> Result<Value, ExpressionError> {
        let value = self.expression(depth)?;
        let bits = match value.address() {
            Some(address) if ty.pointers > 0 && value.is_aggregate(self.kernel) => address,
            _ => value.scalar(self.kernel)?,
        };
        Ok(Value { ty, storage: Storage::Immediate(bits) })
    }

    fn postfix(&mut self, value: Value) -> Result<Value, ExpressionError> {
        let mut value = value;
        loop {
            if self.tokens.accept('.')? || self.tokens.accept('>')? {
                let name = self.name("the name of a member")?;
                value = value.member(self.kernel, name)?;
            } else if self.tokens.accept('[')? {
                let index = self.number("an index")?;
                self.tokens.require(']', "`]`")?;
                value = value.element(self.kernel, index)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self, depth: u32) -> Result<Value, ExpressionError> {
        let before = self.tokens.clone();
        match self.tokens.next()? {
            Token::Number(value) => self.immediate(value),
            Token::Name("per_cpu") if self.tokens.accept('(')? => self.per_cpu(),
            Token::Name(name) => self.variable(name),
            Token::Mark('(') => {
                let value = self.expression(depth)?;
                self.tokens.require(')', "`)`")?;
                Ok(value)
            }
            _ => Err(before.expected("a variable, a number, `*`, `&` or `(`")),
        }
    }

    fn immediate(&self, value: u64) -> Result<Value, ExpressionError> {
        Ok(Value { ty: self.type_named("long unsigned int")?, storage: Storage::Immediate(value) })
    }

    /// `per_cpu(name, cpu)`: the variable of that CPU. Its address is what a pointer cast wants.
    fn per_cpu(&mut self) -> Result<Value, ExpressionError> {
        let name = self.name("the name of a per-CPU variable")?;
        self.tokens.require(',', "`,` and the number of a CPU")?;
        let cpu = self.number("the number of a CPU")?;
        self.tokens.require(')', "`)`")?;
        let id = self.kernel.types().variable(name);
        let id = id.ok_or_else(|| self.unknown_name(name))?;
        let possible = self.kernel.possible_cpus()?;
        let cpu = u32::try_from(cpu).ok().filter(|cpu| possible.contains(cpu));
        let cpu = cpu.ok_or_else(|| self.tokens.expected("a CPU that this kernel has"))?;
        let address = self.kernel.per_cpu(name, cpu)?;
        Ok(Value::at(Type { id, pointers: 0 }, address))
    }

    fn variable(&self, name: &str) -> Result<Value, ExpressionError> {
        let found = self.kernel.symbols().address(name);
        let Ok(address) = found else {
            return match found {
                Err(crate::symbols::SymbolError::Unknown { .. }) => Err(self.unknown_name(name)),
                other => Err(crate::Error::from(
                    other.err().unwrap_or(crate::symbols::SymbolError::Absent),
                )
                .into()),
            };
        };
        if let Some((type_name, pointers)) = globals::type_of(name) {
            let ty = self.type_named(type_name)?;
            return Ok(Value::at(Type { pointers, ..ty }, address));
        }
        match self.kernel.types().variable(name) {
            // Without a CPU the first one's is meant.
            Some(id) => {
                let address = self.kernel.per_cpu(name, 0)?;
                Ok(Value::at(Type { id, pointers: 0 }, address))
            }
            None => Err(ExpressionError::Untyped { name: name.into() }),
        }
    }

    /// A type in parentheses, if one is next; else nothing is taken.
    fn cast(&mut self) -> Result<Option<Type>, ExpressionError> {
        let before = self.tokens.clone();
        if !self.tokens.accept('(')? {
            return Ok(None);
        }
        match self.type_name()? {
            Some(ty) if self.tokens.accept(')')? => Ok(Some(ty)),
            _ => {
                self.tokens = before;
                Ok(None)
            }
        }
    }

    fn type_name(&mut self) -> Result<Option<Type>, ExpressionError> {
        let Token::Name(first) = self.tokens.peek()? else {
            return Ok(None);
        };
        self.tokens.next()?;
        let tagged = matches!(first, "struct" | "union" | "enum");
        let mut name = if tagged { String::new() } else { first.to_owned() };
        while let Token::Name(more) = self.tokens.peek()? {
            if !name.is_empty() {
                name.push(' ');
            }
            name.push_str(more);
            self.tokens.next()?;
        }
        let mut pointers = 0;
        while self.tokens.accept('*')? {
            pointers += 1;
        }
        match self.type_named(&name) {
            Ok(ty) => Ok(Some(Type { pointers, ..ty })),
            Err(error) if tagged || pointers > 0 => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn type_named(&self, name: &str) -> Result<Type, ExpressionError> {
        let name = match name {
            "void" => return Ok(Type { id: TypeId(0), pointers: 0 }),
            "unsigned long" => "long unsigned int",
            "long" => "long int",
            "unsigned" => "unsigned int",
            name => name,
        };
        let types = self.kernel.types();
        let id = types.find(name).map_err(|_| ExpressionError::UnknownType {
            name: name.to_owned(),
            nearest: types.names_like(name),
        })?;
        Ok(Type { id, pointers: 0 })
    }

    fn unknown_name(&self, name: &str) -> ExpressionError {
        ExpressionError::UnknownName {
            name: name.to_owned(),
            nearest: self.kernel.symbols().names_like(name),
        }
    }

    fn name(&mut self, expected: &'static str) -> Result<&'a str, ExpressionError> {
        let before = self.tokens.clone();
        match self.tokens.next()? {
            Token::Name(name) => Ok(name),
            _ => Err(before.expected(expected)),
        }
    }

    fn number(&mut self, expected: &'static str) -> Result<u64, ExpressionError> {
        let before = self.tokens.clone();
        match self.tokens.next()? {
            Token::Number(number) => Ok(number),
            _ => Err(before.expected(expected)),
        }
    }
}
