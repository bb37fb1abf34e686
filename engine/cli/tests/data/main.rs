//! What runs read besides one file, once or as it changes: folders, documents, indexes, changes.
//!
//! They are one program, since they wait more than they compute.

mod filters;
mod folder_source;
mod folders;
mod groups;
mod kept_indexes;
mod live;
mod numbers;
#[path = "../support/mod.rs"]
mod support;
mod touches;
mod watch;
