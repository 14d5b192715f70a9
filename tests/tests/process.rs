//! Real-time priority, locked memory and another user, as `stats` and /proc have them, while packets come and go.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use ptp_common::abi::{NoTime, TimeSpan};
use ptp_ctl::clock::TimePageReader;
use ptp_tests::netns::{Family, Host, Plane, World};
use ptp_tests::process::Process;
use ptp_tests::program::{Ended, PtpCtl, wait_until_started};
use ptp_tests::{Need, eventually, have};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// A user that is in no list, and a group.
const USER: &str = "54321:54322";
const UID: u64 = 54321;
const GID: u64 = 54322;
/// linux/sched.h
const SCHED_OTHER: u64 = 0;
const SCHED_FIFO: u64 = 1;
/// linux/capability.h
const CAP_NET_ADMIN: u64 = 1 << 12;
const CAP_IPC_LOCK: u64 = 1 << 14;
/// Its bit in a set of signals as /proc has it.
const SIGTERM: u64 = 1 << 14;

/// Of each thread of a process, as /proc has it: the line of that name, its numbers in that base.
fn status_lines(pid: nix::unistd::Pid, name: &str, base: u32) -> Result<Vec<Vec<u64>>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))?;
    threads
        .map(|thread| {
            let text = fs::read_to_string(thread?.path().join("status"))?;
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let numbers = line.with_context(|| format!("no {name} in {text}"))?.split_whitespace();
            numbers.map(|number| Ok(u64::from_str_radix(number, base)?)).collect()
        })
        .collect()
}

/// Real-time priority and policy of each thread by name (proc(5), fields 40 and 41).
fn scheduling(pid: nix::unistd::Pid) -> Result<Vec<(String, u64, u64)>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))?;
    threads
        .map(|thread| {
            let text = fs::read_to_string(thread?.path().join("stat"))?;
            let (name, rest) = text.split_once(") ").context("no name")?;
            let field = |number: usize| {
                let word = rest.split_whitespace().nth(number - 3).context("too few fields")?;
                Ok::<u64, anyhow::Error>(word.parse()?)
            };
            let name = name.split_once('(').map_or("", |(_, name)| name);
            Ok((name.to_owned(), field(40)?, field(41)?))
        })
        .collect()
}

/// All threads are the user's; the loop has these capabilities, and no other thread has any but that to lock memory.
fn ensure_dropped(process: &Process, capabilities: u64) -> Result<()> {
    let pid = process.pid();
    for uids in status_lines(pid, "Uid", 10)? {
        ensure!(uids == [UID; 4], "uids {uids:?}");
    }
    for gids in status_lines(pid, "Gid", 10)? {
        ensure!(gids == [GID; 4], "gids {gids:?}");
    }
    for groups in status_lines(pid, "Groups", 10)? {
        ensure!(groups.is_empty(), "groups {groups:?}");
    }
    for name in ["CapEff", "CapPrm"] {
        let mut sets = status_lines(pid, name, 16)?.concat();
        sets.sort_unstable();
        let last = sets.pop();
        ensure!(
            last == Some(capabilities) && sets.iter().all(|set| *set == CAP_IPC_LOCK),
            "{name}: {last:x?}, {sets:x?}"
        );
    }
    Ok(())
}

fn count(stats: &Value, counter: &str) -> u64 {
    stats.pointer(counter).and_then(Value::as_u64).unwrap_or(0)
}

