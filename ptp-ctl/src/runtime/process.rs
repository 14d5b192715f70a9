//! How this process runs, by its settings: priority and memory before anything is opened, the user when everything is.

use super::plane::Plane;
use crate::config::{Clock, Common, DEFAULT_RUN_DIR, DEFAULT_STATE_DIR, Role, Source, User};
use crate::process::{self, Account, Capabilities, Capability, ProcessError};
use crate::report::ProcessStatus;
use anyhow::Context as _;
use std::path::Path;

/// Of the thread that sends for the massive plane where the loop has none: what it sends is as good as its time is kept.
const LEAST_PRIORITY: u8 = 1;

/// What was done, and what is left to do.
pub(super) struct Conduct {
    account: Option<Account>,
    lock_memory: bool,
}

impl Conduct {
    /// All that can be done, and all that can be seen to go wrong, before anything is opened.
    pub(super) fn prepare(common: &Common, role: &Role, source: Option<&Source>) -> anyhow::Result<Self> {
        let Common { lock_memory, realtime_priority, .. } = *common;
        if lock_memory {
            process::lock_memory()?;
        }
        if realtime_priority > 0 {
            process::take_precedence(realtime_priority)?;
        }
        let account = match &common.user {
            None => None,
            Some(User::Name(name)) => Some(Account::named(name)?),
            Some(User::Number { uid, gid }) => Some(Account::numbered(*uid, *gid)?),
        };
        if let Some(account) = &account {
            account.join()?;
            reach(account, common, role, source)?;
        }
        Ok(Self { account, lock_memory })
    }

    /// Becomes the user, if one is named, with what the loop goes on needing; starts what sends for the massive plane,
    /// which is the user's from the start; and says how the process runs.
    pub(super) fn settle(
        self,
        common: &Common,
        needed: Capabilities,
        plane: Option<&mut Plane>,
    ) -> anyhow::Result<ProcessStatus> {
        let massive = plane.filter(|plane| plane.is_massive());
        // The thread has what this one has when it starts it.
        let lends = massive.is_some() && process::precedence() == 0;
        if lends && let Err(error) = process::take_precedence(LEAST_PRIORITY) {
            tracing::info!("Sync and Announce are sent without real-time priority: {error}");
        }
        let capabilities = match &self.account {
            None => None,
            Some(account) => {
                if let Some(path) = &common.management_socket {
                    account.share(path).with_context(|| {
                        format!("cannot give {} to the user's group (--management-socket)", path.display())
                    })?;
                }
                Some(account.change(needed)?.names())
            }
        };
        let fan_out_realtime_priority = match massive {
            Some(plane) => plane.run_fan_out()?,
            None => None,
        };
        if lends {
            process::yield_precedence();
        }
        process::trim_memory();
        let (uid, user) = process::current_user();
        Ok(ProcessStatus {
            user,
            uid,
            capabilities,
            realtime_priority: process::precedence(),
            fan_out_realtime_priority,
            memory_locked: self.lock_memory,
        })
    }
}

/// The user must be able to do what is done by path while all goes on, or at its end.
fn reach(
    account: &Account,
    common: &Common,
    role: &Role,
    source: Option<&Source>,
) -> Result<(), ProcessError> {
    // Others are not ours to open for a group.
    let own =
        |directory: &Path, default, setting| match directory == Path::new(default) || !directory.exists() {
            true => account.share_directory(directory, setting),
            false => account.check_directory(directory, setting),
        };
    own(&common.run_dir, DEFAULT_RUN_DIR, "run-dir")?;
    if let Some(client) = role.client().filter(|_| matches!(common.clock, Clock::System | Clock::Phc)) {
        own(&client.state_dir, DEFAULT_STATE_DIR, "state-dir")?;
    }
    if let Some(directory) = common.management_socket.as_deref().and_then(Path::parent) {
        own(directory, DEFAULT_RUN_DIR, "management-socket")?;
    }
    // For `reload`.
    source.map_or(Ok(()), |source| account.check_file(&source.path, "--config"))
}

/// What needs a capability each time that it is done. Everything else goes on by what is open.
pub(super) fn needed(common: &Common, role: &Role, massive: bool, nic_stamps: bool) -> Capabilities {
    let system_clock = common.clock == Clock::System || common.also_system_clock;
    [
        // Neighbours are looked for; the NIC's timestamping mode is restored.
        (massive || nic_stamps, Capability::NetAdmin),
        (system_clock && role.client().is_some(), Capability::SysTime),
        // What is allocated from now on is locked too.
        (common.lock_memory, Capability::IpcLock),
    ]
    .into_iter()
    .filter_map(|(is_needed, capability)| is_needed.then_some(capability))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn needs(text: &str, massive: bool, nic_stamps: bool) -> Vec<&'static str> {
        let settings = Config::parse(text).unwrap();
        needed(&settings.common, &settings.role, massive, nic_stamps).names()
    }

    #[test]
    fn no_more_is_kept_than_is_needed() {
        let client = "[client]\ninterface = \"eth0\"\nserver = [\"10.0.1.2\"]\n";
        let server = "[server]\ninterface = \"eth0\"\n";
        let with = |table: &str, line: &str| format!("{table}{line}\n");
        assert_eq!(needs(client, false, false), ["CAP_SYS_TIME"]);
        assert!(needs(&with(client, "clock = \"none\""), false, false).is_empty());
        let nic = with(client, "clock = \"phc\"\nlock-memory = true");
        assert_eq!(needs(&nic, false, true), ["CAP_NET_ADMIN", "CAP_IPC_LOCK"]);
        let both = with(client, "clock = \"phc\"\nalso-system-clock = true");
        assert_eq!(needs(&both, false, false), ["CAP_SYS_TIME"]);
        // It reads the system clock only, unless it follows others.
        assert!(needs(server, false, false).is_empty());
        assert_eq!(needs(server, true, false), ["CAP_NET_ADMIN"]);
        assert_eq!(needs(&with(server, "upstream = [\"10.0.1.2\"]"), false, false), ["CAP_SYS_TIME"]);
    }
}
