//! The rooms of `ptp-ctl`. ARCHITECTURE: cli → runtime → {dataplane, net, clock, report}; engine stands alone.

pub mod cli;
pub mod clock;
pub mod config;
pub mod dataplane;
pub mod engine;
pub mod net;
pub mod process;
pub mod report;
pub mod runtime;
pub mod sim;