/// Everything that a client of another user does: measures, steers, tells the time, answers, stores nothing of its own behind.
#[test]
fn a_client_and_a_massive_server_go_on_as_another_user() -> Result<()> {
    if !have("a_client_and_a_massive_server_go_on_as_another_user", NEEDS) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    let _polling = world.router().poll_towards(server, Plane::Ours)?;
    // Made by the first of them, and shared with the user's group.
    let open = tempfile::tempdir()?;
    fs::set_permissions(open.path(), Permissions::from_mode(0o755))?;
    let run_dir = open.path().join("run/ptp-ctl");
    let start = |host: &Host, role: &str, options: &[&str]| {
        let mut command = programs.command_with_bpffs(role);
        command
            .arg("--run-dir")
            .arg(&run_dir)
            .args(["--json", "--user", USER, "--lock-memory"])
            .args(options);
        let process = host.spawn(role, command)?;
        wait_until_started(&process)?;
        anyhow::Ok(process)
    };
    let management = run_dir.join("management");
    let management = management.to_string_lossy();
    let serving =
        ["--clock", "none", "--clock-accuracy", "35", "--sync-plane", "massive", "--metrics", "0.0.0.0:9319"];
    let mut serves =
        start(server, "server", &[&serving[..], &["--management-socket", &management]].concat())?;
    let address = server.address(Plane::Ours, Family::V4).to_string();
    let following = ["--clock", "virtual", "--virtual-offset", "1000000", "--realtime-priority", "7"];
    let mut follows = start(client, "client", &[&following[..], &["--server", &address]].concat())?;
    follows.wait_for("that it is locked", PATIENCE, |line| {
        (line.is_event("state") && line.text_of("detail") == Some("locked")).then_some(())
    })?;

    ensure_dropped(&serves, CAP_NET_ADMIN | CAP_IPC_LOCK)?;
    ensure_dropped(&follows, CAP_IPC_LOCK)?;
    let stats = |host| stats(&programs, host, &run_dir);
    let of_server = stats(server)?;
    let expected = serde_json::json!({"user": UID.to_string(), "uid": UID,
        "capabilities": ["CAP_NET_ADMIN", "CAP_IPC_LOCK"], "realtime_priority": 0, "fan_out_realtime_priority": 1,
        "memory_locked": true});
    ensure!(of_server["process"] == expected, "{:#}", of_server["process"]);
    let of_client = stats(client)?;
    let expected = serde_json::json!({"user": UID.to_string(), "uid": UID, "capabilities": ["CAP_IPC_LOCK"],
        "realtime_priority": 7, "fan_out_realtime_priority": null, "memory_locked": true});
    ensure!(of_client["process"] == expected, "{:#}", of_client["process"]);
    for process in [&serves, &follows] {
        let text = fs::read_to_string(format!("/proc/{}/status", process.pid()))?;
        let locked_kb = text.lines().find_map(|line| line.strip_prefix("VmLck:")?.split_whitespace().next());
        ensure!(locked_kb.is_some_and(|kb| kb != "0"), "nothing is locked: {locked_kb:?}");
    }

    // Everything goes on: maps, ring, live frames, neighbours, clock, time page.
    ensure!(count(&of_server, "/counters/engine/sync_sent") == 0, "{of_server:#}");
    let before = count(&of_server, "/counters/fan_out/sync_sent");
    eventually("Sync goes on", PATIENCE, || {
        Ok(count(&stats(server)?, "/counters/fan_out/sync_sent") > before + 20)
    })?;
    let of_server = stats(server)?;
    for counter in ["/counters/fan_out/run_errors", "/counters/records/map_errors"] {
        ensure!(count(&of_server, counter) == 0, "{counter}: {of_server:#}");
    }
    let of_client = stats(client)?;
    ensure!(of_client["state"] == "locked", "{of_client:#}");
    for counter in
        ["/counters/clock/steer_errors", "/counters/tx/send_errors", "/counters/records/map_errors"]
    {
        ensure!(count(&of_client, counter) == 0, "{counter}: {of_client:#}");
    }
    eventually("the time page tells the time", PATIENCE, || Ok(time(&run_dir, client)?.is_ok()))?;

    for process in [&mut follows, &mut serves] {
        let status = process.terminate(PATIENCE)?;
        ensure!(status.success(), "{} ended with {status}\n{}", process.name(), process.tail());
    }
    let left: Vec<_> = fs::read_dir(&run_dir)?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
    // The page stays for its readers, and says that there is no time.
    ensure!(left.len() == 1 && left[0].to_string_lossy().ends_with(".time"), "left behind: {left:?}");
    ensure!(time(&run_dir, client)?.is_err(), "the time page tells a time");
    Ok(())
}

/// Process 1 of a container loses a signal that it does not listen to, and is killed when its time is out.
#[test]
fn a_signal_while_it_starts_is_not_lost() -> Result<()> {
    if !have("a_signal_while_it_starts_is_not_lost", NEEDS) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    // Nothing goes on before somebody reads it.
    let record = programs.run_dir().join("record");
    ensure!(Command::new("mkfifo").arg(&record).status()?.success(), "no FIFO");
    let options = ["--record", &*record.to_string_lossy()];
    let mut starts = programs.client(client, Family::V4, &[server], &options)?;
    eventually("it listens", PATIENCE, || {
        let caught = status_lines(starts.pid(), "SigCgt", 16)?.concat();
        Ok(caught.iter().all(|set| set & SIGTERM != 0))
    })?;
    kill(starts.pid(), Signal::SIGTERM)?;
    let _reader = fs::File::open(&record)?;
    let status = starts.wait_exit(PATIENCE)?;
    ensure!(status.success(), "it ended with {status}\n{}", starts.tail());
    Ok(())
}

/// A server that does not acknowledge lets a client wait at its end, which is no reason not to say how it stands.
#[test]
fn stats_are_answered_to_the_end() -> Result<()> {
    if !have("stats_are_answered_to_the_end", NEEDS) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    let serving = programs.server(server, "server", &[])?;
    let mut running = programs.client(client, Family::V4, &[server], &[])?;
    running.wait_for("a sample", PATIENCE, |line| line.is("sample").then_some(()))?;
    kill(serving.pid(), Signal::SIGSTOP)?;
    kill(running.pid(), Signal::SIGTERM)?;
    let stats = programs.stats(client)?;
    ensure!(stats["running"] == true, "{stats}");
    let status = running.wait_exit(PATIENCE)?;
    ensure!(status.success(), "it ended with {status}\n{}", running.tail());
    Ok(())
}

