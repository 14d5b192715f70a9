mod docs;
mod reference;

use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn negative_numbers_are_values() {
    let line = "ptp-ctl client eth0 --server 10.0.1.2@3 --server 2001:db8::2 --log-sync-interval -4 --clock virtual \
                --virtual-offset -3000000 --virtual-frequency -20000.5 --wait-to-restore 0.5 -vv --json";
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    assert_eq!(cli.verbose, 2);
    assert!(matches!(cli.command, Command::Client(_)));
}

#[test]
fn mistakes_are_usage_errors() {
    for line in [
        "ptp-ctl",
        "ptp-ctl client eth0",
        "ptp-ctl client --server 10.0.1.2",
        "ptp-ctl client eth0 --server 10.0.1",
        "ptp-ctl server eth0 --clock gps",
        "ptp-ctl server eth0 --unknown",
        "ptp-ctl run",
    ] {
        let error = Cli::try_parse_from(line.split_whitespace()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn a_profile_is_less_than_a_flag() {
    let line = "ptp-ctl client eth0 --server 10.0.1.2 --log-sync-interval -1";
    let named = format!("{line} --profile g8275.2");
    let [plain, named] = [line, &named].map(|line| {
        let cli = Cli::from_line(line.split_whitespace().map(Into::into).collect()).unwrap();
        format!("{cli:?}")
    });
    assert!(plain.contains("domain: 0,") && plain.contains("log_sync_interval: -1,"), "{plain}");
    assert!(named.contains("domain: 44,") && named.contains("log_sync_interval: -1,"), "{named}");
    for profile in <Profile as clap::ValueEnum>::value_variants() {
        for role in RoleName::ALL {
            profile.apply(Cli::command(), role).debug_assert();
        }
    }
}

#[test]
fn causes_are_said_once() {
    let cause = io::Error::other("no such thing");
    assert_eq!(
        with_causes(&anyhow::Error::from(cause).context("cannot do it")),
        "cannot do it: no such thing"
    );
    let cause = io::Error::other("no such thing");
    assert_eq!(
        with_causes(&anyhow::Error::from(cause).context("cannot do it: no such thing")),
        "cannot do it: no such thing"
    );
}
