//! What `check` found, what is wrong with it, and how to say so.

use super::choices::{self, Abilities, Choice};
use crate::dataplane::Feature;
use crate::net::TimestampingInfo;
use ptp_common::abi::names;
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) interface: String,
    /// The default data plane would work.
    pub(super) ok: bool,
    pub(super) kernel: String,
    pub(super) driver: Option<String>,
    pub(super) mac: Option<String>,
    pub(super) addresses: Vec<IpAddr>,
    /// What loading and attaching needs and this process has not.
    pub(super) missing_capabilities: Vec<&'static str>,
    /// It has them, and may not use bpf() all the same.
    pub(super) bpf_forbidden: bool,
    /// Why nothing can be pinned; null if it can.
    pub(super) bpffs: Option<String>,
    pub(super) xdp: Xdp,
    /// What needs a kernel of some age.
    pub(super) features: Vec<KernelFeature>,
    pub(super) timestamps: TimestampingInfo,
    /// CLOCK_TAI - CLOCK_REALTIME, seconds; null while nobody has told the kernel.
    pub(super) tai_offset_s: Option<i32>,
    pub(super) choices: Vec<Choice>,
    pub(super) problems: Vec<Problem>,
}

/// About XDP.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Xdp {
    pub(super) object_embedded: bool,
    /// The driver runs programs itself; null if the kernel does not tell.
    pub(super) native: Option<bool>,
    pub(super) attached: Option<Attached>,
    /// The kernel can hand the NIC's stamps to programs; null if it does not tell.
    pub(super) rx_timestamp_kfunc: Option<bool>,
    /// The driver does; null if the kernel does not tell.
    pub(super) driver_rx_timestamp: Option<bool>,
}

/// Something that this kernel may be too old for.
#[derive(Clone, Debug, Serialize)]
pub(super) struct KernelFeature {
    pub(super) feature: &'static str,
    /// The first Linux that has it.
    pub(super) linux: String,
    pub(super) ok: bool,
}

impl KernelFeature {
    pub(super) fn of(feature: Feature) -> Self {
        let (major, minor) = feature.needed();
        Self { feature: feature.name(), linux: format!("{major}.{minor}"), ok: feature.is_there() }
    }
}

/// The program at the hook.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Attached {
    pub(super) program_id: u32,
    pub(super) name: Option<String>,
    pub(super) mode: &'static str,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    /// The default data plane does not work because of it.
    pub(super) fatal: bool,
    pub(super) problem: String,
    pub(super) fix: String,
}

impl Report {
    /// Fills in problems, choices and the verdict.
    pub(super) fn judge(&mut self) {
        self.problems = self.find_problems();
        self.ok = !self.problems.iter().any(|problem| problem.fatal);
        let Xdp { rx_timestamp_kfunc, driver_rx_timestamp, .. } = self.xdp;
        let nic_stamps = rx_timestamp_kfunc == Some(true) && driver_rx_timestamp == Some(true);
        let xdp = Abilities { xdp: self.ok, nic_stamps };
        self.choices = choices::all(&self.interface, xdp, &self.timestamps);
    }

