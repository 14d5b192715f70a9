//! The port of a boundary clock that faces its servers, where that is another one than its clients come to.

use super::interfaces::Links;
use super::plane::Plane;
use crate::engine::TxToken;
use crate::net::Sockets;
use anyhow::Context as _;

/// What the other port has of its own.
pub(super) struct UpstreamPort {
    pub(super) interface: String,
    pub(super) sockets: Sockets<TxToken>,
    pub(super) plane: Option<Plane>,
    pub(super) links: Links,
}

impl UpstreamPort {
    /// Waits for packets, stamps or records. Cancel-safe.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        let ring = async {
            match &self.plane {
                Some(plane) => plane.ready().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = ring => ready,
            ready = self.sockets.ready() => ready.map(|_| ()).context("cannot wait for packets"),
        }
    }
}
