//! Pages of what cannot be read.

use super::{Code, Within, page};

/// S01.
pub(super) const SYNTAX: &[Code] = &[
    page(
        "S0101",
        "unexpected text",
        "The text at the mark does not fit the construct it stands in; the help line shows the form \
         of that construct. Often a word or a colon is missing right before the mark. Everything \
         else in the file is still checked, so the other messages count.",
        Within::Steps,
        "stage best = rerank(search(docs, .text) keep: 2)",
        "stage hits = search(docs, .text)\nstage best = rerank(hits, .text, keep: 2)",
    ),
    page(
        "S0102",
        "bracket is never closed",
        "A `{`, `(` or `[` has no counterpart, so it cannot be told where its block ends. For a \
         brace, the next declaration at the start of a line is taken as the place where it is \
         missing; the rest is read from there.",
        Within::Declarations,
        "type Note { id: string @key\nsource notes: Query from csv(\"notes.csv\")",
        "type Note { id: string @key }\nsource notes: Query from csv(\"notes.csv\")",
    ),
    page(
        "S0103",
        "string is never closed",
        "A string ends on the line it starts on, so that a forgotten quote spoils one line and not \
         the whole file. Text of several lines stands between three double quotes.",
        Within::Declarations,
        "param greeting: string = \"hello",
        "param greeting: string = \"hello\"",
    ),
    page(
        "S0104",
        "text is never closed",
        "Text that starts with three double quotes ends with three. Without them everything behind \
         the mark was taken as text, declarations included.",
        Within::Declarations,
        "prompt thanks(name: string) -> string \"\"\"\n  Thank {{ name }}.",
        "prompt thanks(name: string) -> string \"\"\"\n  Thank {{ name }}.\n\"\"\"",
    ),
    page(
        "S0105",
        "bracket closes nothing",
        "A closing bracket has no opening one: one too many, or one that was closed earlier than \
         was meant. The formatter shows by its indentation where a block really ends.",
        Within::Declarations,
        "param most: int = (1 + 2))",
        "param most: int = (1 + 2)",
    ),
    page(
        "S0106",
        "`=` in a block",
        "Entries of a block are `name: value`, everywhere in the language. `=` gives a name to what \
         is declared, as in `stage n = ...` and `param x: int = 1`. `check --fix` changes it.",
        Within::Declarations,
        "schedule { slots = 8 }",
        "schedule { slots: 8 }",
    ),
    page(
        "S0107",
        "operator of another language",
        "Logic is spelt `and`, `or`, `not`; two values are compared by `==`. The operators of other \
         languages are understood well enough to propose the right one.",
        Within::Steps,
        r#"where .priority > 0 && !(.text == "")"#,
        r#"where .priority > 0 and not (.text == "")"#,
    ),
    page(
        "S0108",
        "single quotes",
        "Strings stand in double quotes. Single ones have no meaning, so that an apostrophe in a \
         text is never the begin of something.",
        Within::Declarations,
        "param folder: string = 'docs'",
        "param folder: string = \"docs\"",
    ),
    page(
        "S0109",
        "semicolon",
        "A new line ends a step or an entry, so there is nothing for a semicolon to do. Several \
         entries on one line are separated by commas.",
        Within::Steps,
        "where .priority > 0;",
        "where .priority > 0",
    ),
    page(
        "S0110",
        "`#` comment",
        "Comments start with `//` and go to the end of the line; `///` before a declaration \
         documents it, and the text is shown by `explain` and by editors.",
        Within::Declarations,
        "# how many are found\nparam top_k: int = 5",
        "/// How many are found.\nparam top_k: int = 5",
    ),
    page(
        "S0111",
        "import without quotes",
        "The path of an import is a string, relative to the folder of the importing file, so that a \
         folder with blanks or dots in its name can be named.",
        Within::File,
        "sage 1\nimport common.sage",
        "sage 1\nimport \"common.sage\"",
    ),
    page(
        "S0112",
        "case of a name",
        "Values (stages, params, endpoints and so on) start with a lower-case letter and types with \
         an upper-case one, so that one can be told from the other where it is used.",
        Within::Declarations,
        "param Most: int = 3",
        "param most: int = 3",
    ),
    page(
        "S0113",
        "word of another language",
        "The word is not part of the language; the message names what is used in its place. There \
         are no variables, no `return` and no loops over records: a flow is what happens to each.",
        Within::Steps,
        "let short = length(.text) < 10",
        "stage short = length(.text) < 10",
    ),
    page(
        "S0114",
        "nested too deeply",
        "Brackets, `if`s and prefix operators may be nested 40 levels deep, which bounds the work of \
         reading a file from anywhere. Give an inner part a name by a `stage` or a `fn`.",
        Within::Declarations,
        "param deep: int = ((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))",
        "param deep: int = (1)",
    ),
    page(
        "S0115",
        "file too large",
        "A program may have 1 MiB; what is larger is hardly a program. Data belong into files that \
         the program reads by a `source` or an `index`, and parts of it into files that it imports.",
        Within::Command,
        "sage-flow check everything_in_one.sage",
        "sage-flow check program.sage",
    ),
    page(
        "S0116",
        "number out of range",
        "Whole numbers, durations and sizes have 64 bits, and a duration counts nanoseconds. A \
         larger number cannot be kept exactly, so it is refused and not rounded.",
        Within::Declarations,
        "param most: int = 99_999_999_999_999_999_999",
        "param most: int = 9_999_999_999",
    ),
    page(
        "S0117",
        "not supported yet",
        "The construct is part of the language, but this version cannot run it. It is an error \
         because leaving it out would change what the program does.",
        Within::Declarations,
        "schedule { policy: priority, priority: 1, aging: 10s }",
        "schedule { policy: priority(aging: 10s), priority: 1 }",
    ),
    page(
        "S0118",
        "checked for syntax only",
        "No longer reported: `measure` blocks have an effect now, and nothing else was read without \
         one. The code stays in the list because it stands in the logs of older versions.",
        Within::Command,
        "sage-flow check old.sage",
        "sage-flow check old.sage",
    ),
    page(
        "S0119",
        "edition line is missing",
        "Files start with `sage 1`, so that a later edition of the language can still read them as \
         they were meant. Without it the program runs, with this warning.",
        Within::File,
        "param top_k: int = 5\nimport \"common.sage\"",
        "sage 1\nparam top_k: int = 5\nimport \"common.sage\"",
    ),
    page(
        "S0120",
        "unknown edition",
        "This version reads edition 1. A file of a later edition may mean something else by the same \
         words, so it is not read at all.",
        Within::File,
        "sage 2\nimport \"common.sage\"",
        "sage 1\nimport \"common.sage\"",
    ),
    page(
        "S0121",
        "unknown escape",
        "A backslash in a string escapes `n`, `t`, `r`, `\"` or a backslash. Anything else is most \
         likely a path or a pattern in which every backslash has to be doubled.",
        Within::Declarations,
        r#"param folder: string = "C:\docs""#,
        r#"param folder: string = "C:\\docs""#,
    ),
    page(
        "S0122",
        "given twice",
        "A block or a call has two values for one name, and it cannot be told which one is meant. \
         Remove one of them; a later one does not silently replace an earlier one.",
        Within::Declarations,
        "schedule { slots: 4, policy: fifo, slots: 8 }",
        "schedule { slots: 8, policy: fifo }",
    ),
    page(
        "S0123",
        "unknown unit",
        "Durations: us ms s min h d. Sizes: B KiB MiB GiB TiB. Rates: /s /min /h /d. Also `tokens` \
         and `%`. A unit follows its number without a blank (before `tokens` one may stand).",
        Within::Declarations,
        "param wait: duration = 5sec",
        "param wait: duration = 5s",
    ),
    page(
        "S0124",
        "chained comparison",
        "`a < b < c` would compare a truth value with `c`, which nobody means and other languages allow. Write both \
         comparisons and join them by `and`.",
        Within::Steps,
        "where 0 < .priority < 10",
        "where 0 < .priority and .priority < 10",
    ),
    page(
        "S0125",
        "in the wrong place",
        "The step or declaration is fine, but not where it stands: steps belong into a flow, \
         declarations beside it. The message says which of the two it is, and where it can be moved.",
        Within::Declarations,
        "where length(.text) > 0",
        "flow count {\n  from queries\n  where length(.text) > 0\n  emit Count { n: 1 } into counts\n}",
    ),
    page(
        "S0126",
        "comma missing",
        "A new line or a comma ends an entry, so two entries of one line have a comma between them. \
         It is a warning: the program means what it seems to, and `check --fix` puts the comma in.",
        Within::Declarations,
        "type Note { id: string @key text: string }",
        "type Note { id: string @key, text: string }",
    ),
    page(
        "S0127",
        "name in a string",
        "A string stands as it is: names in braces are not replaced by their values, only a `prompt` \
         fills in its variables. Pieces of text are joined by `+`, other values by `to_string`. It is \
         a warning, as the braces may be meant.",
        Within::Steps,
        "stage greeting = \"Hello {{ .text }}\"",
        "stage greeting = \"Hello \" + .text",
    ),
];
