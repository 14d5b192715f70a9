//! Another user: who that is, what is made accessible to it, and becoming it.

use super::{Capabilities, ProcessError, sys};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{
    Gid, Group, Uid, User, chown, getegid, geteuid, setfsgid, setfsuid, setgroups, setresgid, setresuid,
};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Sticky: who may write in a directory may not remove what belongs to others.
const STICKY: u32 = 0o1000;
/// Read, write and search, for the group.
const OF_GROUP: u32 = 0o070;

/// A user to run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// The user of that name, and its group.
    ///
    /// # Errors
    /// [`ProcessError::NoUser`], [`ProcessError::Lookup`].
    pub fn named(name: &str) -> Result<Self, ProcessError> {
        match User::from_name(name) {
            Ok(Some(User { uid, gid, .. })) => Ok(Self { name: name.to_owned(), uid, gid }),
            Ok(None) => Err(ProcessError::NoUser(name.to_owned())),
            Err(errno) => Err(ProcessError::Lookup { user: name.to_owned(), source: errno.into() }),
        }
    }

    /// The user of that number, who need not have a name if the group is given.
    ///
    /// # Errors
    /// [`ProcessError::NoGroup`], [`ProcessError::Lookup`].
    pub fn numbered(uid: u32, gid: Option<u32>) -> Result<Self, ProcessError> {
        let name = gid.map_or_else(|| uid.to_string(), |gid| format!("{uid}:{gid}"));
        if let Some(gid) = gid {
            return Ok(Self { name, uid: uid.into(), gid: gid.into() });
        }
        match User::from_uid(uid.into()) {
            Ok(Some(User { uid, gid, .. })) => Ok(Self { name, uid, gid }),
            Ok(None) => Err(ProcessError::NoGroup(uid)),
            Err(errno) => Err(ProcessError::Lookup { user: name, source: errno.into() }),
        }
    }

    /// Makes its group the only one that this process is in besides its own: then the process may give that group what it owns.
    ///
    /// # Errors
    /// [`ProcessError::Change`].
    pub fn join(&self) -> Result<(), ProcessError> {
        if self.is_current() {
            return Ok(());
        }
        setgroups(&[self.gid]).map_err(self.refused("join its group"))
    }

    /// Lets its group write in a directory of this program's own, which is made if it is not there.
    ///
    /// # Errors
    /// [`ProcessError::Reach`].
    pub fn share_directory(&self, directory: &Path, setting: &'static str) -> Result<(), ProcessError> {
        let share = || {
            DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
            if self.may_change(directory).is_ok() {
                return Ok(());
            }
            self.share(directory)?;
            let mode = fs::metadata(directory)?.mode() | OF_GROUP;
            fs::set_permissions(directory, Permissions::from_mode(mode))
        };
        // What could not be done shows in what cannot be done.
        let _: io::Result<()> = share();
        self.check_directory(directory, setting)
    }

    /// Gives a file to its group, which may do with it what the group of its owner could.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn share(&self, path: &Path) -> io::Result<()> {
        Ok(chown(path, None, Some(self.gid))?)
    }

    /// May it add and remove files there?
    ///
    /// # Errors
    /// [`ProcessError::Reach`].
    pub fn check_directory(&self, directory: &Path, setting: &'static str) -> Result<(), ProcessError> {
        let path = directory.display();
        self.may_change(directory).map_err(|_| ProcessError::Reach {
            user: self.name.clone(),
            action: "add and remove files in",
            path: directory.to_owned(),
            setting,
            fix: format!(
                "name a directory of its own, or let it: `chgrp {} {path}` and `chmod g+w {path}`",
                self.group()
            ),
        })
    }

    /// May it read this file?
    ///
    /// # Errors
    /// [`ProcessError::Reach`].
    pub fn check_file(&self, file: &Path, setting: &'static str) -> Result<(), ProcessError> {
        self.access(file, libc::R_OK).map_err(|_| ProcessError::Reach {
            user: self.name.clone(),
            action: "read",
            path: file.to_owned(),
            setting,
            fix: format!("`chgrp {} {1}` and `chmod g+r {1}` let it", self.group(), file.display()),
        })
    }

    /// Becomes this user for good, with no capability but those of `keep` that this thread has, and looks whether it is so of
    /// every thread. Others than this one are best started afterwards.
    ///
    /// # Errors
    /// [`ProcessError::Change`], [`ProcessError::Kept`].
    pub fn change(&self, keep: Capabilities) -> Result<Capabilities, ProcessError> {
        let keep = keep.and(Capabilities::effective());
        if !self.is_current() {
            prctl::set_keepcaps(true).map_err(self.refused("keep capabilities"))?;
            setgroups(&[]).map_err(self.refused("leave all groups"))?;
            setresgid(self.gid, self.gid, self.gid).map_err(self.refused("change the group"))?;
            setresuid(self.uid, self.uid, self.uid).map_err(self.refused("change the user"))?;
        }
        sys::set_capabilities(keep)
            .map_err(|source| self.change_error("give up the other capabilities", source))?;
        self.verify(keep)?;
        Ok(keep)
    }

    fn verify(&self, keep: Capabilities) -> Result<(), ProcessError> {
        let look = |source| self.change_error("look at its threads in /proc", source);
        for thread in fs::read_dir("/proc/self/task").map_err(look)? {
            let thread = thread.map_err(look)?;
            let status = fs::read_to_string(thread.path().join("status")).map_err(look)?;
            if let Some(kept) = excess(&status, self.uid.as_raw(), self.gid.as_raw(), keep) {
                let thread = thread.file_name().to_string_lossy().into_owned();
                return Err(ProcessError::Kept { user: self.name.clone(), thread, kept });
            }
        }
        Ok(())
    }

    fn is_current(&self) -> bool {
        (geteuid(), getegid()) == (self.uid, self.gid)
    }

    /// Is adding and removing files there allowed to it?
    fn may_change(&self, directory: &Path) -> io::Result<()> {
        let metadata = fs::metadata(directory)?;
        if metadata.mode() & STICKY != 0 && metadata.uid() != self.uid.as_raw() && !self.uid.is_root() {
            return Err(Errno::EPERM.into());
        }
        self.access(directory, libc::W_OK | libc::X_OK)
    }

    /// Asks the kernel, with this thread's access to files made the user's for as long as that takes.
    fn access(&self, path: &Path, mode: libc::c_int) -> io::Result<()> {
        // The group first, while that is allowed, and back in the same way.
        let gid = setfsgid(self.gid);
        let uid = setfsuid(self.uid);
        let answer = sys::access(path, mode);
        setfsuid(uid);
        setfsgid(gid);
        answer
    }

    /// Its group, as `chgrp` takes it.
    fn group(&self) -> String {
        let group = Group::from_gid(self.gid).ok().flatten();
        group.map_or_else(|| self.gid.to_string(), |group| group.name)
    }

    fn refused(&self, action: &'static str) -> impl FnOnce(Errno) -> ProcessError {
        move |errno| self.change_error(action, errno.into())
    }

    fn change_error(&self, action: &'static str, source: io::Error) -> ProcessError {
        ProcessError::Change { user: self.name.clone(), action, source }
    }
}

/// The user that this process runs as: its number, and its name or else the number.
pub fn current_user() -> (u32, String) {
    let uid = geteuid();
    let user = User::from_uid(uid).ok().flatten();
    (uid.as_raw(), user.map_or_else(|| uid.to_string(), |user| user.name))
}

/// The line of a thread's status that shows more than it should.
pub(super) fn excess(status: &str, uid: u32, gid: u32, keep: Capabilities) -> Option<String> {
    let is_right = |line: &str| {
        let Some((name, value)) = line.split_once(':') else { return true };
        let mut words = value.split_whitespace();
        let none_but = |set: Capabilities| {
            Capabilities::in_status(line, name).is_some_and(|found| found.and(set) == found)
        };
        match name {
            "Uid" => words.all(|word| word.parse() == Ok(uid)),
            "Gid" => words.all(|word| word.parse() == Ok(gid)),
            "CapPrm" | "CapEff" => none_but(keep),
            "CapInh" | "CapAmb" => none_but(Capabilities::NONE),
            _ => true,
        }
    };
    let line = status.lines().find(|line| !is_right(line))?;
    Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
}
