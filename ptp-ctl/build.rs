//! Embeds the XDP object, so that the binary runs from anywhere.
//!
//! The object comes from `PTP_EBPF_OBJECT`, else from where `cargo xtask build-ebpf` puts it. Without one the build
//! goes on: everything but the XDP data plane works, and that says what is missing.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=PTP_EBPF_OBJECT");
    println!("cargo:rerun-if-changed=build.rs");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let object = match env::var_os("PTP_EBPF_OBJECT") {
        Some(path) => {
            println!("cargo:rerun-if-changed={}", Path::new(&path).display());
            fs::read(&path)
                .map_err(|error| format!("PTP_EBPF_OBJECT={}: {error}", Path::new(&path).display()))?
        }
        None => default_object(&out_dir)?,
    };
    // An empty file stands for "none".
    fs::write(out_dir.join("ptp-ebpf.o"), object)?;
    Ok(())
}

fn default_object(out_dir: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let target_dir = out_dir
        .ancestors()
        .find(|directory| {
            directory.join(".rustc_info.json").is_file() || directory.join("CACHEDIR.TAG").is_file()
        })
        .ok_or("OUT_DIR is in no cargo target directory")?;
    // The directory is watched, not the file: cargo takes a watched file that is missing for a change at every build.
    let directory = target_dir.join("bpf");
    fs::create_dir_all(&directory)?;
    println!("cargo:rerun-if-changed={}", directory.display());
    let path = directory.join("ptp-ebpf.o");
    match fs::read(&path) {
        Ok(object) => Ok(object),
        Err(_) => {
            println!(
                "cargo:warning=no XDP object at {}: this ptp-ctl cannot do `--data-plane xdp`; \
                 `cargo xtask build-ebpf` builds it",
                path.display()
            );
            Ok(Vec::new())
        }
    }
}
