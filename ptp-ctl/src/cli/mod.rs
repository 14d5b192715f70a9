//! The command line: one file per subcommand.

mod attach;
mod check;
mod client;
mod clients;
mod config;
mod controller;
mod detach;
mod drawing;
mod now;
mod pages;
mod plot;
mod reload;
mod run;
mod server;
mod simulate;
mod stats;
mod status;
mod top;

#[cfg(test)]
mod tests;

use crate::config::{Profile, RoleName};
use crate::sim::scenario::ScenarioError;
use anyhow::Context as _;
use clap::{ArgAction, ArgMatches, CommandFactory, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// PTP (IEEE 1588) over routed networks: client and server with an XDP data plane.
#[derive(Debug, Parser)]
#[command(name = "ptp-ctl", version, arg_required_else_help = true)]
struct Cli {
    /// More log messages on standard error (-v: debug, -vv: trace); RUST_LOG says it in detail
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// A profile, if one is named, has a say in what is not.
    fn from_line(line: Vec<OsString>) -> Result<Self, clap::Error> {
        let mut matches = Self::command().try_get_matches_from(&line)?;
        if let Some((role, profile)) = profile(&matches) {
            matches = profile.apply(Self::command(), role).try_get_matches_from(&line)?;
        }
        Self::from_arg_matches(&matches)
    }
}

fn profile(matches: &ArgMatches) -> Option<(RoleName, Profile)> {
    let (name, flags) = matches.subcommand()?;
    let role = RoleName::ALL.into_iter().find(|role| role.name() == name)?;
    Some((role, *flags.get_one("profile")?))
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Attach the XDP program to an interface and leave it there
    Attach(attach::Args),
    /// Take the XDP program off an interface, with everything that belongs to it
    Detach(detach::Args),
    /// Follow one or more servers
    Client(client::Args),
    /// Serve time to clients
    Server(server::Args),
    /// Run a client or a server from a configuration file
    Run(run::Args),
    /// Let the controller on an interface read its file again, and apply what needs no restart
    Reload(reload::Args),
    /// Show what the controller on an interface does, as a page to read
    Status(status::Args),
    /// Show what the controller on an interface does, as JSON
    Stats(stats::Args),
    /// Watch what the controller on an interface does, on the terminal
    Top(top::Args),
    /// Show whom the server on an interface serves: totals, and the busiest clients
    Clients(clients::Args),
    /// Tell what time it is by a client, and how sure that is: earliest and latest
    Now(now::Args),
    /// Play a network and a clock under virtual time, with the same engine and servo as on real packets
    Simulate(simulate::Args),
    /// Show what this kernel and NIC can do, or find mistakes in a configuration file
    Check(check::Args),
    /// Write, show and translate configuration files
    Config(config::Args),
    /// Draw what a client has recorded: offset, path delay, MTIE and TDEV
    Plot(plot::Args),
    /// Write man pages and shell completions
    Pages(pages::Args),
}

/// What `main` does. Exit codes: 0 fine, 1 an error while running, 2 a command line or setting that is wrong.
pub fn main() -> ExitCode {
    let cli = Cli::from_line(std::env::args_os().collect()).unwrap_or_else(|error| error.exit());
    start_log(cli.verbose);
    let result = match &cli.command {
        Command::Attach(args) => attach::run(args),
        Command::Detach(args) => detach::run(args),
        Command::Client(args) => client::run(args),
        Command::Server(args) => server::run(args),
        Command::Run(args) => run::run(args),
        Command::Reload(args) => reload::run(args),
        Command::Status(args) => status::run(args),
        Command::Stats(args) => stats::run(args),
        Command::Top(args) => top::run(args),
        Command::Clients(args) => clients::run(args),
        Command::Now(args) => now::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Check(args) => check::run(args),
        Command::Config(args) => config::run(args),
        Command::Plot(args) => plot::run(args),
        Command::Pages(args) => pages::run(args, Cli::command()),
    };
    result.unwrap_or_else(|error| {
        if error.is::<ReaderGone>() {
            return ExitCode::SUCCESS;
        }
        eprintln!("ptp-ctl: {}", with_causes(&error));
        let mistaken = config::is_mistake(&error) || error.is::<ScenarioError>();
        ExitCode::from(if mistaken { 2 } else { 1 })
    })
}

/// The error and what caused it, without saying anything twice: some errors say their cause themselves.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// `RUST_LOG` rules; without it, `-v` does.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(verbose > 0)
        .init();
}

/// Prints a report as one line of JSON.
fn print_json(report: &impl serde::Serialize) -> anyhow::Result<()> {
    print(serde_json::to_string(report)? + "\n")
}

/// Whoever read standard output has seen enough, as `head` has: no error of ours.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
struct ReaderGone;

/// Writes to standard output, and does not panic as `print!` does when nobody reads it any more.
fn print(text: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("cannot write to standard output"),
    }
}
