//! The frequency that the clock needed last, kept from run to run: with it a client settles in a moment.

use anyhow::Context as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The state file of one clock.
#[derive(Debug)]
pub(super) struct Drift {
    path: PathBuf,
    /// Said once.
    failed: bool,
}

impl Drift {
    /// Of the clock with that name: there may be several in a directory.
    pub(super) fn new(directory: &Path, clock: &str) -> Self {
        Self { path: directory.join(format!("{clock}.drift")), failed: false }
    }

    /// The stored frequency, ppb; `None` without one.
    ///
    /// # Errors
    /// The file cannot be read, or is no number.
    pub(super) fn load(&self) -> anyhow::Result<Option<f64>> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| {
                format!("cannot read {}; name another directory with --state-dir", self.path.display())
            })?,
        };
        let ppb: f64 = text
            .trim()
            .parse()
            .with_context(|| format!("{} has no frequency in it; remove the file", self.path.display()))?;
        Ok(Some(ppb).filter(|ppb| ppb.is_finite()))
    }

    /// Stores the frequency, ppb. What keeps it from that is said once: the clock goes on without.
    pub(super) fn store(&mut self, ppb: f64) {
        if let Err(error) = self.write(ppb) {
            if !self.failed {
                tracing::warn!(
                    "the clock's frequency is not kept in {}: {error}; name a directory with --state-dir",
                    self.path.display()
                );
            }
            self.failed = true;
        }
    }

    /// The file is whole at any time.
    fn write(&self, ppb: f64) -> std::io::Result<()> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let temporary = self.path.with_extension("tmp");
        // Of one that was killed, perhaps as another user.
        let _ = fs::remove_file(&temporary);
        fs::write(&temporary, format!("{ppb:.3}\n"))?;
        fs::rename(&temporary, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let mut drift = Drift::new(&directory.path().join("new"), "phc");
        assert_eq!(drift.load().unwrap(), None);
        drift.store(-20_000.123_4);
        assert_eq!(drift.load().unwrap(), Some(-20_000.123));
        fs::write(&drift.path, "fast").unwrap();
        assert!(drift.load().unwrap_err().to_string().contains("phc.drift"));
        fs::remove_file(&drift.path).unwrap();
        fs::create_dir(&drift.path).unwrap();
        assert!(drift.load().unwrap_err().to_string().contains("--state-dir"));
    }
}
