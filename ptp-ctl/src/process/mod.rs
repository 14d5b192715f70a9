//! How this process runs: its priority, its memory, and what it may do.

mod account;
mod capability;
mod sys;

#[cfg(test)]
mod tests;

pub use account::{Account, current_user};
pub use capability::{Capabilities, Capability};

use nix::errno::Errno;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use std::io;
use std::path::PathBuf;

/// What keeps a process from running as its settings have it; each message names the setting and what helps.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// EPERM, most of the time.
    #[error(
        "realtime-priority = {priority} is refused ({source}): run as root or with CAP_SYS_NICE, or raise RLIMIT_RTPRIO to \
         {priority} (LimitRTPRIO={priority} in a unit); where the kernel has RT_GROUP_SCHED, the control group needs a share of \
         real time as well"
    )]
    Realtime {
        /// 1 to 99.
        priority: u8,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Not all that will be needed may be locked.
    #[error(
        "lock-memory = true is refused ({source}): run as root or with CAP_IPC_LOCK, or lift RLIMIT_MEMLOCK \
         (LimitMEMLOCK=infinity in a unit)"
    )]
    Memory {
        /// The kernel's answer.
        source: io::Error,
    },
    /// Nobody of that name.
    #[error(
        "user = {0:?}: there is no such user; `getent passwd` lists them, `useradd --system {0}` makes one"
    )]
    NoUser(String),
    /// Nobody of that number, so that nobody knows the group.
    #[error("user = \"{0}\": no user has that number, so say the group as well, as in \"{0}:{0}\"")]
    NoGroup(u32),
    /// The list of users cannot be read.
    #[error("user = \"{user}\": users cannot be looked up ({source})")]
    Lookup {
        /// As given.
        user: String,
        /// Why.
        source: io::Error,
    },
    /// The kernel refuses one of the steps.
    #[error(
        "user = \"{user}\": not permitted to {action} ({source}): start as root, or with CAP_SETUID and CAP_SETGID"
    )]
    Change {
        /// The user.
        user: String,
        /// In the infinitive.
        action: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// What is needed later on is out of the user's reach.
    #[error("user = \"{user}\" may not {action} {path} ({setting}): {fix}")]
    Reach {
        /// The user.
        user: String,
        /// In the infinitive.
        action: &'static str,
        /// What it is about.
        path: PathBuf,
        /// The setting that names it.
        setting: &'static str,
        /// What helps.
        fix: String,
    },
    /// Not what was asked for, although the kernel said yes.
    #[error("user = \"{user}\": thread {thread} has kept more than it should: {kept}")]
    Kept {
        /// The user.
        user: String,
        /// The kernel's number of the thread.
        thread: String,
        /// The line of its status that tells.
        kept: String,
    },
}

/// Lets this thread run when its time has come, before all that is not urgent: SCHED_FIFO, `priority` from 1 to 99. Threads
/// that it starts have the same.
///
/// # Errors
/// [`ProcessError::Realtime`]; the thread runs like others then.
pub fn take_precedence(priority: u8) -> Result<(), ProcessError> {
    // The shortest slack that there is. It cannot fail for a number that is not zero.
    let _ = prctl::set_timerslack(1);
    sys::set_fifo_priority(priority).map_err(|source| ProcessError::Realtime { priority, source })
}

/// Lets this thread run like others again; threads that it has started keep what they have.
pub fn yield_precedence() {
    // Nothing of this needs permission.
    let _ = sys::set_ordinary();
    let _ = prctl::set_timerslack(0);
}

/// The real-time priority of this thread; 0 if it has none.
pub fn precedence() -> u8 {
    sys::fifo_priority()
}

/// Keeps all memory of this process in memory, what it takes later included.
///
/// # Errors
/// [`ProcessError::Memory`], also where only so much may be locked: what is taken beyond it would end the process.
pub fn lock_memory() -> Result<(), ProcessError> {
    let refused = |errno: Errno| ProcessError::Memory { source: errno.into() };
    let (limit, _) = getrlimit(Resource::RLIMIT_MEMLOCK).map_err(refused)?;
    if limit != RLIM_INFINITY && !Capabilities::effective().has(Capability::IpcLock) {
        return Err(refused(Errno::EPERM));
    }
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE).map_err(refused)
}

/// Gives back what was needed to start, the kernel's types for the XDP program above all: three fifths of all memory.
pub fn trim_memory() {
    sys::trim_memory();
}

/// For a thread that has all it needs open, and whom nobody waits for.
pub fn stand_back() {
    yield_precedence();
    renounce();
}

/// Leaves this thread no capability but that for what it allocates, where memory is locked: for one that has all it needs open. No
/// thread of a process may do so before the process changes its user, which all threads do together.
pub fn renounce() {
    let keep: Capabilities = [Capability::IpcLock].into_iter().collect();
    if let Err(error) = sys::set_capabilities(keep.and(Capabilities::effective())) {
        // Nothing is known that could refuse it.
        tracing::warn!(%error, "a thread keeps capabilities that it does not need");
    }
}
