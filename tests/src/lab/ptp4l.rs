//! ptp4l with hardware stamps, as a peer and to compare with.

use super::bench::Node;
use crate::peers::{PTP4L, Reading};
use crate::process::Process;
use crate::program::Ended;
use crate::scratch;
use anyhow::{Context as _, Result, ensure};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const SERVER_TIMEOUT: Duration = Duration::from_secs(20);

/// A running ptp4l; killed on drop.
#[derive(Debug)]
pub(super) struct Ptp4l {
    pub(super) process: Process,
    files: TempDir,
}

impl Ptp4l {
    /// Starts a server and waits until it serves.
    pub(super) fn server(node: &Node) -> Result<Self> {
        let options =
            "priority1 127\nannounceReceiptTimeout 2\nunicast_listen 1\ninhibit_multicast_service 1\n";
        let ptp4l = Self::start(node, "ptp4l server", options, "")?;
        ptp4l.process.wait_for("ptp4l to serve", SERVER_TIMEOUT, |line| {
            match Reading::parse(&line.text)? {
                Reading::State { to, .. } => (to == "MASTER").then_some(()),
                _ => None,
            }
        })?;
        Ok(ptp4l)
    }

    /// Starts a client of one server, at the rates that ours asks for.
    pub(super) fn client(node: &Node, server: &Node) -> Result<Self> {
        let head = format!(
            "slaveOnly 1\nfirst_step_threshold 0.00002\ninhibit_multicast_service 1\n[unicast_master_table]\n\
             table_id 1\nlogQueryInterval 0\nUDPv4 {}\n",
            server.address()
        );
        Self::start(node, "ptp4l client", &head, "unicast_master_table 1\n")
    }

    /// A server tells of a leap second at the end of the UTC day, or no longer does.
    pub(super) fn set_leap61(&self, node: &Node, leap61: bool) -> Result<()> {
        let setting = format!(
            "SET GRANDMASTER_SETTINGS_NP clockClass 6 clockAccuracy 0x21 offsetScaledLogVariance 0x4e5d \
             currentUtcOffset 37 leap61 {} leap59 0 currentUtcOffsetValid 1 ptpTimescale 1 timeTraceable 1 \
             frequencyTraceable 1 timeSource 0x20",
            u8::from(leap61)
        );
        let mut command = Command::new("/bin/pmc");
        let [own, server] = ["pmc", "uds"].map(|name| self.files.path().join(name));
        command.args(["-u", "-b", "0", "-i"]).arg(own).arg("-s").arg(server).arg(setting);
        let ended = Ended::of(node.spawn("pmc", command)?)?;
        ensure!(ended.stdout.contains("RESPONSE"), "pmc: {ended:?}");
        Ok(())
    }

    fn start(node: &Node, name: &str, head: &str, port: &str) -> Result<Self> {
        let files = scratch::directory("ptp4l")?;
        let path = files.path().join("ptp4l.conf");
        let text = format!(
            "[global]\nuds_address {}\ntime_stamping hardware\nnetwork_transport UDPv4\nlogAnnounceInterval 0\n\
             logSyncInterval -3\nlogMinDelayReqInterval -3\ntx_timestamp_timeout 100\nsummary_interval 0\nuse_syslog 0\n\
             verbose 1\n{head}[{}]\n{port}",
            files.path().join("uds").display(),
            node.interface(),
        );
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = Command::new(PTP4L);
        command.arg("-f").arg(&path);
        Ok(Self { process: node.spawn(name, command)?, files })
    }
}
