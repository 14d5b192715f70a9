//! Descriptors that the event loop waits for.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches a duplicate of the descriptor for reading: the original may do as it likes. Must be called in a tokio
/// runtime.
pub(super) fn watch(fd: BorrowedFd<'_>) -> io::Result<AsyncFd<OwnedFd>> {
    let duplicate = fd.try_clone_to_owned()?;
    // SAFETY: an `OwnedFd` is open, is the same descriptor all its life, and `AsyncFd` owns it from here on.
    Ok(unsafe { AsyncFd::register_with_interest(duplicate, Interest::READABLE)? })
}
