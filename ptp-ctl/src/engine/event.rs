//! What happened, for people: a name, whom it is about, and why.

use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Event {
    /// What happened.
    #[serde(rename = "event")]
    pub kind: Kind,
    /// The server (of a client) or client (of a server) it is about.
    #[serde(rename = "server")]
    pub peer: Option<IpAddr>,
    /// Why.
    pub reason: Option<Reason>,
    /// Numbers and names that belong to it, in words.
    pub detail: Option<String>,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A message type was granted.
    Granted,
    /// A request was denied.
    Denied,
    /// A request was not answered.
    Unanswered,
    /// A grant ended without renewal.
    Expired,
    /// The other side cancelled a grant.
    Cancelled,
    /// The client now follows this server.
    Selected,
    /// A server cannot be followed (any more).
    Unusable,
    /// A server can be followed (again).
    Usable,
    /// The client's state changed.
    State,
    /// Two servers disagree, and nobody can say which of them is right.
    Disagreement,
    /// The clock was stepped.
    Step,
    /// The shortest way to or from a server has become longer or shorter.
    RouteChanged,
    /// The server's time or ours was set by somebody else.
    TimeJumped,
    /// The kernel's TAI offset changed.
    TaiOffset,
    /// The local clock was moved by something else.
    ClockDisturbed,
    /// The local clock is gone.
    ClockGone,
    /// The link went down.
    LinkDown,
    /// The link came up.
    LinkUp,
    /// The XDP program was taken off the interface.
    Detached,
    /// The settings were read again.
    Reloaded,
}

impl Kind {
    /// All of them, in their order.
    pub const ALL: [Self; 20] = [
        Self::Granted,
        Self::Denied,
        Self::Unanswered,
        Self::Expired,
        Self::Cancelled,
        Self::Selected,
        Self::Unusable,
        Self::Usable,
        Self::State,
        Self::Disagreement,
        Self::Step,
        Self::RouteChanged,
        Self::TimeJumped,
        Self::TaiOffset,
        Self::ClockDisturbed,
        Self::ClockGone,
        Self::LinkDown,
        Self::LinkUp,
        Self::Detached,
        Self::Reloaded,
    ];
}

/// Why it happened: the vocabulary of 1588 ATR devices and of G.8275.2's PTSF where they have a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No Announce for announceReceiptTimeout intervals (PTSF-lossAnnounce).
    AnnounceTimeout,
    /// No Sync for too long (PTSF-lossSync).
    SyncTimeout,
    /// Delay_Req without Delay_Resp (PTSF-lossResp).
    DelayrespTimeout,
    /// A request for Announce was not answered.
    AnnounceNegoTimeout,
    /// A request for Announce was denied.
    AnnounceNegoDeny,
    /// A request for Sync was not answered.
    SyncNegoFailed,
    /// A request for Sync was denied.
    SyncNegoDeny,
    /// A request for Delay_Resp was not answered.
    DelayrespNegoTimeout,
    /// A request for Delay_Resp was denied.
    DelayrespNegoDeny,
    /// The server ended its service.
    DeleteLink,
    /// Another server is better, or the first one found.
    BetterServer,
    /// The server that was lost has served for the wait-to-restore time.
    WaitToRestore,
    /// The server in use was lost.
    ServerLost,
    /// The settings do not name it any more.
    ServerRemoved,
    /// ptpTimescale is clear here and set at the server in use: an arbitrary timescale never backs up PTP's.
    ArbitraryTimescale,
    /// The server serves TAI, our clock runs UTC, and neither the kernel nor the server knows the difference.
    UtcOffsetUnknown,
    /// Its time comes from ourselves.
    TimingLoop,
    /// stepsRemoved is at the limit.
    StepsRemoved,
    /// All servers were lost.
    MasterSynchronizationFault,
    /// There are servers, but none of them may be followed.
    BmcFailed,
    /// There is no route to the server.
    RouteUnreach,
    /// Its time disagrees with that of the majority.
    Falseticker,
    /// Its delays vary by more than the limit (PTSF-unusable).
    DelayVariation,
    /// Its delays differ in the two directions by more than the limit (PTSF-unusable).
    DelayAsymmetry,
    /// It serves some message types, but not all.
    ServedInPart,
    /// It is not needed any more.
    NotNeeded,
    /// The servo has settled.
    ServoLocked,
    /// The servo starts.
    ServoStarted,
    /// The offset is above the step threshold.
    OffsetAboveThreshold,
    /// Every place is taken.
    MaxClients,
    /// So many messages a second are promised already that nothing is left.
    MaxRate,
    /// The address is not among those that are served.
    PrefixNotAllowed,
    /// The duration is over.
    DurationOver,
    /// The peer asked for it.
    PeerRequest,
}
