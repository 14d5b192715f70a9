//! The program at its interfaces' hooks: for as long as this process lives, or pinned until it is detached.

use super::error::DataPlaneError;
use super::object::Loaded;
use super::options::Interface;
use super::pins::{self, Pins, State, pin_error};
use super::{Mode, Options, holder, maps, object};
use aya::programs::ProgramError;
use aya::programs::links::FdLink;
use aya::programs::xdp::{XdpError, XdpLinkId, XdpMode};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::path::{Path, PathBuf};

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
    let interfaces = options.interfaces()?;
    pins::check_bpffs(&options.bpffs)?;
    let pins = Pins::of(&options.bpffs, interfaces[0].index)?;
    make_way(&options.bpffs, &interfaces)?;
    let mut loaded = object::load_for(options, &interfaces)?;
    // First the part that fails most often: there is nothing to clean up then.
    let links = to_hooks(&mut loaded, &interfaces)?;
    pins.create()?;
    if let Err(error) = pin_all(loaded, links, &interfaces, &pins) {
        // The first error is the one to report.
        let _ = pins.remove();
        return Err(error);
    }
    Ok(AttachReport {
        ifindex: interfaces[0].index,
        mode: options.mode,
        nic_stamps: options.nic_stamps,
        directory: pins.directory().to_owned(),
    })
}

/// Undoes `attach`, also one that was interrupted. For an interface that is gone, removes what it left.
pub fn detach(options: &Options) -> Result<DetachReport, DataPlaneError> {
    pins::check_bpffs(&options.bpffs)?;
    let found = match Interface::of(&options.interface) {
        Ok(Interface { name, index }) => {
            let pins = Pins::of(&options.bpffs, index)?;
            if !pins.directory().exists() {
                if let Some(first) = pins::shared(&options.bpffs, index)? {
                    return Err(DataPlaneError::Shared { interface: name, first: first.name });
                }
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
    let Ok(interface) = Interface::of(&options.interface) else { return Ok(false) };
    let pins = Pins::of(&options.bpffs, interface.index)?;
    // Also when there are no pins.
    let Ok(directory) = File::open(pins.directory()) else { return Ok(false) };
    Ok(Flock::lock(directory, FlockArg::LockExclusiveNonblock).is_err())
}

/// Removes what interfaces that are gone have left to these, which got their numbers.
///
/// # Errors
/// One of them has a pinned program.
pub(super) fn make_way(bpffs: &Path, interfaces: &[Interface]) -> Result<(), DataPlaneError> {
    for Interface { name, index } in interfaces {
        let pins = Pins::of(bpffs, *index)?;
        let (interface, directory) = (name.clone(), pins.directory().to_owned());
        match pins.state()? {
            State::Absent => {}
            State::Orphaned => {
                tracing::info!(directory = %directory.display(), "removing the pins of an interface that is gone");
                pins.remove()?;
            }
            State::Attached { .. } => return Err(DataPlaneError::AlreadyAttached { interface, directory }),
            State::Incomplete => return Err(DataPlaneError::Incomplete { interface, directory }),
        }
        if let Some(first) = pins::shared(bpffs, *index)? {
            return Err(DataPlaneError::Shared { interface, first: first.name });
        }
    }
    Ok(())
}

/// Attaches to the interfaces, for which it was loaded, in the mode that it was loaded for, never in another.
pub(super) fn to_hooks(
    loaded: &mut Loaded,
    interfaces: &[Interface],
) -> Result<Vec<XdpLinkId>, DataPlaneError> {
    interfaces.iter().enumerate().map(|(number, interface)| to_hook(loaded, number, interface)).collect()
}

fn to_hook(
    loaded: &mut Loaded,
    number: usize,
    Interface { name, index }: &Interface,
) -> Result<XdpLinkId, DataPlaneError> {
    let mode = loaded.mode;
    let kernel_mode = match mode {
        Mode::Native => XdpMode::Driver,
        Mode::Generic => XdpMode::Skb,
    };
    loaded.program_for(number)?.attach_to_if_index(*index, kernel_mode).map_err(|source| {
        let interface = name.clone();
        match errno(&source) {
            // EEXIST: the program there runs in the other mode.
            Some(Errno::EBUSY | Errno::EEXIST) => {
                DataPlaneError::Busy { interface, holder: holder::find(*index) }
            }
            Some(Errno::EOPNOTSUPP) if mode == Mode::Native => {
                DataPlaneError::NativeUnsupported { interface }
            }
            _ => DataPlaneError::Attach { interface, mode, source },
        }
    })
}

/// `links` are those of `interfaces`.
fn pin_all(
    mut loaded: Loaded,
    links: Vec<XdpLinkId>,
    interfaces: &[Interface],
    pins: &Pins,
) -> Result<(), DataPlaneError> {
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
    // The link of every other copy holds it.
    loaded.program()?.pin(pins.program()).map_err(pin_error("create", &pins.program()))?;
    // The first interface's last: its presence says that all the others are there.
    for ((number, link), interface) in links.into_iter().enumerate().zip(interfaces).rev() {
        let path = pins.link_of(interface.index);
        let link = loaded.program_for(number)?.take_link(link).map_err(pin_error("create", &path))?;
        let link = FdLink::try_from(link).map_err(pin_error("create", &path))?;
        link.pin(&path).map_err(pin_error("create", &path))?;
    }
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
