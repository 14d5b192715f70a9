//! Loading a program for one device, which is what lets it read the NIC's stamps. To be deleted when aya can do it.
//!
//! aya has made the maps; here the program is relocated against them and loaded with the two fields that aya does not
//! set. It comes back to aya through a pin that exists only in between.

use super::error::DataPlaneError;
use super::options::Interface;
use super::pins;
use aya::Ebpf;
use aya::maps::{Map, MapData};
use aya::programs::Xdp;
use aya_obj::Object;
use aya_obj::generated::{
    BPF_F_XDP_DEV_BOUND_ONLY, bpf_attach_type, bpf_attr, bpf_cmd, bpf_insn, bpf_prog_type,
};
use aya_obj::programs::XdpAttachType;
use nix::errno::Errno;
use ptp_common::abi::names;
use std::collections::HashSet;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Room for the verifier's words.
const LOG_OCTETS: usize = 1 << 16;

/// Loads the program of `object` bound to the interface; `ebpf` has the maps of the same object.
///
/// # Errors
/// The kernel's answer: the driver gives no metadata to programs, or the verifier refuses.
pub(super) fn load(
    ebpf: &Ebpf,
    object: &[u8],
    Interface { name, index }: &Interface,
    bpffs: &Path,
) -> Result<Xdp, DataPlaneError> {
    pins::check_bpffs(bpffs)?;
    let instructions = relocate(ebpf, object)?;
    let program = load_program(&instructions, *index)
        .map_err(|source| DataPlaneError::DeviceBound { interface: name.clone(), source })?;
    let pin = bpffs.join(format!("ptp-ctl-{}-{index}", std::process::id()));
    let program = pin_object(&program, &pin)
        .map_err(pins::pin_error("create", &pin))
        .and_then(|()| Xdp::from_pin(&pin, XdpAttachType::Interface).map_err(pins::pin_error("open", &pin)));
    // Also when opening it failed. When making it failed, there is none.
    let _ = fs::remove_file(&pin);
    program
}

/// The program's instructions, with the maps' descriptors and the called functions in place.
fn relocate(ebpf: &Ebpf, object: &[u8]) -> Result<Vec<bpf_insn>, DataPlaneError> {
    let bad = |error: &dyn std::fmt::Display| DataPlaneError::BadObject(error.to_string());
    let mut object = Object::parse(object).map_err(|error| bad(&error))?;
    let text_sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    let maps = std::mem::take(&mut object.maps);
    let descriptors: Vec<_> = maps
        .iter()
        .filter_map(|(name, map)| Some((name.as_str(), data(ebpf.map(name)?)?.fd().as_fd().as_raw_fd(), map)))
        .collect();
    object.relocate_maps(descriptors.into_iter(), &text_sections).map_err(|error| bad(&error))?;
    object.relocate_calls(&text_sections).map_err(|error| bad(&error))?;
    let program = object
        .programs
        .get(names::PROGRAM)
        .ok_or_else(|| DataPlaneError::BadObject(format!("it has no program {}", names::PROGRAM)))?;
    let function = object
        .functions
        .get(&program.function_key())
        .ok_or_else(|| DataPlaneError::BadObject(format!("{} has no instructions", names::PROGRAM)))?;
    Ok(function.instructions.clone())
}

/// The kinds of maps that an object of ours has.
fn data(map: &Map) -> Option<&MapData> {
    match map {
        Map::Array(data)
        | Map::DevMap(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuHashMap(data)
        | Map::ProgramArray(data)
        | Map::RingBuf(data) => Some(data),
        _ => None,
    }
}

fn load_program(instructions: &[bpf_insn], ifindex: u32) -> io::Result<OwnedFd> {
    let mut log = vec![0_u8; LOG_OCTETS];
    let mut attributes = zeroed();
    // SAFETY: this is the view of the union that BPF_PROG_LOAD reads.
    let load = unsafe { &mut attributes.__bindgen_anon_3 };
    load.prog_type = bpf_prog_type::BPF_PROG_TYPE_XDP as u32;
    load.expected_attach_type = bpf_attach_type::BPF_XDP as u32;
    load.prog_flags = BPF_F_XDP_DEV_BOUND_ONLY;
    load.prog_ifindex = ifindex;
    load.insns = instructions.as_ptr() as u64;
    load.insn_cnt = instructions.len() as u32;
    load.license = c"Dual MIT/GPL".as_ptr() as u64;
    for (place, octet) in load.prog_name.iter_mut().zip(names::PROGRAM.bytes()) {
        *place = octet as std::ffi::c_char;
    }
    match bpf(bpf_cmd::BPF_PROG_LOAD, &mut attributes) {
        // SAFETY: the kernel has just given us this descriptor.
        Ok(fd) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        Err(error) => {
            // Once more, for what the verifier says.
            // SAFETY: as above.
            let load = unsafe { &mut attributes.__bindgen_anon_3 };
            load.log_level = 1;
            load.log_buf = log.as_mut_ptr() as u64;
            load.log_size = log.len() as u32;
            if let Ok(fd) = bpf(bpf_cmd::BPF_PROG_LOAD, &mut attributes) {
                // SAFETY: as above.
                return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
            }
            let length = log.iter().position(|octet| *octet == 0).unwrap_or(log.len());
            let text = String::from_utf8_lossy(&log[..length]);
            // Thousands of lines: not for an error message.
            tracing::debug!(verifier_log = %text, "the kernel's verifier refuses the XDP program");
            Err(error)
        }
    }
}

fn pin_object(program: &OwnedFd, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = zeroed();
    // SAFETY: this is the view of the union that BPF_OBJ_PIN reads.
    let pin = unsafe { &mut attributes.__bindgen_anon_4 };
    pin.pathname = path.as_ptr() as u64;
    pin.bpf_fd = program.as_raw_fd().cast_unsigned();
    bpf(bpf_cmd::BPF_OBJ_PIN, &mut attributes).map(|_| ())
}

fn zeroed() -> bpf_attr {
    // SAFETY: a union of integers, for which zero is a value; the kernel wants zero in what it does not know.
    unsafe { std::mem::zeroed() }
}

/// What the pointers in the attributes point to must live, and be as large as they say.
fn bpf(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<i32> {
    // SAFETY: the kernel reads one `bpf_attr`; the callers above keep what it points to alive.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_int,
            std::ptr::from_mut(attributes),
            size_of::<bpf_attr>(),
        )
    };
    Ok(Errno::result(answer)? as i32)
}
