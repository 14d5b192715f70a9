//! The controller on an interface, and what it answers.

use crate::config::DEFAULT_RUN_DIR;
use crate::runtime::{self, Question};
use anyhow::{Context as _, anyhow};
use serde_json::Value;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Controller {
    /// Interface that the controller runs on
    #[arg(value_name = "IFACE")]
    pub(super) interface: String,
    /// Directory of the controller's socket
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RUN_DIR)]
    run_dir: PathBuf,
}

impl Controller {
    /// `None` if none runs.
    pub(super) fn ask(&self, question: &Question) -> anyhow::Result<Option<Value>> {
        runtime::ask_running(&self.run_dir, &self.interface, question)?
            .map(|answer| serde_json::from_slice(&answer).context("the controller's answer is no JSON"))
            .transpose()
    }

    /// That none runs, and what else.
    pub(super) fn missing(&self, more: &str) -> anyhow::Error {
        let (interface, directory) = (&self.interface, self.run_dir.display());
        anyhow!("no controller runs on {interface} ({directory} has no socket of one){more}")
    }
}
