//! Launchers, on the built binary. There is neither an ssh server nor a batch system on every
//! machine, so programs of that name stand in for them which treat their arguments, their input and
//! the processes they start as the real ones do. The real ssh is tried by `tests/netns/run.sh`.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;

use crate::support::{Done, STATE, Sage, ended, send, wait_until};
use saphyr::{LoadableYamlNode, Yaml};

const TASKS: usize = 240;

const PROGRAM: &str = r#"sage 1
type Task { id: int @key, text: string }
type Row  { id: int @key, quotient: int, text: string }
source tasks: Task from csv("tasks.csv")
sink rows: Row to csv("rows.csv")
flow f {
  from tasks
  stage nap = sleep(20ms)
  stage quotient = 5040 / (.id % 9)
  emit Row { id: .id, quotient: quotient, text: .text } into rows
}
schedule { policy: fifo, slots: 4 }
"#;

/// ssh: takes the options, starts the command in a fresh environment in another folder, and says
/// what it was called with. A host is down while there is a file of that name in `down`.
const SSH: &str = r#"#!/bin/sh
echo "$*" >> "$SSH_LOG"
while [ "$1" != "--" ]; do
  case "$1" in -o|-p|-l) shift 2 ;; *) shift ;; esac
done
host=$2 command=$3
if [ -e "$SSH_DOWN/$host" ]; then
  echo "ssh: connect to host $host port 22: Connection timed out" >&2
  exit 255
fi
[ "$host" = 127.0.0.66 ] && rm -f "$SSH_DOWN/../out/.shared"
cd / && exec env -i PATH="$PATH" HOST="$host" sh -c "$command"
"#;

/// srun: starts the tasks with their numbers, puts those in front of their lines, and returns the
/// largest exit code.
const SRUN: &str = r#"#!/bin/sh
echo "$*" >> "$SSH_LOG"
tasks=1
while :; do
  case "$1" in --ntasks=*) tasks=${1#--ntasks=} ;; -*) ;; *) break ;; esac
  shift
done
work=$(mktemp -d) number=0
while [ $number -lt $tasks ]; do
  mkfifo "$work/err$number" "$work/out$number"
  sed -u "s/^/$number: /" < "$work/err$number" >&2 &
  sed -u "s/^/$number: /" < "$work/out$number" &
  ( SLURM_PROCID=$number "$@" > "$work/out$number" 2> "$work/err$number"
    code=$?
    echo $code > "$work/code$number"
    case $code in
      0) ;;
      137) echo "srun: error: node7: task $number: Killed" >&2 ;;
      *) echo "srun: error: node7: task $number: Exited with exit code $code" >&2 ;;
    esac ) &
  number=$((number + 1))
done
wait
code=$(cat "$work"/code* | sort -n | tail -1)
rm -r "$work"
exit $code
"#;

fn tasks() -> String {
    let row = |id: usize| format!("{id},\"text, {id}\"\n");
    "id,text\n".to_owned() + &(0..TASKS).map(row).collect::<String>()
}

