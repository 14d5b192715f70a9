//! The metrics that Prometheus scrapes: the `stats` document in OpenMetrics text, and a histogram.

#[cfg(test)]
mod tests;

use super::{CounterSet, Document, RoleStatus, name};
use crate::engine::client::{self, ContractsStatus, ServerStatus, State};
use crate::engine::event::Kind;
use crate::engine::server;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

/// What it is sent as.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of the offset's histogram, s: 10 ns to 10 ms.
const OFFSET_BUCKETS: [f64; 19] = [
    1e-8, 2e-8, 5e-8, 1e-7, 2e-7, 5e-7, 1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3,
    5e-3, 1e-2,
];
const STATES: [State; 4] = [State::FreeRunning, State::Acquiring, State::Locked, State::Holdover];

/// How often which offset was measured.
#[derive(Clone, Debug)]
pub struct Offsets(Histogram);

impl Default for Offsets {
    fn default() -> Self {
        Self(Histogram::new(OFFSET_BUCKETS))
    }
}

impl Offsets {
    /// Counts one of the server in use, in ns.
    pub(super) fn observe(&self, offset_ns: f64) {
        self.0.observe(seconds(offset_ns.abs()));
    }
}

/// How often what happened, whether it was told or not.
#[derive(Clone, Debug, Default)]
pub struct Events([u64; Kind::ALL.len()]);

impl Events {
    /// Counts one.
    pub(super) fn count(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }
}

/// A metric's name, without the prefix `ptp_`, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its help.
    pub help: &'static str,
    /// Counts only upwards; its name ends with `_total` in the text.
    pub is_counter: bool,
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, is_counter: false }
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, is_counter: true }
}

