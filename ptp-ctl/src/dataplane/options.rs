//! What is to be loaded, and where it is to be attached.

use super::error::DataPlaneError;
use ptp_common::abi;
use std::fmt;
use std::path::PathBuf;

/// Where in the receive path the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the driver.
    Native,
    /// In the stack, before the protocol layers: works with every driver, stamps later.
    Generic,
}

impl Mode {
    /// The name used in every report and setting.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }

    pub(super) const fn code(self) -> u32 {
        match self {
            Self::Native => abi::MODE_NATIVE,
            Self::Generic => abi::MODE_GENERIC,
        }
    }

    pub(super) const fn from_code(code: u32) -> Option<Self> {
        match code {
            abi::MODE_NATIVE => Some(Self::Native),
            abi::MODE_GENERIC => Some(Self::Generic),
            _ => None,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What to attach to, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of an interface in this thread's network namespace.
    pub interface: String,
    /// More of them: the program is at all, with one set of maps.
    pub also_interfaces: Vec<String>,
    /// Never another than this one is used.
    pub mode: Mode,
    /// A mounted BPF file system. Needed by [`attach`], [`detach`] and with `nic_stamps`; [`DataPlane::open`] looks
    /// there for pins.
    pub bpffs: PathBuf,
    /// The stamps are to be the NIC's (`xdp-hw`) instead of the program's own (`xdp-sw`): never one for the other.
    /// [`attach`] then makes a program that can read them, which serves both kinds of controllers.
    pub nic_stamps: bool,
    /// Room for a server's clients, 0 to [`abi::MAX_CLIENTS`].
    pub max_clients: u32,
}

impl Options {
    /// All interfaces, the first one first, as the kernel numbers them.
    pub(super) fn interfaces(&self) -> Result<Vec<Interface>, DataPlaneError> {
        let mut interfaces: Vec<Interface> = Vec::with_capacity(1 + self.also_interfaces.len());
        for name in [&self.interface].into_iter().chain(&self.also_interfaces) {
            let interface = Interface::of(name)?;
            if interfaces.iter().any(|other| other.index == interface.index) {
                return Err(DataPlaneError::Twice(name.clone()));
            }
            interfaces.push(interface);
        }
        Ok(interfaces)
    }
}

/// An interface of this thread's network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
}

impl Interface {
    pub(super) fn of(name: &str) -> Result<Self, DataPlaneError> {
        let index =
            nix::net::if_::if_nametoindex(name).map_err(|_| DataPlaneError::NoInterface(name.to_owned()))?;
        Ok(Self { name: name.to_owned(), index })
    }

    /// One that may be gone: then it has a name that `detach` takes for one that is.
    pub(super) fn numbered(index: u32) -> Self {
        let name = nix::net::if_::if_indextoname(index).ok().and_then(|name| name.into_string().ok());
        Self { name: name.unwrap_or_else(|| format!("gone-{index}")), index }
    }
}
