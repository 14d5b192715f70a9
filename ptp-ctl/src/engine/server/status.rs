//! A server's state as the reports show it.

use super::Standing;
use crate::engine::client::GrantsStatus;
use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;

/// The server's part of the `stats` document.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Status {
    /// ptpTimescale as announced.
    pub ptp_timescale: bool,
    /// currentUtcOffset where it is known, seconds.
    pub current_utc_offset: Option<i16>,
    /// How a boundary clock stands to its server, or a grandmaster to its primary reference; `None` without either.
    pub standing: Option<Standing>,
    /// The rest of what is announced.
    #[serde(flatten)]
    pub announced: Announced,
    /// Messages that all clients together were promised, each second.
    pub promised_rate: f64,
    /// How many are served.
    pub totals: Totals,
    /// Everyone with a grant, if they are no more than 100 ([`MOST_LISTED`]); else nobody.
    pub clients: Vec<ClientStatus>,
}

/// So many clients are listed; of more, only the totals are told.
pub const MOST_LISTED: usize = 100;

/// How many are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Totals {
    /// Clients with any grant.
    pub clients: usize,
    /// Grants of Announce.
    pub announce: usize,
    /// Grants of Sync.
    pub sync: usize,
    /// Grants of Delay_Resp.
    pub delay_resp: usize,
}

/// What is announced.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct Announced {
    /// grandmasterIdentity.
    pub grandmaster_identity: String,
    /// grandmasterClockQuality.clockClass.
    pub clock_class: u8,
    /// grandmasterClockQuality.clockAccuracy.
    pub clock_accuracy: u8,
    /// grandmasterPriority1.
    pub priority1: u8,
    /// grandmasterPriority2.
    pub priority2: u8,
    /// stepsRemoved.
    pub steps_removed: u16,
    /// timeSource.
    pub time_source: u8,
    /// timeTraceable.
    pub time_traceable: bool,
    /// leap59.
    pub leap59: bool,
    /// leap61.
    pub leap61: bool,
    /// pathSequence of PATH_TRACE; empty where none is sent.
    pub path: Vec<String>,
}

/// One client as the server sees it.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ClientStatus {
    /// Its address.
    pub address: IpAddr,
    /// Its sourcePortIdentity.
    pub port_identity: String,
    /// What it was granted.
    pub grants: GrantsStatus,
}
