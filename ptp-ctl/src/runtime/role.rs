//! The engine that runs: a client, a server, or both as a boundary clock.

use crate::config;
use crate::engine::boundary::{Boundary, Side};
use crate::engine::client::Client;
use crate::engine::server::Server;
use crate::engine::{Engine, Input, Instant, Output};
use crate::report::{CounterSet, RoleStatus};

/// The engine, and what differs between its kinds besides the [`Engine`] contract.
pub(super) enum Role {
    Client(Box<Client>),
    Server(Box<Server>),
    Boundary(Box<Boundary>),
}

impl Role {
    pub(super) fn new(now: Instant, role: &config::Role, local: &config::Local) -> Self {
        match role {
            config::Role::Client(client) => {
                Self::Client(Box::new(Client::new(now, client.engine_config(local))))
            }
            config::Role::Server(server) => {
                let config = server.engine_config(local);
                match &server.upstream {
                    None => Self::Server(Box::new(Server::new(now, config))),
                    Some(upstream) => {
                        let config = upstream.engine_config(config, local);
                        Self::Boundary(Box::new(Boundary::new(now, config)))
                    }
                }
            }
        }
    }

    /// Other settings of the same role, which differ in what the engine looks up whenever it needs it.
    pub(super) fn reconfigure(&mut self, now: Instant, role: &config::Role, local: &config::Local) {
        match (self, role) {
            (Self::Client(engine), config::Role::Client(client)) => {
                engine.reconfigure(now, client.engine_config(local));
            }
            (Self::Server(engine), config::Role::Server(server)) => {
                engine.reconfigure(server.engine_config(local));
            }
            (Self::Boundary(engine), config::Role::Server(server)) => {
                if let Some(upstream) = &server.upstream {
                    engine.reconfigure(now, upstream.engine_config(server.engine_config(local), local));
                }
            }
            _ => {}
        }
    }

    pub(super) fn engine(&mut self) -> &mut dyn Engine {
        match self {
            Self::Client(client) => client.as_mut(),
            Self::Server(server) => server.as_mut(),
            Self::Boundary(boundary) => boundary.as_mut(),
        }
    }

    /// Something came to a port; `side` is where it faces, if it faces one way only.
    pub(super) fn handle_at(&mut self, side: Option<Side>, now: Instant, input: Input<'_>) {
        match (self, side) {
            (Self::Boundary(boundary), Some(side)) => boundary.handle_at(side, now, input),
            (role, _) => role.engine().handle(now, input),
        }
    }

    /// The next thing to do, and which way the port faces that it is for.
    pub(super) fn poll_output(&mut self) -> Option<(Side, Output)> {
        match self {
            Self::Client(client) => client.poll_output().map(|output| (Side::Upstream, output)),
            Self::Server(server) => server.poll_output().map(|output| (Side::Downstream, output)),
            Self::Boundary(boundary) => boundary.poll_output_of(),
        }
    }

    /// The same, to be asked only.
    fn engine_ref(&self) -> &dyn Engine {
        match self {
            Self::Client(client) => client.as_ref(),
            Self::Server(server) => server.as_ref(),
            Self::Boundary(boundary) => boundary.as_ref(),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.engine_ref().poll_timeout()
    }

    /// The client, where there is one.
    pub(super) fn client(&self) -> Option<&Client> {
        match self {
            Self::Client(client) => Some(client),
            Self::Server(_) => None,
            Self::Boundary(boundary) => Some(boundary.client()),
        }
    }

    /// Ends every contract; it is over when [`is_finished`](Self::is_finished) says so.
    pub(super) fn shutdown(&mut self, now: Instant) {
        match self {
            Self::Client(client) => client.shutdown(now),
            Self::Server(server) => server.shutdown(now),
            Self::Boundary(boundary) => boundary.shutdown(now),
        }
    }

    /// After a shutdown: nothing is awaited any more.
    pub(super) fn is_finished(&self) -> bool {
        self.engine_ref().is_finished()
    }

    pub(super) fn status(&self, now: Instant) -> RoleStatus {
        match self {
            Self::Client(client) => RoleStatus::Client(client.status(now)),
            Self::Server(server) => RoleStatus::Server(server.status(now)),
            Self::Boundary(boundary) => RoleStatus::Boundary {
                server: boundary.server().status(now),
                upstream: Box::new(boundary.client().status(now)),
            },
        }
    }

    /// The server; `None` of a client.
    pub(super) fn server(&self) -> Option<&Server> {
        match self {
            Self::Client(_) => None,
            Self::Server(server) => Some(server),
            Self::Boundary(boundary) => Some(boundary.server()),
        }
    }

    /// The same, to be changed.
    pub(super) fn server_mut(&mut self) -> Option<&mut Server> {
        match self {
            Self::Client(_) => None,
            Self::Server(server) => Some(server),
            Self::Boundary(boundary) => Some(boundary.server_mut()),
        }
    }

    /// Of the messages that came in; of a boundary clock, those of its server.
    pub(super) fn counters(&self) -> CounterSet {
        match self {
            Self::Client(client) => client.counters().collect(),
            Self::Server(server) => server.counters().collect(),
            Self::Boundary(boundary) => boundary.server().counters().collect(),
        }
    }
}
