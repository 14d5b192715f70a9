//! Who answers: ours, the references, ptp4l.

use super::load::{Generator, pin_process};
use super::request::client_identity;
use super::stage::{FIRST_CLIENT, Link, Stage};
use crate::bench::cost;
use crate::netns::{Family, Plane};
use crate::peers::Ptp4l;
use crate::process::Process;
use crate::program::PtpCtl;
use anyhow::{Context, Result, bail};
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use ptp_common::abi::Serving;
use ptp_common::net::checksum::WordSum;
use ptp_common::time::Timestamp;
use ptp_common::wire::{Body, ClockIdentity, Flags, Header, Message, MessageType, PortIdentity};
use ptp_ctl::config::DEFAULT_BPFFS;
use ptp_ctl::dataplane::{DataPlane, Grant, Mode, Options};
use ptp_load::names;
use std::fs;
use std::net::Ipv4Addr;

/// What tables call the reference that ours is compared with.
pub(super) const SMALLEST: &str = "smallest responder";

/// A responder at the end of a link.
pub(super) struct Contender {
    pub(super) link: Link,
    _program: Option<Ptp4l>,
}

impl Contender {
    /// One of the reference programs.
    pub(super) fn reference(
        stage: &Stage,
        generator: &mut Generator,
        number: u8,
        program: &str,
    ) -> Result<Self> {
        let link = stage.link(number, Plane::Ours, super::load::cpus())?;
        generator.listen(stage, &link)?;
        generator.serve(&link, program)?;
        Ok(Self { link, _program: None })
    }

    /// ptp4l as a unicast server.
    pub(super) fn ptp4l(stage: &Stage, generator: &mut Generator, number: u8) -> Result<Self> {
        let link = stage.link(number, Plane::Peer, super::load::cpus())?;
        generator.listen(stage, &link)?;
        // Without any program its end of the link would not take live frames.
        generator.serve(&link, names::PASS)?;
        let program = Ptp4l::server(&link.server, Plane::Peer, Family::V4)?;
        Ok(Self { link, _program: Some(program) })
    }
}

/// Our XDP program, with grants whose rate is no limit: what it can do, not what a client may.
pub(super) struct Ours {
    pub(super) link: Link,
    plane: DataPlane,
    granted: u32,
}

impl Ours {
    /// Shorter than a nanosecond: the token bucket does all of its work and never says no.
    const LOG_INTERVAL: i8 = -30;

    pub(super) fn start(stage: &Stage, generator: &mut Generator, number: u8, queues: usize) -> Result<Self> {
        let link = stage.link(number, Plane::Ours, queues)?;
        generator.listen(stage, &link)?;
        let options = Options {
            interface: link.plane.interface().to_owned(),
            also_interfaces: Vec::new(),
            mode: Mode::Native,
            bpffs: DEFAULT_BPFFS.into(),
            nic_stamps: false,
            max_clients: ptp_load::MAX_CLIENTS,
        };
        let mut plane = link.server.namespace().enter(|| Ok(DataPlane::open(&options)?))?;
        plane.set_local(&[link.server_address.into()])?;
        // Says which stamps are wanted; without it every answer would look for its time once more.
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
        plane.heartbeat(now.num_nanoseconds().cast_unsigned())?;
        plane.serve(&serving(link.server_address)?, u64::MAX)?;
        Ok(Self { link, plane, granted: 0 })
    }

    /// Grants Delay_Resp to so many clients, the earlier ones included.
    pub(super) fn grant(&mut self, clients: u32) -> Result<()> {
        for number in self.granted..clients {
            let address = Ipv4Addr::from(u32::from(FIRST_CLIENT) + number);
            let grant = Grant {
                message_type: MessageType::DelayResp,
                log_interval: Self::LOG_INTERVAL,
                expires: u64::MAX,
                nic_stamp: false,
            };
            self.plane.grant(address.into(), client_identity(number).to_bytes(), grant)?;
        }
        self.granted = self.granted.max(clients);
        Ok(())
    }
}

/// A server at that address that serves the kernel's TAI clock.
fn serving(address: Ipv4Addr) -> Result<Serving> {
    let header = Header {
        flags: Flags::UNICAST,
        source_port_identity: PortIdentity {
            clock_identity: ClockIdentity::from_mac([2, 0, 0, 2, 0, 0]),
            port_number: 1,
        },
        log_message_interval: 0x7f,
        ..Header::default()
    };
    let body = Body::DelayResp {
        receive_timestamp: Timestamp::ZERO,
        requesting_port_identity: PortIdentity::default(),
    };
    let mut octets = [0; 54];
    Message::new(header, body).emit(&mut octets)?;
    let delay_resp = *octets.first_chunk().context("a Delay_Resp begins with a header")?;
    Ok(Serving {
        addresses: [address.to_ipv6_mapped().octets(), [0; 16]],
        delay_resp,
        traffic_class: 56 << 2,
        answers: 1,
        delay_resp_sum: WordSum::of(&delay_resp).raw(),
        ..Serving::NOTHING
    })
}

/// Our program as it is used.
pub(super) struct Controller {
    programs: PtpCtl,
    process: Process,
}

impl Controller {
    /// With the massive plane.
    pub(super) fn start(link: &Link, clients: u32) -> Result<Self> {
        let programs = PtpCtl::new(&PtpCtl::find()?)?;
        let clients = clients.to_string();
        let options = ["--max-clients", &clients, "--sync-plane", "massive"];
        let process = programs.server(&link.server, "server", &options)?;
        Ok(Self { programs, process })
    }

    /// Lets its loop run on the last CPU only.
    pub(super) fn pin(&self) -> Result<()> {
        pin_process(self.process.pid(), super::load::cpus() - 1)
    }

    /// Lets the thread that sends Sync and Announce run there only.
    pub(super) fn pin_sender(&self, cpu: usize) -> Result<()> {
        let pid = self.process.pid();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = entry?.path();
            if fs::read_to_string(path.join("comm"))?.trim_end() == "fan-out" {
                let thread = path.file_name().and_then(|name| name.to_str()?.parse().ok());
                return pin_process(Pid::from_raw(thread.context("a thread has a number")?), cpu);
            }
        }
        bail!("no thread of the server sends Sync and Announce")
    }

    /// Clients with grants of all three services.
    pub(super) fn totals(&self, link: &Link) -> Result<u64> {
        let stats = self.programs.stats(&link.server)?;
        let total = |service| stats["totals"][service].as_u64().context("no totals in the stats");
        Ok(total("announce")?.min(total("sync")?).min(total("delay_resp")?))
    }

    /// A counter of what sends Sync and Announce.
    pub(super) fn fan_out(&self, link: &Link, name: &str) -> Result<u64> {
        let stats = self.programs.stats(&link.server)?;
        stats["counters"]["fan_out"][name].as_u64().with_context(|| format!("no {name} in the stats"))
    }

    /// What it holds, resident and in BPF maps, kB.
    pub(super) fn memory_kb(&self) -> Result<f64> {
        Ok(cost::resident_kb(&self.process)? + cost::maps_kb(&self.process)?)
    }

    /// CPU time so far, s.
    pub(super) fn cpu_s(&self) -> Result<f64> {
        Ok(cost::cpu_ns(&self.process)? as f64 * 1e-9)
    }
}
