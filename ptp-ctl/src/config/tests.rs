use super::*;
use crate::engine::config::{self as engine, ServerEntry};
use std::time::Duration;

fn local() -> Local {
    Local {
        port_identity: PortIdentity::default(),
        timescale: LocalTimescale::Utc,
        frequency_ppb: 12.5,
        max_frequency_ppb: 500_000.0,
        seed: 1,
    }
}

fn client(settings: &Settings) -> &ClientSettings {
    match &settings.role {
        Role::Client(client) => client,
        Role::Server(_) => panic!("no client"),
    }
}

const CLIENT: &str = "[client]\ninterface = \"eth0\"\nserver = [\"10.0.1.2\"]\n";
const SERVER: &str = "[server]\ninterface = \"eth0\"\n";

#[test]
fn a_minimal_client() {
    let settings = Config::parse(CLIENT).unwrap();
    assert_eq!(settings.common.interface, "eth0");
    assert_eq!(settings.common.clock, Clock::System);
    assert_eq!(settings.common.data_plane, DataPlaneKind::Xdp);
    assert_eq!(settings.common.dscp, 56);
    let engine = client(&settings).engine_config(&local());
    assert_eq!(engine.duration, 300);
    assert_eq!((engine.log_announce_interval, engine.log_sync_interval), (0, -3));
    assert_eq!(engine.wait_to_restore, Duration::from_secs(30));
    assert_eq!(engine.servers, [ServerEntry { address: "10.0.1.2".parse().unwrap(), local_priority: 1 }]);
    let servo = engine.servo.unwrap();
    assert_eq!((servo.first_step_threshold_ns, servo.step_threshold_ns), (20_000, 10_000_000));
    assert_eq!((servo.initial_frequency_ppb, servo.max_frequency_ppb), (12.5, 500_000.0));
}

#[test]
fn a_full_client() {
    let settings = Config::parse(
        "[client]\ninterface = \"eth0\"\nserver = [\"10.0.1.2\", \"2001:db8::2@7\", \"10.0.3.2\"]\ndomain = 44\n\
         clock = \"virtual\"\nvirtual-offset = -3_000_000\nvirtual-frequency = 20_000.5\nlog-sync-interval = -4\n\
         data-plane = \"socket\"\nxdp-mode = \"generic\"\nwait-to-restore = 0.25\ndelay-asymmetry = -40\nmax-asymmetry = 5000\njson = true\n",
    )
    .unwrap();
    assert_eq!(settings.common.domain_number, 44);
    assert_eq!(settings.common.clock, Clock::Virtual { offset_ns: -3_000_000, frequency_ppb: 20_000.5 });
    assert!(settings.common.json);
    let engine = client(&settings).engine_config(&local());
    let priorities: Vec<_> = engine.servers.iter().map(|server| server.local_priority).collect();
    assert_eq!(priorities, [1, 7, 3]);
    assert_eq!(engine.wait_to_restore, Duration::from_millis(250));
    assert_eq!(engine.delay_asymmetry_ns, -40);
    assert_eq!(engine.max_asymmetry_ns, Some(5_000));
}

#[test]
fn how_servers_are_chosen_and_asked() {
    let text = format!(
        "{CLIENT}select = \"priority\"\nstandby = \"warm\"\nrevert = \"immediate\"\nretry = \"g8275.2\"\n\
         min-duration = 5\nduration = 7\ncheck-interval = 0.5\nswitch-slew = 50\nmax-asymmetry = 9\n"
    );
    let settings = Config::parse(&text).unwrap();
    let engine = client(&settings).engine_config(&local());
    assert_eq!((engine.select, engine.standby), (engine::Select::Priority, engine::Standby::Warm));
    assert_eq!((engine.retry, engine.wait_to_restore), (engine::Retry::Telecom, Duration::ZERO));
    assert_eq!((engine.duration, engine.check_interval), (7, Duration::from_millis(500)));
    assert_eq!((engine.switch_slew_ppb, engine.max_asymmetry_ns), (50.0, Some(9)));
    assert_eq!(engine.max_variation_ns, None);
}

