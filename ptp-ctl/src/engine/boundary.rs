//! A boundary clock: a client that steers the local clock, and a server that passes its time on.
//!
//! Both know nothing of each other. What the server announces comes from the client's state: locked, it passes on the
//! grandmaster's data set with one step more; else it is its own grandmaster, in holdover as long as the client's own
//! bound of its error allows.

use super::client::{Client, Parent, State, targets};
use super::config::{ClientConfig, ServerConfig};
use super::management::DataSets;
use super::server::{Server, Standing, Upstream};
use super::servo::Decision;
use super::{Engine, Input, Instant, Output, TxToken};
use ptp_common::wire::management::{CurrentDs, TimeStatusNp};
use ptp_common::wire::{Body, Message};
use std::net::IpAddr;
use std::time::Duration;

/// In holdover, how often it is looked whether the clock is still in specification.
const CHECK: Duration = Duration::from_secs(1);
/// Marks the client's tokens; those of the server are below.
const CLIENTS: u64 = 1 << 63;

/// Which way a port faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// To the servers.
    Upstream,
    /// To the clients.
    Downstream,
}

/// A boundary clock's settings.
#[derive(Clone, Debug)]
pub struct BoundaryConfig {
    /// Of the side that faces the servers.
    pub client: ClientConfig,
    /// Of the side that faces the clients.
    pub server: ServerConfig,
    /// Without a server, the clock is in specification as long as the client's bound of its error is below, ns.
    pub holdover_limit_ns: u64,
}

/// A boundary clock without IO, whose sides may share one port.
pub struct Boundary {
    client: Client,
    server: Server,
    holdover_limit_ns: u64,
    /// Of the server in use, or the last one.
    parent: Option<Parent>,
    /// How far the clock that faces the clients is from the client's, ns, if it is another one.
    second_clock_error_ns: f64,
    /// It was locked once, since the time that it follows began.
    settled: bool,
    beginnings: u32,
    /// When to look again whether the clock is in specification.
    check: Option<Instant>,
    closed: bool,
}

impl Boundary {
    /// Both sides start at once.
    pub fn new(now: Instant, config: BoundaryConfig) -> Self {
        let mut boundary = Self {
            client: Client::new(now, config.client),
            server: Server::new(now, config.server),
            holdover_limit_ns: config.holdover_limit_ns,
            parent: None,
            second_clock_error_ns: 0.0,
            settled: false,
            beginnings: 0,
            check: None,
            closed: false,
        };
        boundary.pass_on(now);
        boundary
    }

    /// The side that faces the servers.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The side that faces the clients.
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The same, to be changed.
    pub const fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Other settings, as far as either side can take them.
    pub fn reconfigure(&mut self, now: Instant, config: BoundaryConfig) {
        self.client.reconfigure(now, config.client);
        self.server.reconfigure(config.server);
        self.holdover_limit_ns = config.holdover_limit_ns;
        self.pass_on(now);
    }

    /// Ends every contract of both sides; it is over when [`is_finished`](Engine::is_finished) says so.
    pub fn shutdown(&mut self, now: Instant) {
        self.closed = true;
        self.check = None;
        self.client.shutdown(now);
        self.server.shutdown(now);
    }

    /// Like [`Engine::handle`], of a port that faces one way.
    pub fn handle_at(&mut self, side: Side, now: Instant, input: Input<'_>) {
        let input = match input {
            Input::Sent { token: TxToken(token), tx } => Input::Sent { token: TxToken(token & !CLIENTS), tx },
            input => input,
        };
        match side {
            Side::Upstream => {
                self.client.handle(now, input);
                self.pass_on(now);
            }
            Side::Downstream => self.server.handle(now, input),
        }
    }

    /// Like [`Engine::poll_output`], and which port it is for.
    pub fn poll_output_of(&mut self) -> Option<(Side, Output)> {
        let Some(mut output) = self.client.poll_output() else {
            return self.server.poll_output().map(|output| (Side::Downstream, output));
        };
        match &mut output {
            Output::Send { token: Some(TxToken(token)), .. } => *token |= CLIENTS,
            Output::Steer(Decision::Step { .. }) => self.server.clock_stepped(),
            _ => {}
        }
        Some((Side::Upstream, output))
    }