/// The fan-out's thread has the loop's priority where that has one.
#[test]
fn priorities_are_as_said() -> Result<()> {
    if !have("priorities_are_as_said", NEEDS) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server"])?;
    let [host] = world.hosts() else { unreachable!("one name was given") };
    for (priority, policy, of_loop, of_fan_out) in [("0", SCHED_OTHER, 0, 1), ("20", SCHED_FIFO, 20, 20)] {
        let options = ["--sync-plane", "massive", "--realtime-priority", priority];
        let mut server = programs.server(host, "server", &options)?;
        for (name, found, found_policy) in scheduling(server.pid())? {
            let expected = match name.as_str() {
                "fan-out" => (of_fan_out, SCHED_FIFO),
                // It waits for whoever reads.
                "json-lines" => (0, SCHED_OTHER),
                _ => (of_loop, policy),
            };
            ensure!((found, found_policy) == expected, "{name}: {found}, {found_policy}, not {expected:?}");
        }
        let process = &programs.stats(host)?["process"];
        ensure!(process["realtime_priority"] == of_loop, "{process:#}");
        ensure!(process["fan_out_realtime_priority"] == of_fan_out, "{process:#}");
        // Without `user` it stays what it was, and says so.
        ensure!(process["capabilities"].is_null() && process["memory_locked"] == false, "{process:#}");
        server.terminate(PATIENCE)?;
    }
    Ok(())
}

/// What cannot be had is refused at the start, with what helps.
#[test]
fn refusals_name_setting_and_fix() -> Result<()> {
    if !have(
        "refusals_name_setting_and_fix",
        &[NEEDS, &[Need::Program("setpriv"), Need::Program("prlimit")]].concat(),
    ) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server"])?;
    let [host] = world.hosts() else { unreachable!("one name was given") };
    let without = |capability: &str, options: &[&str]| {
        let set = format!("-{capability}");
        let mut command = Command::new("prlimit");
        command.args([
            "--rtprio=0",
            "--memlock=65536",
            "setpriv",
            "--bounding-set",
            &set,
            "--inh-caps",
            &set,
        ]);
        command.arg(programs.path()).args([
            "server",
            Plane::Ours.interface(),
            "--clock",
            "none",
            "--run-dir",
        ]);
        command.arg(programs.run_dir()).args(options);
        programs.run(host, command)
    };
    let open = tempfile::tempdir()?;
    fs::set_permissions(open.path(), Permissions::from_mode(0o755))?;
    let (file, run_dir) = (open.path().join("ptp.toml"), open.path().join("run"));
    let interface = Plane::Ours.interface();
    let settings = format!(
        "[server]\ninterface = \"{interface}\"\nclock = \"none\"\nuser = \"{USER}\"\nrun-dir = {run_dir:?}\n"
    );
    fs::write(&file, settings)?;
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    let mut run = Command::new(programs.path());
    run.args(["run", "--config"]).arg(&file);
    let cases: [(Ended, &[&str]); 6] = [
        (
            without("sys_nice", &["--realtime-priority", "50"])?,
            &["realtime-priority = 50", "CAP_SYS_NICE", "RLIMIT_RTPRIO"],
        ),
        (without("ipc_lock", &["--lock-memory"])?, &["lock-memory", "CAP_IPC_LOCK", "RLIMIT_MEMLOCK"]),
        (without("setgid", &["--user", USER])?, &[USER, "CAP_SETUID and CAP_SETGID"]),
        (without("sys_nice", &["--user", "no-such-user"])?, &["user = \"no-such-user\"", "useradd"]),
        // A directory of somebody else's: nobody opens it for a group behind its owner's back.
        (without("sys_nice", &["--user", USER])?, &["run-dir", "chgrp", "54322"]),
        (programs.run(host, run)?, &["--config", "chmod g+r", "54322"]),
    ];
    for (ended, words) in cases {
        ensure!(ended.code == Some(1), "{ended:?}");
        for word in words {
            ensure!(ended.stderr.contains(word), "no {word:?} in {}", ended.stderr);
        }
    }
    Ok(())
}

fn stats(programs: &PtpCtl, host: &Host, run_dir: &Path) -> Result<Value> {
    let mut command = programs.command_with_bpffs("stats");
    command.arg("--run-dir").arg(run_dir);
    let Ended { code, stdout, stderr } = programs.run(host, command)?;
    ensure!(code == Some(0), "stats: {}", stderr.trim());
    Ok(serde_json::from_str(&stdout)?)
}

fn time(run_dir: &Path, host: &Host) -> Result<Result<TimeSpan, NoTime>> {
    let (inode, index) = host.interface_key(Plane::Ours)?;
    Ok(TimePageReader::open(&run_dir.join(format!("{inode}-{index}.time")))?.now()?)
}
