//! The kernel module with the machine's network devices.

use super::packages::{Packages, ensure_compiler, run};
use anyhow::Context as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MODULE: &str = "ptplab.ko";

/// The module, built if its sources or the kernel have changed.
pub(super) fn built(sources: &Path, directory: &Path, packages: &Packages) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let module = directory.join(MODULE);
    let mut changed = !module.exists();
    for entry in fs::read_dir(sources).with_context(|| format!("cannot read {}", sources.display()))? {
        let path = entry?.path();
        let copy = directory.join(path.file_name().context("a source without a name")?);
        let text = fs::read(&path)?;
        if fs::read(&copy).is_ok_and(|present| present == text) {
            continue;
        }
        fs::write(&copy, text)?;
        changed = true;
    }
    if !changed {
        return Ok(module);
    }
    ensure_compiler(packages)?;
    // Never the old one if this fails.
    let _ = fs::remove_file(&module);
    // objtool wants libelf, which this machine need not have.
    let libraries = directory.join("libraries");
    fs::create_dir_all(&libraries)?;
    let libelf = fs::canonicalize(packages.root.join("usr/lib/x86_64-linux-gnu/libelf.so.1"))?;
    fs::copy(libelf, libraries.join("libelf.so.1"))?;
    let headers = packages.kernel.join(format!("usr/src/linux-headers-{}", packages.version));
    run(Command::new("make")
        .arg("--silent")
        .arg("-C")
        .arg(&headers)
        .arg(format!("M={}", directory.display()))
        // pahole would be needed for it.
        .args(["CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"])
        .env("LD_LIBRARY_PATH", &libraries)
        .env_remove("MAKEFLAGS"))?;
    run(Command::new("strip").arg("--strip-debug").arg(&module))?;
    Ok(module)
}
