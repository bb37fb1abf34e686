//! The command line, as data.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::cache::CacheArguments;
use crate::commands::calibrate::CalibrateArguments;
use crate::commands::completions::CompletionsArguments;
use crate::commands::experiment::ExperimentArguments;
use crate::commands::fmt::FmtArguments;
use crate::commands::gateway::GatewayArguments;
use crate::commands::graph::GraphArguments;
use crate::commands::jobs::JobsArguments;
use crate::commands::lsp::LspArguments;
use crate::commands::new::NewArguments;
use crate::commands::replay::ReplayArguments;
use crate::commands::retry::RetryArguments;
use crate::commands::simulate::SimulateArguments;
use crate::commands::test::TestArguments;
use crate::commands::worker::WorkerArguments;
use crate::run::launch::LaunchArguments;
use crate::run::links::LinkArguments;
use crate::run::loss::OnLoss;
use crate::twin::TwinArguments;

/// Declarative LLM dataflows on a cluster of CPU nodes that share scarce GPUs.
#[derive(Debug, Parser)]
#[command(name = "sage-flow", version, about, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline on worker processes of this host or of others
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArguments>),
    /// Say what a run would do, in virtual time: nothing is run and no token is spent
    #[command(after_help = SIMULATE_EXAMPLES)]
    Simulate(Box<SimulateArguments>),
    /// List, run, report and compare experiments
    Experiment(Box<ExperimentArguments>),
    /// List, stop, resume and clean up the runs, retries and experiments of this user
    Jobs(JobsArguments),
    /// Begin a pipeline: a program that runs, with a little data
    New(NewArguments),
    /// Find all mistakes in programs without running them
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArguments),
    /// Run the tests that programs hold, in virtual time and without any server
    #[command(after_help = TEST_EXAMPLES)]
    Test(TestArguments),
    /// Lay programs out in the one usual way
    Fmt(FmtArguments),
    /// Show the plan of a program as a tree, or the page of an error code
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArguments),
    /// Draw the plan of a program
    Graph(GraphArguments),
    /// List what programs may name: stages, sources, policies, functions, types, faults and more
    #[command(after_help = "Examples:\n  sage-flow list stages\n  sage-flow list policies --json")]
    List(ListArguments),
    /// Show the reference page of a stage, source, sink, policy or function
    #[command(after_help = "Examples:\n  sage-flow doc generate\n  sage-flow doc load_aware")]
    Doc {
        /// Its name; all names are listed without it
        name: Option<String>,
        /// Print a whole page of the reference as Markdown instead
        #[arg(long, value_enum, value_name = "PAGE", conflicts_with = "name")]
        markdown: Option<crate::commands::reference::Page>,
    },
    /// Serve a simulated vLLM over HTTP
    #[command(after_help = SIMULATOR_EXAMPLES)]
    Simulator(SimulatorArguments),
    /// Serve a gateway in front of OpenAI-compatible endpoints
    Gateway(Box<GatewayArguments>),
    /// Show or clear the answers that are kept for later runs
    Cache(CacheArguments),
    /// Say what a recorded run would have been under another policy, in virtual time
    Replay(ReplayArguments),
    /// Run the failed records of a run again
    Retry(RetryArguments),
    /// Serve an editor: findings, completion, hover, renaming
    Lsp(LspArguments),
    /// Print what a shell needs to complete command lines
    Completions(CompletionsArguments),
    /// Measure a real endpoint and write a profile to simulate it with
    Calibrate(CalibrateArguments),
    /// Join a run as a worker
    Worker(WorkerArguments),
    /// End the programs of a worker that is gone; workers start it for themselves
    #[command(hide = true)]
    ExecGuard,
}

/// Default of `--drain`.
pub(crate) const DRAIN: &str = "30s";

