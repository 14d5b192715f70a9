//! A map of the program's in this process's memory, as words that both may read and write at any time.

use super::error::DataPlaneError;
use super::maps::access;
use aya::maps::MapData;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

/// An array map made with BPF_F_MMAPABLE.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<AtomicU32>,
    words: usize,
    entries: u32,
}

// SAFETY: the memory is the kernel's, shared, and only accessed by atomic operations.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps all entries of `map`, each of `octets` octets, a multiple of 8.
    pub(super) fn of(map: &MapData, name: &'static str, octets: usize) -> Result<Self, DataPlaneError> {
        let info = map.info().map_err(access(name))?;
        if info.value_size() as usize != octets || !octets.is_multiple_of(8) {
            return Err(DataPlaneError::BadObject(format!(
                "entries of {name} have {} octets",
                info.value_size()
            )));
        }
        let entries = info.max_entries();
        let length = octets * entries as usize;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.fd().as_fd().as_raw_fd(),
                0,
            )
        };
        match NonNull::new(start.cast()).filter(|_| start != libc::MAP_FAILED) {
            Some(start) => Ok(Self { start, words: length / 4, entries }),
            None => Err(DataPlaneError::system("map the table of clients into memory")(
                io::Error::last_os_error(),
            )),
        }
    }

    pub(super) fn entries(&self) -> u32 {
        self.entries
    }
}

impl Deref for Mapping {
    type Target = [AtomicU32];

    fn deref(&self) -> &[AtomicU32] {
        // SAFETY: the mapping has that many words, all initialised (the kernel zeroes a new map), and stays until drop.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was made by `of` with that length, and nothing refers to it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.words * 4) };
    }
}
