use super::*;
use crate::config::{Config, Role};

const CLIENT: &str = "[client]\ninterface = \"eth0\"\nserver = [\"192.0.2.1\"]\n";

fn named(text: &str, profile: Profile) -> String {
    format!("{text}profile = \"{}\"\n", profile.name())
}

/// Every key of every profile is one of the role, with a value that is allowed.
#[test]
fn every_profile_is_valid() {
    for profile in Profile::value_variants() {
        let tables: Table = toml::from_str(profile.text()).unwrap();
        assert_eq!(tables.keys().collect::<Vec<_>>(), ["client", "server"]);
        for text in [CLIENT, "[server]\ninterface = \"eth0\"\n"] {
            let text = named(text, *profile);
            Config::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        let _: ClientOptions = profile.defaults(RoleName::Client).try_into().unwrap();
        assert_eq!(profile.to_possible_value().unwrap().get_name(), profile.name());
    }
}

#[test]
fn what_is_set_wins() {
    let plain = Config::parse(&named(CLIENT, Profile::Telecom)).unwrap();
    assert_eq!(plain.common.domain_number, 44);
    let text = named(CLIENT, Profile::Telecom) + "domain = 45\n";
    assert_eq!(Config::parse(&text).unwrap().common.domain_number, 45);
    // Also where it is what it would be without a profile.
    let text = named(CLIENT, Profile::Telecom) + "domain = 0\n";
    assert_eq!(Config::parse(&text).unwrap().common.domain_number, 0);
}

#[test]
fn a_boundary_clock_has_one_on_both_sides() {
    let server = named("[server]\ninterface = \"eth0\"\n", Profile::Telecom);
    let list = Config::parse(&(server.clone() + "upstream = [\"192.0.2.1\"]\n")).unwrap();
    let table = Config::parse(&(server.clone() + "[server.upstream]\nserver = [\"192.0.2.1\"]\n")).unwrap();
    assert_eq!(list, table);
    assert_eq!(list.common.domain_number, 44);
    let Role::Server(settings) = &list.role else { panic!("no server") };
    let upstream = settings.upstream.as_ref().unwrap();
    assert_eq!(upstream.common.domain_number, 44);
    let alone = Config::parse(&named(CLIENT, Profile::Telecom)).unwrap();
    let Role::Client(alone) = &alone.role else { panic!("no client") };
    assert_eq!(format!("{:?}", upstream.client), format!("{alone:?}"));
    let error = Config::parse(&(server + "[server.upstream]\nserver = [\"192.0.2.1\"]\nprofile = \"atr\"\n"));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("profile") && error.contains("set it in [server]"), "{error}");
}