/// The programs, the pipeline and the host file, in a folder of the test.
fn sage(hosts: &str, arguments: &str) -> Sage {
    let sage = Sage::new()
        .file("f.sage", PROGRAM)
        .file("tasks.csv", tasks())
        .file("hosts", hosts)
        .args(arguments);
    let folder = sage.folder.path().to_owned();
    std::fs::create_dir_all(folder.join("bin")).unwrap();
    std::fs::create_dir_all(folder.join("down")).unwrap();
    for (name, text) in [("ssh", SSH), ("srun", SRUN)] {
        let path = folder.join("bin").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    sage.env("PATH", &path)
        .env("SSH_LOG", &folder.join("called").to_string_lossy())
        .env("SSH_DOWN", &folder.join("down").to_string_lossy())
}

fn over_ssh(hosts: &str, arguments: &str) -> Sage {
    sage(hosts, &format!("run f.sage --launcher ssh --hosts hosts --out out {arguments}"))
}

fn at_home() -> Done {
    sage("", "run f.sage --workers 2 --slots 64 --out out").go().exits(3)
}

#[track_caller]
fn check(done: &Done, home: &Done) {
    for name in ["rows.csv", "dead_letters.jsonl"] {
        assert_eq!(done.lines(name), home.lines(name), "{name}\n{}", done.stderr);
    }
    assert_eq!(done.metrics()["tasks_in"], TASKS);
    assert!(!done.out.join(".shared").exists());
}

/// Workers of the run in this folder that are there, with the values of a variable of theirs. They
/// are no children of the supervisor, so they are known by where they run.
fn workers(folder: &Path, variable: &str) -> Vec<(u32, String)> {
    let folder = folder.canonicalize().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let second = words.split(|byte| *byte == 0).nth(1).map(<[u8]>::to_vec);
        let here = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder);
        if second.as_deref() != Some(b"worker") || !here || ended(pid) {
            continue;
        }
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let value = environment
            .split('\0')
            .find_map(|word| word.strip_prefix(variable)?.strip_prefix('=').map(str::to_owned));
        found.push((pid, value.unwrap_or_default()));
    }
    found
}

fn wait_for_tasks(folder: &Path, tasks: usize) {
    let table = folder.join("out/tasks.csv");
    wait_until(|| std::fs::read_to_string(&table).map_or(0, |text| text.lines().count()) > tasks);
}

fn finish(sage: &Sage, child: Child) -> Done {
    let done = sage.done(child.wait_with_output().unwrap());
    wait_until(|| workers(sage.folder.path(), "HOST").is_empty());
    done
}

#[track_caller]
fn no_secret(folder: &Path) {
    let called = std::fs::read_to_string(folder.join("called")).unwrap();
    assert!(called.contains("worker --join"), "{called}");
    let digits = |word: &str| word.len() >= 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    let word = called.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| digits(word));
    assert_eq!(word, None, "{called}");
}

/// Most tasks that a node had at once, from the table of tasks.
fn most_at_once(done: &Done, node: &str) -> usize {
    let table = done.read("tasks.csv");
    let mut moments = Vec::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        if cells[1] == node && !cells[4].is_empty() {
            let at = |cell: usize| cells[cell].parse::<f64>().unwrap();
            moments.extend([(at(4), 1), (at(5), -1)]);
        }
    }
    // One that ends makes room for one that starts at the same moment.
    moments.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut now, mut most) = (0_i32, 0);
    for (_, change) in moments {
        now += change;
        most = most.max(now);
    }
    most as usize
}

