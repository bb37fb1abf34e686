//! Pages of what lies outside: endpoints, sources, indexes, settings.

use super::{Code, Within, page};

/// S05.
pub(super) const OUTSIDE: &[Code] = &[
    page(
        "S0501",
        "option is missing",
        "An option without a default was left out, and nobody can guess it: where a server is, for \
         one. The help shows its form, and `sage-flow doc` its entries.",
        Within::Declarations,
        "endpoint other { concurrency: 8 }",
        "endpoint other { url: \"http://127.0.0.1:8000\", model: \"m\", concurrency: 8 }",
    ),
    page(
        "S0502",
        "key in a program",
        "A key does not belong in a program, which is kept, shared and printed: \
         `api_key: env(\"NAME\")` names the variable of the environment that holds it.",
        Within::Declarations,
        "endpoint other { url: \"https://api.example.com\", model: \"m\", api_key: \"sk-123456\" }",
        "endpoint other { url: \"https://api.example.com\", model: \"m\", api_key: env(\"MY_KEY\") }",
    ),
    page(
        "S0503",
        "unknown profile",
        "`sim:PROFILE@SPEED` names a profile of the simulator and, if wanted, how much faster than \
         real time it runs. `sage-flow list profiles` prints them.",
        Within::Declarations,
        "endpoint other { url: \"sim:a100/qwen-7b\" }",
        "endpoint other { url: \"sim:a100/qwen2.5-7b@10\" }",
    ),
    page(
        "S0504",
        "value does not fit the option",
        "The option takes other values: a word of a short list, a number within bounds, a rule of a \
         certain form. The help lists them.",
        Within::Declarations,
        "source notes: Query from csv(\"notes.csv\") { bad_rows: skip }",
        "source notes: Query from csv(\"notes.csv\") { bad_rows: dead_letter }",
    ),
    page(
        "S0505",
        "documents have no key",
        "Documents of an index are told apart by a field marked `@key` (or called `id`): answers cite \
         it, and changes of a document are known by it.",
        Within::Declarations,
        "type Page { name: string, text: string }\nindex pages: Page from jsonl(\"pages.jsonl\") { embed: .text }",
        "type Page { name: string @key, text: string }\nindex pages: Page from jsonl(\"pages.jsonl\") { embed: .text }",
    ),
    page(
        "S0506",
        "`env` does not fit here",
        "`env(\"NAME\", \"default\")` may stand in the default of a param and in options of an \
         endpoint. Elsewhere a program would mean something else on every machine without saying so; \
         give the value to a param and use that.",
        Within::Steps,
        "stage home = env(\"HOME\", \"\")",
        "stage home = .text",
    ),
    page(
        "S0507",
        "documents have no text",
        "An index needs a text: a string field, or an `embed:` expression of type string. That is \
         what is searched, and all that is searched.",
        Within::Declarations,
        "type Point { id: string @key, x: int }\nindex points: Point from jsonl(\"points.jsonl\")",
        "type Point { id: string @key, x: int }\nindex points: Point from jsonl(\"points.jsonl\") { embed: to_string(.x) }",
    ),
    page(
        "S0508",
        "value of a param",
        "A param has a type and a value of that type, from its default or from `--set`. Without a \
         default the program runs only with `--set`.",
        Within::Declarations,
        "param most: int",
        "param most: int = 3",
    ),
    page(
        "S0509",
        "option has no effect",
        "The option is good, but nothing beside it makes use of it, so most likely something else was \
         meant. It is a warning: the program runs as if the option were not there.",
        Within::Declarations,
        "endpoint other { url: [\"sim:a100/qwen2.5-7b\"], balance: prefix_affinity }",
        "endpoint other { url: [\"sim:a100/qwen2.5-7b\", \"sim:a100/qwen2.5-7b\"], balance: prefix_affinity }",
    ),
    page(
        "S0510",
        "name of a result file",
        "A sink and a `measure` block write into the output folder of the run, under a name of their \
         own: no path out of it, and not the name of a file that every run writes, such as \
         `tasks.csv`. The folder is chosen on the command line, by `--out`.",
        Within::Declarations,
        "sink notes: Query to csv(\"../notes.csv\")",
        "sink notes: Query to csv(\"notes.csv\")",
    ),
    page(
        "S0511",
        "two writers of one file",
        "Each sink and each `measure` block writes a file of its own; several flows and several `emit` \
         steps may share a sink, and so its file.",
        Within::Declarations,
        "sink notes: Query to csv(\"notes.csv\")\nsink more: Query to csv(\"notes.csv\")",
        "sink notes: Query to csv(\"notes.csv\")\nsink more: Query to csv(\"more.csv\")",
    ),
    page(
        "S0512",
        "data that cannot be opened",
        "A source or an index names a file or folder that is not there or may not be read. Paths are \
         relative to the folder of the program that names them, and not to the current folder. \
         `sage-flow test` needs no data but what a test gives.",
        Within::Command,
        "sage-flow check rag.sage",
        "ls data/queries.csv && sage-flow check rag.sage",
    ),
    page(
        "S0513",
        "model that the profile does not serve",
        "A simulated server serves the model of its profile, by the name that `sage-flow list \
         profiles` shows, and the models for embedding. Without `model` it is that of the profile. A \
         profile of your own, in a file, names its model itself.",
        Within::Declarations,
        "endpoint other { url: \"sim:a100/qwen2.5-7b\", model: \"Qwen/Qwen2.5-32B-Instruct\" }",
        "endpoint other { url: \"sim:a100/qwen2.5-7b\", model: \"Qwen/Qwen2.5-7B-Instruct\" }",
    ),
];
