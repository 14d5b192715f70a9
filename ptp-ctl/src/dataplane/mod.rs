//! The XDP program seen from userspace: load, attach, feed its maps, read its ring.
//!
//! [`DataPlane::open`] is for a controller: it uses what [`attach`] pinned, else attaches for its own lifetime.

mod attach;
mod clients;
mod counters;
mod device_bound;
mod error;
mod events;
mod fan_out;
mod features;
mod holder;
mod hook;
mod kfunc;
mod log;
mod mapping;
mod maps;
mod netlink;
mod object;
mod options;
mod peers;
mod pins;
mod pod;
pub mod probe;
mod sending;

pub use attach::{AttachReport, DetachReport, attach, detach, is_in_use};
pub use counters::RecordCounters;
pub use error::DataPlaneError;
pub use events::ReceivedEvent;
pub use features::Feature;
pub use holder::Holder;
pub use object::{Loaded, load};
pub use options::{Mode, Options};

use self::log::ProgramLog;
use aya::programs::Xdp;
use fan_out::FanOut;
use hook::Hook;
use maps::{Maps, access};
use nix::fcntl::{Flock, FlockArg};
use options::Interface;
use pins::{Pins, State, pin_error};
use pod::Plain;
use ptp_common::abi::{self, Controller, LocalKey, ServerKey, Serving, TICK_SHIFT, names};
use ptp_common::wire::MessageType;
use std::fs::File;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

/// One service of a client of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Announce, Sync or Delay_Resp.
    pub message_type: MessageType,
    /// logInterMessagePeriod.
    pub log_interval: i8,
    /// Its end, CLOCK_MONOTONIC in ns.
    pub expires: u64,
    /// Of a Delay_Resp: t4 is to be the NIC's stamp.
    pub nic_stamp: bool,
}

/// The program at work for one controller.
pub struct DataPlane {
    maps: Maps,
    mode: Mode,
    nic_stamps: bool,
    /// Where the program is, the first interface first; nowhere if it was only loaded.
    hooks: Vec<Hook>,
    records: RecordCounters,
    log: ProgramLog,
    hold: Hold,
    /// What the program was told last.
    controller: Controller,
    /// Sends Sync and Announce, once it was started.
    fan_out: Option<FanOut>,
}

const SILENT: Controller = Controller { alive_ns: 0, answers_until_ns: 0, stamp_source: 0, serving: 0 };

/// What keeps the program at the hook, or us its only user.
enum Hold {
    /// Program and link go with the process.
    Own(Box<Loaded>),
    /// The pins keep the program; the lock on their directory keeps other controllers out.
    Pinned {
        #[expect(dead_code, reason = "held for the lock")]
        lock: Flock<File>,
        pins: Pins,
    },
}

impl DataPlane {
    /// Uses the program that [`attach`] pinned for these interfaces, else attaches it until this is dropped.
    ///
    /// A pinned one is taken over clean: no peers, no old records; but a server finds the clients of one that was killed
    /// (see [`Self::clients`]). It must have this controller's ABI version and the
    /// mode that is asked for, and be at these interfaces and no others.
    pub fn open(options: &Options) -> Result<Self, DataPlaneError> {
        Feature::Xdp.check()?;
        let interfaces = options.interfaces()?;
        let pins = Pins::of(&options.bpffs, interfaces[0].index)?;
        if let State::Attached { programs } = pins.state()? {
            let hooks = hook::pinned(options, interfaces, &programs)?;
            return Self::take_over(options, &pins, hooks);
        }
        attach::make_way(&options.bpffs, &interfaces)?;
        let mut loaded = object::load_for(options, &interfaces)?;
        attach::to_hooks(&mut loaded, &interfaces)?;
        if options.max_clients > 0 {
            // While the maps are all in the object: it is loaded by their descriptors.
            loaded.fan_out()?;
        }
        let program_ids = (0..interfaces.len()).map(|number| loaded.program_id(number));
        let program_ids = program_ids.collect::<Result<Vec<_>, _>>()?;
        let hooks = interfaces.into_iter().zip(program_ids);
        let hooks = hooks.map(|(interface, program_id)| Hook { interface, program_id }).collect();
        Self::new(loaded, options.nic_stamps, hooks)
    }

    /// The maps of a program that was loaded and is kept at its hook, if it is at one, by `loaded`. It takes its own
    /// stamps.
    pub fn from_loaded(loaded: Loaded) -> Result<Self, DataPlaneError> {
        Self::new(loaded, false, Vec::new())
    }

    fn new(mut loaded: Loaded, nic_stamps: bool, hooks: Vec<Hook>) -> Result<Self, DataPlaneError> {
        let log = ProgramLog::of(loaded.program_id(0)?);
        let maps = Maps::take(&mut loaded.ebpf)?;
        let mode = loaded.mode;
        let hold = Hold::Own(Box::new(loaded));
        let records = RecordCounters::default();
        Ok(Self { maps, mode, nic_stamps, hooks, records, log, hold, controller: SILENT, fan_out: None })
    }