#[test]
fn workers_on_other_hosts_write_what_workers_here_write() {
    let home = at_home();
    let hosts = "127.0.0.1 slots=1 labels=slow,zone=a\n127.0.0.2 workers=2 slots=3  # two\n";
    let sage = over_ssh(hosts, "--ssh-option ConnectTimeout=7");
    let done = sage.go().exits(3);
    check(&done, &home);
    no_secret(sage.folder.path());
    let nodes = done.metrics()["nodes"].clone();
    let hosts: Vec<&str> =
        nodes.as_array().unwrap().iter().map(|node| node["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["127.0.0.1", "127.0.0.2", "127.0.0.2"]);
    assert_eq!(nodes[0]["labels"], serde_json::json!(["slow", "zone=a"]));
    for (node, slots) in [("0", 1), ("1", 3), ("2", 3)] {
        assert_eq!(nodes[node.parse::<usize>().unwrap()]["slots"], slots);
        // The table has milliseconds with three places; a task may end and the next start in one.
        let most = most_at_once(&done, node);
        assert!((1..=slots).contains(&most), "node {node} had {most} tasks at once");
    }
    let setup: serde_json::Value = serde_json::from_str(&done.read("setup.json")).unwrap();
    assert_eq!(setup["launcher"], "ssh");
    assert_eq!(
        setup["nodes"][1],
        serde_json::json!({"host": "127.0.0.2", "slots": 3, "labels": []})
    );
    let called = std::fs::read_to_string(sage.folder.path().join("called")).unwrap();
    assert!(called.contains("-o BatchMode=yes -o ConnectTimeout=7"), "{called}");
}

#[test]
fn a_worker_killed_on_its_host_is_replaced_there() {
    let home = at_home();
    let sage = over_ssh("127.0.0.1\n127.0.0.2\n", "");
    let child = sage.start();
    wait_for_tasks(sage.folder.path(), 40);
    let found = workers(sage.folder.path(), "HOST");
    let (lost, host) = found.iter().find(|(_, host)| host == "127.0.0.2").unwrap();
    send("-KILL", *lost);
    let done = finish(&sage, child).exits(3);
    let done = done.says(&format!("worker 1 on {host} was lost: it was killed by signal 9"));
    check(&done, &home);
    let hosts: Vec<_> = (0..2).map(|node| done.metrics()["nodes"][node]["host"].clone()).collect();
    assert_eq!(hosts, ["127.0.0.1", "127.0.0.2"]);
}

#[test]
fn a_host_that_is_cut_off_is_done_without() {
    let home = at_home();
    let sage = over_ssh("127.0.0.1\n127.0.0.2\n", "");
    let child = sage.start();
    wait_for_tasks(sage.folder.path(), 40);
    let folder = sage.folder.path().to_owned();
    std::fs::write(folder.join("down/127.0.0.2"), "").unwrap();
    let found = workers(&folder, "HOST");
    let (lost, _) = found.iter().find(|(_, host)| host == "127.0.0.2").unwrap();
    send("-STOP", *lost);
    let done = finish(&sage, child).exits(3).says("no sign of life");
    check(&done, &home);
    let nodes = done.metrics()["nodes"].clone();
    assert_eq!((&nodes[0]["host"], &nodes[1]["host"]), (&"127.0.0.1".into(), &"127.0.0.1".into()));
    // The stopped one was killed, too: its host was told by the end of its input.
    assert!(ended(*lost));
}

#[test]
fn no_worker_outlives_a_killed_supervisor() {
    let sage = over_ssh("127.0.0.1\n127.0.0.2\n", "");
    let mut child = sage.start();
    wait_for_tasks(sage.folder.path(), 20);
    let found = workers(sage.folder.path(), "HOST");
    assert_eq!(found.len(), 2);
    // One that is stopped cannot notice anything by itself.
    send("-STOP", found[0].0);
    send("-KILL", child.id());
    child.wait().unwrap();
    wait_until(|| found.iter().all(|(pid, _)| ended(*pid)));
}

#[test]
fn what_is_wrong_with_a_host_is_said_with_its_name_and_a_remedy() {
    for (hosts, down, parts) in [
        ("127.0.0.1\n127.0.0.2\n", "127.0.0.2", "host 127.0.0.2 cannot be reached; it is down"),
        (
            "127.0.0.1 program=/nowhere/sage-flow\n",
            "",
            "host 127.0.0.1 has no program /nowhere/sage-flow; copy this binary there",
        ),
        ("127.0.0.1 program=/etc/passwd\n", "", "cannot execute /etc/passwd"),
        (
            "127.0.0.1 program=/bin/true\n",
            "",
            "worker 0 on 127.0.0.1 was lost: it left before it was finished; the run ends (it ended well \
             before it joined, so it is no worker: is the program sage-flow?)",
        ),
        ("127.0.0.66\n", "", "does not share the run's folder"),
    ] {
        let sage = over_ssh(hosts, "");
        if !down.is_empty() {
            std::fs::write(sage.folder.path().join("down").join(down), "").unwrap();
        }
        sage.go().exits(2).says(parts);
        wait_until(|| workers(sage.folder.path(), "HOST").is_empty());
    }
}

#[test]
fn options_that_do_not_go_together_are_refused_with_a_sentence() {
    for (arguments, part) in [
        ("--hosts hosts", "--hosts goes with --launcher ssh"),
        ("--launcher ssh", "name a file with one address a line by --hosts FILE"),
        ("--launcher ssh --hosts nowhere", "--hosts nowhere: it cannot be read"),
        ("--launcher ssh --hosts hosts --workers 9", "have room for 2; raise workers=N"),
        ("--launcher ssh --hosts wrong", "--hosts wrong: line 2: `slot` is not known"),
        ("--launcher ssh --hosts hosts --ssh-option x", "--ssh-option x: expected NAME=VALUE"),
        ("--launcher slurm --ssh-option a=b", "--ssh-option goes with --launcher ssh"),
        ("--srun-option=--partition=x", "--srun-option goes with --launcher slurm"),
        ("--image x", "--image goes with --launcher k8s or compose"),
        ("--launcher compose --claim x", "--claim goes with --launcher k8s"),
        ("--launcher k8s --namespace Lab_1", "a namespace has 1 to 63 lower-case letters"),
        ("--launcher k8s", "need --out DIR"),
        ("--launcher k8s --out o --fresh", "--fresh would have a supervisor"),
        ("--launcher compose --out o --bind 127.0.0.1:7", "--bind has no meaning"),
        ("--launcher compose --out o --image a\"b", "is no name of an image"),
        ("--launcher k8s --out o --claim A", "the name of a claim has lower-case letters"),
        ("--launcher k8s --out /tmp", "--out /tmp: in the containers the current folder"),
    ] {
        let hosts = "127.0.0.1 workers=1\n127.0.0.2 workers=1\n";
        let sage = sage(hosts, &format!("run f.sage {arguments}"));
        sage.file("wrong", "127.0.0.1\na slot=3\n").go().exits(1).says(part);
    }
    let stdin = PROGRAM.replace("csv(\"tasks.csv\")", "stdin(format: jsonl)");
    let sage = over_ssh("127.0.0.1\n", "").file("f.sage", stdin);
    sage.go()
        .exits(1)
        .says("which workers on other hosts cannot read; write the records to a file");
}

#[test]
fn the_tasks_of_a_batch_step_are_the_workers() {
    let home = at_home();
    let arguments = "run f.sage --launcher slurm --workers 3 --out out --srun-option=--partition=x";
    let sage = sage("", arguments).env("SLURMD_NODENAME", "localhost");
    let child = sage.start();
    wait_for_tasks(sage.folder.path(), 40);
    let found = workers(sage.folder.path(), "SLURM_PROCID");
    let (lost, _) = found.iter().find(|(_, number)| number == "1").unwrap();
    send("-KILL", *lost);
    let done = finish(&sage, child).exits(3).says("srun --ntasks=3 --label --export=ALL");
    let done = done.says("--partition=x sh -c 'SAGE_FLOW_WORKER_INDEX=$SLURM_PROCID exec");
    let done = done.says("worker 1 was lost: it was killed by signal 9");
    check(&done, &home);
    no_secret(sage.folder.path());
    assert_eq!(done.metrics()["restarts"], 1);
}

#[test]
fn a_batch_system_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let sage =
        sage("", "run f.sage --launcher slurm --out out").env("SLURMD_NODENAME", "localhost");
    let sage = sage.env("PATH", &folder.path().to_string_lossy());
    sage.go().exits(1).says("there is no program `srun` on this host");
}

/// The documents of a YAML text, as JSON; merge keys are merged, as Compose does.
fn yaml(text: &str) -> Vec<serde_json::Value> {
    Yaml::load_from_str(text).unwrap().iter().map(json).collect()
}

fn json(node: &Yaml<'_>) -> serde_json::Value {
    if let Some(fields) = node.as_mapping() {
        let mut object = serde_json::Map::new();
        for (name, value) in fields {
            let value = json(value);
            match (name.as_str().unwrap(), value) {
                ("<<", serde_json::Value::Object(merged)) => {
                    merged.into_iter().for_each(|(name, value)| {
                        object.entry(name).or_insert(value);
                    });
                }
                (name, value) => {
                    object.insert(name.to_owned(), value);
                }
            }
        }
        return serde_json::Value::Object(object);
    }
    if let Some(items) = node.as_sequence() {
        return items.iter().map(json).collect();
    }
    node.as_str()
        .map(Into::into)
        .or_else(|| node.as_integer().map(Into::into))
        .or_else(|| node.as_bool().map(Into::into))
        .unwrap_or_default()
}

/// A program with all that is awkward in a file within a file.
const AWKWARD: &str = "sage 1\n  // a comment that stands in, with $HOME and $(x): \"quoted\"\n\n\
    type Task { id: string @key }\nsource tasks: Task from generate(count: 3)\n\
    sink outs: Task to jsonl(\"outs.jsonl\")\nflow it_s_awkward {\n  from tasks\n\
    \x20 stage n = sleep(1ms)\n  emit Task { id: .id } into outs\n}\n";

#[test]
fn the_manifest_for_kubernetes_holds_together() {
    let folder = Sage::new().file("a.sage", AWKWARD);
    std::fs::create_dir(folder.folder.path().join("sub")).unwrap();
    let print = || {
        let mut sage = Sage::new().file("x", "");
        sage.folder = std::sync::Arc::clone(&folder.folder);
        std::fs::write(folder.folder.path().join("sub/b.sage"), PROGRAM).unwrap();
        std::fs::write(folder.folder.path().join("sub/tasks.csv"), tasks()).unwrap();
        let arguments = "run a.sage sub/b.sage --launcher k8s --image reg/sage:1 -w 5 \
                         --namespace lab --claim rwx --out results/x --set";
        sage.args(arguments).arg("a=$(HOME)").go()
    };
    // A parameter that no program has is a mistake, found before anything is printed.
    print().exits(1);
    let mut sage = Sage::new();
    sage.folder = std::sync::Arc::clone(&folder.folder);
    let arguments = "run a.sage sub/b.sage --launcher k8s --image reg/sage:1 -w 5 --namespace lab \
                     --claim rwx --out results/x";
    let sage = sage.args(arguments);
    let (done, second) = (sage.go().exits(0), sage.go().exits(0));
    assert!(
        !sage.folder.path().join("results").exists() && !sage.folder.path().join(STATE).exists()
    );
    assert!(done.stdout.starts_with("# A run of sage-flow on Kubernetes."), "{}", done.stdout);
    assert!(done.stdout.contains("kubectl apply -f run.yaml"));

    let parts = yaml(&done.stdout);
    let part = |kind: &str| parts.iter().find(|part| part["kind"] == kind).unwrap();
    // Of workers there is one set for each program.
    assert_eq!(parts.len(), 7);
    for part in &parts {
        assert_eq!(part["metadata"]["namespace"], "lab");
        assert!(part["apiVersion"].is_string());
    }
    let (service, secret, programs) = (part("Service"), part("Secret"), part("ConfigMap"));
    let (job, workers) = (part("Job"), part("StatefulSet"));
    let secret_of = |text: &str| yaml(text)[1]["stringData"]["SAGE_FLOW_SECRET"].clone();
    let hex = secret["stringData"]["SAGE_FLOW_SECRET"].as_str().unwrap();
    assert!(hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit()));
    assert_ne!(secret_of(&done.stdout), secret_of(&second.stdout));
    assert_eq!(done.stdout.matches(hex).count(), 1);
    assert_eq!(programs["data"]["program-0.sage"], AWKWARD);
    assert_eq!(programs["data"]["program-1.sage"], PROGRAM);

    let name = service["metadata"]["name"].as_str().unwrap();
    // Another run of the same flow does not take its place.
    let own = name.strip_prefix("sage-flow-it-s-awkward-f-").unwrap();
    assert_eq!(own.len(), 6);
    assert!(!second.stdout.contains(own));
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(workers["spec"]["serviceName"], name);
    assert_eq!(workers["spec"]["replicas"], 5);
    let template = &workers["spec"]["template"];
    for (label, value) in workers["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&template["metadata"]["labels"][label], value);
    }
    for (label, value) in service["spec"]["selector"].as_object().unwrap() {
        for template in [template, &job["spec"]["template"]] {
            assert_eq!(&template["metadata"]["labels"][label], value);
        }
    }
    let pod = &job["spec"]["template"]["spec"];
    let sets: Vec<_> = parts.iter().filter(|part| part["kind"] == "StatefulSet").collect();
    let ports: Vec<_> =
        service["spec"]["ports"].as_array().unwrap().iter().map(|port| &port["port"]).collect();
    assert_eq!(ports, [7077, 7078]);
    assert_eq!(sets.len(), 2);
    assert_ne!(sets[0]["metadata"]["name"], sets[1]["metadata"]["name"]);
    for (set, port) in sets.iter().zip(ports) {
        let dial = &set["spec"]["template"]["spec"]["containers"][0]["args"];
        let host = format!("{}.{}:{port}", pod["hostname"].as_str().unwrap(), name);
        assert_eq!(*dial, serde_json::json!(["worker", "--join", host]));
        let own = "app.kubernetes.io/component";
        let labels = &set["spec"]["template"]["metadata"]["labels"];
        assert_eq!(set["spec"]["selector"]["matchLabels"][own], labels[own]);
    }
    assert_eq!(pod["subdomain"], name);
    let keys = parts.iter().filter(|part| part["kind"] == "Secret").nth(1).unwrap();
    let keys = &keys["metadata"]["name"];
    assert_eq!(pod["containers"][0]["envFrom"][1]["secretRef"]["name"], *keys);
    assert!(template["spec"]["containers"][0]["envFrom"][1].is_null());
    for spec in [pod, &template["spec"]] {
        assert_eq!(spec["terminationGracePeriodSeconds"], 45);
        let container = &spec["containers"][0];
        assert_eq!(container["image"], "reg/sage:1");
        assert_eq!(container["envFrom"][0]["secretRef"]["name"], secret["metadata"]["name"]);
        let volumes: Vec<_> =
            spec["volumes"].as_array().unwrap().iter().map(|volume| &volume["name"]).collect();
        for mount in container["volumeMounts"].as_array().unwrap() {
            assert!(volumes.contains(&&mount["name"]), "{mount}");
        }
        assert_eq!(spec["volumes"][0]["persistentVolumeClaim"]["claimName"], "rwx");
    }
    assert_eq!(pod["volumes"][2]["configMap"]["name"], programs["metadata"]["name"]);
    let mounts = &pod["containers"][0]["volumeMounts"];
    assert_eq!(
        (&mounts[3]["mountPath"], &mounts[3]["subPath"]),
        (&"/data/sub/b.sage".into(), &"program-1.sage".into())
    );
    assert_eq!(pod["restartPolicy"], "Never");
    let words =
        "run a.sage sub/b.sage -w 5 --out results/x --launcher join --bind [$(POD_IP)]:7077";
    let words: Vec<&str> = words.split(' ').collect();
    assert_eq!(pod["containers"][0]["args"], serde_json::json!(words));
}

