//! What a user sees when something is not as it should be: the cause and the way out, and the right exit code.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use ptp_common::net::EVENT_PORT;
use ptp_tests::netns::{Family, Host, Plane, World};
use ptp_tests::process::Process;
use ptp_tests::program::{ConfigFile, Ended, PtpCtl};
use ptp_tests::wait::eventually;
use ptp_tests::{Need, have};
use serde_json::Value;
use std::fs::Permissions;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::PtpCtl];
const RUNTIME_ERROR: Option<i32> = Some(1);
const USAGE_ERROR: Option<i32> = Some(2);
/// The user and group "nobody" of every Linux.
const NOBODY: u32 = 65534;
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn wrong_settings_name_key_and_fix() -> Result<()> {
    if !have("wrong_settings_name_key_and_fix", &NEEDS[2..]) {
        return Ok(());
    }
    let program = PtpCtl::find()?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("ptp.toml");
    let cases: &[(&str, &[&str])] = &[
        ("[client]\ninterface = \"eth0\"\nservers = [\"10.0.1.2\"]\n", &["line 3", "servers", "server"]),
        ("[client]\ninterface = \"eth0\"\nserver = [\"10.0.1\"]\n", &["line 3", "10.0.1"]),
        (
            "[client]\ninterface = \"eth0\"\nserver = [\"10.0.1.2\"]\nlog-sync-interval = 9\n",
            &["line 4", "log-sync-interval", "-7 to 6"],
        ),
        ("[server]\ninterface = \"eth0\"\nclock = \"gps\"\n", &["line 3", "gps", "system"]),
        ("[server]\ninterface = \"eth0\"\npriority1 = \"high\"\n", &["line 3", "priority1", "high"]),
        ("[server\n", &["line 1"]),
        ("", &["[client]", "[server]"]),
    ];
    for (text, words) in cases {
        std::fs::write(&file, text)?;
        let mut command = Command::new(&program);
        command.args(["run", "--config"]).arg(&file);
        assert_error(&run(command)?, USAGE_ERROR, &[words, &["ptp.toml"][..]].concat(), text)?;
    }
    std::fs::remove_file(&file)?;
    let mut command = Command::new(&program);
    command.args(["run", "--config"]).arg(&file);
    assert_error(&run(command)?, USAGE_ERROR, &["ptp.toml", "No such file"], "no file")
}

/// As with `ptp-ctl config init --role client | head`.
#[test]
fn a_reader_that_is_gone_is_no_error() -> Result<()> {
    if !have("a_reader_that_is_gone_is_no_error", &NEEDS[2..]) {
        return Ok(());
    }
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let output =
        Command::new(PtpCtl::find()?).args(["config", "init", "--role", "client"]).stdout(writer).output()?;
    ensure!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    Ok(())
}

#[test]
fn wrong_flags_are_usage_errors() -> Result<()> {
    if !have("wrong_flags_are_usage_errors", &NEEDS[2..]) {
        return Ok(());
    }
    let program = PtpCtl::find()?;
    let cases: &[(&[&str], &[&str])] = &[
        (&["client", "eth0"], &["--server"]),
        (&["client", "eth0", "--server", "somewhere"], &["somewhere"]),
        (&["client", "eth0", "--server", "10.0.1.2", "--domain", "256"], &["domain", "255"]),
        (&["server", "eth0", "--clock", "gps"], &["gps", "system"]),
    ];
    for (arguments, words) in cases {
        let mut command = Command::new(&program);
        command.args(*arguments);
        assert_error(&run(command)?, USAGE_ERROR, words, &arguments.join(" "))?;
    }
    Ok(())
}

