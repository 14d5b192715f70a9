//! The ready-made scenarios of `ptp-ctl simulate`.

use anyhow::Result;
use ptp_ctl::config::ServoKind;
use ptp_ctl::sim::scenario::Scenario;
use std::path::{Path, PathBuf};

/// Where they are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

/// One of them, with this servo.
pub fn load(name: &str, servo: ServoKind) -> Result<Scenario> {
    let directory = directory();
    let mut document = Scenario::load(&directory.join(name).with_extension("toml"))?.document().clone();
    document.client.servo = servo;
    Ok(Scenario::new(document, &directory)?)
}
