//! The host file: which hosts a run may use, and which worker goes where.
//!
//! One host a line, an address and then options; `#` begins a comment. One line a host because such
//! a list is what people have already (`ssh_config` names, an allocation's node list), and `grep`
//! and `sort` work on it.
//!
//! ```text
//! node1
//! me@node2:2222  slots=16 workers=2 labels=gpu,zone=a
//! [fd00::3]      program="/opt/sage flow/sage-flow" option=IdentityFile=~/.ssh/cluster
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use crate::error::ClusterError;

/// What a line may say of a host, with what it means; messages list them.
const OPTIONS: &str = "slots=N, workers=N, labels=A,B, program=PATH or option=NAME=VALUE";

/// Most slots of a node, as for the option of a run.
const MOST_SLOTS: u32 = 4096;

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Whom to log in as; the system's default otherwise.
    pub user: Option<String>,
    /// A name or an address; IPv6 without its brackets.
    pub address: String,
    /// Port of its ssh server.
    pub port: Option<u16>,
    /// Tasks that a worker there executes at once; the plan's number otherwise.
    pub slots: Option<u32>,
    /// Most workers there; one, and its share of what others have no room for, otherwise.
    pub workers: Option<usize>,
    /// Free-form properties, which the nodes of its workers get.
    pub labels: Vec<String>,
    /// Where the program is; the same path as here otherwise.
    pub program: Option<PathBuf>,
    /// Options of ssh, each `NAME=VALUE`.
    pub options: Vec<String>,
}

impl fmt::Display for Host {
    /// As in the host file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            Some(port) if self.address.contains(':') => write!(f, "[{}]:{port}", self.address),
            Some(port) => write!(f, "{}:{port}", self.address),
            None => f.write_str(&self.address),
        }
    }
}

/// The hosts of a run, in the order of their file. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    hosts: Vec<Host>,
}

impl HostFile {
    /// Reads the text of a host file. Errors name the line.
    pub fn parse(text: &str) -> Result<Self, ClusterError> {
        let mut hosts: Vec<(usize, Host)> = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let failed = |reason| ClusterError::HostLine { line, reason };
            let words = words(text).map_err(failed)?;
            let Some((address, options)) = words.split_first() else { continue };
            let host = host(address, options).map_err(failed)?;
            let same = |other: &Host| (&other.address, other.port) == (&host.address, host.port);
            if let Some((first, _)) = hosts.iter().find(|(_, other)| same(other)) {
                return Err(failed(format!(
                    "{host} is on line {first} already; for several workers there write workers=N"
                )));
            }
            hosts.push((line, host));
        }
        if hosts.is_empty() {
            let reason = "there is no host in it; write one address a line".to_owned();
            return Err(ClusterError::HostLine { line: text.lines().count().max(1), reason });
        }
        Ok(Self { hosts: hosts.into_iter().map(|(_, host)| host).collect() })
    }

    /// The hosts.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Workers of a run that was not told how many: one a host, or as many as the host has room for
    /// where the file says so.
    pub fn default_workers(&self) -> usize {
        self.hosts.iter().map(|host| host.workers.unwrap_or(1)).fold(0, usize::saturating_add)
    }

    /// The host of each of `workers` workers, as numbers into [`HostFile::hosts`]: in turns, so that
    /// hosts get equally many if the file sets no limits. Hosts in `avoid` get none, unless the
    /// others have no room.
    pub fn place(
        &self,
        workers: usize,
        avoid: &BTreeSet<usize>,
    ) -> Result<Vec<usize>, ClusterError> {
        let usable = |host: &usize| !avoid.contains(host);
        let most = |host: usize| self.hosts[host].workers.unwrap_or(usize::MAX);
        let room =
            |hosts: &[usize]| hosts.iter().map(|host| most(*host)).fold(0, usize::saturating_add);
        let all: Vec<usize> = (0..self.hosts.len()).collect();
        let mut hosts: Vec<usize> = all.iter().copied().filter(usable).collect();
        if room(&hosts) < workers {
            hosts = all;
        }
        let room = room(&hosts);
        if room < workers {
            return Err(ClusterError::HostRoom { workers, room });
        }
        // First what hosts have room for by their own word, or one each; what is left over goes to
        // those that set no limit.
        let nominal = |host: &usize| self.hosts[*host].workers.unwrap_or(1);
        let rounds = hosts.iter().map(nominal).max().unwrap_or(0);
        let mut places: Vec<usize> = (0..rounds)
            .flat_map(|turn| hosts.iter().copied().filter(move |host| turn < nominal(host)))
            .take(workers)
            .collect();
        let open = hosts.iter().copied().filter(|host| self.hosts[*host].workers.is_none());
        let missing = workers - places.len();
        places.extend(open.cycle().take(missing));
        Ok(places)
    }
}

