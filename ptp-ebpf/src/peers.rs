//! Who our servers are, and which addresses are ours.

use crate::octets::Address;
use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use ptp_common::abi::{Counter, LocalKey, MAX_LOCAL, MAX_SERVERS, ServerKey, Serving};

#[map(name = "PTP_LOCAL")]
static LOCAL: HashMap<LocalKey, u32> = HashMap::with_max_entries(MAX_LOCAL, BPF_F_NO_PREALLOC);

#[map(name = "PTP_SERVERS")]
static SERVERS: HashMap<ServerKey, u32> = HashMap::with_max_entries(MAX_SERVERS, BPF_F_NO_PREALLOC);

/// Is this address one of the interface's own?
#[inline(always)]
pub(crate) fn check_local(address: Address, serving: Option<&Serving>) -> Result<(), Counter> {
    // A server knows most of its packets by these: they cost no look-up.
    if let Some(serving) = serving
        && serving.addresses.iter().any(|ours| Address::ipv6(ours, 0) == address)
    {
        return Ok(());
    }
    match LOCAL.get_ptr(LocalKey { address: address.octets() }) {
        Some(_) => Ok(()),
        None => Err(Counter::NotLocal),
    }
}

/// Is a Sync from this address asked for?
#[inline(always)]
pub(crate) fn check_server(address: Address) -> Result<(), Counter> {
    match SERVERS.get_ptr(ServerKey { address: address.octets() }) {
        Some(_) => Ok(()),
        None => Err(Counter::UnknownServer),
    }
}
