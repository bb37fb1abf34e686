//! Pages of what can be wrong with experiments and objectives.

use super::{Code, page};

/// S06.
pub(super) const EXPERIMENTS: &[Code] = &[
    page(
        "S0601",
        "experiment has no jobs",
        "An experiment runs flows: `jobs: [rag, bulk = llm { tasks: 500 }]` names them, \
        each with settings of its own if wanted.",
    ),
    page(
        "S0602",
        "unknown flow",
        "A job is a flow of the file or of a file it imports; a workload mix names jobs.",
    ),
    page(
        "S0603",
        "flow of two imports",
        "Two imported files have a flow of this name, and it cannot be said which is \
        meant.",
    ),
    page(
        "S0604",
        "unknown setting",
        "Settings of an experiment are tasks, nodes, slots, policy, concurrency, \
        together, stagger, arrivals, fair, share, endpoint, deadline, queue, speeds, \
        failures and jobs; beside them repeat, seed, baseline, report and backends; \
        and every `param` of the jobs' programs by its name (`param.name` for one \
        that is called like a setting).",
    ),
    page(
        "S0605",
        "setting in the wrong place",
        "Some settings are of the whole experiment, such as `repeat` and `together`; \
        `share` is of one job.",
    ),
    page(
        "S0606",
        "declaration beside an experiment",
        "Each job is compiled on its own from the file of its flow, as if that were \
        run alone. A declaration in the file of the experiment does not reach it: \
        settings of the experiment do.",
    ),
    page("S0607", "sweep without points", "A sweep lists at least one point."),
    page(
        "S0608",
        "two points have one label",
        "Results are told apart by the labels of their points. A point gets a label of \
        its own as `name { setting: value }`.",
    ),
    page(
        "S0609",
        "two sweeps set the same",
        "Sweeps are crossed, so each combination would have two values for it.",
    ),
    page(
        "S0610",
        "jobs do not run together",
        "`stagger` is the time between the starts of jobs that run together. Without \
        `together: true` jobs run one after the other.",
    ),
    page("S0611", "no such node", "Nodes are numbered from 0, so that 4 nodes are 0, 1, 2 and 3."),
    page(
        "S0612",
        "only the twin can do this",
        "Relative speeds and the loss of nodes exist in virtual time only: \
        `backends: [twin]` says so.",
    ),
    page(
        "S0613",
        "too many runs",
        "Sweeps are crossed, and each combination is run `repeat` times for each job; \
        an experiment may have 100000 runs.",
    ),
    page(
        "S0614",
        "unknown column",
        "Claims, objectives and reports name columns of results, such as `throughput`, \
        `latency_p99_ms` or `balance`; `p99(latency)` is another way to write \
        `latency_p99_ms`.",
    ),
    page(
        "S0615",
        "unknown label",
        "In brackets stands the label of a point of a sweep, or the name of a job: \
        `throughput[fifo]`, `throughput[rag][16]`. The label of a policy may be given \
        without its arguments.",
    ),
    page(
        "S0616",
        "label may mean two points",
        "Two sweeps have a point of this label, or two points of one sweep differ only \
        in their arguments.",
    ),
    page(
        "S0617",
        "condition says nothing about results",
        "A claim and an objective compare columns of results with each other or with \
        numbers, by `<`, `<=`, `>`, `>=`, `==`, `!=`, joined by `and`, `or` and `not`.",
    ),
    page(
        "S0618",
        "figures of different kinds",
        "Times are compared with times and rates with rates, in any units. A number \
        without a unit has the unit of the column it is compared with.",
    ),
    page(
        "S0619",
        "several rows are meant",
        "A claim that names a point of a sweep compares rows along this sweep, so each \
        of its columns says at which point it is looked up, or stands in `max`, \
        `min`, `mean` or `sum`.",
    ),
    page(
        "S0620",
        "only one run",
        "An objective is about a single run: it has neither labels nor other rows. \
        Runs are compared by the claims of an experiment.",
    ),
    page(
        "S0621",
        "figure that the experiment does not have",
        "`isolation_spread`, `parallel_gain`, `jain` and `slowdown` are of jobs that run \
        together; `speedup` and `efficiency` compare numbers of nodes and need a \
        `sweep nodes in [1, 4, 16]`.",
    ),
];
