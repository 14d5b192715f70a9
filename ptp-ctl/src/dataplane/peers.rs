//! Whose messages the program takes: the maps of addresses and grants.

use super::error::DataPlaneError;
use super::maps::access;
use super::pod::Plain;
use aya::Pod;
use aya::maps::{HashMap, MapData, MapError};
use std::collections::HashSet;
use std::hash::Hash;

/// Makes `wanted` the keys of a map: those that stay are never absent, not even for a moment.
pub(super) fn replace<K: Copy + Eq + Hash>(
    map: &mut HashMap<MapData, Plain<K>, u32>,
    name: &'static str,
    capacity: u32,
    wanted: impl Iterator<Item = K>,
) -> Result<(), DataPlaneError>
where
    Plain<K>: Pod,
{
    let wanted: HashSet<K> = wanted.collect();
    let present = keys(map, name)?;
    for key in present.iter().filter(|key| !wanted.contains(key)) {
        remove(map, name, *key)?;
    }
    for key in wanted.iter().filter(|key| !present.contains(key)) {
        insert(map, name, capacity, *key, 0)?;
    }
    Ok(())
}

/// Empties a map.
pub(super) fn clear<K: Copy + Eq + Hash, V: Pod>(
    map: &mut HashMap<MapData, Plain<K>, V>,
    name: &'static str,
) -> Result<(), DataPlaneError>
where
    Plain<K>: Pod,
{
    for key in keys(map, name)? {
        remove(map, name, key)?;
    }
    Ok(())
}

/// Adds or changes an entry.
pub(super) fn insert<K, V: Pod>(
    map: &mut HashMap<MapData, Plain<K>, V>,
    name: &'static str,
    capacity: u32,
    key: K,
    value: V,
) -> Result<(), DataPlaneError>
where
    Plain<K>: Pod,
{
    map.insert(Plain(key), value, 0).map_err(|error| match raw_os_error(&error) {
        Some(libc::E2BIG) => DataPlaneError::Full { map: name, capacity },
        _ => access(name)(error),
    })
}

/// Removes an entry, if it is there.
pub(super) fn remove<K, V: Pod>(
    map: &mut HashMap<MapData, Plain<K>, V>,
    name: &'static str,
    key: K,
) -> Result<(), DataPlaneError>
where
    Plain<K>: Pod,
{
    match map.remove(&Plain(key)) {
        Err(error) if !is_absent(&error) => Err(access(name)(error)),
        _ => Ok(()),
    }
}

fn keys<K: Copy + Eq + Hash, V: Pod>(
    map: &HashMap<MapData, Plain<K>, V>,
    name: &'static str,
) -> Result<HashSet<K>, DataPlaneError>
where
    Plain<K>: Pod,
{
    map.keys().map(|key| key.map(|Plain(key)| key).map_err(access(name))).collect()
}

fn is_absent(error: &MapError) -> bool {
    matches!(error, MapError::KeyNotFound) || raw_os_error(error) == Some(libc::ENOENT)
}

fn raw_os_error(error: &MapError) -> Option<i32> {
    match error {
        MapError::SyscallError(error) => error.io_error.raw_os_error(),
        _ => None,
    }
}
