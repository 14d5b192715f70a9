//! Debian's chrony for the tests, unpacked and not installed: the package would start a daemon that steers this machine's clock.

use crate::toolchain::{Package, ensure_packages};
use anyhow::{Context as _, ensure};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where its programs are, in the system and in the package.
const PROGRAMS: [&str; 2] = ["usr/sbin", "usr/bin"];

/// `PATH` with chrony in it: where it is installed anyhow, that one.
pub(crate) fn path(target_dir: &Path) -> anyhow::Result<OsString> {
    let directory = target_dir.join("chrony");
    let root = if Path::new("/usr/sbin/chronyd").exists() { Path::new("/") } else { &directory };
    if !root.join("usr/sbin/chronyd").exists() {
        unpack(&directory)
            .context("tests together with chrony need its package from apt; it is not installed")?;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = PROGRAMS.map(|programs| root.join(programs));
    Ok(env::join_paths(directories.into_iter().chain(env::split_paths(&path)))?)
}

fn unpack(directory: &Path) -> anyhow::Result<()> {
    // What it is linked with, and a machine may not have.
    ensure_packages(&[Package::path(
        "libedit2",
        "/usr/lib/x86_64-linux-gnu/libedit.so.2",
        "chrony's chronyc",
    )])?;
    fs::create_dir_all(directory)?;
    run(Command::new("apt-get")
        .args(["--quiet=2", "-o", "APT::Sandbox::User=root", "download", "chrony"])
        .current_dir(directory))?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg").arg("-x").arg(&path).arg(directory))?;
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
