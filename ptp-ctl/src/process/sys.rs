//! The system calls that have no safe interface elsewhere.

use super::Capabilities;
use nix::NixPath;
use nix::errno::Errno;
use std::io;
use std::path::Path;

/// SCHED_FIFO for the calling thread.
pub(super) fn set_fifo_priority(priority: u8) -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: priority.into() };
    // SAFETY: reads one `sched_param`; 0 is the calling thread.
    Errno::result(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) })?;
    Ok(())
}

/// What everybody has, for the calling thread.
pub(super) fn set_ordinary() -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: reads one `sched_param`; 0 is the calling thread.
    Errno::result(unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const parameter) })?;
    Ok(())
}

/// Of the calling thread; 0 under any policy that is not for real time.
pub(super) fn fifo_priority() -> u8 {
    let mut parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: writes one `sched_param`; 0 is the calling thread.
    let read = unsafe { libc::sched_getparam(0, &raw mut parameter) };
    if read == 0 { parameter.sched_priority.try_into().unwrap_or(0) } else { 0 }
}

/// Gives the kernel what was allocated and freed again. Only glibc keeps so much that it must be told.
pub(super) fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: has no requirements.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The calling thread's effective and permitted capabilities; none is inherited by a program that it starts.
pub(super) fn set_capabilities(Capabilities(set): Capabilities) -> io::Result<()> {
    // linux/capability.h
    const VERSION_3: u32 = 0x2008_0522;
    // Version; 0 is the calling thread.
    let header = [VERSION_3, 0];
    // Effective, permitted, inheritable: the lower halves, then the upper ones.
    let (low, high) = (set as u32, (set >> 32) as u32);
    let sets = [[low, low, 0], [high, high, 0]];
    // SAFETY: in this version the kernel reads two words, and twice three words.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) })?;
    Ok(())
}

/// May the calling thread, as whom it accesses files now, access this one so? libc's own functions ask for another user in old
/// versions.
pub(super) fn access(path: &Path, mode: libc::c_int) -> io::Result<()> {
    let answer = path.with_nix_path(|path| {
        // SAFETY: the path is a C string, which the kernel reads.
        unsafe { libc::syscall(libc::SYS_faccessat2, libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) }
    })?;
    Errno::result(answer)?;
    Ok(())
}
