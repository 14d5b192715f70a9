//! From a document to a scenario: every value is looked at, and what is wrong is called by its key.

use super::{Clock, Document, Scenario, ServerModel, What};
use crate::config::{
    ClientOptions, ClientSettings, ClockClass, ConfigError, Role, ServerAddress, ServerOptions,
    ServerSettings,
};
use crate::engine::client::MAX_SERVERS;
use crate::sim::delay::{Clip, Delay, Normal, Range, Shape, Term};
use crate::sim::trace::Way;
use crate::sim::{Load, Path, TraceError};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{self, PathBuf};

/// Why a scenario cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in a file is wrong.
    #[error("{}: {error}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What.
        error: Box<ScenarioError>,
    },
    /// No valid TOML, an unknown key or a value of the wrong type; says where.
    #[error("{}", .0.to_string().trim_end())]
    Toml(#[from] toml::de::Error),
    /// A value is wrong.
    #[error("{key} = {value}: {problem}")]
    Value {
        /// Where it stands: tables, places in lists (from 1) and key.
        key: String,
        /// As given.
        value: String,
        /// What is allowed.
        problem: &'static str,
    },
    /// A setting of the client or of a server.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// A file of delays.
    #[error("{key}: {error}")]
    Trace {
        /// Where it is named.
        key: String,
        /// What is wrong.
        error: TraceError,
    },
}

/// Stands for the interface, which a simulation has not.
const INTERFACE: &str = "simulated";
const NOT_NEGATIVE: &str = "must be 0 or more";
const POSITIVE: &str = "must be more than 0";
const FINITE: &str = "must be a number";
const SHARE: &str = "must be 0 to 1";

/// The client's address.
pub(super) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// Of the server at `index`, from 0.
pub(super) fn server_address(index: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, (index + 1) as u8, 1))
}

impl Scenario {
    /// Takes the text of a file that stands in `directory`.
    ///
    /// # Errors
    /// As [`Scenario::load`], without the file's name.
    pub fn parse(text: &str, directory: &path::Path) -> Result<Self, ScenarioError> {
        Self::new(toml::from_str(text)?, directory)
    }

    /// Checks everything. Files are named relative to `directory`.
    ///
    /// # Errors
    /// [`ScenarioError`] of the first value that is wrong.
    pub fn new(mut document: Document, directory: &path::Path) -> Result<Self, ScenarioError> {
        check_document(&document)?;
        for (place, server) in (1..).zip(&mut document.server) {
            check_server(place, server)?;
            // A record has delays of its own for each way.
            let to_server = server.to_server.get_or_insert_with(|| server.to_client.clone());
            let ways = [
                ("to-client", Way::ToClient, &mut server.to_client),
                ("to-server", Way::ToServer, to_server),
            ];
            for (name, way, path) in ways {
                check_path(&format!("server[{place}].{name}"), path, Source { directory, way })?;
            }
        }
        let client = client_settings(&document)?;
        let settings = |server| server_settings(server, &document.client);
        let servers = document.server.iter().map(settings).collect::<Result<_, _>>()?;
        Ok(Self { document, client, servers })
    }
}

/// Where files are, and which way's delays are wanted of them.
#[derive(Clone, Copy)]
struct Source<'a> {
    directory: &'a path::Path,
    way: Way,
}

fn check_document(document: &Document) -> Result<(), ScenarioError> {
    let Document { duration, measure_from, settled_within, oscillator, stamps, server, event, mask, .. } =
        document;
    check("duration", *duration, (1.0..=1e9).contains(duration), "must be 1 to 1e9 s")?;
    if let Some(from) = measure_from {
        let problem = "must be 0 or more, and at least 1 s before the end";
        check("measure-from", *from, (0.0..=duration - 1.0).contains(from), problem)?;
    }
    check("settled-within", *settled_within, *settled_within > 0.0, POSITIVE)?;
    if let Some(mask) = mask {
        let rising = mask.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let sane = rising && mask.len() > 1 && mask.iter().all(|&(tau, ns)| tau > 0.0 && ns > 0.0);
        let problem = "must be 2 points or more, [tau in s, MTIE in ns], all positive, tau rising";
        check("mask", mask.len() as f64, sane, problem)?;
    }
    check_clock("oscillator", oscillator)?;
    check("stamps.granularity", stamps.granularity as f64, stamps.granularity > 0, "must be 1 ns or more")?;
    not_negative("stamps.noise", stamps.noise)?;
    share("stamps.tx-loss", stamps.tx_loss)?;
    let count = server.len();
    let problem = "there must be 1 [[server]] at least, and 16 at most";
    check("server", count as f64, (1..=MAX_SERVERS).contains(&count), problem)?;
    let asked = server.iter().filter(|server| server.client).count();
    check("server", "client = false", asked > 0, "there must be one that the client asks")?;
    for (place, event) in (1..).zip(event) {
        let key = format!("event[{place}]");
        not_negative(&format!("{key}.at"), event.at)?;
        if let Some(number) = event.server {
            let known = (1..=count).contains(&number);
            check(
                &format!("{key}.server"),
                number as f64,
                known,
                "must be the number of a [[server]], from 1",
            )?;
        }
        match event.what {
            What::TimeJump(ns) => finite(&format!("{key}.what.time-jump"), ns)?,
            What::RouteChange(change) => {
                finite(&format!("{key}.what.route-change.to-client"), change.to_client)?;
                finite(&format!("{key}.what.route-change.to-server"), change.to_server)?;
            }
            What::ServerOff | What::ServerOn | What::NetworkDown | What::NetworkUp => {}
        }
    }
    Ok(())
}

