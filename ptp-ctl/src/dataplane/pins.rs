//! Where program, link and maps are pinned, so that they outlive the controller.
//!
//! `BPFFS/ptp-ctl/INODE-IFINDEX/`, with the inode of the network namespace: two namespaces can have interfaces of one
//! name, and of one index.

use super::error::DataPlaneError;
use super::{maps, netlink};
use aya::programs::links::{FdLink, PinnedLink};
use nix::errno::Errno;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const DIRECTORY: &str = "ptp-ctl";
const LINK: &str = "link";
const PROGRAM: &str = "program";
const FAN_OUT: &str = "fan_out";
/// A grace period of the kernel's takes milliseconds, on a loaded machine tens of them.
const DETACH_TIMEOUT: Duration = Duration::from_secs(2);

/// The directory of one interface's pins, whether it exists or not.
#[derive(Clone, Debug)]
pub(super) struct Pins {
    directory: PathBuf,
    ifindex: u32,
}

/// What is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It does not exist.
    Absent,
    /// The pinned program is at the interface's hook.
    Attached {
        /// The kernel's number of the program.
        program_id: u32,
    },
    /// Pins are missing.
    Incomplete,
    /// All is there, but the interface that the link was made for is gone; this one got its number.
    Orphaned,
}

impl Pins {
    /// Those of an interface in this thread's network namespace.
    pub(super) fn of(bpffs: &Path, ifindex: u32) -> Result<Self, DataPlaneError> {
        Ok(Self { directory: bpffs.join(DIRECTORY).join(format!("{}-{ifindex}", namespace()?)), ifindex })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn link(&self) -> PathBuf {
        self.directory.join(LINK)
    }

    pub(super) fn program(&self) -> PathBuf {
        self.directory.join(PROGRAM)
    }

    pub(super) fn fan_out(&self) -> PathBuf {
        self.directory.join(FAN_OUT)
    }

    pub(super) fn state(&self) -> Result<State, DataPlaneError> {
        if !self.directory.exists() {
            return Ok(State::Absent);
        }
        let complete = self.link().exists()
            && self.program().exists()
            && self.fan_out().exists()
            && maps::NAMES.iter().all(|name| self.directory.join(name).exists());
        if !complete {
            return Ok(State::Incomplete);
        }
        let program_id = self.linked_program()?;
        let attached = netlink::attached(self.ifindex)
            .map_err(DataPlaneError::system("ask for the interface's XDP program"))?;
        Ok(match attached {
            Some(attached) if attached.program_id == program_id => State::Attached { program_id },
            _ => State::Orphaned,
        })
    }

    /// Makes the directory; it must not exist.
    pub(super) fn create(&self) -> Result<(), DataPlaneError> {
        let parent = self.directory.parent().expect("the path was joined from parts");
        fs::create_dir_all(parent).map_err(pin_error("create", parent))?;
        fs::create_dir(&self.directory).map_err(pin_error("create", &self.directory))
    }

    /// Removes all pins, the link first, so that the program is never at work without its maps in reach; then the
    /// directories, if nothing else is in them. The hook is free when this returns.
    pub(super) fn remove(&self) -> Result<(), DataPlaneError> {
        let program_id = self.linked_program().ok();
        let entries = fs::read_dir(&self.directory).map_err(pin_error("read", &self.directory))?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort_by_key(|path| *path != self.link());
        for path in paths {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(pin_error("remove", &path)(error));
                }
                _ => {}
            }
        }
        fs::remove_dir(&self.directory).map_err(pin_error("remove", &self.directory))?;
        if let Some(parent) = self.directory.parent() {
            // Not empty while other interfaces are attached.
            let _ = fs::remove_dir(parent);
        }
        match program_id {
            Some(program_id) => self.wait_until_detached(program_id),
            None => Ok(()),
        }
    }

    /// The kernel lets go of a link only some time after its pin was removed.
    fn wait_until_detached(&self, program_id: u32) -> Result<(), DataPlaneError> {
        let deadline = Instant::now() + DETACH_TIMEOUT;
        while matches!(netlink::attached(self.ifindex), Ok(Some(attached)) if attached.program_id == program_id)
        {
            if Instant::now() >= deadline {
                return Err(DataPlaneError::StillAttached { program_id });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The kernel's number of the program that the pinned link is for.
    fn linked_program(&self) -> Result<u32, DataPlaneError> {
        let path = self.link();
        let link = PinnedLink::from_pin(&path).map_err(pin_error("open", &path))?;
        Ok(FdLink::from(link).info().map_err(pin_error("open", &path))?.program_id())
    }
}

/// Pins left by interfaces of this network namespace that exist no more.
pub(super) fn of_gone_interfaces(bpffs: &Path) -> Result<Vec<Pins>, DataPlaneError> {
    let prefix = format!("{}-", namespace()?);
    let Ok(entries) = fs::read_dir(bpffs.join(DIRECTORY)) else { return Ok(Vec::new()) };
    Ok(entries
        .flatten()
        .filter_map(|entry| {
            let ifindex = entry.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok()?;
            let gone = netlink::attached(ifindex)
                .is_err_and(|error| error.raw_os_error() == Some(Errno::ENODEV as i32));
            gone.then(|| Pins { directory: entry.path(), ifindex })
        })
        .collect())
}

/// Is there a BPF file system to pin in?
pub(super) fn check_bpffs(bpffs: &Path) -> Result<(), DataPlaneError> {
    match statfs(bpffs) {
        Ok(found) if found.filesystem_type() == BPF_FS_MAGIC => Ok(()),
        Ok(_) => Err(DataPlaneError::NotBpffs(bpffs.to_owned())),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Err(DataPlaneError::NoBpffs(bpffs.to_owned())),
        Err(error) => Err(pin_error("read", bpffs)(error)),
    }
}

pub(super) fn pin_error<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(E) -> DataPlaneError {
    move |source| DataPlaneError::Pin { action, path: path.to_owned(), source: source.into() }
}

/// Inode of this thread's network namespace, its name in the kernel.
fn namespace() -> Result<u64, DataPlaneError> {
    // The thread's, not the process's: the two differ after setns.
    let metadata = fs::metadata("/proc/thread-self/ns/net")
        .map_err(DataPlaneError::system("find this network namespace in /proc"))?;
    Ok(metadata.ino())
}
