//! Settings that change while all goes on.

use super::driver::Driver;
use super::start::warn_without_family;
use crate::clock::realtime_nanos;
use crate::config::{Changes, ClientSettings, Common, Config, Local, Source};
use crate::engine::event::{Event, Kind};
use anyhow::bail;
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
            Err(error) => (Changes::default(), Some(error.to_string())),
        };
        let list = |keys: &[String]| if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
        let detail = error.clone().unwrap_or_else(|| {
            format!("applied: {}; needs a restart: {}", list(&changes.applied), list(&changes.needs_restart))
        });
        let event = Event { kind: Kind::Reloaded, peer: None, reason: None, detail: Some(detail) };
        self.reporter.event(realtime_nanos(), event);
        Reloaded { changes, error }
    }

    fn apply_file(&mut self) -> anyhow::Result<Changes> {
        let Some(mut source) = self.reload.source.clone() else {
            bail!(
                "started with its settings on the command line: there is no file to read; `ptp-ctl run --config FILE` has one"
            );
        };
        let text = Config::read(&source.path)?;
        let (settings, changes) = source.reload(&text).map_err(|error| error.in_file(&source.path))?;
        if let Some(client) = settings.role.client() {
            let upstream = settings.role.upstream().map(|upstream| &upstream.common);
            self.open_way_to(upstream.unwrap_or(&settings.common), client)?;
        }
        self.role.reconfigure(self.turn.instant, &settings.role, &self.reload.local);
        self.perform();
        self.serve();
        self.reload.source = Some(source);
        Ok(changes)
    }

    /// Makes ready for packets of these servers before the first of them is asked for any.
    fn open_way_to(&mut self, common: &Common, client: &ClientSettings) -> anyhow::Result<()> {
        warn_without_family(common, client)?;
        let port = self.upstream.as_mut().unwrap_or(&mut self.port);
        let addresses = client.addresses();
        for address in &addresses {
            port.sockets.open_for(*address)?;
        }
        if let Some(plane) = &mut port.plane {
            plane.set_servers(&addresses);
        }
        Ok(())
    }
}
