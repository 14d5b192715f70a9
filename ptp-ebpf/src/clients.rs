//! A server's clients: found by address and identity, and held to what they were granted.

use crate::octets::{Address, Identity};
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray};
use ptp_common::abi::{
    self, Client, Config, DELAY_REQ_BURST, PROBES, SERVICE_DELAY_RESP, TICK_SHIFT, interval_ns,
};

/// The loader gives it the size that is needed.
#[map(name = "PTP_CLIENTS")]
static CLIENTS: Array<Client> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// When the next Delay_Req without a grant may be handed over, as [`Client::bucket_ns`] has it.
#[map(name = "PTP_REPORTS")]
static REPORTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Handed over without a grant: so many per second and CPU.
const REPORT_INTERVAL_NS: u64 = 10_000_000;
const REPORT_BURST: u64 = 16;

/// The entry of the table at `index`.
#[inline(always)]
pub(crate) fn at(index: u32) -> Option<&'static mut Client> {
    // SAFETY: entries are never freed, and all that is written into them, by whomever, is integers.
    CLIENTS.get_ptr_mut(index).map(|client| unsafe { &mut *client })
}

/// The client, if it has or had a grant.
#[inline(always)]
pub(crate) fn find(
    config: &Config,
    address: Address,
    port_identity: Identity,
) -> Option<&'static mut Client> {
    let hash = abi::hash(config.hash_seed, address.0, port_identity.clock, port_identity.port);
    let home = abi::home(hash, config.homes);
    for probe in 0..PROBES {
        let client = at(home + probe)?;
        let owner = Address::ipv6(&client.address, 0);
        let identity = Identity::read(&client.port_identity, 0);
        if owner == address && identity == port_identity {
            return Some(client);
        }
        if owner.is_unspecified() && identity.is_zero() {
            return None;
        }
    }
    None
}

/// Is a grant that ends then (one of [`Client::expires`]) in force at `now` (CLOCK_MONOTONIC in ns)?
#[inline(always)]
pub(crate) fn is_granted(expires: u32, now: u64) -> bool {
    ((now >> TICK_SHIFT) as u32) < expires
}

/// Is there room for a Delay_Req within the granted rate? It is taken.
#[inline(always)]
pub(crate) fn take_token(client: &mut Client, now: u64) -> bool {
    let interval = interval_ns(client.log_intervals[SERVICE_DELAY_RESP]);
    if fill(&mut client.bucket_ns, interval, DELAY_REQ_BURST, now) {
        client.served = client.served.wrapping_add(1);
        true
    } else {
        client.above_rate = client.above_rate.wrapping_add(1);
        false
    }
}

/// May one more Delay_Req without a grant be handed over?
#[inline(always)]
pub(crate) fn take_report_token(now: u64) -> bool {
    // SAFETY: the slot belongs to this CPU, and XDP programs on one CPU do not interrupt each other.
    REPORTS
        .get_ptr_mut(0)
        .is_some_and(|bucket| fill(unsafe { &mut *bucket }, REPORT_INTERVAL_NS, REPORT_BURST, now))
}

/// The generic cell rate algorithm (ITU-T I.371): `bucket` is when the next one is expected.
#[inline(always)]
fn fill(bucket: &mut u64, interval: u64, burst: u64, now: u64) -> bool {
    let expected = *bucket;
    if expected > now + (burst - 1) * interval {
        return false;
    }
    *bucket = expected.max(now) + interval;
    true
}
