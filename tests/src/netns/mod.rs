//! A small routed world in network namespaces: hosts, each in subnets of its own, and one router between them.
//!
//! Every host has one interface per [`Plane`], so that our programs and a peer's run side by side in the same
//! namespaces without sharing ports, interfaces or router links.

mod bpffs;
mod namespace;

pub use bpffs::BpfFs;
pub use namespace::Namespace;

use crate::process::Process;
use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use ptp_ctl::dataplane::{self, DataPlane, Mode};
use std::fmt::Write;
use std::fs::File;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Over a router in memory an answer takes microseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Which of a host's interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// For our programs.
    Ours,
    /// For the program that ours is compared with.
    Peer,
}

impl Plane {
    const ALL: [Self; 2] = [Self::Ours, Self::Peer];

    /// The interface's name, the same in every host.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Ours => "ours0",
            Self::Peer => "peer0",
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Ours => 0,
            Self::Peer => 1,
        }
    }
}

/// IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// Hosts and the router between them. Namespaces, interfaces and routes go away on drop.
#[derive(Debug)]
pub struct World {
    hosts: Vec<Host>,
    router: Router,
    _turn: Flock<File>,
}

/// A namespace with one interface per plane.
#[derive(Debug)]
pub struct Host {
    namespace: Namespace,
    number: u8,
}

/// The namespace that forwards between the hosts.
#[derive(Debug)]
pub struct Router {
    namespace: Namespace,
}

impl World {
    /// Makes one host per name. Waits until no other world exists on this machine: two at a time would disturb each
    /// other's timing.
    pub fn new(names: &[&str]) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);

        let turn = turn()?;
        let world = COUNT.fetch_add(1, Ordering::Relaxed);
        let router = Router::new(&format!("{world}-router"))?;
        let mut hosts = Vec::new();
        for (number, name) in (1..).zip(names) {
            let host = Host { namespace: Namespace::create(&format!("{world}-{name}"))?, number };
            host.connect(&router)?;
            hosts.push(host);
        }
        Ok(Self { hosts, router, _turn: turn })
    }

    /// The hosts in the order of their names.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// What stands between the hosts.
    pub fn router(&self) -> &Router {
        &self.router
    }
}

impl Host {
    /// A host without interfaces, for a network of another shape. Its addresses have that number.
    pub(crate) fn create(suffix: &str, number: u8) -> Result<Self> {
        let namespace = Namespace::create(suffix)?;
        prepare_ipv6(&namespace)?;
        Ok(Self { namespace, number })
    }

    /// The host's namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The host's address in a plane.
    pub fn address(&self, plane: Plane, family: Family) -> IpAddr {
        self.subnet_address(plane, family, 2)
    }

    /// The namespace's inode number and the interface's index: what names a controller's socket and pins.
    pub fn interface_key(&self, plane: Plane) -> Result<(u64, u32)> {
        self.namespace.enter(|| {
            let inode = std::fs::metadata("/proc/thread-self/ns/net")?.ino();
            let index = nix::net::if_::if_nametoindex(plane.interface())
                .with_context(|| format!("no interface {}", plane.interface()))?;
            Ok((inode, index))
        })
    }

    /// How many packets have come in on an interface.
    pub fn received_packets(&self, plane: Plane) -> Result<u64> {
        let table = self.namespace.enter(|| Ok(std::fs::read_to_string("/proc/thread-self/net/dev")?))?;
        let columns = table
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(plane.interface())?.strip_prefix(':'))
            .with_context(|| format!("no {} in /proc/net/dev", plane.interface()))?;
        columns
            .split_whitespace()
            .nth(1)
            .context("no packets in /proc/net/dev")?
            .parse()
            .context("not a number")
    }

    /// Starts a program inside the namespace. `name` is what messages call it.
    pub fn spawn(&self, name: &str, command: Command) -> Result<Process> {
        self.namespace.enter(move || Process::spawn(name, command))
    }

    /// Whether a UDP datagram reaches `to` and its answer comes back within a second.
    pub fn reaches(&self, to: &Self, plane: Plane, family: Family) -> Result<bool> {
        let near = self.socket(plane, family)?;
        let far = to.socket(plane, family)?;
        near.send_to(b"?", far.local_addr()?)?;
        let mut buffer = [0; 8];
        let Some((_, from)) = arrived(far.recv_from(&mut buffer))? else { return Ok(false) };
        far.send_to(b"!", from)?;
        Ok(arrived(near.recv_from(&mut buffer))?.is_some())
    }

    /// A UDP socket on an interface's address and a free port. It stays in the namespace wherever it is used.
    pub fn socket(&self, plane: Plane, family: Family) -> Result<UdpSocket> {
        let address = self.address(plane, family);
        let socket = self
            .namespace
            .enter(|| UdpSocket::bind((address, 0)).with_context(|| format!("cannot bind to {address}")))?;
        socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(socket)
    }

    fn subnet_address(&self, plane: Plane, family: Family, host: u8) -> IpAddr {
        let (plane, subnet) = (plane.number(), self.number);
        match family {
            Family::V4 => Ipv4Addr::new(10, plane, subnet, host).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, plane.into(), subnet.into(), 0, 0, 0, 0, host.into()).into(),
        }
    }

    fn connect(&self, router: &Router) -> Result<()> {
        prepare_ipv6(&self.namespace)?;
        let (mut links, mut there, mut here) = (String::new(), String::new(), String::new());
        for plane in Plane::ALL {
            let (interface, number) = (plane.interface(), plane.number());
            let router_link = router_link(plane, self.number);
            let router_v4 = self.subnet_address(plane, Family::V4, 1);
            let router_v6 = self.subnet_address(plane, Family::V6, 1);
            writeln!(
                links,
                "link add {router_link} type veth peer name {interface} netns {}",
                self.namespace.name()
            )?;
            writeln!(there, "address add {router_v4}/24 dev {router_link}")?;
            writeln!(there, "address add {router_v6}/48 dev {router_link} nodad")?;
            writeln!(there, "link set {router_link} up")?;
            writeln!(here, "address add {}/24 dev {interface}", self.address(plane, Family::V4))?;
            writeln!(here, "address add {}/48 dev {interface} nodad", self.address(plane, Family::V6))?;
            writeln!(here, "link set {interface} up")?;
            writeln!(here, "route add 10.{number}.0.0/16 via {router_v4} dev {interface}")?;
            writeln!(here, "route add fd00:{number}::/32 via {router_v6} dev {interface}")?;
        }
        router.namespace.batch(&(links + &there))?;
        self.namespace.batch(&here)
    }
}