const RUN_EXAMPLES: &str = "\
Examples:
  sage-flow run pipelines/rag.sage --workers 16
  sage-flow run pipelines/rag.sage --tasks 2000 --endpoint sim:a100/qwen2.5-7b@10
  sage-flow run pipelines/llm.sage --endpoint http://127.0.0.1:8000 --concurrency 64
  sage-flow run pipelines/rag.sage pipelines/llm.sage --workers 4 --stagger 2s
  sage-flow run pipelines/rag.sage --arrivals 'poisson(20/s)' --strict-slo
  sage-flow run pipelines/rag.sage --workers 16 --drain 2min
  sage-flow run pipelines/rag.sage --workers 4 --scheduler 'priority(aging: 5s)' --set top_k=20
  sage-flow run pipelines/rag.sage --out results/rag     (again: goes on where it was broken off)
  sage-flow run pipelines/rag.sage --out results/rag --fresh     (gives up what was done)
  sage-flow run pipelines/rag.sage --workers 16 --on-loss shrink
  sage-flow run pipelines/rag.sage --launcher ssh --hosts hosts.txt --out /shared/rag
  sage-flow run pipelines/rag.sage --launcher slurm --workers 16 --srun-option=--partition=cpu
  (umask 077; sage-flow run pipelines/rag.sage --launcher k8s --workers 16 > run.yaml)
  sage-flow run pipelines/rag.sage --workers 3 --launcher join --bind 10.0.0.1:7000

Exit codes:
  0 complete   1 usage or check error   2 run failed   3 finished but incomplete   130 interrupted";

const SIMULATE_EXAMPLES: &str = "\
Examples:
  sage-flow simulate pipelines/rag.sage --workers 64 --tasks 2000
  sage-flow simulate pipelines/rag.sage --endpoint sim:a100/llama-3-8b --arrivals 'poisson(20/s)'
  sage-flow simulate pipelines/rag.sage --workers 8 --fail 3@2s+5s --speeds 1,1,1,0.5
  sage-flow simulate pipelines/rag.sage pipelines/llm.sage --stagger 2s --out predicted

Whether a program meets its objectives says `sage-flow check FILE --slo`.
To compare with `run` on this machine give --workers and --cores; `run` takes as many as there are cores.

Exit codes:
  0 complete   1 usage or check error   2 failed   3 not every record would succeed   130 interrupted";