    /// Says that the controller is alive at `now` (CLOCK_MONOTONIC, ns). To be repeated well within
    /// [`abi::HEARTBEAT_TIMEOUT_NS`]: without it the program takes nothing.
    pub fn heartbeat(&mut self, now: u64) -> Result<(), DataPlaneError> {
        self.log.flush();
        let source = if self.nic_stamps { abi::STAMP_XDP_HARDWARE } else { abi::STAMP_XDP_SOFTWARE };
        self.tell(Controller { alive_ns: now, stamp_source: source.into(), ..self.controller })
    }

    /// Makes the program a server's: what it answers and sends, and until when (CLOCK_MONOTONIC, ns) it answers clients
    /// without hearing from the controller.
    pub fn serve(&mut self, serving: &Serving, answers_until: u64) -> Result<(), DataPlaneError> {
        // The program reads the other one meanwhile.
        let next = self.controller.serving ^ 1;
        self.maps.serving.set(next, Plain(*serving), 0).map_err(access(names::SERVING))?;
        self.tell(Controller { serving: next, answers_until_ns: answers_until, ..self.controller })
    }

    /// The servers whose Sync messages are taken: these and no others.
    pub fn set_servers(&mut self, servers: &[IpAddr]) -> Result<(), DataPlaneError> {
        let keys = servers.iter().map(|&address| ServerKey { address: events::octets(address) });
        peers::replace(&mut self.maps.servers, names::SERVERS, abi::MAX_SERVERS, keys)
    }

    /// Our own addresses: nothing that is sent to another is taken.
    pub fn set_local(&mut self, addresses: &[IpAddr]) -> Result<(), DataPlaneError> {
        let keys = addresses.iter().map(|&address| LocalKey { address: events::octets(address) });
        peers::replace(&mut self.maps.local, names::LOCAL, abi::MAX_LOCAL, keys)
    }

    /// Serves a client until the grant ends. A later grant replaces an earlier.
    pub fn grant(
        &mut self,
        client: IpAddr,
        port_identity: [u8; 10],
        grant: Grant,
    ) -> Result<(), DataPlaneError> {
        let service = service(grant.message_type)?;
        let index = self.maps.clients.insert(&(events::octets(client), port_identity))?;
        let next_hop = match &mut self.fan_out {
            Some(fan_out) if service != abi::SERVICE_DELAY_RESP => {
                let before = self.maps.clients.get(index);
                if before.expires[service] != 0 && before.log_intervals[service] != grant.log_interval {
                    fan_out.remove(index, service, before.log_intervals[service]);
                }
                Some(fan_out.add(index, client, service, grant.log_interval)?)
            }
            _ => None,
        };
        let mut is_new = false;
        self.maps.clients.update(index, |client| {
            is_new = client.expires[service] == 0;
            client.next_hop = next_hop.unwrap_or(client.next_hop);
            client.log_intervals[service] = grant.log_interval;
            client.expires[service] = (grant.expires >> TICK_SHIFT).try_into().unwrap_or(u32::MAX);
            if service == abi::SERVICE_DELAY_RESP {
                client.stamp_source =
                    if grant.nic_stamp { abi::STAMP_XDP_HARDWARE } else { abi::STAMP_XDP_SOFTWARE };
            }
        });
        if is_new
            && service == abi::SERVICE_ANNOUNCE
            && let Some(fan_out) = &self.fan_out
        {
            fan_out.announce(index);
        }
        Ok(())
    }

    /// Ends a service of a client. Harmless without a grant.
    pub fn revoke(
        &mut self,
        client: IpAddr,
        port_identity: [u8; 10],
        message_type: MessageType,
    ) -> Result<(), DataPlaneError> {
        let service = service(message_type)?;
        let key = (events::octets(client), port_identity);
        let Some(index) = self.maps.clients.find(&key) else { return Ok(()) };
        if let Some(fan_out) = &self.fan_out
            && service != abi::SERVICE_DELAY_RESP
        {
            fan_out.remove(index, service, self.maps.clients.get(index).log_intervals[service]);
        }
        self.maps.clients.update(index, |client| client.expires[service] = 0);
        if self.maps.clients.get(index).expires == [0; 3] {
            self.maps.clients.remove(&key);
        }
        Ok(())
    }

