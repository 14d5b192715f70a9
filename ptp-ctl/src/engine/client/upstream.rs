//! What a boundary clock passes on: the data set of the server in use, and how long the clock is as good without it.

use super::{Client, State};
use crate::engine::Instant;
use crate::engine::path::PathSequence;
use ptp_common::time::Interval;
use ptp_common::wire::{Announce, Flags, PortIdentity};
use std::net::IpAddr;

/// parentDS and timePropertiesDS, as the server in use announces them.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct Parent {
    /// Its address.
    pub(in crate::engine) server: IpAddr,
    pub(in crate::engine) announce: Announce,
    pub(in crate::engine) flags: Flags,
    pub(in crate::engine) path: PathSequence,
    /// What brings a reading of the local clock into its timescale.
    pub(in crate::engine) local_to_server: Interval,
}

impl Client {
    /// Where it stands.
    pub(in crate::engine) const fn state(&self) -> State {
        self.state
    }

    /// Our own sourcePortIdentity.
    pub(in crate::engine) const fn port_identity(&self) -> PortIdentity {
        self.config.port.port_identity
    }

    /// Of the server in use.
    pub(in crate::engine) fn parent(&self) -> Option<Parent> {
        let association = &self.associations[self.selected?];
        let announced = association.announced.as_ref()?;
        Some(Parent {
            server: association.entry.address,
            announce: announced.announce,
            flags: announced.flags,
            path: announced.path.clone(),
            local_to_server: association.local_to_server(&self.surroundings()).ok()?,
        })
    }

    /// 99 % bound of how far the local clock is from the time of a server that may not serve any more, ns; `None` where
    /// nothing is known of it.
    pub(in crate::engine) fn error_bound_ns(&self, now: Instant, parent: &Parent) -> Option<f64> {
        let of = |index: &usize| self.associations[*index].entry.address == parent.server;
        let index = (0..self.associations.len()).find(of)?;
        let (_, estimate) = self.estimate(now, index, parent.local_to_server)?;
        Some(estimate.offset_ns.abs() + estimate.bound_ns)
    }

    /// Whether packets from there are meant for it.
    pub(in crate::engine) fn has_server(&self, address: IpAddr) -> bool {
        self.associations.iter().any(|association| association.entry.address == address)
    }
}