#[test]
fn what_the_machine_lacks_is_told() -> Result<()> {
    let Some((programs, world)) = lab("what_the_machine_lacks_is_told")? else { return Ok(()) };
    let host = &world.hosts()[0];

    let server = "10.0.1.2";
    for arguments in [
        &["client", "nosuch0", "--server", server][..],
        &["server", "nosuch0"],
        &["attach", "nosuch0"],
        &["stats", "nosuch0"],
        &["check", "nosuch0"],
    ] {
        let mut command = Command::new(programs.path());
        command.args(arguments);
        let case = arguments.join(" ");
        assert_error(&programs.run(host, command)?, RUNTIME_ERROR, &["nosuch0", "ip link"], &case)?;
    }

    let no_bpffs = tempfile::tempdir()?;
    let mut attach = programs.command("attach");
    attach.arg("--bpffs").arg(no_bpffs.path());
    assert_error(&programs.run(host, attach)?, RUNTIME_ERROR, &["BPF file system", "mount"], "no bpffs")?;

    let holder = host.namespace().enter(|| UdpSocket::bind("0.0.0.0:319").context("cannot take port 319"))?;
    let taken = programs.run(host, programs.command_with_directories("server"))?;
    let pid = std::process::id().to_string();
    assert_error(&taken, RUNTIME_ERROR, &["319", "in use", &pid], "port taken")?;
    drop(holder);

    let stats = programs.run(host, programs.command_with_directories("stats"))?;
    assert_error(&stats, RUNTIME_ERROR, &["no controller", Plane::Ours.interface()], "stats of nothing")
}

#[test]
fn without_root_it_says_so() -> Result<()> {
    let Some((programs, world)) = lab("without_root_it_says_so")? else { return Ok(()) };
    let host = &world.hosts()[0];
    let directory = for_nobody(&programs)?;
    let (program, run_dir) = (directory.path().join("ptp-ctl"), directory.path().join("run"));

    for (subcommand, options) in [("server", &["--clock", "none"][..]), ("attach", &[])] {
        let mut command = Command::new(&program);
        command.args([subcommand, Plane::Ours.interface()]).args(options);
        command.arg("--bpffs").arg(programs.bpffs().path());
        if subcommand == "server" {
            command.arg("--run-dir").arg(&run_dir);
        }
        command.uid(NOBODY).gid(NOBODY);
        let case = format!("{subcommand} as nobody");
        assert_error(&programs.run(host, command)?, RUNTIME_ERROR, &["root", "CAP_"], &case)?;
    }
    Ok(())
}

/// What documentation and units name is enough for the XDP data plane, and none of it is too much.
#[test]
fn each_capability_is_needed_and_no_other() -> Result<()> {
    const CAPABILITIES: [&str; 4] = ["bpf", "perfmon", "net_admin", "net_bind_service"];
    if !have("each_capability_is_needed_and_no_other", &[Need::Program("setpriv")]) {
        return Ok(());
    }
    let Some((programs, world)) = lab("each_capability_is_needed_and_no_other")? else { return Ok(()) };
    let host = &world.hosts()[0];
    let directory = for_nobody(&programs)?;
    let server = |capabilities: &[&str]| {
        let set = capabilities.iter().fold("-all".to_owned(), |set, name| set + ",+" + name);
        let mut command = Command::new("setpriv");
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", "--bounding-set", &set]);
        command.args(["--inh-caps", &set, "--ambient-caps", &set]).arg(directory.path().join("ptp-ctl"));
        command.args(["server", Plane::Ours.interface(), "--clock", "none", "--json", "--run-dir"]);
        command.arg(directory.path().join("run"));
        command
    };
    for missing in CAPABILITIES {
        let others: Vec<_> = CAPABILITIES.into_iter().filter(|name| *name != missing).collect();
        let name = format!("CAP_{}", missing.to_uppercase());
        let ended = programs.run(host, server(&others))?;
        assert_error(&ended, RUNTIME_ERROR, &[&name], &format!("without {name}"))?;
    }
    let process = host.spawn("server", server(&CAPABILITIES))?;
    ptp_tests::program::wait_until_started(&process)
}

