//! Two servers that come and go, a network that loses, repeats and re-orders, and a client that must make the best of it.

use crate::sim::{CLIENT, SERVER_A, SERVER_B, client, server, status};
use ptp_ctl::engine::config::ClientConfig;
use ptp_ctl::engine::event::{Kind, Reason};
use ptp_ctl::sim::{Delay, NodeId, Observation, Oscillator, Path, World};
use std::net::IpAddr;
use std::time::Duration;

/// How often it is looked at what must always be true.
const TICK: Duration = Duration::from_secs(1);
/// With nothing lost between them, a client that nobody serves is served by a living server within so long: the longest
/// wait between requests, 5 s, and the time that a request, its grant and the first exchange are on their way.
const LONGEST_UNSERVED: Duration = Duration::from_millis(5_500);
/// A server that has lived, and been within reach, for so long is left for no reason but losses.
const SETTLED: Duration = Duration::from_secs(120);
const SERVERS: [IpAddr; 2] = [SERVER_A, SERVER_B];
/// Durations of grants.
const GRANT: u32 = 60;

/// How a server is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It dies, and remembers nothing when it is back.
    Death,
    /// It is told to end, and cancels its grants.
    Exit,
    /// The network loses everything to and from it.
    Cut,
}

/// A server that is not there for some time.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// How long after the beginning of the one before.
    pub after: Duration,
    /// Which of the two servers.
    pub server: usize,
    /// Until it is back.
    pub lasts: Duration,
    /// How it goes.
    pub fault: Fault,
}

/// What happens.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of all chances.
    pub seed: u64,
    /// Share of packets that get lost.
    pub loss: f64,
    /// Share of packets that arrive twice.
    pub duplication: f64,
    /// Mean of the delay that varies; packets overtake each other.
    pub variation: Duration,
    /// In the order of time.
    pub outages: Vec<Outage>,
    /// All of it.
    pub lasts: Duration,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Servers in use that were left although they served.
    pub false_switches: u32,
    /// The longest time without a server while one lived and nothing was lost between them.
    pub longest_unserved: Duration,
    /// What must never be, and was.
    pub violations: Vec<String>,
}

/// Plays it: 1 Sync/s from either server.
pub fn play(plan: &Plan) -> Outcome {
    let mut stage = Stage::new(plan);
    let mut changes = changes(plan);
    changes.sort_by_key(|change| change.at);
    let mut changes = changes.into_iter().peekable();
    while stage.world.now() < plan.lasts {
        let tick = stage.world.now() + TICK;
        while let Some(change) = changes.next_if(|change| change.at <= tick) {
            stage.run_until(change.at);
            stage.change(&change);
        }
        stage.run_until(tick);
        stage.look();
    }
    stage.end()
}

struct Change {
    at: Duration,
    server: usize,
    fault: Fault,
    begins: bool,
}

fn changes(plan: &Plan) -> Vec<Change> {
    let mut at = Duration::ZERO;
    let mut changes = Vec::new();
    for &Outage { after, server, lasts, fault } in &plan.outages {
        at += after;
        changes.push(Change { at, server, fault, begins: true });
        changes.push(Change { at: at + lasts, server, fault, begins: false });
    }
    changes
}

struct Place {
    node: NodeId,
    /// Outages that go on.
    down: u32,
    cut: u32,
    /// Since when it lives within reach.
    up_since: Duration,
}

struct Stage {
    world: World,
    path: Path,
    client: NodeId,
    places: [Place; 2],
    selected: Option<IpAddr>,
    unserved_since: Option<Duration>,
    outcome: Outcome,
}

impl Stage {
    fn new(plan: &Plan) -> Self {
        let mut world = World::new(plan.seed);
        let delay = Delay::constant(Duration::from_millis(1)).plus_exponential(plan.variation);
        let path = Path { loss: plan.loss, duplication: plan.duplication, ..Path::new(delay) };
        world.set_default_path(path.clone());
        let places = [0, 1].map(|number| Place {
            node: world.add_server(SERVERS[number], server(2 + number as u8), Oscillator::PERFECT),
            down: 0,
            cut: 0,
            up_since: Duration::ZERO,
        });
        let config = ClientConfig {
            log_sync_interval: 0,
            log_delay_resp_interval: 0,
            duration: GRANT,
            ..client(&SERVERS)
        };
        let client = world.add_client(CLIENT, config, Oscillator::new(1e5, 1e3));
        let outcome = Outcome::default();
        Self { world, path, client, places, selected: None, unserved_since: None, outcome }
    }

    fn run_until(&mut self, at: Duration) {
        self.world.run_for(at.saturating_sub(self.world.now()));
        self.judge_events();
    }

