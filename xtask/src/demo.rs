//! `cargo xtask demo`: from nothing to a running network in one command.

use crate::build_ebpf;
use crate::toolchain::{Package, ensure_packages, target_dir, workspace_root};
use anyhow::{Context as _, ensure};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the offset over time into this SVG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure_packages(&[
        Package::command("iproute2", "ip", "the network namespaces that the demo runs in"),
        Package::command("linuxptp", "ptp4l", "the figures of ptp4l beside ours"),
    ])?;
    build_ebpf::run()?;
    let target_dir = target_dir()?;
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--package", "ptp-ctl", "--package", "ptp-tests"])
        .args(["--bin", "ptp-ctl", "--bin", "demo", "--target-dir"])
        .arg(&target_dir)
        .current_dir(workspace_root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "building the demo failed");

    let programs = target_dir.join("release");
    let mut demo = Command::new(programs.join("demo"));
    demo.arg("--ptp-ctl").arg(programs.join("ptp-ctl"));
    for (flag, file) in [("--json", &options.json), ("--plot", &options.plot)] {
        if let Some(file) = file {
            demo.arg(flag).arg(file);
        }
    }
    // In place of this process: Ctrl-C then goes to the demo alone, which cleans up.
    Err(demo.exec()).with_context(|| format!("cannot run {}", programs.join("demo").display()))
}
