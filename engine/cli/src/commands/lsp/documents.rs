//! The texts that an editor has open, and what the compiler says of each.

use std::collections::HashMap;

use sage_dsl::Request;
use sage_dsl::symbols::{self, Survey};

use crate::catalog::catalog;

/// Open texts; an editor with more gets no answers about the rest.
const MOST: usize = 256;
/// Largest file that is read for an import, bytes.
const LARGEST: u64 = 1 << 20;

#[derive(Default)]
pub(super) struct Documents {
    open: HashMap<String, Document>,
}

pub(super) struct Document {
    pub(super) text: String,
    pub(super) version: i32,
    survey: Option<Survey>,
    /// Whether the editor has not yet heard what was found in it.
    pub(super) untold: bool,
}

impl Documents {
    /// Takes a text over from the editor, or a change of it.
    pub(super) fn set(&mut self, path: String, text: String, version: i32) {
        if self.open.len() >= MOST && !self.open.contains_key(&path) {
            return;
        }
        self.changed(&path);
        self.open.insert(path, Document { text, version, survey: None, untold: true });
    }

    pub(super) fn close(&mut self, path: &str) {
        self.open.remove(path);
        self.changed(path);
    }

    /// What imports a text that has changed is to be looked at again.
    fn changed(&mut self, path: &str) {
        for (own, document) in &mut self.open {
            let reads = |survey: &Survey| {
                survey.compiled.sources.files.iter().skip(1).any(|file| file.path == path)
            };
            // What could not be read may have become readable.
            let missing = |survey: &Survey| {
                survey.compiled.diagnostics.iter().any(|found| found.code == "S0214")
            };
            if own != path && document.survey.as_ref().is_some_and(|it| reads(it) || missing(it)) {
                document.survey = None;
                document.untold = true;
            }
        }
    }

    pub(super) fn get(&self, path: &str) -> Option<&Document> {
        self.open.get(path)
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.open.keys().cloned().collect()
    }

    pub(super) fn untold(&mut self) -> Vec<String> {
        let mut paths = Vec::new();
        for (path, document) in &mut self.open {
            if std::mem::take(&mut document.untold) {
                paths.push(path.clone());
            }
        }
        paths.sort();
        paths
    }

    /// What the compiler says of an open text; kept until it changes.
    pub(super) fn survey(&mut self, path: &str) -> Option<&Survey> {
        if self.open.get(path)?.survey.is_none() {
            let survey = self.survey_of(path, &self.open.get(path)?.text, &HashMap::new());
            self.open.get_mut(path)?.survey = Some(survey);
        }
        self.open.get(path)?.survey.as_ref()
    }

    /// What it would say of another text in place of this one, and of other texts of the files that
    /// it imports.
    pub(super) fn survey_of(
        &self,
        path: &str,
        text: &str,
        changed: &HashMap<String, String>,
    ) -> Survey {
        let catalog = catalog();
        let load = |wanted: &str| {
            if let Some(text) = changed.get(wanted) {
                return Ok(text.clone());
            }
            match self.open.get(wanted) {
                Some(document) => Ok(document.text.clone()),
                None => read(wanted),
            }
        };
        symbols::survey(Request {
            path,
            text,
            overrides: &[],
            env: &|name| std::env::var(name).ok(),
            load: &load,
            catalog: &catalog,
        })
    }
}

fn read(path: &str) -> Result<String, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err("it is no program".to_owned());
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}
