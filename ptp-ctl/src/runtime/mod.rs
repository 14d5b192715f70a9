//! The driver: one loop that feeds the engine what the machine brings and does what the engine asks for.

mod chrony;
mod control;
mod counters;
mod document;
mod drift;
mod driver;
mod guard;
mod http;
mod interfaces;
mod management;
mod notify;
mod perform;
mod plane;
mod port;
mod process;
mod questions;
mod reload;
mod role;
mod schedule;
mod second_clock;
mod serving;
mod source;
mod start;
mod supervise;
mod sync_plane;
mod system_clock;
mod time_page;
mod timer;
mod watch;

#[cfg(test)]
mod tests;

pub use control::Question;

use crate::config::{Settings, Source, XdpAttachMode};
use crate::dataplane::Mode;
use anyhow::Context;
use std::path::{Path, PathBuf};

/// Runs a client or a server until SIGINT or SIGTERM; SIGHUP reads its file again, if the settings came from one.
///
/// # Errors
/// What keeps it from starting, or from going on; each message names the cause and, where there is one, the way out.
pub fn run(settings: &Settings, source: Option<Source>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    runtime.block_on(async { start::start(settings, source)?.run().await })
}

/// What the controller that runs on this interface answers, as JSON; `None` if none runs.
///
/// # Errors
/// No such interface, or a controller that does not answer.
pub fn ask_running(run_dir: &Path, interface: &str, question: &Question) -> anyhow::Result<Option<Vec<u8>>> {
    control::ask(&control::path(run_dir, interface)?, question)
}

/// Where the client that runs on this interface, in this network namespace, tells what time it is, unless it has a `time-page`.
///
/// # Errors
/// There is no such interface.
pub fn time_page_path(run_dir: &Path, interface: &str) -> anyhow::Result<PathBuf> {
    Ok(control::path(run_dir, interface)?.with_extension("time"))
}

/// The mode as the data plane calls it.
pub const fn attach_mode(mode: XdpAttachMode) -> Mode {
    match mode {
        XdpAttachMode::Native => Mode::Native,
        XdpAttachMode::Generic => Mode::Generic,
    }
}