fn check_clock(key: &str, clock: &Clock) -> Result<(), ScenarioError> {
    let Clock { offset, frequency, white_noise, random_walk, ageing, temperature } = clock;
    finite(&format!("{key}.offset"), *offset)?;
    let possible = frequency.abs() <= 1e8;
    check(&format!("{key}.frequency"), *frequency, possible, "must be within 1e8 ppb either way")?;
    not_negative(&format!("{key}.white-noise"), *white_noise)?;
    not_negative(&format!("{key}.random-walk"), *random_walk)?;
    finite(&format!("{key}.ageing"), *ageing)?;
    finite(&format!("{key}.temperature.amplitude"), temperature.amplitude)?;
    positive(&format!("{key}.temperature.period"), temperature.period)
}

/// `place` counts from 1.
fn check_server(place: usize, server: &ServerModel) -> Result<(), ScenarioError> {
    let key = |name: &str| format!("server[{place}].{name}");
    finite(&key("offset"), server.offset)?;
    for &upstream in &server.upstream {
        let problem = "must be the number of a [[server]] before it, from 1";
        check(&key("upstream"), upstream, (1..place).contains(&upstream), problem)?;
    }
    let boundary = !server.upstream.is_empty();
    let problem = "a boundary clock's time is that of its `oscillator`, and of its servers";
    check(&key("offset"), server.offset, !boundary || server.offset == 0.0, problem)?;
    let Some(clock) = &server.oscillator else { return Ok(()) };
    let problem = "is for boundary clocks (`upstream`): other servers have a perfect clock, `offset` ahead";
    check(&key("oscillator"), "{ … }", boundary, problem)?;
    check_clock(&key("oscillator"), clock)
}

fn check_path(key: &str, path: &mut Path, source: Source<'_>) -> Result<(), ScenarioError> {
    share(&format!("{key}.loss"), path.loss)?;
    share(&format!("{key}.duplication"), path.duplication)?;
    let Load { points, period } = &path.load;
    for (place, pair) in (2..).zip(points.windows(2)) {
        let problem = "must not be before the point that stands before it";
        check(&format!("{key}.load.points[{place}]"), pair[1].0, pair[0].0 <= pair[1].0, problem)?;
    }
    for (place, &(at, load)) in (1..).zip(points) {
        not_negative(&format!("{key}.load.points[{place}]"), at)?;
        let possible = (0.0..1.0).contains(&load);
        check(&format!("{key}.load.points[{place}]"), load, possible, "a load must be 0 to below 1")?;
    }
    if let Some(period) = period {
        positive(&format!("{key}.load.period"), *period)?;
    }
    check_delay(&format!("{key}.delay"), &mut path.delay, source)
}