/// A program whose endpoint and key come from the environment.
const AROUND: &str = "sage 1\nparam url: string = env(\"SAGE_TEST_URL\", \"sim:a100/qwen2.5-7b\")\n\
    type Task { id: string @key }\nsource tasks: Task from generate(count: 3)\n\
    endpoint llm { url: url, model: \"m\", api_key: env(\"SAGE_TEST_KEY\") }\n\
    sink outs: Task to jsonl(\"outs.jsonl\")\nflow around {\n  from tasks\n\
    \x20 stage a = generate(\"x\") on llm\n  emit Task { id: .id } into outs\n}\n";

#[test]
fn what_a_program_takes_from_the_environment_goes_with_it_but_for_keys() {
    for launcher in ["k8s", "compose"] {
        let arguments = format!("run a.sage a.sage --launcher {launcher} --out out --drain 10min");
        let sage = Sage::new().file("a.sage", AROUND).args(&arguments);
        let sage =
            sage.env("SAGE_TEST_URL", "http://gpu-$1:8000").env("SAGE_TEST_KEY", "hush-hush");
        let text = sage.go().exits(0).stdout;
        assert!(text.contains("http://gpu-$$1:8000"), "{text}");
        assert!(!text.contains("hush-hush"), "{text}");
        // The drain, and time to write.
        assert!(text.contains("615"), "{text}");
        let parts = yaml(&text);
        if launcher == "compose" {
            let services = &parts[0]["services"];
            assert_eq!(
                services["supervisor"]["environment"]["SAGE_TEST_KEY"],
                "${SAGE_TEST_KEY:-}"
            );
            assert!(services["worker-1"]["environment"]["SAGE_TEST_URL"].is_null());
            assert_eq!(services["worker-2"]["command"][2], "supervisor:7078");
        } else {
            let job = parts.iter().find(|part| part["kind"] == "Job").unwrap();
            let variables = &job["spec"]["template"]["spec"]["containers"][0]["env"];
            let has = |name: &str| variables.as_array().unwrap().iter().any(|v| v["name"] == name);
            assert!(has("SAGE_TEST_URL") && !has("SAGE_TEST_KEY"), "{variables}");
        }
    }
}

