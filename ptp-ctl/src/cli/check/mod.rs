//! `ptp-ctl check`: what this kernel and NIC can do, or whether a configuration file is right. Changes nothing.

mod choices;
mod report;

#[cfg(test)]
mod tests;

use super::{print, print_json};
use crate::clock::kernel_tai_offset;
use crate::config::{Config, DEFAULT_BPFFS, Role};
use crate::dataplane::{Feature, probe};
use crate::net::{driver, interface_addresses, interface_index, interface_mac, timestamping};
use nix::sys::utsname::uname;
use report::{Attached, KernelFeature, Report, Xdp};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Interface to look at
    #[arg(value_name = "IFACE", required_unless_present = "config")]
    interface: Option<String>,
    /// Configuration file to find mistakes in, instead
    #[arg(long, value_name = "FILE", conflicts_with = "interface")]
    config: Option<PathBuf>,
    /// Where bpffs is mounted
    #[arg(long, value_name = "DIR", default_value = DEFAULT_BPFFS)]
    bpffs: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// Exit code 0 if `client` and `server` would work on this interface with the default data plane, else 1; of a file: 0, or 2
/// for the first mistake.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(file) = &args.config {
        check_file(args, file)?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = look(args, args.interface.as_deref().unwrap_or_default())?;
    if args.json {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check_file(args: &Args, file: &Path) -> anyhow::Result<()> {
    let settings = Config::load(file)?;
    let interface = &settings.common.interface;
    let role = match settings.role {
        Role::Client(_) => "client",
        Role::Server(_) => "server",
    };
    if args.json {
        return print_json(&serde_json::json!({
            "config": file,
            "ok": true,
            "role": role,
            "interface": interface,
            "also_interfaces": settings.common.also_interfaces,
        }));
    }
    print(format_args!(
        "{}: a {role} on {}, no mistake found. `ptp-ctl check {interface}` shows what this machine can do.\n",
        file.display(),
        settings.common.interface_names()
    ))?;
    Ok(())
}

fn look(args: &Args, interface: &str) -> anyhow::Result<Report> {
    interface_index(interface)?;
    let features = probe::driver_features(interface).ok().flatten();
    let kernel = uname().map_or_else(
        |_| "unknown".to_owned(),
        |name| format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()),
    );
    let missing_capabilities = probe::missing_capabilities();
    let mut report = Report {
        interface: interface.to_owned(),
        ok: false,
        kernel,
        driver: driver(interface).ok(),
        mac: interface_mac(interface).ok().map(|mac| mac.map(|octet| format!("{octet:02x}")).join(":")),
        addresses: interface_addresses(interface)?,
        bpf_forbidden: missing_capabilities.is_empty() && probe::bpf_is_forbidden(),
        missing_capabilities,
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
