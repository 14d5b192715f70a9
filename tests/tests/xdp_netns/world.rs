//! Two network namespaces with a link between them, and a BPF file system: gone when dropped.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns};
use ptp_ctl::dataplane::{Mode, Options, probe};
use std::fs::File;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Both ends of the link have this name, in every world.
pub(crate) const INTERFACE: &str = "ptp0";
/// Addresses of the near end, where the program runs.
pub(crate) const NEAR: [&str; 2] = ["10.0.0.1", "fd00::1"];
/// Addresses of the far end: the peer's.
pub(crate) const FAR: [&str; 2] = ["10.0.0.2", "fd00::2"];
/// More addresses of the far end: no peer's.
pub(crate) const STRANGER: [&str; 2] = ["10.0.0.3", "fd00::3"];

static WORLDS: AtomicU32 = AtomicU32::new(0);

pub(crate) struct World {
    near: String,
    far: String,
}

impl World {
    /// `None`, said on stderr, where this machine cannot have one.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let missing = probe::missing_capabilities();
        if !missing.is_empty() {
            ptp_tests::skip(test, &format!("needs {}", missing.join(" and ")));
            return None;
        }
        if !probe::is_embedded() {
            ptp_tests::skip(test, "no XDP object, run `cargo xtask build-ebpf`");
            return None;
        }
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let name = |end: &str| format!("ptpx-{}-{number}-{end}", std::process::id());
        let world = Self { near: name("near"), far: name("far") };
        let (near, far) = (&world.near, &world.far);
        ip(&format!("netns add {near}"));
        ip(&format!("netns add {far}"));
        world.link(None);
        for namespace in [near, far] {
            ip(&format!("-n {namespace} link set lo up"));
        }
        Some(world)
    }

    /// Makes the link; `index` asks for an interface index of the near end.
    pub(crate) fn link(&self, index: Option<u32>) {
        let (near, far) = (&self.near, &self.far);
        let index = index.map_or_else(String::new, |index| format!("index {index}"));
        ip(&format!("-n {near} link add {INTERFACE} {index} type veth peer name {INTERFACE} netns {far}"));
        for (namespace, addresses) in [(near, &NEAR[..]), (far, &[FAR, STRANGER].concat())] {
            for address in addresses {
                let suffix = if address.contains(':') { "/64 nodad" } else { "/24" };
                ip(&format!("-n {namespace} address add {address}{suffix} dev {INTERFACE}"));
            }
            ip(&format!("-n {namespace} link set {INTERFACE} up"));
        }
    }

    pub(crate) fn unlink(&self) {
        ip(&format!("-n {} link delete {INTERFACE}", self.near));
    }

    /// Name of the near namespace, under /run/netns.
    pub(crate) fn near_name(&self) -> &str {
        &self.near
    }

    /// Runs `f` in the near namespace, in a thread of its own.
    pub(crate) fn near<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        inside(&self.near, f)
    }

    /// Runs `f` in the far namespace, in a thread of its own.
    pub(crate) fn far<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        inside(&self.far, f)
    }

    /// Sends a datagram from an address of the far end to port 319 or 320 of the near end.
    pub(crate) fn send(&self, from: &str, to: &str, port: u16, payload: &[u8]) {
        let target = (to.parse::<IpAddr>().unwrap(), port);
        inside(&self.far, || {
            let socket = UdpSocket::bind((from.parse::<IpAddr>().unwrap(), 0)).unwrap();
            socket.send_to(payload, target).unwrap();
        });
    }

    /// A socket on port 319 of an address of the near end.
    pub(crate) fn event_socket(&self, address: &str) -> UdpSocket {
        let socket = self.near(|| UdpSocket::bind((address.parse::<IpAddr>().unwrap(), 319)).unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        socket
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for namespace in [&self.near, &self.far] {
            let _ = Command::new("ip").args(["netns", "delete", namespace]).status();
        }
    }
}

/// A BPF file system in a directory of its own.
pub(crate) struct Bpffs {
    directory: tempfile::TempDir,
}

impl Bpffs {
    pub(crate) fn mount() -> Self {
        let directory = tempfile::tempdir().unwrap();
        mount(Some("bpf"), directory.path(), Some("bpf"), MsFlags::empty(), None::<&str>).unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Everything in it, the kernel's own `maps.debug` and `progs.debug` apart.
    pub(crate) fn entries(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_none_or(|extension| extension != "debug")).collect()
    }

    pub(crate) fn options(&self, mode: Mode) -> Options {
        Options {
            interface: INTERFACE.to_owned(),
            also_interfaces: Vec::new(),
            mode,
            bpffs: self.path().to_owned(),
            nic_stamps: false,
            max_clients: 1024,
        }
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        let _ = umount2(self.directory.path(), MntFlags::MNT_DETACH);
    }
}

/// Runs `f` in a namespace. A thread of its own, because a thread that has left its namespace does not come back; not
/// `ip netns exec`, because that hides the BPF file system.
pub(crate) fn inside<T: Send>(namespace: &str, f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            enter(namespace);
            f()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Moves this thread to a namespace for good.
pub(crate) fn enter(namespace: &str) {
    let file = File::open(format!("/run/netns/{namespace}")).unwrap();
    setns(file, CloneFlags::CLONE_NEWNET).unwrap();
}

fn ip(arguments: &str) {
    let output =
        Command::new("ip").args(arguments.split_whitespace()).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
