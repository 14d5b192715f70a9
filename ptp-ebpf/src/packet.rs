//! The one bounds-checked access to a frame.

use aya_ebpf::helpers::generated::{bpf_xdp_adjust_tail, bpf_xdp_load_bytes};
use aya_ebpf::programs::XdpContext;
use ptp_common::abi::Counter;

/// `N` octets of the frame from `offset`, or [`Counter::Truncated`] when it ends before them.
#[inline(always)]
pub(crate) fn read<const N: usize>(context: &XdpContext, offset: usize) -> Result<&[u8; N], Counter> {
    let start = context.data() + offset;
    if start + N > context.data_end() {
        return Err(Counter::Truncated);
    }
    // SAFETY: the frame holds these octets (checked above, in the form that the verifier knows), it stays where it is
    // while the program runs, and a byte array has no alignment.
    Ok(unsafe { &*(start as *const [u8; N]) })
}

/// `N` octets of the frame from `offset`, to be written; `None` when it ends before them.
#[inline(always)]
pub(crate) fn write<const N: usize>(context: &mut XdpContext, offset: usize) -> Option<&mut [u8; N]> {
    let start = context.data() + offset;
    if start + N > context.data_end() {
        return None;
    }
    // SAFETY: as above; nothing else refers to the frame, for the context is borrowed mutably.
    Some(unsafe { &mut *(start as *mut [u8; N]) })
}

/// Octets in the frame.
#[inline(always)]
pub(crate) fn length(context: &XdpContext) -> usize {
    context.data_end() - context.data()
}

/// Makes the frame `length` octets long, at its end; false if there is no room for them.
#[inline(always)]
pub(crate) fn resize(context: &mut XdpContext, length: usize) -> bool {
    let present = self::length(context);
    // Volatile: else the compiler takes the frame's end from `length` first, and the verifier knows no such difference.
    // SAFETY: it is read from where it is.
    let present = unsafe { (&raw const present).read_volatile() };
    resize_by(context, length as i32 - present as i32)
}

/// Makes the frame so many octets longer, at its end; false if there is no room for them.
#[inline(always)]
pub(crate) fn resize_by(context: &mut XdpContext, by: i32) -> bool {
    // SAFETY: the context is the program's; no reference to the frame survives, for the context is borrowed mutably.
    unsafe { bpf_xdp_adjust_tail(context.ctx, by) == 0 }
}

/// Copies `length` octets of the frame from `offset` to the start of `destination`; false when the frame or the
/// destination ends before that.
#[inline(always)]
pub(crate) fn copy<const N: usize>(
    context: &XdpContext,
    offset: usize,
    destination: &mut [u8; N],
    length: usize,
) -> bool {
    // The verifier must see the bounds on the very value that goes to the helper. Volatile: else the compiler, which
    // knows where the length came from, gives the helper a fresh copy of it that was not compared with anything.
    // SAFETY: it is read from where it is.
    let length = unsafe { (&raw const length).read_volatile() };
    if length == 0 || length > N {
        return false;
    }
    // SAFETY: `destination` holds `length` octets (checked above); the helper itself checks the frame's end.
    unsafe {
        bpf_xdp_load_bytes(context.ctx, offset as u32, destination.as_mut_ptr().cast(), length as u32) == 0
    }
}
