//! Delays that were measured: replayed in their order, again and again.

use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Delays from a file, one on a line, ns; lines that begin with # are for people.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "PathBuf")]
pub struct Trace {
    /// The file as the scenario names it.
    pub file: PathBuf,
    delays: Arc<[f64]>,
}

/// Why a file is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no number.
    #[error("{}:{line}: {text:?} is no delay: write one number of ns on each line", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// There is nothing in it.
    #[error("{}: no delays: write one number of ns on each line", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
}

impl From<PathBuf> for Trace {
    fn from(file: PathBuf) -> Self {
        Self { file, delays: Arc::new([]) }
    }
}

impl Trace {
    /// Reads the file, which is named relative to `directory`.
    ///
    /// # Errors
    /// It cannot be read, or has something else than delays in it.
    pub(super) fn load(&mut self, directory: &Path) -> Result<(), TraceError> {
        let file = directory.join(&self.file);
        let text = std::fs::read_to_string(&file)
            .map_err(|source| TraceError::Read { file: file.clone(), source })?;
        let mut delays = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let delay = content.parse().ok().filter(|delay: &f64| delay.is_finite());
            let error = || TraceError::Line { file: file.clone(), line, text: content.to_owned() };
            delays.push(delay.ok_or_else(error)?);
        }
        if delays.is_empty() {
            return Err(TraceError::Empty { file });
        }
        self.delays = delays.into();
        Ok(())
    }

    /// Of event packet `number`, ns.
    pub(super) fn delay(&self, _at: f64, number: u64) -> f64 {
        let count = self.delays.len() as u64;
        if count == 0 { 0.0 } else { self.delays[(number % count) as usize] }
    }
}
