//! The lines of `--json`.

use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;

/// One line: its type, its time, and what it says.
#[derive(Serialize)]
pub(super) struct Line<'a, T> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// CLOCK_REALTIME, ns.
    pub(super) time_ns: u64,
    #[serde(flatten)]
    pub(super) body: &'a T,
}

/// What runs: the line "start".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Start {
    /// Of the `stats` document, too.
    #[serde(flatten)]
    pub setup: Setup,
    /// "phc", "system", "virtual" or "none".
    pub clock: &'static str,
}

/// Role, interface, data plane, and where stamps come from.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Setup {
    /// "client", "server" or "boundary".
    pub role: &'static str,
    /// The interface; of several, the first.
    pub interface: String,
    /// The interfaces beside the first.
    pub also_interfaces: Vec<String>,
    /// With `local-address`: what all is sent from and nothing but what is sent to it is taken.
    pub local_addresses: Vec<IpAddr>,
    /// Where a boundary clock's servers are, if they have an interface of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_interface: Option<String>,
    /// "xdp" or "socket".
    pub data_plane: &'static str,
    /// "native" or "generic"; none without XDP.
    pub xdp_mode: Option<&'static str>,
    /// Who stamps what comes in.
    pub rx_timestamp_source: &'static str,
    /// Why it is not the one that is better; none where it is the best, or was asked for.
    pub rx_timestamp_reason: Option<String>,
    /// Who stamps what goes out.
    pub tx_timestamp_source: &'static str,
    /// How the process runs.
    pub process: ProcessStatus,
    /// What only a server has.
    #[serde(flatten)]
    pub server: Option<ServerStart>,
}

/// How the process runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ProcessStatus {
    /// Whom it runs as; a number where that has no name.
    pub user: String,
    /// The same as a number.
    pub uid: u32,
    /// The capabilities that it has kept as the user that `user` names; none without: it has those that it was started with.
    pub capabilities: Option<Vec<&'static str>>,
    /// Priority of the loop under SCHED_FIFO; 0: ordinary scheduling.
    pub realtime_priority: u8,
    /// The same of the thread that sends for the massive plane, 0 where it is not permitted one; none without that plane.
    pub fan_out_realtime_priority: Option<u8>,
    /// Nothing of it is swapped out.
    pub memory_locked: bool,
}

/// Who sends a server's messages.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ServerStart {
    /// Of Sync and Announce: "precise" or "massive".
    pub sync_plane: &'static str,
    /// Why that one.
    pub sync_plane_reason: &'static str,
    /// Of Delay_Resp: "xdp" (the program itself) or "controller".
    pub delay_resp_plane: &'static str,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setup, clock } = self;
        write!(f, "{} on {}", setup.role, setup.interface)?;
        for interface in &setup.also_interfaces {
            write!(f, ", {interface}")?;
        }
        for address in &setup.local_addresses {
            write!(f, ", as {address}")?;
        }
        if let Some(upstream) = &setup.upstream_interface {
            write!(f, " (servers on {upstream})")?;
        }
        write!(f, ": data plane {}", setup.data_plane)?;
        if let Some(mode) = setup.xdp_mode {
            write!(f, " ({mode})")?;
        }
        let Setup { rx_timestamp_source: rx, tx_timestamp_source: tx, .. } = setup;
        write!(f, ", RX stamps {rx}")?;
        if let Some(reason) = &setup.rx_timestamp_reason {
            write!(f, " ({reason})")?;
        }
        write!(f, ", TX stamps {tx}, clock {clock}")?;
        if let Some(ServerStart { sync_plane, sync_plane_reason, delay_resp_plane }) = &setup.server {
            write!(
                f,
                ", Sync from the {sync_plane} plane ({sync_plane_reason}), Delay_Resp from {delay_resp_plane}"
            )?;
        }
        let process = &setup.process;
        if let Some(capabilities) = &process.capabilities {
            write!(f, ", as {} with {}", process.user, capabilities_text(capabilities.iter().copied()))?;
        }
        if process.realtime_priority > 0 {
            write!(f, ", real-time priority {}", process.realtime_priority)?;
        }
        if process.memory_locked {
            f.write_str(", memory locked")?;
        }
        Ok(())
    }
}

/// Those that were kept.
pub(super) fn capabilities_text<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "no capability".to_owned() } else { names.join(" and ") }
}

/// The clock's distance from the truth, where that is known: the line "clock".
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClockReading {
    /// Reading minus truth, ns.
    pub true_error_ns: f64,
    /// Adjustment in force, ppb.
    pub frequency_ppb: f64,
}