    /// Becomes readable when there are events.
    pub fn event_fd(&self) -> BorrowedFd<'_> {
        self.maps.events.as_fd()
    }

    /// Gives the events that there are to `f`, oldest first, at most `limit` records; how many records were read.
    ///
    /// Fewer than `limit` means that the ring was empty; after `limit`, there may be more. Events whose UDP checksum
    /// is wrong are counted and not given.
    pub fn drain(&mut self, limit: usize, mut f: impl FnMut(ReceivedEvent<'_>)) -> usize {
        for read in 0..limit {
            let Some(record) = self.maps.events.next() else { return read };
            if let Some(event) = events::decode(&record, &mut self.records) {
                f(event);
            }
        }
        limit
    }

    /// The program's counters by name, summed up over the CPUs.
    pub fn counters(&self) -> Result<Vec<(&'static str, u64)>, DataPlaneError> {
        counters::read(&self.maps.counters)
    }

    /// What became of the records that [`Self::drain`] read.
    pub fn record_counters(&self) -> RecordCounters {
        self.records
    }

    /// How the program is attached.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The first interface at whose hook the program is no more: after [`detach`], or when the interface is gone.
    pub fn taken_off(&self) -> Result<Option<&str>, DataPlaneError> {
        for hook in &self.hooks {
            if !hook.is_attached()? {
                return Ok(Some(&hook.interface.name));
            }
        }
        Ok(None)
    }

    /// Was it attached by [`attach`], and will it stay when this is dropped?
    pub fn was_pinned(&self) -> bool {
        matches!(self.hold, Hold::Pinned { .. })
    }

    /// The program, to run it with BPF_PROG_TEST_RUN; `None` if it is pinned.
    pub fn program(&mut self) -> Option<&mut Xdp> {
        match &mut self.hold {
            Hold::Own(loaded) => loaded.program().ok(),
            Hold::Pinned { .. } => None,
        }
    }

    fn take_over(options: &Options, pins: &Pins, hooks: Vec<Hook>) -> Result<Self, DataPlaneError> {
        let config = maps::read_pinned_config(pins.directory())?;
        let pinned = Mode::from_code(config.mode).ok_or_else(|| DataPlaneError::AbiMismatch {
            directory: pins.directory().to_owned(),
            pinned: None,
        })?;
        if pinned != options.mode {
            return Err(DataPlaneError::ModeMismatch {
                interface: options.interface.clone(),
                pinned,
                wanted: options.mode,
            });
        }
        if options.nic_stamps && config.device_bound == 0 {
            return Err(DataPlaneError::NotDeviceBound { interface: options.interface.clone() });
        }
        let directory = File::open(pins.directory()).map_err(pin_error("open", pins.directory()))?;
        let lock = Flock::lock(directory, FlockArg::LockExclusiveNonblock)
            .map_err(|_| DataPlaneError::InUse { interface: options.interface.clone() })?;
        let mut plane = Self {
            maps: Maps::from_pins(pins.directory())?,
            mode: pinned,
            nic_stamps: options.nic_stamps,
            records: RecordCounters::default(),
            // One ring for all copies of the program, as all maps are.
            log: ProgramLog::of(hooks[0].program_id),
            hooks,
            hold: Hold::Pinned { lock, pins: pins.clone() },
            controller: SILENT,
            fan_out: None,
        };
        if plane.maps.clients.capacity() < options.max_clients {
            return Err(DataPlaneError::TooSmall {
                interface: options.interface.clone(),
                pinned: plane.maps.clients.capacity(),
                wanted: options.max_clients,
            });
        }
        let Plain(before) = plane.maps.controller.get(&0, 0).map_err(access(names::CONTROLLER))?;
        if before.alive_ns != 0 && before.answers_until_ns != 0 && options.max_clients > 0 {
            // A server that was killed: its clients go on as if nothing had happened.
            plane.tell(Controller { alive_ns: 0, ..before })?;
            peers::clear(&mut plane.maps.servers, names::SERVERS)?;
        } else {
            plane.retire()?;
        }
        // What is in the ring was stamped for a controller that is gone.
        while plane.maps.events.next().is_some() {}
        Ok(plane)
    }

    fn tell(&mut self, controller: Controller) -> Result<(), DataPlaneError> {
        self.controller = controller;
        self.maps.controller.set(0, Plain(controller), 0).map_err(access(names::CONTROLLER))
    }

    /// Takes no more packets, and forgets all peers.
    fn retire(&mut self) -> Result<(), DataPlaneError> {
        self.tell(SILENT)?;
        self.maps.clients.clear();
        peers::clear(&mut self.maps.servers, names::SERVERS)?;
        peers::clear(&mut self.maps.local, names::LOCAL)
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.fan_out = None;
        self.log.flush();
        // Else packets would go into a ring that nobody reads until the heartbeat is too old.
        if self.was_pinned()
            && let Err(error) = self.retire()
        {
            tracing::warn!(%error, "the pinned program was not told that the controller ends");
        }
    }
}

/// The counters of a program that [`attach`] pinned, for when no controller runs; `None` without pins.
pub fn read_pinned_counters(
    bpffs: &Path,
    interface: &str,
) -> Result<Option<Vec<(&'static str, u64)>>, DataPlaneError> {
    let index = Interface::of(interface)?.index;
    let pins = match pins::shared(bpffs, index)? {
        Some(first) => Pins::of(bpffs, first.index)?,
        None => Pins::of(bpffs, index)?,
    };
    if !pins.directory().exists() {
        return Ok(None);
    }
    // Counters are as many as the ABI version says.
    maps::read_pinned_config(pins.directory())?;
    counters::read(&maps::open_pinned_counters(pins.directory())?).map(Some)
}

/// Its number in the table of clients.
fn service(message_type: MessageType) -> Result<usize, DataPlaneError> {
    match message_type {
        MessageType::Announce => Ok(abi::SERVICE_ANNOUNCE),
        MessageType::Sync => Ok(abi::SERVICE_SYNC),
        MessageType::DelayResp => Ok(abi::SERVICE_DELAY_RESP),
        other => Err(DataPlaneError::NoService(other)),
    }
}
