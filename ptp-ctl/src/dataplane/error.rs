//! What can go wrong between the controller and the XDP program: each with its cause and what helps.

use super::Mode;
use super::holder::Holder;
use aya::maps::MapError;
use aya::programs::ProgramError;
use ptp_common::wire::MessageType;
use std::io;
use std::path::PathBuf;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum DataPlaneError {
    /// The build had no XDP object to embed.
    #[error(
        "this ptp-ctl was built without the XDP program: run `cargo xtask build-ebpf` and build it again, or use \
         `--data-plane socket`"
    )]
    NoObject,
    /// The embedded object is not what this controller was built for.
    #[error(
        "the embedded XDP object is not usable: {0}; run `cargo xtask build-ebpf` and build ptp-ctl again"
    )]
    BadObject(String),
    /// The kernel refuses the object or one of its maps.
    #[error(
        "the kernel does not load the XDP program (Linux 6.1 or later with CONFIG_BPF_SYSCALL is needed); \
         `--data-plane socket` works without it"
    )]
    Load(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The kernel has no type information, or not the function for the NIC's stamps.
    #[error(
        "this kernel gives no NIC stamps to XDP programs ({0}): Linux 6.3 with BTF does; use \
         `--rx-timestamp socket-hw`"
    )]
    NoKfunc(String),
    /// The driver gives no metadata to programs, or the kernel refuses the program in that form.
    #[error(
        "the XDP program cannot be loaded to read the NIC's stamps of {interface}; use `--rx-timestamp socket-hw`"
    )]
    DeviceBound {
        /// The interface.
        interface: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Generic mode, and the NIC's stamps are wanted.
    #[error("only native mode gives the NIC's stamps to XDP programs: use `--xdp-mode native`")]
    NicStampsGeneric,
    /// The pinned program cannot read the NIC's stamps.
    #[error(
        "the program attached to {interface} was not loaded to read the NIC's stamps: run `ptp-ctl detach \
         {interface}` and `ptp-ctl attach {interface}`, or use `--rx-timestamp socket-hw`"
    )]
    NotDeviceBound {
        /// The interface.
        interface: String,
    },
    /// Not allowed.
    #[error("XDP needs root, or the capabilities {missing}; `--data-plane socket` works without XDP")]
    Privileges {
        /// Those that the process has not.
        missing: String,
    },
    /// Allowed by the capabilities, and yet not.
    #[error(
        "bpf() is forbidden in spite of the capabilities, by a seccomp filter (a container engine's own, or SystemCallFilter= in a \
         unit) or a security module: allow it there; `--data-plane socket` works without XDP"
    )]
    Forbidden,
    /// No interface of that name in this network namespace.
    #[error("there is no network interface {0:?} in this network namespace; `ip link` lists them")]
    NoInterface(String),
    /// An interface that is to have the program twice.
    #[error("{0} is named twice: leave one of the two out")]
    Twice(String),
    /// The driver has no XDP.
    #[error(
        "the driver of {interface} has no native XDP: use `--xdp-mode generic` (stamps are taken later and are less \
         precise) or `--data-plane socket`"
    )]
    NativeUnsupported {
        /// The interface.
        interface: String,
    },
    /// Another program is attached.
    #[error("{interface} has another XDP program already: {holder}; remove it, or use `--data-plane socket`")]
    Busy {
        /// The interface.
        interface: String,
        /// Whose program it is.
        holder: Holder,
    },
    /// The kernel refuses to attach the program.
    #[error(
        "the XDP program does not attach to {interface} in {mode} mode; `--data-plane socket` works without it"
    )]
    Attach {
        /// The interface.
        interface: String,
        /// The mode that was asked for.
        mode: Mode,
        /// The kernel's answer.
        #[source]
        source: ProgramError,
    },
    /// `attach` was done before.
    #[error("{interface} is attached already ({directory}); `ptp-ctl detach {interface}` undoes it")]
    AlreadyAttached {
        /// The interface.
        interface: String,
        /// Where its pins are.
        directory: PathBuf,
    },
    /// `detach` without `attach`.
    #[error("{interface} is not attached: {directory} does not exist")]
    NotAttached {
        /// The interface.
        interface: String,
        /// Where its pins would be.
        directory: PathBuf,
    },
    /// The pins are gone, and yet the program is at the hook: someone else has the link too.
    #[error(
        "the pins are removed, but program {program_id} is still attached: stop the process that holds it"
    )]
    StillAttached {
        /// The kernel's number of the program.
        program_id: u32,
    },
    /// Some pins are missing.
    #[error(
        "{directory} is incomplete: the last attach or detach was interrupted; run `ptp-ctl detach {interface}` and \
         then `ptp-ctl attach {interface}`"
    )]
    Incomplete {
        /// The interface.
        interface: String,
        /// Where the pins are.
        directory: PathBuf,
    },
    /// The pinned program was attached by another version of ptp-ctl.
    #[error(
        "the program pinned in {directory} speaks version {} of the map layout, this ptp-ctl speaks {}: run \
         `ptp-ctl detach IFACE` and then `ptp-ctl attach IFACE`",
        pinned.map_or_else(|| "an unknown".to_owned(), |version| version.to_string()),
        ptp_common::abi::ABI_VERSION
    )]
    AbiMismatch {
        /// Where the pins are.
        directory: PathBuf,
        /// Version of the maps; `None` when even that map is laid out differently.
        pinned: Option<u32>,
    },
    /// The pinned program runs in the other mode.
    #[error(
        "{interface} is attached in {pinned} mode, but {wanted} was asked for: use `--xdp-mode {pinned}`, or run \
         `ptp-ctl detach {interface}` and `ptp-ctl attach {interface} --xdp-mode {wanted}`"
    )]
    ModeMismatch {
        /// The interface.
        interface: String,
        /// How it is attached.
        pinned: Mode,
        /// What was asked for.
        wanted: Mode,
    },
    /// The pinned program is at other interfaces.
    #[error(
        "the program attached to {interface} is at {pinned}, not at what this controller is to have: name the same interfaces \
         (`--also-interface`), or run `ptp-ctl detach {interface}` and `ptp-ctl attach {interface}{flags}`"
    )]
    OtherInterfaces {
        /// The first interface.
        interface: String,
        /// Where the program is.
        pinned: String,
        /// The flags that would attach it to what was asked for.
        flags: String,
    },
    /// The interface belongs to another one's pinned program.
    #[error(
        "{interface} has the program that was attached to {first} and to {interface} with it: `ptp-ctl detach {first}` takes it \
         off both"
    )]
    Shared {
        /// The interface.
        interface: String,
        /// The one that the program was attached to first.
        first: String,
    },
    /// The pinned program's table of clients was made for fewer.
    #[error(
        "the program attached to {interface} has room for {pinned} clients, not for {wanted}: run `ptp-ctl detach \
         {interface}` and `ptp-ctl attach {interface} --max-clients {wanted}`"
    )]
    TooSmall {
        /// The interface.
        interface: String,
        /// Its clients at most.
        pinned: u32,
        /// What was asked for.
        wanted: u32,
    },
    /// The kernel has no TAP devices, or does not let us make one.
    #[error(
        "the massive plane needs a TAP device to hold its program, and /dev/net/tun gives none (CONFIG_TUN, \
         CAP_NET_ADMIN); use `--sync-plane precise`"
    )]
    Spare {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel is older than what was asked for.
    #[error("{feature} needs Linux {}.{} or later, this is {running}", needed.0, needed.1)]
    KernelTooOld {
        /// What was asked for.
        feature: &'static str,
        /// Since when the kernel has it.
        needed: (u32, u32),
        /// The kernel's release.
        running: String,
    },
    /// A message type that nobody grants.
    #[error("{0:?} is nothing that a client is granted")]
    NoService(MessageType),
    /// Two controllers at once.
    #[error("another ptp-ctl uses the pinned program of {interface}; stop it first")]
    InUse {
        /// The interface.
        interface: String,
    },
    /// The directory for pins does not exist.
    #[error(
        "{0} does not exist: mount a BPF file system there (`mount -t bpf bpf {0}`) or name one with `--bpffs`"
    )]
    NoBpffs(PathBuf),
    /// The directory for pins is on another file system.
    #[error(
        "{0} is not on a BPF file system: mount one there (`mount -t bpf bpf {0}`) or name one with `--bpffs`"
    )]
    NotBpffs(PathBuf),
    /// A pin cannot be made, opened or removed.
    #[error("cannot {action} {path}")]
    Pin {
        /// In the infinitive.
        action: &'static str,
        /// Which pin.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A map does not do what it should.
    #[error("cannot use the map {map}")]
    Map {
        /// Its name.
        map: &'static str,
        /// Why.
        #[source]
        source: MapError,
    },
    /// More peers than the map has room for.
    #[error("the map {map} is full: it holds {capacity} entries")]
    Full {
        /// Its name.
        map: &'static str,
        /// Its entries.
        capacity: u32,
    },
    /// The kernel does not answer a question about the interface.
    #[error("cannot {action}")]
    System {
        /// In the infinitive.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl DataPlaneError {
    pub(super) fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}
