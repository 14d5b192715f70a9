//! An exchange in figures, to be kept: what `ptp-ctl client --record` writes and `ptp-ctl simulate` replays.

use super::exchange::Exchange;
use crate::engine::timeline::nanos;
use ptp_common::time::{Interval, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The stamps of an exchange in the server's timescale, and its corrections.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamps {
    /// Sync sent, ns since the epoch.
    pub t1: u64,
    /// Sync received.
    pub t2: u64,
    /// Delay_Req sent.
    pub t3: u64,
    /// Delay_Req received.
    pub t4: u64,
    /// Correction of Sync and Follow_Up, ns.
    pub sync_correction: f64,
    /// Correction of Delay_Req, ns.
    pub delay_correction: f64,
}

/// An exchange as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The server.
    pub server: IpAddr,
    /// Its stamps.
    #[serde(flatten)]
    pub stamps: Stamps,
    /// Local clock minus server's at the end of the exchange, by all packets so far, ns.
    pub estimated_offset: Option<f64>,
}

impl Stamps {
    /// `local_to_server` brings a local reading into the server's timescale.
    pub(super) fn new(exchange: &Exchange, local_to_server: Interval) -> Self {
        let whole = |stamp: Timestamp| u64::try_from(stamp.as_nanos()).unwrap_or(u64::MAX);
        Self {
            t1: whole(exchange.t1),
            t2: whole(exchange.t2 + local_to_server),
            t3: whole(exchange.t3 + local_to_server),
            t4: whole(exchange.t4),
            sync_correction: nanos(exchange.sync_correction),
            delay_correction: nanos(exchange.delay_correction),
        }
    }

    /// What Sync took from the server to here, by two clocks, ns.
    pub fn from_server(&self) -> f64 {
        difference(self.t2, self.t1) - self.sync_correction
    }

    /// What Delay_Req took to the server, by two clocks, ns.
    pub fn to_server(&self) -> f64 {
        difference(self.t4, self.t3) - self.delay_correction
    }
}

/// Far apart or near, without losing digits.
fn difference(later: u64, earlier: u64) -> f64 {
    later.wrapping_sub(earlier).cast_signed() as f64
}
