//! The cases, in the order in which they run.

mod steady;

use super::Run;
use anyhow::Result;

/// What is done; each starts from freshly loaded devices.
pub(super) type Case = fn(&mut Run) -> Result<()>;

pub(super) const ALL: &[(&str, Case)] = &[("steady", steady::symmetric)];
