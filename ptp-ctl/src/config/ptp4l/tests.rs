use super::*;
use crate::config::{Config, Settings};

const CLIENT: &str = "# a client
[global]
domainNumber\t\t44
logSyncInterval -4
logMinDelayReqInterval -4
unicast_req_duration 120
time_stamping software
step_threshold 0.00002
pi_proportional_const 0.7
syncReceiptTimeout 0
network_transport UDPv4

[unicast_master_table]
table_id 1
logQueryInterval 2
UDPv4 10.0.1.2
UDPv4 10.0.2.2
L2 02:00:00:00:00:01

[eth1]
unicast_master_table 1
delayAsymmetry -250
";

fn parsed(text: &str) -> Settings {
    Config::parse(text).unwrap()
}

#[test]
fn a_client_becomes_ours() {
    let Translation { text, left_out } = translate(CLIENT).unwrap();
    let expected = "[client]\ninterface = \"eth1\"\nserver = [\"10.0.1.2\", \"10.0.2.2\"]\ndomain = 44\n\
                    log-sync-interval = -4\nlog-delay-resp-interval = -4\nduration = 120\nclock = \"system\"\n\
                    step-threshold = 20000\ndelay-asymmetry = -250\n";
    assert_eq!(parsed(&text), parsed(expected), "{text}");
    assert_eq!(
        left_out,
        [
            "line 18: L2 02:00:00:00:00:01: only UDPv4 and UDPv6 are built",
            "line 9: pi_proportional_const 0.7: no counterpart",
            "line 10: syncReceiptTimeout 0: cannot be switched off; the default is in force",
        ]
    );
    for line in &left_out {
        assert!(text.contains(&format!("# Not translated: {line}\n")), "{text}");
    }
}

#[test]
fn a_server_becomes_ours() {
    let original = "[global]\nunicast_listen 1\ninhibit_multicast_service 1\nclockClass 6\nclockAccuracy 0x21\n\
                    twoStepFlag 1\nlogSyncInterval -3\nmajorSdoId 0x1\nstep_threshold 1.0\n[eth0]\n";
    let Translation { text, left_out } = translate(original).unwrap();
    let expected = "[server]\ninterface = \"eth0\"\nclock = \"phc\"\nclock-class = 6\nclock-accuracy = 33\nsdo-id = 256\n";
    assert_eq!(parsed(&text), parsed(expected), "{text}");
    assert_eq!(left_out, ["line 9: step_threshold 1.0: means nothing for a server"]);
}

#[test]
fn who_only_measures_steers_nothing() {
    let text = format!("{CLIENT}free_running 1\n");
    assert!(translate(&text).unwrap().text.contains("clock = \"none\""));
}

#[test]
fn what_cannot_be_is_said() {
    for (text, cause) in [
        ("[global]\ndomainNumber 0\n[eth0]\n", "no unicast"),
        ("[global]\nunicast_listen 1\n[eth0]\n[eth1]\n", "eth0, eth1"),
        ("[global]\nunicast_listen 1\ndomainNumber 300\n[eth0]\n", "server.domain = 300: must be 0 to 255"),
    ] {
        let message = translate(text).unwrap_err().to_string();
        assert!(message.contains(cause), "{message}");
    }
    let Translation { text, left_out } = translate("unicast_listen 1\n").unwrap();
    assert!(text.contains("interface = \"eth0\"") && left_out[0].contains("ptp4l -i"), "{text}");
}
