use super::report::{Attached, KernelFeature, Report, Xdp};
use crate::dataplane::Feature;
use crate::net::TimestampingInfo;

/// A veth: native XDP, software stamps only.
fn veth() -> Report {
    Report {
        interface: "veth0".to_owned(),
        ok: false,
        kernel: "Linux 6.18".to_owned(),
        driver: Some("veth".to_owned()),
        mac: Some("02:00:00:00:00:01".to_owned()),
        addresses: vec!["10.0.0.1".parse().unwrap()],
        missing_capabilities: Vec::new(),
        bpf_forbidden: false,
        bpffs: None,
        xdp: Xdp {
            object_embedded: true,
            native: Some(true),
            attached: None,
            rx_timestamp_kfunc: Some(true),
            driver_rx_timestamp: Some(true),
        },
        features: Feature::ALL.map(KernelFeature::of).into(),
        timestamps: TimestampingInfo {
            tx_hardware: false,
            rx_hardware: false,
            tx_software: true,
            rx_software: true,
            raw_hardware: false,
            rx_filters: Vec::new(),
            phc_index: None,
        },
        tai_offset_s: Some(37),
        choices: Vec::new(),
        problems: Vec::new(),
    }
}

#[test]
fn a_veth_is_fine() {
    let mut report = veth();
    report.judge();
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.problems, []);
    assert_eq!(report.choices.len(), 8);
    for choice in &report.choices {
        assert_eq!(choice.ok, choice.clock != "phc" && (choice.ok || choice.clock != "system"), "{choice}");
    }
    assert!(report.to_string().contains("(native XDP) works on veth0"));
}

/// Each of these stops the default data plane, and is said with a fix.
#[test]
fn fatal_problems() {
    type Change = fn(&mut Report);
    let cases: [(Change, &str); 7] = [
        (|report| report.missing_capabilities = vec!["CAP_BPF"], "no CAP_BPF"),
        (|report| report.bpf_forbidden = true, "bpf() is forbidden"),
        (|report| report.xdp.object_embedded = false, "without the XDP program"),
        (|report| report.xdp.native = Some(false), "no native XDP"),
        (
            |report| {
                report.xdp.attached =
                    Some(Attached { program_id: 7, name: Some("other".to_owned()), mode: "native" });
            },
            "`other` (program 7, native)",
        ),
        (|report| report.timestamps.tx_software = false, "no software TX stamps"),
        (|report| report.mac = None, "no Ethernet address"),
    ];
    for (change, expected) in cases {
        let mut report = veth();
        change(&mut report);
        report.judge();
        assert!(!report.ok, "{expected}");
        let [problem] = &report.problems[..] else { panic!("{:?}", report.problems) };
        assert!(
            problem.fatal && problem.problem.contains(expected) && !problem.fix.is_empty(),
            "{problem:?}"
        );
        assert!(report.choices.iter().all(|choice| !choice.ok));
        assert!(report.to_string().contains("does not work"));
    }
}

/// These do not.
#[test]
fn notes() {
    let cases: [fn(&mut Report); 6] = [
        |report| report.xdp.native = None,
        |report| report.addresses.clear(),
        |report| report.bpffs = Some("not mounted".to_owned()),
        |report| report.tai_offset_s = None,
        |report| report.xdp.attached = Some(Attached { program_id: 7, name: None, mode: "native" }),
        |report| {
            report.tai_offset_s = None;
            // Our own program, pinned or in use.
            report.xdp.attached =
                Some(Attached { program_id: 7, name: Some("ptp_xdp".to_owned()), mode: "native" });
        },
    ];
    for change in cases {
        let mut report = veth();
        change(&mut report);
        report.judge();
        assert!(report.ok, "{:?}", report.problems);
        assert_eq!(report.problems.len(), 1);
        assert!(!report.problems[0].fatal);
    }
}
