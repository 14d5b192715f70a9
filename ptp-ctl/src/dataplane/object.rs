//! The XDP object inside this binary, and how it gets into the kernel. Attaching is another matter: see `attach`.

use super::error::DataPlaneError;
use super::kfunc::{self, Replacement};
use super::options::Interface;
use super::{Mode, Options, device_bound, maps, probe};
use aya::programs::{ProgramError, Xdp};
use aya::{Ebpf, EbpfLoader};
use ptp_common::abi::{self, ABI_VERSION, Config, MAX_NEXT_HOPS, PROBES, names};
use std::hash::{BuildHasher as _, RandomState};
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
    /// The program once for each interface, where it is bound to a device; else it is in `ebpf`.
    bound: Vec<Xdp>,
}

/// Loads program and maps, for any interface: it cannot read the NIC's stamps. `mode` is what the config map tells
/// whoever finds it pinned; there is room for `max_clients` clients of a server.
pub fn load(mode: Mode, max_clients: u32) -> Result<Loaded, DataPlaneError> {
    let (ebpf, _) = load_maps(mode, Replacement::Unsupported, false, max_clients)?;
    let mut loaded = Loaded { ebpf, mode, bound: Vec::new() };
    verified(loaded.program()?.load())?;
    Ok(loaded)
}

/// Why the kernel does not load a program.
fn verified(loaded: Result<(), ProgramError>) -> Result<(), DataPlaneError> {
    loaded.map_err(|error| match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            // Thousands of lines: not for an error message.
            tracing::debug!(%verifier_log, "the kernel's verifier refuses the XDP program");
            DataPlaneError::Load(io_error.into())
        }
        error => DataPlaneError::Load(error.into()),
    })
}

/// Loads program and maps as the options have it, for these interfaces.
pub(super) fn load_for(options: &Options, interfaces: &[Interface]) -> Result<Loaded, DataPlaneError> {
    match (options.nic_stamps, options.mode) {
        (false, mode) => load(mode, options.max_clients),
        (true, Mode::Native) => load_device_bound(interfaces, &options.bpffs, options.max_clients),
        (true, Mode::Generic) => Err(DataPlaneError::NicStampsGeneric),
    }
}

/// Loads the maps and, in native mode, a program over them for each interface: they can read the NIC's stamps. They cannot
/// be run with BPF_PROG_TEST_RUN.
fn load_device_bound(
    interfaces: &[Interface],
    bpffs: &Path,
    max_clients: u32,
) -> Result<Loaded, DataPlaneError> {
    let (ebpf, object) = load_maps(Mode::Native, Replacement::kernel()?, true, max_clients)?;
    let bound = interfaces.iter().map(|interface| device_bound::load(&ebpf, &object, interface, bpffs));
    let bound = bound.collect::<Result<_, _>>()?;
    Ok(Loaded { ebpf, mode: Mode::Native, bound })
}

/// Makes the maps of the object; returns it too, as it was loaded.
fn load_maps(
    mode: Mode,
    stamp: Replacement,
    device_bound: bool,
    max_clients: u32,
) -> Result<(Ebpf, Vec<u8>), DataPlaneError> {
    if !is_embedded() {
        return Err(DataPlaneError::NoObject);
    }
    let missing = probe::missing_capabilities();
    if !missing.is_empty() {
        return Err(DataPlaneError::Privileges { missing: missing.join(" and ") });
    }
    if probe::bpf_is_forbidden() {
        return Err(DataPlaneError::Forbidden);
    }
    let object = kfunc::replace(OBJECT, stamp)?;
    let config = Config {
        abi_version: ABI_VERSION,
        mode: mode.code(),
        device_bound: device_bound.into(),
        homes: abi::homes(max_clients),
        // Its keys are random.
        hash_seed: RandomState::new().hash_one(0),
    };
    // The kernel's types are not needed: the program uses none.
    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .map_max_entries(names::CLIENTS, config.homes + PROBES)
        // Entry 0 is nowhere.
        .map_max_entries(names::NEXT_HOPS, (max_clients + 1).min(MAX_NEXT_HOPS))
        .load(&object)
        .map_err(|error| DataPlaneError::Load(error.into()))?;
    maps::write_config(&mut ebpf, config)?;
    Ok((ebpf, object))
}

impl Loaded {
    /// The kernel's number of what is for that interface.
    pub(super) fn program_id(&mut self, number: usize) -> Result<u32, DataPlaneError> {
        let info = self.program_for(number)?.info().map_err(|error| DataPlaneError::Load(error.into()))?;
        Ok(info.id())
    }

    /// The program that fills live frames, loaded at the first call.
    pub(super) fn fan_out(&mut self) -> Result<&mut Xdp, DataPlaneError> {
        let program: &mut Xdp =
            self.ebpf.program_mut(names::FAN_OUT).and_then(|program| program.try_into().ok()).ok_or_else(
                || DataPlaneError::BadObject(format!("it has no XDP program {}", names::FAN_OUT)),
            )?;
        if program.fd().is_err() {
            verified(program.load())?;
        }
        Ok(program)
    }

    /// The program, to attach it or, if it is not bound to a device, to run it with BPF_PROG_TEST_RUN.
    pub fn program(&mut self) -> Result<&mut Xdp, DataPlaneError> {
        self.program_for(0)
    }

    /// What is for the interface of that number among those it was loaded for.
    pub(super) fn program_for(&mut self, number: usize) -> Result<&mut Xdp, DataPlaneError> {
        if let Some(bound) = self.bound.get_mut(number) {
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
