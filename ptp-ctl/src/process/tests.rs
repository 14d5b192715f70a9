use super::account::excess;
use super::*;
use nix::unistd::geteuid;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const STATUS: &str = "Name:\tptp-ctl\nUid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nCapInh:\t0000000000000000\n\
                      CapPrm:\t0000000002000000\nCapEff:\t0000000002000000\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n";

#[test]
fn a_set_is_read_and_named() {
    let set = Capabilities::in_status(STATUS, "CapEff").unwrap();
    assert_eq!(set.names(), ["CAP_SYS_TIME"]);
    assert_eq!(set, [Capability::SysTime].into_iter().collect());
    assert!(set.has(Capability::SysTime) && !set.has(Capability::NetAdmin));
    assert_eq!(Capabilities::in_status(STATUS, "CapNo"), None);
}

#[test]
fn what_a_thread_keeps_is_seen() {
    let keep: Capabilities = [Capability::SysTime, Capability::NetAdmin].into_iter().collect();
    assert_eq!(excess(STATUS, 7, 8, keep), None);
    assert_eq!(excess(STATUS, 7, 8, Capabilities::NONE).unwrap(), "CapPrm: 0000000002000000");
    assert_eq!(excess(STATUS, 9, 8, keep).unwrap(), "Uid: 7 7 7 7");
    assert_eq!(excess(&STATUS.replace("Gid:\t8", "Gid:\t0"), 7, 8, keep).unwrap(), "Gid: 0 8 8 8");
    let ambient = STATUS.replace("CapAmb:\t0", "CapAmb:\t1");
    assert!(excess(&ambient, 7, 8, keep).unwrap().starts_with("CapAmb"));
}

#[test]
fn an_unknown_user_is_named_with_what_helps() {
    let named = Account::named("no-such-user").unwrap_err().to_string();
    assert!(named.contains("user = \"no-such-user\"") && named.contains("useradd"), "{named}");
    let numbered = Account::numbered(4_000_000_000, None).unwrap_err().to_string();
    assert!(numbered.contains("4000000000:4000000000"), "{numbered}");
    assert!(Account::numbered(4_000_000_000, Some(1)).is_ok());
    assert_eq!(Account::named("root").unwrap(), Account::named("root").unwrap());
}

#[test]
fn every_refusal_names_what_helps() {
    let refused = || io::Error::from(Errno::EPERM);
    let realtime = ProcessError::Realtime { priority: 50, source: refused() }.to_string();
    assert!(realtime.contains("CAP_SYS_NICE") && realtime.contains("RLIMIT_RTPRIO to 50"), "{realtime}");
    let memory = ProcessError::Memory { source: refused() }.to_string();
    assert!(memory.contains("CAP_IPC_LOCK") && memory.contains("RLIMIT_MEMLOCK"), "{memory}");
}

/// Each in a thread of its own: it keeps neither priority nor capabilities.
#[test]
fn a_thread_takes_precedence_if_it_may() {
    let threads = [
        std::thread::spawn(|| {
            take_precedence(7)?;
            let taken = precedence();
            let inherited = std::thread::spawn(precedence);
            assert_eq!(inherited.join().unwrap(), taken);
            yield_precedence();
            assert_eq!(precedence(), 0);
            Ok(taken)
        }),
        std::thread::spawn(|| {
            renounce();
            let lock: Capabilities = [Capability::IpcLock].into_iter().collect();
            assert_eq!(Capabilities::effective().and(lock), Capabilities::effective());
            take_precedence(7).map(|()| 7)
        }),
    ];
    let [may, may_not] = threads.map(|thread| thread.join().unwrap());
    if Capabilities::effective().has(Capability::SysNice) {
        assert_eq!(may.unwrap(), 7);
    }
    assert!(matches!(may_not, Err(ProcessError::Realtime { priority: 7, .. })), "{may_not:?}");
    assert_eq!(precedence(), 0);
}

#[test]
fn a_directory_is_shared_with_the_users_group() {
    if !geteuid().is_root() {
        eprintln!("skipped a_directory_is_shared_with_the_users_group: needs root");
        return;
    }
    let account = Account::numbered(65_533, Some(65_532)).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let (directory, file) = (parent.path().join("run/ptp"), parent.path().join("ptp.toml"));
    fs::write(&file, "").unwrap();
    let close = |mode| fs::set_permissions(parent.path(), fs::Permissions::from_mode(mode)).unwrap();
    close(0o700);
    let error = account.share_directory(&directory, "run-dir").unwrap_err().to_string();
    assert!(error.contains("65533:65532") && error.contains("run-dir") && error.contains("chgrp"), "{error}");
    assert!(account.check_file(&file, "config").is_err());
    close(0o755);
    account.share_directory(&directory, "run-dir").unwrap();
    account.check_file(&file, "config").unwrap();
    assert!(account.check_directory(parent.path(), "state-dir").is_err());
    // As /tmp: everybody may write, but not remove what root made.
    close(0o1777);
    assert!(account.check_directory(parent.path(), "state-dir").is_err());
}