/// Both roles have them, as keys and as flags.
#[test]
fn how_the_process_runs() {
    for table in [CLIENT, SERVER] {
        let plain = Config::parse(table).unwrap().common;
        assert_eq!((plain.realtime_priority, plain.lock_memory, plain.user), (0, false, None));
        for (user, expected) in [
            ("ptp", User::Name("ptp".to_owned())),
            ("33", User::Number { uid: 33, gid: None }),
            ("33:0", User::Number { uid: 33, gid: Some(0) }),
        ] {
            let text = format!("{table}realtime-priority = 99\nlock-memory = true\nuser = \"{user}\"\n");
            let common = Config::parse(&text).unwrap().common;
            assert_eq!(
                (common.realtime_priority, common.lock_memory, common.user),
                (99, true, Some(expected))
            );
        }
    }
}

#[test]
fn measure_only_has_no_servo() {
    let settings = Config::parse(&format!("{CLIENT}clock = \"none\"\n")).unwrap();
    assert_eq!(client(&settings).engine_config(&local()).servo, None);
}

#[test]
fn a_minimal_server() {
    let settings = Config::parse(SERVER).unwrap();
    let Role::Server(server) = &settings.role else { panic!("no server") };
    let engine = server.engine_config(&local());
    assert_eq!((engine.priority1, engine.priority2, engine.clock_quality.clock_class), (128, 128, 248));
    assert!(engine.two_step);
    assert_eq!(
        (engine.policy.max_clients, engine.policy.max_duration, engine.policy.min_log_interval),
        (512, 1000, -7)
    );
}

