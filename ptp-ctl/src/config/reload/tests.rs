use super::*;
use crate::config::Role;
use clap::ValueEnum;

fn source(text: &str) -> Source {
    Source { path: PathBuf::new(), text: text.to_owned() }
}

const CLIENT: &str = "[client]\ninterface = \"eth0\"\nserver = [\"192.0.2.1\"]\n";
const SERVER: &str = "[server]\ninterface = \"eth0\"\n";

#[test]
fn what_is_looked_up_when_needed_is_applied_and_the_rest_is_named() {
    let mut source = source(CLIENT);
    let wanted =
        format!("{CLIENT}wait-to-restore = 5\ndomain = 3\nvirtual-offset = 7\nclock = \"virtual\"\n");
    let (settings, changes) = source.reload(&wanted).unwrap();
    assert_eq!(changes.applied, ["wait-to-restore"]);
    assert_eq!(changes.needs_restart, ["clock", "domain", "virtual-offset"]);
    let applied = format!("{CLIENT}wait-to-restore = 5.0\n");
    assert_eq!(settings, Config::parse(&applied).unwrap());
    // Once more: what needs a restart still does.
    let (_, changes) = source.reload(&wanted).unwrap();
    assert_eq!((changes.applied.len(), changes.needs_restart.len()), (0, 3));
    // And back.
    let (settings, changes) = source.reload(CLIENT).unwrap();
    assert_eq!((changes.applied, changes.needs_restart.len()), (vec!["wait-to-restore".to_owned()], 0));
    assert_eq!(settings, Config::parse(CLIENT).unwrap());
}

#[test]
fn a_file_that_is_wrong_changes_nothing() {
    let mut source = source(CLIENT);
    let error = source.reload(&format!("{CLIENT}wait-to-restore = 5\ndscp = 99\n")).unwrap_err().to_string();
    assert!(error.contains("line 5: client.dscp = 99"), "{error}");
    assert_eq!(source.text, CLIENT);
    let (settings, changes) = source.reload(SERVER).unwrap();
    assert_eq!((changes.applied.len(), changes.needs_restart), (0, vec!["server".to_owned()]));
    assert_eq!(settings, Config::parse(CLIENT).unwrap());
}

#[test]
fn defaults_written_out_are_no_change() {
    for role in RoleName::ALL {
        let text = if role == RoleName::Client { CLIENT } else { SERVER };
        let (_, table) = effective(text).unwrap();
        let full = Table::from_iter([(role.name().to_owned(), Value::Table(table))]).to_string();
        let (settings, changes) = source(text).reload(&full).unwrap();
        assert_eq!(changes, Changes::default());
        assert_eq!(settings, Config::parse(text).unwrap());
        for key in role.live() {
            assert!(role.keys(Profile::Default).iter().any(|known| known.name == *key), "{key} is no key");
        }
    }
}

#[test]
fn a_profile_applies_as_far_as_its_keys_do() {
    let wanted = format!("{CLIENT}profile = \"g8275.2\"\n");
    let (settings, changes) = source(CLIENT).reload(&wanted).unwrap();
    let applied = ["log-delay-resp-interval", "log-sync-interval", "profile", "retry"];
    assert_eq!(changes.applied, applied);
    assert_eq!(changes.needs_restart, ["domain"]);
    assert_eq!(settings.common.domain_number, 0);
}

#[test]
fn a_boundary_clock_has_both_sides() {
    let boundary =
        |more: &str| format!("{SERVER}priority2 = 7\n[server.upstream]\nserver = [\"192.0.2.1\"]\n{more}");
    let mut source = source(&boundary(""));
    let (settings, changes) = source.reload(&boundary("wait-to-restore = 1.5\nservo = \"pi\"\n")).unwrap();
    assert_eq!(changes.applied, ["upstream.wait-to-restore"]);
    assert_eq!(changes.needs_restart, ["upstream.servo"]);
    let Role::Server(server) = &settings.role else { panic!("no server") };
    assert!(server.upstream.is_some());
    let expected = Config::parse(&boundary("wait-to-restore = 1.5\n")).unwrap();
    assert_eq!(settings, expected);
}

#[test]
fn servers_come_and_go_and_change_places() {
    let of = |servers: &str| format!("[client]\ninterface = \"eth0\"\nserver = {servers}\n");
    let mut source = source(&of(r#"["192.0.2.1", "192.0.2.2"]"#));
    for servers in
        [r#"["192.0.2.1", "2001:db8::1"]"#, r#"["2001:db8::1", "192.0.2.1"]"#, r#"["192.0.2.1@7"]"#]
    {
        let (settings, changes) = source.reload(&of(servers)).unwrap();
        assert_eq!(changes, Changes { applied: vec!["server".to_owned()], needs_restart: Vec::new() });
        assert_eq!(settings, Config::parse(&of(servers)).unwrap());
    }
    let error = source.reload(&of("[]")).unwrap_err().to_string();
    assert!(error.contains("line 3: client.server = []"), "{error}");
}

/// A list of upstream servers, or a table that has them, in any profile.
#[test]
fn upstream_servers_are_a_list_or_a_table() {
    for profile in Profile::value_variants() {
        let server = format!("{SERVER}profile = \"{}\"\n", profile.name());
        let list = |servers: &str| format!("{server}upstream = {servers}\n");
        let table = |more: &str| format!("{server}[server.upstream]\nserver = {more}\n");
        let mut source = source(&list(r#"["192.0.2.1"]"#));
        for (wanted, applied) in [
            (list(r#"["192.0.2.1", "192.0.2.2"]"#), vec!["upstream.server"]),
            (table(r#"["192.0.2.1", "192.0.2.2"]"#), vec![]),
            (
                table("[\"192.0.2.2\"]\nwait-to-restore = 5"),
                vec!["upstream.server", "upstream.wait-to-restore"],
            ),
            (list(r#"["192.0.2.2"]"#), vec!["upstream.wait-to-restore"]),
        ] {
            let (settings, changes) = source.reload(&wanted).unwrap();
            assert_eq!((changes.applied, changes.needs_restart), (to_strings(applied), vec![]), "{wanted}");
            assert_eq!(settings, Config::parse(&wanted).unwrap());
        }
        // No longer a boundary clock: that is another machine.
        let (settings, changes) = source.reload(&list("[]")).unwrap();
        assert_eq!((changes.applied.len(), changes.needs_restart), (0, to_strings(vec!["upstream"])));
        assert_eq!(settings, Config::parse(&list(r#"["192.0.2.2"]"#)).unwrap());
    }
}

fn to_strings(keys: Vec<&str>) -> Vec<String> {
    keys.into_iter().map(str::to_owned).collect()
}
