use super::paths::mentions;
use super::*;

fn found(text: &str) -> Vec<(usize, String)> {
    mentions(text).into_iter().map(|mention| (mention.line, mention.path.join("::"))).collect()
}

fn module(path: &str) -> Vec<String> {
    path.split("::").map(str::to_owned).collect()
}

fn violations(crate_directory: &str, path: &str, text: &str) -> Vec<String> {
    check_file(crate_directory, Path::new("x.rs"), &module(path), text)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn groups_are_taken_apart() {
    let text = "use crate::{clock, engine::{self, Input as I}, net::*};\nfn f() -> std::io::Result<()> {}";
    let expected = ["crate::clock", "crate::engine", "crate::engine::Input", "crate::net", "std::io::Result"];
    let lines = [1, 1, 1, 1, 2];
    assert_eq!(found(text), lines.into_iter().zip(expected.map(str::to_owned)).collect::<Vec<_>>());
}

#[test]
fn comments_and_literals_do_not_count() {
    let text = r##"
        // crate::a
        /* crate::b /* crate::c */ crate::d */
        let s = "crate::e \" crate::f"; let r = r#"crate::g "crate::h"#; let c = '"'; let d = '\'';
        fn f<'a>(x: &'a crate::i::J) {}
    "##;
    assert_eq!(found(text), [(5, "crate::i::J".to_owned())]);
}

#[test]
fn the_engine_stands_alone() {
    let bad = [
        "use crate::clock::Clock;",
        "use super::super::clock;",
        "use std::{net::{IpAddr, UdpSocket}};",
        "use std::time::{Duration, Instant};",
        "let now = std::time::SystemTime::now();",
        "let now = libc::time();",
        "use tokio::time;",
    ];
    for text in bad {
        assert_eq!(violations("ptp-ctl", "engine::client", text).len(), 1, "{text}");
    }
    let good = [
        "use std::net::IpAddr;",
        "use std::time::Duration;",
        "use crate::engine::Instant;",
        "use super::time::Instant;",
        "use ptp_common::time::Timestamp;",
    ];
    for text in good {
        assert_eq!(violations("ptp-ctl", "engine::client", text), <[&str; 0]>::default(), "{text}");
    }
}

#[test]
fn rooms_that_stand_beside_each_other_do_not_import_each_other() {
    let text = "use crate::net;\nuse crate::{dataplane::Ring,\n clock::Clock};";
    assert_eq!(
        violations("ptp-ctl", "clock::phc", text),
        [
            "x.rs:1: clock may not import net: crate::net",
            "x.rs:2: clock may not import dataplane: crate::dataplane::Ring",
        ]
    );
    assert_eq!(violations("ptp-ctl", "runtime", text).len(), 0);
    assert_eq!(violations("ptp-common", "net", "use crate::time::Timestamp;").len(), 1);
    assert_eq!(violations("ptp-common", "wire::announce", "use crate::time::Timestamp;").len(), 0);
}

#[test]
fn manifests_name_only_what_they_may() {
    let rule = CrateRule { directory: "ptp-ctl", may_depend_on: &["ptp-common"] };
    let text = "[package]\nname = \"ptp-ctl\"\n[dependencies]\nptp-common.workspace = true\nptp-tests = { path = \"..\" }\n\
                [lints]\nworkspace = true\n";
    let violations = check_manifest(&rule, Path::new("ptp-ctl/Cargo.toml"), text);
    let shown: Vec<_> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["ptp-ctl/Cargo.toml:5: ptp-ctl may not depend on ptp-tests"]);
}

#[test]
fn files_are_modules() {
    assert_eq!(module_path(Path::new("engine/client/mod.rs")), ["engine", "client"]);
    assert_eq!(module_path(Path::new("engine/time.rs")), ["engine", "time"]);
    assert_eq!(module_path(Path::new("lib.rs")), <[&str; 0]>::default());
}

#[test]
fn this_workspace_keeps_the_rules() {
    let violations = check(workspace_root()).unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}