/// READY=1 when it serves, WATCHDOG=1 as often as it is asked for, STOPPING=1 at the end.
#[test]
fn a_service_manager_hears_ready_alive_and_stopping() -> Result<()> {
    let Some((programs, world)) = lab("a_service_manager_hears_ready_alive_and_stopping")? else {
        return Ok(());
    };
    let host = &world.hosts()[0];
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path)?;
    manager.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut command = programs.command_with_directories("server");
    command.args(["--clock", "none", "--data-plane", "socket"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    let mut server = host.spawn("server", command)?;
    let hears = |expected: &str| loop {
        let mut octets = [0; 512];
        let length = manager.recv(&mut octets).with_context(|| format!("{expected} was not heard"))?;
        if String::from_utf8_lossy(&octets[..length]).lines().any(|line| line == expected) {
            return anyhow::Ok(());
        }
    };
    hears("READY=1")?;
    hears("WATCHDOG=1")?;
    hears("WATCHDOG=1")?;
    let status = server.terminate(Duration::from_secs(10))?;
    ensure!(status.success(), "the server ended with {status}");
    hears("STOPPING=1")
}

/// A new file is right, a mistake is named with its line, and a file of ptp4l's becomes one of ours.
#[test]
fn configuration_files_are_written_checked_shown_and_translated() -> Result<()> {
    if !have("configuration_files_are_written_checked_shown_and_translated", &NEEDS[2..]) {
        return Ok(());
    }
    let program = PtpCtl::find()?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("ptp.toml");
    let ptp_ctl = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments);
        run(command)
    };
    let path = file.to_string_lossy();
    for role in ["client", "server"] {
        let new = ptp_ctl(&["config", "init", "--role", role])?;
        std::fs::write(&file, &new.stdout)?;
        let checked = ptp_ctl(&["check", "--config", &path])?;
        ensure!(checked.code == Some(0) && checked.stdout.contains(role), "{checked:?}");
        let shown = ptp_ctl(&["config", "show", "--effective", "--config", &path])?;
        ensure!(shown.stdout.contains("domain = 0  # default"), "{shown:?}");
    }
    std::fs::write(&file, "[server]\ninterface = \"eth0\"\ndscp = 64\n")?;
    let wrong = ptp_ctl(&["check", "--config", &path])?;
    assert_error(&wrong, USAGE_ERROR, &["ptp.toml", "line 3", "dscp", "0 to 63"], "a mistake")?;
    std::fs::write(&file, "[global]\nunicast_listen 1\ntx_timestamp_timeout 50\n[eth0]\n")?;
    let translated = ptp_ctl(&["config", "from-ptp4l", &path])?;
    ensure!(translated.stdout.contains("[server]\ninterface = \"eth0\""), "{translated:?}");
    ensure!(translated.stderr.contains("line 3: tx_timestamp_timeout"), "{translated:?}");
    std::fs::write(&file, "[global]\n[eth0]\n")?;
    assert_error(&ptp_ctl(&["config", "from-ptp4l", &path])?, USAGE_ERROR, &["unicast"], "multicast")
}

#[test]
fn two_of_a_kind_do_not_fit() -> Result<()> {
    let Some((programs, world)) = lab("two_of_a_kind_do_not_fit")? else { return Ok(()) };
    let host = &world.hosts()[0];
    let _server = programs.server(host, "server", &[])?;
    let second = programs.run(host, programs.command_with_directories("server"))?;
    assert_error(&second, RUNTIME_ERROR, &["already", Plane::Ours.interface()], "a second controller")?;

    // The same hook, from a bpffs that knows nothing of the first.
    let others = PtpCtl::new(programs.path())?;
    let attach = others.run(host, others.command_with_bpffs("attach"))?;
    assert_error(&attach, RUNTIME_ERROR, &[Plane::Ours.interface(), "XDP program"], "a hook that is taken")
}

#[test]
fn attach_and_detach_report_and_leave_nothing() -> Result<()> {
    let Some((programs, world)) = lab("attach_and_detach_report_and_leave_nothing")? else { return Ok(()) };
    let host = &world.hosts()[0];
    for mode in ["native", "generic"] {
        let mut attach = programs.command_with_bpffs("attach");
        attach.args(["--xdp-mode", mode, "--json"]);
        let report = json(&programs.run(host, attach)?)?;
        ensure!(report["xdp_mode"] == mode, "{report}");
        let (inode, index) = host.interface_key(Plane::Ours)?;
        let pins = programs.bpffs().pins()?;
        let keyed = |path: &std::path::PathBuf| {
            let text = path.to_string_lossy();
            text.contains(&inode.to_string()) && text.contains(&index.to_string())
        };
        ensure!(!pins.is_empty() && pins.iter().all(keyed), "pins carry namespace and interface: {pins:?}");
        let mut detach = programs.command_with_bpffs("detach");
        detach.arg("--json");
        json(&programs.run(host, detach)?)?;
        ensure!(programs.bpffs().pins()?.is_empty(), "detach leaves nothing");
    }
    Ok(())
}

#[test]
fn check_reports_what_this_machine_can_do() -> Result<()> {
    let Some((programs, world)) = lab("check_reports_what_this_machine_can_do")? else { return Ok(()) };
    let host = &world.hosts()[0];
    let mut check = programs.command("check");
    check.arg("--json");
    let report = json(&programs.run(host, check)?)?;
    ensure!(report["interface"] == Plane::Ours.interface(), "{report}");
    let words = programs.run(host, programs.command("check"))?;
    ensure!(words.code == Some(0) && words.stdout.contains("XDP"), "{words:?}");
    Ok(())
}

