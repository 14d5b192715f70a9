//! `ptp-ctl detach`.

use super::{print, print_json};
use crate::config::DEFAULT_BPFFS;
use crate::dataplane::{self, Mode};
use anyhow::bail;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Interface to detach from, and with it all that were attached with it; one that is gone will do
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Where bpffs is mounted
    #[arg(long, value_name = "DIR", default_value = DEFAULT_BPFFS)]
    bpffs: PathBuf,
    /// Also if a controller uses the program: that ends with an error
    #[arg(long)]
    force: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    interface: &'a str,
    removed: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let options = dataplane::Options {
        interface: args.interface.clone(),
        // Detaching does not ask how it was attached, nor where else.
        also_interfaces: Vec::new(),
        mode: Mode::Native,
        bpffs: args.bpffs.clone(),
        nic_stamps: false,
        max_clients: 0,
    };
    if !args.force && dataplane::is_in_use(&options)? {
        bail!(
            "a controller uses the program on {0}: stop it first, or take the program from it with \
             `ptp-ctl detach {0} --force`",
            args.interface
        );
    }
    let report = Report { interface: &args.interface, removed: dataplane::detach(&options)?.removed };
    if args.json {
        print_json(&report)?;
    } else {
        for directory in &report.removed {
            print(format_args!("{}: detached, {} is gone\n", report.interface, directory.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
