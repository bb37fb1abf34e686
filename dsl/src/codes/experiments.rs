//! Pages of what can be wrong with experiments and objectives.

use super::{Code, Within, page};

/// S06.
pub(super) const EXPERIMENTS: &[Code] = &[
    page(
        "S0601",
        "experiment has no jobs",
        "An experiment runs flows: `jobs: [rag, bulk = llm { tasks: 500 }]` names them, each with \
         settings of its own if wanted. Without jobs there is nothing to run.",
        Within::Experiment,
        "tasks: 200",
        "jobs: [ask], tasks: 200",
    ),
    page(
        "S0602",
        "unknown flow",
        "A job is a flow of the file or of a file it imports; a workload mix names jobs. The help \
         names the nearest one, or all there are.",
        Within::Experiment,
        "jobs: [aks]",
        "jobs: [ask]",
    ),
    page(
        "S0603",
        "flow of two imports",
        "Two imported files have a flow of this name, and it cannot be said which is meant. Give one \
         of the flows another name, or import one of the files only.",
        Within::File,
        "sage 1\nimport \"work.sage\"\nimport \"more/work.sage\"\nexperiment e { jobs: [work] }",
        "sage 1\nimport \"work.sage\"\nexperiment e { jobs: [work] }",
    ),
    page(
        "S0604",
        "unknown setting",
        "Settings of an experiment are tasks, nodes, slots, policy, concurrency, together, stagger, \
         arrivals, fair, share, endpoint, deadline, queue, speeds, failures and jobs; beside them \
         repeat, seed, baseline, report and backends; and every `param` of the jobs' programs by its \
         name (`param.name` for one that is called like a setting).",
        Within::Experiment,
        "jobs: [ask], workers: 4",
        "jobs: [ask], nodes: 4",
    ),
    page(
        "S0605",
        "setting in the wrong place",
        "Some settings are of the whole experiment, such as `repeat` and `together`; `share` is of \
         one job. The message says where it belongs.",
        Within::Experiment,
        "jobs: [ask { repeat: 5 }]",
        "jobs: [ask], repeat: 5",
    ),
    page(
        "S0606",
        "declaration beside an experiment",
        "Each job is compiled on its own from the file of its flow, as if that were run alone. A \
         declaration in the file of the experiment does not reach it: settings of the experiment do.",
        Within::File,
        "sage 1\nimport \"work.sage\"\nschedule { policy: fifo }\nexperiment e { jobs: [work] }",
        "sage 1\nimport \"work.sage\"\nexperiment e { jobs: [work], policy: fifo }",
    ),
    page(
        "S0607",
        "sweep without points",
        "A sweep lists at least one point: crossed with none, the experiment would have no run at \
         all. Leave the sweep out to keep what the program says.",
        Within::Experiment,
        "jobs: [ask]\nsweep slots in []",
        "jobs: [ask]\nsweep slots in [4, 8]",
    ),
    page(
        "S0608",
        "two points have one label",
        "Results are told apart by the labels of their points. A point gets a label of its own as \
         `name { setting: value }`, and one that stands twice is left out.",
        Within::Experiment,
        "jobs: [ask]\nsweep nodes in [1, 4, 4]",
        "jobs: [ask]\nsweep nodes in [1, 4, 8]",
    ),
    page(
        "S0609",
        "two sweeps set the same",
        "Sweeps are crossed, so each combination would have two values for it. Put what belongs \
         together into the points of one sweep.",
        Within::Experiment,
        "jobs: [ask]\nsweep nodes in [1, 2]\nsweep size in [small { nodes: 1 }, large { nodes: 3 }]",
        "jobs: [ask]\nsweep size in [small { nodes: 1 }, large { nodes: 3 }]",
    ),
    page(
        "S0610",
        "jobs do not run together",
        "`stagger` is the time between the starts of jobs that run together. Without \
         `together: true` jobs run one after the other, and there is nothing to space.",
        Within::Experiment,
        "jobs: [ask, hash], stagger: 2s",
        "jobs: [ask, hash], together: true, stagger: 2s",
    ),
    page(
        "S0611",
        "no such node",
        "Nodes are numbered from 0, so that 4 nodes are 0, 1, 2 and 3. A failure names a node that \
         every combination of the experiment has.",
        Within::Experiment,
        "jobs: [hash], backends: [twin], nodes: 4\nfailures: [node(4, at: 5s)]",
        "jobs: [hash], backends: [twin], nodes: 4\nfailures: [node(3, at: 5s)]",
    ),
    page(
        "S0612",
        "only the twin can do this",
        "Relative speeds and the loss of nodes exist in virtual time only: processes of one machine \
         are equally fast. `backends: [twin]` says so, and keeps the experiment from other backends.",
        Within::Experiment,
        "jobs: [hash], speeds: [1, 0.5]",
        "jobs: [hash], speeds: [1, 0.5], backends: [twin]",
    ),
    page(
        "S0613",
        "too many runs",
        "Sweeps are crossed, and each combination is run `repeat` times for each job; an experiment \
         may have 100000 runs. Most likely a sweep too many was meant to be a point of another.",
        Within::Experiment,
        "jobs: [ask], repeat: 1000\nsweep nodes in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\nsweep slots in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
        "jobs: [ask], repeat: 10\nsweep nodes in [1, 4, 8]\nsweep slots in [1, 8]",
    ),
    page(
        "S0614",
        "unknown column",
        "Claims, objectives and reports name columns of results, such as `throughput`, \
         `latency_p99_ms` or `balance`; `p99(latency)` is another way to write `latency_p99_ms`. \
         `sage-flow doc claim` lists all of them.",
        Within::Declarations,
        "slo { p99(latncy) < 10s }",
        "slo { p99(latency) < 10s }",
    ),
    page(
        "S0615",
        "unknown label",
        "In brackets stands the label of a point of a sweep, or the name of a job: \
         `throughput[fifo]`, `throughput[rag][16]`. The label of a policy may be given without its \
         arguments.",
        Within::Experiment,
        "jobs: [ask]\nsweep policy in [fifo, priority]\nclaim \"c\" { throughput[random] > throughput[priority] }",
        "jobs: [ask]\nsweep policy in [fifo, priority]\nclaim \"c\" { throughput[fifo] > throughput[priority] }",
    ),
    page(
        "S0616",
        "label may mean two points",
        "Two sweeps have a point of this label, or two points of one sweep differ only in their \
         arguments. Give the points labels of their own, `few { nodes: 4 }`, or write the arguments.",
        Within::Experiment,
        "jobs: [ask]\nsweep nodes in [1, 4]\nsweep slots in [4, 8]\nbaseline: 4",
        "jobs: [ask]\nsweep nodes in [1, 4]\nsweep slots in [2, 8]\nbaseline: 4",
    ),
    page(
        "S0617",
        "condition says nothing about results",
        "A claim and an objective compare columns of results with each other or with numbers, by \
         `<`, `<=`, `>`, `>=`, `==`, `!=`, joined by `and`, `or` and `not`. Anything else could not \
         be decided by a run.",
        Within::Declarations,
        "slo { throughput }",
        "slo { throughput > 1/s }",
    ),
    page(
        "S0618",
        "figures of different kinds",
        "Times are compared with times and rates with rates, in any units. A number without a unit \
         has the unit of the column it is compared with.",
        Within::Declarations,
        "slo { p99(latency) < 10% }",
        "slo { p99(latency) < 10s }",
    ),
    page(
        "S0619",
        "several rows are meant",
        "A claim that names a point of a sweep compares rows along this sweep, so each of its columns \
         says at which point it is looked up, or stands in `max`, `min`, `mean` or `sum`.",
        Within::Experiment,
        "jobs: [ask]\nsweep policy in [fifo, priority]\nclaim \"c\" { throughput < throughput[fifo] }",
        "jobs: [ask]\nsweep policy in [fifo, priority]\nclaim \"c\" { throughput[priority] < throughput[fifo] }",
    ),
    page(
        "S0620",
        "only one run",
        "An objective is about a single run: it has neither labels nor other rows. Runs are compared \
         by the claims of an experiment.",
        Within::Declarations,
        "slo { max(balance) > 0.5 }",
        "slo { balance > 0.5 }",
    ),
    page(
        "S0621",
        "figure that the experiment does not have",
        "`isolation_spread`, `parallel_gain`, `jain` and `slowdown` are of jobs that run together; \
         `speedup` and `efficiency` compare numbers of nodes and need a `sweep nodes in [1, 4, 16]`. \
         In a report they would be an empty column.",
        Within::Experiment,
        "jobs: [ask], nodes: 4, report: [throughput, speedup]",
        "jobs: [ask], report: [throughput, speedup]\nsweep nodes in [1, 4]",
    ),
];
