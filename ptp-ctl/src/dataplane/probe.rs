//! What this machine can do, for `ptp-ctl check`: nothing here changes anything.

pub use super::netlink::{Attached, DriverFeatures};
pub use super::object::is_embedded;

use super::error::DataPlaneError;
use super::options::Interface;
use super::{holder, netlink, pins};
use crate::process::{Capabilities, Capability};
use aya::maps::MapType;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";
const TIMESTAMP_KFUNC: &[u8] = b"\0bpf_xdp_metadata_rx_timestamp\0";

/// What loading and attaching needs and this thread has not, by name.
pub fn missing_capabilities() -> Vec<&'static str> {
    let effective = Capabilities::effective();
    let has = |capability| effective.has(capability) || effective.has(Capability::SysAdmin);
    // Without CAP_PERFMON the verifier takes no variable offset into a packet.
    [Capability::Bpf, Capability::Perfmon, Capability::NetAdmin]
        .into_iter()
        .filter(|&capability| !has(capability))
        .map(Capability::name)
        .collect()
}

/// Does something keep bpf() from this process, whatever its capabilities? What they allow is made and given back at once: a map
/// of one octet.
pub fn bpf_is_forbidden() -> bool {
    aya::sys::is_map_supported(MapType::Array)
        .is_err_and(|error| error.io_error.kind() == ErrorKind::PermissionDenied)
}

/// Can pins be made under this path? The error says why not, and what helps.
pub fn check_bpffs(path: &Path) -> Result<(), DataPlaneError> {
    pins::check_bpffs(path)
}

/// Has the kernel the kfunc `bpf_xdp_metadata_rx_timestamp` (Linux 6.3)? `None` when it does not tell.
///
/// Looks for the name among the zero-terminated strings of the kernel's BTF: there without being a function it is not
/// known to have been, so the types need not be parsed.
pub fn kernel_has_timestamp_kfunc() -> Option<bool> {
    let btf = fs::read(KERNEL_BTF).ok()?;
    Some(btf.windows(TIMESTAMP_KFUNC.len()).any(|window| window == TIMESTAMP_KFUNC))
}

/// Can a program in native mode read the NIC's stamps on this interface, as far as kernel and driver say?
pub fn can_read_nic_stamps(interface: &str) -> Result<bool, DataPlaneError> {
    let driver = driver_features(interface)?.is_some_and(|features| features.rx_timestamp);
    Ok(driver && kernel_has_timestamp_kfunc() == Some(true))
}

/// What the interface's driver says of its XDP; `None` when the kernel does not tell (before Linux 6.3).
pub fn driver_features(interface: &str) -> Result<Option<DriverFeatures>, DataPlaneError> {
    netlink::driver_features(Interface::of(interface)?.index)
        .map_err(DataPlaneError::system("ask for the driver's XDP features"))
}

/// Packets that the interface has sent; of virtual Ethernet, those that the other end got.
pub fn transmitted(interface: &str) -> Result<u64, DataPlaneError> {
    netlink::transmitted(Interface::of(interface)?.index)
        .map_err(DataPlaneError::system("read the interface's packet counters"))
}

/// The program at the interface's hook now.
pub fn attached(interface: &str) -> Result<Option<Attached>, DataPlaneError> {
    netlink::attached(Interface::of(interface)?.index)
        .map_err(DataPlaneError::system("ask for the interface's XDP program"))
}

/// The kernel's name of a program, up to 15 characters; `None` if it is gone or may not be seen.
pub fn program_name(program_id: u32) -> Option<String> {
    holder::program_name(program_id)
}