    fn find_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |fatal, problem: String, fix: &str| {
            problems.push(Problem { fatal, problem, fix: fix.to_owned() });
        };
        if !self.missing_capabilities.is_empty() {
            let missing = self.missing_capabilities.join(" and ");
            add(true, format!("no {missing}"), "run as root, or give the binary these capabilities");
        }
        if self.bpf_forbidden {
            add(
                true,
                "bpf() is forbidden in spite of the capabilities, by a seccomp filter or a security module"
                    .to_owned(),
                "allow it there (podman, docker: --security-opt seccomp=unconfined), or use --data-plane socket",
            );
        }
        if let Some(KernelFeature { feature, linux, .. }) = self.features.iter().find(|feature| !feature.ok) {
            let fatal = *feature == Feature::Xdp.name();
            let fix = "use a newer kernel, or do without; --data-plane socket needs none of it";
            add(fatal, format!("this kernel is too old for {feature}: it needs Linux {linux}"), fix);
        }
        if !self.xdp.object_embedded {
            let fix = "run `cargo xtask build-ebpf` and build ptp-ctl again, or use --data-plane socket";
            add(true, "this ptp-ctl was built without the XDP program".to_owned(), fix);
        }
        match self.xdp.native {
            Some(false) => add(
                true,
                "the driver has no native XDP".to_owned(),
                "use --xdp-mode generic (later stamps, less precise) or --data-plane socket",
            ),
            None => add(
                false,
                "this kernel does not tell whether the driver has native XDP".to_owned(),
                "try it: `client` and `server` say so if it has not",
            ),
            Some(true) => {}
        }
        if let Some(Attached { program_id, name, mode }) = &self.xdp.attached
            && name.as_deref() != Some(names::PROGRAM)
        {
            let problem = match name {
                Some(name) => {
                    format!("another XDP program is attached: `{name}` (program {program_id}, {mode})")
                }
                // Seeing it takes CAP_SYS_ADMIN.
                None => format!(
                    "an XDP program of a name that may not be seen is attached (program {program_id}, {mode})"
                ),
            };
            add(
                name.is_some(),
                problem,
                "if it is not ptp-ctl's, remove it, with `ip link set IFACE xdp off` if nothing else owns it, or use \
                 --data-plane socket",
            );
        }
        if !self.timestamps.tx_software {
            add(
                true,
                "the driver takes no software TX stamps".to_owned(),
                "use --clock phc --data-plane socket if the NIC stamps, or another interface",
            );
        }
        if self.addresses.is_empty() {
            add(false, "the interface has no IP address".to_owned(), "give it one with `ip address add`");
        }
        if self.mac.is_none() {
            add(
                true,
                "the interface has no Ethernet address, of which the clock identity is made".to_owned(),
                "use an Ethernet interface",
            );
        }
        if let Some(problem) = &self.bpffs {
            add(false, problem.clone(), "needed by `attach` and `detach` only");
        }
        if self.tai_offset_s.is_none() {
            add(
                false,
                "the kernel does not know TAI - UTC".to_owned(),
                "let the NTP or PTP daemon set it (chrony: `leapsectz`); until then a server clears ptpTimescale, and a \
                 client needs a server that tells the offset",
            );
        }
        problems
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, text: &str| writeln!(f, "  {name:<22} {text}");
        writeln!(f, "{}", self.interface)?;
        line(f, "kernel", &self.kernel)?;
        line(f, "driver", self.driver.as_deref().unwrap_or("unknown"))?;
        line(f, "Ethernet address", self.mac.as_deref().unwrap_or("none"))?;
        line(f, "IP addresses", &list(self.addresses.iter().map(ToString::to_string)))?;
        let missing = list(self.missing_capabilities.iter().map(|name| format!("no {name}")));
        let privileges = match (&self.missing_capabilities[..], self.bpf_forbidden) {
            ([], false) => "all",
            ([], true) => "all, but bpf() is forbidden",
            _ => &missing,
        };
        line(f, "privileges", privileges)?;
        line(f, "bpffs", self.bpffs.as_deref().unwrap_or("yes"))?;
        line(f, "XDP program embedded", yes(Some(self.xdp.object_embedded)))?;
        line(f, "native XDP", yes(self.xdp.native))?;
        let attached = self.xdp.attached.as_ref().map(|Attached { program_id, name, mode }| {
            format!("{} (program {program_id}, {mode})", name.as_deref().unwrap_or("?"))
        });
        line(f, "XDP program attached", attached.as_deref().unwrap_or("none"))?;
        line(f, "RX stamp kfunc", yes(self.xdp.rx_timestamp_kfunc))?;
        line(f, "RX stamps from driver", yes(self.xdp.driver_rx_timestamp))?;
        for KernelFeature { feature, linux, ok } in &self.features {
            line(f, feature, &format!("{} (Linux {linux} or later)", yes(Some(*ok))))?;
        }
        let stamps = &self.timestamps;
        line(f, "software stamps", directions(stamps.tx_software, stamps.rx_software))?;
        line(f, "hardware stamps", directions(stamps.tx_hardware, stamps.rx_hardware))?;
        line(f, "hardware RX filters", &list(stamps.rx_filters.iter().map(ToString::to_string)))?;
        let phc = stamps.phc_index.map(|index| format!("/dev/ptp{index}"));
        line(f, "hardware clock", phc.as_deref().unwrap_or("none"))?;
        let tai = self.tai_offset_s.map(|seconds| format!("{seconds} s"));
        line(f, "TAI - UTC", tai.as_deref().unwrap_or("unknown"))?;
        writeln!(f, "What would run:")?;
        for choice in &self.choices {
            writeln!(f, "  {choice}")?;
        }
        for Problem { fatal, problem, fix } in &self.problems {
            writeln!(f, "{}: {problem}\n  fix: {fix}", if *fatal { "Problem" } else { "Note" })?;
        }
        let verdict = if self.ok { "works" } else { "does not work" };
        writeln!(f, "The default data plane (native XDP) {verdict} on {}.", self.interface)
    }
}

const fn yes(value: Option<bool>) -> &'static str {
    match value {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

const fn directions(tx: bool, rx: bool) -> &'static str {
    match (tx, rx) {
        (true, true) => "TX and RX",
        (true, false) => "TX only",
        (false, true) => "RX only",
        (false, false) => "none",
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
