//! Waits for what no line tells.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(100);

/// Asks again and again until the answer is yes; fails after `timeout`.
pub fn eventually(what: &str, timeout: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + timeout;
    while !is_so()? {
        crate::interrupt::check()?;
        if Instant::now() > deadline {
            bail!("waited {timeout:?} in vain: {what}");
        }
        std::thread::sleep(PERIOD);
    }
    Ok(())
}
