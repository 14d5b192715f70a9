//! A hundred thousand clients that all start in one second, and the server that restarts under them.

use crate::figures::{Bar, Report, Row};
use crate::interrupt;
use crate::sim::{SERVER_A, client, policy, secs, server};
use anyhow::{Context, Result};
use ptp_ctl::engine::config::{ClientConfig, Policy, ServerConfig};
use ptp_ctl::sim::{Delay, NodeId, Oscillator, Path, World};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Clients of the bench.
pub const CLIENTS: u32 = 100_000;
/// Of every grant, s.
const DURATION: u32 = 300;
/// Renewals start between a quarter and three quarters of it.
const FIRST_RENEWAL: u32 = DURATION / 4;
/// Seconds that are looked at from the first renewal on.
const WATCHED: u32 = 2 * DURATION;
/// What a restarted server has until the crowd is back, s.
const RETURN: u32 = 10;

/// Requests in the busiest second, and in the mean.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Signaling messages.
    pub most: u64,
    /// The same.
    pub mean: f64,
    /// Clients that had no grant at the end.
    pub unserved: u64,
}

impl Load {
    /// How much busier the busiest second is.
    pub fn ratio(&self) -> f64 {
        self.most as f64 / self.mean
    }
}

/// Plays it with so many clients: from the first renewal on, and from 10 s after the server's restart on.
pub fn play(clients: u32) -> Result<[Load; 2]> {
    let mut crowd = Crowd::new(clients)?;
    crowd.pass(FIRST_RENEWAL)?;
    let started = crowd.watch(WATCHED)?;
    crowd.world.restart_server(crowd.server, crowd.config.clone());
    crowd.signaling = 0;
    crowd.pass(RETURN)?;
    Ok([started, crowd.watch(WATCHED)?])
}

/// The rows of both.
pub fn run(report: &mut Report) -> Result<()> {
    let [started, restarted] = play(CLIENTS)?;
    for (case, load) in [("started in one second", started), ("server restarted", restarted)] {
        let case = format!("{CLIENTS} clients, {case}");
        let ratio = (1_000.0 * load.ratio()).round() / 1_000.0;
        report.rows.push(Row::new(&case, "busiest second / mean", "", ratio).judged(Bar::AtMost(2.0)));
        report.rows.push(Row::new(&case, "requests in the mean", "1/s", load.mean.round()));
        report
            .rows
            .push(Row::new(&case, "clients without a grant", "", load.unserved).judged(Bar::AtMost(0.0)));
    }
    Ok(())
}

struct Crowd {
    world: World,
    server: NodeId,
    config: ServerConfig,
    clients: Vec<NodeId>,
    /// Messages that the server had had.
    signaling: u64,
}

impl Crowd {
    fn new(clients: u32) -> Result<Self> {
        let mut world = World::new(1);
        let delay = Delay::constant(Duration::from_millis(1)).plus_exponential(Duration::from_millis(1));
        world.set_default_path(Path::new(delay));
        let policy = Policy { max_clients: clients as usize, ..policy() };
        let config = ServerConfig { two_step: false, policy, ..server(2) };
        let server = world.add_server(SERVER_A, config.clone(), Oscillator::PERFECT);
        let template = ClientConfig {
            log_announce_interval: 4,
            log_sync_interval: 0,
            log_delay_resp_interval: 0,
            duration: DURATION,
            servo: None,
            ..client(&[SERVER_A])
        };
        let mut nodes = Vec::new();
        for number in 0..clients {
            let mut config = template.clone();
            config.port.seed = number.into();
            let address = IpAddr::V6(Ipv6Addr::from_bits((0xfd << 120) | (u128::from(number) + 0x1_0000)));
            nodes.push(world.add_client(address, config, Oscillator::PERFECT));
            // All within the first second.
            if (number + 1).is_multiple_of(clients.div_ceil(100)) {
                world.run_for(Duration::from_millis(10));
                world.take_reports();
                interrupt::check()?;
            }
        }
        Ok(Self { world, server, config, clients: nodes, signaling: 0 })
    }

    /// The messages of one second more.
    fn second(&mut self) -> Result<u64> {
        interrupt::check()?;
        self.world.run_for(secs(1.0));
        // Nobody reads them, and there are many.
        self.world.take_reports();
        let server = self.world.server(self.server).context("the server is there")?;
        let count = |wanted| server.counters().find(|(name, _)| *name == wanted).map(|(_, count)| count);
        let signaling = count("signaling").context("a server counts what it is asked")?;
        let before = std::mem::replace(&mut self.signaling, signaling);
        Ok(signaling - before)
    }

    fn pass(&mut self, seconds: u32) -> Result<()> {
        (0..seconds).try_for_each(|_| self.second().map(drop))
    }

    fn watch(&mut self, seconds: u32) -> Result<Load> {
        let (mut most, mut sum) = (0, 0);
        for _ in 0..seconds {
            let now = self.second()?;
            most = most.max(now);
            sum += now;
        }
        let status = |&node| Some(self.world.client(node)?.status(self.world.instant()));
        let served = |node| status(node).is_some_and(|status| status.selected_server.is_some());
        let unserved = self.clients.iter().filter(|node| !served(node)).count() as u64;
        Ok(Load { most, mean: sum as f64 / f64::from(seconds), unserved })
    }
}