#[test]
fn a_screen_becomes_a_picture() -> Result<()> {
    let Some((programs, world)) = lab("a_screen_becomes_a_picture")? else { return Ok(()) };
    let host = &world.hosts()[0];
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("top.svg");
    let top = || {
        let mut top = programs.command("top");
        top.arg("--run-dir").arg(programs.run_dir()).args(["--after", "1", "--picture"]).arg(&file);
        programs.run(host, top)
    };
    assert_error(&top()?, RUNTIME_ERROR, &["no controller", Plane::Ours.interface()], "nothing runs")?;
    let _server = programs.server(host, "server", &[])?;
    let ended = top()?;
    ensure!(ended.code == Some(0), "{ended:?}");
    let picture = std::fs::read_to_string(&file)?;
    for word in ["<svg", Plane::Ours.interface(), ">server<", ">clockClass<", "</svg>"] {
        ensure!(picture.contains(word), "no {word} in\n{picture}");
    }
    Ok(())
}

#[test]
fn a_config_file_runs_a_server_and_is_applied_again_when_it_has_changed() -> Result<()> {
    let Some((programs, world)) =
        lab("a_config_file_runs_a_server_and_is_applied_again_when_it_has_changed")?
    else {
        return Ok(());
    };
    let [host, client_host] = world.hosts() else { unreachable!("two names were given") };
    let file = ConfigFile::new(&programs, host, "[server]\nclock = \"none\"\n")?;
    let mut server = file.run("")?;
    let client = programs.client(client_host, Family::V4, &[host], &[])?;
    client.wait_for("a sample", Duration::from_secs(40), |line| line.is("sample").then_some(()))?;

    let answer = json(&file.reload("clock-class = 6\ndscp = 46\n")?)?;
    ensure!(answer["applied"] == serde_json::json!(["clock-class"]), "{answer}");
    ensure!(answer["needs_restart"] == serde_json::json!(["dscp"]), "{answer}");
    hears_class(&programs, client_host, 6)?;

    let wrong = file.reload("clock-class = 999\n")?;
    assert_error(&wrong, RUNTIME_ERROR, &["line 7", "clock-class = 999"], "a wrong file")?;

    let mark = server.mark();
    file.write("clock-class = 7\n")?;
    kill(server.pid(), Signal::SIGHUP)?;
    server.wait_after(mark, "its event \"reloaded\"", Duration::from_secs(10), |line| {
        line.is_event("reloaded").then_some(())
    })?;
    hears_class(&programs, client_host, 7)?;
    server.check_alive()?;
    let lost = client.lines(0).into_iter().find(|line| line.is_event("unusable") || line.is_event("expired"));
    ensure!(lost.is_none(), "{lost:?}");
    Ok(())
}

