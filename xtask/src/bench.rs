//! `cargo xtask bench NAME`: figures, beside those of peers.

use crate::build_ebpf;
use crate::toolchain::{Package, ensure_packages, target_dir, workspace_root};
use anyhow::{Context as _, ensure};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Names the object with the load of `bench server`.
const LOAD_OBJECT: &str = "PTP_LOAD_OBJECT";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to measure (`accuracy`, `failover`, `server`), and its options (`--json FILE` with all of them; `--help` says more).
    #[arg(value_name = "NAME", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure_packages(&[
        Package::command("iproute2", "ip", "the network namespaces that programs are measured in"),
        Package::command("linuxptp", "ptp4l", "the figures of ptp4l beside ours"),
        Package::command("iperf3", "iperf3", "the traffic beside which programs are measured"),
    ])?;
    build_ebpf::run()?;
    let is_server = options.arguments.first().is_some_and(|name| name == "server");
    let load = is_server.then(build_ebpf::load).transpose()?;
    let target_dir = target_dir()?;
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--package", "ptp-ctl", "--package", "ptp-tests"])
        .args(["--bin", "ptp-ctl", "--bin", "bench", "--target-dir"])
        .arg(&target_dir)
        .current_dir(workspace_root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "building the bench failed");
    let bench = target_dir.join("release/bench");
    // In place of this process: Ctrl-C then goes to the bench alone, which cleans up.
    Err(Command::new(&bench).args(&options.arguments).envs(load.map(|path| (LOAD_OBJECT, path))).exec())
        .with_context(|| format!("cannot run {}", bench.display()))
}
