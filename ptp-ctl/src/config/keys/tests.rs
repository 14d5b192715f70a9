use super::*;
use crate::config::Settings;

/// The file with every default written out.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

fn bare(role: RoleName) -> Settings {
    let text = match role {
        RoleName::Client => "[client]\ninterface = \"eth0\"\nserver = [\"192.0.2.1\"]\n",
        RoleName::Server => "[server]\ninterface = \"eth0\"\n",
    };
    Config::parse(text).unwrap()
}

/// What `init` writes is right as it is, and right with every comment of a default taken away; both are the defaults.
#[test]
fn a_new_file_is_read_back() {
    for role in RoleName::ALL {
        let text = init(role);
        assert_eq!(Config::parse(&text).unwrap(), bare(role), "{text}");
        let full = uncommented(&text);
        assert_ne!(full, text);
        assert_eq!(Config::parse(&full).unwrap_or_else(|error| panic!("{error}\n{full}")), bare(role));
    }
}

#[test]
fn a_new_file_has_every_key_with_help() {
    for role in RoleName::ALL {
        let text = init(role);
        for key in role.keys() {
            assert!(!key.help.is_empty(), "{} has no help", key.name);
            assert!(text.contains(&format!("{} = ", key.name)), "{} is missing", key.name);
        }
    }
}

#[test]
fn what_is_shown_is_what_is_used() {
    let text = "[client]\nserver = [\"10.0.1.2@3\"]\ninterface = \"eth1\"\nwait-to-restore = 0.5\n";
    let given = show(text, false).unwrap();
    assert_eq!(given, "[client]\ninterface = \"eth1\"\nserver = [\"10.0.1.2@3\"]\nwait-to-restore = 0.5\n");
    let effective = show(text, true).unwrap();
    assert!(effective.contains("\ndomain = 0  # default\n"), "{effective}");
    assert!(effective.contains("\n# virtual-offset is not set\n"), "{effective}");
    for shown in [&given, &effective] {
        assert_eq!(Config::parse(shown).unwrap(), Config::parse(text).unwrap(), "{shown}");
    }
    assert!(
        show("[client]\ninterface = \"eth1\"\n", true).unwrap_err().to_string().contains("client.server")
    );
}
