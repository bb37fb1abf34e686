//! The registry of codes.
//!
//! Codes are stable and **never reused**: scripts and searches depend on them. S01 is syntax, S02
//! names, S03 types, S04 flows, S05 what lies outside (endpoints, sources, settings), S06 experiments
//! and objectives, S07 tests, S08 measurements.

mod experiments;
mod flows;
mod measures;
mod names;
mod outside;
mod syntax;
mod tests;
mod types;

use experiments::EXPERIMENTS;
use flows::FLOWS;
use measures::MEASURES;
use names::NAMES;
use outside::OUTSIDE;
use syntax::SYNTAX;
use tests::TESTS;
use types::TYPES;

const BOOKS: [&[Code]; 8] = [SYNTAX, NAMES, TYPES, FLOWS, OUTSIDE, EXPERIMENTS, TESTS, MEASURES];

const COUNT: usize = {
    let (mut count, mut book) = (0, 0);
    while book < BOOKS.len() {
        count += BOOKS[book].len();
        book += 1;
    }
    count
};

const ALL: [Code; COUNT] = {
    let mut all = [SYNTAX[0]; COUNT];
    let (mut book, mut page, mut at) = (0, 0, 0);
    while at < all.len() {
        if page == BOOKS[book].len() {
            (book, page) = (book + 1, 0);
        } else {
            all[at] = BOOKS[book][page];
            (page, at) = (page + 1, at + 1);
        }
    }
    all
};

/// Every code, in order. One that is no longer reported keeps its page: it stands in old logs.
pub const CODES: &[Code] = &ALL;

/// A code with its page; `sage-flow explain S0207` prints it.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// `S0207`.
    pub code: &'static str,
    /// One line.
    pub title: &'static str,
    /// What it means, why it is so, and what to do.
    pub explanation: &'static str,
    /// Where the two examples stand.
    pub within: Within,
    /// What gives the code.
    pub wrong: &'static str,
    /// The same, mended.
    pub right: &'static str,
}

/// Of what the examples of a page are a part. The rest of the program is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// A whole file.
    File,
    /// Declarations beside a flow.
    Declarations,
    /// Steps of a flow, between its `from` and its `emit`.
    Steps,
    /// All steps of a flow.
    Flow,
    /// A test.
    Test,
    /// An experiment.
    Experiment,
    /// Something that cannot be shown by a program alone.
    Command,
}

