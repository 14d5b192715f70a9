//! `cargo xtask container`: the image of `packaging/Containerfile`, run by `packaging/daemonset.yaml` as a server and a client on two
//! nodes made of namespaces.

use crate::lab::Outcome;
use crate::toolchain::{Package, ensure_packages, target_dir, workspace_root};
use anyhow::{Context as _, ensure};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// Makes the nodes, runs the image on them.
const TRY: &str = include_str!("../container/try.sh");
/// It takes half a minute.
const LIMIT_S: &str = "300";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Make an image of this program and what it needs of this system: nothing is built, nothing downloaded.
    #[arg(long, value_name = "FILE", conflicts_with = "build")]
    program: Option<PathBuf>,
    /// More for `podman build`.
    #[arg(last = true, value_name = "OPTION")]
    build: Vec<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure_packages(&packages())?;
    let directory = directory()?;
    if options.program.is_none() {
        build(&directory, &options.build)?;
    }
    try_out(&directory, options.program.as_deref())?;
    println!("run as server and client on two nodes of make-believe");
    Ok(())
}

/// Tries this program out, for `cargo xtask test`.
pub(crate) fn test(program: &Path) -> anyhow::Result<Outcome> {
    if let Err(error) = ensure_packages(&packages()) {
        return Ok(Outcome::Skipped(format!("{error:#}")));
    }
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(Outcome::Skipped("needs root".to_owned()));
    }
    try_out(&directory()?, Some(program))?;
    Ok(Outcome::Passed)
}

fn packages() -> Vec<Package> {
    vec![
        Package::command("podman", "podman", "making images and running them"),
        Package::command("crun", "crun", "running containers"),
        Package::command("catatonit", "catatonit", "podman's pods"),
        Package::command("binutils", "strip", "leaving symbols out of the image"),
        Package::command("iproute2", "ip", "the nodes' network"),
    ]
}

fn directory() -> anyhow::Result<PathBuf> {
    let directory = target_dir()?.join("container");
    fs::create_dir_all(directory.join("try"))
        .with_context(|| format!("cannot make {}", directory.display()))?;
    Ok(directory)
}

fn archive(directory: &Path) -> PathBuf {
    directory.join("ptp-ctl.tar")
}

/// The image, and an archive of it.
fn build(directory: &Path, options: &[String]) -> anyhow::Result<()> {
    let built = Command::new("podman")
        .args(["build", "--tag", "ptp-ctl", "--file", "packaging/Containerfile"])
        .args(options)
        .arg(".")
        .current_dir(workspace_root())
        .status()
        .context("cannot run podman")?;
    ensure!(built.success(), "building the image failed");
    let archive = archive(directory);
    // It would be added to.
    if archive.exists() {
        fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
    }
    let saved =
        Command::new("podman").args(["save", "--quiet", "--output"]).arg(archive).arg("ptp-ctl").status()?;
    ensure!(saved.success(), "saving the image failed");
    Ok(())
}

fn try_out(directory: &Path, program: Option<&Path>) -> anyhow::Result<()> {
    println!("The image, on two nodes:");
    let others = control_groups();
    let status = Command::new("timeout")
        .args(["--foreground", "--kill-after", "5", LIMIT_S])
        .args(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", TRY, "try.sh"])
        .args([&directory.join("try"), &workspace_root().join("packaging"), &archive(directory)])
        .args(program)
        .status()
        .context("cannot run timeout")?;
    // A group is in use for a moment longer than its processes run; others may be somebody else's, who has begun to use podman.
    for _ in 0..10 {
        let left: Vec<_> = control_groups().into_iter().filter(|group| !others.contains(group)).collect();
        if left.iter().filter(|group| fs::remove_dir(group).is_err()).count() == 0 {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    ensure!(status.success(), "trying the image out failed: see above (it needs root)");
    Ok(())
}

/// Those of podman, the inner ones first: podman leaves them where its own processes are the last to end.
fn control_groups() -> Vec<String> {
    let found = Command::new("find")
        .args(["/sys/fs/cgroup", "-depth", "-type", "d", "-path", "*/libpod_parent*"])
        .output();
    let text =
        found.map_or_else(|_| String::new(), |found| String::from_utf8_lossy(&found.stdout).into_owned());
    text.lines().map(str::to_owned).collect()
}
