//! The faults of a test: the simulator's rules decide, the twin's station carries it out.

use sage_core::endpoint::ErrorClass;
use sage_core::upstream::Failed;
use sage_llm::simulator::{End, Foreteller};
use sage_twin::station::{Ending, Fate, Saboteur};

/// See the module.
#[derive(Debug)]
pub(super) struct Rules(pub(super) Foreteller);

impl Saboteur for Rules {
    fn fate(&mut self, now_ns: u64) -> Fate {
        let foretold = self.0.next(now_ns);
        let failed = |class, status, retry_after_ns| {
            Ending::Failed(Failed { class, status, retry_after_ns })
        };
        let end = foretold.end.map(|end| match end {
            End::Status { code, retry_after_ns } => {
                failed(class_of(code), Some(code), retry_after_ns)
            }
            End::Unreached => failed(ErrorClass::Unreachable, None, None),
            End::Lost => failed(ErrorClass::Server, None, None),
            End::Garbled => failed(ErrorClass::Protocol, None, None),
            End::Silence => Ending::Silence,
        });
        Fate { delay_ns: foretold.delay_ns, end }
    }

    fn is_there(&self, now_ns: u64) -> bool {
        self.0.is_there(now_ns)
    }
}

/// What kind of failure a status is, as the client of a run reads it.
fn class_of(status: u16) -> ErrorClass {
    match status {
        408 | 504 => ErrorClass::Timeout,
        429 => ErrorClass::Throttled,
        500.. => ErrorClass::Server,
        _ => ErrorClass::Rejected,
    }
}
