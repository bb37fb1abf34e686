//! Exit codes: what a script may rely on.

use std::process::ExitCode;

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: everything was done.
    Complete,
    /// 1: the command line or the program is wrong; nothing was started.
    Usage,
    /// 2: the run broke off.
    Failed,
    /// 3: the run ended, but not every record succeeded.
    Incomplete,
    /// 130: stopped by Ctrl-C or SIGTERM.
    Interrupted,
}

impl Exit {
    /// As the shell sees it.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Complete => 0,
            Exit::Usage => 1,
            Exit::Failed => 2,
            Exit::Incomplete => 3,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// An error of usage with the text of `error` and its causes.
pub(crate) fn usage_of(error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    usage(format!("{:#}", anyhow::Error::new(error)))
}

/// An error of usage with this text.
pub(crate) fn usage(text: impl std::fmt::Display) -> anyhow::Error {
    anyhow::Error::new(Usage(text.to_string()))
}

#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The exit code of an error that reached the top.
pub(crate) fn of_error(error: &anyhow::Error) -> Exit {
    if error.chain().any(<dyn std::error::Error>::is::<Usage>) { Exit::Usage } else { Exit::Failed }
}
