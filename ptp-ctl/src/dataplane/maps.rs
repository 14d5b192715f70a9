//! The program's maps with their types, fresh from the object or from their pins.

use super::clients::Clients;
use super::error::DataPlaneError;
use super::pod::Plain;
use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, RingBuf};
use ptp_common::abi::{ABI_VERSION, Config, Controller, LocalKey, NextHop, ServerKey, Serving, names};
use std::path::Path;

/// Those that are pinned: all of them.
pub(super) const NAMES: [&str; 11] = [
    names::CONFIG,
    names::CONTROLLER,
    names::LOCAL,
    names::SERVERS,
    names::CLIENTS,
    names::SERVING,
    names::NEXT_HOPS,
    names::DUE,
    names::EVENTS,
    names::COUNTERS,
    names::FAN_OUT_COUNTERS,
];

pub(super) struct Maps {
    pub(super) controller: Array<MapData, Plain<Controller>>,
    pub(super) local: HashMap<MapData, Plain<LocalKey>, u32>,
    pub(super) servers: HashMap<MapData, Plain<ServerKey>, u32>,
    pub(super) clients: Clients,
    pub(super) serving: Array<MapData, Plain<Serving>>,
    /// Until the fan-out takes it.
    pub(super) next_hops: Option<Array<MapData, Plain<NextHop>>>,
    pub(super) due: MapData,
    pub(super) fan_out_counters: PerCpuArray<MapData, u64>,
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
        let config: Array<MapData, Plain<Config>> = typed(map(names::CONFIG)?, names::CONFIG)?;
        let Plain(config) = config.get(&0, 0).map_err(access(names::CONFIG))?;
        let clients = array(map(names::CLIENTS)?, names::CLIENTS)?;
        Ok(Self {
            controller: typed(map(names::CONTROLLER)?, names::CONTROLLER)?,
            local: typed(map(names::LOCAL)?, names::LOCAL)?,
            servers: typed(map(names::SERVERS)?, names::SERVERS)?,
            clients: Clients::of(&clients, &config)?,
            serving: typed(map(names::SERVING)?, names::SERVING)?,
            next_hops: Some(typed(map(names::NEXT_HOPS)?, names::NEXT_HOPS)?),
            due: array(map(names::DUE)?, names::DUE)?,
            fan_out_counters: typed(map(names::FAN_OUT_COUNTERS)?, names::FAN_OUT_COUNTERS)?,
            events: typed(map(names::EVENTS)?, names::EVENTS)?,
            counters: typed(map(names::COUNTERS)?, names::COUNTERS)?,
        })
    }
}

/// Tells the program that it may work.
pub(super) fn write_config(ebpf: &mut Ebpf, config: Config) -> Result<(), DataPlaneError> {
    let map = ebpf
        .map_mut(names::CONFIG)
        .ok_or_else(|| DataPlaneError::BadObject(format!("it has no map {}", names::CONFIG)))?;
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

/// The map itself, of an array whose entries aya need not know.
fn array(map: Map, name: &'static str) -> Result<MapData, DataPlaneError> {
    match map {
        Map::Array(data) => Ok(data),
        _ => Err(DataPlaneError::BadObject(format!("{name} is no array"))),
    }
}

fn typed<T: TryFrom<Map, Error = MapError>>(map: Map, name: &'static str) -> Result<T, DataPlaneError> {
    T::try_from(map).map_err(access(name))
}

/// Names the map that an error is about.
pub(super) fn access(map: &'static str) -> impl FnOnce(MapError) -> DataPlaneError {
    move |source| DataPlaneError::Map { map, source }
}
