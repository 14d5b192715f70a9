//! Sync and Announce to a server's clients by live frames: the kernel makes them, [`names::FAN_OUT`] fills them.
//!
//! A [`Schedule`] says who is due, a thread ([`pacing`]) keeps time, [`routes`] says where the frames leave to.

mod hops;
mod live;
mod pacing;
mod routes;
mod schedule;
mod spare;

use super::clients::Clients;
use super::error::DataPlaneError;
use super::events;
use super::mapping::Mapping;
use super::maps::access;
use super::pod::Plain;
use crate::process;
use aya::maps::{Array, MapData};
use aya::programs::Xdp;
use aya::programs::xdp::{XdpLink, XdpMode};
use hops::Hops;
use pacing::{Figures, Pacer, Shared};
use ptp_common::abi::{Due, NextHop, SERVICE_ANNOUNCE, SERVICE_SYNC, names};
pub(super) use routes::Routes;
use schedule::Schedule;
use spare::Spare;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Seconds after which the kernel is asked to confirm a neighbour that it could send to.
const CONFIRM: u64 = 30;
/// Neighbours that the kernel is asked to look for in one go.
const MOST_ASKED: usize = 1000;

/// Everything that sends.
pub(super) struct FanOut {
    shared: Arc<Shared>,
    /// Until the thread has it.
    pacer: Option<Pacer>,
    thread: Option<JoinHandle<()>>,
    /// The thread's.
    realtime_priority: u8,
    routes: Routes,
    hops: Hops,
    next_hops: Array<MapData, Plain<NextHop>>,
    seconds: u64,
    /// Clients for which there was no way when it was last looked for.
    no_way: u64,
    #[expect(dead_code, reason = "held so that the program stays attached, whoever else holds it")]
    link: XdpLink,
    #[expect(dead_code, reason = "held for the place that the program is attached to")]
    spare: Spare,
}

impl FanOut {
    /// Opens all that the thread needs. `program` must be loaded; it is attached to a device of its own, and goes with it.
    pub(super) fn open(
        program: &mut Xdp,
        routes: Routes,
        ethernet: [u8; 6],
        entries: u32,
        due: &MapData,
        next_hops: Array<MapData, Plain<NextHop>>,
    ) -> Result<Self, DataPlaneError> {
        let ifindex = routes.ifindex();
        let spare = Spare::new(ifindex).map_err(|source| DataPlaneError::Spare { source })?;
        let link = program
            .attach_to_if_index(spare.ifindex, XdpMode::Driver)
            .and_then(|link| program.take_link(link))
            .map_err(|error| DataPlaneError::Load(error.into()))?;
        let descriptor = program
            .fd()
            .map_err(|error| DataPlaneError::Load(error.into()))?
            .as_fd()
            .try_clone_to_owned()
            .map_err(DataPlaneError::system("keep the fan-out program open"))?;
        let shared = Arc::new(Shared {
            schedule: Schedule::new(entries),
            stop: AtomicBool::new(false),
            announce_all: AtomicBool::new(false),
            prompt: Mutex::new(Vec::new()),
            figures: Figures::default(),
        });
        let hops = Hops::new(ethernet, next_hops.len());
        let pacer = Pacer {
            shared: Arc::clone(&shared),
            program: descriptor,
            ifindex,
            due: Mapping::of(due, names::DUE, size_of::<Due>())?,
        };
        Ok(Self {
            shared,
            pacer: Some(pacer),
            thread: None,
            realtime_priority: 0,
            routes,
            hops,
            next_hops,
            seconds: 0,
            no_way: 0,
            link,
            spare,
        })
    }

    /// Starts the thread, with this thread's user and real-time priority; that.
    pub(super) fn run(&mut self) -> Result<u8, DataPlaneError> {
        if let Some(pacer) = self.pacer.take() {
            let thread = std::thread::Builder::new().name("fan-out".to_owned()).spawn(move || {
                // It has all open that it needs.
                process::renounce();
                pacer.run();
            });
            let error = DataPlaneError::system("start the thread that sends Sync and Announce");
            self.thread = Some(thread.map_err(error)?);
            self.realtime_priority = process::precedence();
        }
        Ok(self.realtime_priority)
    }

