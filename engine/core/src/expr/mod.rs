//! Expressions: the plan's trees compiled once to flat programs over column positions.
//!
//! A tree walk would chase a box per node and match names; a program is one slice of small
//! operations on a value stack. Values borrow from the row, from the program's constants or from an
//! arena that lives as long as one batch of rows, so evaluation allocates nothing on the heap.

mod compile;
mod evaluate;
mod function;
mod template;
mod template_value;

pub use compile::{CompileError, Program};
pub use evaluate::EvalError;
pub use template::Templates;

#[cfg(test)]
mod tests {
    use bumpalo::Bump;
    use sage_dsl::plan::{BinaryOp, Expr, Function, Template, UnaryOp};
    use sage_dsl::types::Value;

    use super::*;
    use crate::record::{Datum, Rows, pack, pack_list, pack_record, write_text};

    fn lit(n: i64) -> Expr {
        Expr::Literal(Value::Int(n))
    }

    fn text(s: &str) -> Expr {
        Expr::Literal(Value::String(s.into()))
    }

    fn bin(op: BinaryOp, a: Expr, b: Expr) -> Expr {
        Expr::Binary(op, Box::new(a), Box::new(b))
    }

    /// Columns: 0 = "Hello World", 1 = 7, 2 = null, 3 = [{"a", 1}, {"b", 2}].
    fn check(expr: &Expr, expect: &str) {
        let mut rows = Rows::default();
        rows.push(|out| {
            pack(out, Datum::Str("Hello World"));
            pack(out, Datum::Int(7));
            pack(out, Datum::Null);
            pack_list(out, |out| {
                for (name, n) in [("a", 1), ("b", 2)] {
                    pack_record(out, |out| {
                        pack(out, Datum::Str(name));
                        pack(out, Datum::Int(n));
                    });
                }
            });
        });
        let templates = Templates::compile(&[Template {
            name: "p".into(),
            params: vec!["q".into()],
            types: vec![sage_dsl::types::Type::String],
            text: "Q: {{ q }}!".into(),
            result: sage_dsl::types::Type::String,
        }])
        .unwrap();
        let (mut columns, arena) = (Vec::new(), Bump::new());
        let program = Program::compile(expr).unwrap();
        rows.unpack(0, &mut columns);
        let shown = match program.evaluate(&columns, &templates, &arena) {
            Ok(datum) => {
                let mut out = Vec::new();
                write_text(&mut out, &sage_dsl::types::Type::Unknown, datum);
                String::from_utf8(out).unwrap()
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expect, "{expr:?}");
    }

    #[test]
    fn arithmetic_and_its_errors() {
        check(&bin(BinaryOp::Add, lit(2), bin(BinaryOp::Mul, lit(3), Expr::Column(1))), "23");
        check(&bin(BinaryOp::Div, lit(2), lit(0)), "division by zero");
        check(&bin(BinaryOp::Rem, lit(i64::MIN), lit(-1)), "integer overflow in `%`");
        check(&bin(BinaryOp::Add, lit(i64::MAX), lit(1)), "integer overflow in `+`");
        check(&bin(BinaryOp::Add, lit(1), Expr::Literal(Value::Float(0.5))), "1.5");
        check(&bin(BinaryOp::Add, lit(1), Expr::Column(2)), "`+` cannot use null");
        let float = |x| Expr::Literal(Value::Float(x));
        check(&bin(BinaryOp::Div, float(1.0), float(0.0)), "division by zero");
        check(&bin(BinaryOp::Div, float(0.0), lit(0)), "division by zero");
        let large = bin(BinaryOp::Mul, float(1e300), float(1e300));
        check(&large, "the result of `*` is too large for a float");
        check(&Expr::Unary(UnaryOp::Neg, Box::new(Expr::Column(1))), "-7");
    }

    #[test]
    fn the_right_side_is_evaluated_only_when_needed() {
        let boom = || bin(BinaryOp::Eq, bin(BinaryOp::Div, lit(1), lit(0)), lit(0));
        let truth = |flag| Expr::Literal(Value::Bool(flag));
        check(&bin(BinaryOp::And, truth(false), boom()), "false");
        check(&bin(BinaryOp::Or, truth(true), boom()), "true");
        check(&bin(BinaryOp::Coalesce, Expr::Column(1), boom()), "7");
        check(&bin(BinaryOp::Coalesce, Expr::Column(2), lit(3)), "3");
        check(&Expr::If(Box::new(truth(true)), Box::new(lit(1)), Box::new(boom())), "1");
    }

    #[test]
    fn match_takes_the_first_arm_that_fits() {
        let arms =
            |last: Option<Value>| vec![(Some(Value::Int(1)), text("one")), (last, text("other"))];
        check(&Expr::Match(Box::new(lit(1)), arms(None)), "one");
        check(&Expr::Match(Box::new(lit(5)), arms(None)), "other");
        check(
            &Expr::Match(Box::new(lit(5)), arms(Some(Value::Int(2)))),
            "no arm of `match` fits the value",
        );
    }

    #[test]
    fn lists_fields_and_slots() {
        let names = Expr::FieldOfEach(Box::new(Expr::Column(3)), 0);
        check(&names, r#"["a","b"]"#);
        check(&Expr::Call(Function::Join, vec![names.clone(), text("+")]), "a+b");
        check(&Expr::At(Box::new(names.clone()), Box::new(lit(1))), "b");
        check(&Expr::At(Box::new(names), Box::new(lit(9))), "");
        let second = Expr::At(Box::new(Expr::Column(3)), Box::new(lit(1)));
        check(&Expr::Field(Box::new(second), 1), "2");
        let body = bin(BinaryOp::Mul, Expr::Local(0), Expr::Local(0));
        check(&Expr::Let(vec![(0, lit(6))], Box::new(body)), "36");
    }

    #[test]
    fn records_keep_the_fields_that_are_picked() {
        let pick = |value: Expr, fields: &[usize]| Expr::Pick(Box::new(value), fields.to_vec());
        let numbers = |list: Expr| Expr::FieldOfEach(Box::new(list), 0);
        check(&numbers(pick(Expr::Column(3), &[1])), "[1,2]");
        let second = Expr::At(Box::new(Expr::Column(3)), Box::new(lit(1)));
        let turned = pick(pick(second, &[1, 0]), &[1]);
        check(&Expr::Field(Box::new(turned), 0), "b");
        check(&Expr::Call(Function::Length, vec![pick(Expr::Column(3), &[])]), "2");
        check(&pick(Expr::Column(2), &[0]), "");
        check(&pick(Expr::At(Box::new(Expr::Column(3)), Box::new(lit(9))), &[0]), "");
    }

    #[test]
    fn a_hash_of_joined_items_is_the_hash_of_the_joined_text() {
        let call = |function, arguments| Expr::Call(function, arguments);
        let lists = [
            call(Function::Words, vec![Expr::Column(0)]),
            Expr::List(vec![lit(1), text("b")]),
            Expr::List(vec![]),
            Expr::Column(2),
        ];
        for list in lists {
            let joined = call(Function::Join, vec![list, text(" ")]);
            let apart = Expr::Let(
                vec![(0, joined.clone())],
                Box::new(call(Function::Fnv1a, vec![Expr::Local(0)])),
            );
            let both = bin(BinaryOp::Eq, call(Function::Fnv1a, vec![joined]), apart);
            check(&both, "true");
        }
    }

    #[test]
    fn functions_and_prompts() {
        let call = |function, arguments| Expr::Call(function, arguments);
        check(&call(Function::Lower, vec![Expr::Column(0)]), "hello world");
        check(&call(Function::Words, vec![Expr::Column(0)]), r#"["hello","world"]"#);
        check(&call(Function::Slice, vec![Expr::Column(0), lit(6), lit(99)]), "World");
        check(&call(Function::Replace, vec![Expr::Column(0), text("l"), text("")]), "Heo Word");
        check(&call(Function::ToInt, vec![text("x1")]), "`to_int` cannot read `x1` as a number");
        check(&call(Function::Time, vec![text("1970-01-02")]), "86400000000000");
        check(
            &call(Function::Time, vec![text("2026-02-29")]),
            "`time` expected a day of the calendar, found `2026-02-29`",
        );
        check(
            &call(Function::Floor, vec![Expr::Literal(Value::Float(f64::NAN))]),
            "integer overflow in `floor`",
        );
        check(&Expr::Template(0, vec![Expr::Column(0)]), "Q: Hello World!");
    }
}
