//! The world under virtual time: clients and servers with their clocks, and a network between them that delays, loses,
//! repeats and re-orders packets. Hours pass in seconds, and the same seed gives the same run.

mod clock;
mod delay;
mod network;
mod node;
mod pending;
mod random;
pub mod scenario;
pub mod statistics;
mod trace;

pub use clock::{Instability, Oscillator, Temperature};
pub use delay::{Clip, Delay, Normal, Range, Shape, Share, Term};
pub use network::{Load, Path};
pub use node::{NodeId, Stamps};
pub use trace::{Trace, TraceError};

use crate::engine::boundary::{Boundary, BoundaryConfig};
use crate::engine::client::{Client, Sample};
use crate::engine::config::{ClientConfig, ServerConfig};
use crate::engine::event::Event;
use crate::engine::server::Server;
use crate::engine::servo::Decision;
use crate::engine::{Input, Instant, Output, Packet, TxToken};
use network::Link;
use node::{Node, Role};
use pending::{Pending, What};
use ptp_common::net::Channel;
use ptp_common::wire::{MessageType, set_origin_timestamp};
use random::stream;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

/// The engines' monotonic time at the start of every run: not zero, for that is nobody's.
const START: Instant = Instant::from_nanos(1_000_000_000);
/// How long a TX stamp takes from the NIC to the engine at most: it may well be overtaken by the answer.
const TX_STAMP_DELAY: Duration = Duration::from_micros(200);
/// Oscillators change their frequency so often, ns.
const DRIFT_INTERVAL: u64 = 1_000_000_000;

/// What a machine reported, and when.
#[derive(Clone, Debug)]
pub struct Report {
    /// True time since the start.
    pub at: Duration,
    /// Who.
    pub node: NodeId,
    /// What.
    pub what: Observation,
}

/// Something worth recording.
#[derive(Clone, Debug)]
pub enum Observation {
    /// An engine's event.
    Event(Event),
    /// A complete exchange, with the client's true error (reading minus truth) just before it steered, ns.
    Sample(Sample, f64),
}

/// All machines, the network and the time.
pub struct World {
    /// True time since the start, ns.
    now: u64,
    nodes: Vec<Node>,
    addresses: HashMap<IpAddr, NodeId>,
    queue: BinaryHeap<Reverse<Pending>>,
    order: u64,
    seed: u64,
    paths: HashMap<(IpAddr, IpAddr), Path>,
    default_path: Path,
    links: HashMap<(IpAddr, IpAddr), Link>,
    blocked: Vec<(IpAddr, IpAddr, MessageType)>,
    stamps: Stamps,
    reports: Vec<Report>,
}

