//! What becomes of a client's Delay_Req: the frame goes back as the Delay_Resp.

use crate::classify::Message;
use crate::controller::State;
use crate::emit::{self, Datagram};
use crate::octets::{Identity, put, read, write};
use crate::timestamp::{self, Stamp};
use crate::{clients, event, packet};
use aya_ebpf::programs::XdpContext;
use ptp_common::abi::{Client, Counter, SERVICE_DELAY_RESP, STAMP_XDP_HARDWARE, STAMP_XDP_SOFTWARE, Serving};
use ptp_common::net::checksum::WordSum;
use ptp_common::net::{EVENT_PORT, GENERAL_PORT, eth, ipv4, ipv6, udp};

// IEEE 1588-2019, 13.3 and 13.8.
const DELAY_REQ_LENGTH: usize = 44;
const HEADER_LENGTH: usize = 34;
const DELAY_RESP_LENGTH: usize = 54;
const CORRECTION_FIELD: usize = 8;
const SOURCE_PORT_IDENTITY: usize = 20;
const SEQUENCE_ID: usize = 30;
/// With what IPv6 may add to the end of a message (annex D.1).
const PADDED_LENGTH: usize = DELAY_REQ_LENGTH + 2;

/// Judges a Delay_Req, and answers it if that is all right.
#[inline(always)]
pub(crate) fn serve(context: &mut XdpContext, message: &Message, state: State) -> Result<Counter, Counter> {
    let serving = state.serving.ok_or(Counter::OtherMessage)?;
    let header: &[u8; HEADER_LENGTH] = packet::read(context, message.payload_offset)?;
    // majorSdoId, domainNumber and minorSdoId.
    let ours = &serving.delay_resp;
    if (header[0] ^ ours[0]) & 0xf0 != 0 || header[4] != ours[4] || header[5] != ours[5] {
        return Err(Counter::WrongDomain);
    }
    let port_identity = Identity::read(header, SOURCE_PORT_IDENTITY);
    let request = Request {
        correction: read(header, CORRECTION_FIELD),
        sequence_id: read(header, SEQUENCE_ID),
        port_identity,
    };
    let Some(client) = clients::find(state.config, message.ip.source, port_identity) else {
        return Err(report(context, message, state, Counter::UnknownClient));
    };
    if !clients::is_granted(client.expires[SERVICE_DELAY_RESP], message.now) {
        return Err(report(context, message, state, Counter::GrantExpired));
    }
    message.check()?;
    let whole = whole_payload(context, message)?;
    if !clients::take_token(client, message.now) {
        return Err(Counter::AboveRate);
    }
    // The TLVs of a longer one are the controller's business.
    if whole && serving.answers != 0 && answer(context, message, client, serving, &request)? {
        return Ok(Counter::Answered);
    }
    if state.alive() { Ok(event::hand_over(context, message)) } else { Err(Counter::NoController) }
}

/// What the answer repeats, in the octets of the wire.
struct Request {
    correction: u64,
    sequence_id: u16,
    port_identity: Identity,
}

/// Hands over what cannot be answered, unless that happens too often.
#[inline(always)]
fn report(context: &XdpContext, message: &Message, state: State, reason: Counter) -> Counter {
    if state.alive() && message.check().is_ok() && clients::take_report_token(message.now) {
        match event::hand_over(context, message) {
            Counter::Taken => Counter::Reported,
            other => other,
        }
    } else {
        reason
    }
}

