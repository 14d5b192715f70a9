//! What tests and the demo share: a routed world in network namespaces, programs under observation, linuxptp as a
//! peer to compare with, and figures in one form.

pub mod bench;
pub mod chaos;
pub mod demo;
pub mod figures;
pub mod interrupt;
pub mod lab;
pub mod netns;
pub mod peers;
pub mod pictures;
pub mod process;
pub mod program;
pub mod prometheus;
pub mod scenarios;
mod scratch;
pub mod sim;
mod skip;
pub mod wait;

pub use skip::{Need, SKIP_LOG, have, skip};
pub use wait::eventually;