/// The words of a line up to a comment. A word may have parts in double quotes, for spaces.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if word.is_none() => break,
            letter if letter.is_whitespace() && !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    if quoted {
        return Err("a quotation mark is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

fn host(address: &str, options: &[String]) -> Result<Host, String> {
    let (user, rest) = match address.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, address),
    };
    let (name, port) = split_port(rest)?;
    // A word that begins with a dash would be an option to ssh.
    let good = |word: &str| {
        !word.is_empty()
            && !word.starts_with('-')
            && word.chars().all(|c| c.is_alphanumeric() || "-_.:%+".contains(c))
    };
    if !good(name) || !user.is_none_or(good) {
        return Err(format!("`{address}` is no address; expected HOST, USER@HOST or HOST:PORT"));
    }
    let mut host = Host {
        user: user.map(str::to_owned),
        address: name.to_owned(),
        port,
        slots: None,
        workers: None,
        labels: Vec::new(),
        program: None,
        options: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    for option in options {
        let Some((name, value)) = option.split_once('=') else {
            return Err(format!("`{option}` is no option; expected {OPTIONS}"));
        };
        if value.is_empty() {
            return Err(format!("{name}= has no value"));
        }
        if name != "option" && !seen.insert(name) {
            return Err(format!("{name}= is given twice"));
        }
        match name {
            "slots" => host.slots = Some(number(name, value, MOST_SLOTS)?),
            "workers" => host.workers = Some(number(name, value, 64)? as usize),
            "labels" => host.labels = labels(value)?,
            "program" => host.program = Some(PathBuf::from(value)),
            "option" if value.contains('=') => host.options.push(value.to_owned()),
            "option" => {
                return Err(format!("option={value}: expected option=NAME=VALUE, as for `ssh -o`"));
            }
            _ => return Err(format!("`{name}` is not known; expected {OPTIONS}")),
        }
    }
    Ok(host)
}

/// A host and its port; IPv6 in brackets.
fn split_port(address: &str) -> Result<(&str, Option<u16>), String> {
    let (name, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (name, rest) = rest
                .split_once(']')
                .ok_or_else(|| format!("`{address}`: the bracket is not closed"))?;
            let port = rest.strip_prefix(':');
            if port.is_none() && !rest.is_empty() {
                return Err(format!("`{address}`: expected [ADDRESS] or [ADDRESS]:PORT"));
            }
            (name, port)
        }
        None => match address.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(format!("`{address}`: write an IPv6 address in brackets"));
            }
            Some((name, port)) => (name, Some(port)),
            None => (address, None),
        },
    };
    let parse = |port: &str| port.parse::<u16>().ok().filter(|port| *port > 0);
    let wrong = |port| format!("`{port}` is no port; expected 1 to 65535");
    let port = port.map(|port| parse(port).ok_or_else(|| wrong(port))).transpose()?;
    Ok((name, port))
}

fn number(name: &str, value: &str, most: u32) -> Result<u32, String> {
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("{name}={value}: expected 1 to {most}"))
}

