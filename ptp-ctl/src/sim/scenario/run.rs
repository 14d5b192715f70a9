//! Plays a scenario.

use super::check::{CLIENT, server_address};
use super::{Document, RouteChange, Scenario, ServerModel, What};
use crate::config::{Local, ServerSettings};
use crate::engine::config::LocalTimescale;
use crate::engine::event::Event;
use crate::sim::statistics::{Sample, Statistics};
use crate::sim::{NodeId, Observation, Oscillator, Path, World};
use ptp_common::wire::{ClockIdentity, PortIdentity};
use std::net::IpAddr;
use std::time::Duration;

/// Largest adjustment of the client's clock, ppb: that of Linux' system clock.
const MAX_FREQUENCY_PPB: f64 = 500_000.0;

/// What came of playing a scenario once.
#[derive(Clone, Debug)]
pub struct Run {
    /// Of all chances.
    pub seed: u64,
    /// The client's clock, once a second.
    pub samples: Vec<Sample>,
    /// What the client reported.
    pub events: Vec<Happening>,
}

/// What the client reported, and when.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Happening {
    /// True time since the start, s.
    pub at_s: f64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

impl Run {
    /// In figures, as the scenario defines them.
    pub fn statistics(&self, scenario: &Scenario) -> Statistics {
        Statistics::of(&self.samples, scenario.measure_from(), scenario.document.settled_within)
            .expect("a checked scenario lasts a second after the measurement begins")
    }
}

impl Scenario {
    /// Plays it. The same seed gives the same run.
    pub fn run(&self, seed: u64) -> Run {
        let document = &self.document;
        let mut stage = Stage::new(self, seed);
        let mut events: Vec<_> = document.event.iter().collect();
        events.sort_by(|a, b| a.at.total_cmp(&b.at));
        let mut events = events.into_iter().peekable();
        let mut run = Run { seed, samples: Vec::new(), events: Vec::new() };
        for second in 1..=document.duration as u32 {
            let second = f64::from(second);
            while let Some(event) = events.next_if(|event| event.at < second) {
                stage.run_until(event.at);
                stage.happen(event.what, event.server);
            }
            stage.run_until(second);
            stage.observe(second, &mut run);
        }
        run
    }
}

/// The world and who is who in it.
struct Stage<'a> {
    scenario: &'a Scenario,
    world: World,
    client: NodeId,
    servers: Vec<Place>,
    /// The one that the client followed last.
    followed: Option<usize>,
}

/// A server and the state of the ways to it.
struct Place {
    node: NodeId,
    down: bool,
    longer: RouteChange,
}

impl<'a> Stage<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let Document { oscillator, stamps, server, .. } = &scenario.document;
        let mut world = World::new(seed);
        world.set_stamps(*stamps);
        let mut servers = Vec::new();
        for (index, (model, settings)) in server.iter().zip(&scenario.servers).enumerate() {
            let address = server_address(index);
            for customer in customers(&scenario.document, index) {
                world.set_path(address, customer, model.to_client.clone());
                world.set_path(customer, address, model.to_server().clone());
            }
            let local = local(index + 2, seed);
            let config = settings.engine_config(&local);
            let node = match &settings.upstream {
                None => world.add_server(address, config, Oscillator::new(model.offset, 0.0)),
                Some(upstream) => {
                    let clock = model.oscillator.unwrap_or_default().oscillator();
                    world.add_boundary(address, upstream.engine_config(config, &local), clock)
                }
            };
            servers.push(Place { node, down: false, longer: RouteChange::default() });
        }
        let config = scenario.client.engine_config(&local(1, seed));
        let client = world.add_client(CLIENT, config, oscillator.oscillator());
        Self { scenario, world, client, servers, followed: None }
    }

    fn run_until(&mut self, seconds: f64) {
        let until = Duration::from_secs_f64(seconds);
        self.world.run_for(until.saturating_sub(self.world.now()));
    }

    fn happen(&mut self, what: What, server: Option<usize>) {
        let all = 0..self.servers.len();
        for index in all.filter(|index| server.is_none_or(|number| number == index + 1)) {
            let place = &mut self.servers[index];
            match what {
                What::ServerOff => self.world.kill(place.node),
                What::ServerOn => {
                    let settings: &ServerSettings = &self.scenario.servers[index];
                    let local = local(index + 2, self.world.instant().as_nanos());
                    let config = settings.engine_config(&local);
                    match &settings.upstream {
                        None => self.world.restart_server(place.node, config),
                        Some(upstream) => {
                            self.world.restart_boundary(place.node, upstream.engine_config(config, &local));
                        }
                    }
                }
                What::NetworkDown => place.down = true,
                What::NetworkUp => place.down = false,
                What::TimeJump(ns) => self.world.jump_clock(place.node, ns.round() as i64),
                What::RouteChange(RouteChange { to_client, to_server }) => {
                    place.longer.to_client += to_client;
                    place.longer.to_server += to_server;
                }
            }
            self.set_paths(index);
        }
    }

    fn set_paths(&mut self, index: usize) {
        let Place { down, longer, .. } = self.servers[index];
        let model = &self.scenario.document.server[index];
        let address = server_address(index);
        let path = |path: &Path, longer: f64| match down {
            true => Path::broken(),
            false => Path { delay: path.delay.clone().plus_constant(longer), ..path.clone() },
        };
        for customer in customers(&self.scenario.document, index) {
            self.world.set_path(address, customer, path(&model.to_client, longer.to_client));
            self.world.set_path(customer, address, path(model.to_server(), longer.to_server));
        }
    }

    fn observe(&mut self, at_s: f64, run: &mut Run) {
        let status = self.world.client(self.client).map(|client| client.status(self.world.instant()));
        let selected = status.as_ref().and_then(|status| status.selected_server);
        let place = (0..self.servers.len()).find(|&index| Some(server_address(index)) == selected);
        self.followed = place.or(self.followed);
        run.samples.push(Sample {
            at_s,
            error_ns: self.world.true_error_ns(self.client),
            server_error_ns: self
                .followed
                .map_or(0.0, |index| self.world.true_error_ns(self.servers[index].node)),
            estimate_ns: status.as_ref().and_then(|status| status.estimated_offset_ns),
            bound_ns: status.as_ref().and_then(|status| status.bound_ns),
        });
        for report in self.world.take_reports() {
            if let (true, Observation::Event(event)) = (report.node == self.client, report.what) {
                run.events.push(Happening { at_s: report.at.as_secs_f64(), event });
            }
        }
    }
}

/// Who asks the server at `index`.
fn customers(document: &Document, index: usize) -> Vec<IpAddr> {
    let follows = |server: &ServerModel| server.upstream.contains(&(index + 1));
    let boundaries = document.server.iter().enumerate().filter(|(_, server)| follows(server));
    let client = document.server[index].client.then_some(CLIENT);
    boundaries.map(|(place, _)| server_address(place)).chain(client).collect()
}

/// What the engine must know of a machine, which is number `number` here.
fn local(number: usize, seed: u64) -> Local {
    Local {
        port_identity: PortIdentity {
            clock_identity: ClockIdentity([2, 0, 0, 0xff, 0xfe, 0, 0, number as u8]),
            port_number: 1,
        },
        timescale: LocalTimescale::Tai,
        frequency_ppb: 0.0,
        max_frequency_ppb: MAX_FREQUENCY_PPB,
        seed: seed.wrapping_add(number as u64),
    }
}
