//! A client's state as the reports show it.

use super::announced::Announced;
use super::association::{Association, Condition, Surroundings};
use super::{Client, Record, Stamps};
use crate::engine::Instant;
use crate::engine::estimator::Estimate;
use crate::engine::event::Reason;
use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;

/// Where the client stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// No server yet.
    #[default]
    FreeRunning,
    /// Follows a server, not settled.
    Acquiring,
    /// Settled.
    Locked,
    /// Was locked, has no server now: its time goes on by what is known of the clock.
    Holdover,
}

impl State {
    /// The name used in every report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FreeRunning => "free-running",
            Self::Acquiring => "acquiring",
            Self::Locked => "locked",
            Self::Holdover => "holdover",
        }
    }
}

impl Client {
    /// The clock follows a server, or did until the last one was lost.
    pub fn has_settled(&self) -> bool {
        matches!(self.state, State::Locked | State::Holdover)
    }

    /// The adjustment that the clock needs, without what is still being slewed away, ppb; `None` before it is known.
    pub fn settled_frequency_ppb(&self) -> Option<f64> {
        let servo = self.servo.as_ref().filter(|_| self.has_settled())?;
        Some(servo.frequency_ppb() - servo.rate_error_ppb())
    }

    /// For the reports.
    pub fn status(&self, now: Instant) -> Status {
        let surroundings = self.surroundings();
        let measured = self.selected.and_then(|index| self.associations[index].measured);
        let estimate = |index: usize| {
            let local_to_server = self.associations[index].local_to_server(&surroundings).ok()?;
            self.estimate(now, index, local_to_server).map(|(_, estimate)| estimate)
        };
        let estimated = self.reference_estimate(now).map(|(_, estimate)| estimate);
        let status = |(index, association): (usize, &Association)| {
            let estimate = estimate(index);
            let selected = self.selected == Some(index);
            ServerStatus {
                difference_ns: estimated.zip(estimate).map(|(used, this)| used.offset_ns - this.offset_ns),
                ..association.status(now, &surroundings, selected, estimate)
            }
        };
        Status {
            state: self.state,
            selected_server: self.selected.map(|index| self.associations[index].entry.address),
            offset_ns: measured.map(|(offset, _)| offset),
            path_delay_ns: measured.map(|(_, delay)| delay),
            estimated_offset_ns: estimated.map(|estimate| estimate.offset_ns),
            bound_ns: estimated.map(|estimate| estimate.bound_ns),
            asymmetry_bound_ns: estimated.map(|estimate| self.asymmetry_bound_ns(&estimate)),
            switch_left_ns: self.bridge.left(now),
            frequency_ppb: self.frequency_ppb(),
            servers: self.servers().iter().enumerate().map(status).collect(),
        }
    }
}

impl Association {
    fn status(
        &self,
        now: Instant,
        surroundings: &Surroundings,
        selected: bool,
        estimate: Option<Estimate>,
    ) -> ServerStatus {
        let (state, reason) = match self.condition(surroundings) {
            Condition::Usable if selected => ("selected", None),
            Condition::Usable | Condition::Waiting if self.is_restoring() => ("restoring", None),
            Condition::Usable | Condition::Waiting => ("standby", None),
            Condition::Negotiating => ("negotiating", None),
            Condition::Unusable(reason @ Reason::Falseticker) => ("falseticker", Some(reason)),
            Condition::Unusable(reason) => ("unusable", Some(reason)),
        };
        let [announce, sync, delay_resp] = &self.contracts;
        ServerStatus {
            address: self.entry.address,
            priority: self.entry.local_priority,
            state,
            reason,
            port_identity: self.identity.map(|identity| identity.to_string()),
            announce: self.announced.as_ref().map(announce_status),
            offset_ns: self.measured.map(|(offset, _)| offset),
            path_delay_ns: self.measured.map(|(_, delay)| delay),
            estimated_offset_ns: estimate.map(|estimate| estimate.offset_ns),
            bound_ns: estimate.map(|estimate| estimate.bound_ns),
            difference_ns: None,
            variation_ns: self.variation.mean_ns(),
            asymmetry_ns: estimate.map(|estimate| estimate.asymmetry_ns),
            loss_from_server: self.loss_from_server.share(),
            loss_round_trip: self.loss_round_trip.share(),
            exchanges: self.complete,
            exchanges_lost: self.exchanges.lost(),
            grants: ContractsStatus {
                announce: announce.status(now),
                sync: sync.status(now),
                delay_resp: delay_resp.status(now),
            },
        }
    }
}

fn announce_status(announced: &Announced) -> AnnounceStatus {
    let announce = &announced.announce;
    AnnounceStatus {
        grandmaster_identity: announce.grandmaster_identity.to_string(),
        clock_class: announce.grandmaster_clock_quality.clock_class,
        clock_accuracy: announce.grandmaster_clock_quality.clock_accuracy,
        priority1: announce.grandmaster_priority1,
        priority2: announce.grandmaster_priority2,
        steps_removed: announce.steps_removed,
        time_source: announce.time_source,
        ptp_timescale: announced.ptp_timescale(),
        current_utc_offset: announced.current_utc_offset(),
    }
}

