//! The call of `bpf_xdp_metadata_rx_timestamp` in the XDP object. To be deleted when aya links kernel functions.
//!
//! The object calls a helper of a number that does not exist ([`RX_TIMESTAMP_CALL`]). Before anything else sees the
//! object, that instruction becomes a call of the kernel's function, known by its number in the kernel's type
//! information (BTF), or, where the program is not bound to a device, the answer "not supported".

use super::error::DataPlaneError;
use aya_obj::btf::{Btf, BtfKind};
use nix::errno::Errno;
use ptp_common::abi::{ABI_VERSION, RX_TIMESTAMP_CALL};

/// The function's name in the kernel (Linux 6.3).
const NAME: &str = "bpf_xdp_metadata_rx_timestamp";
/// linux/bpf.h: BPF_JMP | BPF_CALL.
const CALL: u8 = 0x85;
/// linux/bpf.h: BPF_PSEUDO_KFUNC_CALL, as the source register of a call.
const PSEUDO_KFUNC_CALL: u8 = 2;
/// linux/bpf.h: BPF_ALU64 | BPF_MOV | BPF_K, to the register of a call's answer.
const MOVE: u8 = 0xb7;
/// Octets of an instruction.
const INSTRUCTION: usize = 8;

/// What the call in the object becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replacement {
    /// A call of the kernel's function of this number.
    Kernel(u32),
    /// -EOPNOTSUPP.
    Unsupported,
}

impl Replacement {
    /// The kernel's function. Errors: the kernel has no type information, or not the function.
    pub(super) fn kernel() -> Result<Self, DataPlaneError> {
        Btf::from_sys_fs()
            .and_then(|btf| btf.id_by_type_name_kind(NAME, BtfKind::Func))
            .map(Self::Kernel)
            .map_err(|error| DataPlaneError::NoKfunc(error.to_string()))
    }

    fn instruction(self) -> [u8; INSTRUCTION] {
        match self {
            Self::Kernel(id) => instruction(CALL, PSEUDO_KFUNC_CALL, id),
            Self::Unsupported => instruction(MOVE, 0, (-(Errno::EOPNOTSUPP as i32)).cast_unsigned()),
        }
    }
}

/// The object with every such call replaced.
pub(super) fn replace(object: &[u8], replacement: Replacement) -> Result<Vec<u8>, DataPlaneError> {
    let wanted = instruction(CALL, 0, RX_TIMESTAMP_CALL);
    let mut object = object.to_vec();
    let mut replaced = 0;
    // Sections with instructions are aligned to their size in the file, and nothing else looks like this one.
    for candidate in object.chunks_exact_mut(INSTRUCTION).filter(|candidate| **candidate == wanted) {
        candidate.copy_from_slice(&replacement.instruction());
        replaced += 1;
    }
    if replaced == 0 {
        return Err(DataPlaneError::BadObject(format!(
            "it never asks for the NIC's stamp as ABI version {ABI_VERSION} does; it is of another version"
        )));
    }
    Ok(object)
}

/// `struct bpf_insn` of linux/bpf.h, for code without a destination register: code, registers, offset, immediate.
const fn instruction(code: u8, source_register: u8, immediate: u32) -> [u8; INSTRUCTION] {
    // Two bit fields of one octet, which the byte order of the machine puts into place.
    let registers = if cfg!(target_endian = "big") { source_register } else { source_register << 4 };
    let [a, b, c, d] = immediate.to_ne_bytes();
    [code, registers, 0, 0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_replaced_and_nothing_else() {
        let sentinel = instruction(CALL, 0, RX_TIMESTAMP_CALL);
        let other = instruction(CALL, 0, 5);
        let object = [sentinel, other, sentinel].concat();
        let bound = replace(&object, Replacement::Kernel(0x0102_0304)).unwrap();
        assert_eq!(
            bound,
            [instruction(CALL, 2, 0x0102_0304), other, instruction(CALL, 2, 0x0102_0304)].concat()
        );
        let unbound = replace(&object, Replacement::Unsupported).unwrap();
        assert_eq!(unbound[..4], [MOVE, 0, 0, 0]);
        assert_eq!(unbound[4..8], (-95_i32).to_ne_bytes());
    }

    #[test]
    fn an_object_without_the_call_is_not_ours() {
        assert!(replace(&[0; 64], Replacement::Unsupported).is_err());
    }
}
