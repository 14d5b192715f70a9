//! What a server can do: answers a second, negotiation, and everything at once, over veth between namespaces.
//!
//! The load is made and counted by XDP programs of the bench's own, so that a few cores are enough; it takes its share of
//! the CPU, which is the same whoever answers.

mod contenders;
mod engine;
mod fleet;
mod flood;
mod load;
mod negotiation;
mod overload;
mod pacing;
mod request;
mod responder;
mod stage;

use crate::figures::Report;
use anyhow::Result;
use std::time::Duration;

/// A part of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Delay_Resp a second.
    Responder,
    /// The same when more is asked than can be answered.
    Overload,
    /// Signaling a second, without any packet.
    Engine,
    /// Signaling a second, and what a million clients take.
    Negotiation,
    /// A million clients with Sync, Announce and Delay_Resp for a minute.
    Fleet,
    /// A thousand clients with 128 Sync a second each.
    Pacing,
    /// Good clients beside a flood.
    Flood,
}

/// Measures what is wanted.
pub(super) fn run(only: Option<Part>, seconds: Duration) -> Result<Report> {
    let mut report = Report::new("server");
    let wanted = |part| only.is_none_or(|only| only == part);
    if wanted(Part::Responder) {
        responder::run(&mut report, seconds)?;
    }
    if wanted(Part::Overload) {
        overload::run(&mut report, seconds)?;
    }
    if wanted(Part::Engine) {
        engine::run(&mut report)?;
    }
    if wanted(Part::Negotiation) {
        negotiation::run(&mut report, seconds)?;
    }
    if wanted(Part::Fleet) {
        fleet::run(&mut report)?;
    }
    if wanted(Part::Pacing) {
        pacing::run(&mut report)?;
    }
    if wanted(Part::Flood) {
        flood::run(&mut report, seconds)?;
    }
    Ok(report)
}
