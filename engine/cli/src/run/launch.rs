//! `--launcher`: how and where the worker processes of a run come to be.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use clap::{Args, ValueEnum};
use sage_cluster::{HostFile, JoinLauncher, Launcher, LocalLauncher, SlurmLauncher, SshLauncher};
use sage_dataflow::NodeSettings;
use serde_json::{Value, json};

use super::generations::SOMEBODY;
use crate::exit::usage;
use crate::jobs;

/// Options on where the workers run.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LaunchArguments {
    /// How worker processes come to be
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub(crate) launcher: Kind,
    /// Hosts for `--launcher ssh`: an address a line, then slots=N, workers=N, labels=A,B,
    /// program=PATH, option=NAME=VALUE
    #[arg(long, value_name = "FILE")]
    pub(crate) hosts: Option<PathBuf>,
    /// An option for every ssh, as for `ssh -o`; may be repeated
    #[arg(long = "ssh-option", value_name = "NAME=VALUE")]
    pub(crate) ssh_options: Vec<String>,
    /// An option for srun, such as --partition=cpu; may be repeated
    #[arg(long = "srun-option", value_name = "OPTION", allow_hyphen_values = true)]
    pub(crate) srun_options: Vec<String>,
    /// Image with this program, for k8s and compose [default: sage-flow:VERSION]
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Where it is to run, for k8s [default: default]
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Claim for the volume that all share, for k8s [default: sage-flow]
    #[arg(long, value_name = "NAME")]
    pub(crate) claim: Option<String>,
}

impl LaunchArguments {
    /// Options that go with another launcher are mistakes.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let LaunchArguments { launcher, ssh_options, srun_options, .. } = self;
        let printed = matches!(launcher, Kind::K8s | Kind::Compose);
        let only = |given: bool, fits: bool, option: &str, of: &str| {
            if given && !fits {
                return Err(usage(format!("{option} goes with --launcher {of}")));
            }
            Ok(())
        };
        only(self.hosts.is_some(), *launcher == Kind::Ssh, "--hosts", "ssh")?;
        only(!ssh_options.is_empty(), *launcher == Kind::Ssh, "--ssh-option", "ssh")?;
        only(!srun_options.is_empty(), *launcher == Kind::Slurm, "--srun-option", "slurm")?;
        only(self.image.is_some(), printed, "--image", "k8s or compose")?;
        only(self.namespace.is_some(), *launcher == Kind::K8s, "--namespace", "k8s")?;
        only(self.claim.is_some(), *launcher == Kind::K8s, "--claim", "k8s")?;
        let label = self.namespace.as_deref().is_none_or(is_label);
        if let Some(namespace) = self.namespace.as_deref().filter(|_| !label) {
            return Err(usage(format!(
                "--namespace {namespace}: a namespace has 1 to 63 lower-case letters, digits and \
                 dashes, and no dash at an end"
            )));
        }
        match ssh_options.iter().find(|option| !option.contains('=')) {
            Some(option) => Err(usage(format!(
                "--ssh-option {option}: expected NAME=VALUE, as for `ssh -o`, such as IdentityFile=key"
            ))),
            None => Ok(()),
        }
    }
}

/// The launchers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Processes on this host
    #[default]
    Local,
    /// Processes on the hosts of --hosts
    Ssh,
    /// Tasks of one step of a Slurm job, by srun
    Slurm,
    /// You, on any host that reaches this one: the run says the command
    Join,
    /// Print a manifest for Kubernetes, start nothing
    K8s,
    /// Print a file for Compose, start nothing
    Compose,
}

/// How the workers of a run come to be.
#[derive(Debug, Clone)]
pub(crate) enum Launch {
    /// On this host.
    Local,
    /// On these hosts.
    Ssh { hosts: Arc<HostFile>, options: Vec<String> },
    /// Wherever the batch system puts them.
    Slurm { options: Vec<String> },
    /// Wherever somebody else starts them.
    Join,
}

/// Where one worker runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// The number of its host in the host file, and what that is called.
    pub(crate) host: Option<(usize, String)>,
    /// What is special about it.
    pub(crate) node: NodeSettings,
}

