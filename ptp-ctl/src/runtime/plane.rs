//! The XDP data plane as the loop uses it: what it refuses is counted and said once, never fatal.

use super::attach_mode;
use super::watch::watch;
use crate::config::{self, Common, DEFAULT_BPFFS};
use crate::dataplane::{DataPlane, DataPlaneError, Options, ReceivedEvent, probe};
use crate::engine::Instant;
use crate::net::interface_addresses;
use crate::report::CounterSet;
use anyhow::Context;
use ptp_common::wire::PortIdentity;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio::io::unix::AsyncFd;

/// Records taken in one go, so that the ring does not starve the sockets.
const BATCH: usize = 256;

/// The attached program, its maps and its ring.
pub(super) struct Plane {
    data_plane: DataPlane,
    ring: AsyncFd<OwnedFd>,
    /// As the program was told them.
    local: Vec<IpAddr>,
    errors: u64,
}

impl Plane {
    /// Attaches the program, or finds one that `attach` left, and tells it whose packets to take, from now on: the
    /// answer to the first request may come before the loop has turned once.
    pub(super) fn open(
        common: &Common,
        role: &config::Role,
        nic_stamps: bool,
        now: Instant,
    ) -> anyhow::Result<Self> {
        // Without `attach` no bpffs is needed. But who names one expects that it is looked at.
        if common.bpffs != Path::new(DEFAULT_BPFFS) {
            probe::check_bpffs(&common.bpffs)?;
        }
        let mut data_plane = DataPlane::open(&Options {
            interface: common.interface.clone(),
            mode: attach_mode(common.xdp_mode),
            bpffs: common.bpffs.clone(),
            nic_stamps,
        })?;
        let servers: Vec<IpAddr> = match role {
            config::Role::Client(client) => client.servers.iter().map(|server| server.address).collect(),
            config::Role::Server(_) => Vec::new(),
        };
        data_plane.set_servers(&servers)?;
        let local = interface_addresses(&common.interface)?;
        data_plane.set_local(&local)?;
        data_plane.heartbeat(now.as_nanos())?;
        let ring = watch(data_plane.event_fd()).context("cannot watch the ring buffer")?;
        Ok(Self { data_plane, ring, local, errors: 0 })
    }

    /// Waits for records. Cancel-safe; [`Plane::drain`] must have said that there are no more before the next call.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        let mut guard = self.ring.readable().await.context("cannot wait for the ring buffer")?;
        guard.clear_ready();
        Ok(())
    }

    /// Hands over records of the ring. True if there may be more.
    pub(super) fn drain(&mut self, f: impl FnMut(ReceivedEvent<'_>)) -> bool {
        self.data_plane.drain(BATCH, f) == BATCH
    }

    /// Is the program still at the hook? What cannot be found out is taken for yes.
    pub(super) fn is_attached(&self) -> bool {
        self.data_plane.is_attached().unwrap_or_else(|error| {
            tracing::debug!(%error, "the interface's XDP program could not be asked for");
            true
        })
    }

    /// The program may take packets for another while.
    pub(super) fn heartbeat(&mut self, now: Instant) {
        let told = self.data_plane.heartbeat(now.as_nanos());
        self.judge(told);
    }

    /// Tells the program when the interface's addresses have changed.
    pub(super) fn refresh_addresses(&mut self, interface: &str) {
        match interface_addresses(interface) {
            Ok(addresses) if addresses != self.local => {
                tracing::info!(?addresses, "addresses of {interface}");
                let told = self.data_plane.set_local(&addresses);
                if told.is_ok() {
                    self.local = addresses;
                }
                self.judge(told);
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the interface's addresses could not be read"),
        }
    }

    /// The program takes this client's Delay_Req until then.
    pub(super) fn grant(&mut self, client: IpAddr, port_identity: PortIdentity, expires: Instant) {
        let told = self.data_plane.grant(client, port_identity.to_bytes(), expires.as_nanos());
        self.judge(told);
    }

    /// The program takes this client's Delay_Req no more.
    pub(super) fn revoke(&mut self, client: IpAddr, port_identity: PortIdentity) {
        let told = self.data_plane.revoke(client, port_identity.to_bytes());
        self.judge(told);
    }

    /// The program's counters, and those of the ring's records.
    pub(super) fn counters(&self) -> (CounterSet, CounterSet) {
        let program = match self.data_plane.counters() {
            Ok(counters) => counters.into_iter().collect(),
            Err(error) => {
                tracing::debug!(%error, "the program's counters could not be read");
                CounterSet::default()
            }
        };
        let map_errors = ("map_errors", self.errors);
        (program, self.data_plane.record_counters().named().into_iter().chain([map_errors]).collect())
    }

    fn judge(&mut self, told: Result<(), DataPlaneError>) {
        if let Err(error) = told {
            if self.errors == 0 {
                tracing::error!("the XDP program was not told: {:#}", anyhow::Error::from(error));
            }
            self.errors += 1;
        }
    }
}