/// Is the datagram a plain Delay_Req, as almost all are? Its UDP checksum is right then, or [`Counter::BadUdpChecksum`].
#[inline(always)]
fn whole_payload(context: &XdpContext, message: &Message) -> Result<bool, Counter> {
    let at = message.payload_offset;
    let sum = match usize::from(message.udp.length) - udp::LENGTH {
        DELAY_REQ_LENGTH => WordSum::of::<DELAY_REQ_LENGTH>(packet::read(context, at)?),
        PADDED_LENGTH => WordSum::of::<PADDED_LENGTH>(packet::read(context, at)?),
        _ => return Ok(false),
    };
    let version_4 = message.ip.version_4;
    let pseudo = message
        .ip
        .source
        .sum(version_4)
        .and(message.ip.destination.sum(version_4))
        .and_word(message.udp.length)
        .and_word(udp::PROTOCOL.into());
    let checksum = message.udp.checksum;
    let all = sum
        .and(pseudo)
        .and_word(message.udp.source_port)
        .and_word(EVENT_PORT)
        .and_word(message.udp.length)
        .and_word(checksum);
    // On virtual links it may be that of the pseudo-header alone: the rest was left to a NIC that there is not.
    let right = match checksum {
        0 => version_4,
        _ => all.is_intact() || pseudo.folded() == checksum.to_be(),
    };
    if right { Ok(true) } else { Err(Counter::BadUdpChecksum) }
}

/// Makes the frame the answer; false, and the frame is as it was, if there is no room for it.
#[inline(always)]
fn answer(
    context: &mut XdpContext,
    message: &Message,
    client: &Client,
    serving: &Serving,
    request: &Request,
) -> Result<bool, Counter> {
    let served = match (client.stamp_source, message.stamp) {
        (STAMP_XDP_HARDWARE, Stamp { nanos: 0, .. }) => return Err(Counter::NoStamp),
        (STAMP_XDP_HARDWARE, Stamp { nanos, source: STAMP_XDP_HARDWARE }) => serving.hardware.at(nanos),
        (STAMP_XDP_HARDWARE, _) => return Err(Counter::NoStamp),
        (_, Stamp { nanos, source: STAMP_XDP_SOFTWARE }) => serving.software.at(nanos),
        // The controller wants the NIC's, this client does not.
        _ => serving.software.at(timestamp::tai()),
    };
    let ethernet: &[u8; eth::LENGTH] = packet::read(context, 0)?;
    let destination: (u32, u16) = (read(ethernet, 0), read(ethernet, 4));
    let source: (u32, u16) = (read(ethernet, 6), read(ethernet, 10));
    if !packet::resize(context, message.payload_offset + DELAY_RESP_LENGTH) {
        return Ok(false);
    }
    let receive_timestamp = emit::Stamp::of(served);
    let datagram = Datagram {
        source: message.ip.destination,
        destination: message.ip.source,
        traffic_class: serving.traffic_class,
        port: GENERAL_PORT,
        payload_length: DELAY_RESP_LENGTH as u16,
        payload_sum: WordSum::from_raw(serving.delay_resp_sum)
            .and_u64(request.correction)
            .and_u32(request.sequence_id.into())
            .and(receive_timestamp.sum())
            .and_u64(request.port_identity.clock)
            .and_u32(request.port_identity.port.into()),
    };
    let ethernet: &mut [u8; eth::LENGTH] = packet::write(context, 0).ok_or(Counter::Truncated)?;
    write(ethernet, 0, source.0);
    write(ethernet, 4, source.1);
    write(ethernet, 6, destination.0);
    write(ethernet, 10, destination.1);
    if message.ip.version_4 {
        const HEADERS: usize = ipv4::LENGTH + udp::LENGTH;
        let at = message.payload_offset - HEADERS;
        datagram.put_ipv4::<HEADERS>(packet::write(context, at).ok_or(Counter::Truncated)?);
    } else {
        const HEADERS: usize = ipv6::LENGTH + udp::LENGTH;
        let at = message.payload_offset - HEADERS;
        datagram.put_ipv6::<HEADERS>(packet::write(context, at).ok_or(Counter::Truncated)?);
    }
    let reply: &mut [u8; DELAY_RESP_LENGTH] =
        packet::write(context, message.payload_offset).ok_or(Counter::Truncated)?;
    put(reply, 0, &serving.delay_resp);
    write(reply, CORRECTION_FIELD, request.correction);
    write(reply, SEQUENCE_ID, request.sequence_id);
    receive_timestamp.put(reply, HEADER_LENGTH);
    write(reply, HEADER_LENGTH + 10, request.port_identity.clock);
    write(reply, HEADER_LENGTH + 18, request.port_identity.port);
    Ok(true)
}
