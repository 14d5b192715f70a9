//! `cargo xtask build-ebpf`: the XDP object, as `target/bpf/ptp-ebpf.o`.

use crate::toolchain::{BpfToolchain, target_dir, workspace_root};
use anyhow::{Context as _, ensure};
use std::fs;

/// The CPU whose registers and helper numbers the object is built for: the one that it will run on.
const TARGET_ARCH: &str = std::env::consts::ARCH;
const TARGET: &str = if cfg!(target_endian = "big") { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };

/// Builds the object with whichever toolchain is there, installing one if it may.
pub(crate) fn run() -> anyhow::Result<()> {
    let target_dir = target_dir()?;
    let toolchain = BpfToolchain::find_or_install()?;
    // A target directory of its own: the host build holds the lock of the ordinary one while its build scripts run.
    let build_dir = target_dir.join("bpf-build");
    let status = toolchain
        .cargo(&target_dir)?
        .args(["build", "--package", "ptp-ebpf", "--release", "--locked", "--target", TARGET, "--target-dir"])
        .arg(&build_dir)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            [
                &*format!("--cfg=bpf_target_arch=\"{TARGET_ARCH}\""),
                "-Cdebuginfo=2",
                "-Clink-arg=--btf",
                "-Clink-arg=--cpu-features=+allows-misaligned-mem-access",
            ]
            .join("\x1f"),
        )
        .current_dir(workspace_root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "building the XDP object with {} failed", toolchain.name());

    let built = build_dir.join(TARGET).join("release/ptp-ebpf");
    let object = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    let path = target_dir.join("bpf/ptp-ebpf.o");
    // The same octets are not written again: ptp-ctl would be built again for nothing.
    if fs::read(&path).is_ok_and(|present| present == object) {
        eprintln!("{} is up to date ({})", path.display(), toolchain.name());
        return Ok(());
    }
    fs::create_dir_all(target_dir.join("bpf"))?;
    fs::write(&path, object).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("built {} with {}", path.display(), toolchain.name());
    Ok(())
}
