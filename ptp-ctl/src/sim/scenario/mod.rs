//! A world from a file: what the network does, what the clocks do, what happens when. `docs/simulate.md` tells how to
//! write one.

mod check;
mod run;

pub use check::ScenarioError;
pub use run::{Happening, Run};

use super::{Instability, Oscillator, Path, Stamps, Temperature};
use crate::config::{ClientOptions, ClientSettings, ServerSettings};
use serde::Deserialize;
use std::path;

/// What stands in a scenario's file. Times are s, delays and offsets ns, frequencies ppb.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Document {
    /// What it is, in words.
    #[serde(default)]
    pub title: String,
    /// How long it lasts, s.
    #[serde(default = "three_thousand")]
    pub duration: f64,
    /// From when on the error is measured, s; half of the duration if left out.
    pub measure_from: Option<f64>,
    /// All chances come from it.
    #[serde(default = "one")]
    pub seed: u64,
    /// Settling is being within this for good, ns.
    #[serde(default = "ten_thousand")]
    pub settled_within: f64,
    /// Corners of the mask that the plot of MTIE shows: tau (s) and MTIE (ns).
    pub mask: Option<Vec<(f64, f64)>>,
    /// The client's settings, as in a configuration file.
    #[serde(default)]
    pub client: ClientOptions,
    /// The client's clock.
    #[serde(default)]
    pub oscillator: Clock,
    /// Stamps of client and servers.
    #[serde(default)]
    pub stamps: Stamps,
    /// The servers, at least one.
    #[serde(default)]
    pub server: Vec<ServerModel>,
    /// What happens.
    #[serde(default)]
    pub event: Vec<EventModel>,
}

const fn three_thousand() -> f64 {
    3_000.0
}

const fn one() -> u64 {
    1
}

const fn yes() -> bool {
    true
}

const fn ten_thousand() -> f64 {
    10_000.0
}

/// The clock of a client or of a boundary clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Clock {
    /// How far ahead it starts, ns.
    pub offset: f64,
    /// How much too fast it runs, ppb.
    pub frequency: f64,
    /// Standard deviation of what each second has of its own, ppb.
    pub white_noise: f64,
    /// Standard deviation of what a second adds for good, ppb.
    pub random_walk: f64,
    /// ppb per day.
    pub ageing: f64,
    /// What the temperature does.
    pub temperature: Temperature,
}

impl Clock {
    fn oscillator(&self) -> Oscillator {
        Oscillator::new(self.offset, self.frequency).with_instability(Instability {
            white_noise: self.white_noise,
            random_walk: self.random_walk,
            ageing: self.ageing,
            temperature: self.temperature,
        })
    }
}

/// A server and the way to it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerModel {
    /// How far ahead of the truth its time is, ns; of a boundary clock, its oscillator says that.
    #[serde(default)]
    pub offset: f64,
    /// The servers that it follows, counted from 1, all before itself: a boundary clock. Its client's settings are those of
    /// `[client]`.
    #[serde(default)]
    pub upstream: Vec<usize>,
    /// A boundary clock's own clock.
    pub oscillator: Option<Clock>,
    /// The client asks it, not only a boundary clock.
    #[serde(default = "yes")]
    pub client: bool,
    /// clockClass that it announces; what `ptp-ctl server` does if left out.
    pub clock_class: Option<i64>,
    /// The client's localPriority; the place in the file if left out.
    pub priority: Option<u8>,
    /// The way from it, to the client as to each boundary clock that follows it.
    pub to_client: Path,
    /// The way to it; like the way from it if left out.
    pub to_server: Option<Path>,
}

impl ServerModel {
    fn to_server(&self) -> &Path {
        self.to_server.as_ref().unwrap_or(&self.to_client)
    }
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EventModel {
    /// When, s.
    pub at: f64,
    /// To which server, counted from 1; to all if left out.
    pub server: Option<usize>,
    /// What.
    pub what: What,
}

/// What can happen to a server.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It dies without a word.
    ServerOff,
    /// It starts anew, and remembers nothing.
    ServerOn,
    /// Nothing gets through in either direction.
    NetworkDown,
    /// It does again.
    NetworkUp,
    /// Its time jumps forward by so much, ns.
    TimeJump(f64),
    /// The ways become longer.
    RouteChange(RouteChange),
}

/// By how much the ways between server and client become longer (or shorter), ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RouteChange {
    /// Of Sync.
    pub to_client: f64,
    /// Of Delay_Req.
    pub to_server: f64,
}

/// A scenario that was found to be right.
#[derive(Clone, Debug)]
pub struct Scenario {
    document: Document,
    client: ClientSettings,
    servers: Vec<ServerSettings>,
}

impl Scenario {
    /// Reads a file. Other files are named relative to where it stands.
    ///
    /// # Errors
    /// [`ScenarioError`]: it cannot be read, or something in it is wrong.
    pub fn load(file: &path::Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ScenarioError::Read { file: file.to_owned(), source })?;
        let directory = file.parent().unwrap_or(path::Path::new(""));
        Self::parse(&text, directory)
            .map_err(|error| ScenarioError::File { file: file.to_owned(), error: Box::new(error) })
    }

    /// What is simulated.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// From when on the error is measured, s.
    pub fn measure_from(&self) -> f64 {
        self.document.measure_from.unwrap_or(self.document.duration / 2.0)
    }
}

#[cfg(test)]
mod tests;