#[test]
fn the_file_for_compose_holds_together() {
    let sage = Sage::new().file("a.sage", AWKWARD);
    let sage = sage.args("run a.sage --launcher=compose --workers=4 --out out");
    let done = sage.go().exits(0);
    // To a pipe: nobody else reads it.
    assert!(!done.stderr.contains("others can read"), "{}", done.stderr);
    let readable = File::create(sage.folder.path().join("compose.yaml")).unwrap();
    readable.set_permissions(Permissions::from_mode(0o644)).unwrap();
    let printed = sage.command().stdout(readable).output().unwrap();
    assert!(String::from_utf8_lossy(&printed.stderr).contains("others can read the file"));
    let parts = yaml(&done.stdout);
    let [file] = parts.as_slice() else { panic!("{}", done.stdout) };
    let (supervisor, worker) = (&file["services"]["supervisor"], &file["services"]["worker"]);
    assert_eq!(worker["deploy"]["replicas"], 4);
    assert_eq!(worker["restart"], "on-failure");
    assert_eq!(supervisor["stop_grace_period"], "45s");
    assert_eq!(worker["command"], serde_json::json!(["worker", "--join", "supervisor:7077"]));
    for service in [supervisor, worker] {
        assert_eq!(service["image"], "sage-flow:0.1.0");
        assert_eq!(service["working_dir"], "/data");
        let secret = service["environment"]["SAGE_FLOW_SECRET"].as_str().unwrap();
        assert_eq!(secret.len(), 64);
    }
    let address = supervisor["networks"]["run"]["ipv4_address"].as_str().unwrap();
    let bind = format!("{address}:7077");
    let words =
        ["run", "a.sage", "--workers=4", "--out", "out", "--launcher", "join", "--bind", &bind];
    assert_eq!(supervisor["command"], serde_json::json!(words));
    // The program is read where it lies: nothing is put over a file of the user.
    assert!(supervisor["configs"].is_null() && file["configs"].is_null(), "{file}");
    assert_eq!(supervisor["volumes"], serde_json::json!([".:/data"]));
    assert!(file["networks"]["run"].is_object());
}
