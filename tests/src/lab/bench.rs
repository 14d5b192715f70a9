//! The devices, one to a namespace, all at one switch; and the truth about their clocks.

use crate::netns::Namespace;
use crate::process::Process;
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

const DEBUG: &str = "/sys/kernel/debug/ptplab";
const PARAMETERS: &str = "/sys/module/ptplab/parameters";
/// The module tells the truth in so many parts of a ns.
const TRUTH_UNITS: f64 = 1_024.0;
/// How often the truth is looked at while something is waited for.
const SAMPLE: Duration = Duration::from_millis(50);

/// The module, loaded; its devices, with addresses. Unloaded on drop.
#[derive(Debug)]
pub struct Bench {
    nodes: Vec<Node>,
}

/// One device in a namespace of its own.
#[derive(Debug)]
pub struct Node {
    namespace: Namespace,
    index: usize,
}

impl Bench {
    /// So many devices, with these parameters of the module.
    pub fn new(count: usize, parameters: &[&str]) -> Result<Self> {
        let loaded = Command::new("modprobe")
            .args(["ptplab", &format!("count={count}")])
            .args(parameters)
            .status()
            .context("cannot run modprobe")?;
        ensure!(loaded.success(), "the module ptplab does not load with {parameters:?}");
        let mut bench = Self { nodes: Vec::new() };
        for index in 0..count {
            let node = Node { namespace: Namespace::create(&format!("lab{index}"))?, index };
            node.connect()?;
            bench.nodes.push(node);
        }
        Ok(bench)
    }

    /// The node with this device.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// Moves a device to where another is, with this address: one machine that has both.
    pub fn join(&self, index: usize, host: usize, address: &str) -> Result<()> {
        let (moved, host) = (self.node(index), self.node(host));
        let interface = moved.interface();
        moved.ip(&format!("link set {interface} netns {}", host.namespace()))?;
        // Each is to answer for its own addresses only: they are at one switch.
        host.namespace.sysctl("net/ipv4/conf/all/arp_ignore", "1")?;
        host.ip(&format!("address add {address}/24 dev {interface}\nlink set {interface} up"))
    }

    /// Error of every clock, ns, at one instant: "lab0" and so on, and "realtime".
    pub fn truth(&self) -> Result<BTreeMap<String, f64>> {
        let text = fs::read_to_string(format!("{DEBUG}/truth")).context("no truth")?;
        let entry = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.parse::<f64>().ok()? / TRUTH_UNITS))
        };
        Ok(text.lines().filter_map(entry).collect())
    }

    /// One clock minus another, ns.
    pub fn offset(&self, of: usize, from: usize) -> Result<f64> {
        let truth = self.truth()?;
        let error = |index: usize| {
            truth.get(&format!("lab{index}")).copied().with_context(|| format!("no truth about lab{index}"))
        };
        Ok(error(of)? - error(from)?)
    }

    /// The same, again and again for a while.
    pub fn offsets(&self, of: usize, from: usize, during: Duration) -> Result<Vec<f64>> {
        let end = Instant::now() + during;
        let mut offsets = Vec::new();
        while Instant::now() < end {
            offsets.push(self.offset(of, from)?);
            sleep(SAMPLE);
        }
        Ok(offsets)
    }

    /// Waits until the offset has been within `limit` ns for `hold`; how long after `since` that began.
    pub fn settled(
        &self,
        of: usize,
        from: usize,
        limit: f64,
        hold: Duration,
        since: Instant,
        timeout: Duration,
    ) -> Result<Duration> {
        let deadline = since + timeout;
        let mut within: Option<Instant> = None;
        loop {
            let offset = self.offset(of, from)?;
            let now = Instant::now();
            if offset.abs() > limit {
                within = None;
            } else if now - *within.get_or_insert(now) >= hold {
                return Ok(within.unwrap_or(now) - since);
            }
            if now > deadline {
                bail!("lab{of} is {offset:.0} ns off lab{from} after {timeout:?}, not within {limit} ns");
            }
            sleep(SAMPLE);
        }
    }

    /// Sets a parameter of the module while it runs.
    pub fn set(&self, parameter: &str, value: &str) -> Result<()> {
        fs::write(format!("{PARAMETERS}/{parameter}"), value)
            .with_context(|| format!("cannot set {parameter} to {value}"))
    }

    /// Steps a clock behind everyone's back.
    pub fn step(&self, index: usize, ns: i64) -> Result<()> {
        fs::write(format!("{DEBUG}/step"), format!("{index} {ns}")).context("cannot step a clock")
    }

    /// Takes a clock away for good.
    pub fn remove_clock(&self, index: usize) -> Result<()> {
        fs::write(format!("{DEBUG}/remove"), index.to_string()).context("cannot remove a clock")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.nodes.clear();
        // Their namespaces go a moment after them, and the module is in use until then.
        let deadline = Instant::now() + Duration::from_secs(5);
        while Command::new("modprobe").args(["-r", "ptplab"]).status().is_ok_and(|status| !status.success()) {
            if Instant::now() > deadline {
                println!("lab: the module ptplab does not unload");
                return;
            }
            sleep(SAMPLE);
        }
    }
}

impl Node {
    /// The device's name.
    pub fn interface(&self) -> String {
        format!("lab{}", self.index)
    }

    /// Its namespace's name.
    pub fn namespace(&self) -> &str {
        self.namespace.name()
    }

    /// Its address.
    pub fn address(&self) -> IpAddr {
        Ipv4Addr::new(10, 9, 0, self.index as u8 + 1).into()
    }

    /// Gives it this address instead.
    pub fn readdress(&self, address: &str) -> Result<()> {
        let interface = self.interface();
        self.ip(&format!("address flush dev {interface}\naddress add {address}/24 dev {interface}"))
    }

    /// Starts a program in the namespace.
    pub fn spawn(&self, name: &str, command: Command) -> Result<Process> {
        self.namespace.enter(move || Process::spawn(name, command))
    }

    /// Does something in a thread of the namespace.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.namespace.enter(work)
    }

    /// Runs lines of `ip` commands in the namespace.
    pub fn ip(&self, commands: &str) -> Result<()> {
        self.namespace.batch(commands)
    }

    fn connect(&self) -> Result<()> {
        let interface = self.interface();
        let moved = Command::new("ip")
            .args(["link", "set", &interface, "netns", self.namespace.name()])
            .status()
            .context("cannot run ip")?;
        ensure!(moved.success(), "cannot move {interface}");
        let mut commands = String::new();
        writeln!(commands, "address add {}/24 dev {interface}", self.address())?;
        writeln!(commands, "link set {interface} up")?;
        self.namespace.batch(&commands)
    }
}
