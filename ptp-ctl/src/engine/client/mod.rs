//! The client.

mod status;

pub use status::{AnnounceStatus, GrantStatus, GrantsStatus, Sample, ServerStatus, State, Status};

use super::config::ClientConfig;
use super::{Engine, Input, Instant, Output};

/// SKELETON
pub struct Client {
    config: ClientConfig,
}

impl Client {
    pub fn new(now: Instant, config: ClientConfig) -> Self {
        let _ = now;
        Self { config }
    }
    /// Cancels every grant; the outputs that follow are the last.
    pub fn shutdown(&mut self, now: Instant) {
        let _ = (now, &self.config);
    }
    pub fn status(&self, now: Instant) -> Status {
        let _ = now;
        unimplemented!()
    }
    /// Packets by what became of them: name and count, in a fixed order.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        std::iter::empty()
    }
}

impl Engine for Client {
    fn handle(&mut self, _now: Instant, _input: Input<'_>) {}
    fn handle_timeout(&mut self, _now: Instant) {}
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    fn poll_output(&mut self) -> Option<Output> {
        None
    }
}
