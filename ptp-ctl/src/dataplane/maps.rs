//! The program's maps with their types, fresh from the object or from their pins.

use super::error::DataPlaneError;
use super::pod::Plain;
use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, RingBuf};
use ptp_common::abi::{ABI_VERSION, ClientGrant, ClientKey, Config, Controller, LocalKey, ServerKey, names};
use std::path::Path;

/// Those that are pinned: all of them.
pub(super) const NAMES: [&str; 7] = [
    names::CONFIG,
    names::CONTROLLER,
    names::LOCAL,
    names::SERVERS,
    names::CLIENTS,
    names::EVENTS,
    names::COUNTERS,
];

pub(super) struct Maps {
    pub(super) controller: Array<MapData, Plain<Controller>>,
    pub(super) local: HashMap<MapData, Plain<LocalKey>, u32>,
    pub(super) servers: HashMap<MapData, Plain<ServerKey>, u32>,
    pub(super) clients: HashMap<MapData, Plain<ClientKey>, Plain<ClientGrant>>,
    pub(super) events: RingBuf<MapData>,
    pub(super) counters: PerCpuArray<MapData, u64>,
}

impl Maps {
    /// Takes the maps out of a loaded object.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, DataPlaneError> {
        Self::collect(|name| {
            ebpf.take_map(name).ok_or_else(|| DataPlaneError::BadObject(format!("it has no map {name}")))
        })
    }

    /// Opens the pinned maps in that directory.
    pub(super) fn from_pins(directory: &Path) -> Result<Self, DataPlaneError> {
        Self::collect(|name| open_pin(directory, name))
    }

    fn collect(
        mut map: impl FnMut(&'static str) -> Result<Map, DataPlaneError>,
    ) -> Result<Self, DataPlaneError> {
        Ok(Self {
            controller: typed(map(names::CONTROLLER)?, names::CONTROLLER)?,
            local: typed(map(names::LOCAL)?, names::LOCAL)?,
            servers: typed(map(names::SERVERS)?, names::SERVERS)?,
            clients: typed(map(names::CLIENTS)?, names::CLIENTS)?,
            events: typed(map(names::EVENTS)?, names::EVENTS)?,
            counters: typed(map(names::COUNTERS)?, names::COUNTERS)?,
        })
    }
}

/// Tells the program that it may work.
pub(super) fn write_config(ebpf: &mut Ebpf, mode: u32, device_bound: bool) -> Result<(), DataPlaneError> {
    let map = ebpf
        .map_mut(names::CONFIG)
        .ok_or_else(|| DataPlaneError::BadObject(format!("it has no map {}", names::CONFIG)))?;
    let config = Config { abi_version: ABI_VERSION, mode, device_bound: device_bound.into() };
    Array::<_, Plain<Config>>::try_from(map)
        .and_then(|mut map| map.set(0, Plain(config), 0))
        .map_err(access(names::CONFIG))
}

/// What the loader of the pinned program wrote. Only the first word is read before the version is known to be ours.
pub(super) fn read_pinned_config(directory: &Path) -> Result<Config, DataPlaneError> {
    let map: Array<MapData, Plain<Config>> = typed(open_pin(directory, names::CONFIG)?, names::CONFIG)
        .map_err(|_| DataPlaneError::AbiMismatch { directory: directory.to_owned(), pinned: None })?;
    let Plain(config) = map.get(&0, 0).map_err(access(names::CONFIG))?;
    if config.abi_version == ABI_VERSION {
        Ok(config)
    } else {
        Err(DataPlaneError::AbiMismatch { directory: directory.to_owned(), pinned: Some(config.abi_version) })
    }
}

pub(super) fn open_pinned_counters(directory: &Path) -> Result<PerCpuArray<MapData, u64>, DataPlaneError> {
    typed(open_pin(directory, names::COUNTERS)?, names::COUNTERS)
}

fn open_pin(directory: &Path, name: &'static str) -> Result<Map, DataPlaneError> {
    MapData::from_pin(directory.join(name)).and_then(Map::from_map_data).map_err(access(name))
}

fn typed<T: TryFrom<Map, Error = MapError>>(map: Map, name: &'static str) -> Result<T, DataPlaneError> {
    T::try_from(map).map_err(access(name))
}

/// Names the map that an error is about.
pub(super) fn access(map: &'static str) -> impl FnOnce(MapError) -> DataPlaneError {
    move |source| DataPlaneError::Map { map, source }
}
