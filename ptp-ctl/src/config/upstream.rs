//! The servers of a server: what makes it a boundary clock.

use super::check::Checker;
use super::{ClientOptions, ClientSettings, Common, ConfigError, Local, Role, ServerAddress, ServerOptions};
use crate::engine::boundary::BoundaryConfig;
use crate::engine::config::ServerConfig;
use ptp_common::wire::PortIdentity;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// Port of a boundary clock that faces its servers.
const UPSTREAM_PORT: u16 = 2;

/// `upstream` of a server: a list of servers, or a table with a client's settings.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub struct UpstreamOptions {
    /// Server to follow, whose time is passed on (a boundary clock); a client's other settings go into a file
    #[arg(id = "upstream", long, value_name = "ADDR[@PRIORITY]")]
    pub servers: Vec<ServerAddress>,
    /// From a file.
    #[arg(skip)]
    pub client: Option<Box<ClientOptions>>,
}

/// What makes a server a boundary clock, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// Of the port that faces the servers.
    pub common: Common,
    /// Of the client.
    pub client: ClientSettings,
    holdover_limit_ns: u64,
}

impl Upstream {
    /// What the engine needs, once the machine is known.
    pub fn engine_config(&self, server: ServerConfig, local: &Local) -> BoundaryConfig {
        let port_identity = PortIdentity { port_number: UPSTREAM_PORT, ..local.port_identity };
        let client = self.client.engine_config(&Local { port_identity, ..*local });
        BoundaryConfig { client, server, holdover_limit_ns: self.holdover_limit_ns }
    }
}

impl UpstreamOptions {
    /// Checks every value; `None` without servers.
    pub(super) fn validate(&self, server: &ServerOptions) -> Result<Option<Upstream>, ConfigError> {
        let check = Checker("server.upstream");
        let holdover_limit_ns =
            Checker("server").range("holdover-limit", server.holdover_limit, 1..=1_000_000_000, " ns")?;
        let mut client = match &self.client {
            Some(client) => {
                of_the_clock(&check, client)?;
                (**client).clone()
            }
            None if self.servers.is_empty() => return Ok(None),
            None => ClientOptions { server: self.servers.clone(), ..server.profile.client() },
        };
        client.domain = server.domain;
        client.sdo_id = server.sdo_id;
        client.clock = server.clock;
        client.virtual_offset = server.virtual_offset;
        client.virtual_frequency = server.virtual_frequency;
        client.also_system_clock = server.also_system_clock;
        client.bpffs.clone_from(&server.bpffs);
        client.run_dir.clone_from(&server.run_dir);
        if client.interface.is_empty() {
            client.interface = server.upstream_interface.clone().unwrap_or_default();
        }
        if !client.also_interface.is_empty() {
            let problem = "is for both sides: list all interfaces in [server], and none in [server.upstream]";
            return Err(check.error("also-interface", format!("{:?}", client.also_interface), problem));
        }
        if client.interface.is_empty() || client.interface == server.interface {
            if !client.local_address.is_empty() {
                let problem = "is for both sides on one interface: set it in [server]";
                return Err(check.error("local-address", "…", problem));
            }
            client.interface.clone_from(&server.interface);
            client.also_interface.clone_from(&server.also_interface);
            client.local_address.clone_from(&server.local_address);
            client.data_plane = server.data_plane;
            client.rx_timestamp = server.rx_timestamp;
            client.xdp_mode = server.xdp_mode;
            client.dscp = server.dscp;
        } else if !server.also_interface.is_empty() {
            // Sockets that are bound to no interface leave the ports to no others.
            let problem = format!(
                "does not go with upstream servers on an interface of their own: list {} here, too, and leave it out there",
                client.interface
            );
            return Err(Checker("server").error(
                "also-interface",
                format!("{:?}", server.also_interface),
                problem,
            ));
        }
        let settings = client.validate().map_err(|error| match error {
            ConfigError::Setting { key, value, problem, line, .. } => {
                ConfigError::Setting { role: check.0, key, value, problem, line }
            }
            other => other,
        })?;
        let Role::Client(client) = settings.role else {
            return Ok(None);
        };
        Ok(Some(Upstream { common: settings.common, client, holdover_limit_ns }))
    }
}

/// Settings of the one clock, domain and process are those of the server.
fn of_the_clock(check: &Checker, client: &ClientOptions) -> Result<(), ConfigError> {
    for (key, differs) in for_both_sides(client, &ClientOptions::default()) {
        if differs {
            return Err(check.error(key, "…", "is for both sides: set it in [server]"));
        }
    }
    Ok(())
}

/// Keys that are only the server's, and whether a client has another value than a plain one.
pub(super) fn for_both_sides(client: &ClientOptions, plain: &ClientOptions) -> [(&'static str, bool); 15] {
    [
        ("profile", client.profile != plain.profile),
        ("domain", client.domain != plain.domain),
        ("sdo-id", client.sdo_id != plain.sdo_id),
        ("clock", client.clock != plain.clock),
        ("virtual-offset", client.virtual_offset != plain.virtual_offset),
        ("virtual-frequency", client.virtual_frequency != plain.virtual_frequency),
        ("also-system-clock", client.also_system_clock != plain.also_system_clock),
        ("bpffs", client.bpffs != plain.bpffs),
        ("run-dir", client.run_dir != plain.run_dir),
        ("management-socket", client.management_socket != plain.management_socket),
        ("metrics", client.metrics != plain.metrics),
        ("realtime-priority", client.realtime_priority != plain.realtime_priority),
        ("lock-memory", client.lock_memory != plain.lock_memory),
        ("user", client.user != plain.user),
        ("json", client.json != plain.json),
    ]
}

/// A list or a table.
impl<'de> Deserialize<'de> for UpstreamOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrTable;

        impl<'de> Visitor<'de> for ListOrTable {
            type Value = UpstreamOptions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of servers, such as [\"10.0.1.2\"], or a table with a client's settings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<UpstreamOptions, A::Error> {
                let servers = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(UpstreamOptions { servers, client: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<UpstreamOptions, A::Error> {
                let client = ClientOptions::deserialize(MapAccessDeserializer::new(table))?;
                Ok(UpstreamOptions { client: Some(Box::new(client)), ..UpstreamOptions::default() })
            }
        }

        deserializer.deserialize_any(ListOrTable)
    }
}
