//! The parts of a configuration of ptp4l.

use super::options::Entry;
use toml::Value;

/// What a file says.
#[derive(Default)]
pub(super) struct Original<'a> {
    pub(super) global: Vec<Entry<'a>>,
    /// In the order of the file.
    pub(super) ports: Vec<Port<'a>>,
    tables: Vec<MasterTable<'a>>,
    pub(super) left_out: Vec<String>,
}

/// An interface's section.
#[derive(Default)]
pub(super) struct Port<'a> {
    pub(super) interface: &'a str,
    pub(super) options: Vec<Entry<'a>>,
}

/// A [unicast_master_table].
#[derive(Default)]
struct MasterTable<'a> {
    line: usize,
    id: &'a str,
    servers: Vec<Value>,
}

impl<'a> Original<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let mut original = Self::default();
        let mut section = "global";
        for (index, line) in text.lines().enumerate() {
            let (number, line) = (index + 1, line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.trim();
                original.open(section, number);
                continue;
            }
            let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let option = Entry { line: number, name, value: value.trim() };
            match section {
                "unicast_master_table" => original.server(&option),
                "global" => original.global.push(option),
                section if section.contains("_table") => {
                    original
                        .left_out
                        .push(format!("line {number}: {line}: nothing of [{section}] has a counterpart"));
                }
                section => {
                    if let Some(port) = original.ports.iter_mut().find(|port| port.interface == section) {
                        port.options.push(option);
                    }
                }
            }
        }
        original
    }

    fn open(&mut self, section: &'a str, line: usize) {
        if section == "unicast_master_table" {
            self.tables.push(MasterTable { line, ..MasterTable::default() });
        } else if section != "global"
            && !section.contains("_table")
            && self.ports.iter().all(|port| port.interface != section)
        {
            self.ports.push(Port { interface: section, options: Vec::new() });
        }
    }

    /// A line of [unicast_master_table].
    fn server(&mut self, option: &Entry<'a>) {
        let Some(table) = self.tables.last_mut() else { return };
        match option.name {
            "UDPv4" | "UDPv6" => table.servers.push(option.value.into()),
            "table_id" => table.id = option.value,
            // Servers are asked as they need it.
            "logQueryInterval" => {}
            name => self.left_out.push(format!(
                "line {}: {name} {}: only UDPv4 and UDPv6 are built",
                option.line, option.value
            )),
        }
    }

    /// Are there servers to follow?
    pub(super) fn has_servers(&self) -> bool {
        self.tables.iter().any(|table| !table.servers.is_empty())
    }

    /// The servers of a port: of the table that it names, or of all where it names none.
    pub(super) fn take_servers(&mut self, port: Option<usize>) -> Vec<Value> {
        let port = port.and_then(|index| self.ports.get(index));
        let named = port.and_then(|port| port.value("unicast_master_table"));
        let named = named.filter(|id| self.tables.iter().any(|table| table.id == *id));
        let mut servers = Vec::new();
        for table in std::mem::take(&mut self.tables) {
            match named {
                Some(id) if id != table.id => self.left_out.push(format!(
                    "line {}: [unicast_master_table] with table_id {}: it is not that of the port, {id}",
                    table.line, table.id
                )),
                _ => servers.extend(table.servers),
            }
        }
        servers
    }

    /// Is this on for a port, by its own section or by [global]?
    pub(super) fn is_on(&self, port: Option<&Port<'_>>, name: &str) -> bool {
        let own = port.and_then(|port| port.value(name));
        own.or_else(|| value(&self.global, name)).is_some_and(|value| value != "0")
    }

    /// Ports of a boundary clock: which faces the servers, and which the clients.
    pub(super) fn sides(&self) -> Option<(usize, usize)> {
        let [first, second] = &self.ports[..] else { return None };
        let [a, b] = [first, second].map(|port| self.is_on(Some(port), "unicast_master_table"));
        let (upstream, downstream) = match (a, b) {
            (true, false) => (0, 1),
            (false, true) => (1, 0),
            _ => return None,
        };
        (self.has_servers() && self.is_on(self.ports.get(downstream), "unicast_listen"))
            .then_some((upstream, downstream))
    }
}

impl Port<'_> {
    /// Of its own section.
    fn value(&self, name: &str) -> Option<&str> {
        value(&self.options, name)
    }
}

/// The last one rules.
fn value<'a>(options: &[Entry<'a>], name: &str) -> Option<&'a str> {
    options.iter().rev().find(|option| option.name == name).map(|option| option.value)
}
