//! `ptp-ctl status`.

use super::print;
use crate::clock::realtime_nanos;
use crate::config::DEFAULT_RUN_DIR;
use crate::net::interface_index;
use crate::report;
use crate::runtime::{self, Question};
use anyhow::{Context, bail};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Interface that the controller runs on
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Directory of the controller's socket
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RUN_DIR)]
    run_dir: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let interface = &args.interface;
    interface_index(interface)?;
    let Some(document) = runtime::ask_running(&args.run_dir, interface, &Question::Stats)? else {
        bail!("no controller runs on {interface} ({} has no socket of one)", args.run_dir.display());
    };
    let document = serde_json::from_slice(&document).context("the controller's answer is no JSON")?;
    print(report::page(&document, realtime_nanos()))?;
    Ok(ExitCode::SUCCESS)
}
