//! Who has an XDP program at an interface's hook: for the one error that needs to tell.

use super::netlink;
use aya::programs::loaded_programs;
use std::fmt;
use std::fs;

/// A program at a hook that was to be ours, as far as it can be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The kernel's number of the program, and its name: empty if that may not be seen, which takes CAP_SYS_ADMIN.
    pub program: Option<(u32, String)>,
    /// Processes that hold a file descriptor of it, of those that can be seen: number and name.
    pub processes: Vec<(u32, String)>,
}

/// Looks for the program and its processes. What cannot be read is left out: this serves an error message.
pub(super) fn find(ifindex: u32) -> Holder {
    let Ok(Some(attached)) = netlink::attached(ifindex) else { return Holder::default() };
    Holder {
        program: Some((attached.program_id, program_name(attached.program_id).unwrap_or_default())),
        processes: processes(attached.program_id),
    }
}

/// The kernel's name of a program, up to 15 characters; `None` if it is gone or may not be seen.
pub(super) fn program_name(program_id: u32) -> Option<String> {
    let program = loaded_programs().filter_map(Result::ok).find(|program| program.id() == program_id)?;
    program.name_as_str().map(str::to_owned)
}

/// Processes with a descriptor of the program or of its link: both say `prog_id` in /proc/PID/fdinfo.
fn processes(program_id: u32) -> Vec<(u32, String)> {
    let line = format!("prog_id:\t{program_id}");
    let holds = |pid: u32| {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return false };
        descriptors
            .flatten()
            .filter_map(|descriptor| fs::read_to_string(descriptor.path()).ok())
            .any(|text| text.lines().any(|found| found == line))
    };
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid| holds(pid))
        .map(|pid| {
            (pid, fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned())
        })
        .collect()
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((id, name)) = &self.program else { return f.write_str("the kernel does not say which") };
        match name.as_str() {
            "" => write!(f, "program {id}"),
            name => write!(f, "`{name}` (program {id})"),
        }?;
        match &*self.processes {
            [] => f.write_str(
                ", held by no process that can be seen from here: it is pinned, was attached with `ip link`, or is another container's",
            ),
            processes => {
                f.write_str(", held by")?;
                for (index, (pid, command)) in processes.iter().enumerate() {
                    write!(f, "{} {command} (process {pid})", if index == 0 { "" } else { "," })?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_not_said() {
        let said = |name: &str, processes: Vec<(u32, String)>| {
            Holder { program: Some((7, name.to_owned())), processes }.to_string()
        };
        let known = said("other", vec![(1, "a".to_owned()), (2, "b".to_owned())]);
        assert_eq!(known, "`other` (program 7), held by a (process 1), b (process 2)");
        let unknown = said("", Vec::new());
        assert!(unknown.starts_with("program 7, held by no process that can be seen"), "{unknown}");
    }
}
