//! `ptp-ctl check`: what this kernel and NIC can do. Changes nothing.

mod choices;
mod report;

#[cfg(test)]
mod tests;

use super::print_json;
use crate::clock::kernel_tai_offset;
use crate::config::DEFAULT_BPFFS;
use crate::dataplane::{Feature, probe};
use crate::net::{driver, interface_addresses, interface_index, interface_mac, timestamping};
use nix::sys::utsname::uname;
use report::{Attached, KernelFeature, Report, Xdp};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Interface to look at
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Where bpffs is mounted
    #[arg(long, value_name = "DIR", default_value = DEFAULT_BPFFS)]
    bpffs: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// Exit code 0 if `client` and `server` would work on this interface with the default data plane, else 1.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let report = look(args)?;
    if args.json {
        print_json(&report)?;
    } else {
        print!("{report}");
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look(args: &Args) -> anyhow::Result<Report> {
    let interface = args.interface.as_str();
    interface_index(interface)?;
    let features = probe::driver_features(interface).ok().flatten();
    let kernel = uname().map_or_else(
        |_| "unknown".to_owned(),
        |name| format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()),
    );
    let mut report = Report {
        interface: interface.to_owned(),
        ok: false,
        kernel,
        driver: driver(interface).ok(),
        mac: interface_mac(interface).ok().map(|mac| mac.map(|octet| format!("{octet:02x}")).join(":")),
        addresses: interface_addresses(interface)?,
        missing_capabilities: probe::missing_capabilities(),
        bpffs: probe::check_bpffs(&args.bpffs).err().map(|error| error.to_string()),
        xdp: Xdp {
            object_embedded: probe::is_embedded(),
            native: features.map(|features| features.native),
            attached: probe::attached(interface)?.map(|attached| Attached {
                name: probe::program_name(attached.program_id),
                program_id: attached.program_id,
                mode: attached.mode,
            }),
            rx_timestamp_kfunc: probe::kernel_has_timestamp_kfunc(),
            driver_rx_timestamp: features.map(|features| features.rx_timestamp),
        },
        features: Feature::ALL.map(KernelFeature::of).into(),
        timestamps: timestamping(interface)?,
        tai_offset_s: kernel_tai_offset()?,
        choices: Vec::new(),
        problems: Vec::new(),
    };
    report.judge();
    Ok(report)
}
