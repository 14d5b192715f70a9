//! Where program, link and maps are pinned, so that they outlive the controller.
//!
//! `BPFFS/ptp-ctl/INODE-IFINDEX/`, with the inode of the network namespace: two namespaces can have interfaces of one
//! name, and of one index.

use super::error::DataPlaneError;
use super::hook::is_at;
use super::options::Interface;
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

/// The directory of one interface's pins, whether it exists or not. A program that is at several has them all with the
/// first.
#[derive(Clone, Debug)]
pub(super) struct Pins {
    directory: PathBuf,
    ifindex: u32,
}

/// What is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It does not exist.
    Absent,
    /// The pinned program is at the hooks of all its interfaces.
    Attached {
        /// The number of each interface, the first one first, and of the program there.
        programs: Vec<(u32, u32)>,
    },
    /// Pins are missing.
    Incomplete,
    /// All is there, but an interface that a link was made for is gone; another one may have got its number.
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

    /// The link to one of the program's interfaces.
    pub(super) fn link_of(&self, ifindex: u32) -> PathBuf {
        if ifindex == self.ifindex {
            return self.directory.join(LINK);
        }
        self.directory.join(format!("{LINK}-{ifindex}"))
    }

    /// The interfaces that there are links to, the first one first.
    fn linked(&self) -> Vec<u32> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let others = entries.filter_map(|entry| {
            entry.file_name().to_str()?.strip_prefix(LINK)?.strip_prefix('-')?.parse().ok()
        });
        [self.ifindex].into_iter().chain(others).collect()
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
        let complete = self.link_of(self.ifindex).exists()
            && self.program().exists()
            && self.fan_out().exists()
            && maps::NAMES.iter().all(|name| self.directory.join(name).exists());
        if !complete {
            return Ok(State::Incomplete);
        }
        let mut programs = Vec::new();
        for ifindex in self.linked() {
            let program_id = self.linked_program(ifindex)?;
            if !is_at(ifindex, program_id)? {
                return Ok(State::Orphaned);
            }
            programs.push((ifindex, program_id));
        }
        Ok(State::Attached { programs })
    }

    /// Makes the directory; it must not exist.
    pub(super) fn create(&self) -> Result<(), DataPlaneError> {
        let parent = self.directory.parent().expect("the path was joined from parts");
        fs::create_dir_all(parent).map_err(pin_error("create", parent))?;
        fs::create_dir(&self.directory).map_err(pin_error("create", &self.directory))
    }

    /// Removes all pins, the links first, so that the program is never at work without its maps in reach; then the
    /// directories, if nothing else is in them. The hooks are free when this returns.
    pub(super) fn remove(&self) -> Result<(), DataPlaneError> {
        let linked = self.linked();
        let programs =
            linked.iter().filter_map(|&ifindex| Some((ifindex, self.linked_program(ifindex).ok()?)));
        let programs: Vec<_> = programs.collect();
        let entries = fs::read_dir(&self.directory).map_err(pin_error("read", &self.directory))?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        let links: Vec<_> = linked.iter().map(|&ifindex| self.link_of(ifindex)).collect();
        paths.sort_by_key(|path| !links.contains(path));
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
        programs.into_iter().try_for_each(|(ifindex, program_id)| wait_until_detached(ifindex, program_id))
    }

    /// The kernel's number of the program that the pinned link to an interface is for.
    fn linked_program(&self, ifindex: u32) -> Result<u32, DataPlaneError> {
        let path = self.link_of(ifindex);
        let link = PinnedLink::from_pin(&path).map_err(pin_error("open", &path))?;
        Ok(FdLink::from(link).info().map_err(pin_error("open", &path))?.program_id())
    }
}

/// The kernel lets go of a link only some time after its pin was removed.
fn wait_until_detached(ifindex: u32, program_id: u32) -> Result<(), DataPlaneError> {
    let deadline = Instant::now() + DETACH_TIMEOUT;
    while is_at(ifindex, program_id).is_ok_and(|attached| attached) {
        if Instant::now() >= deadline {
            return Err(DataPlaneError::StillAttached { program_id });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The first interface of the pinned program that is at this interface, if that is another one.
pub(super) fn shared(bpffs: &Path, ifindex: u32) -> Result<Option<Interface>, DataPlaneError> {
    for pins in all(bpffs)?.into_iter().filter(|pins| pins.ifindex != ifindex) {
        if pins.link_of(ifindex).exists() && is_at(ifindex, pins.linked_program(ifindex)?)? {
            return Ok(Some(Interface::numbered(pins.ifindex)));
        }
    }
    Ok(None)
}

/// Pins left by interfaces of this network namespace that exist no more.
pub(super) fn of_gone_interfaces(bpffs: &Path) -> Result<Vec<Pins>, DataPlaneError> {
    let is_gone = |pins: &Pins| {
        netlink::attached(pins.ifindex).is_err_and(|error| error.raw_os_error() == Some(Errno::ENODEV as i32))
    };
    Ok(all(bpffs)?.into_iter().filter(is_gone).collect())
}

/// Those of this network namespace.
fn all(bpffs: &Path) -> Result<Vec<Pins>, DataPlaneError> {
    let prefix = format!("{}-", namespace()?);
    let Ok(entries) = fs::read_dir(bpffs.join(DIRECTORY)) else { return Ok(Vec::new()) };
    Ok(entries
        .flatten()
        .filter_map(|entry| {
            let ifindex = entry.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok()?;
            Some(Pins { directory: entry.path(), ifindex })
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
