//! What is on its way in a simulated world.

use super::NodeId;
use crate::engine::TxToken;
use ptp_common::net::Channel;
use ptp_common::time::Timestamp;
use std::net::IpAddr;

/// Something to come.
pub(super) enum What {
    Deliver { from: IpAddr, channel: Channel, bytes: Vec<u8> },
    Sent { token: TxToken, tx: Option<Timestamp>, life: u32 },
    Wake,
    Drift,
}

/// When it comes, and to whom.
pub(super) struct Pending {
    /// True time, ns since the start.
    pub(super) at: u64,
    /// Things at the same time come in the order in which they were planned.
    pub(super) order: u64,
    pub(super) node: NodeId,
    pub(super) what: What,
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Pending {}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
