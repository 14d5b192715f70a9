//! `cargo xtask demo`: from nothing to a running network in one command.

use crate::build_ebpf;
use crate::toolchain::{Package, ensure_packages, target_dir, workspace_root};
use anyhow::{Context as _, ensure};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
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
    let programs = build(&["demo"])?;
    let mut demo = command(&programs, "demo");
    for (flag, file) in [("--json", &options.json), ("--plot", &options.plot)] {
        if let Some(file) = file {
            demo.arg(flag).arg(file);
        }
    }
    // In place of this process: Ctrl-C then goes to the demo alone, which cleans up.
    Err(demo.exec()).with_context(|| format!("cannot run {}", programs.join("demo").display()))
}

/// Builds ptp-ctl and these programs of the tests' package; returns the directory that they are in.
pub(crate) fn build(programs: &[&str]) -> anyhow::Result<PathBuf> {
    ensure_packages(&[
        Package::command("iproute2", "ip", "the network namespaces that the demo runs in"),
        Package::command("linuxptp", "ptp4l", "the figures of ptp4l beside ours"),
    ])?;
    build_ebpf::run()?;
    let target_dir = target_dir()?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--package", "ptp-ctl", "--package", "ptp-tests"]);
    for program in ["ptp-ctl"].iter().chain(programs) {
        cargo.arg("--bin").arg(program);
    }
    cargo.arg("--target-dir").arg(&target_dir).current_dir(workspace_root());
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "building the demo failed");
    Ok(target_dir.join("release"))
}

/// One of the programs that are built here; it runs the ptp-ctl beside it.
pub(crate) fn command(programs: &Path, name: &str) -> Command {
    let mut command = Command::new(programs.join(name));
    command.arg("--ptp-ctl").arg(programs.join("ptp-ctl"));
    command
}
