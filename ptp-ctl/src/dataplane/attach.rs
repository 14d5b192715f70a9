//! The program at an interface's hook: for as long as this process lives, or pinned until it is detached.

use super::error::DataPlaneError;
use super::object::Loaded;
use super::pins::{self, Pins, State, pin_error};
use super::{Mode, Options, holder, maps, object};
use aya::programs::ProgramError;
use aya::programs::links::FdLink;
use aya::programs::xdp::{XdpError, XdpLinkId, XdpMode};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::path::PathBuf;

/// What `attach` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachReport {
    /// The interface's index.
    pub ifindex: u32,
    /// The mode that the program runs in.
    pub mode: Mode,
    /// It can read the NIC's stamps.
    pub nic_stamps: bool,
    /// Where program, link and maps are pinned.
    pub directory: PathBuf,
}

/// What `detach` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachReport {
    /// The directories that are gone, with all that was in them.
    pub removed: Vec<PathBuf>,
}

/// Attaches the program and pins it, so that it stays when this process ends. It takes packets only while a
/// controller uses it.
pub fn attach(options: &Options) -> Result<AttachReport, DataPlaneError> {
    let ifindex = ifindex(&options.interface)?;
    pins::check_bpffs(&options.bpffs)?;
    let pins = Pins::of(&options.bpffs, ifindex)?;
    match pins.state()? {
        State::Absent => {}
        State::Orphaned => pins.remove()?,
        State::Attached { .. } => {
            return Err(DataPlaneError::AlreadyAttached {
                interface: options.interface.clone(),
                directory: pins.directory().to_owned(),
            });
        }
        State::Incomplete => {
            return Err(DataPlaneError::Incomplete {
                interface: options.interface.clone(),
                directory: pins.directory().to_owned(),
            });
        }
    }
    let mut loaded = object::load_for(options, ifindex)?;
    // First the part that fails most often: there is nothing to clean up then.
    let link = to_hook(&mut loaded, &options.interface, ifindex)?;
    pins.create()?;
    if let Err(error) = pin_all(loaded, link, &pins) {
        // The first error is the one to report.
        let _ = pins.remove();
        return Err(error);
    }
    Ok(AttachReport {
        ifindex,
        mode: options.mode,
        nic_stamps: options.nic_stamps,
        directory: pins.directory().to_owned(),
    })
}

/// Undoes `attach`, also one that was interrupted. For an interface that is gone, removes what it left.
pub fn detach(options: &Options) -> Result<DetachReport, DataPlaneError> {
    pins::check_bpffs(&options.bpffs)?;
    let found = match ifindex(&options.interface) {
        Ok(ifindex) => {
            let pins = Pins::of(&options.bpffs, ifindex)?;
            if !pins.directory().exists() {
                return Err(DataPlaneError::NotAttached {
                    interface: options.interface.clone(),
                    directory: pins.directory().to_owned(),
                });
            }
            vec![pins]
        }
        Err(error) => match pins::of_gone_interfaces(&options.bpffs)? {
            none if none.is_empty() => return Err(error),
            some => some,
        },
    };
    for pins in &found {
        pins.remove()?;
    }
    Ok(DetachReport { removed: found.iter().map(|pins| pins.directory().to_owned()).collect() })
}

/// Does a controller use the program that [`attach`] pinned?
pub fn is_in_use(options: &Options) -> Result<bool, DataPlaneError> {
    let Ok(ifindex) = ifindex(&options.interface) else { return Ok(false) };
    let pins = Pins::of(&options.bpffs, ifindex)?;
    // Also when there are no pins.
    let Ok(directory) = File::open(pins.directory()) else { return Ok(false) };
    Ok(Flock::lock(directory, FlockArg::LockExclusiveNonblock).is_err())
}

/// Attaches to the interface in the mode that the program was loaded for, never in another.
pub(super) fn to_hook(
    loaded: &mut Loaded,
    interface: &str,
    ifindex: u32,
) -> Result<XdpLinkId, DataPlaneError> {
    let mode = loaded.mode;
    let kernel_mode = match mode {
        Mode::Native => XdpMode::Driver,
        Mode::Generic => XdpMode::Skb,
    };
    loaded.program()?.attach_to_if_index(ifindex, kernel_mode).map_err(|source| {
        let interface = interface.to_owned();
        match errno(&source) {
            // EEXIST: the program there runs in the other mode.
            Some(Errno::EBUSY | Errno::EEXIST) => {
                DataPlaneError::Busy { interface, holder: holder::find(ifindex) }
            }
            Some(Errno::EOPNOTSUPP) if mode == Mode::Native => {
                DataPlaneError::NativeUnsupported { interface }
            }
            _ => DataPlaneError::Attach { interface, mode, source },
        }
    })
}

/// Index of an interface in this thread's network namespace.
pub(super) fn ifindex(interface: &str) -> Result<u32, DataPlaneError> {
    nix::net::if_::if_nametoindex(interface).map_err(|_| DataPlaneError::NoInterface(interface.to_owned()))
}

fn pin_all(mut loaded: Loaded, link: XdpLinkId, pins: &Pins) -> Result<(), DataPlaneError> {
    for name in maps::NAMES {
        let path = pins.directory().join(name);
        let map = loaded
            .ebpf
            .map(name)
            .ok_or_else(|| DataPlaneError::BadObject(format!("it has no map {name}")))?;
        map.pin(&path).map_err(pin_error("create", &path))?;
    }
    let path = pins.fan_out();
    loaded.fan_out()?.pin(&path).map_err(pin_error("create", &path))?;
    let program = loaded.program()?;
    program.pin(pins.program()).map_err(pin_error("create", &pins.program()))?;
    // Last: its presence says that all the others are there.
    let path = pins.link();
    let link = program.take_link(link).map_err(pin_error("create", &path))?;
    let link = FdLink::try_from(link).map_err(pin_error("create", &path))?;
    link.pin(&path).map_err(pin_error("create", &path))?;
    Ok(())
}

/// The kernel's answer inside aya's error.
fn errno(error: &ProgramError) -> Option<Errno> {
    match error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        ProgramError::XdpError(XdpError::NetlinkError(error)) => error.raw_os_error(),
        _ => None,
    }
    .map(Errno::from_raw)
}
