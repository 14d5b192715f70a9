//! A machine of the simulated world: an engine, a clock, and stamps as good as they are.

use super::clock::Oscillator;
use super::random;
use crate::engine::Engine;
use crate::engine::boundary::Boundary;
use crate::engine::client::Client;
use crate::engine::server::Server;
use ptp_common::time::Timestamp;
use serde::Deserialize;
use std::net::IpAddr;

/// True time at the start of every run, s since the epoch.
const EPOCH_SECONDS: u64 = 1_800_000_000;

/// A machine in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(pub(super) usize);

/// How good a machine's stamps are.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Stamps {
    /// They are multiples of this, ns.
    pub granularity: u64,
    /// Standard deviation of what they are off by, ns.
    pub noise: f64,
    /// Share of TX stamps that are lost, 0 to 1.
    pub tx_loss: f64,
}

impl Default for Stamps {
    /// Exact to the nanosecond.
    fn default() -> Self {
        Self { granularity: 1, noise: 0.0, tx_loss: 0.0 }
    }
}

/// What a machine is.
pub(super) enum Role {
    Client(Box<Client>),
    Server(Box<Server>),
    Boundary(Box<Boundary>),
    /// Switched off.
    Dead,
}

impl Role {
    pub(super) fn engine(&mut self) -> Option<&mut dyn Engine> {
        match self {
            Self::Client(client) => Some(client.as_mut()),
            Self::Server(server) => Some(server.as_mut()),
            Self::Boundary(boundary) => Some(boundary.as_mut()),
            Self::Dead => None,
        }
    }
}

/// A machine: what it is, and its clock.
pub(super) struct Node {
    pub(super) address: IpAddr,
    pub(super) role: Role,
    pub(super) clock: Oscillator,
    pub(super) stamps: Stamps,
    /// Of its own: what happens elsewhere alters nothing here.
    pub(super) random: fastrand::Rng,
    pub(super) tai_offset: Option<i16>,
    /// Raised when it is switched off: what was on its way to the old engine does not reach the new one.
    pub(super) life: u32,
    /// It was told to end.
    pub(super) ending: bool,
    /// When the engine is woken next; wake-ups at other times are of plans given up since.
    pub(super) wake_at: Option<u64>,
}

impl Node {
    /// Switches it off. Its clock goes on.
    pub(super) fn kill(&mut self) {
        self.role = Role::Dead;
        self.ending = false;
        self.life += 1;
    }

    /// Its clock's reading: the error on top of the true time in its timescale. `now`: true time since the start, ns.
    pub(super) fn reading(&self, now: u64) -> Timestamp {
        let error = self.clock.error_ns(now).round() as i64;
        let truth = EPOCH_SECONDS * 1_000_000_000 + now;
        Timestamp::from_nanos(truth.saturating_add_signed(error))
    }

    /// What its stamps make of that.
    pub(super) fn take_stamp(&mut self, now: u64) -> Timestamp {
        let reading = self.reading(now);
        let Stamps { granularity, noise, .. } = self.stamps;
        if granularity <= 1 && noise == 0.0 {
            return reading;
        }
        let noise = if noise > 0.0 { (noise * random::normal(&mut self.random)).round() as i128 } else { 0 };
        let granularity = i128::from(granularity).max(1);
        let nanos = (reading.as_nanos() + noise).div_euclid(granularity) * granularity;
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}
