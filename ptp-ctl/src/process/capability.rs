use std::fs;

/// A part of root's powers that this program has a use for, by its number (linux/capability.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Network interfaces, neighbours, attaching XDP programs.
    NetAdmin = 12,
    /// Locking memory without a limit.
    IpcLock = 14,
    /// Most of root.
    SysAdmin = 21,
    /// Real-time priority.
    SysNice = 23,
    /// Steering the system clock.
    SysTime = 25,
    /// BPF programs with variable offsets into a packet.
    Perfmon = 38,
    /// Loading BPF programs.
    Bpf = 39,
}

impl Capability {
    const ALL: [Self; 7] = [
        Self::NetAdmin,
        Self::IpcLock,
        Self::SysAdmin,
        Self::SysNice,
        Self::SysTime,
        Self::Perfmon,
        Self::Bpf,
    ];

    /// As everybody calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::IpcLock => "CAP_IPC_LOCK",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::SysNice => "CAP_SYS_NICE",
            Self::SysTime => "CAP_SYS_TIME",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }
}

/// A set of capabilities. Every thread has its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub(super) u64);

impl Capabilities {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// Those of this thread. All of them where /proc does not tell: the kernel's answer will.
    pub fn effective() -> Self {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        Self::in_status(&status, "CapEff").unwrap_or(Self(u64::MAX))
    }

    /// A set as /proc shows it.
    pub(super) fn in_status(status: &str, name: &str) -> Option<Self> {
        let set = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        u64::from_str_radix(set.trim(), 16).ok().map(Self)
    }

    /// Is it in the set?
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u64 != 0
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Of those that this program has a use for.
    pub fn names(self) -> Vec<&'static str> {
        let kept = Capability::ALL.into_iter().filter(|capability| self.has(*capability));
        kept.map(Capability::name).collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(iter: I) -> Self {
        Self(iter.into_iter().fold(0, |set, capability| set | 1 << capability as u64))
    }
}
