//! `ptp-ctl stats`.

use super::print_json;
use crate::config::{DEFAULT_BPFFS, DEFAULT_RUN_DIR};
use crate::dataplane;
use crate::net::interface_index;
use crate::report::{PinnedCounters, PinnedDocument, VERSION};
use crate::runtime;
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
    /// Where bpffs is mounted
    #[arg(long, value_name = "DIR", default_value = DEFAULT_BPFFS)]
    bpffs: PathBuf,
    /// On one line, as the other subcommands do; without it, indented
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let interface = &args.interface;
    interface_index(interface)?;
    if let Some(document) = runtime::ask_running(&args.run_dir, interface, &runtime::Question::Stats)? {
        let document: serde_json::Value =
            serde_json::from_slice(&document).context("the controller's answer is no JSON")?;
        print(args, &document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(counters) = dataplane::read_pinned_counters(&args.bpffs, interface)? else {
        bail!(
            "no controller runs on {interface} ({} has no socket of one), and no program is attached to it; start \
             `ptp-ctl client {interface} ...` or `ptp-ctl server {interface}`, or name its --run-dir",
            args.run_dir.display()
        );
    };
    let document = PinnedDocument {
        version: VERSION,
        running: false,
        interface,
        data_plane: "xdp",
        xdp_mode: dataplane::probe::attached(interface)?.map(|attached| attached.mode),
        counters: PinnedCounters { xdp: counters.into_iter().collect() },
    };
    print(args, &serde_json::to_value(&document)?)?;
    Ok(ExitCode::SUCCESS)
}

fn print(args: &Args, document: &serde_json::Value) -> anyhow::Result<()> {
    if args.json {
        return print_json(document);
    }
    super::print(serde_json::to_string_pretty(document)? + "\n")
}
