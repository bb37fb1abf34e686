//! Pages of what can be wrong with programs.

use super::{Code, page};

/// S01 to S05.
pub(super) const PROGRAMS: &[Code] = &[
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
    page(
        "S0216",
        "name of another path",
        "The stage runs in some arms of a route only, or in the rounds of a loop. After a route a \
        name can be used that every arm defines with one type; after a loop, and in its `until`, \
        what it carries.",
    ),
    page(
        "S0217",
        "files import each other",
        "A declaration of the importing file overrides one of the imported file, so of two files \
        that import each other nobody could say which overrides which. Put what both need into a \
        file of its own that both import.",
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
        "No longer reported: a prompt may answer with any type that S0316 lists.",
    ),
    page("S0314", "division by zero", "The right side of `/` or `%` is the constant 0."),
    page("S0315", "unknown attribute", "The only attribute of a field is `@key`."),
    page(
        "S0316",
        "a model cannot answer with this type",
        "The type behind the `->` of a prompt is string, int, float, bool, an enum, \
        a record, or a list or an optional of these. Anything but a plain string is \
        structured output: its JSON schema is sent along, and the answer is checked.",
    ),
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
    page(
        "S0412",
        "structured prompt is used as plain text",
        "The call of a prompt with a type of its own is part of a larger text, so \
        the stage answers with text. Give the call to the stage alone to get the \
        type.",
    ),
    page(
        "S0413",
        "arms of a route do not fit",
        "Each arm names a constant of the type of the routed value, once. All variants of an enum \
        must be covered; of any other type the last arm is `else => { ... }`.",
    ),
    page(
        "S0414",
        "bound of a loop",
        "`loop up to N` goes round at most N times; N is a whole number from 1 to 16.",
    ),
    page(
        "S0415",
        "carried value does not fit",
        "A loop begins with the first values of what it carries, `carry x: type = value`, and says \
        once what each is in the next round, `carry x = value`, in the body of the loop itself.",
    ),
    page(
        "S0416",
        "group does not fit here",
        "`group by key { name: aggregate }` is a step of the flow itself, over all records that come \
        to it. It has at least one aggregate, and a key that is computed has a name: \
        `group by day: slice(.at, 0, 10) { n: count() }`. Without `by` all records are one group.",
    ),
    page(
        "S0417",
        "step behind a group",
        "Behind a group there is a row for each key, and no record that a call could be made for. \
        What may follow are `where`, stages with a plain expression, further groups and `emit`; \
        `.name` is a key or an aggregate.",
    ),
    page(
        "S0418",
        "aggregate does not fit",
        "An entry of a group is one aggregate of the list in the page about the language, with the \
        arguments of its signature: `n: count()`, `mean: avg(.score)`, `p: quantile(.took, 0.9)`, \
        `best: top_k(.title, k: 3, by: .score)`.",
    ),
    page(
        "S0419",
        "window does not fit",
        "A group by windows says how long they are and by which time: \
        `group by .kind window tumbling(1min, by: .at) { n: count() }`, or \
        `window sliding(10min, every: 1min, by: .at)`. The time is a `time`, a `duration`, or an int \
        of milliseconds.",
    ),
    page(
        "S0420",
        "changes do not fit here",
        "`changes: \"op\"` of a source names the field that says what became of the record with this \
        key, and a deletion is `delete`; so the record has a `@key`, and the field is a string or an \
        enum with `delete` in it. `mode: changes` of a sink is for rows that can change: those behind \
        a `group` or `dedup`, and those of a source with changes.",
    ),
    page(
        "S0421",
        "join does not fit",
        "`join customers on .customer == customers.id` gives each row the record of another source \
        whose field equals its key, as the column `customers`; `join left` keeps rows without one. On \
        the right of `==` stands a field of that source, of the same type as the left side. The \
        source is a file: it is read when the run begins.",
    ),
    page(
        "S0422",
        "`flat_map` of what is no list",
        "`flat_map word = words(.text)` makes a row of each element of a list, with the element in \
        the column `word`.",
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
    page(
        "S0509",
        "option has no effect",
        "The option is good, but nothing beside it makes use of it.",
    ),
];
