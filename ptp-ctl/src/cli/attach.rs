//! `ptp-ctl attach`.

use super::{print, print_json};
use crate::config::{DEFAULT_BPFFS, XdpAttachMode};
use crate::dataplane::{self, Mode, probe};
use crate::runtime::attach_mode;
use ptp_common::abi::MAX_CLIENTS;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Interface to attach to
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Another interface to attach it to, once per interface: all have one set of maps
    #[arg(long, value_name = "IFACE")]
    also_interface: Vec<String>,
    /// In the driver, or in the network stack
    #[arg(long, value_enum, value_name = "MODE", default_value_t = XdpAttachMode::Native)]
    xdp_mode: XdpAttachMode,
    /// Room for a server's clients, 0 to 4194303: 69 octets of memory each
    #[arg(long, value_name = "N", default_value_t = 65_536,
        value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_CLIENTS)))]
    max_clients: u32,
    /// Where bpffs is mounted
    #[arg(long, value_name = "DIR", default_value = DEFAULT_BPFFS)]
    bpffs: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    interface: &'a str,
    also_interfaces: &'a [String],
    ifindex: u32,
    xdp_mode: &'static str,
    nic_stamps: bool,
    pins: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mode = attach_mode(args.xdp_mode);
    let mut nic_stamps = mode == Mode::Native;
    for interface in [&args.interface].into_iter().chain(&args.also_interface) {
        nic_stamps = nic_stamps && probe::can_read_nic_stamps(interface)?;
    }
    let options = dataplane::Options {
        interface: args.interface.clone(),
        also_interfaces: args.also_interface.clone(),
        mode,
        bpffs: args.bpffs.clone(),
        // It then serves a controller of any clock.
        nic_stamps,
        max_clients: args.max_clients,
    };
    let done = dataplane::attach(&options)?;
    let report = Report {
        interface: &args.interface,
        also_interfaces: &args.also_interface,
        ifindex: done.ifindex,
        xdp_mode: done.mode.name(),
        nic_stamps: done.nic_stamps,
        pins: done.directory,
    };
    if args.json {
        print_json(&report)?;
    } else {
        let Report { interface, xdp_mode, pins, .. } = &report;
        let others = report.also_interfaces.iter().map(|name| format!(", {name}")).collect::<String>();
        let stamps = if report.nic_stamps { "can" } else { "cannot" };
        print(format_args!(
            "{interface}{others}: attached in {xdp_mode} mode, pinned in {}\n\
             It {stamps} read the NIC's stamps (xdp-hw, for `--clock phc`).\n\
             It takes packets only while `ptp-ctl client` or `ptp-ctl server` runs on {interface}{others}.\n",
            pins.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
