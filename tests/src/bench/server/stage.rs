//! Where it is measured: a namespace that loads, and one for each server, with a link of its own.

use super::load::pin_process;
use crate::netns::{self, Family, Host, Namespace, Plane};
use anyhow::{Context, Result, ensure};
use nix::fcntl::Flock;
use nix::unistd::Pid;
use std::fmt::Write;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

/// The address of client 0; the others follow.
pub(super) const FIRST_CLIENT: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 0);

/// The loading namespace. Namespaces and links go away on drop.
pub(super) struct Stage {
    pub(super) load: Namespace,
    _turn: Flock<File>,
}

/// A server's namespace and the link that leads there.
pub(super) struct Link {
    pub(super) server: Host,
    pub(super) plane: Plane,
    /// The load's end.
    pub(super) interface: String,
    pub(super) ifindex: u32,
    pub(super) load_mac: [u8; 6],
    pub(super) server_mac: [u8; 6],
    pub(super) server_address: Ipv4Addr,
}

/// An interface that programs are attached to only so that live frames are sent without a pause. It is never up: whatever came in
/// there (IPv6 asks for routers by itself) would be counted as made.
pub(super) const SPARE: &str = "spare0";

impl Stage {
    pub(super) fn new() -> Result<Self> {
        let turn = netns::turn()?;
        let load = Namespace::create("load")?;
        load.batch(&format!("link add {SPARE} type veth peer name spare1\n"))?;
        Ok(Self { load, _turn: turn })
    }

    /// Makes a server's namespace; `number` is in all of its names and addresses. Each CPU has a queue of its own in
    /// both directions, or all of them share one.
    pub(super) fn link(&self, number: u8, plane: Plane, queues: usize) -> Result<Link> {
        let server = Host::create(&format!("{number}-server"), number)?;
        let IpAddr::V4(server_address) = server.address(plane, Family::V4) else {
            unreachable!("an IPv4 address was asked for")
        };
        let [a, b, c, _] = server_address.octets();
        let load_address = Ipv4Addr::new(a, b, c, 1);
        let (load_mac, server_mac) = ([2, 0, 0, 1, 0, number], [2, 0, 0, 2, 0, number]);
        let interface = format!("load{number}");
        let queues = format!("numtxqueues {queues} numrxqueues {queues}");
        let mut here = String::new();
        writeln!(
            here,
            "link add {interface} address {} {queues} type veth peer name {} address {} {queues} netns {}",
            mac(load_mac),
            plane.interface(),
            mac(server_mac),
            server.namespace().name()
        )?;
        writeln!(here, "address add {load_address}/24 dev {interface}")?;
        writeln!(here, "link set {interface} up")?;
        self.load.batch(&here)?;
        let device = plane.interface();
        let mut there = String::new();
        writeln!(there, "address add {server_address}/24 dev {device}")?;
        writeln!(there, "link set {device} up")?;
        // The clients are behind the load's end, as behind a router.
        writeln!(there, "neighbor add {load_address} lladdr {} dev {device} nud permanent", mac(load_mac))?;
        writeln!(there, "route add {FIRST_CLIENT}/10 via {load_address} dev {device}")?;
        server.namespace().batch(&there)?;
        let name = interface.clone();
        let ifindex = self.load.enter(move || {
            nix::net::if_::if_nametoindex(name.as_str()).with_context(|| format!("no interface {name}"))
        })?;
        Ok(Link { server, plane, interface, ifindex, load_mac, server_mac, server_address })
    }
}

impl Link {
    /// Lets that CPU alone empty the server's queues, as a NIC's interrupts do; a program must be attached there.
    ///
    /// Else the CPU that fills one also empties it, in the time that it would fill it.
    pub(super) fn receive_on(&self, cpu: usize) -> Result<()> {
        let device = self.plane.interface();
        let script = format!("echo 1 > /sys/class/net/{device}/threaded");
        // This mounts the namespace's own /sys.
        let status = Command::new("ip")
            .args(["netns", "exec", self.server.namespace().name(), "sh", "-c", &script])
            .status()
            .context("cannot start `ip`")?;
        ensure!(status.success(), "{device} cannot be received from in a thread");
        let prefix = format!("napi/{device}-");
        let mut threads = 0;
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
            // It may have ended meanwhile.
            if fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with(&prefix)) {
                pin_process(Pid::from_raw(pid), cpu)?;
                threads += 1;
            }
        }
        ensure!(threads > 0, "no thread receives from {device}");
        Ok(())
    }
}

fn mac(octets: [u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}