fn labels(value: &str) -> Result<Vec<String>, String> {
    let labels: Vec<String> = value.split(',').map(str::trim).map(str::to_owned).collect();
    if labels.iter().any(String::is_empty) {
        return Err(format!("labels={value}: a label is empty"));
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> Host {
        HostFile::parse(text).unwrap().hosts.remove(0)
    }

    #[test]
    fn a_line_says_who_and_what() {
        let text = "\n  me@node2:2222 slots=16 workers=2 labels=gpu,zone=a \
                    program=\"/opt/sage flow/x\" option=A=1 option=B=\"c d\" # the big one\n";
        let host = line(text);
        assert_eq!(host.user.as_deref(), Some("me"));
        assert_eq!((host.address.as_str(), host.port), ("node2", Some(2222)));
        assert_eq!((host.slots, host.workers), (Some(16), Some(2)));
        assert_eq!(host.labels, ["gpu", "zone=a"]);
        assert_eq!(host.program, Some(PathBuf::from("/opt/sage flow/x")));
        assert_eq!(host.options, ["A=1", "B=c d"]);
        assert_eq!(host.to_string(), "me@node2:2222");
        assert_eq!(line("[fd00::3]:22").to_string(), "[fd00::3]:22");
        assert_eq!(line("fe80.example").port, None);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, part) in [
            ("", "line 1: there is no host"),
            ("# nothing\n\n", "line 2: there is no host"),
            ("a\nb slot=3", "line 2: `slot` is not known; expected slots=N"),
            ("a\n\nb 3", "line 3: `3` is no option"),
            ("a slots=0", "line 1: slots=0: expected 1 to 4096"),
            ("a slots=many", "slots=many: expected"),
            ("a workers=65", "workers=65: expected 1 to 64"),
            ("a slots=1 slots=2", "slots= is given twice"),
            ("a labels=", "labels= has no value"),
            ("a labels=x,,y", "a label is empty"),
            ("a option=IdentityFile", "expected option=NAME=VALUE"),
            ("a program=\"/x", "line 1: a quotation mark is not closed"),
            ("a:0", "`0` is no port"),
            ("a:99999", "`99999` is no port"),
            ("fd00::3", "write an IPv6 address in brackets"),
            ("[fd00::3", "the bracket is not closed"),
            ("[fd00::3]x", "expected [ADDRESS]"),
            ("-oProxyCommand=x", "is no address"),
            ("-x@a", "is no address"),
            ("@a", "is no address"),
            ("a;b", "is no address"),
            ("a\nb\na workers=2", "line 3: a is on line 1 already"),
        ] {
            let error = HostFile::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn workers_are_spread_in_turns() {
        let hosts = HostFile::parse("a workers=1\nb\nc workers=2").unwrap();
        assert_eq!(hosts.default_workers(), 4);
        let place = |workers, avoid: &[usize]| {
            hosts.place(workers, &avoid.iter().copied().collect()).unwrap()
        };
        assert_eq!(place(2, &[]), [0, 1]);
        assert_eq!(place(4, &[]), [0, 1, 2, 2]);
        assert_eq!(place(6, &[]), [0, 1, 2, 2, 1, 1]);
        assert_eq!(place(3, &[1]), [0, 2, 2]);
        // No room for the fourth without it.
        assert_eq!(place(4, &[1]), [0, 1, 2, 2]);
        let equal = HostFile::parse("a\nb").unwrap();
        assert_eq!(equal.place(5, &BTreeSet::new()).unwrap(), [0, 1, 0, 1, 0]);
        let full = HostFile::parse("a workers=1\nb workers=2").unwrap();
        let error = full.place(4, &BTreeSet::new()).unwrap_err().to_string();
        assert!(error.contains("4 workers") && error.contains("room for 3"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(.|\n){0,200}") {
            let _ = HostFile::parse(&text);
        }

        #[test]
        fn no_host_gets_more_than_it_has_room_for(
            rooms in prop::collection::vec(prop::option::of(1_usize..5), 1..6),
            workers in 0_usize..20,
            avoid in prop::collection::btree_set(0_usize..6, 0..4),
        ) {
            let text: String = rooms
                .iter()
                .enumerate()
                .map(|(i, room)| match room {
                    Some(room) => format!("h{i} workers={room}\n"),
                    None => format!("h{i}\n"),
                })
                .collect();
            let hosts = HostFile::parse(&text).unwrap();
            let total = rooms.iter().map(|room| room.unwrap_or(1000)).sum::<usize>();
            match hosts.place(workers, &avoid) {
                Err(_) => prop_assert!(total < workers),
                Ok(places) => {
                    prop_assert_eq!(places.len(), workers);
                    let others = (0..rooms.len())
                        .filter(|host| !avoid.contains(host))
                        .map(|host| rooms[host].unwrap_or(1000))
                        .sum::<usize>();
                    for (host, room) in rooms.iter().enumerate() {
                        let count = places.iter().filter(|place| **place == host).count();
                        prop_assert!(room.is_none_or(|room| count <= room));
                        prop_assert!(count == 0 || !avoid.contains(&host) || others < workers);
                    }
                }
            }
        }
    }
}
