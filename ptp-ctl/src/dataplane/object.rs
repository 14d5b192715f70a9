//! The XDP object inside this binary, and how it gets into the kernel. Attaching is another matter: see `attach`.

use super::error::DataPlaneError;
use super::probe;
use super::{Mode, maps};
use aya::programs::{ProgramError, Xdp};
use aya::{Ebpf, EbpfLoader};
use ptp_common::abi::names;

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
}

/// Loads program and maps. `mode` is what the config map tells whoever finds it pinned.
pub fn load(mode: Mode) -> Result<Loaded, DataPlaneError> {
    if !is_embedded() {
        return Err(DataPlaneError::NoObject);
    }
    let missing = probe::missing_capabilities();
    if !missing.is_empty() {
        return Err(DataPlaneError::Privileges { missing: missing.join(" and ") });
    }
    // The kernel's types are not needed: the program uses none.
    let mut ebpf =
        EbpfLoader::new().btf(None).load(OBJECT).map_err(|error| DataPlaneError::Load(error.into()))?;
    maps::write_config(&mut ebpf, mode.code())?;
    let mut loaded = Loaded { ebpf, mode };
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

impl Loaded {
    /// The program, to attach it or to run it with BPF_PROG_TEST_RUN.
    pub fn program(&mut self) -> Result<&mut Xdp, DataPlaneError> {
        let program = self
            .ebpf
            .program_mut(names::PROGRAM)
            .ok_or_else(|| DataPlaneError::BadObject(format!("it has no program {}", names::PROGRAM)))?;
        program
            .try_into()
            .map_err(|_| DataPlaneError::BadObject(format!("{} is not an XDP program", names::PROGRAM)))
    }
}
