//! The places that the program is at.

use super::error::DataPlaneError;
use super::netlink;
use super::options::{Interface, Options};
use nix::errno::Errno;

/// An interface, and the program that was attached to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    pub(super) interface: Interface,
    /// The kernel's number of it; copies that are bound to their devices have one each.
    pub(super) program_id: u32,
}

impl Hook {
    /// Is it still there? Not when the interface is gone.
    pub(super) fn is_attached(&self) -> Result<bool, DataPlaneError> {
        is_at(self.interface.index, self.program_id)
    }
}

/// Is that program at the interface's hook? Not when the interface is gone.
pub(super) fn is_at(ifindex: u32, program_id: u32) -> Result<bool, DataPlaneError> {
    match netlink::attached(ifindex) {
        Ok(attached) => Ok(attached.is_some_and(|attached| attached.program_id == program_id)),
        Err(error) if error.raw_os_error() == Some(Errno::ENODEV as i32) => Ok(false),
        Err(error) => Err(DataPlaneError::system("ask for the interface's XDP program")(error)),
    }
}

/// The hooks of a pinned program, in the order of `interfaces`: these and no others must it be at. `programs`: interfaces by
/// number, and the program at each.
pub(super) fn pinned(
    options: &Options,
    interfaces: Vec<Interface>,
    programs: &[(u32, u32)],
) -> Result<Vec<Hook>, DataPlaneError> {
    let at =
        |index| programs.iter().find(|(ifindex, _)| *ifindex == index).map(|(_, program_id)| *program_id);
    let hooks: Option<Vec<_>> = interfaces
        .into_iter()
        .map(|interface| Some(Hook { program_id: at(interface.index)?, interface }))
        .collect();
    hooks.filter(|hooks| hooks.len() == programs.len()).ok_or_else(|| {
        let names: Vec<_> = programs.iter().map(|(index, _)| Interface::numbered(*index).name).collect();
        let flags = options.also_interfaces.iter().map(|name| format!(" --also-interface {name}")).collect();
        DataPlaneError::OtherInterfaces {
            interface: options.interface.clone(),
            pinned: names.join(", "),
            flags,
        }
    })
}
