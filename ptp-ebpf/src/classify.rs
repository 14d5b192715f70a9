//! Is this frame a PTP event message for us?
//!
//! Every other frame leaves with the [`Counter`] that says why. The order of the checks is the policy: first those
//! that tell apart what is not ours, where every doubt lets the frame pass; drops come last.

use crate::controller::{self, State};
use crate::octets::{Address, be16, read};
use crate::timestamp::{self, Stamp};
use crate::{packet, peers};
use aya_ebpf::programs::XdpContext;
use ptp_common::abi::{Counter, MAX_PAYLOAD};
use ptp_common::net::checksum::WordSum;
use ptp_common::net::{EVENT_PORT, eth, ipv4, ipv6, udp, vlan};

/// Octets of a Sync and of a Delay_Req without TLVs (IEEE 1588-2019, 13.6).
const SYNC_LENGTH: usize = 44;
const HEADER_LENGTH: usize = 34;
const MESSAGE_SYNC: u8 = 0x0;
const MESSAGE_DELAY_REQ: u8 = 0x1;
const VERSION_PTP: u8 = 2;

/// A message whose sender is to be judged.
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) stamp: Stamp,
    /// CLOCK_MONOTONIC in ns.
    pub(crate) now: u64,
    /// Zero without a tag.
    pub(crate) vlan_tci: u16,
    pub(crate) ip: Ip,
    pub(crate) udp: Udp,
    /// Where the PTP message begins in the frame.
    pub(crate) payload_offset: usize,
}

/// Which message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sync,
    DelayReq,
}

/// What both IP versions say.
pub(crate) struct Ip {
    pub(crate) version_4: bool,
    pub(crate) source: Address,
    pub(crate) destination: Address,
    /// Of its header, or one that is as it should be.
    header_sum: WordSum,
    /// Where the UDP header begins in the frame.
    payload_offset: usize,
    payload_length: usize,
}

/// The UDP header, in host order.
pub(crate) struct Udp {
    pub(crate) source_port: u16,
    pub(crate) length: u16,
    pub(crate) checksum: u16,
}

#[inline(always)]
pub(crate) fn classify(context: &XdpContext) -> Result<(Message, State), Counter> {
    let (ethertype, vlan_tci, offset) = ethernet(context)?;
    let ip = match ethertype {
        eth::TYPE_IPV4 => ip_version_4(context, offset)?,
        eth::TYPE_IPV6 => ip_version_6(context, offset)?,
        _ => return Err(Counter::NotPtpEvent),
    };
    let header: &[u8; udp::LENGTH] = packet::read(context, ip.payload_offset)?;
    if be16(header, udp::DESTINATION_PORT) != EVENT_PORT {
        return Err(Counter::NotPtpEvent);
    }
    // Before all that takes time, but not before the port is known: other traffic does not pay for it.
    let (config, controller) = controller::get().ok_or(Counter::NoController)?;
    let stamp = timestamp::rx_stamp(context, controller);
    let udp = Udp {
        source_port: be16(header, udp::SOURCE_PORT),
        length: be16(header, udp::UDP_LENGTH),
        checksum: be16(header, udp::CHECKSUM),
    };
    let payload_offset = ip.payload_offset + udp::LENGTH;
    let length = usize::from(udp.length);
    if ip.payload_offset + ip.payload_length > packet::length(context) {
        return Err(Counter::Truncated);
    }
    if length < udp::LENGTH || length != ip.payload_length {
        return Err(Counter::Malformed);
    }

    let now = timestamp::monotonic();
    let state = controller::state(config, controller, now);
    if !state.alive() && !state.answers() {
        return Err(Counter::NoController);
    }
    peers::check_local(ip.destination, state.serving)?;
    let kind = message_kind(context, payload_offset, length - udp::LENGTH)?;
    Ok((Message { kind, stamp, now, vlan_tci, ip, udp, payload_offset }, state))
}

impl Message {
    /// Checks that are due only once the sender is one of ours.
    #[inline(always)]
    pub(crate) fn check(&self) -> Result<(), Counter> {
        if usize::from(self.udp.length) - udp::LENGTH > MAX_PAYLOAD {
            return Err(Counter::Oversize);
        }
        if !self.ip.header_sum.is_intact() {
            return Err(Counter::BadIpChecksum);
        }
        Ok(())
    }
}

