//! The command line of a job: kept without secrets, shown, and given again.

use std::path::Path;

use super::record::{Kind, Record};

const HIDDEN: &str = "***";

/// Words that make the value of a name a secret.
const SECRET: [&str; 10] = [
    "key",
    "apikey",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "credentials",
    "auth",
];

/// Its value says where a key is, and not what it is.
const KEY_FILE: &str = "--tls-key";

/// The words without secrets, and why they cannot be given again, if they cannot.
pub(super) fn kept(
    words: impl Iterator<Item = std::ffi::OsString>,
) -> (Vec<String>, Option<String>) {
    let mut why = None;
    let kept = words.map(|word| match word.into_string() {
        Ok(word) => {
            let kept = without_secrets(&word);
            if kept != word {
                why = Some("it held a secret, which is not kept".to_owned());
            }
            kept
        }
        Err(word) => {
            why = Some("a word of it is no UTF-8".to_owned());
            word.to_string_lossy().into_owned()
        }
    });
    (kept.collect(), why)
}

/// One word of a command line: `NAME=VALUE` with a name that speaks of a secret, an address with a
/// user or such a parameter, and values that look like a key.
pub(crate) fn without_secrets(word: &str) -> String {
    if let Some((name, value)) = word.split_once('=')
        && !name.contains("://")
    {
        let value = if secret(name) { HIDDEN.to_owned() } else { without_secrets(value) };
        return format!("{name}={value}");
    }
    let Some((scheme, rest)) = word.split_once("://") else {
        let looks = word.starts_with("sk-") && word.len() >= 20;
        return if looks { HIDDEN.to_owned() } else { word.to_owned() };
    };
    let (address, query) = rest.split_once('?').map_or((rest, None), |(a, q)| (a, Some(q)));
    let (host, path) = address.find('/').map_or((address, ""), |at| address.split_at(at));
    let host =
        host.rsplit_once('@').map_or(host.to_owned(), |(_, host)| format!("{HIDDEN}@{host}"));
    let query = query.map_or_else(String::new, |query| {
        let parts: Vec<String> = query.split('&').map(without_secrets).collect();
        format!("?{}", parts.join("&"))
    });
    format!("{scheme}://{host}{path}{query}")
}

fn secret(name: &str) -> bool {
    if name == KEY_FILE {
        return false;
    }
    let words = name.split(|c: char| !c.is_alphanumeric());
    words.map(str::to_lowercase).any(|word| SECRET.contains(&word.as_str()))
}

/// The command as a shell would take it.
pub(crate) fn shown(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quoted = |word: &String| match word {
        word if !word.is_empty() && word.chars().all(plain) => word.clone(),
        word => format!("'{}'", word.replace('\'', r"'\''")),
    };
    let words: Vec<String> = words.iter().map(quoted).collect();
    format!("sage-flow {}", words.join(" "))
}

/// Whether the user asked for no talk.
pub(crate) fn silent(words: &[String]) -> bool {
    words.iter().any(|word| matches!(word.as_str(), "--quiet" | "-q" | "--json"))
}

/// The words that make the job go on: the same, but into the folder it had, and not `--fresh`, which
/// would give up what is there.
pub(crate) fn again(record: &Record) -> Vec<String> {
    let end = record.command.iter().position(|word| word == "--").unwrap_or(record.command.len());
    let (options, rest) = record.command.split_at(end);
    let mut words: Vec<String> =
        options.iter().filter(|word| *word != "--fresh").cloned().collect();
    let named = words.iter().any(|word| word == "--out" || word.starts_with("--out="));
    // An experiment finds its folder by itself.
    if record.kind != Kind::Experiment
        && !named
        && let Some(folder) = record.folders.first()
    {
        words.push("--out".to_owned());
        words.push(relative(folder, &record.directory));
    }
    words.extend_from_slice(rest);
    words
}

/// A folder as seen from where the command was given, if it lies in there.
fn relative(folder: &Path, directory: &Path) -> String {
    folder.strip_prefix(directory).unwrap_or(folder).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::example;
    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        for (word, kept) in [
            ("rag.sage", "rag.sage"),
            ("load=heavy", "load=heavy"),
            ("max_tokens=12", "max_tokens=12"),
            ("monkey=3", "monkey=3"),
            ("api_key=abc", "api_key=***"),
            ("OPENAI-API-KEY=a=b", "OPENAI-API-KEY=***"),
            ("--set=hf_token=abc", "--set=hf_token=***"),
            ("--tls-key=run.key", "--tls-key=run.key"),
            ("tls-key=abc", "tls-key=***"),
            ("http://h:80/v1", "http://h:80/v1"),
            ("https://me:pw@h:80/v1?a=1&api_key=x#f", "https://***@h:80/v1?a=1&api_key=***"),
            ("--endpoint=http://me@h", "--endpoint=http://***@h"),
            ("url=http://me:pw@h/a@b", "url=http://***@h/a@b"),
            ("sim:a100/qwen2.5-7b@50", "sim:a100/qwen2.5-7b@50"),
            ("sk-abcdefghijklmnopqrstuvwxyz", "***"),
            ("weighted_fair(key: 3)", "weighted_fair(key: 3)"),
        ] {
            assert_eq!(without_secrets(word), kept, "{word}");
        }
        let words = |words: &[&str]| self::kept(words.iter().map(|word| (*word).into()));
        assert_eq!(words(&["run", "a.sage"]), (vec!["run".into(), "a.sage".into()], None));
        assert!(words(&["run", "token=x"]).1.is_some_and(|why| why.contains("secret")));
    }

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        let words = ["run", "a b.sage", "it's", "", "--rate=20/s"].map(str::to_owned);
        assert_eq!(shown(&words), r"sage-flow run 'a b.sage' 'it'\''s' '' --rate=20/s");
    }

    #[test]
    fn a_job_goes_on_in_its_folder() {
        let mut record = example("a");
        let mut again = |words: &str| {
            record.command = words.split(' ').map(str::to_owned).collect();
            super::again(&record).join(" ")
        };
        assert_eq!(again("run a.sage --fresh"), "run a.sage --out out");
        assert_eq!(again("run a.sage --out x"), "run a.sage --out x");
        assert_eq!(again("run --out=x a.sage"), "run --out=x a.sage");
        assert_eq!(again("run -q -- --fresh"), "run -q --out out -- --fresh");
        record.kind = Kind::Experiment;
        assert_eq!(super::again(&record).join(" "), "run -q -- --fresh");
    }
}
