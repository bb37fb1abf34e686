//! Worker processes on other hosts, over ssh: one `ssh` a worker.
//!
//! A small shell script runs on the host. It reads the environment from its standard input, so no
//! secret is ever on a command line, starts the worker, and watches the input: when that ends, the
//! `ssh` here is gone (killed, or its supervisor died, or the connection broke), and the script
//! kills the worker, whatever state that is in. So no orphan stays on a host that can be reached;
//! on one that cannot, the worker ends by itself when it hears nothing more of its supervisor.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::hosts::Host;
use super::local::{LocalProcess, StderrHook};
use super::{Exit, Launcher, LauncherEntry, WorkerProcess};

/// For lists and help.
pub(super) const ENTRY: LauncherEntry =
    LauncherEntry { name: "ssh", summary: "worker processes on the hosts of --hosts FILE" };

/// What `ssh` returns for its own failures; a worker never does.
pub const EXIT_SSH: i32 = 255;
/// What a shell returns for a program that it cannot execute, and for one that is not there.
const EXIT_NOT_EXECUTABLE: i32 = 126;
const EXIT_NOT_FOUND: i32 = 127;

/// Signals that end processes from outside; a shell returns 128 more. 130 is not among them, it is
/// what the program itself returns after an interrupt.
const SIGNALS: [i32; 7] = [4, 6, 7, 8, 9, 11, 15];

/// Runs workers on hosts over ssh.
pub struct SshLauncher {
    /// The host of each worker, by index.
    pub hosts: Vec<Host>,
    /// The program on hosts that do not say where it is.
    pub program: PathBuf,
    /// Where the workers run; it must be there on every host.
    pub directory: PathBuf,
    /// Options for all hosts, each `NAME=VALUE`; those of a host come first, so they win.
    pub options: Vec<String>,
    /// Variables that ssh does not get, lest its own options send them on.
    pub without: Vec<String>,
    /// Sees each line of the workers' standard error, and of ssh's.
    pub on_stderr: Option<StderrHook>,
}

impl Launcher for SshLauncher {
    fn launch(
        &mut self,
        index: usize,
        join: SocketAddr,
        env: &[(String, String)],
    ) -> io::Result<Box<dyn WorkerProcess>> {
        let host = self.hosts.get(index).ok_or_else(|| {
            io::Error::other(format!("there is no host for worker {index}; the host file is short"))
        })?;
        let program = host.program.as_ref().unwrap_or(&self.program);
        let lines = environment(env)?;
        let mut command = Command::new("ssh");
        command.args(arguments(host, &self.options));
        command.arg(script(program, &self.directory, join));
        for name in &self.without {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        command.stdout(if index == 0 { Stdio::inherit() } else { Stdio::null() });
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other(
                "there is no program `ssh` on this host; install it (package openssh-client)",
            ),
            _ => error,
        })?;
        let mut stdin = child.stdin.take();
        let process = LocalProcess::follow(child, index, self.on_stderr.clone())?;
        // If ssh has ended already, its exit says why.
        if let Some(stdin) = &mut stdin {
            let _ = stdin.write_all(lines.as_bytes());
        }
        Ok(Box::new(SshProcess {
            process,
            stdin: Mutex::new(stdin),
            host: host.to_string(),
            by_hand: by_hand(host, &self.options),
            program: program.clone(),
            exit: OnceLock::new(),
        }))
    }
}

/// What the script on the host reads: one variable a line, and an empty line.
fn environment(env: &[(String, String)]) -> io::Result<String> {
    let mut lines = String::new();
    for (name, value) in env {
        if value.contains(['\n', '\r', '\0']) || name.contains(['=', '\n', '\0']) {
            return Err(io::Error::other(format!("the variable {name} has a line break in it")));
        }
        lines.push_str(&format!("{name}={value}\n"));
    }
    lines.push('\n');
    Ok(lines)
}

