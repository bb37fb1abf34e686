//! The registry of codes.
//!
//! Codes are stable and **never reused**: scripts and searches depend on them. S01 is syntax, S02
//! names, S03 types, S04 flows, S05 what lies outside (endpoints, sources, settings).

/// A code with its page.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// `S0207`.
    pub code: &'static str,
    /// One line.
    pub title: &'static str,
    /// What it means and what to do.
    pub explanation: &'static str,
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
pub(crate) const SYNTAX_ONLY: &str = "S0118";
pub(crate) const NO_EDITION: &str = "S0119";
pub(crate) const UNKNOWN_EDITION: &str = "S0120";
pub(crate) const BAD_ESCAPE: &str = "S0121";
pub(crate) const TWICE: &str = "S0122";
pub(crate) const UNKNOWN_UNIT: &str = "S0123";
pub(crate) const CHAINED: &str = "S0124";
pub(crate) const MISPLACED: &str = "S0125";
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
pub(crate) const STRUCTURED_OUTPUT: &str = "S0313";
pub(crate) const DIVISION_BY_ZERO: &str = "S0314";
pub(crate) const BAD_ATTRIBUTE: &str = "S0315";
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
pub(crate) const MISSING_OPTION: &str = "S0501";
pub(crate) const KEY_IN_PROGRAM: &str = "S0502";
pub(crate) const UNKNOWN_PROFILE: &str = "S0503";
pub(crate) const BAD_OPTION: &str = "S0504";
pub(crate) const NO_KEY: &str = "S0505";
pub(crate) const BAD_ENV: &str = "S0506";
pub(crate) const NO_TEXT: &str = "S0507";
pub(crate) const PARAM_VALUE: &str = "S0508";

