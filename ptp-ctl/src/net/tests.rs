mod interface;
mod namespace;
mod pending;
mod sockets;
