//! What the data plane sends for a server by itself, and to whom.

use super::error::DataPlaneError;
use super::fan_out::{FanOut, Routes};
use super::pins::pin_error;
use super::{DataPlane, Feature, Grant, Hold, counters, events};
use aya::programs::Xdp;
use aya_obj::programs::XdpAttachType;
use ptp_common::abi::{self, TICK_SHIFT, names};
use ptp_common::wire::MessageType;
use std::net::IpAddr;

impl DataPlane {
    /// Everyone who is granted something, and what: more than nobody only after a server that was killed.
    pub fn clients(&self) -> impl Iterator<Item = (IpAddr, [u8; 10], Grant)> {
        const MESSAGE_TYPES: [MessageType; 3] =
            [MessageType::Announce, MessageType::Sync, MessageType::DelayResp];
        self.maps.clients.iter().flat_map(|(_, client)| {
            let granted = (0..3).filter(move |service| client.expires[*service] != 0);
            granted.map(move |service| {
                let grant = Grant {
                    message_type: MESSAGE_TYPES[service],
                    log_interval: client.log_intervals[service],
                    expires: u64::from(client.expires[service]) << TICK_SHIFT,
                    nic_stamp: client.stamp_source == abi::STAMP_XDP_HARDWARE,
                };
                (events::address(client.address), client.port_identity, grant)
            })
        })
    }

    /// Opens all that it takes to send Sync and Announce, as [`Self::serve`] has them, out of the first interface, whose Ethernet
    /// address is `ethernet`, and from `local` addresses where there are any.
    pub fn open_fan_out(&mut self, ethernet: [u8; 6], local: &[IpAddr]) -> Result<(), DataPlaneError> {
        Feature::FanOut.check()?;
        let next_hops =
            self.maps.next_hops.take().ok_or_else(|| {
                DataPlaneError::BadObject(format!("{} is in use already", names::NEXT_HOPS))
            })?;
        let ifindex = self.hooks.first().map_or(0, |hook| hook.interface.index);
        let routes = Routes::new(ifindex, local)?;
        let (entries, due) = (self.maps.clients.entries(), &self.maps.due);
        let open = |program: &mut Xdp| FanOut::open(program, routes, ethernet, entries, due, next_hops);
        let mut fan_out = match &mut self.hold {
            Hold::Own(loaded) => open(loaded.fan_out()?)?,
            Hold::Pinned { pins, .. } => {
                let path = pins.fan_out();
                let mut program =
                    Xdp::from_pin(&path, XdpAttachType::Interface).map_err(pin_error("open", &path))?;
                open(&mut program)?
            }
        };
        self.resume(&mut fan_out)?;
        self.fan_out = Some(fan_out);
        Ok(())
    }

    /// Sends Sync and Announce to whoever is granted them, from now on. The thread that does has this thread's user and real-time
    /// priority, which is told; `None` unless all is open for it.
    pub fn run_fan_out(&mut self) -> Result<Option<u8>, DataPlaneError> {
        self.fan_out.as_mut().map(FanOut::run).transpose()
    }

    /// Sends an Announce to everyone who is granted it, before any other Sync or Announce.
    pub fn announce_all(&self) {
        if let Some(fan_out) = &self.fan_out {
            fan_out.announce_all();
        }
    }

    /// Follows the kernel's routes and neighbours; to be called once a second.
    pub fn refresh_routes(&mut self) -> Result<(), DataPlaneError> {
        match &mut self.fan_out {
            Some(fan_out) => fan_out.refresh(&self.maps.clients),
            None => Ok(()),
        }
    }

    /// What became of Sync and Announce that were due, and how well time is kept, by name; empty unless it was started.
    pub fn fan_out_counters(&self) -> Result<Vec<(&'static str, u64)>, DataPlaneError> {
        let Some(fan_out) = &self.fan_out else { return Ok(Vec::new()) };
        let mut counters = counters::read_fan_out(&self.maps.fan_out_counters)?;
        counters.extend(fan_out.figures());
        Ok(counters)
    }

    /// Everyone in the table: what is left there by a controller that was killed goes on.
    fn resume(&self, fan_out: &mut FanOut) -> Result<(), DataPlaneError> {
        for (index, client) in self.maps.clients.iter() {
            for service in [abi::SERVICE_ANNOUNCE, abi::SERVICE_SYNC] {
                if client.expires[service] != 0 {
                    let address = events::address(client.address);
                    let next_hop = fan_out.add(index, address, service, client.log_intervals[service])?;
                    self.maps.clients.update(index, |client| client.next_hop = next_hop);
                }
            }
        }
        Ok(())
    }
}
