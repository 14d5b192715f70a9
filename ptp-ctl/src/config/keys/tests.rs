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

fn bare(role: RoleName, profile: Profile) -> Settings {
    let mut text = match role {
        RoleName::Client => "[client]\ninterface = \"eth0\"\nserver = [\"192.0.2.1\"]\n",
        RoleName::Server => "[server]\ninterface = \"eth0\"\n",
    }
    .to_owned();
    text += &format!("profile = \"{}\"\n", profile.name());
    Config::parse(&text).unwrap()
}

/// What `init` writes is right as it is, and right with every comment of a default taken away; both are the defaults.
#[test]
fn a_new_file_is_read_back() {
    for (role, profile) in RoleName::ALL
        .iter()
        .flat_map(|role| Profile::value_variants().iter().map(|profile| (*role, *profile)))
    {
        let text = init(role, profile);
        assert_eq!(Config::parse(&text).unwrap(), bare(role, profile), "{text}");
        let full = uncommented(&text);
        assert_ne!(full, text);
        let settings = Config::parse(&full).unwrap_or_else(|error| panic!("{error}\n{full}"));
        assert_eq!(settings, bare(role, profile));
    }
}

#[test]
fn a_new_file_has_every_key_with_help() {
    for role in RoleName::ALL {
        let text = init(role, Profile::Default);
        for key in role.keys(Profile::Default) {
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
    let text = "[client]\nserver = [\"10.0.1.2\"]\ninterface = \"eth1\"\nprofile = \"g8275.2\"\n";
    let effective = show(text, true).unwrap();
    assert!(effective.contains("\ndomain = 44  # profile g8275.2\n"), "{effective}");
    assert_eq!(Config::parse(&effective).unwrap(), Config::parse(text).unwrap(), "{effective}");
    assert!(
        show("[client]\ninterface = \"eth1\"\n", true).unwrap_err().to_string().contains("client.server")
    );
}
