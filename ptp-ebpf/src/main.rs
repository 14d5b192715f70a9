//! The XDP program: finds PTP event messages of our peers, stamps them and hands them over in a ring buffer.
//!
//! A frame is judged by [`classify`]; what can become of it is [`Counter`], which is also what is counted. Nothing is
//! changed in any frame, and nothing but a message for the controller is consumed.
//!
//! It runs as BPF only; that it compiles for the host too is for clippy and editors.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

mod classify;
mod controller;
mod counters;
mod event;
mod grants;
mod packet;
mod timestamp;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use ptp_common::abi::Counter;

#[xdp]
fn ptp_xdp(context: XdpContext) -> u32 {
    let outcome = match classify::classify(&context) {
        Ok(message) => event::hand_over(&context, &message),
        Err(outcome) => outcome,
    };
    counters::count(outcome);
    match outcome {
        // Consumed: the ring buffer has it.
        Counter::Taken => XDP_DROP,
        Counter::NotPtp | Counter::BadIpChecksum | Counter::GrantExpired | Counter::RingFull => XDP_DROP,
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
        | Counter::UnknownClient
        | Counter::NoController => XDP_PASS,
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
