//! Who holds a UDP port: /proc/net/udp gives the socket's inode, /proc/PID/fd the process that has it open.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;

/// A process with a socket on the port in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its id, in our PID namespace.
    pub pid: u32,
    /// Its name, as in /proc/PID/comm.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// Processes with a UDP socket on `port` in this network namespace. Without root only those of the same user are
/// found. A socket bound to another interface is listed too: /proc does not tell them apart.
pub(super) fn holders(port: u16) -> Vec<Holder> {
    let inodes: BTreeSet<u64> = ["udp", "udp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/thread-self/net/{table}")).ok())
        .flat_map(|table| inodes(&table, port))
        .collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut holders: Vec<Holder> = processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| holds(*pid, &inodes))
        .map(|pid| Holder { pid, name: name(pid) })
        .collect();
    holders.sort_by_key(|holder| holder.pid);
    holders
}

/// Inodes of the sockets on `port` in a table of the form of /proc/net/udp (proc(5)).
pub(super) fn inodes(table: &str, port: u16) -> Vec<u64> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let (_, local_port) = fields.nth(1)?.rsplit_once(':')?;
            let inode = fields.nth(7)?.parse().ok()?;
            (u16::from_str_radix(local_port, 16).ok()? == port).then_some(inode)
        })
        .collect()
}

fn holds(pid: u32, inodes: &BTreeSet<u64>) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.filter_map(Result::ok).any(|entry| {
        fs::read_link(entry.path()).is_ok_and(|target| {
            target
                .to_str()
                .and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
                .is_some_and(|inode: u64| inodes.contains(&inode))
        })
    })
}

fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map_or_else(|_| "?".to_owned(), |name| name.trim().to_owned())
}
