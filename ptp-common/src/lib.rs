//! What the XDP program and userspace share: PTP time, the IEEE 1588 wire format, packet offsets, map layouts.
//!
//! `no_std`, no allocation, no floating point: everything here compiles for the BPF target too.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod abi;
pub mod net;
pub mod time;
pub mod wire;
