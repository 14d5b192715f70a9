//! Who our peers are, and which addresses are ours.

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use ptp_common::abi::{
    ClientGrant, ClientKey, Counter, LocalKey, MAX_CLIENTS, MAX_LOCAL, MAX_SERVERS, ServerKey,
};

#[map(name = "PTP_LOCAL")]
static LOCAL: HashMap<LocalKey, u32> = HashMap::with_max_entries(MAX_LOCAL, BPF_F_NO_PREALLOC);

#[map(name = "PTP_SERVERS")]
static SERVERS: HashMap<ServerKey, u32> = HashMap::with_max_entries(MAX_SERVERS, BPF_F_NO_PREALLOC);

#[map(name = "PTP_CLIENTS")]
static CLIENTS: HashMap<ClientKey, ClientGrant> = HashMap::with_max_entries(MAX_CLIENTS, BPF_F_NO_PREALLOC);

/// Is this address one of the interface's own?
#[inline(always)]
pub(crate) fn check_local(address: &[u8; 16]) -> Result<(), Counter> {
    match LOCAL.get_ptr(LocalKey { address: *address }) {
        Some(_) => Ok(()),
        None => Err(Counter::NotLocal),
    }
}

/// Is a Sync from this address asked for?
#[inline(always)]
pub(crate) fn check_server(address: &[u8; 16]) -> Result<(), Counter> {
    match SERVERS.get_ptr(ServerKey { address: *address }) {
        Some(_) => Ok(()),
        None => Err(Counter::UnknownServer),
    }
}

/// Has this client a grant at `now` (CLOCK_MONOTONIC in ns)?
#[inline(always)]
pub(crate) fn check_client(address: &[u8; 16], port_identity: [u8; 10], now: u64) -> Result<(), Counter> {
    let key = ClientKey { address: *address, port_identity, padding: [0; 2] };
    // SAFETY: the map is not preallocated, so an element that is removed meanwhile is freed after this program ends;
    // the value is one aligned word.
    match unsafe { CLIENTS.get(key) } {
        Some(grant) if now < grant.expires_ns => Ok(()),
        Some(_) => Err(Counter::GrantExpired),
        None => Err(Counter::UnknownClient),
    }
}
