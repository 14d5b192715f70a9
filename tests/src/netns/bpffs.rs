//! A bpffs of our own, so that nothing of a test shows in the machine's.

use crate::scratch;
use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A bpffs on a temporary directory; both go away on drop.
#[derive(Debug)]
pub struct BpfFs(TempDir);

impl BpfFs {
    /// Mounts it. Needs root and a kernel with BPF.
    pub fn mount() -> Result<Self> {
        scratch::sweep();
        let directory = scratch::directory("bpffs")?;
        mount(Some("bpf"), directory.path(), Some("bpf"), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("cannot mount bpffs on {}", directory.path().display()))?;
        Ok(Self(directory))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Paths of everything pinned in it; the kernel's own iterators at its root do not count.
    pub fn pins(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut directories = vec![self.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory)? {
                let entry = entry?;
                let into = if entry.file_type()?.is_dir() { &mut directories } else { &mut found };
                into.push(entry.path());
            }
        }
        found.retain(|path| path.extension() != Some("debug".as_ref()));
        Ok(found)
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        if let Err(error) = umount2(self.path(), MntFlags::MNT_DETACH) {
            eprintln!("cannot unmount {}: {error}", self.path().display());
        }
    }
}