    /// The clock that faces the clients is another one than the client steers, and so far from it, ns; `None` = unknown.
    pub fn set_second_clock_error(&mut self, now: Instant, error_ns: Option<f64>) {
        self.second_clock_error_ns = error_ns.map_or(f64::INFINITY, f64::abs);
        self.pass_on(now);
    }

    /// Lets the server know where the client stands.
    fn pass_on(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        // What was followed before is not what is followed now: those below begin anew, too.
        self.settled &= self.client.beginnings() == self.beginnings;
        self.beginnings = self.client.beginnings();
        if let Some(parent) = self.client.parent() {
            self.parent = Some(parent);
        }
        let standing = match self.client.state() {
            State::Locked if self.second_clock_error_ns <= self.holdover_limit_ns as f64 => Standing::Locked,
            _ if !self.settled => Standing::FreeRunning,
            _ if self.is_in_specification(now) => Standing::Holdover,
            _ => Standing::HoldoverOut,
        };
        self.settled |= standing == Standing::Locked;
        self.check = (standing == Standing::Holdover).then(|| now + CHECK);
        self.server.set_upstream(now, Upstream { standing, parent: self.parent.clone() });
    }

    fn is_in_specification(&self, now: Instant) -> bool {
        let bound = self.parent.as_ref().and_then(|parent| self.client.error_bound_ns(now, parent));
        bound.is_some_and(|bound| bound + self.second_clock_error_ns <= self.holdover_limit_ns as f64)
    }

    /// For management: the data set that is announced, and the client's measurements.
    pub fn data_sets(&self, now: Instant) -> DataSets {
        let upstream = self.client.data_sets(now);
        let mut data_sets = self.server.data_sets();
        data_sets.default.number_ports = 2;
        data_sets.current = CurrentDs { steps_removed: data_sets.current.steps_removed, ..upstream.current };
        data_sets.time_status = TimeStatusNp {
            gm_present: data_sets.time_status.gm_present,
            gm_identity: data_sets.time_status.gm_identity,
            ..upstream.time_status
        };
        if data_sets.time_status.gm_present {
            data_sets.parent.parent_port_identity = upstream.parent.parent_port_identity;
        }
        data_sets.ports.extend(upstream.ports);
        data_sets
    }

    /// Whom a message is for that came to a port of both sides.
    fn receivers(&self, bytes: &[u8], from: IpAddr) -> (bool, bool) {
        if !self.client.has_server(from) {
            return (false, true);
        }
        match Message::parse(bytes).map(|message| message.body) {
            // Two clocks may be each other's server.
            Ok(Body::Signaling { target_port_identity: target }) => {
                (targets(target, self.client.port_identity()), targets(target, self.server.port_identity()))
            }
            Ok(Body::DelayReq { .. }) => (false, true),
            _ => (true, false),
        }
    }
}

/// Of one port for both sides.
impl Engine for Boundary {
    fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Received { bytes, from, channel, rx } => {
                let (to_client, to_server) = self.receivers(bytes, from);
                let input = || Input::Received { bytes, from, channel, rx };
                if to_client {
                    self.handle_at(Side::Upstream, now, input());
                }
                if to_server {
                    self.handle_at(Side::Downstream, now, input());
                }
            }
            Input::Sent { token: TxToken(token), tx } => {
                let side = if token & CLIENTS != 0 { Side::Upstream } else { Side::Downstream };
                self.handle_at(side, now, Input::Sent { token: TxToken(token), tx });
            }
            Input::TaiOffset(seconds) => {
                self.handle_at(Side::Upstream, now, Input::TaiOffset(seconds));
                self.handle_at(Side::Downstream, now, Input::TaiOffset(seconds));
            }
            // A boundary clock knows from its server how good it is.
            Input::KernelClock(_) => {}
            Input::Unreachable { to } => self.handle_at(Side::Upstream, now, Input::Unreachable { to }),
            Input::Steered { at } => self.handle_at(Side::Upstream, now, Input::Steered { at }),
            Input::ClockDisturbed => {
                self.handle_at(Side::Upstream, now, Input::ClockDisturbed);
                self.handle_at(Side::Downstream, now, Input::ClockDisturbed);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
        self.pass_on(now);
        self.server.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.client.poll_timeout(), self.server.poll_timeout(), self.check].into_iter().flatten().min()
    }

    fn is_finished(&self) -> bool {
        self.client.is_finished() && self.server.is_finished()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.poll_output_of().map(|(_, output)| output)
    }
}
