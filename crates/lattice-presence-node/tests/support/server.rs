//! A Redis or NATS server of the test's own.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static STARTED: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Redis,
    Nats,
}

/// Killed when it is dropped, with its directory.
#[derive(Debug)]
pub(crate) struct Server {
    kind: Kind,
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// A Redis server, or `None` where none is installed, which is shouted.
    pub(crate) fn redis(test: &str) -> Option<Self> {
        Self::start(Kind::Redis, "redis-server", test, &[])
    }

    /// A Redis server with these arguments on top.
    pub(crate) fn redis_with(test: &str, arguments: &[&str]) -> Option<Self> {
        Self::start(Kind::Redis, "redis-server", test, arguments)
    }

    /// A NATS server.
    pub(crate) fn nats(test: &str) -> Option<Self> {
        Self::start(Kind::Nats, "nats-server", test, &[])
    }

    /// A NATS server with that configuration file.
    pub(crate) fn nats_with(test: &str, configuration: &str) -> Option<Self> {
        let directory = new_directory();
        let file = directory.join("nats.conf");
        fs::write(&file, configuration).unwrap();
        let file = file.display().to_string();
        let mut server = Self::start(Kind::Nats, "nats-server", test, &["-c", &file]);
        if server.is_none() {
            let _ = fs::remove_dir_all(&directory);
        } else if let Some(server) = &mut server {
            // One directory is enough to remove.
            let _ = fs::remove_dir_all(std::mem::replace(&mut server.directory, directory));
        }
        server
    }

    fn start(kind: Kind, program: &str, test: &str, arguments: &[&str]) -> Option<Self> {
        let Some(program) = find(program) else {
            println!("SKIPPED {test}: no {program}; `apt-get install {program}`");
            eprintln!("SKIPPED {test}: no {program}; `apt-get install {program}`");
            return None;
        };
        let mut server = Self {
            kind,
            program,
            directory: new_directory(),
            port: super::free_port(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            child: None,
        };
        server.run();
        Some(server)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        let scheme = match self.kind {
            Kind::Redis => "redis",
            Kind::Nats => "nats",
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Starts it again, on the port that it had.
    pub(crate) fn run(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let port = self.port.to_string();
        let directory = self.directory.display().to_string();
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::Redis => {
                command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
                command.args(["--appendonly", "no", "--dir", &directory]);
            }
            Kind::Nats => {
                command.args(["-a", "127.0.0.1", "-p", &port]);
            }
        }
        command.args(&self.arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "{self:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn new_directory() -> PathBuf {
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let name = format!("lattice-node-test-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([
            Path::new("/usr/sbin").into(),
            Path::new("/usr/local/sbin").into(),
        ])
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}
