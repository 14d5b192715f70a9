//! The UNIX socket that `stats` asks: every connection gets one JSON document and is closed.

use crate::net::{interface_index, netns_inode};
use anyhow::{Context, bail};
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};

/// How long a reader may take for the document.
const READER_PATIENCE: Duration = Duration::from_secs(2);
/// Readers served at the same time; more are turned away.
const MAX_READERS: usize = 16;

/// Where the controller of this interface, in this network namespace, listens.
///
/// # Errors
/// There is no such interface.
pub(super) fn path(run_dir: &Path, interface: &str) -> anyhow::Result<PathBuf> {
    let index = interface_index(interface)?;
    let namespace = netns_inode().context("cannot tell this network namespace")?;
    Ok(run_dir.join(format!("{namespace}-{index}.sock")))
}

/// Fails if a controller answers on this path.
pub(super) fn refuse_if_running(path: &Path, interface: &str) -> anyhow::Result<()> {
    match BlockingStream::connect(path) {
        Ok(_) => bail!(
            "a controller is already running on {interface} (it answers on {}); stop it first, `ptp-ctl stats {interface}` \
             shows what it is",
            path.display()
        ),
        Err(_) => Ok(()),
    }
}

/// What a running controller says of itself; `None` if none runs.
pub(super) fn ask(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let mut stream = match BlockingStream::connect(path) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!(
                    "cannot ask the controller on {}: run as the user that runs it, usually root",
                    path.display()
                )
            });
        }
    };
    stream.set_read_timeout(Some(READER_PATIENCE)).context("cannot set a time-out")?;
    let mut document = Vec::new();
    stream
        .read_to_end(&mut document)
        .with_context(|| format!("the controller on {} does not answer", path.display()))?;
    if document.is_empty() {
        bail!("the controller on {} is busy with other readers; ask again", path.display());
    }
    Ok(Some(document))
}

/// The listening end; the path is removed on drop.
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
    /// Cloned for each reader that is being served.
    readers: Arc<()>,
}

impl Control {
    /// Makes the directory (0755) and the socket (0600). A socket of a controller that was killed is replaced.
    pub(super) fn listen(path: PathBuf) -> anyhow::Result<Self> {
        let listener = bind(&path).with_context(|| {
            format!(
                "cannot listen on {}: run as root, or name a directory of yours with --run-dir",
                path.display()
            )
        })?;
        Ok(Self { listener, path, readers: Arc::new(()) })
    }

    /// Waits for the next reader. Cancel-safe.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    /// Hands the document over beside the loop; a reader who is slow or one too many is cut off.
    pub(super) fn answer(&self, mut stream: UnixStream, document: Vec<u8>) {
        if Arc::strong_count(&self.readers) > MAX_READERS {
            return;
        }
        let place = Arc::clone(&self.readers);
        tokio::spawn(async move {
            let _place = place;
            // Whatever goes wrong is the reader's to notice.
            let _ = tokio::time::timeout(READER_PATIENCE, stream.write_all(&document)).await;
        });
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Never visible with wider permissions: bound under another name, restricted, then moved into place.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let directory = path.parent().ok_or(ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&temporary)?;
    let placed = fs::set_permissions(&temporary, Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = placed {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(listener)
}