/// Every code, in order.
pub const CODES: &[Code] = &[
    page(
        "S0101",
        "unexpected text",
        "The text at the mark does not fit the construct it stands in. The help line \
        shows the form of the construct. Everything else in the file is still \
        checked.",
    ),
    page(
        "S0102",
        "bracket is never closed",
        "A `{`, `(` or `[` has no counterpart. For a brace, the next declaration at \
        the start of a line is taken as the place where it is missing.",
    ),
    page(
        "S0103",
        "string is never closed",
        "A string ends on the line it starts on. Text of several lines stands \
        between `\"\"\"`.",
    ),
    page(
        "S0104",
        "text is never closed",
        "Text that starts with `\"\"\"` ends with `\"\"\"`. Everything after the \
        mark was taken as text.",
    ),
    page("S0105", "bracket closes nothing", "A closing bracket has no opening one."),
    page(
        "S0106",
        "`=` in a block",
        "Entries of a block are `name: value`, everywhere in the language.",
    ),
    page(
        "S0107",
        "operator of another language",
        "Logic is spelt `and`, `or`, `not`; equality is `==`.",
    ),
    page("S0108", "single quotes", "Strings stand in double quotes."),
    page(
        "S0109",
        "semicolon",
        "A new line ends a step or an entry; entries on one line are separated by `,`.",
    ),
    page(
        "S0110",
        "`#` comment",
        "Comments start with `//`; `///` before a declaration documents it.",
    ),
    page(
        "S0111",
        "import without quotes",
        "The path of an import is a string, relative to the folder of the importing \
        file.",
    ),
    page(
        "S0112",
        "case of a name",
        "Values (stages, params, endpoints, ...) start with a lower-case letter, \
        types with an upper-case one, so that one can be told from the other.",
    ),
    page(
        "S0113",
        "word of another language",
        "The word is not part of the language; the message names what is used instead.",
    ),
    page(
        "S0114",
        "nested too deeply",
        "Brackets, `if`s and prefix operators may be nested 40 levels deep. Give an \
        inner part a name by a `stage` or a `fn`.",
    ),
    page("S0115", "file too large", "A program may have 1 MiB."),
    page("S0116", "number out of range", "Whole numbers, durations and sizes have 64 bits."),
    page(
        "S0117",
        "not supported yet",
        "The construct is part of the language, but this version cannot run it.",
    ),
    page(
        "S0118",
        "checked for syntax only",
        "The block is read but has no effect in this version.",
    ),
    page(
        "S0119",
        "edition line is missing",
        "Files start with `sage 1`, so that a later edition of the language can \
        still read them.",
    ),
    page("S0120", "unknown edition", "This version reads edition 1."),
    page(
        "S0121",
        "unknown escape",
        "A backslash in a string escapes `n`, `t`, `r`, `\"` or a backslash.",
    ),
    page("S0122", "given twice", "A block or a call has two values for one name."),
    page(
        "S0123",
        "unknown unit",
        "Durations: us ms s min h d. Sizes: B KiB MiB GiB TiB. Rates: /s /min /h /d. \
        Also `tokens` and `%`. A unit follows its number without a blank (before \
        `tokens` one may stand).",
    ),
    page("S0124", "chained comparison", "`a < b < c` is written `a < b and b < c`."),
    page(
        "S0125",
        "in the wrong place",
        "The step or declaration is fine, but not where it stands.",
    ),
    page(
        "S0201",
        "unknown name",
        "A bare name is a stage before it in the flow, a param, a variant of an enum \
        or a declaration. Fields of the record are written with a dot, as in \
        `.text`.",
    ),
    page(
        "S0202",
        "unknown type",
        "Types are int, float, bool, string, bytes, time, duration, size, rate, \
        vector<N>, [T], T? and declared types and enums.",
    ),
    page("S0203", "unknown field", "The record has no field of this name."),
    page("S0204", "unknown call", "The name is no stage, function or prompt."),
    page("S0205", "unknown argument", "The call has no parameter of this name."),
    page("S0206", "missing argument", "A parameter without a default was left out."),
    page(
        "S0207",
        "unknown option",
        "The block has no option of this name. If it is an option of something else, \
        the help says of what.",
    ),
    page("S0208", "too many arguments", "The call has fewer parameters."),
    page(
        "S0209",
        "declared twice",
        "A name has one declaration in a file. A declaration of the importing file \
        replaces one of the imported file.",
    ),
    page("S0210", "unknown param in `--set`", "`--set name=value` sets a `param` of the program."),
    page(
        "S0211",
        "unknown variable in a prompt",
        "`{{ name }}` in the text of a prompt names one of its parameters.",
    ),
    page(
        "S0212",
        "unknown source, sink or policy",
        "The name after `from`, `to` or `policy:` is none of the registered ones.",
    ),
    page(
        "S0213",
        "conflicting imports",
        "Two imported files declare the same name. A declaration of it in the \
        importing file decides.",
    ),
    page(
        "S0214",
        "import cannot be read",
        "The file could not be loaded, or there are too many of them.",
    ),
    page(
        "S0215",
        "another kind of declaration",
        "The name is declared, but as something that cannot stand here.",
    ),
    page("S0301", "types differ", "The value has another type than the place it stands in."),
    page(
        "S0302",
        "operator does not take these types",
        "Both sides of an operator must fit it. Int and float mix; nothing else is \
        converted silently.",
    ),
    page(
        "S0303",
        "unit is missing",
        "Units are part of the number: `30s`, `64MiB`, `600/min`, `99.5%`.",
    ),
    page("S0304", "condition is not a bool", "`where`, `if` and `emit ... if` take a bool."),
    page(
        "S0305",
        "branches have different types",
        "All branches of an `if` or a `match` have one type.",
    ),
    page(
        "S0306",
        "match does not fit",
        "Patterns are constants of the type of the value; all variants of an enum, \
        or `_`, must be covered.",
    ),
    page(
        "S0307",
        "constant needed",
        "The value is needed before any record is seen: literals, params and pure \
        functions of them.",
    ),
    page(
        "S0308",
        "stage inside of an expression",
        "A stage call adds a column, so it stands alone: `stage name = call(...)`. \
        Other expressions then use its name.",
    ),
    page("S0309", "field is missing", "A field without a default was left out of a record."),
    page(
        "S0310",
        "declaration uses itself",
        "Functions, params and types may not contain themselves; there is no recursion.",
    ),
    page(
        "S0311",
        "expression too large",
        "An expression with its functions inlined may have 10000 parts and be 56 \
        levels deep.",
    ),
    page(
        "S0312",
        "value has no fields",
        "Only records, and lists of records, have fields; only lists have elements.",
    ),
    page(
        "S0313",
        "structured output is not supported yet",
        "Prompts of this version answer with text.",
    ),
    page("S0314", "division by zero", "The right side of `/` or `%` is the constant 0."),
    page("S0315", "unknown attribute", "The only attribute of a field is `@key`."),
    page("S0401", "flow has no source", "A flow starts with `from source`, once."),
    page("S0402", "flow has no emit", "Without `emit ... into sink` nothing would come out."),
    page("S0403", "endpoint needed", "The stage calls an endpoint: `on name` says which."),
    page("S0404", "stage calls no endpoint", "`on` stands at stages that call an endpoint."),
    page("S0405", "emits differ", "All emits into one sink send the same record."),
    page("S0406", "name of a stage is taken", "Each stage adds a column with a name of its own."),
    page("S0407", "declared but not used", "The declaration has no effect."),
    page(
        "S0408",
        "paid call is not used",
        "The stage calls an endpoint for each record, but nothing reads its column.",
    ),
    page("S0409", "no flow", "There is nothing to run in the file."),
    page(
        "S0410",
        "filter after an emit",
        "Emits end a flow; a condition on one of them is `emit ... if`.",
    ),
    page(
        "S0411",
        "stage does not take these arguments",
        "The stage cannot make a column from values of these types.",
    ),
    page("S0501", "option is missing", "An option without a default was left out."),
    page(
        "S0502",
        "key in a program",
        "A key does not belong in a program: `api_key: env(\"NAME\")` names the \
        variable that holds it.",
    ),
    page(
        "S0503",
        "unknown profile",
        "`sim:PROFILE@SPEED` names a profile of the simulator and, if wanted, how \
        much faster than real time it runs.",
    ),
    page(
        "S0504",
        "value does not fit the option",
        "The option takes other values; the help lists them.",
    ),
    page(
        "S0505",
        "documents have no key",
        "Documents of an index are told apart by a field marked `@key` (or called \
        `id`).",
    ),
    page(
        "S0506",
        "`env` does not fit here",
        "`env(\"NAME\", \"default\")` may stand in the default of a param and in \
        options of an endpoint.",
    ),
    page(
        "S0507",
        "documents have no text",
        "An index needs a text: a string field, or an `embed:` expression of type \
        string.",
    ),
    page(
        "S0508",
        "value of a param",
        "A param has a type and a value of that type, from its default or from `--set`.",
    ),
];

const fn page(code: &'static str, title: &'static str, explanation: &'static str) -> Code {
    Code { code, title, explanation }
}

/// The page of a code.
pub fn explain_code(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|entry| entry.code.eq_ignore_ascii_case(code))
}
