//! Pages of names that are none.

use super::{Code, Within, page};

/// S02.
pub(super) const NAMES: &[Code] = &[
    page(
        "S0201",
        "unknown name",
        "A bare name is a stage before it in the flow, a param, a variant of an enum or a \
         declaration. Fields of the record are written with a dot, as in `.text`: so a misspelt \
         stage is never taken for a field.",
        Within::Steps,
        "where length(text) > 0",
        "where length(.text) > 0",
    ),
    page(
        "S0202",
        "unknown type",
        "Types are int, float, bool, string, bytes, time, duration, size, rate, percent, tokens, \
         `vector<N>`, lists `[T]`, `T?` for what may be null, and declared types and enums.",
        Within::Declarations,
        "type Note { id: string @key, text: str }",
        "type Note { id: string @key, text: string }",
    ),
    page(
        "S0203",
        "unknown field",
        "The record has no field of this name; the help names the nearest one, or all of them. \
         `.name` is a field of the record at hand, `stage.name` one of what a stage has made.",
        Within::Steps,
        "where length(.txt) > 0",
        "where length(.text) > 0",
    ),
    page(
        "S0204",
        "unknown call",
        "The name is no stage, function or prompt. `sage-flow list stages` and `sage-flow list \
         functions` print all of them, `sage-flow doc NAME` the page of one.",
        Within::Steps,
        "where len(.text) > 0",
        "where length(.text) > 0",
    ),
    page(
        "S0205",
        "unknown argument",
        "The call has no parameter of this name. Positional arguments come first, named ones \
         follow; options of a stage stand in the block behind it.",
        Within::Steps,
        "stage hits = search(docs, .text, top: 3)",
        "stage hits = search(docs, .text, k: 3)",
    ),
    page(
        "S0206",
        "missing argument",
        "A parameter without a default was left out. `sage-flow doc NAME` shows which parameters a \
         call has, in which order, and which of them have a default.",
        Within::Steps,
        "stage hits = search(docs)",
        "stage hits = search(docs, .text)",
    ),
    page(
        "S0207",
        "unknown option",
        "The block has no option of this name. If it is an option of something else, the help says \
         of what, so that it can be moved there; if it is misspelt, `check --fix` mends it.",
        Within::Flow,
        "from queries\nstage answer = generate(.text) on llm { timout: 30s }\nemit Answer { id: .id, text: answer.text } into answers",
        "from queries\nstage answer = generate(.text) on llm { timeout: 30s }\nemit Answer { id: .id, text: answer.text } into answers",
    ),
    page(
        "S0208",
        "too many arguments",
        "The call has fewer parameters; `sage-flow doc NAME` lists them. Often a value was meant for an option, which stands in the \
         block behind the call.",
        Within::Steps,
        "where length(.text, 3) > 0",
        "where length(.text) > 3",
    ),
    page(
        "S0209",
        "declared twice",
        "A name has one declaration in a file. Only a declaration of the importing file replaces one \
         of an imported file, because then it is plain which of them counts.",
        Within::Declarations,
        "param most: int = 3\nparam most: int = 4",
        "param most: int = 3\nparam more: int = 4",
    ),
    page(
        "S0210",
        "unknown param in `--set`",
        "`--set name=value` sets a `param` of the program or of a file it imports; nothing else can \
         be set so. `sage-flow explain FILE` shows the params with their values.",
        Within::Command,
        "sage-flow run rag.sage --set topk=3",
        "sage-flow run rag.sage --set top_k=3",
    ),
    page(
        "S0211",
        "unknown variable in a prompt",
        "`{{ name }}` in the text of a prompt names one of its parameters; fields of the record are \
         handed over as arguments. So a prompt says by itself what it needs. What is read of a parameter, as in \
         `{{ doc.title }}`, is a field of its type, and of an element of a list in `{% for %}`, too. Filters behind `|` and tests behind `is` are \
         those of templates.",
        Within::Declarations,
        r#"prompt thanks(name: string) -> string """Thank {{ nmae }}.""""#,
        r#"prompt thanks(name: string) -> string """Thank {{ name }}.""""#,
    ),
    page(
        "S0212",
        "unknown source, sink or policy",
        "The name after `from`, `to` or `policy:` is none of the registered ones. `sage-flow list \
         sources`, `list sinks`, `list documents` and `list policies` print them.",
        Within::Declarations,
        "source notes: Query from file(\"notes.csv\")",
        "source notes: Query from csv(\"notes.csv\")",
    ),
    page(
        "S0213",
        "conflicting imports",
        "Two imported files declare the same name, and the order of imports means nothing. A \
         declaration of it in the importing file decides.",
        Within::File,
        "sage 1\nimport \"common.sage\"\nimport \"other.sage\"",
        "sage 1\nimport \"common.sage\"\nimport \"other.sage\"\nparam most: int = 5",
    ),
    page(
        "S0214",
        "import cannot be read",
        "The file could not be loaded, or there are too many of them. Its path is relative to the \
         folder of the file that imports it, and not to the current folder.",
        Within::File,
        "sage 1\nimport \"comon.sage\"",
        "sage 1\nimport \"common.sage\"",
    ),
    page(
        "S0215",
        "another kind of declaration",
        "The name is declared, but as something that cannot stand here: a sink where a source is \
         due, an endpoint where a value is due. The message says what it is.",
        Within::Flow,
        "from answers\nemit Answer { id: .id, text: .text } into answers",
        "from queries\nemit Answer { id: .id, text: .text } into answers",
    ),
    page(
        "S0216",
        "name of another path",
        "The stage runs in some arms of a route only, or in the rounds of a loop, so a record may \
         not have it. After a route a name can be used that every arm defines with one type; after \
         a loop, and in its `until`, what it carries.",
        Within::Flow,
        "from queries\nroute .level {\n  when simple => { stage reply_text = .text }\n  when hard => { stage other_text = upper(.text) }\n}\nemit Answer { id: .id, text: reply_text } into answers",
        "from queries\nroute .level {\n  when simple => { stage reply_text = .text }\n  when hard => { stage reply_text = upper(.text) }\n}\nemit Answer { id: .id, text: reply_text } into answers",
    ),
    page(
        "S0217",
        "files import each other",
        "A declaration of the importing file overrides one of the imported file, so of two files \
         that import each other nobody could say which overrides which. Put what both need into a \
         file of its own that both import.",
        Within::File,
        "sage 1\nimport \"circle.sage\"",
        "sage 1\nimport \"common.sage\"",
    ),
];
