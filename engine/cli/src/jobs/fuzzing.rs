//! Records of jobs under damage, for fuzz targets and property tests.

use std::fs;

use super::{Store, counted};

/// A record as it is written, of a job on another host.
const WHOLE: &str = r#"{"schema": 1, "id": "whole", "kind": "run", "state": "complete", "exit_code": 0,
"pipelines": ["rag"], "command": ["run", "rag.sage"], "not_again": null, "directory": "/d",
"folders": ["/d/out"], "started": "2026-01-02T03:04:05.678Z", "ended": "2026-01-02T03:05:05.678Z",
"starts": 1, "drain_s": 30.0, "counts": {"tasks_in": 1, "tasks_ok": 1, "tasks_dead": 0,
"tasks_late": 0, "tasks_pending": 0}, "trials": null, "machine": {"host": "h", "boot": "b",
"pids": "p"}, "supervisor": {"pid": 7, "start": 9}, "workers": [], "version": "0"}"#;

/// A file of the state directory beside a whole one: it is a job or is named as damaged, and the
/// other is listed. Nothing that is shown of a job panics.
pub fn job_record(input: &[u8]) {
    let outer = tempfile::tempdir().expect("a folder");
    let store = Store { folder: outer.path().join("jobs") };
    store.make().expect("a folder");
    fs::write(store.folder.join("whole.json"), WHOLE).expect("a file");
    fs::write(store.folder.join("fuzz.json"), input).expect("a file");
    let listed = store.all().expect("the folder can be read");
    assert_eq!(listed.jobs.len() + listed.unread.len(), 2, "a record is lost or doubled");
    assert!(listed.jobs.iter().any(|record| record.id == "whole"));
    assert!(listed.unread.iter().all(|unread| unread.id == "fuzz" && !unread.reason.is_empty()));
    for record in &listed.jobs {
        let _ = (record.view(), record.took(), record.living(), record.supervisor_life());
        let _ = (counted(&record.counts), super::shown(&record.command));
        store.write(record).expect("what is read can be written");
        let mut again = store.reread(&record.id).expect("and is read");
        // The last digit of a number may change on the way.
        again.drain_s = record.drain_s;
        assert_eq!(&again, record, "as it was");
    }
    let _ = (listed.find("fuzz").is_ok(), listed.find("fu").is_ok(), listed.find("/d/out").is_ok());
    let _ = (store.prune(), store.sweep());
}