pub(crate) const UNEXPECTED: &str = "S0101";
pub(crate) const OPEN_BRACKET: &str = "S0102";
pub(crate) const OPEN_STRING: &str = "S0103";
pub(crate) const OPEN_TRIPLE: &str = "S0104";
pub(crate) const STRAY_BRACKET: &str = "S0105";
pub(crate) const EQUALS_FOR_COLON: &str = "S0106";
pub(crate) const FOREIGN_OPERATOR: &str = "S0107";
pub(crate) const SINGLE_QUOTES: &str = "S0108";
pub(crate) const SEMICOLON: &str = "S0109";
pub(crate) const HASH_COMMENT: &str = "S0110";
pub(crate) const IMPORT_QUOTES: &str = "S0111";
pub(crate) const NAME_CASE: &str = "S0112";
pub(crate) const FOREIGN_WORD: &str = "S0113";
pub(crate) const TOO_DEEP: &str = "S0114";
pub(crate) const FILE_TOO_LARGE: &str = "S0115";
pub(crate) const NUMBER_RANGE: &str = "S0116";
pub(crate) const NOT_SUPPORTED: &str = "S0117";
pub(crate) const NO_EDITION: &str = "S0119";
pub(crate) const UNKNOWN_EDITION: &str = "S0120";
pub(crate) const BAD_ESCAPE: &str = "S0121";
pub(crate) const TWICE: &str = "S0122";
pub(crate) const UNKNOWN_UNIT: &str = "S0123";
pub(crate) const CHAINED: &str = "S0124";
pub(crate) const MISPLACED: &str = "S0125";
pub(crate) const NO_COMMA: &str = "S0126";
pub(crate) const NOT_FILLED_IN: &str = "S0127";
pub(crate) const UNKNOWN_NAME: &str = "S0201";
pub(crate) const UNKNOWN_TYPE: &str = "S0202";
pub(crate) const UNKNOWN_FIELD: &str = "S0203";
pub(crate) const UNKNOWN_CALL: &str = "S0204";
pub(crate) const UNKNOWN_ARGUMENT: &str = "S0205";
pub(crate) const MISSING_ARGUMENT: &str = "S0206";
pub(crate) const UNKNOWN_OPTION: &str = "S0207";
pub(crate) const TOO_MANY_ARGUMENTS: &str = "S0208";
pub(crate) const DECLARED_TWICE: &str = "S0209";
pub(crate) const UNKNOWN_SET: &str = "S0210";
pub(crate) const TEMPLATE_VARIABLE: &str = "S0211";
pub(crate) const UNKNOWN_LEAF: &str = "S0212";
pub(crate) const IMPORT_CONFLICT: &str = "S0213";
pub(crate) const IMPORT_FAILED: &str = "S0214";
pub(crate) const WRONG_DECLARATION: &str = "S0215";
pub(crate) const OTHER_PATH: &str = "S0216";
pub(crate) const IMPORT_CYCLE: &str = "S0217";
pub(crate) const TYPE_MISMATCH: &str = "S0301";
pub(crate) const OPERAND_TYPES: &str = "S0302";
pub(crate) const MISSING_UNIT: &str = "S0303";
pub(crate) const NOT_BOOL: &str = "S0304";
pub(crate) const BRANCHES_DIFFER: &str = "S0305";
pub(crate) const BAD_MATCH: &str = "S0306";
pub(crate) const NOT_CONSTANT: &str = "S0307";
pub(crate) const STAGE_INSIDE: &str = "S0308";
pub(crate) const MISSING_FIELD: &str = "S0309";
pub(crate) const RECURSION: &str = "S0310";
pub(crate) const TOO_LARGE: &str = "S0311";
pub(crate) const NO_FIELDS: &str = "S0312";
pub(crate) const DIVISION_BY_ZERO: &str = "S0314";
pub(crate) const BAD_ATTRIBUTE: &str = "S0315";
pub(crate) const ANSWER_TYPE: &str = "S0316";
pub(crate) const BAD_TIME: &str = "S0317";
pub(crate) const DROPPED_REMAINDER: &str = "S0318";
pub(crate) const NO_SOURCE: &str = "S0401";
pub(crate) const NO_EMIT: &str = "S0402";
pub(crate) const ENDPOINT_NEEDED: &str = "S0403";
pub(crate) const NO_ENDPOINT: &str = "S0404";
pub(crate) const EMITS_DIFFER: &str = "S0405";
pub(crate) const COLUMN_TAKEN: &str = "S0406";
pub(crate) const UNUSED: &str = "S0407";
pub(crate) const UNUSED_CALL: &str = "S0408";
pub(crate) const NO_FLOW: &str = "S0409";
pub(crate) const WHERE_AFTER_EMIT: &str = "S0410";
pub(crate) const BAD_STAGE: &str = "S0411";
pub(crate) const PLAIN_TEXT: &str = "S0412";
pub(crate) const BAD_ROUTE: &str = "S0413";
pub(crate) const BAD_LOOP: &str = "S0414";
pub(crate) const BAD_CARRY: &str = "S0415";
pub(crate) const BAD_GROUP: &str = "S0416";
pub(crate) const AFTER_GROUP: &str = "S0417";
pub(crate) const BAD_AGGREGATE: &str = "S0418";
pub(crate) const BAD_WINDOW: &str = "S0419";
pub(crate) const BAD_CHANGES: &str = "S0420";
pub(crate) const BAD_JOIN: &str = "S0421";
pub(crate) const NO_LIST: &str = "S0422";
pub(crate) const BAD_DEDUP: &str = "S0423";
pub(crate) const NO_ROOM: &str = "S0424";
pub(crate) const UNUSED_PARAMETER: &str = "S0425";
pub(crate) const MISSING_OPTION: &str = "S0501";
pub(crate) const KEY_IN_PROGRAM: &str = "S0502";
pub(crate) const UNKNOWN_PROFILE: &str = "S0503";
pub(crate) const BAD_OPTION: &str = "S0504";
pub(crate) const NO_KEY: &str = "S0505";
pub(crate) const BAD_ENV: &str = "S0506";
pub(crate) const NO_TEXT: &str = "S0507";
pub(crate) const PARAM_VALUE: &str = "S0508";
pub(crate) const NO_EFFECT: &str = "S0509";
pub(crate) const FILE_NAME: &str = "S0510";
pub(crate) const FILE_TWICE: &str = "S0511";
pub(crate) const NO_INPUT: &str = "S0512";
pub(crate) const NOT_SERVED: &str = "S0513";
pub(crate) const NO_JOBS: &str = "S0601";
pub(crate) const UNKNOWN_FLOW: &str = "S0602";
pub(crate) const TWO_FLOWS: &str = "S0603";
pub(crate) const UNKNOWN_SETTING: &str = "S0604";
pub(crate) const NOT_HERE: &str = "S0605";
pub(crate) const BESIDE: &str = "S0606";
pub(crate) const NO_POINTS: &str = "S0607";
pub(crate) const LABEL_TWICE: &str = "S0608";
pub(crate) const SWEPT_TWICE: &str = "S0609";
pub(crate) const NOT_TOGETHER: &str = "S0610";
pub(crate) const NO_SUCH_NODE: &str = "S0611";
pub(crate) const TWIN_ONLY: &str = "S0612";
pub(crate) const TOO_MANY_RUNS: &str = "S0613";
pub(crate) const UNKNOWN_COLUMN: &str = "S0614";
pub(crate) const UNKNOWN_LABEL: &str = "S0615";
pub(crate) const TWO_LABELS: &str = "S0616";
pub(crate) const NOT_A_CLAIM: &str = "S0617";
pub(crate) const INCOMPARABLE: &str = "S0618";
pub(crate) const SEVERAL_ROWS: &str = "S0619";
pub(crate) const ONE_RUN: &str = "S0620";
pub(crate) const NOT_MEASURED: &str = "S0621";
pub(crate) const TEST_LACKS: &str = "S0701";
pub(crate) const TEST_FLOW: &str = "S0702";
pub(crate) const BAD_GIVEN: &str = "S0703";
pub(crate) const BAD_MOCK: &str = "S0704";
pub(crate) const BAD_FAULT: &str = "S0705";
pub(crate) const UNMET: &str = "S0706";
pub(crate) const UNKNOWN_MEASURE: &str = "S0801";
pub(crate) const BAD_MEASURE: &str = "S0802";

const fn page(
    code: &'static str,
    title: &'static str,
    explanation: &'static str,
    within: Within,
    wrong: &'static str,
    right: &'static str,
) -> Code {
    Code { code, title, explanation, within, wrong, right }
}

/// The page of a code.
pub fn explain_code(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|entry| entry.code.eq_ignore_ascii_case(code))
}
