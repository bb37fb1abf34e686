//! From an expression tree to a flat program.

use sage_dsl::plan::{BinaryOp, Expr, Function, UnaryOp};

use crate::record::{Datum, Items, pack_value};

/// One operation on the value stack.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    /// Push the constant that starts at this offset of the constants.
    Constant(u32),
    /// Push a column.
    Column(u32),
    /// Replace a record by one of its fields.
    Field(u32),
    /// Replace a list of records by the list of one of their fields.
    FieldOfEach(u32),
    /// Replace a record, or every record of a list, by some of its fields: how many, and where their
    /// positions begin.
    Pick {
        from: u32,
        count: u32,
    },
    /// Pop an index and a list, push the element.
    At,
    Unary(UnaryOp),
    Binary(BinaryOp),
    /// Pop a truth value, jump when it is not true.
    JumpUnlessTrue(u32),
    /// Jump, keeping the top, when the top is false (`and`).
    JumpIfFalseKeep(u32),
    /// Jump, keeping the top, when the top is true (`or`).
    JumpIfTrueKeep(u32),
    /// Jump, keeping the top, when the top is not null (`??`).
    JumpIfSomeKeep(u32),
    /// Jump when the top differs from the constant; the top stays.
    JumpUnlessConstant {
        constant: u32,
        target: u32,
    },
    Jump(u32),
    Pop,
    /// No arm of a match fits.
    NoArm,
    Call {
        function: Function,
        arguments: u32,
    },
    /// `fnv1a(join(list, separator))` without making the joined text.
    HashJoined,
    Template {
        template: u32,
        arguments: u32,
    },
    Record(u32),
    List(u32),
    Store(u32),
    Load(u32),
}

/// A compiled expression. Cheap to evaluate, immutable, shared by all records of a worker.
#[derive(Debug, Clone)]
pub struct Program {
    pub(super) ops: Vec<Op>,
    pub(super) constants: Vec<u8>,
    /// Positions of the fields that are picked.
    pub(super) picked: Vec<u32>,
    pub(super) locals: usize,
}

/// An expression is too large for a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an expression has more than {limit} operations; split it into several stages")]
pub struct CompileError {
    /// The limit.
    pub limit: usize,
}

const LIMIT: usize = 1 << 20;

impl Program {
    /// Compile `expr`.
    pub fn compile(expr: &Expr) -> Result<Self, CompileError> {
        let mut program =
            Program { ops: Vec::new(), constants: Vec::new(), picked: Vec::new(), locals: 0 };
        program.emit(expr);
        if program.ops.len() > LIMIT {
            return Err(CompileError { limit: LIMIT });
        }
        Ok(program)
    }

