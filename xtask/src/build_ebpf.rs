//! `cargo xtask build-ebpf`: the XDP object, as `target/bpf/ptp-ebpf.o`; and that of `bench server`, beside it.

use crate::toolchain::{BpfToolchain, target_dir, workspace_root};
use anyhow::{Context as _, ensure};
use std::fs;
use std::path::PathBuf;

/// The CPU whose registers and helper numbers the object is built for: the one that it will run on.
const TARGET_ARCH: &str = std::env::consts::ARCH;
const TARGET: &str = if cfg!(target_endian = "big") { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };

/// Builds the object that ptp-ctl embeds.
pub(crate) fn run() -> anyhow::Result<()> {
    object("ptp-ebpf", "bpf").map(|_| ())
}

/// Builds the load and the reference responders of `bench server`, which are shipped nowhere: the object's path.
pub(crate) fn load() -> anyhow::Result<PathBuf> {
    // Not in the directory that ptp-ctl's build script watches.
    object("ptp-load", "bpf-load")
}

/// Builds a package's object with whichever toolchain is there, installing one if it may.
fn object(package: &str, directory: &str) -> anyhow::Result<PathBuf> {
    let target_dir = target_dir()?;
    let toolchain = BpfToolchain::find_or_install()?;
    // A target directory of its own: the host build holds the lock of the ordinary one while its build scripts run.
    let build_dir = target_dir.join("bpf-build");
    let status = toolchain
        .cargo(&target_dir)?
        .args(["build", "--package", package, "--release", "--locked", "--target", TARGET, "--target-dir"])
        .arg(&build_dir)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            [
                &*format!("--cfg=bpf_target_arch=\"{TARGET_ARCH}\""),
                "-Cdebuginfo=2",
                "-Clink-arg=--btf",
                // Else every field of a frame is read and written octet by octet.
                "-Clink-arg=--cpu-features=+allows-misaligned-mem-access",
            ]
            .join("\x1f"),
        )
        .current_dir(workspace_root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "building {package} with {} failed", toolchain.name());

    let built = build_dir.join(TARGET).join("release").join(package);
    let object = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    let path = target_dir.join(directory).join(format!("{package}.o"));
    // The same octets are not written again: ptp-ctl would be built again for nothing.
    if fs::read(&path).is_ok_and(|present| present == object) {
        eprintln!("{} is up to date ({})", path.display(), toolchain.name());
        return Ok(path);
    }
    fs::create_dir_all(target_dir.join(directory))?;
    fs::write(&path, object).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("built {} with {}", path.display(), toolchain.name());
    Ok(path)
}
