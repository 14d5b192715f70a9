//! Frames that the kernel makes and a program fills (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18).

use aya_obj::generated::{bpf_attr, bpf_cmd};
use nix::errno::Errno;
use ptp_common::abi::LIVE_FRAME_LENGTH;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

const BPF_F_TEST_XDP_LIVE_FRAMES: u32 = 1 << 1;
/// Frames that the kernel fills before it hands any of them to the driver: few, for each waits for the last after it
/// was stamped.
pub(super) const BATCH: u32 = 16;

/// struct xdp_md of linux/bpf.h.
#[repr(C)]
#[derive(Default)]
struct Context {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

/// Runs the program on `count` frames; XDP_TX sends them out of the interface.
pub(super) fn run(program: BorrowedFd<'_>, ifindex: u32, count: u32) -> io::Result<()> {
    let frame = [0_u8; LIVE_FRAME_LENGTH];
    let context =
        Context { data_end: LIVE_FRAME_LENGTH as u32, ingress_ifindex: ifindex, ..Context::default() };
    // SAFETY: a union of integers, for which zero is a value; the kernel wants zero in what it does not know.
    let mut attributes: bpf_attr = unsafe { std::mem::zeroed() };
    // SAFETY: this is the view of the union that BPF_PROG_TEST_RUN reads.
    let test = unsafe { &mut attributes.test };
    test.prog_fd = program.as_raw_fd().cast_unsigned();
    test.data_in = frame.as_ptr() as u64;
    test.data_size_in = LIVE_FRAME_LENGTH as u32;
    test.ctx_in = (&raw const context) as u64;
    test.ctx_size_in = size_of::<Context>() as u32;
    test.repeat = count;
    test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    test.batch_size = BATCH;
    // SAFETY: the kernel reads one `bpf_attr`, and frame and context, which live until it returns.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            bpf_cmd::BPF_PROG_TEST_RUN as libc::c_int,
            (&raw mut attributes),
            size_of::<bpf_attr>(),
        )
    };
    Errno::result(answer)?;
    Ok(())
}