    /// Sends a service to the client at `index` from now on; the number of its next hop.
    pub(super) fn add(
        &mut self,
        index: u32,
        client: IpAddr,
        service: usize,
        log_interval: i8,
    ) -> Result<u16, DataPlaneError> {
        let next_hop = self.next_hop(client)?;
        self.shared.schedule.add(index, service, log_interval);
        Ok(next_hop)
    }

    /// Sends an Announce to a client at once: it has waited for none yet.
    pub(super) fn announce(&self, index: u32) {
        let mut prompt = self.shared.prompt.lock().unwrap_or_else(PoisonError::into_inner);
        prompt.push(index << 1 | SERVICE_ANNOUNCE as u32);
    }

    /// Sends a service no more.
    pub(super) fn remove(&self, index: u32, service: usize, log_interval: i8) {
        self.shared.schedule.remove(index, service, log_interval);
    }

    /// Sends an Announce to everyone before anything else.
    pub(super) fn announce_all(&self) {
        self.shared.announce_all.store(true, Relaxed);
    }

    /// Follows the kernel's routes and neighbours; to be called once a second.
    pub(super) fn refresh(&mut self, clients: &Clients) -> Result<(), DataPlaneError> {
        self.seconds += 1;
        let changes = self.routes.refresh()?;
        if changes.routes {
            self.no_way = 0;
            for (index, client) in clients.iter() {
                if client.expires[SERVICE_ANNOUNCE] != 0 || client.expires[SERVICE_SYNC] != 0 {
                    let next_hop = self.next_hop(events::address(client.address))?;
                    clients.update(index, |client| client.next_hop = next_hop);
                }
            }
        }
        let Self { hops, routes, next_hops, .. } = self;
        let known: Vec<_> = hops.iter().collect();
        if changes.neighbours || changes.routes {
            for (number, neighbour, _) in &known {
                if let Some(next_hop) = hops.update(*number, routes.ethernet(*neighbour)) {
                    next_hops.set((*number).into(), Plain(next_hop), 0).map_err(access(names::NEXT_HOPS))?;
                }
            }
        }
        // Those that cannot be sent to are looked for; the others are confirmed in turn, for nothing that is sent by
        // this way tells the kernel that they are needed.
        let turn = self.seconds % CONFIRM;
        let asked = known
            .iter()
            .filter(|(number, _, reachable)| !reachable || u64::from(*number) % CONFIRM == turn)
            .take(MOST_ASKED);
        for (_, neighbour, _) in asked {
            self.routes.use_neighbour(*neighbour);
        }
        Ok(())
    }

    /// How well it works, by name.
    pub(super) fn figures(&self) -> [(&'static str, u64); 10] {
        let Figures { runs, run_errors, skipped_slots, longest_lag_ns, longest_batch_ns, busy_ns, batches } =
            &self.shared.figures;
        let unreachable = self.hops.iter().filter(|(_, _, reachable)| !reachable).count();
        let mean = busy_ns.load(Relaxed) / batches.load(Relaxed).max(1);
        [
            ("runs", runs.load(Relaxed)),
            ("run_errors", run_errors.load(Relaxed)),
            ("skipped_slots", skipped_slots.load(Relaxed)),
            ("longest_lag_ns", longest_lag_ns.load(Relaxed)),
            ("mean_batch_ns", mean),
            ("longest_batch_ns", longest_batch_ns.load(Relaxed)),
            ("busy_ns", busy_ns.load(Relaxed)),
            ("next_hops", self.hops.len() as u64),
            ("unreachable_next_hops", unreachable as u64),
            ("clients_without_way", self.no_way),
        ]
    }

    /// Number of the client's next hop; 0, counted, if there is no way to it.
    fn next_hop(&mut self, client: IpAddr) -> Result<u16, DataPlaneError> {
        let Some(way) = self.routes.way(client) else {
            self.no_way += 1;
            return Ok(0);
        };
        let before = self.hops.len();
        let Some(number) = self.hops.number(way) else {
            self.no_way += 1;
            return Ok(0);
        };
        if self.hops.len() > before {
            let ethernet = self.routes.ethernet(way.neighbour);
            if ethernet.is_none() {
                self.routes.use_neighbour(way.neighbour);
            }
            if let Some(next_hop) = self.hops.update(number, ethernet) {
                self.next_hops.set(number.into(), Plain(next_hop), 0).map_err(access(names::NEXT_HOPS))?;
            }
        }
        Ok(number)
    }
}

impl Drop for FanOut {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, and has said so.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
