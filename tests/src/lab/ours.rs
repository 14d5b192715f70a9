//! Our programs at the devices.

use super::bench::Node;
use crate::process::Process;
use crate::program::{Ended, wait_until_started};
use crate::scratch;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

pub(super) const PTP_CTL: &str = "/bin/ptp-ctl";

/// `ptp-ctl SUBCOMMAND INTERFACE` at a node.
pub(super) fn command(node: &Node, subcommand: &str, options: &[&str]) -> Command {
    let mut command = Command::new(PTP_CTL);
    command.args([subcommand, &node.interface()]).args(options);
    command
}

/// Starts a server on the PHC, and waits until it runs.
pub(super) fn server(node: &Node, options: &[&str]) -> Result<Process> {
    let mut command = command(node, "server", &["--json", "--clock", "phc"]);
    command.args(options);
    let process = node.spawn("server", command)?;
    wait_until_started(&process)?;
    Ok(process)
}

/// Starts a client that steers the PHC, and waits until it runs. Its state is kept in `state`.
pub(super) fn client(node: &Node, servers: &[&Node], options: &[&str], state: &Path) -> Result<Process> {
    let mut command = command(node, "client", &["--json", "--clock", "phc", "--state-dir"]);
    command.arg(state);
    for server in servers {
        command.arg("--server").arg(server.address().to_string());
    }
    command.args(options);
    let process = node.spawn("client", command)?;
    wait_until_started(&process)?;
    Ok(process)
}

/// Starts a controller that steers the PHC of an interface in a node's namespace, and waits until it runs.
pub(super) fn at(
    node: &Node,
    interface: &str,
    subcommand: &str,
    options: &[&str],
    state: &Path,
) -> Result<Process> {
    let mut command = Command::new(PTP_CTL);
    command.args([subcommand, interface, "--json", "--clock", "phc"]).args(options);
    if subcommand == "client" {
        command.arg("--state-dir").arg(state);
    }
    let process = node.spawn(subcommand, command)?;
    wait_until_started(&process)?;
    Ok(process)
}

/// For what a client keeps, as whatever user it runs.
pub(super) fn state_directory() -> Result<TempDir> {
    let directory = scratch::directory("state")?;
    set_permissions(directory.path(), Permissions::from_mode(0o777))?;
    Ok(directory)
}

/// What a tool of the machine's says at a node, in one line.
pub(super) fn shown(node: &Node, tool: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(format!("/bin/{tool}"));
    command.args(arguments);
    let ended = Ended::of(node.spawn(tool, command)?)?;
    Ok(ended.stdout.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The NIC stamps no more, and no program is at it.
pub(super) fn nothing_is_left(node: &Node, interface: &str) -> Result<()> {
    let stamps = shown(node, "hwstamp_ctl", &["-i", interface])?;
    ensure!(stamps.contains("tx_type 0") && stamps.contains("rx_filter 0"), "{interface}: {stamps}");
    let link = shown(node, "ip", &["link", "show", interface])?;
    ensure!(!link.contains("xdp"), "{link}");
    Ok(())
}

/// Runs a command to its end.
pub(super) fn run(node: &Node, subcommand: &str, options: &[&str]) -> Result<Ended> {
    Ended::of(node.spawn(subcommand, command(node, subcommand, options))?)
}

/// The `stats` document of the controller at a node.
pub(super) fn stats(node: &Node) -> Result<Value> {
    stats_of(node, &node.interface())
}

/// The same, of one on another interface in its namespace.
pub(super) fn stats_of(node: &Node, interface: &str) -> Result<Value> {
    let mut command = Command::new(PTP_CTL);
    command.args(["stats", interface]);
    let ended = Ended::of(node.spawn("stats", command)?)?;
    ensure!(ended.code == Some(0), "stats: {}", ended.stderr.trim());
    serde_json::from_str(&ended.stdout).context("stats is no JSON")
}