#[test]
fn servers_are_added_and_taken_out_while_a_client_runs() -> Result<()> {
    let test = "servers_are_added_and_taken_out_while_a_client_runs";
    if !have(test, NEEDS) {
        return Ok(());
    }
    let world = World::new(&["east", "west", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [east, west, client_host] = world.hosts() else { unreachable!("three names were given") };
    let _servers = [programs.server(east, "east", &[])?, programs.server(west, "west", &[])?];
    let file =
        ConfigFile::new(&programs, client_host, "[client]\nclock = \"virtual\"\nvirtual-offset = 5000000\n")?;
    // Of another family, for which no socket is open at first.
    let [east_address, west_address] =
        [east.address(Plane::Ours, Family::V4), west.address(Plane::Ours, Family::V6)]
            .map(|it| it.to_string());
    let list = |servers: &[&String]| format!("server = {servers:?}\n");
    let apply = |servers: &[&String]| {
        let answer = json(&file.reload(&list(servers))?)?;
        ensure!(answer["applied"] == serde_json::json!(["server"]), "{answer}");
        ensure!(answer["needs_restart"] == serde_json::json!([]), "{answer}");
        let stats = programs.stats(client_host)?;
        let known = stats["servers"].as_array().map_or(0, Vec::len);
        ensure!(known == servers.len(), "{stats:#}");
        Ok(())
    };
    let follows = |client: &Process, mark, server: &str, selected: bool| {
        client.wait_after(mark, &format!("samples of {server}"), PATIENCE, |line| {
            let sample = line.is("sample") && line.text_of("state") == Some("locked");
            let wanted =
                line.text_of("server") == Some(server) && line.json.as_ref()?["selected"] == selected;
            (sample && wanted).then_some(())
        })
    };
    let selected = |client: &Process, mark| {
        client.wait_after(mark, "its event \"selected\"", PATIENCE, |line| {
            line.is_event("selected").then(|| line.clone())
        })
    };
    let mut client = file.run(&list(&[&east_address]))?;
    follows(&client, 0, &east_address, true)?;

    // Who cannot get a socket for it applies nothing of the file.
    let own = client_host.address(Plane::Ours, Family::V6);
    let holder = client_host
        .namespace()
        .enter(|| UdpSocket::bind((own, EVENT_PORT)).context("cannot take the event port"))?;
    let refused = file.reload(&list(&[&east_address, &west_address]))?;
    assert_error(&refused, RUNTIME_ERROR, &["319", "IPv6", "in use"], "a port taken at a reload")?;
    ensure!(
        programs.stats(client_host)?["servers"].as_array().map(Vec::len) == Some(1),
        "nothing is applied"
    );
    drop(holder);

    let mark = client.mark();
    apply(&[&east_address, &west_address])?;
    follows(&client, mark, &west_address, false)?;
    follows(&client, client.mark(), &east_address, true)?;

    let switch = client.mark();
    apply(&[&west_address])?;
    let event = selected(&client, switch)?;
    ensure!(event.text_of("server") == Some(&west_address), "{}", event.text);
    ensure!(event.text_of("reason") == Some("server_removed"), "{}", event.text);
    follows(&client, switch, &west_address, true)?;
    eventually("the server has heard of it", PATIENCE, || {
        Ok(programs.stats(east)?["totals"]["clients"] == 0)
    })?;
    for line in client.lines(mark) {
        ensure!(!["state", "step", "expired"].iter().any(|event| line.is_event(event)), "{}", line.text);
    }

    let mark = client.mark();
    apply(&[&east_address])?;
    let held =
        client.wait_after(mark, "holdover", PATIENCE, |line| line.is_event("state").then(|| line.clone()))?;
    ensure!(held.text_of("detail") == Some("holdover"), "{}", held.text);
    follows(&client, mark, &east_address, true)?;
    client.check_alive()
}

/// Waits until the client has an Announce with this clockClass.
fn hears_class(programs: &PtpCtl, client_host: &Host, class: u64) -> Result<()> {
    eventually(&format!("clockClass {class} is heard"), Duration::from_secs(20), || {
        Ok(programs.stats(client_host)?["servers"][0]["announce"]["clock_class"] == class)
    })
}

/// Two hosts; `None`, and the test is reported as skipped, where the machine lacks something.
fn lab(test: &str) -> Result<Option<(PtpCtl, World)>> {
    if !have(test, NEEDS) {
        return Ok(None);
    }
    let world = World::new(&["one", "two"])?;
    Ok(Some((PtpCtl::new(&PtpCtl::find()?)?, world)))
}

/// A directory with the program, which may be where only root can go, and a run directory that anyone can use.
fn for_nobody(programs: &PtpCtl) -> Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
    std::fs::copy(programs.path(), directory.path().join("ptp-ctl"))?;
    let run_dir = directory.path().join("run");
    std::fs::create_dir(&run_dir)?;
    std::fs::set_permissions(&run_dir, Permissions::from_mode(0o777))?;
    Ok(directory)
}

/// Outside of any namespace.
fn run(command: Command) -> Result<Ended> {
    Ended::of(Process::spawn("ptp-ctl", command)?)
}

/// It failed with this code and said all of the words; it did not panic.
fn assert_error(ended: &Ended, code: Option<i32>, words: &[&str], case: &str) -> Result<()> {
    ensure!(ended.code == code, "{case}: exit code {:?}, not {code:?}: {ended:?}", ended.code);
    for word in words {
        ensure!(ended.stderr.contains(word), "{case}: does not name {word:?}: {}", ended.stderr);
    }
    ensure!(!ended.stderr.contains("panicked"), "{case}: {}", ended.stderr);
    Ok(())
}

fn json(ended: &Ended) -> Result<Value> {
    ensure!(ended.code == Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).with_context(|| format!("no JSON: {}", ended.stdout))
}
