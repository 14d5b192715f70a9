//! A bpffs of our own, so that nothing of a test shows in the machine's.

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "ptplab-bpffs-";

/// A bpffs on a temporary directory; both go away on drop.
#[derive(Debug)]
pub struct BpfFs(PathBuf);

impl BpfFs {
    /// Mounts it. Needs root and a kernel with BPF.
    pub fn mount() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);

        sweep();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{PREFIX}{}-{count}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        mount(Some("bpf"), &path, Some("bpf"), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("cannot mount bpffs on {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Paths of everything pinned in it.
    pub fn pins(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut directories = vec![self.0.clone()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory)? {
                let entry = entry?;
                let into = if entry.file_type()?.is_dir() { &mut directories } else { &mut found };
                into.push(entry.path());
            }
        }
        Ok(found)
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

fn unmount(path: &Path) {
    if let Err(error) = umount2(path, MntFlags::MNT_DETACH) {
        eprintln!("cannot unmount {}: {error}", path.display());
    }
    if let Err(error) = std::fs::remove_dir(path) {
        eprintln!("cannot remove {}: {error}", path.display());
    }
}

/// Removes those of runs that were killed before they could.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if maker.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            unmount(&entry.path());
        }
    }
}