const CHECK_EXAMPLES: &str = "\
Examples:
  sage-flow check pipelines/*.sage
  sage-flow check my.sage --format json
  sage-flow check my.sage --fix
  sage-flow check my.sage --slo --workers 8 --arrivals 'poisson(20/s)'";

const TEST_EXAMPLES: &str = "\
Examples:
  sage-flow test pipelines/*.sage
  sage-flow test my.sage --filter throttle
  sage-flow test my.sage --json

Exit codes:
  0 all tests pass   1 usage or check error   2 a test fails";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  sage-flow explain pipelines/rag.sage
  sage-flow explain pipelines/rag.sage --predict --workers 16 --tasks 2000
  sage-flow explain S0207";

const SIMULATOR_EXAMPLES: &str = "\
Examples:
  sage-flow simulator --listen 127.0.0.1:8001 --profile a100/qwen2.5-7b
  sage-flow simulator --profile a100/llama-3-8b --speed 10 --fault 'status_500=5%,latency=200ms'";

#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct RunArguments {
    /// The program; several run at once and share what endpoints they have in common
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Worker processes; each is one node of the run [default: the number of cores]
    #[arg(long, short, value_name = "N")]
    pub(crate) workers: Option<usize>,
    /// Dataflow threads in each worker
    #[arg(long, value_name = "T", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Tasks a worker executes at once (overrides `schedule`)
    #[arg(long, value_name = "S")]
    pub(crate) slots: Option<u32>,
    /// Scheduling policy, with arguments (overrides `schedule`)
    #[arg(long, value_name = "NAME")]
    pub(crate) scheduler: Option<String>,
    /// Calls in flight at an endpoint, over all workers: a number or `auto`
    #[arg(long, value_name = "N|auto")]
    pub(crate) concurrency: Option<String>,
    /// Use this endpoint in place of the program's: a URL or sim:PROFILE[@SPEED]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Give a parameter another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) sets: Vec<String>,
    /// Exactly N records: cut the source when it is longer, read it again when it is shorter
    #[arg(long, value_name = "N", conflicts_with = "limit")]
    pub(crate) tasks: Option<u64>,
    /// At most N records
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Records that arrive per second, evenly spaced (`20`, `20/s`, `600/min`)
    #[arg(long, value_name = "R/s")]
    pub(crate) rate: Option<String>,
    /// How records arrive: batch, constant(20/s), poisson(20/s), burst(50, every: 10s), trace(FILE)
    #[arg(long, value_name = "HOW", conflicts_with = "rate")]
    pub(crate) arrivals: Option<String>,
    /// Of several programs, each begins so long after the one before it (`2s`)
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    pub(crate) stagger: Option<String>,
    /// Seed of all that is drawn: choices of the scheduling policy, arrivals, costs and answers of
    /// stages, texts and faults of the simulated endpoint
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Output folder [default: results/runs/PIPELINE-TIME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Start over: do not go on with an unfinished run in the output folder, and pay again for the
    /// answers in it
    #[arg(long)]
    pub(crate) fresh: bool,
    /// What to do when a worker is lost; at most three restarts a minute
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    pub(crate) on_loss: OnLoss,
    /// Which flow to run when the program has several
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// Time for tasks in flight to end after Ctrl-C or SIGTERM (`30s`, `2min`, `0s`)
    #[arg(
        long,
        value_name = "D",
        default_value = DRAIN,
        value_parser = humantime::parse_duration,
        allow_hyphen_values = true
    )]
    pub(crate) drain: Duration,
    /// No progress and no summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print metrics.json on the standard output at the end
    #[arg(long)]
    pub(crate) json: bool,
    /// Exit with 3 when an objective of the program's `slo` block does not hold
    #[arg(long)]
    pub(crate) strict_slo: bool,
    /// Let `exec` stages run their programs: a program can do whatever you can
    #[arg(long)]
    pub(crate) allow_exec: bool,
    /// Let `http` stages, `http_get` and `http_post` speak to this host, and to no other; may be
    /// repeated. Endpoints need none
    #[arg(long = "allow-http", value_name = "HOST[:PORT]")]
    pub(crate) allow_http: Vec<String>,
    /// Serve here in place of the address in the program, for a source `http`; what is not of this
    /// machine alone is served only when it is said here
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    #[command(flatten, next_help_heading = "Where the workers run")]
    pub(crate) launch: LaunchArguments,
    #[command(flatten, next_help_heading = "Where the workers run")]
    pub(crate) links: LinkArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Programs
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How to show what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Make the fixes that the messages offer, in the files named here; show what is left
    #[arg(long)]
    pub(crate) fix: bool,
    /// Give a parameter another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) sets: Vec<String>,
    /// Exit with 3 when the twin predicts that an objective of a `slo` block is missed
    #[arg(long)]
    pub(crate) slo: bool,
    #[command(flatten, next_help_heading = "Options of --slo")]
    pub(crate) twin: TwinArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// A program, or a code such as S0207
    #[arg(value_name = "FILE|CODE")]
    pub(crate) what: String,
    /// Give a parameter another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) sets: Vec<String>,
    /// The plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Show what each rule of rewriting changed, with the plan before and after
    #[arg(long, conflicts_with_all = ["json", "predict"])]
    pub(crate) verbose: bool,
    /// Say what the twin predicts of a run: times, tokens, and what would be used up
    #[arg(long)]
    pub(crate) predict: bool,
    #[command(flatten, next_help_heading = "Options of --predict")]
    pub(crate) twin: TwinArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// What to list
    #[arg(value_enum)]
    pub(crate) what: Listed,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SimulatorArguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8001")]
    pub(crate) listen: String,
    /// Machine and model (see `sage-flow list profiles`)
    #[arg(long, value_name = "PROFILE", default_value = "a100/qwen2.5-7b")]
    pub(crate) profile: String,
    /// Virtual seconds per second
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// Faults on purpose, such as status_500=5%,latency=200ms
    #[arg(long, value_name = "FAULTS")]
    pub(crate) fault: Option<String>,
    /// Environment variable that holds the key callers must bring
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) api_key_env: Option<String>,
    /// Seed of the texts and the faults
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Let callers on this machine change the faults while it runs (/admin/faults)
    #[arg(long)]
    pub(crate) admin: bool,
    /// Who goes first; calls may have a priority only with `priority`
    #[arg(long, value_enum, value_name = "POLICY", default_value_t = SchedulingPolicy::Fcfs)]
    pub(crate) scheduling_policy: SchedulingPolicy,
}

/// vLLM's `--scheduling-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchedulingPolicy {
    Fcfs,
    Priority,
}

/// Output of `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// What `list` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listed {
    Stages,
    Sources,
    Documents,
    Sinks,
    Policies,
    Profiles,
    Functions,
    Aggregates,
    Launchers,
    Types,
    /// What a `fault` of a test does to calls
    Faults,
    /// What a `measure` block may name
    Figures,
    /// What claims, objectives and expectations may name of results
    Columns,
    /// Settings of an experiment
    Settings,
}