/// The metrics that there are, for the code below and the reference in the book.
macro_rules! metrics {
    ($($constant:ident = $metric:expr;)*) => {
        $(const $constant: Metric = $metric;)*
        /// All of them but the histogram, in the order of the text.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    INFO = gauge("controller_info", "Always 1; the labels say what runs");
    STATE = gauge("client_state", "1 for the state that the client is in");
    OFFSET = gauge("offset_seconds", "Client minus server in use, by all packets so far");
    BOUND = gauge("offset_bound_seconds", "99 % bound of the offset if both ways are equally long");
    ASYMMETRY_BOUND = gauge("asymmetry_bound_seconds", "What unequal ways can add to the bound");
    PATH_DELAY = gauge("path_delay_seconds", "Of the last exchange with the server in use");
    SWITCH_LEFT = gauge("switch_left_seconds", "What is left, after a switch, of the difference between two servers");
    FREQUENCY = gauge("frequency_adjustment_ppb", "What the clock is steered by");
    TRUE_ERROR = gauge("true_error_seconds", "Clock minus truth, where it is known");
    SERVER_STATE = gauge("server_state", "1 for the state that the server is in");
    SERVER_OFFSET = gauge("server_offset_seconds", "Client minus this server, by all of its packets so far");
    SERVER_BOUND = gauge("server_offset_bound_seconds", "99 % bound of that");
    SERVER_DIFFERENCE = gauge("server_difference_seconds", "This server's time minus that of the server in use");
    SERVER_PATH_DELAY = gauge("server_path_delay_seconds", "Of the last exchange with this server");
    SERVER_VARIATION = gauge("server_delay_variation_seconds", "By how much path delays exceed the shortest, in the mean");
    SERVER_LOSS = gauge("server_loss_ratio", "Share of messages that get lost, from the server and of round trips");
    SERVER_CLASS = gauge("server_clock_class", "clockClass that the server announces");
    SERVER_STEPS = gauge("server_steps_removed", "stepsRemoved that the server announces");
    SERVER_EXCHANGES = counter("server_exchanges", "Complete exchanges with this server");
    SERVER_LOST = counter("server_exchanges_lost", "Exchanges with this server that were begun and not completed");
    GRANT_STATE = gauge("grant_state", "1 for the state that a message type's contract with a server is in");
    GRANT_EXPIRES = gauge("grant_expires_seconds", "What is left of the granted duration");
    CLIENTS = gauge("served_clients", "Clients with any grant of this server");
    GRANTS = gauge("served_grants", "Grants of this server, by message type");
    PROMISED = gauge("promised_messages_per_second", "Messages a second that all clients together were promised");
    CLASS = gauge("announced_clock_class", "clockClass that this server announces");
    STEPS = gauge("announced_steps_removed", "stepsRemoved that this server announces");
    TRACEABLE = gauge("announced_time_traceable", "1 where this server announces timeTraceable");
    XDP = counter("xdp_frames", "Frames in the XDP program, by what became of them");
    RECORDS = counter("records", "What the XDP program handed over, by what became of it");
    RECEIVED = counter("received_packets", "Packets from the sockets");
    SENT = counter("sent_packets", "Packets sent, and their TX stamps");
    MESSAGES = counter("messages", "PTP messages, by what was done with them");
    FAN_OUT = counter("fan_out", "Sync and Announce sent by the kernel, by what became of them");
    FAN_OUT_TIME = gauge("fan_out_seconds", "How well the kernel's Sync and Announce keep time");
    CLOCK = counter("clock_calls", "Calls of the clock that failed, and others of note");
    EVENTS = counter("events", "What happened, by the event's name: selected counts the changes of the server in use");
}

/// The histogram's name and help.
pub const OFFSETS: Metric =
    gauge("measured_offset_seconds", "Magnitudes of the offsets measured with the server in use");

/// What a server's value is, if it is known.
type OfServer = fn(&ServerStatus) -> Option<f64>;
type Labels = Vec<(&'static str, String)>;

/// The text of what is known now.
pub fn text(document: &Document<'_>, offsets: &Offsets, events: &Events) -> String {
    let mut exposition = Exposition(Registry::with_prefix("ptp"));
    exposition.add_controller(document);
    match &document.status {
        RoleStatus::Client(client) => exposition.add_client(client),
        RoleStatus::Server(server) => exposition.add_server(server),
        RoleStatus::Boundary { server, upstream } => {
            exposition.add_client(upstream);
            exposition.add_server(server);
        }
    }
    exposition.add_counters(document);
    exposition.add_events(events);
    if !matches!(document.status, RoleStatus::Server(_)) {
        exposition.0.register(OFFSETS.name, OFFSETS.help, offsets.0.clone());
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = text::encode(&mut text, &exposition.0);
    text
}

struct Exposition(Registry);

impl Exposition {
    /// Adds a metric with those of its values that are known.
    fn add(&mut self, metric: Metric, values: impl IntoIterator<Item = (Labels, Option<f64>)>) {
        let values: Vec<_> =
            values.into_iter().filter_map(|(labels, value)| Some((labels, value?))).collect();
        if values.is_empty() {
            return;
        }
        let Metric { name, help, is_counter } = metric;
        if is_counter {
            let family = Family::<Labels, Counter<f64, AtomicU64>>::default();
            for (labels, value) in values {
                family.get_or_create(&labels).inc_by(value);
            }
            self.0.register(name, help, family);
        } else {
            let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
            for (labels, value) in values {
                family.get_or_create(&labels).set(value);
            }
            self.0.register(name, help, family);
        }
    }

    fn add_one(&mut self, metric: Metric, value: Option<f64>) {
        self.add(metric, [(Labels::new(), value)]);
    }

    fn add_controller(&mut self, document: &Document<'_>) {
        let setup = document.setup;
        let also_interfaces = setup.also_interfaces.join(",");
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("role", setup.role),
            ("interface", &setup.interface),
            ("also_interfaces", &also_interfaces),
            ("data_plane", setup.data_plane),
            ("xdp_mode", setup.xdp_mode.unwrap_or_default()),
            ("rx_timestamp_source", setup.rx_timestamp_source),
            ("tx_timestamp_source", setup.tx_timestamp_source),
            ("clock", document.clock.kind),
        ];
        let labels = labels.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        self.add(INFO, [(labels, Some(1.0))]);
        self.add_one(TRUE_ERROR, document.clock.true_error_ns.map(seconds));
    }

    fn add_client(&mut self, status: &client::Status) {
        let states = STATES.map(|state| {
            (vec![("state", state.name().to_owned())], Some(f64::from(u8::from(state == status.state))))
        });
        self.add(STATE, states);
        self.add_one(OFFSET, status.estimated_offset_ns.map(seconds));
        self.add_one(BOUND, status.bound_ns.map(seconds));
        self.add_one(ASYMMETRY_BOUND, status.asymmetry_bound_ns.map(seconds));
        self.add_one(PATH_DELAY, status.path_delay_ns.map(seconds));
        self.add_one(SWITCH_LEFT, Some(seconds(status.switch_left_ns)));
        self.add_one(FREQUENCY, Some(status.frequency_ppb));
        let servers = &status.servers;
        self.add(SERVER_STATE, servers.iter().map(|server| (state_of(server, server.state), Some(1.0))));
        let per_server: [(Metric, OfServer); 9] = [
            (SERVER_OFFSET, |server| server.estimated_offset_ns.map(seconds)),
            (SERVER_BOUND, |server| server.bound_ns.map(seconds)),
            (SERVER_DIFFERENCE, |server| server.difference_ns.map(seconds)),
            (SERVER_PATH_DELAY, |server| server.path_delay_ns.map(seconds)),
            (SERVER_VARIATION, |server| server.variation_ns.map(seconds)),
            (SERVER_CLASS, |server| Some(server.announce.as_ref()?.clock_class.into())),
            (SERVER_STEPS, |server| Some(server.announce.as_ref()?.steps_removed.into())),
            (SERVER_EXCHANGES, |server| Some(server.exchanges as f64)),
            (SERVER_LOST, |server| Some(server.exchanges_lost as f64)),
        ];
        for (metric, value) in per_server {
            self.add(metric, servers.iter().map(|server| (of(server), value(server))));
        }
        let losses = servers.iter().flat_map(|server| {
            [("from_server", server.loss_from_server), ("round_trip", server.loss_round_trip)]
                .map(|(way, share)| ([of(server), vec![("way", way.to_owned())]].concat(), Some(share)))
        });
        self.add(SERVER_LOSS, losses);
        let contracts = || servers.iter().flat_map(contracts);
        self.add(
            GRANT_STATE,
            contracts().map(|(labels, contract)| {
                ([labels, vec![("state", contract.state.to_owned())]].concat(), Some(1.0))
            }),
        );
        self.add(GRANT_EXPIRES, contracts().map(|(labels, contract)| (labels, contract.expires_in_s)));
    }

    fn add_server(&mut self, status: &server::Status) {
        let server::Totals { clients, announce, sync, delay_resp } = status.totals;
        self.add_one(CLIENTS, Some(clients as f64));
        let grants = [("announce", announce), ("sync", sync), ("delay_resp", delay_resp)];
        self.add(
            GRANTS,
            grants.map(|(message, count)| (vec![("message", message.to_owned())], Some(count as f64))),
        );
        self.add_one(PROMISED, Some(status.promised_rate));
        self.add_one(CLASS, Some(status.announced.clock_class.into()));
        self.add_one(STEPS, Some(status.announced.steps_removed.into()));
        self.add_one(TRACEABLE, Some(u8::from(status.announced.time_traceable).into()));
    }

    fn add_counters(&mut self, document: &Document<'_>) {
        let counters = &document.counters;
        let none = super::UpstreamCounters::default();
        let upstream = counters.upstream.as_ref().unwrap_or(&none);
        for (metric, own, upstream) in [
            (XDP, &counters.xdp, Some(&upstream.xdp)),
            (RECORDS, &counters.records, Some(&upstream.records)),
            (RECEIVED, &counters.rx, Some(&upstream.rx)),
            (SENT, &counters.tx, Some(&upstream.tx)),
            (MESSAGES, &counters.engine, Some(&upstream.engine)),
            (CLOCK, &counters.clock, None),
        ] {
            let sides = [("own", Some(own)), ("upstream", upstream)];
            let values = sides.into_iter().flat_map(|(side, set)| {
                set.into_iter().flat_map(CounterSet::iter).map(move |(outcome, count)| {
                    let labels = vec![("outcome", outcome.to_owned()), ("side", side.to_owned())];
                    (labels, Some(count as f64))
                })
            });
            self.add(metric, values);
        }
        // Some of these are times.
        let fan_out = || {
            counters.fan_out.iter().map(|(name, value)| match name.strip_suffix("_ns") {
                Some(name) => (true, name, seconds(value as f64)),
                None => (false, name, value as f64),
            })
        };
        for (metric, times) in [(FAN_OUT, false), (FAN_OUT_TIME, true)] {
            let values = fan_out().filter(|(is_time, ..)| *is_time == times);
            self.add(
                metric,
                values.map(|(_, outcome, value)| (vec![("outcome", outcome.to_owned())], Some(value))),
            );
        }
    }

    /// Those that have not happened, too: a counter that begins with 1 has not increased, for Prometheus.
    fn add_events(&mut self, Events(counts): &Events) {
        let events = Kind::ALL.iter().zip(counts);
        self.add(EVENTS, events.map(|(kind, count)| (vec![("event", name(kind))], Some(*count as f64))));
    }
}

fn of(server: &ServerStatus) -> Labels {
    vec![("server", server.address.to_string())]
}

fn state_of(server: &ServerStatus, state: &str) -> Labels {
    let reason = server.reason.as_ref().map(name).unwrap_or_default();
    [of(server), vec![("state", state.to_owned()), ("reason", reason)]].concat()
}

fn contracts(server: &ServerStatus) -> [(Labels, &client::ContractStatus); 3] {
    let ContractsStatus { announce, sync, delay_resp } = &server.grants;
    [("announce", announce), ("sync", sync), ("delay_resp", delay_resp)]
        .map(|(message, contract)| ([of(server), vec![("message", message.to_owned())]].concat(), contract))
}

fn seconds(nanos: f64) -> f64 {
    nanos * 1e-9
}
