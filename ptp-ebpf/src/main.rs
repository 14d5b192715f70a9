//! The XDP programs: one finds PTP event messages of our peers and stamps them, the other sends a server's Sync and
//! Announce.
//!
//! [`ptp_xdp`] sits at the interface. A frame is judged by [`classify`]; what can become of it is [`Counter`], which is
//! also what is counted. A granted client's Delay_Req goes back as the answer ([`delay_req`]), other messages for us go
//! to the controller in a ring buffer ([`event`]), and all else is left as it is.
//!
//! [`ptp_fan_out`] is run by the controller on frames that the kernel makes for it ([`fan_out`]).
//!
//! They run as BPF only; that they compile for the host too is for clippy and editors.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

mod classify;
mod clients;
mod controller;
mod counters;
mod delay_req;
mod emit;
mod event;
mod fan_out;
mod octets;
mod packet;
mod peers;
mod timestamp;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_TX};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use classify::Kind;
use ptp_common::abi::{Counter, FanOutCounter};

#[xdp]
fn ptp_xdp(mut context: XdpContext) -> u32 {
    let (Ok(outcome) | Err(outcome)) = judge(&mut context);
    counters::count(outcome);
    match outcome {
        Counter::Answered => XDP_TX,
        // Consumed: the ring buffer has it.
        Counter::Taken | Counter::Reported => XDP_DROP,
        Counter::NotPtp
        | Counter::BadIpChecksum
        | Counter::BadUdpChecksum
        | Counter::UnknownClient
        | Counter::GrantExpired
        | Counter::AboveRate
        | Counter::WrongDomain
        | Counter::NoStamp
        | Counter::RingFull => XDP_DROP,
        Counter::NotPtpEvent
        | Counter::IpOptions
        | Counter::Fragment
        | Counter::VlanStack
        | Counter::Truncated
        | Counter::Malformed
        | Counter::NotLocal
        | Counter::Oversize
        | Counter::OtherMessage
        | Counter::UnknownServer
        | Counter::NoController => XDP_PASS,
    }
}

#[inline(always)]
fn judge(context: &mut XdpContext) -> Result<Counter, Counter> {
    let (message, state) = classify::classify(context)?;
    match message.kind {
        Kind::DelayReq => delay_req::serve(context, &message, state),
        Kind::Sync if !state.alive() => Err(Counter::NoController),
        Kind::Sync => {
            peers::check_server(message.ip.source)?;
            message.check()?;
            Ok(event::hand_over(context, &message))
        }
    }
}

#[xdp]
fn ptp_fan_out(mut context: XdpContext) -> u32 {
    let outcome = fan_out::fill(&mut context);
    fan_out::count(outcome);
    match outcome {
        FanOutCounter::AnnounceSent | FanOutCounter::SyncSent => XDP_TX,
        FanOutCounter::GrantEnded | FanOutCounter::Unreachable | FanOutCounter::Failed => XDP_DROP,
    }
}

// The kernel gives helpers such as the TAI clock only to programs under a GPL-compatible licence.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Nothing here panics, and the verifier refuses a program in which this loop can be reached.
    loop {}
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
