//! A server's state as the reports show it.

use crate::engine::client::GrantsStatus;
use serde::Serialize;
use std::net::IpAddr;

/// The server's part of the `stats` document.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// ptpTimescale as announced.
    pub ptp_timescale: bool,
    /// currentUtcOffset where it is known, seconds.
    pub current_utc_offset: Option<i16>,
    /// grandmasterClockQuality.clockClass as announced.
    pub clock_class: u8,
    /// Messages that all clients together were promised, each second.
    pub promised_rate: f64,
    /// Everyone with a grant.
    pub clients: Vec<ClientStatus>,
}

/// One client as the server sees it.
#[derive(Clone, Debug, Serialize)]
pub struct ClientStatus {
    /// Its address.
    pub address: IpAddr,
    /// Its sourcePortIdentity.
    pub port_identity: String,
    /// What it was granted.
    pub grants: GrantsStatus,
}
