//! `cargo xtask dist`: a Debian package with everything that belongs to the program, tried out in a copy of this system that
//! systemd boots in a container.

mod maintainer;
mod package;

use crate::build_ebpf;
use crate::toolchain::{Package, ensure_packages, target_dir, workspace_root};
use anyhow::{Context as _, ensure};
use maintainer::Maintainer;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Boots the copy.
const TRY: &str = include_str!("../../dist/try.sh");
/// Installs, runs, upgrades, removes in it.
const TRIAL: &str = include_str!("../../dist/trial.sh");

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Do not try the package out, which needs root and overlayfs.
    #[arg(long)]
    no_try: bool,
    /// Who answers for this package, "Name <mail address>" [default: DEBFULLNAME and DEBEMAIL, else root of this machine].
    #[arg(long, value_name = "CONTACT")]
    maintainer: Option<Maintainer>,
    /// Package this program, and build none.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure_packages(&[
        Package::command("dpkg", "dpkg-deb", "building the Debian package"),
        Package::command("binutils", "strip", "leaving symbols out of the package"),
    ])?;
    if !options.no_try {
        ensure_packages(&[
            Package::command("iproute2", "ip", "trying the package out"),
            Package::command("systemd-container", "systemd-nspawn", "trying the package out"),
        ])?;
    }
    let maintainer = match &options.maintainer {
        Some(maintainer) => maintainer.clone(),
        None => Maintainer::of_environment()?,
    };
    let target_dir = target_dir()?;
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build(&target_dir)?,
    };
    let directory = target_dir.join("dist");
    let version = env!("CARGO_PKG_VERSION");
    let package = package::build(&program, &directory, version, &maintainer)?;
    println!("{}, maintained by {maintainer}", package.display());
    if options.no_try {
        return Ok(());
    }
    // Only its version is newer.
    let newer = package::build(&program, &directory.join("try"), &format!("{version}+try"), &maintainer)?;
    try_out(&directory.join("try"), &package, &newer)?;
    println!("installed, run, upgraded and removed in a copy of this system");
    Ok(())
}

/// The program as it is released.
fn build(target_dir: &Path) -> anyhow::Result<PathBuf> {
    build_ebpf::run()?;
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--package", "ptp-ctl", "--target-dir"])
        .arg(target_dir)
        .current_dir(workspace_root())
        .status()
        .context("cannot run cargo")?;
    ensure!(built.success(), "building ptp-ctl failed");
    Ok(target_dir.join("release/ptp-ctl"))
}

fn try_out(directory: &Path, package: &Path, newer: &Path) -> anyhow::Result<()> {
    let scratch = directory.join("system");
    fs::create_dir_all(&scratch)?;
    let status = Command::new("unshare")
        .args(["--mount", "--net", "--fork", "sh", "-c", TRY, "try.sh"])
        .args([scratch.as_path(), package, newer])
        .arg(TRIAL)
        .status()
        .context("cannot run unshare")?;
    ensure!(
        status.success(),
        "trying the package out failed (it needs root and overlayfs; --no-try leaves it out)"
    );
    Ok(())
}
