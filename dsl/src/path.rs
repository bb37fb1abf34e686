//! Paths of imports and data, relative to the file that names them.
//!
//! Purely lexical: this crate does no I/O, and a program means the same wherever it is checked.

/// `given` as seen from the folder of `file`.
pub(crate) fn resolve(file: &str, given: &str) -> String {
    let outside = given.starts_with('/') || given.contains("://") || given == "-";
    if outside || given.is_empty() {
        return given.to_owned();
    }
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let rooted = file.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(given.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if rooted { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_and_normalised() {
        assert_eq!(resolve("pipelines/rag.sage", "data/q.csv"), "pipelines/data/q.csv");
        assert_eq!(resolve("experiments/a.sage", "../pipelines/rag.sage"), "pipelines/rag.sage");
        assert_eq!(resolve("rag.sage", "./data/q.csv"), "data/q.csv");
        assert_eq!(resolve("rag.sage", "../q.csv"), "../q.csv");
        assert_eq!(resolve("../a/rag.sage", "../q.csv"), "../q.csv");
        assert_eq!(resolve("/a/b.sage", "../../c.csv"), "/c.csv");
        assert_eq!(resolve("a/b.sage", "/abs.csv"), "/abs.csv");
    }
}