/// Every wrong value is answered with its key, the value, the range and its line.
#[test]
fn wrong_values_are_named() {
    let client_cases = [
        ("domain = 256", "client.domain = 256: must be 0 to 255"),
        ("sdo-id = 0x1000", "client.sdo-id = 4096: must be 0 to 4095"),
        ("minor-version = 2", "client.minor-version = 2: must be 0 to 1"),
        ("log-announce-interval = -4", "client.log-announce-interval = -4: must be -3 to 6"),
        ("log-sync-interval = -8", "client.log-sync-interval = -8: must be -7 to 6"),
        ("log-delay-resp-interval = 7", "client.log-delay-resp-interval = 7: must be -7 to 6"),
        (
            "duration = 59",
            "client.duration = 59: must be 60 to 1000 s, which min-duration and max-duration say",
        ),
        ("min-duration = 4", "client.min-duration = 4: must be 5 to 86400 s"),
        ("min-duration = 61\nmax-duration = 60", "client.max-duration = 60: must be 61 to 86400 s"),
        ("check-interval = 0", "client.check-interval = 0: must be 0.1 to 60 s"),
        ("switch-slew = 0", "client.switch-slew = 0: must be 1 to 500000 ppb"),
        ("max-variation = -1", "client.max-variation = -1: must be 0 to"),
        ("announce-receipt-timeout = 1", "client.announce-receipt-timeout = 1: must be 2 to 255"),
        ("sync-receipt-timeout = 256", "client.sync-receipt-timeout = 256: must be 2 to 255"),
        ("wait-to-restore = 3600.5", "client.wait-to-restore = 3600.5: must be 0 to 3600 s"),
        ("wait-to-restore = nan", "client.wait-to-restore = NaN: must be 0 to 3600 s"),
        ("delay-asymmetry = 1_000_000_001", "client.delay-asymmetry = 1000000001: must be"),
        ("max-asymmetry = -1", "client.max-asymmetry = -1: must be"),
        ("first-step-threshold = -1", "client.first-step-threshold = -1: must be 0 to"),
        ("step-threshold = -1", "client.step-threshold = -1: must be 0 to"),
        ("dscp = 64", "client.dscp = 64: must be 0 to 63"),
        ("realtime-priority = 100", "client.realtime-priority = 100: must be 0 to 99"),
        ("bpffs = \"bpf\"", "client.bpffs = \"bpf\": must be an absolute path"),
        ("run-dir = \"\"", "client.run-dir = \"\": must be an absolute path"),
        ("virtual-offset = 1", "client.virtual-offset = 1: only a virtual clock"),
        ("virtual-frequency = 1.5", "client.virtual-frequency = 1.5: only a virtual clock"),
        ("clock = \"virtual\"\nvirtual-frequency = 1e9", "client.virtual-frequency = 1000000000: must be"),
    ];
    for (line, expected) in client_cases {
        let message = Config::parse(&format!("{CLIENT}{line}\n")).unwrap_err().to_string();
        assert!(message.contains(expected), "{line}: {message}");
        let number = 3 + line.lines().count();
        assert!(message.starts_with(&format!("line {number}: ")), "{line}: {message}");
    }
    let server_cases = [
        ("priority1 = 256", "server.priority1 = 256: must be 0 to 255"),
        ("priority2 = -1", "server.priority2 = -1: must be 0 to 255"),
        ("clock-class = 256", "server.clock-class = 256: must be 0 to 255"),
        ("clock-accuracy = 256", "server.clock-accuracy = 256: must be 0 to 255"),
        (
            "offset-scaled-log-variance = 65536",
            "server.offset-scaled-log-variance = 65536: must be 0 to 65535",
        ),
        ("time-source = 256", "server.time-source = 256: must be 0 to 255"),
        ("max-clients = 0", "server.max-clients = 0: must be 1 to"),
        ("max-duration = 86401", "server.max-duration = 86401: must be 5 to 86400"),
        ("min-log-interval = -8", "server.min-log-interval = -8: must be -7 to 6"),
        ("min-log-announce-interval = 7", "server.min-log-announce-interval = 7: must be -7 to 6"),
        ("max-rate = 0", "server.max-rate = 0: must be 1 to"),
        ("max-client-rate = -1", "server.max-client-rate = -1: must be 1 to"),
        ("dscp = 64", "server.dscp = 64: must be 0 to 63"),
        ("realtime-priority = -1", "server.realtime-priority = -1: must be 0 to 99"),
    ];
    for (line, expected) in server_cases {
        let message = Config::parse(&format!("{SERVER}{line}\n")).unwrap_err().to_string();
        assert!(message.starts_with("line 3: ") && message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn wrong_servers_are_named() {
    for (list, expected) in [
        ("[]", "client.server = []: must list 1 server"),
        ("[\"224.0.1.129\"]", "client.server = 224.0.1.129: must be a unicast address"),
        ("[\"0.0.0.0\"]", "must be a unicast address"),
        ("[\"255.255.255.255\"]", "must be a unicast address"),
        ("[\"ff0e::181\"]", "client.server = ff0e::181: must be a unicast address"),
        ("[\"10.0.1.2\", \"::ffff:10.0.1.2@3\"]", "must be listed once only"),
    ] {
        let text = format!("[client]\ninterface = \"eth0\"\nserver = {list}\n");
        let message = Config::parse(&text).unwrap_err().to_string();
        assert!(message.starts_with("line 3: ") && message.contains(expected), "{list}: {message}");
    }
    let missing = Config::parse("[client]\ninterface = \"eth0\"\n").unwrap_err().to_string();
    assert!(missing.starts_with("line 1: client.server"), "{missing}");
}

#[test]
fn interface_is_needed() {
    for text in ["[server]\n", "[server]\ninterface = \"\"\n"] {
        let message = Config::parse(text).unwrap_err().to_string();
        assert!(message.contains("server.interface = \"\": must name the interface"), "{message}");
    }
    let message = Config::parse("[server]\ninterface = \"a/b\"\n").unwrap_err().to_string();
    assert!(message.contains("server.interface = \"a/b\": must be 1 to 15 characters"), "{message}");
}

#[test]
fn several_interfaces_and_an_address_of_their_own() {
    let lines = "also-interface = [\"eth1\", \"eth2\"]\nlocal-address = [\"192.0.2.1\", \"2001:db8::1\"]\n";
    for table in [CLIENT, SERVER] {
        let common = Config::parse(&format!("{table}{lines}")).unwrap().common;
        assert!(common.interfaces().eq(["eth0", "eth1", "eth2"]));
        assert!(common.has_family(true) && common.has_family(false));
        let addresses: Vec<_> = common.local_addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.1", "2001:db8::1"]);
    }
    let nine = (1..9).map(|number| format!("\"eth{number}\"")).collect::<Vec<_>>().join(", ");
    for (line, expected) in [
        ("also-interface = [\"eth0\"]".to_owned(), "server.also-interface = \"eth0\": must be named once"),
        ("also-interface = [\"eth1\", \"eth1\"]".to_owned(), "= \"eth1\": must be named once only"),
        ("also-interface = [\"\"]".to_owned(), "server.also-interface = \"\": must be 1 to 15 characters"),
        (format!("also-interface = [{nine}]"), "must list 7 interfaces at most"),
        (
            "local-address = [\"224.0.0.1\"]".to_owned(),
            "= 224.0.0.1: must be a unicast address of this machine",
        ),
        ("local-address = [\"127.0.0.1\"]".to_owned(), "must be a unicast address of this machine"),
        ("local-address = [\"fe80::1\"]".to_owned(), "server.local-address = fe80::1: must be a unicast"),
        ("local-address = [\"10.0.0.1\", \"10.0.0.2\"]".to_owned(), "must be the only one of its IP version"),
        (
            "also-interface = [\"eth1\"]\nupstream = [\"10.0.1.2\"]\nupstream-interface = \"eth2\""
                .to_owned(),
            "upstream servers on an interface of their own: list eth2 here, too",
        ),
    ] {
        let message = Config::parse(&format!("{SERVER}{line}\n")).unwrap_err().to_string();
        assert!(message.starts_with("line 3: ") && message.contains(expected), "{line}: {message}");
    }
    let message =
        Config::parse(&format!("{CLIENT}local-address = [\"2001:db8::1\"]\n")).unwrap_err().to_string();
    assert!(
        message.contains("client.server = 10.0.1.2: needs a local-address of its IP version"),
        "{message}"
    );
}

/// Both sides of a boundary clock on the same interfaces are one port.
#[test]
fn upstream_servers_are_behind_the_same_interfaces() {
    let text =
        "[server]\ninterface = \"eth0\"\nalso-interface = [\"eth1\"]\nlocal-address = [\"192.0.2.1\"]\n";
    let settings = Config::parse(&format!("{text}upstream = [\"10.0.1.2\"]\n")).unwrap();
    let upstream = &settings.role.upstream().expect("upstream").common;
    assert!(upstream.interfaces().eq(["eth0", "eth1"]));
    assert_eq!(upstream.local_addresses, settings.common.local_addresses);
    for (line, expected) in [
        ("also-interface = [\"eth2\"]", "line 7: server.upstream.also-interface"),
        ("local-address = [\"192.0.2.2\"]", "line 7: server.upstream.local-address"),
    ] {
        let text = format!("{text}[server.upstream]\nserver = [\"10.0.1.2\"]\n{line}\n");
        let message = Config::parse(&text).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    }
    // On an interface of its own, the other side has an address of its own.
    let text = "[server]\ninterface = \"eth0\"\n[server.upstream]\ninterface = \"eth1\"\nserver = [\"10.0.1.2\"]\n\
                local-address = [\"192.0.2.2\"]\n";
    let settings = Config::parse(text).unwrap();
    assert_eq!(settings.common.local_addresses.len(), 0);
    assert_eq!(settings.role.upstream().expect("upstream").common.local_addresses.len(), 1);
}

/// What the TOML parser finds comes with its line and the keys that exist.
#[test]
fn toml_errors_show_the_line() {
    for (text, line, expected) in [
        ("[server]\ninterface = \"eth0\"\nprio = 1\n", "line 3", "unknown field `prio`"),
        ("[server]\ninterface = \"eth0\"\ndscp = \"high\"\n", "line 3", "invalid type"),
        ("[server]\ninterface = \"eth0\"\nclock = \"gps\"\n", "line 3", "unknown variant `gps`"),
        ("[client]\nserver = [\"10.0.1\"]\n", "line 2", "\"10.0.1\" is no IPv4 or IPv6 address"),
        ("[client]\nserver = [\"10.0.1.2@x\"]\n", "line 2", "\"x\" is no priority"),
        ("[master]\n", "line 1", "unknown field `master`"),
        ("[server]\nuser = \"ptp:ptp\"\n", "line 2", "\"ptp:ptp\" is no user"),
        ("[server]\nuser = \"1:x\"\n", "line 2", "UID or UID:GID"),
        ("[server\n", "line 1", ""),
    ] {
        let message = Config::parse(text).unwrap_err().to_string();
        assert!(message.contains(line) && message.contains(expected), "{text:?}: {message}");
    }
}

#[test]
fn one_role_only() {
    assert!(matches!(Config::parse(&format!("{CLIENT}{SERVER}")), Err(ConfigError::TwoRoles)));
    assert!(matches!(Config::parse(""), Err(ConfigError::NoRole)));
}

#[test]
fn files_are_named() {
    let message = Config::load(Path::new("/nonexistent/ptp.toml")).unwrap_err().to_string();
    assert!(message.contains("/nonexistent/ptp.toml"), "{message}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{SERVER}dscp = 64\n")).unwrap();
    let message = Config::load(file.path()).unwrap_err().to_string();
    assert!(
        message.contains(file.path().to_str().unwrap()) && message.contains("line 3: server.dscp"),
        "{message}"
    );
}

/// The flags' defaults are the file's defaults.
#[test]
fn flags_and_keys_have_the_same_defaults() {
    #[derive(clap::Parser)]
    struct Flags<T: clap::Args> {
        #[command(flatten)]
        options: T,
    }
    let flags = <Flags<ClientOptions> as clap::Parser>::parse_from(["x", "eth0", "--server", "10.0.1.2"]);
    assert_eq!(flags.options.validate().unwrap(), Config::parse(CLIENT).unwrap());
    let flags = <Flags<ServerOptions> as clap::Parser>::parse_from(["x", "eth0"]);
    assert_eq!(flags.options.validate().unwrap(), Config::parse(SERVER).unwrap());
}

#[test]
fn a_server_with_servers_is_a_boundary_clock() {
    let list =
        Config::parse("[server]\ninterface = \"eth0\"\nupstream = [\"10.0.1.2\", \"10.0.2.2@7\"]\n").unwrap();
    let upstream = list.role.upstream().expect("upstream");
    assert_eq!(upstream.common.interface, "eth0");
    assert_eq!(upstream.client.servers[1].local_priority, 7);

    let table = Config::parse(
        "[server]\ninterface = \"eth0\"\ndomain = 44\nclock = \"phc\"\n\n[server.upstream]\ninterface = \"eth1\"\n\
         server = [\"10.0.1.2\"]\ndata-plane = \"socket\"\n",
    )
    .unwrap();
    let upstream = table.role.upstream().expect("upstream");
    let Common { interface, domain_number, clock, data_plane, .. } = &upstream.common;
    assert_eq!((interface.as_str(), *domain_number), ("eth1", 44));
    assert_eq!((*clock, *data_plane), (Clock::Phc, DataPlaneKind::Socket));
    assert_eq!(table.common.data_plane, DataPlaneKind::Xdp);

    for (lines, expected) in [
        ("upstream = 7", "a list of servers, such as"),
        ("[server.upstream]\nserver = [\"10.0.1.2\"]\nclock = \"phc\"", "line 5: server.upstream.clock"),
        ("[server.upstream]\nserver = [\"10.0.1.2\"]\nuser = \"ptp\"", "line 5: server.upstream.user"),
        ("[server.upstream]\nserver = [\"10.0.1.2\"]\nduration = 1", "line 5: server.upstream.duration = 1"),
        ("[server.upstream]\nserver = [\"10.0.1.2\"]\nholdover = 1", "unknown field `holdover`"),
        ("holdover-limit = 0", "line 3: server.holdover-limit = 0: must be 1 to"),
        ("clock-class = \"best\"", "best is no clockClass"),
    ] {
        let message =
            Config::parse(&format!("[server]\ninterface = \"eth0\"\n{lines}\n")).unwrap_err().to_string();
        assert!(message.contains(expected), "{lines}: {message}");
    }
}