    fn change(&mut self, change: &Change) {
        let Change { server: number, fault, begins, .. } = *change;
        let Place { node, down, cut, up_since } = &mut self.places[number];
        let count = if fault == Fault::Cut { cut } else { down };
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        match (fault, begins, *count) {
            (Fault::Death, true, 1) => self.world.kill(*node),
            (Fault::Exit, true, 1) => self.world.shutdown(*node),
            (Fault::Death | Fault::Exit, false, 0) => {
                self.world.restart_server(*node, server(2 + number as u8));
            }
            (Fault::Cut, ..) => {
                let path = if *count > 0 { Path::broken() } else { self.path.clone() };
                self.world.set_path(CLIENT, SERVERS[number], path.clone());
                self.world.set_path(SERVERS[number], CLIENT, path);
            }
            _ => {}
        }
        *up_since = self.world.now();
    }

    /// Since when a server lives within reach.
    fn up_since(&self, number: usize) -> Option<Duration> {
        let Place { down, cut, up_since, .. } = self.places[number];
        (down == 0 && cut == 0).then_some(up_since)
    }

    fn judge_events(&mut self) {
        for report in self.world.take_reports() {
            let Observation::Event(event) = report.what else { continue };
            if report.node != self.client {
                continue;
            }
            match event.kind {
                Kind::Selected => self.selected = event.peer,
                Kind::Unusable if event.peer == self.selected => {
                    let number = SERVERS.iter().position(|&server| Some(server) == event.peer);
                    let up_since = number.and_then(|number| self.up_since(number));
                    let silent = matches!(
                        event.reason,
                        Some(Reason::SyncTimeout | Reason::AnnounceTimeout | Reason::DelayrespTimeout)
                    );
                    if silent && up_since.is_some_and(|since| report.at.saturating_sub(since) > SETTLED) {
                        self.outcome.false_switches += 1;
                    }
                }
                Kind::Expired => {
                    let number = SERVERS.iter().position(|&server| Some(server) == event.peer);
                    if number.and_then(|number| self.clean_since(number)).is_some_and(|since| {
                        report.at.saturating_sub(since) > Duration::from_secs(2 * u64::from(GRANT))
                    }) {
                        self.violate("a grant lapsed although the server was there".to_owned());
                    }
                }
                _ => {}
            }
        }
    }

    /// Since when nothing was lost between the client and a server that lives within reach.
    fn clean_since(&self, number: usize) -> Option<Duration> {
        let server = SERVERS[number];
        let losses = [self.world.last_loss(CLIENT, server), self.world.last_loss(server, CLIENT)];
        Some(losses.into_iter().flatten().fold(self.up_since(number)?, Duration::max))
    }

    fn look(&mut self) {
        let now = self.world.now();
        let status = status(&self.world, self.client);
        let used: Vec<_> = status.servers.iter().filter(|server| server.state == "selected").collect();
        if used.len() > 1 {
            self.violate(format!("{} servers selected", used.len()));
        }
        if used.first().map(|server| server.address) != status.selected_server {
            self.violate(format!("{:?} selected, and is not shown as such", status.selected_server));
        }
        for server in used {
            let grants = [&server.grants.announce, &server.grants.sync, &server.grants.delay_resp];
            if grants.iter().any(|grant| grant.expires_in_s.is_none_or(|left| left <= 0.0)) {
                self.violate(format!("{} is in use without a grant", server.address));
            }
        }
        if status.selected_server.is_some() {
            self.unserved_since = None;
            return;
        }
        let unserved_since = *self.unserved_since.get_or_insert(now);
        for (number, server) in SERVERS.iter().enumerate() {
            if let Some(clean) = self.clean_since(number) {
                let unserved = now.saturating_sub(clean.max(unserved_since));
                self.outcome.longest_unserved = self.outcome.longest_unserved.max(unserved);
                if unserved > LONGEST_UNSERVED {
                    self.violate(format!("{server} lives, and does not serve for {unserved:?}"));
                    self.unserved_since = Some(now);
                }
            }
        }
    }

    /// The client dies: no server sends anything after its grants have ended.
    fn end(mut self) -> Outcome {
        self.world.kill(self.client);
        for (number, &server) in SERVERS.iter().enumerate() {
            if self.places[number].cut > 0 {
                self.world.set_path(server, CLIENT, self.path.clone());
            }
        }
        self.world.run_for(Duration::from_secs(u64::from(GRANT) + 1));
        let sent = |world: &World| SERVERS.map(|server| world.packets(server, CLIENT));
        let before = sent(&self.world);
        self.world.run_for(Duration::from_secs(u64::from(GRANT)));
        if sent(&self.world) != before {
            self.violate("a server sends after its grants have ended".to_owned());
        }
        self.outcome
    }

    fn violate(&mut self, what: String) {
        self.outcome.violations.push(format!("{:?}: {what}", self.world.now()));
    }
}
