//! The XDP object inside this binary, and how it gets into the kernel. Attaching is another matter: see `attach`.

use super::error::DataPlaneError;
use super::kfunc::{self, Replacement};
use super::{Mode, Options, device_bound, maps, probe};
use aya::programs::{ProgramError, Xdp};
use aya::{Ebpf, EbpfLoader};
use ptp_common::abi::names;
use std::path::Path;

/// From the build script; empty when there was none to embed.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/ptp-ebpf.o"));

/// Was an object embedded?
pub fn is_embedded() -> bool {
    !OBJECT.is_empty()
}

/// The object with program and maps in the kernel, attached to nothing. It is unloaded when this is dropped, unless
/// pinned.
pub struct Loaded {
    pub(super) ebpf: Ebpf,
    pub(super) mode: Mode,
    /// The program, where it is bound to a device; else it is in `ebpf`.
    bound: Option<Xdp>,
}

/// Loads program and maps, for any interface: it cannot read the NIC's stamps. `mode` is what the config map tells
/// whoever finds it pinned.
pub fn load(mode: Mode) -> Result<Loaded, DataPlaneError> {
    let (ebpf, _) = load_maps(mode, Replacement::Unsupported, false)?;
    let mut loaded = Loaded { ebpf, mode, bound: None };
    loaded.program()?.load().map_err(|error| match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            // Thousands of lines: not for an error message.
            tracing::debug!(%verifier_log, "the kernel's verifier refuses the XDP program");
            DataPlaneError::Load(io_error.into())
        }
        error => DataPlaneError::Load(error.into()),
    })?;
    Ok(loaded)
}

/// Loads program and maps as the options have it.
pub(super) fn load_for(options: &Options, ifindex: u32) -> Result<Loaded, DataPlaneError> {
    match (options.nic_stamps, options.mode) {
        (false, mode) => load(mode),
        (true, Mode::Native) => load_device_bound(ifindex, &options.bpffs),
        (true, Mode::Generic) => Err(DataPlaneError::NicStampsGeneric),
    }
}

/// Loads program and maps for one interface, in native mode: the program can read the NIC's stamps. It cannot be run
/// with BPF_PROG_TEST_RUN.
fn load_device_bound(ifindex: u32, bpffs: &Path) -> Result<Loaded, DataPlaneError> {
    let (ebpf, object) = load_maps(Mode::Native, Replacement::kernel()?, true)?;
    let bound = Some(device_bound::load(&ebpf, &object, ifindex, bpffs)?);
    Ok(Loaded { ebpf, mode: Mode::Native, bound })
}

/// Makes the maps of the object; returns it too, as it was loaded.
fn load_maps(mode: Mode, stamp: Replacement, device_bound: bool) -> Result<(Ebpf, Vec<u8>), DataPlaneError> {
    if !is_embedded() {
        return Err(DataPlaneError::NoObject);
    }
    let missing = probe::missing_capabilities();
    if !missing.is_empty() {
        return Err(DataPlaneError::Privileges { missing: missing.join(" and ") });
    }
    let object = kfunc::replace(OBJECT, stamp)?;
    // The kernel's types are not needed: the program uses none.
    let mut ebpf =
        EbpfLoader::new().btf(None).load(&object).map_err(|error| DataPlaneError::Load(error.into()))?;
    maps::write_config(&mut ebpf, mode.code(), device_bound)?;
    Ok((ebpf, object))
}

impl Loaded {
    /// The program, to attach it or, if it is not bound to a device, to run it with BPF_PROG_TEST_RUN.
    pub fn program(&mut self) -> Result<&mut Xdp, DataPlaneError> {
        if let Some(bound) = &mut self.bound {
            return Ok(bound);
        }
        let program = self
            .ebpf
            .program_mut(names::PROGRAM)
            .ok_or_else(|| DataPlaneError::BadObject(format!("it has no program {}", names::PROGRAM)))?;
        program
            .try_into()
            .map_err(|_| DataPlaneError::BadObject(format!("{} is not an XDP program", names::PROGRAM)))
    }
}
