//! `run --launcher k8s` and `compose`: print what would run there, and start nothing.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use anyhow::Context;
use rustix::fs::FileType;
use sage_cluster::{Kubernetes, Manifest, Secret, Tls, compose};
use sage_dsl::plan::Plan;

use super::launch::Kind;
use super::{VERSION, serving};
use crate::args::RunArguments;
use crate::exit::usage;

/// Workers, where the command does not say.
const WORKERS: usize = 2;

/// Options of the command that are not for the supervisor in its container; each has a value.
const OWN: [&str; 8] = [
    "--launcher",
    "--image",
    "--namespace",
    "--claim",
    "--bind",
    "--tls-authority",
    "--tls-certificate",
    "--tls-key",
];

/// The file to print, for the launchers that print one. `plan` compiles a program.
pub(crate) fn manifest(
    arguments: &RunArguments,
    plan: impl Fn(&Path) -> anyhow::Result<Plan>,
) -> anyhow::Result<Option<String>> {
    let launch = &arguments.launch;
    if !matches!(launch.launcher, Kind::K8s | Kind::Compose) {
        return Ok(None);
    }
    launch.check()?;
    let (mut names, mut keys) = (Vec::new(), BTreeSet::new());
    let mut programs = Vec::new();
    for file in &arguments.files {
        let plan = plan(file)?;
        keys.extend(plan.endpoints.iter().filter_map(|endpoint| endpoint.api_key_env.clone()));
        keys.extend(serving::secrets(&plan));
        names.push(plan.name);
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read `{}`", file.display()))?;
        programs.push((below("FILE", file)?, text));
    }
    if arguments.out.is_none() {
        return Err(usage(
            "--launcher k8s and compose need --out DIR, a folder below the current one: a \
             supervisor that is started again goes on with the run that it finds there",
        ));
    }
    arguments.out.as_deref().map(|out| below("--out", out)).transpose()?;
    let workers = arguments.workers.unwrap_or(WORKERS);
    sage_cluster::check_workers(workers)
        .map_err(|error| usage(format!("--workers {workers}: {error}")))?;
    let mut command = own_words(std::env::args().skip(1));
    if arguments.workers.is_none() {
        command.extend(["--workers".to_owned(), workers.to_string()]);
    }
    let mut draw = [0_u8; 3];
    getrandom::fill(&mut draw).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let own: String = draw.iter().map(|byte| format!("{byte:02x}")).collect();
    let run = Manifest {
        // Two runs of one flow must not take each other's place.
        name: format!("{}-{own}", Manifest::name_of(&names.join("-"))),
        image: launch.image.clone().unwrap_or_else(|| format!("sage-flow:{VERSION}")),
        programs,
        command,
        workers,
        credentials: credentials()?,
        keys,
    };
    warn_of_readers();
    let or = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.into());
    Ok(Some(match launch.launcher {
        Kind::Compose => compose(&run),
        _ => Kubernetes {
            namespace: or(&launch.namespace, "default"),
            claim: or(&launch.claim, "sage-flow"),
        }
        .print(&run),
    }))
}

/// What is printed holds a secret.
fn warn_of_readers() {
    let stdout = std::io::stdout();
    let open = rustix::fs::fstat(&stdout).is_ok_and(|found| {
        FileType::from_raw_mode(found.st_mode).is_file() && found.st_mode & 0o077 != 0
    });
    if open {
        eprintln!(
            "warning: others can read the file that this is written to, and it holds the secret of \
             the run; `chmod 600` it before the run, or write it under `umask 077`"
        );
    }
}

/// What supervisor and workers prove themselves by; new each time.
fn credentials() -> anyhow::Result<Vec<(String, String)>> {
    let secret = Secret::random()?;
    let tls = Tls::for_run()?.credentials()?;
    Ok(vec![(Secret::VARIABLE.to_owned(), secret.to_hex()), (Tls::VARIABLE.to_owned(), tls)])
}

/// A path below the current folder, which is the data folder of the containers.
fn below(what: &str, path: &Path) -> anyhow::Result<String> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let names: Option<Vec<&str>> = parts
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    names.filter(|names| !names.is_empty()).map(|names| names.join("/")).ok_or_else(|| {
        usage(format!(
            "{what} {}: in the containers the current folder is the data folder; name a path below \
             it",
            path.display()
        ))
    })
}

/// The command without what is not for the supervisor.
fn own_words(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut own = Vec::new();
    let mut skip = false;
    for word in words {
        if std::mem::take(&mut skip) {
            continue;
        }
        match word.split_once('=') {
            Some((name, _)) if OWN.contains(&name) => {}
            None if OWN.contains(&word.as_str()) => skip = true,
            _ => own.push(word),
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_supervisor_gets_the_command_without_what_is_not_for_it() {
        let words = "run a.sage --launcher k8s --image=x -w 3 --claim c --set a=--claim --out o";
        let own = own_words(words.split(' ').map(str::to_owned)).join(" ");
        assert_eq!(own, "run a.sage -w 3 --set a=--claim --out o");
    }

    #[test]
    fn paths_stay_below_the_data_folder() {
        assert_eq!(below("FILE", Path::new("./a/b.sage")).unwrap(), "a/b.sage");
        for path in ["/a.sage", "../a.sage", "a/../../b", "."] {
            assert!(below("FILE", Path::new(path)).is_err(), "{path}");
        }
    }
}
