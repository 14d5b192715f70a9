//! Names of what we leave on the machine while we run: directories, mounts and namespaces carry the pid of their maker,
//! so that a later run can remove what a killed one left.

use anyhow::{Context, Result};
use nix::mount::{MntFlags, umount2};
use std::path::Path;
use tempfile::TempDir;

/// Every such name is `PREFIX-PID-…`.
const PREFIX: &str = "ptplab";

/// A name for something of this process.
pub(crate) fn name(suffix: &str) -> String {
    format!("{PREFIX}-{}-{suffix}", std::process::id())
}

/// Whether the name is one of ours whose maker no longer lives.
pub(crate) fn is_stale(name: &str) -> bool {
    maker(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

/// A temporary directory that is removed on drop.
pub(crate) fn directory(purpose: &str) -> Result<TempDir> {
    let prefix = name(&format!("{purpose}-"));
    tempfile::Builder::new().prefix(&prefix).tempdir().context("cannot make a temporary directory")
}

/// Removes directories of runs that were killed, and what is mounted on them.
pub(crate) fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        if is_stale(&entry.file_name().to_string_lossy()) {
            let path = entry.path();
            // Most have nothing mounted on them.
            let _ = umount2(&path, MntFlags::MNT_DETACH);
            if let Err(error) = std::fs::remove_dir_all(&path) {
                eprintln!("cannot remove {}: {error}", path.display());
            }
        }
    }
}

/// The pid in a name, if the name is one of ours.
fn maker(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_have_a_maker() {
        assert_eq!(maker("ptplab-123-0-router"), Some(123));
        assert_eq!(maker(&name("x")), Some(std::process::id()));
        for other in ["ptplab-x-router", "ptplab.lock", "blue"] {
            assert_eq!(maker(other), None);
        }
    }

    #[test]
    fn what_a_living_process_made_is_not_stale() {
        assert!(!is_stale(&name("x")));
        // Above the largest pid that Linux gives.
        assert!(is_stale("ptplab-4999999-x"));
    }
}