impl Router {
    fn new(suffix: &str) -> Result<Self> {
        let namespace = Namespace::create(suffix)?;
        prepare_ipv6(&namespace)?;
        namespace.sysctl("net/ipv4/ip_forward", "1")?;
        namespace.sysctl("net/ipv6/conf/all/forwarding", "1")?;
        Ok(Self { namespace })
    }

    /// The router's namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Drops every packet to and from `address`, without an ICMP message to anybody.
    pub fn blackhole(&self, address: IpAddr) -> Result<()> {
        self.rules("add", address)
    }

    /// Ends [`blackhole`](Self::blackhole).
    pub fn restore(&self, address: IpAddr) -> Result<()> {
        self.rules("del", address)
    }

    /// Puts an XDP program that lets everything pass at its interface towards a host, until that is dropped: virtual
    /// Ethernet loses or delays what XDP at the other end sends without one.
    pub fn poll_towards(&self, host: &Host, plane: Plane) -> Result<DataPlane> {
        let options = dataplane::Options {
            interface: router_link(plane, host.number),
            also_interfaces: Vec::new(),
            mode: Mode::Native,
            bpffs: PathBuf::new(),
            nic_stamps: false,
            max_clients: 0,
        };
        self.namespace.enter(|| Ok(DataPlane::open(&options)?))
    }

    /// How many "destination unreachable" messages it has sent since it exists, IPv4 and IPv6 together.
    pub fn unreachables_sent(&self) -> Result<u64> {
        let (v4, v6) = self.namespace.enter(|| {
            let v4 = std::fs::read_to_string("/proc/thread-self/net/snmp")?;
            Ok((v4, std::fs::read_to_string("/proc/thread-self/net/snmp6")?))
        })?;
        let mut icmp = v4.lines().filter_map(|line| line.strip_prefix("Icmp: "));
        let (names, values) = icmp.next().zip(icmp.next()).context("no Icmp lines in /proc/net/snmp")?;
        let mut counters = names.split_whitespace().zip(values.split_whitespace());
        let v4 = counters.find(|(name, _)| *name == "OutDestUnreachs").context("no OutDestUnreachs")?.1;
        let v6 = v6
            .lines()
            .find_map(|line| line.strip_prefix("Icmp6OutDestUnreachs"))
            .context("no Icmp6OutDestUnreachs in /proc/net/snmp6")?;
        Ok(v4.parse::<u64>()? + v6.trim().parse::<u64>()?)
    }

    fn rules(&self, action: &str, address: IpAddr) -> Result<()> {
        let rules = format!("rule {action} to {address} blackhole\nrule {action} from {address} blackhole\n");
        if address.is_ipv6() { self.namespace.batch_v6(&rules) } else { self.namespace.batch(&rules) }
    }
}

/// The router's interface towards a host.
fn router_link(plane: Plane, number: u8) -> String {
    format!("{}-{number}", plane.interface())
}

/// `None` for a receive that timed out.
fn arrived<T>(received: std::io::Result<T>) -> Result<Option<T>> {
    match received {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Addresses shall be usable at once: no duplicate address detection, not for link-local addresses either.
fn prepare_ipv6(namespace: &Namespace) -> Result<()> {
    for interfaces in ["all", "default"] {
        namespace.sysctl(&format!("net/ipv6/conf/{interfaces}/accept_dad"), "0")?;
        namespace.sysctl(&format!("net/ipv6/conf/{interfaces}/disable_ipv6"), "0")?;
    }
    Ok(())
}

/// Waits until nobody else on this machine has namespaces of ours, and removes what was left behind.
pub(crate) fn turn() -> Result<Flock<File>> {
    let path = std::env::temp_dir().join("ptplab.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let turn = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("cannot lock {}", path.display()))?;
    namespace::sweep();
    Ok(turn)
}