/// What a launcher is told of the workers it is to start.
pub(crate) struct Start<'s> {
    /// Of what job.
    pub(crate) job: &'s str,
    /// One for each worker.
    pub(crate) places: &'s [Place],
    /// Variables the workers do not get.
    pub(crate) without: Vec<String>,
    /// Whether the first worker reads this process's standard input.
    pub(crate) inherit_stdin: bool,
    /// Whether not to say what is started.
    pub(crate) quiet: bool,
    /// Is told the command by which others are to start workers, if that is their business.
    pub(crate) command: Arc<OnceLock<String>>,
}

impl Launch {
    /// As the command line says; `workers` is the number asked for, if one was.
    pub(crate) fn new(arguments: &LaunchArguments, workers: Option<usize>) -> anyhow::Result<Self> {
        arguments.check()?;
        match arguments.launcher {
            Kind::Local => Ok(Launch::Local),
            Kind::Join => Ok(Launch::Join),
            Kind::Slurm => Ok(Launch::Slurm { options: arguments.srun_options.clone() }),
            Kind::Ssh => {
                let Some(path) = arguments.hosts.as_deref() else {
                    return Err(usage(
                        "--launcher ssh: it needs the hosts; name a file with one address a line \
                         by --hosts FILE",
                    ));
                };
                let hosts = read(path)?;
                let workers = workers.unwrap_or_else(|| hosts.default_workers());
                hosts
                    .place(workers, &BTreeSet::new())
                    .map_err(|error| usage(format!("--hosts {}: {error}", path.display())))?;
                let options = arguments.ssh_options.clone();
                Ok(Launch::Ssh { hosts: Arc::new(hosts), options })
            }
            Kind::K8s | Kind::Compose => Err(usage(
                "--launcher k8s and compose only print files; they are for `run` with programs",
            )),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Launch::Local => "local",
            Launch::Ssh { .. } => "ssh",
            Launch::Slurm { .. } => "slurm",
            Launch::Join => "join",
        }
    }

    /// Whether workers run on other hosts.
    pub(crate) fn remote(&self) -> bool {
        !matches!(self, Launch::Local)
    }

    /// Whether the same workers, or others by the same credentials, come back for every start.
    pub(crate) fn comes_back(&self) -> bool {
        matches!(self, Launch::Join)
    }

    /// Workers of a run that was not told how many.
    pub(crate) fn default_workers(&self) -> usize {
        let number = |name| std::env::var(name).ok()?.parse().ok();
        match self {
            Launch::Ssh { hosts, .. } => hosts.default_workers(),
            // In a job: what that was given.
            Launch::Slurm { .. } => number("SLURM_NTASKS").unwrap_or(1),
            Launch::Local | Launch::Join => {
                std::thread::available_parallelism().map_or(1, usize::from)
            }
        }
    }

    /// Where workers reach this process, if they are on other hosts: the address of this host that
    /// the system takes to get to the first of them.
    pub(crate) fn address(&self) -> anyhow::Result<Option<IpAddr>> {
        let target = match self {
            // Whoever starts workers elsewhere says where they reach this process, by --bind.
            Launch::Local | Launch::Join => return Ok(None),
            Launch::Ssh { hosts, .. } => hosts.hosts().first().map(|host| host.address.clone()),
            Launch::Slurm { .. } => std::env::var("SLURMD_NODENAME").ok(),
        };
        // Of a batch system no node is known before the workers are there; its nodes know this one by
        // its name.
        let target = target.unwrap_or_else(hostname);
        let found = routed(&target).map_err(|error| {
            usage(format!(
                "the address of this host on the way to {target} is not known: {error}; correct the \
                 name, or say the address by --bind"
            ))
        })?;
        if found.is_loopback() && !is_loopback(&target) {
            return Err(usage(format!(
                "the way from here to {target} leads over the loopback, where other hosts cannot \
                 reach this one; say the address that they reach by --bind"
            )));
        }
        Ok(Some(found))
    }

