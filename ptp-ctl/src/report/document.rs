//! The document of `stats`.

use super::{Entry, Setup};
use crate::engine::{client, server};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

/// Version of the document; raised when a field changes its meaning or goes away.
pub const VERSION: u32 = 1;

/// What a running controller answers.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Document<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// A controller answered: true.
    pub running: bool,
    /// CLOCK_REALTIME of the answer, ns.
    pub time_ns: u64,
    /// Role, interface, data plane, sources of stamps.
    #[serde(flatten)]
    pub setup: &'a Setup,
    /// The clock.
    pub clock: ClockStatus,
    /// With `--also-system-clock`.
    pub system_clock: Option<SystemClockStatus>,
    /// The clock of a boundary clock's NIC that faces the clients, if it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_clock: Option<SystemClockStatus>,
    /// What only a client or only a server has.
    #[serde(flatten)]
    pub status: RoleStatus,
    /// What was counted.
    pub counters: Counters,
    /// The last events, oldest first.
    pub history: &'a VecDeque<Entry>,
    /// Events about single grants that were not told because there were too many.
    pub history_withheld: u64,
}

/// A client's or a server's part.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum RoleStatus {
    /// Of a client.
    Client(client::Status),
    /// Of a server.
    Server(server::Status),
    /// Of a boundary clock.
    Boundary {
        /// Of its server.
        #[serde(flatten)]
        server: server::Status,
        /// Of its client.
        upstream: Box<client::Status>,
    },
}

/// The clock in use.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize)]
pub struct ClockStatus {
    /// "phc", "system", "virtual" or "none".
    pub kind: &'static str,
    /// Adjustment in force, ppb.
    pub frequency_ppb: f64,
    /// Reading minus truth, ns, where the truth is known.
    pub true_error_ns: Option<f64>,
}

/// Two clocks, one of which follows the other.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize)]
pub struct SystemClockStatus {
    /// "system", "phc", or "second".
    pub follower: &'static str,
    /// How they are compared: "precise", "extended" or "plain".
    pub cross_stamps: &'static str,
    /// The follower minus the other, ns, at the last comparison.
    pub offset_ns: Option<f64>,
    /// Adjustment of the follower, ppb.
    pub frequency_ppb: f64,
    /// Steps so far.
    pub steps: u64,
}

/// All counters, by who counts.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct Counters {
    /// The XDP program: frames, by what became of them. Since it was attached.
    pub xdp: CounterSet,
    /// Sync and Announce of the massive plane by what became of them, and how well it keeps time; empty without it.
    pub fan_out: CounterSet,
    /// Ring records, by what became of them. These and all others: since the controller started.
    pub records: CounterSet,
    /// Packets from the sockets.
    pub rx: CounterSet,
    /// Packets and TX stamps.
    pub tx: CounterSet,
    /// Messages, by what the engine did with them.
    pub engine: CounterSet,
    /// Of a boundary clock: what the port and the client count that face its servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamCounters>,
    /// With `--management-socket`: management requests, by what became of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management: Option<CounterSet>,
    /// Clock calls that failed.
    pub clock: CounterSet,
}

/// What is counted on the side of a boundary clock that faces its servers.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct UpstreamCounters {
    /// Messages, by what the client did with them.
    pub engine: CounterSet,
    /// Of a port of its own: the XDP program.
    pub xdp: CounterSet,
    /// Ring records.
    pub records: CounterSet,
    /// Packets from the sockets.
    pub rx: CounterSet,
    /// Packets and TX stamps.
    pub tx: CounterSet,
}

/// Counters by name, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CounterSet(Vec<(&'static str, u64)>);

impl FromIterator<(&'static str, u64)> for CounterSet {
    fn from_iter<I: IntoIterator<Item = (&'static str, u64)>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl CounterSet {
    /// Each name with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().copied()
    }
}

impl Serialize for CounterSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl JsonSchema for CounterSet {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CounterSet".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, u64>::json_schema(generator)
    }
}

/// What is known without a running controller: the pinned program's counters, if there is one.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct PinnedDocument<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// No controller answered: false.
    pub running: bool,
    /// CLOCK_REALTIME, ns.
    pub time_ns: u64,
    /// The interface.
    pub interface: &'a str,
    /// "xdp"; none without a program.
    pub data_plane: Option<&'static str>,
    /// "native" or "generic", where the program was attached.
    pub xdp_mode: Option<&'static str>,
    /// Only `xdp`; none without a program, which only `stats --watch` says.
    pub counters: Option<PinnedCounters>,
}

/// The counters of a pinned program.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct PinnedCounters {
    /// Frames, by what became of them.
    pub xdp: CounterSet,
}
