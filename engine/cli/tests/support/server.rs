//! The verbs `simulator` and `gateway` in processes of their own, which a test kills and starts
//! again at the same address.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each test file uses its own part"
)]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

/// The model that the simulators of tests serve.
pub const MODEL: &str = "Qwen/Qwen2.5-7B-Instruct";

/// A process that serves; killed when dropped.
pub struct Server {
    pub address: SocketAddr,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// `simulator` with more arguments.
    pub fn simulator(arguments: &str) -> Self {
        Self::start(&format!("simulator --profile a100/qwen2.5-7b {arguments}"))
    }

    pub fn start(arguments: &str) -> Self {
        // The port is free again at once; ports given by the system come round late.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        arguments.extend(["--listen".into(), address.to_string()]);
        let mut server = Server { address, arguments, child: None };
        server.again();
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// As `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// At the same address; ready when this returns.
    pub fn again(&mut self) {
        self.kill();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sage-flow"));
        command.args(&self.arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.child = Some(child);
        assert!(line.starts_with("http"), "the server at {} did not start", self.address);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
