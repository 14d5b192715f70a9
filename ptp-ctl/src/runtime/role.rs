//! The engine that runs: a client or a server.

use crate::config;
use crate::engine::client::Client;
use crate::engine::server::Server;
use crate::engine::{Engine, Instant};
use crate::report::{CounterSet, RoleStatus};

/// The engine, and what differs between its two kinds besides the [`Engine`] contract.
pub(super) enum Role {
    Client(Box<Client>),
    Server(Box<Server>),
}

impl Role {
    pub(super) fn new(now: Instant, role: &config::Role, local: &config::Local) -> Self {
        match role {
            config::Role::Client(client) => {
                Self::Client(Box::new(Client::new(now, client.engine_config(local))))
            }
            config::Role::Server(server) => {
                Self::Server(Box::new(Server::new(now, server.engine_config(local))))
            }
        }
    }

    pub(super) fn engine(&mut self) -> &mut dyn Engine {
        match self {
            Self::Client(client) => client.as_mut(),
            Self::Server(server) => server.as_mut(),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Client(client) => client.poll_timeout(),
            Self::Server(server) => server.poll_timeout(),
        }
    }

    /// Ends every contract; it is over when [`is_finished`](Self::is_finished) says so.
    pub(super) fn shutdown(&mut self, now: Instant) {
        match self {
            Self::Client(client) => client.shutdown(now),
            Self::Server(server) => server.shutdown(now),
        }
    }

    /// After a shutdown: nothing is awaited any more.
    pub(super) fn is_finished(&self) -> bool {
        match self {
            Self::Client(client) => client.is_finished(),
            Self::Server(server) => server.is_finished(),
        }
    }

    pub(super) fn status(&self, now: Instant) -> RoleStatus {
        match self {
            Self::Client(client) => RoleStatus::Client(client.status(now)),
            Self::Server(server) => RoleStatus::Server(server.status(now)),
        }
    }

    /// The server; `None` of a client.
    pub(super) fn server(&self) -> Option<&Server> {
        match self {
            Self::Client(_) => None,
            Self::Server(server) => Some(server),
        }
    }

    pub(super) fn counters(&self) -> CounterSet {
        match self {
            Self::Client(client) => client.counters().collect(),
            Self::Server(server) => server.counters().collect(),
        }
    }
}