/// One complete exchange, as reported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// The server.
    pub server: IpAddr,
    /// It is the one in use.
    pub selected: bool,
    /// The servo used it.
    pub used: bool,
    /// Local clock minus server's, ns.
    pub offset_ns: f64,
    /// Mean path delay, ns.
    pub path_delay_ns: f64,
    /// Local clock minus server's by all packets so far, ns.
    pub estimated_offset_ns: Option<f64>,
    /// 99 % bound of that if the shortest delays of both directions are equal, ns.
    pub bound_ns: Option<f64>,
    /// Adjustment in force after this sample, ppb.
    pub frequency_ppb: f64,
    /// The client's state after this sample.
    pub state: State,
    /// What was measured.
    #[serde(skip)]
    pub stamps: Stamps,
}

impl Sample {
    /// What is kept of it.
    pub const fn record(&self) -> Record {
        let Self { server, stamps, estimated_offset_ns, .. } = *self;
        Record { server, stamps, estimated_offset: estimated_offset_ns }
    }
}

/// The client's part of the `stats` document.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Status {
    /// Where it stands.
    pub state: State,
    /// The server in use.
    pub selected_server: Option<IpAddr>,
    /// Of the last sample of the server in use, ns.
    pub offset_ns: Option<f64>,
    /// Of the last sample of the server in use, ns.
    pub path_delay_ns: Option<f64>,
    /// Local clock minus the time of the server in use, or in holdover of the last one, by all packets so far, ns.
    pub estimated_offset_ns: Option<f64>,
    /// 99 % bound of that if the shortest delays of both directions are equal, ns.
    pub bound_ns: Option<f64>,
    /// What unequal delays can add to the bound: `max-asymmetry`, or half of the shortest round trip, ns.
    pub asymmetry_bound_ns: Option<f64>,
    /// Since the last switch, what is left of the difference between the two servers, ns: so far ahead of the server in
    /// use the clock still is on purpose.
    pub switch_left_ns: f64,
    /// Adjustment, ppb.
    pub frequency_ppb: f64,
    /// All servers, in the order of the configuration.
    pub servers: Vec<ServerStatus>,
}

/// One server as the client sees it.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ServerStatus {
    /// Its address.
    pub address: IpAddr,
    /// localPriority.
    pub priority: u8,
    /// `selected`, `standby`, `restoring`, `negotiating`, `falseticker`, `unusable`.
    pub state: &'static str,
    /// Why it cannot be followed.
    pub reason: Option<Reason>,
    /// sourcePortIdentity, once known.
    pub port_identity: Option<String>,
    /// What it announces, once known.
    pub announce: Option<AnnounceStatus>,
    /// Last offset measured, ns.
    pub offset_ns: Option<f64>,
    /// Last path delay measured, ns.
    pub path_delay_ns: Option<f64>,
    /// Local clock minus this server's by all of its packets so far, ns.
    pub estimated_offset_ns: Option<f64>,
    /// 99 % bound of that if the shortest delays of both directions are equal, ns.
    pub bound_ns: Option<f64>,
    /// Its time minus that of the server in use, ns.
    pub difference_ns: Option<f64>,
    /// By how much path delays of late are longer than the shortest of them, in the mean, ns.
    pub variation_ns: Option<f64>,
    /// (Server to client minus client to server)/2 of the shortest delays as far as routes that changed have shown it, ns.
    pub asymmetry_ns: Option<f64>,
    /// Share of Sync and Announce that get lost, with caution, 0 to 1.
    pub loss_from_server: f64,
    /// Share of Delay_Req that stay without answer, with caution, 0 to 1.
    pub loss_round_trip: f64,
    /// Complete exchanges.
    pub exchanges: u64,
    /// Exchanges that were begun and not completed.
    pub exchanges_lost: u64,
    /// The three contracts.
    pub grants: ContractsStatus,
}

/// What a server announces.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct AnnounceStatus {
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
    /// ptpTimescale.
    pub ptp_timescale: bool,
    /// currentUtcOffset where currentUtcOffsetValid is set, seconds.
    pub current_utc_offset: Option<i16>,
}

/// The contracts of one server, by message type.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ContractsStatus {
    /// Announce.
    pub announce: ContractStatus,
    /// Sync.
    pub sync: ContractStatus,
    /// Delay_Resp.
    pub delay_resp: ContractStatus,
}

/// One contract.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ContractStatus {
    /// `idle`, `requested`, `granted`, `renewing`, `denied`, `expired`, `cancelled`.
    pub state: &'static str,
    /// How long it has been in this state, seconds.
    pub age_s: f64,
    /// Why it is not granted, or not renewed.
    pub reason: Option<Reason>,
    /// logInterMessagePeriod granted.
    pub log_interval: Option<i8>,
    /// durationField granted, seconds.
    pub duration_s: Option<u32>,
    /// What is left of it, seconds.
    pub expires_in_s: Option<f64>,
    /// The server invites renewal.
    pub renewal_invited: Option<bool>,
}

/// What one client of a server was granted, by message type.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct GrantsStatus {
    /// Announce.
    pub announce: GrantStatus,
    /// Sync.
    pub sync: GrantStatus,
    /// Delay_Resp.
    pub delay_resp: GrantStatus,
}

/// One grant.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct GrantStatus {
    /// `idle`, `granted`.
    pub state: &'static str,
    /// logInterMessagePeriod granted.
    pub log_interval: Option<i8>,
    /// durationField granted, seconds.
    pub duration_s: Option<u32>,
    /// What is left of it, seconds.
    pub expires_in_s: Option<f64>,
}
