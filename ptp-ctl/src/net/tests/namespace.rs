//! Private network namespaces: a thread that leaves the machine's own for an empty one, gone when the thread ends.

use nix::sched::{CloneFlags, unshare};
use std::io::{Write, stderr};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

/// Runs `test` in a tokio runtime in an empty network namespace with `lo` up.
pub(super) fn isolated(name: &str, test: impl AsyncFnOnce() + Send + 'static) {
    let name = name.to_owned();
    let body = move || {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            skip(&name, &format!("no private network namespace: {error}"));
            return;
        }
        ip("link set lo up");
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test());
    };
    if let Err(panic) = thread::spawn(body).join() {
        std::panic::resume_unwind(panic);
    }
}

/// As `ptp_tests::skip`, which depends on this crate: to stderr, and into the file that `cargo xtask test` collects.
fn skip(test: &str, why: &str) {
    let line = format!("SKIPPED: {test}: {why}\n");
    // Not by `eprint!`, which the test harness hides when the test passes.
    let _ = stderr().write_all(line.as_bytes());
    if let Some(log) = std::env::var_os("PTP_SKIP_LOG") {
        let mut log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        log.write_all(line.as_bytes()).unwrap();
    }
}

/// Runs `ip` with these arguments in the calling thread's namespace.
pub(super) fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A second namespace, at the other end of a veth pair `near`-`far` with 10.0.0.1, fe80::1 here and 10.0.0.2, fe80::2
/// there. It lasts as long as this value.
pub(super) struct Peer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Peer {
    pub(super) fn new() -> Self {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (ready, readiness) = mpsc::channel();
        let thread = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            ready.send(nix::unistd::gettid()).unwrap();
            for job in inbox {
                job();
            }
        });
        let tid = readiness.recv().unwrap();
        ip(&format!("link add near type veth peer name far netns {tid}"));
        let peer = Self { jobs: Some(jobs), thread: Some(thread) };
        peer.run(|| configure("far", 2));
        configure("near", 1);
        peer
    }

    /// Runs it in the peer's namespace and waits for its result.
    pub(super) fn run<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> R {
        let (done, result) = mpsc::channel();
        let job = Box::new(move || done.send(job()).unwrap());
        self.jobs.as_ref().unwrap().send(job).unwrap();
        result.recv().expect("the job in the peer's namespace panicked")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.jobs.take();
        let _ = self.thread.take().unwrap().join();
    }
}

fn configure(device: &str, host: u8) {
    let there = 3 - host;
    ip(&format!("link set {device} address 02:00:00:00:00:0{host} up addrgenmode none"));
    ip(&format!("address add 10.0.0.{host}/24 dev {device}"));
    ip(&format!("address add fe80::{host}/64 dev {device} nodad"));
    // Known neighbours: no first packet waits until the other side has answered.
    for address in [format!("10.0.0.{there}"), format!("fe80::{there}")] {
        ip(&format!("neighbour replace {address} lladdr 02:00:00:00:00:0{there} dev {device}"));
    }
}