impl World {
    /// An empty world; all of its chances come from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            now: 0,
            nodes: Vec::new(),
            addresses: HashMap::new(),
            queue: BinaryHeap::new(),
            order: 0,
            seed,
            paths: HashMap::new(),
            default_path: Path::default(),
            links: HashMap::new(),
            blocked: Vec::new(),
            stamps: Stamps::default(),
            reports: Vec::new(),
        }
    }

    /// The way of every packet for which no other is set.
    pub fn set_default_path(&mut self, path: Path) {
        self.default_path = path;
    }

    /// The way of packets from one address to another.
    pub fn set_path(&mut self, from: IpAddr, to: IpAddr, path: Path) {
        self.paths.insert((from, to), path);
    }

    /// How good the stamps of every machine are.
    pub fn set_stamps(&mut self, stamps: Stamps) {
        self.stamps = stamps;
        for node in &mut self.nodes {
            node.stamps = stamps;
        }
    }

    /// A client that starts now.
    pub fn add_client(&mut self, address: IpAddr, config: ClientConfig, clock: Oscillator) -> NodeId {
        let client = Client::new(self.instant(), config);
        self.add(address, Role::Client(Box::new(client)), clock)
    }

    /// A server that starts now.
    pub fn add_server(&mut self, address: IpAddr, config: ServerConfig, clock: Oscillator) -> NodeId {
        let server = Server::new(self.instant(), config);
        self.add(address, Role::Server(Box::new(server)), clock)
    }

    /// A boundary clock that starts now, one port for both of its sides.
    pub fn add_boundary(&mut self, address: IpAddr, config: BoundaryConfig, clock: Oscillator) -> NodeId {
        let boundary = Boundary::new(self.instant(), config);
        self.add(address, Role::Boundary(Box::new(boundary)), clock)
    }

    /// Switches a machine off, without a word to anyone. Its clock goes on.
    pub fn kill(&mut self, node: NodeId) {
        self.nodes[node.0].kill();
    }

    /// Switches a server on again; it remembers nothing.
    pub fn restart_server(&mut self, node: NodeId, config: ServerConfig) {
        self.nodes[node.0].role = Role::Server(Box::new(Server::new(self.instant(), config)));
        self.start(node);
    }

    /// Switches a boundary clock on again; it remembers nothing.
    pub fn restart_boundary(&mut self, node: NodeId, config: BoundaryConfig) {
        self.nodes[node.0].role = Role::Boundary(Box::new(Boundary::new(self.instant(), config)));
        self.start(node);
    }

    /// A client that is on gets other settings.
    pub fn reconfigure_client(&mut self, node: NodeId, config: ClientConfig) {
        let now = self.instant();
        if let Role::Client(client) = &mut self.nodes[node.0].role {
            client.reconfigure(now, config);
        }
        self.drain(node);
    }

    /// A boundary clock that is on gets other settings.
    pub fn reconfigure_boundary(&mut self, node: NodeId, config: BoundaryConfig) {
        let now = self.instant();
        if let Role::Boundary(boundary) = &mut self.nodes[node.0].role {
            boundary.reconfigure(now, config);
        }
        self.drain(node);
    }

    /// Ends an engine in good order: what it sends last goes out, and is repeated until it is acknowledged.
    pub fn shutdown(&mut self, node: NodeId) {
        let now = self.instant();
        match &mut self.nodes[node.0].role {
            Role::Client(client) => client.shutdown(now),
            Role::Server(server) => server.shutdown(now),
            Role::Boundary(boundary) => boundary.shutdown(now),
            Role::Dead => {}
        }
        self.nodes[node.0].ending = true;
        self.drain(node);
    }

    /// What the kernel of a machine knows of TAI - UTC changes.
    pub fn set_tai_offset(&mut self, node: NodeId, seconds: Option<i16>) {
        self.nodes[node.0].tai_offset = seconds;
        self.input(node, Input::TaiOffset(seconds));
    }

    /// The clock of a machine jumps.
    pub fn jump_clock(&mut self, node: NodeId, by_ns: i64) {
        let now = self.now;
        self.nodes[node.0].clock.step(now, by_ns);
    }

    /// The clock of a machine that nobody steers begins to run away, ppb.
    pub fn ramp_clock(&mut self, node: NodeId, ppb: f64) {
        let now = self.now;
        self.nodes[node.0].clock.adjust(now, ppb);
    }

    /// Messages of this type do not get from one address to another any more.
    pub fn block(&mut self, from: IpAddr, to: IpAddr, message_type: MessageType) {
        self.blocked.push((from, to, message_type));
    }

    /// A packet from somebody who is no machine of this world.
    pub fn inject(&mut self, to: NodeId, from: IpAddr, channel: Channel, bytes: &[u8]) {
        self.push(self.now, to, What::Deliver { from, channel, bytes: bytes.to_vec() });
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        while let Some(Reverse(next)) = self.queue.peek() {
            if next.at > end {
                break;
            }
            let Some(Reverse(pending)) = self.queue.pop() else {
                break;
            };
            self.now = pending.at;
            self.happen(pending.node, pending.what);
        }
        self.now = end;
    }

    /// True time since the start.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// The engines' monotonic time.
    pub fn instant(&self) -> Instant {
        START + self.now()
    }

    /// A clock's reading minus the truth, ns.
    pub fn true_error_ns(&self, node: NodeId) -> f64 {
        self.nodes[node.0].clock.error_ns(self.now)
    }

    /// The client at `node`, if there is one.
    pub fn client(&self, node: NodeId) -> Option<&Client> {
        match &self.nodes[node.0].role {
            Role::Client(client) => Some(client),
            Role::Boundary(boundary) => Some(boundary.client()),
            Role::Server(_) | Role::Dead => None,
        }
    }

    /// The server at `node`, if there is one.
    pub fn server(&self, node: NodeId) -> Option<&Server> {
        match &self.nodes[node.0].role {
            Role::Server(server) => Some(server),
            Role::Boundary(boundary) => Some(boundary.server()),
            Role::Client(_) | Role::Dead => None,
        }
    }

    /// Everything reported since the last call.
    pub fn take_reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// Packets sent from one address to another so far.
    pub fn packets(&self, from: IpAddr, to: IpAddr) -> u64 {
        self.links.get(&(from, to)).map_or(0, |link| link.packets)
    }

    /// When a packet from one address to another got lost last: true time since the start.
    pub fn last_loss(&self, from: IpAddr, to: IpAddr) -> Option<Duration> {
        self.links.get(&(from, to))?.last_loss.map(Duration::from_nanos)
    }

    fn add(&mut self, address: IpAddr, role: Role, clock: Oscillator) -> NodeId {
        let node = NodeId(self.nodes.len());
        self.addresses.insert(address, node);
        self.nodes.push(Node {
            address,
            role,
            clock,
            stamps: self.stamps,
            random: stream(self.seed, &[address]),
            tai_offset: Some(37),
            life: 0,
            ending: false,
            wake_at: None,
        });
        if clock.drifts() {
            self.push(self.now + DRIFT_INTERVAL, node, What::Drift);
        }
        self.start(node);
        node
    }

    fn start(&mut self, node: NodeId) {
        let tai_offset = self.nodes[node.0].tai_offset;
        self.input(node, Input::TaiOffset(tai_offset));
    }

    fn push(&mut self, at: u64, node: NodeId, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Pending { at, order: self.order, node, what }));
    }

    fn happen(&mut self, node: NodeId, what: What) {
        let life = self.nodes[node.0].life;
        match what {
            What::Deliver { from, channel, bytes } => {
                let stamp = (channel == Channel::Event).then(|| self.nodes[node.0].take_stamp(self.now));
                self.input(node, Input::Received { bytes: &bytes, from, channel, rx: stamp });
            }
            What::Sent { token, tx, life: of } if of == life => self.input(node, Input::Sent { token, tx }),
            What::Wake if self.nodes[node.0].wake_at == Some(self.now) => {
                self.nodes[node.0].wake_at = None;
                let now = self.instant();
                if let Some(engine) = self.nodes[node.0].role.engine() {
                    engine.handle_timeout(now);
                }
                self.drain(node);
            }
            What::Drift => {
                let Node { clock, random, .. } = &mut self.nodes[node.0];
                clock.drift(self.now, random);
                self.push(self.now + DRIFT_INTERVAL, node, What::Drift);
            }
            What::Sent { .. } | What::Wake => {}
        }
    }

    fn input(&mut self, node: NodeId, input: Input<'_>) {
        let now = self.instant();
        if let Some(engine) = self.nodes[node.0].role.engine() {
            engine.handle(now, input);
        }
        self.drain(node);
    }

    fn drain(&mut self, node: NodeId) {
        while let Some(output) = self.nodes[node.0].role.engine().and_then(|engine| engine.poll_output()) {
            self.perform(node, output);
        }
        let wake = self.nodes[node.0].role.engine().and_then(|engine| engine.poll_timeout());
        let wake = wake.map(|at| (at.since(START).as_nanos() as u64).max(self.now));
        if let Some(at) = wake.filter(|_| wake != self.nodes[node.0].wake_at) {
            self.push(at, node, What::Wake);
        }
        self.nodes[node.0].wake_at = wake;
        let Node { role, ending, .. } = &mut self.nodes[node.0];
        if *ending && role.engine().is_none_or(|engine| engine.is_finished()) {
            self.kill(node);
        }
    }

    fn perform(&mut self, node: NodeId, output: Output) {
        match output {
            Output::Send { to, channel, packet, token, origin } => {
                let mut packet = packet;
                if let Some(local_to_served) = origin {
                    let time = self.nodes[node.0].reading(self.now) + local_to_served;
                    set_origin_timestamp(packet.as_bytes_mut(), time)
                        .expect("only messages with an originTimestamp ask for one");
                }
                if let Some(token) = token {
                    self.stamp(node, token);
                }
                self.transmit(self.nodes[node.0].address, to, channel, &packet);
            }
            Output::Steer(decision) => self.steer(node, decision),
            Output::Sample(sample) => {
                let error = self.true_error_ns(node);
                self.report(node, Observation::Sample(sample, error));
            }
            Output::Event(event) => self.report(node, Observation::Event(event)),
            Output::Grant { .. } | Output::Revoke { .. } => {}
        }
    }

    fn steer(&mut self, node: NodeId, decision: Decision) {
        let (now, instant) = (self.now, self.instant());
        let machine = &mut self.nodes[node.0];
        match decision {
            Decision::Hold => return,
            Decision::Slew { frequency_ppb } => machine.clock.adjust(now, frequency_ppb),
            Decision::Step { offset_ns, frequency_ppb } => {
                machine.clock.step(now, -offset_ns);
                machine.clock.adjust(now, frequency_ppb);
            }
        }
        let at = machine.reading(now);
        if let Some(engine) = machine.role.engine() {
            engine.handle(instant, Input::Steered { at });
        }
    }

    fn report(&mut self, node: NodeId, what: Observation) {
        self.reports.push(Report { at: self.now(), node, what });
    }

    fn stamp(&mut self, node: NodeId, token: TxToken) {
        let machine = &mut self.nodes[node.0];
        let lost = machine.random.f64() < machine.stamps.tx_loss;
        let delay = TX_STAMP_DELAY.mul_f64(machine.random.f64()).as_nanos() as u64;
        let life = machine.life;
        let tx = (!lost).then(|| machine.take_stamp(self.now));
        self.push(self.now + delay, node, What::Sent { token, tx, life });
    }

    fn transmit(&mut self, from: IpAddr, to: IpAddr, channel: Channel, packet: &Packet) {
        let message_type = packet.as_bytes().first().and_then(|first| MessageType::from_nibble(first & 0xf));
        if self.blocked.iter().any(|&(a, b, blocked)| (a, b) == (from, to) && Some(blocked) == message_type) {
            return;
        }
        let way = (from, to);
        let seed = self.seed;
        let link = self.links.entry(way).or_insert_with(|| Link::new(stream(seed, &[from, to])));
        let path = self.paths.get(&way).unwrap_or(&self.default_path);
        let arrivals = link.arrivals(path, self.now, channel == Channel::Event);
        if arrivals.is_empty() {
            link.last_loss = Some(self.now);
        }
        let Some(&receiver) = self.addresses.get(&to) else { return };
        for at in arrivals {
            let bytes = packet.as_bytes().to_vec();
            self.push(at, receiver, What::Deliver { from, channel, bytes });
        }
    }
}
