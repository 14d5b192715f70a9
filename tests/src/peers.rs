//! linuxptp's ptp4l as a unicast server and client, to work with and to be compared with.
//!
//! Every ptp4l here runs with `free_running 1`: it then opens no clock at all (`CLOCK_INVALID` in its clock.c), so it
//! can neither step nor steer the machine's. Its client measures; both ends count the one CLOCK_REALTIME, so the true
//! offset is 0. The configuration is understood by 3.1.1 (Debian 12) and later.

use crate::netns::{Family, Host, Plane};
use crate::process::{Line, Process};
use crate::scratch;
use anyhow::{Context, Result};
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The program's name in the PATH.
pub const PTP4L: &str = "ptp4l";
/// It binds its ports and logs this quickly even on a loaded machine.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Some Announce intervals of silence make it a server.
const SERVER_TIMEOUT: Duration = Duration::from_secs(20);

/// A running ptp4l; killed on drop.
#[derive(Debug)]
pub struct Ptp4l {
    /// The program.
    pub process: Process,
    _files: TempDir,
}

/// What a line of ptp4l's log says.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// An offset against the server in use, and the path delay, ns. With `free_running`, one for each second.
    Offset { offset_ns: f64, path_delay_ns: f64 },
    /// A complete exchange: the path delay measured, ns. One for each Delay_Resp.
    Exchange { path_delay_ns: f64 },
    /// A change of the port's state, by the names that ptp4l prints.
    State { from: String, to: String },
    /// The clock identity of the server it decided to use.
    Selected(String),
}

impl Reading {
    /// `None` for lines that say something else.
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_once("]: ")?.1.split_whitespace().collect();
        match words.as_slice() {
            ["master", "offset", offset, _, "freq", _, "path", "delay", delay] => {
                Some(Self::Offset { offset_ns: offset.parse().ok()?, path_delay_ns: delay.parse().ok()? })
            }
            ["delay", "filtered", _, "raw", raw] => Some(Self::Exchange { path_delay_ns: raw.parse().ok()? }),
            ["port", _, from, "to", to, "on", ..] => {
                Some(Self::State { from: (*from).to_owned(), to: (*to).to_owned() })
            }
            ["selected", "best", "master", "clock", identity] => Some(Self::Selected((*identity).to_owned())),
            _ => None,
        }
    }
}

/// What makes a client of it. Not the option for that: with it, ptp4l opens its sockets anew when a server is lost, and
/// binds them to all interfaces first, which fails while another PTP program has the port on one of them.
const CLIENT_ONLY: &str = "priority1 255\nclockClass 255\ninhibit_multicast_service 1\n";

/// Which of two servers for one client.
///
/// ptp4l 3.1.1 as a client, when the better one of two servers announces itself at the same moment but after the other,
/// selects both in turn and then asks neither for Sync that it would use. So the second server, started right before the
/// client, begins to serve when the client already follows the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// The better one.
    First,
    /// The standby, which takes some seconds longer to serve.
    Second,
}

/// Message rates of a client, as base-2 logarithms of seconds.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub log_announce_interval: i8,
    pub log_sync_interval: i8,
    pub log_delay_req_interval: i8,
}

impl Default for Rates {
    /// What our own client asks for by default.
    fn default() -> Self {
        Self { log_announce_interval: 0, log_sync_interval: -3, log_delay_req_interval: -3 }
    }
}

impl Ptp4l {
    /// Starts a unicast server and waits until it serves.
    pub fn server(host: &Host, plane: Plane, family: Family) -> Result<Self> {
        let ptp4l = Self::start_server(host, plane, family, Rank::First)?;
        ptp4l.wait_until_serving()?;
        Ok(ptp4l)
    }

    /// Starts a unicast server; it serves some seconds later.
    pub fn start_server(host: &Host, plane: Plane, family: Family, rank: Rank) -> Result<Self> {
        let (priority1, announce_receipt_timeout) = match rank {
            Rank::First => (127, 2),
            Rank::Second => (128, 5),
        };
        let options = format!(
            "priority1 {priority1}\n\
             announceReceiptTimeout {announce_receipt_timeout}\n\
             unicast_listen 1\n\
             inhibit_multicast_service 1\n"
        );
        Self::start(host, plane, family, "ptp4l server", &(config(Rates::default()) + &options), "")
    }

    /// Starts a unicast client that asks `servers` for service and logs every exchange.
    pub fn client(
        host: &Host,
        plane: Plane,
        family: Family,
        servers: &[IpAddr],
        rates: Rates,
    ) -> Result<Self> {
        Self::start_client(host, plane, family, servers, rates, "")
    }