fn check_delay(key: &str, delay: &mut Delay, source: Source<'_>) -> Result<(), ScenarioError> {
    let problem = "must list 1 term at least, such as [{ constant = 500e3 }]";
    check(key, "[]", !delay.terms.is_empty(), problem)?;
    for (place, term) in (1..).zip(&mut delay.terms) {
        let key = format!("{key}[{place}]");
        match term {
            Term::Constant(ns) => finite(&format!("{key}.constant"), *ns)?,
            Term::Exponential(mean) => not_negative(&format!("{key}.exponential"), *mean)?,
            Term::Queue(service) => not_negative(&format!("{key}.queue"), *service)?,
            Term::Normal(Normal { mean, deviation }) => {
                finite(&format!("{key}.normal.mean"), *mean)?;
                not_negative(&format!("{key}.normal.deviation"), *deviation)?;
            }
            Term::Uniform(Range { from, to }) => check_range(&format!("{key}.uniform"), *from, *to)?,
            Term::Gamma(shape) => check_shape(&format!("{key}.gamma"), *shape)?,
            Term::Pareto(shape) => check_shape(&format!("{key}.pareto"), *shape)?,
            Term::Mixture(shares) => {
                let total: f64 = shares.iter().map(|share| share.weight).sum();
                let problem = "the weights must add up to more than 0";
                check(&format!("{key}.mixture"), total, total > 0.0, problem)?;
                for (place, share) in (1..).zip(shares) {
                    let key = format!("{key}.mixture[{place}]");
                    not_negative(&format!("{key}.weight"), share.weight)?;
                    check_delay(&format!("{key}.delay"), &mut share.delay, source)?;
                }
            }
            Term::Max(delays) => {
                check(&format!("{key}.max"), "[]", !delays.is_empty(), "must list 1 delay at least")?;
                for (place, delay) in (1..).zip(delays) {
                    check_delay(&format!("{key}.max[{place}]"), delay, source)?;
                }
            }
            Term::Clip(Clip { from, to, delay }) => {
                check_range(&format!("{key}.clip"), *from, to.unwrap_or(f64::MAX))?;
                check_delay(&format!("{key}.clip.delay"), delay, source)?;
            }
            Term::Loaded(delay) => check_delay(&format!("{key}.loaded"), delay, source)?,
            Term::Trace(trace) => trace
                .load(source.directory, source.way)
                .map_err(|error| ScenarioError::Trace { key: format!("{key}.trace"), error })?,
        }
    }
    Ok(())
}

fn check_range(key: &str, from: f64, to: f64) -> Result<(), ScenarioError> {
    finite(&format!("{key}.from"), from)?;
    finite(&format!("{key}.to"), to)?;
    check(&format!("{key}.to"), to, from <= to, "must not be less than `from`")
}

fn check_shape(key: &str, Shape { shape, scale }: Shape) -> Result<(), ScenarioError> {
    positive(&format!("{key}.shape"), shape)?;
    not_negative(&format!("{key}.scale"), scale)
}

fn finite(key: &str, value: f64) -> Result<(), ScenarioError> {
    check(key, value, value.is_finite(), FINITE)
}

fn not_negative(key: &str, value: f64) -> Result<(), ScenarioError> {
    check(key, value, value >= 0.0 && value.is_finite(), NOT_NEGATIVE)
}

fn positive(key: &str, value: f64) -> Result<(), ScenarioError> {
    check(key, value, value > 0.0 && value.is_finite(), POSITIVE)
}

fn share(key: &str, value: f64) -> Result<(), ScenarioError> {
    check(key, value, (0.0..=1.0).contains(&value), SHARE)
}

fn check(key: &str, value: impl ToString, good: bool, problem: &'static str) -> Result<(), ScenarioError> {
    if good {
        return Ok(());
    }
    Err(ScenarioError::Value { key: key.to_owned(), value: value.to_string(), problem })
}

/// The client's settings with the scenario's servers.
fn client_settings(document: &Document) -> Result<ClientSettings, ScenarioError> {
    let mut options = document.client.clone();
    options.interface = INTERFACE.to_owned();
    let server = |(index, server): (usize, &ServerModel)| ServerAddress {
        address: server_address(index),
        priority: server.priority,
    };
    let asked = document.server.iter().enumerate().filter(|(_, server)| server.client);
    options.server = asked.map(server).collect();
    match options.validate()?.role {
        Role::Client(client) => Ok(client),
        Role::Server(_) => unreachable!("a client's options make a client"),
    }
}

fn server_settings(server: &ServerModel, client: &ClientOptions) -> Result<ServerSettings, ScenarioError> {
    let mut options = ServerOptions { interface: INTERFACE.to_owned(), ..ServerOptions::default() };
    if let Some(class) = server.clock_class {
        options.clock_class = ClockClass::Fixed(class);
    }
    if !server.upstream.is_empty() {
        let address = |&number: &usize| ServerAddress { address: server_address(number - 1), priority: None };
        let server = server.upstream.iter().map(address).collect();
        options.upstream.client = Some(Box::new(ClientOptions { server, ..client.clone() }));
    }
    match options.validate()?.role {
        Role::Server(server) => Ok(server),
        Role::Client(_) => unreachable!("a server's options make a server"),
    }
}