/// EtherType behind at most one tag, tag control information, offset of what follows.
#[inline(always)]
fn ethernet(context: &XdpContext) -> Result<(u16, u16, usize), Counter> {
    let header: &[u8; eth::LENGTH] = packet::read(context, 0)?;
    let outer = be16(header, eth::ETHERTYPE);
    if !vlan::is_tag(outer) {
        return Ok((outer, 0, eth::LENGTH));
    }
    let tag: &[u8; vlan::LENGTH] = packet::read(context, eth::LENGTH)?;
    let inner = be16(tag, vlan::ETHERTYPE);
    if vlan::is_tag(inner) {
        return Err(Counter::VlanStack);
    }
    Ok((inner, be16(tag, vlan::TCI), eth::LENGTH + vlan::LENGTH))
}

#[inline(always)]
fn ip_version_4(context: &XdpContext, offset: usize) -> Result<Ip, Counter> {
    let header: &[u8; ipv4::LENGTH] = packet::read(context, offset)?;
    // Whole words before their parts: the compiler then loads each once.
    let words: [u32; 5] = core::array::from_fn(|index| read(header, 4 * index));
    let sum = words.into_iter().fold(WordSum::default(), WordSum::and_u32);
    if header[ipv4::PROTOCOL] != udp::PROTOCOL {
        return Err(Counter::NotPtpEvent);
    }
    let version_ihl = header[ipv4::VERSION_IHL];
    if version_ihl >> 4 != 4 || version_ihl < ipv4::PLAIN_VERSION_IHL {
        return Err(Counter::Malformed);
    }
    if version_ihl > ipv4::PLAIN_VERSION_IHL {
        return Err(Counter::IpOptions);
    }
    if be16(header, ipv4::FRAGMENT) & ipv4::FRAGMENT_MASK != 0 {
        return Err(Counter::Fragment);
    }
    let total_length = usize::from(be16(header, ipv4::TOTAL_LENGTH));
    if total_length < ipv4::LENGTH + udp::LENGTH {
        return Err(Counter::Malformed);
    }
    Ok(Ip {
        version_4: true,
        source: Address::mapped(words[ipv4::SOURCE / 4]),
        destination: Address::mapped(words[ipv4::DESTINATION / 4]),
        header_sum: sum,
        payload_offset: offset + ipv4::LENGTH,
        payload_length: total_length - ipv4::LENGTH,
    })
}

#[inline(always)]
fn ip_version_6(context: &XdpContext, offset: usize) -> Result<Ip, Counter> {
    let header: &[u8; ipv6::LENGTH] = packet::read(context, offset)?;
    match header[ipv6::NEXT_HEADER] {
        udp::PROTOCOL => {}
        ipv6::FRAGMENT => return Err(Counter::Fragment),
        other if ipv6::EXTENSIONS.contains(&other) => return Err(Counter::IpOptions),
        _ => return Err(Counter::NotPtpEvent),
    }
    if header[ipv6::VERSION] >> 4 != 6 {
        return Err(Counter::Malformed);
    }
    let source = Address::ipv6(header, ipv6::SOURCE);
    let destination = Address::ipv6(header, ipv6::DESTINATION);
    // Else an IPv6 packet could pass itself off as one from an IPv4 peer.
    if source.is_mapped() || destination.is_mapped() {
        return Err(Counter::Malformed);
    }
    Ok(Ip {
        version_4: false,
        source,
        destination,
        header_sum: WordSum::default(),
        payload_offset: offset + ipv6::LENGTH,
        payload_length: usize::from(be16(header, ipv6::PAYLOAD_LENGTH)),
    })
}

/// Which message the payload is.
#[inline(always)]
fn message_kind(context: &XdpContext, offset: usize, length: usize) -> Result<Kind, Counter> {
    if length < HEADER_LENGTH {
        return Err(Counter::NotPtp);
    }
    let header: &[u8; HEADER_LENGTH] = packet::read(context, offset)?;
    if header[1] & 0x0f != VERSION_PTP {
        return Err(Counter::NotPtp);
    }
    let kind = match header[0] & 0x0f {
        MESSAGE_SYNC => Kind::Sync,
        MESSAGE_DELAY_REQ => Kind::DelayReq,
        _ => return Err(Counter::OtherMessage),
    };
    let message_length = usize::from(be16(header, 2));
    if message_length < SYNC_LENGTH || message_length > length {
        return Err(Counter::NotPtp);
    }
    Ok(kind)
}
