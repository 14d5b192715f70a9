//! What `client` and `server` would run with, for each kind of clock.

use crate::clock::{self, Kind};
use crate::net::TimestampingInfo;
use ptp_common::time::StampSource;
use serde::Serialize;
use std::fmt;

/// One role with one clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Choice {
    pub(super) role: &'static str,
    pub(super) clock: &'static str,
    /// The only data plane that goes with this clock, or the default one.
    pub(super) data_plane: &'static str,
    pub(super) rx_timestamp_source: &'static str,
    pub(super) tx_timestamp_source: &'static str,
    /// It would work.
    pub(super) ok: bool,
    /// Why not.
    pub(super) reason: Option<String>,
}

/// What XDP can do on the interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abilities {
    /// The default data plane works.
    pub(super) xdp: bool,
    /// Programs can read the NIC's stamps.
    pub(super) nic_stamps: bool,
}

/// All of them.
pub(super) fn all(interface: &str, xdp: Abilities, stamps: &TimestampingInfo) -> Vec<Choice> {
    let kinds = [Kind::System, Kind::Virtual, Kind::Phc, Kind::None];
    ["client", "server"]
        .into_iter()
        .flat_map(|role| kinds.map(|kind| choice(role, kind, interface, xdp, stamps)))
        .collect()
}

fn choice(
    role: &'static str,
    kind: Kind,
    interface: &str,
    Abilities { xdp, nic_stamps }: Abilities,
    stamps: &TimestampingInfo,
) -> Choice {
    let hardware = kind == Kind::Phc;
    let (data_plane, rx, tx) = match (hardware, xdp && nic_stamps) {
        (true, true) => ("xdp", StampSource::XdpHw, StampSource::SocketHw),
        (true, false) => ("socket", StampSource::SocketHw, StampSource::SocketHw),
        (false, _) => ("xdp", StampSource::XdpSw, StampSource::SocketSw),
    };
    let reason = if hardware && !stamps.hardware() {
        Some("the NIC has no hardware stamps of PTP over UDP in both directions".to_owned())
    } else if !hardware && !xdp {
        Some("see the problems".to_owned())
    } else {
        let options = clock::Options {
            interface: interface.to_owned(),
            phc_index: stamps.phc_index,
            steered: role == "client",
            ..clock::Options::default()
        };
        clock::open(kind, &options).err().map(|error| error.to_string())
    };
    Choice {
        role,
        clock: kind.name(),
        data_plane,
        rx_timestamp_source: rx.name(),
        tx_timestamp_source: tx.name(),
        ok: reason.is_none(),
        reason,
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            role, clock, data_plane, rx_timestamp_source: rx, tx_timestamp_source: tx, reason, ..
        } = self;
        write!(f, "{role} --clock {clock:<8} ")?;
        match reason {
            Some(reason) => write!(f, "no: {reason}"),
            None => write!(f, "--data-plane {data_plane}, RX stamps {rx}, TX stamps {tx}"),
        }
    }
}