    /// The same, but it logs as it does by default: one line a second.
    pub fn quiet_client(
        host: &Host,
        plane: Plane,
        family: Family,
        servers: &[IpAddr],
        rates: Rates,
    ) -> Result<Self> {
        Self::start_client(host, plane, family, servers, rates, "logging_level 6\n")
    }

    fn start_client(
        host: &Host,
        plane: Plane,
        family: Family,
        servers: &[IpAddr],
        rates: Rates,
        options: &str,
    ) -> Result<Self> {
        let transport = transport(family);
        let mut head = config(rates) + CLIENT_ONLY + "unicast_req_duration 120\n" + options;
        head += "[unicast_master_table]\ntable_id 1\nlogQueryInterval 0\n";
        for server in servers {
            head += &format!("{transport} {server}\n");
        }
        Self::start(host, plane, family, "ptp4l client", &head, "unicast_master_table 1\n")
    }

    /// Waits until a server has become one.
    pub fn wait_until_serving(&self) -> Result<()> {
        self.process.wait_for("ptp4l to serve", SERVER_TIMEOUT, |line| match Reading::parse(&line.text)? {
            Reading::State { to, .. } => (to == "MASTER").then_some(()),
            _ => None,
        })
    }

    /// Everything it has measured and decided since line number `from`, with arrival times (CLOCK_REALTIME, ns).
    pub fn readings(&self, from: usize) -> Vec<(i64, Reading)> {
        let reading = |line: &Line| Some((line.arrived_ns, Reading::parse(&line.text)?));
        self.process.lines(from).iter().filter_map(reading).collect()
    }

    fn start(host: &Host, plane: Plane, family: Family, name: &str, head: &str, port: &str) -> Result<Self> {
        let files = scratch::directory("ptp4l")?;
        let path = files.path().join("ptp4l.conf");
        let (interface, transport) = (plane.interface(), transport(family));
        let uds = files.path().join("uds");
        let global = format!("[global]\nuds_address {}\n", uds.display());
        let text = format!("{global}{head}[{interface}]\nnetwork_transport {transport}\n{port}");
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = Command::new(PTP4L);
        command.arg("-f").arg(&path);
        let process = host.spawn(name, command)?;
        let ptp4l = Self { process, _files: files };
        ptp4l.process.wait_for("the port to open", START_TIMEOUT, |line| {
            match Reading::parse(&line.text)? {
                Reading::State { from, .. } => (from == "INITIALIZING").then_some(()),
                _ => None,
            }
        })?;
        Ok(ptp4l)
    }
}

fn transport(family: Family) -> &'static str {
    match family {
        Family::V4 => "UDPv4",
        Family::V6 => "UDPv6",
    }
}

/// The options that both roles share. Log level 7 prints each exchange; with `free_running` the offset comes only
/// once per `freq_est_interval` (0 = a second, the shortest), as it is and not as a summary if `summary_interval` is shorter.
fn config(rates: Rates) -> String {
    let Rates { log_announce_interval, log_sync_interval, log_delay_req_interval } = rates;
    format!(
        "free_running 1\n\
         freq_est_interval 0\n\
         summary_interval -7\n\
         time_stamping software\n\
         tx_timestamp_timeout 100\n\
         logAnnounceInterval {log_announce_interval}\n\
         logSyncInterval {log_sync_interval}\n\
         logMinDelayReqInterval {log_delay_req_interval}\n\
         dscp_event 56\n\
         dscp_general 56\n\
         use_syslog 0\n\
         verbose 1\n\
         logging_level 7\n"
    )
}

#[cfg(test)]
mod tests {
    use super::Reading;

    #[test]
    fn log_lines_are_understood() {
        let table = [
            (
                "ptp4l[17.2]: master offset       -802 s0 freq     -12 path delay      1234",
                Some(Reading::Offset { offset_ns: -802.0, path_delay_ns: 1234.0 }),
            ),
            (
                "ptp4l[17.3]: delay   filtered       1200   raw       1310",
                Some(Reading::Exchange { path_delay_ns: 1310.0 }),
            ),
            (
                "ptp4l[17.4]: port 1: LISTENING to UNCALIBRATED on RS_SLAVE",
                Some(Reading::State { from: "LISTENING".into(), to: "UNCALIBRATED".into() }),
            ),
            (
                "ptp4l[17.5]: selected best master clock 4a1b2c.fffe.3d4e5f",
                Some(Reading::Selected("4a1b2c.fffe.3d4e5f".into())),
            ),
            ("ptp4l[17.6]: port 1: new foreign master 4a1b2c.fffe.3d4e5f-1", None),
            ("", None),
        ];
        for (line, reading) in table {
            assert_eq!(Reading::parse(line), reading, "{line}");
        }
    }
}