    /// Where `workers` workers run; hosts in `avoid` have not been reached lately.
    pub(crate) fn places(
        &self,
        workers: usize,
        avoid: &BTreeSet<usize>,
    ) -> anyhow::Result<Vec<Place>> {
        let Launch::Ssh { hosts, .. } = self else { return Ok(vec![Place::default(); workers]) };
        let place = |number: usize| {
            let host = &hosts.hosts()[number];
            let node = NodeSettings { slots: host.slots, labels: host.labels.clone() };
            Place { host: Some((number, host.to_string())), node }
        };
        Ok(hosts.place(workers, avoid).map_err(usage)?.into_iter().map(place).collect())
    }

    /// What starts them.
    pub(crate) fn launcher(&self, start: Start<'_>) -> anyhow::Result<Box<dyn Launcher + Send>> {
        let program = || std::env::current_exe().context("this program's file is not known");
        Ok(match self {
            Launch::Local => Box::new(LocalLauncher {
                inherit_stdin: start.inherit_stdin,
                without: start.without,
                ..LocalLauncher::default()
            }),
            Launch::Ssh { hosts, options } => {
                let numbers = start.places.iter().filter_map(|place| place.host.as_ref());
                Box::new(SshLauncher {
                    hosts: numbers.map(|(number, _)| hosts.hosts()[*number].clone()).collect(),
                    program: program()?,
                    directory: std::env::current_dir().context("the current folder is gone")?,
                    options: options.clone(),
                    without: start.without,
                    on_stderr: None,
                })
            }
            Launch::Slurm { options } => {
                let mut launcher = SlurmLauncher::new(start.places.len(), program()?);
                launcher.options.clone_from(options);
                launcher.without = start.without;
                if !start.quiet {
                    launcher.announce = Some(Box::new(|command| eprintln!("{command}")));
                }
                Box::new(launcher)
            }
            Launch::Join => Box::new(join(&start)?),
        })
    }
}

/// Says once how workers are to be started.
fn join(start: &Start<'_>) -> anyhow::Result<JoinLauncher> {
    let (job, workers) = (start.job.to_owned(), start.places.len());
    let command = Arc::clone(&start.command);
    let most = humantime::format_duration(SOMEBODY);
    let say = move |address: SocketAddr, file: &Path| {
        let file = file.display();
        let worker = format!("sage-flow worker --join {address} --credentials {file}");
        eprintln!(
            "{job} waits up to {most} for {workers} worker(s); start each, on any host that sees the \
             same files, by\n  {worker}\n{file} opens the run to whoever has it: copy it to other \
             hosts by a safe way, or hand it over by `--credentials - < {file}`"
        );
        let _ = command.set(worker);
    };
    Ok(JoinLauncher::new(jobs::credentials_file()?, Box::new(say)))
}

fn read(path: &Path) -> anyhow::Result<HostFile> {
    let shown = path.display();
    let text = crate::regular::read_text(path, crate::regular::DESCRIPTION)
        .map_err(|error| usage(format!("--hosts {shown}: it cannot be read: {error}")))?;
    HostFile::parse(&text).map_err(|error| usage(format!("--hosts {shown}: {error}")))
}

/// The address of this host from which packets to `host` would leave. None is sent.
fn routed(host: &str) -> std::io::Result<IpAddr> {
    let mut last = std::io::Error::other("the name has no address");
    for target in (host, 9).to_socket_addrs()? {
        let any: IpAddr = match target.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let found = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect(target)?;
            Ok(socket.local_addr()?.ip())
        });
        match found {
            Ok(address) => return Ok(address),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether it is a label of RFC 1123.
/// Whether it is a name as Kubernetes wants them.
pub(super) fn is_label(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The name of this host.
pub(crate) fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

impl Place {
    /// For `setup.json`.
    pub(crate) fn to_json(&self, slots: u32) -> Value {
        json!({
            "host": self.host.as_ref().map(|(_, name)| name),
            "slots": self.node.slots.unwrap_or(slots),
            "labels": self.node.labels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_launcher_can_be_named() {
        for entry in sage_cluster::LAUNCHERS {
            let kind = Kind::from_str(entry.name, false);
            assert!(kind.is_ok(), "{}: {}", entry.name, entry.summary);
        }
    }

    #[test]
    fn the_way_to_this_host_leads_over_the_loopback() {
        assert!(routed("127.0.0.1").unwrap().is_loopback());
        assert!(routed("localhost").unwrap().is_loopback());
        assert!(routed("name.invalid").is_err());
    }
}