/// What tries the way to a host, as a shell takes it.
fn by_hand(host: &Host, options: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let words = arguments(host, options).into_iter().map(|word| {
        if word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    format!("ssh {} true", words.collect::<Vec<_>>().join(" "))
}

/// All arguments of ssh but the command. The first value that ssh is given for an option counts: ours
/// for what must be so, then the host's, then the run's, then what is usual.
fn arguments(host: &Host, options: &[String]) -> Vec<String> {
    let mut arguments = vec!["-T".to_owned()];
    let mut set = |option: &str| arguments.extend(["-o".to_owned(), option.to_owned()]);
    // Nobody is there to answer a question.
    set("BatchMode=yes");
    host.options.iter().chain(options).for_each(|option| set(option));
    for usual in ["ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3"] {
        set(usual);
    }
    if let Some(port) = host.port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    if let Some(user) = &host.user {
        arguments.extend(["-l".to_owned(), user.clone()]);
    }
    arguments.extend(["--".to_owned(), host.address.clone()]);
    arguments
}

/// The command on the host. Whatever the user's login shell is, it gets two words and one quoted
/// one; the rest is for `sh`.
fn script(program: &Path, directory: &Path, join: SocketAddr) -> String {
    let (shown, directory) = (directory.display(), quoted(&directory.to_string_lossy()));
    let complaint = quoted(&format!(
        "error: the folder {shown} is not on this host; all hosts of a run must see it, and what \
         lies in it, at the same path"
    ));
    let program = quoted(&program.to_string_lossy());
    let script = format!(
        "while IFS= read -r line && [ -n \"$line\" ]; do export \"$line\"; done; \
         cd {directory} 2>/dev/null || {{ echo {complaint} >&2; exit 3; }}; \
         exec 3<&0; \
         {program} worker --join {join} </dev/null 3<&- & worker=$!; \
         {{ while read -r line; do :; done; kill -9 $worker; }} <&3 >/dev/null 2>&1 & guard=$!; \
         exec 3<&-; wait $worker; code=$?; kill $guard 2>/dev/null; exit $code"
    );
    format!("exec sh -c {}", quoted(&script))
}

/// One word for a shell.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

struct SshProcess {
    process: LocalProcess,
    /// Open for as long as the worker may live.
    stdin: Mutex<Option<ChildStdin>>,
    host: String,
    /// The command by which somebody sees whether the host can be reached.
    by_hand: String,
    program: PathBuf,
    exit: OnceLock<Exit>,
}

impl WorkerProcess for SshProcess {
    fn wait(&self) -> io::Result<Exit> {
        let exit = match self.process.wait()? {
            Exit::Code(code) if SIGNALS.contains(&(code - 128)) => Exit::Signal(code - 128),
            exit => exit,
        };
        Ok(*self.exit.get_or_init(|| exit))
    }

    fn kill(&self) -> io::Result<()> {
        drop(self.stdin.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.process.kill()
    }

    fn id(&self) -> Option<u32> {
        self.process.id()
    }

    fn host(&self) -> Option<&str> {
        Some(&self.host)
    }

    fn last_stderr(&self) -> String {
        let said = self.process.last_stderr();
        let remedy = match self.exit.get() {
            Some(Exit::Code(code)) => {
                remedy(*code, &said, (&self.host, &self.by_hand), &self.program)
            }
            _ => None,
        };
        match remedy {
            Some(remedy) if said.is_empty() => remedy,
            Some(remedy) => format!("{said}\n{remedy}"),
            None => said,
        }
    }
}

/// What went wrong with a host and what to do, from what ssh returned and said.
fn remedy(code: i32, said: &str, (host, by_hand): (&str, &str), program: &Path) -> Option<String> {
    let program = program.display();
    let says = |part: &str| said.contains(part);
    let text = match code {
        EXIT_NOT_FOUND => format!(
            "host {host} has no program {program}; copy this binary there, or say where it is with \
             program=PATH in the host file"
        ),
        EXIT_NOT_EXECUTABLE => format!(
            "host {host} cannot execute {program}; it needs a build for that machine and the \
             right to execute it"
        ),
        EXIT_SSH if says("Permission denied") || says("Too many authentication failures") => {
            format!(
                "host {host} lets none of this user's keys in; `ssh-copy-id` the right one, or name \
                 it with option=IdentityFile=FILE in the host file"
            )
        }
        EXIT_SSH if says("Could not resolve hostname") => {
            format!("the name of host {host} is not known here; correct it in the host file")
        }
        EXIT_SSH if says("Host key verification failed") => format!(
            "the key of host {host} is not known here, or has changed; log in once by hand with ssh \
             and see whether it is the right one"
        ),
        EXIT_SSH if says("Connection refused") => {
            format!("no ssh server answers on host {host}; start it, or correct the port")
        }
        EXIT_SSH if says("timed out") || says("No route") || says("unreachable") => {
            format!("host {host} cannot be reached; it is down, or cut off from here")
        }
        EXIT_SSH => {
            format!("ssh to host {host} broke off; try `{by_hand}` by hand")
        }
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::process::Output;

    use super::super::hosts::HostFile;
    use super::*;

    fn host(line: &str) -> Host {
        HostFile::parse(line).unwrap().hosts()[0].clone()
    }

    #[test]
    fn the_host_goes_before_the_run_and_the_run_before_what_is_usual() {
        let host = host("me@[fd00::1]:2222 option=ConnectTimeout=3 option=IdentityFile=x");
        let arguments = arguments(&host, &["ConnectTimeout=5".to_owned()]).join(" ");
        assert_eq!(
            arguments,
            "-T -o BatchMode=yes -o ConnectTimeout=3 -o IdentityFile=x -o ConnectTimeout=5 \
             -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3 \
             -p 2222 -l me -- fd00::1"
        );
    }

    /// What sshd does: hands the command to the user's shell.
    fn run(command: &str, stdin: Option<&[u8]>) -> Output {
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let _ = input.write_all(stdin.unwrap_or_default());
        let keep = stdin.is_some().then_some(input);
        let output = child.wait_with_output().unwrap();
        drop(keep);
        output
    }

    fn program(folder: &Path, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join("a 'quoted' $program");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_script_hands_over_the_environment_and_the_exit() {
        let folder = std::env::temp_dir().join(format!("sage ssh '{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let join = "10.0.0.1:99".parse().unwrap();
        let env = [("SAGE_A".to_owned(), "a b'\"$(c)".to_owned())];
        let lines = environment(&env).unwrap();

        let path = program(&folder, "echo \"$SAGE_A|$*\"; pwd; exit 75");
        let output = run(&script(&path, &folder, join), Some(lines.as_bytes()));
        assert_eq!(output.status.code(), Some(75), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let expected = format!("a b'\"$(c)|worker --join 10.0.0.1:99\n{}\n", folder.display());
        assert_eq!(said, expected);

        // The input ends: the worker is killed, even one that waits for nothing.
        let path = program(&folder, "exec sleep 1000");
        let output = run(&script(&path, &folder, join), None);
        assert_eq!(output.status.code(), Some(137), "{output:?}");

        let missing = run(&script(Path::new("/nonexistent"), &folder, join), Some(b"\n"));
        assert_eq!(missing.status.code(), Some(EXIT_NOT_FOUND), "{missing:?}");
        let nowhere = run(&script(&path, Path::new("/non existent"), join), Some(b"\n"));
        assert_eq!(nowhere.status.code(), Some(3));
        let said = String::from_utf8(nowhere.stderr).unwrap();
        assert!(said.contains("the folder /non existent is not on this host"), "{said}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_failure_names_the_host_and_the_remedy() {
        for (code, said, part) in [
            (127, "", "has no program /p; copy this binary there"),
            (126, "", "cannot execute /p"),
            (255, "me@h: Permission denied (publickey).", "ssh-copy-id"),
            (255, "ssh: Could not resolve hostname h: Name", "is not known here; correct it"),
            (255, "Host key verification failed.", "log in once by hand"),
            (255, "ssh: connect to host h port 22: Connection refused", "no ssh server answers"),
            (255, "ssh: connect to host h port 22: Connection timed out", "cannot be reached"),
            (255, "", "broke off; try `ssh h true` by hand"),
        ] {
            let text = remedy(code, said, ("h", "ssh h true"), Path::new("/p")).unwrap();
            assert!(text.contains(part) && text.contains("host h"), "{text}");
        }
        assert_eq!(remedy(1, "error", ("h", "ssh h true"), Path::new("/p")), None);
    }

    #[test]
    fn a_value_with_a_line_break_is_refused() {
        assert!(environment(&[("A".into(), "x\ny".into())]).is_err());
    }
}