    /// The value, when the program is one constant.
    pub fn constant(&self) -> Option<Datum<'_>> {
        match self.ops.as_slice() {
            [Op::Constant(at)] => Some(self.constant_at(*at)),
            _ => None,
        }
    }

    /// The column, when the program is one column.
    pub fn column(&self) -> Option<usize> {
        match self.ops.as_slice() {
            [Op::Column(column)] => Some(*column as usize),
            _ => None,
        }
    }

    pub(super) fn constant_at(&self, at: u32) -> Datum<'_> {
        Items::new(self.constants.get(at as usize..).unwrap_or(&[])).get(0)
    }

    fn add_constant(&mut self, value: &sage_dsl::types::Value) -> u32 {
        let at = self.constants.len() as u32;
        pack_value(&mut self.constants, value);
        at
    }

    fn here(&self) -> u32 {
        self.ops.len() as u32
    }

    /// Emit a jump whose target is filled in by `land`.
    fn jump(&mut self, op: Op) -> usize {
        self.ops.push(op);
        self.ops.len() - 1
    }

    fn land(&mut self, jump: usize) {
        let here = self.here();
        match &mut self.ops[jump] {
            Op::JumpUnlessTrue(target)
            | Op::JumpIfFalseKeep(target)
            | Op::JumpIfTrueKeep(target)
            | Op::JumpIfSomeKeep(target)
            | Op::JumpUnlessConstant { target, .. }
            | Op::Jump(target) => *target = here,
            _ => {}
        }
    }

    fn emit(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(value) => {
                let at = self.add_constant(value);
                self.ops.push(Op::Constant(at));
            }
            Expr::Column(column) => self.ops.push(Op::Column(*column as u32)),
            Expr::Field(record, field) => {
                self.emit(record);
                self.ops.push(Op::Field(*field as u32));
            }
            Expr::FieldOfEach(list, field) => {
                self.emit(list);
                self.ops.push(Op::FieldOfEach(*field as u32));
            }
            Expr::Pick(value, fields) => {
                self.emit(value);
                let (from, count) = (self.picked.len() as u32, fields.len() as u32);
                self.picked.extend(fields.iter().map(|field| *field as u32));
                self.ops.push(Op::Pick { from, count });
            }
            Expr::At(list, index) => {
                self.emit(list);
                self.emit(index);
                self.ops.push(Op::At);
            }
            Expr::Unary(op, operand) => {
                self.emit(operand);
                self.ops.push(Op::Unary(*op));
            }
            Expr::Binary(op, left, right) => self.emit_binary(*op, left, right),
            Expr::If(condition, then, otherwise) => {
                self.emit(condition);
                let to_else = self.jump(Op::JumpUnlessTrue(0));
                self.emit(then);
                let to_end = self.jump(Op::Jump(0));
                self.land(to_else);
                self.emit(otherwise);
                self.land(to_end);
            }
            Expr::Match(subject, arms) => self.emit_match(subject, arms),
            Expr::Call(Function::Fnv1a, arguments)
                if matches!(arguments.as_slice(), [Expr::Call(Function::Join, _)]) =>
            {
                if let [Expr::Call(Function::Join, joined)] = arguments.as_slice() {
                    joined.iter().for_each(|argument| self.emit(argument));
                    self.ops.push(Op::HashJoined);
                }
            }
            Expr::Call(function, arguments) => {
                arguments.iter().for_each(|argument| self.emit(argument));
                let arguments = arguments.len() as u32;
                self.ops.push(Op::Call { function: *function, arguments });
            }
            Expr::Template(template, arguments) => {
                arguments.iter().for_each(|argument| self.emit(argument));
                let (template, arguments) = (*template as u32, arguments.len() as u32);
                self.ops.push(Op::Template { template, arguments });
            }
            Expr::Record(fields) => {
                fields.iter().for_each(|field| self.emit(field));
                self.ops.push(Op::Record(fields.len() as u32));
            }
            Expr::List(items) => {
                items.iter().for_each(|item| self.emit(item));
                self.ops.push(Op::List(items.len() as u32));
            }
            Expr::Let(bindings, body) => {
                for (slot, value) in bindings {
                    self.emit(value);
                    self.locals = self.locals.max(slot + 1);
                    self.ops.push(Op::Store(*slot as u32));
                }
                self.emit(body);
            }
            Expr::Local(slot) => {
                self.locals = self.locals.max(slot + 1);
                self.ops.push(Op::Load(*slot as u32));
            }
        }
    }

    fn emit_binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        self.emit(left);
        let skip = match op {
            BinaryOp::And => Some(self.jump(Op::JumpIfFalseKeep(0))),
            BinaryOp::Or => Some(self.jump(Op::JumpIfTrueKeep(0))),
            BinaryOp::Coalesce => Some(self.jump(Op::JumpIfSomeKeep(0))),
            _ => None,
        };
        if let Some(skip) = skip {
            self.ops.push(Op::Pop);
            self.emit(right);
            self.land(skip);
        } else {
            self.emit(right);
            self.ops.push(Op::Binary(op));
        }
    }

    fn emit_match(&mut self, subject: &Expr, arms: &[(Option<sage_dsl::types::Value>, Expr)]) {
        self.emit(subject);
        let mut ends = Vec::new();
        for (pattern, body) in arms {
            let next = pattern.as_ref().map(|value| {
                let constant = self.add_constant(value);
                self.jump(Op::JumpUnlessConstant { constant, target: 0 })
            });
            self.ops.push(Op::Pop);
            self.emit(body);
            ends.push(self.jump(Op::Jump(0)));
            if let Some(next) = next {
                self.land(next);
            }
        }
        self.ops.push(Op::NoArm);
        ends.into_iter().for_each(|end| self.land(end));
    }
}
