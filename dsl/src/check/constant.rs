//! Evaluation of expressions that need no record.
//!
//! Only what constants are made of in practice; anything else, and anything that would fail, is
//! left to run time.

use crate::plan::{BinaryOp, Expr, Function, UnaryOp};
use crate::time;
use crate::types::Value;

/// The value of an expression, if it reads no column and no outer slot.
pub(crate) fn fold(expr: &Expr) -> Option<Value> {
    eval(expr, &mut Vec::new())
}

fn eval(expr: &Expr, slots: &mut Vec<(usize, Value)>) -> Option<Value> {
    match expr {
        Expr::Literal(value) => Some(value.clone()),
        Expr::Local(slot) => {
            slots.iter().rev().find(|(at, _)| at == slot).map(|(_, value)| value.clone())
        }
        Expr::Let(bindings, body) => {
            let before = slots.len();
            for (slot, bound) in bindings {
                let value = eval(bound, slots)?;
                slots.push((*slot, value));
            }
            let value = eval(body, slots);
            slots.truncate(before);
            value
        }
        Expr::Unary(op, inner) => match (op, eval(inner, slots)?) {
            (UnaryOp::Neg, value) => crate::literal::negate(&value),
            (UnaryOp::Not, Value::Bool(flag)) => Some(Value::Bool(!flag)),
            (UnaryOp::Not, _) => None,
        },
        Expr::Binary(op, left, right) => {
            let left = eval(left, slots)?;
            match (op, &left) {
                (BinaryOp::And, Value::Bool(false)) | (BinaryOp::Or, Value::Bool(true)) => {
                    Some(left)
                }
                (BinaryOp::Coalesce, Value::Null) => eval(right, slots),
                (BinaryOp::Coalesce, _) => Some(left),
                _ => binary(*op, &left, &eval(right, slots)?),
            }
        }
        Expr::If(condition, yes, no) => match eval(condition, slots)? {
            Value::Bool(true) => eval(yes, slots),
            Value::Bool(false) => eval(no, slots),
            _ => None,
        },
        Expr::Match(subject, cases) => {
            let subject = eval(subject, slots)?;
            let case = cases
                .iter()
                .find(|(pattern, _)| pattern.as_ref().is_none_or(|pattern| *pattern == subject))?;
            eval(&case.1, slots)
        }
        Expr::List(items) => {
            let values: Option<Vec<Value>> = items.iter().map(|item| eval(item, slots)).collect();
            values.map(Value::List)
        }
        Expr::Call(function, args) => {
            let args: Option<Vec<Value>> = args.iter().map(|arg| eval(arg, slots)).collect();
            call(*function, &args?)
        }
        _ => None,
    }
}

fn binary(op: BinaryOp, left: &Value, right: &Value) -> Option<Value> {
    use BinaryOp::{Add, And, Div, Eq, Ge, Gt, Le, Lt, Mul, Ne, Or, Rem, Sub};
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => match op {
            Add => a.checked_add(*b).map(Value::Int),
            Sub => a.checked_sub(*b).map(Value::Int),
            Mul => a.checked_mul(*b).map(Value::Int),
            Div => a.checked_div(*b).map(Value::Int),
            Rem => a.checked_rem(*b).map(Value::Int),
            _ => compare(op, a.cmp(b)),
        },
        (Value::Time(a), Value::Time(b)) => match op {
            Sub => a.checked_sub(*b).map(Value::Duration),
            _ => compare(op, a.cmp(b)),
        },
        (Value::Time(a), Value::Duration(b)) => match op {
            Add => a.checked_add(*b).map(Value::Time),
            Sub => a.checked_sub(*b).map(Value::Time),
            _ => None,
        },
        (Value::Duration(a), Value::Time(b)) if op == Add => a.checked_add(*b).map(Value::Time),
        (Value::Duration(a), Value::Duration(b)) => match op {
            Add => a.checked_add(*b).map(Value::Duration),
            Sub => a.checked_sub(*b).map(Value::Duration),
            _ => compare(op, a.cmp(b)),
        },
        (Value::Duration(a), Value::Int(b)) => match op {
            Mul => a.checked_mul(*b).map(Value::Duration),
            Div => a.checked_div(*b).map(Value::Duration),
            _ => None,
        },
        (Value::Int(a), Value::Duration(b)) if op == Mul => a.checked_mul(*b).map(Value::Duration),
        (Value::Float(a), Value::Float(b)) => {
            let result = match op {
                Add => a + b,
                Sub => a - b,
                Mul => a * b,
                Div => a / b,
                _ => return compare(op, a.partial_cmp(b)?),
            };
            result.is_finite().then_some(Value::Float(result))
        }
        (Value::String(a), Value::String(b)) => match op {
            // Bounded, or doubling functions would build text without end.
            Add if a.len() + b.len() <= 1 << 16 => Some(Value::String(format!("{a}{b}"))),
            Eq | Ne | Lt | Le | Gt | Ge => compare(op, a.cmp(b)),
            _ => None,
        },
        (Value::Bool(a), Value::Bool(b)) => match op {
            And => Some(Value::Bool(*a && *b)),
            Or => Some(Value::Bool(*a || *b)),
            Eq | Ne => compare(op, a.cmp(b)),
            _ => None,
        },
        (item, Value::List(items)) if op == BinaryOp::In => Some(Value::Bool(items.contains(item))),
        (Value::List(items), item) if op == BinaryOp::Contains => {
            Some(Value::Bool(items.contains(item)))
        }
        _ => None,
    }
}

fn compare(op: BinaryOp, order: std::cmp::Ordering) -> Option<Value> {
    let flag = match op {
        BinaryOp::Eq => order.is_eq(),
        BinaryOp::Ne => order.is_ne(),
        BinaryOp::Lt => order.is_lt(),
        BinaryOp::Le => order.is_le(),
        BinaryOp::Gt => order.is_gt(),
        BinaryOp::Ge => order.is_ge(),
        _ => return None,
    };
    Some(Value::Bool(flag))
}

fn call(function: Function, args: &[Value]) -> Option<Value> {
    match (function, args) {
        (Function::ToFloat, [Value::Int(n)]) => Some(Value::Float(*n as f64)),
        (Function::ToString, [Value::Int(n)]) => Some(Value::String(n.to_string())),
        (Function::ToString, [Value::String(_)]) => Some(args[0].clone()),
        (Function::Min, [Value::Int(a), Value::Int(b)]) => Some(Value::Int(*a.min(b))),
        (Function::Max, [Value::Int(a), Value::Int(b)]) => Some(Value::Int(*a.max(b))),
        (Function::Time, [Value::String(text)]) => time::parse(text).ok().map(Value::Time),
        (Function::Abs, [Value::Int(n)]) => n.checked_abs().map(Value::Int),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_fail_is_left_to_run_time() {
        let int = |n| Box::new(Expr::Literal(Value::Int(n)));
        assert_eq!(fold(&Expr::Binary(BinaryOp::Add, int(1), int(2))), Some(Value::Int(3)));
        assert_eq!(fold(&Expr::Binary(BinaryOp::Add, int(i64::MAX), int(1))), None);
        assert_eq!(fold(&Expr::Binary(BinaryOp::Add, int(1), Box::new(Expr::Column(0)))), None);
    }
}
