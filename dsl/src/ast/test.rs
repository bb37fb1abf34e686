//! The tree of a `test` block.

use super::{Block, Expr, Name};
use crate::span::Span;

/// `test "name" { given ...; mock ...; fault ...; expect ... }`.
#[derive(Debug)]
pub(crate) struct Test {
    /// Without its quotes.
    pub(crate) name: Name,
    pub(crate) parts: Vec<TestPart>,
    /// A part could not be read: what is absent may be that one.
    pub(crate) broken: bool,
}

/// What a test is made of, in any order.
#[derive(Debug)]
pub(crate) enum TestPart {
    Given(Given),
    Mock(Mock),
    Fault(Fault),
    Expect(Expr),
}

/// Records that come in.
#[derive(Debug)]
pub(crate) enum Given {
    /// `given 200 of queries`: the number as written, and the source.
    Of(Name, Name),
    /// `given Query { ... }`, or a list of such, and the source if it is named: `given [...] of users`.
    Records { records: Expr, of: Option<Name>, span: Span },
}

/// `mock stage = value`, `mock stage.field = value`.
#[derive(Debug)]
pub(crate) struct Mock {
    pub(crate) target: Name,
    pub(crate) value: Expr,
}

/// `fault endpoint { name: value }`.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) endpoint: Name,
    pub(crate) block: Block,
}
