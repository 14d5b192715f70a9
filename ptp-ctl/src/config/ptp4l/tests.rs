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

const BOUNDARY: &str = "[global]
domainNumber 44
dscp_event 46
logSyncInterval -4
step_threshold 0.00002
clockClass 248
priority1 127
boundary_clock_jbod 1
syncReceiptTimeout 0
summary_interval 1
unicast_listen 1

[unicast_master_table]
table_id 2
UDPv4 10.9.9.9

[unicast_master_table]
table_id 1
UDPv4 10.0.1.2
UDPv4 10.0.2.2

[eth0]
unicast_master_table 1
delayAsymmetry -250
transportSpecific 1
[eth1]
logAnnounceInterval 1
delayAsymmetry 70
network_transport L2
";

#[test]
fn a_boundary_clock_becomes_a_server_with_servers() {
    let Translation { text, left_out } = translate(BOUNDARY).unwrap();
    let expected = "[server]\ninterface = \"eth1\"\ndomain = 44\nclock = \"phc\"\npriority1 = 127\nclock-class = 248\n\
                    dscp = 46\n\n[server.upstream]\ninterface = \"eth0\"\nserver = [\"10.0.1.2\", \"10.0.2.2\"]\n\
                    log-sync-interval = -4\ndelay-asymmetry = -250\nstep-threshold = 20000\ndscp = 46\n";
    assert!(text.ends_with(expected), "{text}");
    let settings = parsed(&text);
    let upstream = settings.role.upstream().expect("upstream");
    assert_eq!((settings.common.interface.as_str(), upstream.common.interface.as_str()), ("eth1", "eth0"));
    assert_eq!((settings.common.dscp, upstream.common.dscp), (46, 46));
    assert_eq!(
        left_out,
        [
            "line 13: [unicast_master_table] with table_id 2: it is not that of the port, 1",
            "line 8: boundary_clock_jbod 1: not needed: the clock of a second NIC follows the first one's by itself",
            "line 9: syncReceiptTimeout 0: cannot be switched off; the default is in force",
            "line 10: summary_interval 1: no counterpart",
            "line 28: delayAsymmetry 70: means nothing for a server",
            "line 29: network_transport L2: only UDPv4 and UDPv6 are built",
            "line 25: transportSpecific 1: sdo-id is for both sides, and [server] has another",
        ]
    );
    for line in &left_out {
        assert!(text.contains(&format!("# Not translated: {line}\n")), "{text}");
    }
    // The ports may come in any order, and the port that serves say so itself.
    let swapped = "[unicast_master_table]\nUDPv4 10.0.1.2\ntable_id 7\n[eth1]\nunicast_listen 1\nmajorSdoId 1\n\
                   [eth0]\nunicast_master_table 7\nmajorSdoId 1\n";
    let Translation { text, left_out } = translate(swapped).unwrap();
    let expected = "[server]\ninterface = \"eth1\"\nclock = \"phc\"\nsdo-id = 256\n\
                    [server.upstream]\ninterface = \"eth0\"\nserver = [\"10.0.1.2\"]\n";
    assert_eq!((parsed(&text), left_out), (parsed(expected), Vec::new()), "{text}");
}

/// What has two ports, and is no boundary clock of ours.
#[test]
fn other_pairs_of_ports_are_refused() {
    let table = "[unicast_master_table]\ntable_id 1\nUDPv4 10.0.1.2\n";
    for ports in [
        // Nobody listens.
        "[eth0]\nunicast_master_table 1\n[eth1]\n",
        // Nobody follows.
        "[eth0]\nunicast_listen 1\n[eth1]\nunicast_listen 1\n",
        // Both follow.
        "[eth0]\nunicast_master_table 1\nunicast_listen 1\n[eth1]\nunicast_master_table 1\nunicast_listen 1\n",
        "[eth0]\nunicast_master_table 1\n[eth1]\nunicast_listen 1\n[eth2]\nunicast_listen 1\n",
    ] {
        let message = translate(&format!("{table}{ports}")).unwrap_err().to_string();
        assert!(
            message.contains("several interfaces (eth0, eth1") && message.contains("boundary"),
            "{message}"
        );
    }
}

#[test]
fn a_port_that_listens_and_follows_is_a_client() {
    let text = "[unicast_master_table]\ntable_id 1\nUDPv4 10.0.1.2\n[eth0]\nunicast_master_table 1\nunicast_listen 1\n";
    let Translation { text, left_out } = translate(text).unwrap();
    assert!(text.contains("[client]") && left_out[0].contains("two interfaces"), "{text}");
}
