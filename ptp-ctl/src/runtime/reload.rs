//! Settings that change while all goes on.

use super::driver::Driver;
use crate::clock::realtime_nanos;
use crate::config::{Changes, Config, Local, Source};
use crate::engine::event::{Event, Kind};
use serde::Serialize;

/// Where the settings came from, and what the engine made of the machine.
pub(super) struct Reload {
    /// `None`: from the command line.
    pub(super) source: Option<Source>,
    pub(super) local: Local,
}

/// The answer to `ptp-ctl reload`.
#[derive(Serialize)]
pub(super) struct Reloaded {
    #[serde(flatten)]
    changes: Changes,
    /// Why nothing was applied.
    error: Option<String>,
}

impl Driver {
    /// Reads the file again and applies what can be.
    pub(super) fn reload(&mut self) -> Reloaded {
        let (changes, error) = match self.apply_file() {
            Ok(changes) => (changes, None),
            Err(error) => (Changes::default(), Some(error)),
        };
        let list = |keys: &[String]| if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
        let detail = error.clone().unwrap_or_else(|| {
            format!("applied: {}; needs a restart: {}", list(&changes.applied), list(&changes.needs_restart))
        });
        let event = Event { kind: Kind::Reloaded, peer: None, reason: None, detail: Some(detail) };
        self.reporter.event(realtime_nanos(), event);
        Reloaded { changes, error }
    }

    fn apply_file(&mut self) -> Result<Changes, String> {
        let Some(source) = &mut self.reload.source else {
            return Err("started with its settings on the command line: there is no file to read".to_owned());
        };
        let text = Config::read(&source.path).map_err(|error| error.to_string())?;
        let (settings, changes) =
            source.reload(&text).map_err(|error| error.in_file(&source.path).to_string())?;
        self.role.reconfigure(self.turn.instant, &settings.role, &self.reload.local);
        self.perform();
        self.serve();
        Ok(changes)
    }
}
