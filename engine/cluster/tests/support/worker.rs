//! The worker process of the tests; the job it gets is the name of what it is to do.

use std::io::Read;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use sage_cluster::{ControlMessage, EXIT_LOST, Join, Member, join};

pub(crate) const VERSION: &str = "test";

pub(crate) fn run(address: SocketAddr) -> ExitCode {
    let member = Join::from_env(address, VERSION).and_then(join);
    let mut member = match member {
        Ok(member) => member,
        Err(error) => {
            eprintln!("worker: {error}");
            return ExitCode::FAILURE;
        }
    };
    match String::from_utf8_lossy(&member.payload).as_ref() {
        "finish" => finish(&member),
        "leave" => ExitCode::SUCCESS,
        "mesh" => {
            tell_pid(&member);
            break_with_the_mesh(&mut member, 101)
        }
        "panic" => {
            if member.index == 1 {
                // Long enough for the start to be over, also on a busy machine.
                std::thread::sleep(Duration::from_millis(500));
                panic!("boom in worker 1");
            }
            break_with_the_mesh(&mut member, EXIT_LOST)
        }
        _ => {
            tell_pid(&member);
            while member.messages.recv() != Ok(ControlMessage::Drain) {}
            finish(&member)
        }
    }
}

fn tell_pid(member: &Member) {
    member.control.send(std::process::id().to_string().as_bytes()).unwrap();
}

fn finish(member: &Member) -> ExitCode {
    member.control.finished().unwrap();
    ExitCode::SUCCESS
}

/// Waits on every mesh socket and fails, as timely does, as soon as one breaks.
fn break_with_the_mesh(member: &mut Member, code: i32) -> ExitCode {
    for mut socket in member.mesh.drain(..).flatten() {
        std::thread::spawn(move || {
            let count = socket.read(&mut [0; 8]);
            eprintln!("worker: a peer is gone ({count:?})");
            std::process::exit(code);
        });
    }
    loop {
        std::thread::park();
    }
}
