//! What a service manager hears of us (sd_notify(3)): ready, alive, stopping. Where there is none, nothing is sent.

use sd_notify::NotifyState;
use std::time::Duration;

/// How often it wants to hear that we are alive: twice in the time after which it would take us for dead.
pub(super) fn alive_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|timeout| timeout / 2)
}

/// The controller runs; `status` is what it says of itself.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The loop turns.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// The controller ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
