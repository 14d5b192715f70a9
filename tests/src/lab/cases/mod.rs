//! The cases, in the order in which they run.

mod another_user;
mod boundary;
mod control;
mod failover;
mod faults;
mod interop;
mod links;
mod pair;
mod ports;
mod steady;
mod system_clock;

use super::Run;
use anyhow::Result;

/// What is done; each starts from freshly loaded devices.
pub(super) type Case = fn(&mut Run) -> Result<()>;

pub(super) const ALL: &[(&str, Case)] = &[
    ("symmetric", steady::symmetric),
    ("asymmetric", steady::asymmetric),
    ("jitter", steady::jitter),
    ("stamp-loss", faults::stamp_loss),
    ("foreign-step", faults::foreign_step),
    ("link-flap", faults::link_flap),
    ("clock-taken-away", faults::clock_taken_away),
    ("failover", failover::failover),
    ("boundary", boundary::boundary),
    ("shared-clock", ports::shared_clock),
    ("client-of-ptp4l", interop::client_of_ptp4l),
    ("server-of-ptp4l", interop::server_of_ptp4l),
    ("attach-and-detach", control::attach_and_detach),
    ("reset-on-attach", control::reset_on_attach),
    ("stamp-filter", control::stamp_filter),
    ("drift-is-kept", control::drift_is_kept),
    ("socket-stamps", control::socket_stamps),
    ("vlan", links::vlan),
    ("delay-and-loss", links::delay_and_loss),
    // These set the machine's clock.
    ("another-user", another_user::another_user),
    ("system-follows", system_clock::system_follows),
    ("phc-follows", system_clock::phc_follows),
    ("leap-second", system_clock::leap_second),
];
