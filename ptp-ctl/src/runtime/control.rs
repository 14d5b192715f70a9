//! The UNIX socket that `stats` and `clients` ask: one line of JSON, answered with one JSON document.

use super::http;
use crate::engine::server::Wanted;
use crate::net::{interface_index, netns_inode};
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// How long a reader may take for the document.
const READER_PATIENCE: Duration = Duration::from_secs(2);
/// How long the controller may take to answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// Readers served at the same time; more are turned away.
pub(super) const MAX_READERS: usize = 16;
/// How long no connection is taken after one could not be: too many open files, which may be fewer in a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Octets of a question at most.
const MAX_QUESTION: u64 = 1024;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// The `stats` document.
    Stats,
    /// A server's clients.
    Clients(Wanted),
    /// The document once more, for Prometheus.
    Metrics,
    /// What became of reading the file again.
    Reload,
}

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

/// What a running controller answers; `None` if none runs.
pub(super) fn ask(path: &Path, question: &Question) -> anyhow::Result<Option<Vec<u8>>> {
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
    stream.set_read_timeout(Some(ANSWER_PATIENCE)).context("cannot set a time-out")?;
    let line = serde_json::to_string(question)? + "\n";
    stream
        .write_all(line.as_bytes())
        .with_context(|| format!("the controller on {} cannot be asked", path.display()))?;
    let mut document = Vec::new();
    match stream.read_to_end(&mut document) {
        // Closed without having read the question.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        read => {
            read.with_context(|| format!("the controller on {} does not answer", path.display()))?;
        }
    }
    if document.is_empty() {
        bail!("the controller on {} is busy with other readers; ask again", path.display());
    }
    Ok(Some(document))
}

/// The listening end; the path is removed on drop.
pub(super) struct Control {
    listener: UnixListener,
    /// The socket's, and links to it.
    paths: Vec<PathBuf>,
    /// No reader is let in before.
    accept_from: Option<Instant>,
    /// Cloned for each reader that is being served.
    readers: Arc<()>,
    asked: UnboundedReceiver<Reader>,
    ask: UnboundedSender<Reader>,
    /// How long a reader may take to ask, and to take the answer.
    pub(super) patience: Duration,
}

/// Somebody who has asked.
pub(super) struct Reader {
    stream: Box<dyn AsyncWrite + Send + Unpin>,
    pub(super) question: Question,
    patience: Duration,
    place: Arc<()>,
}

impl Reader {
    /// Hands the document over beside the loop; a reader who is slow is cut off.
    pub(super) fn answer(self, document: Vec<u8>) {
        let Self { mut stream, patience, place, .. } = self;
        tokio::spawn(async move {
            let _place = place;
            // Whatever goes wrong is the reader's to notice.
            let _ = tokio::time::timeout(patience, stream.write_all(&document)).await;
        });
    }
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
        let (ask, asked) = unbounded_channel();
        Ok(Self {
            listener,
            paths: vec![path],
            accept_from: None,
            readers: Arc::new(()),
            asked,
            ask,
            patience: READER_PATIENCE,
        })
    }

    /// Is found on another path in the same directory, too: that of another interface of this controller.
    pub(super) fn also_at(&mut self, path: PathBuf) -> anyhow::Result<()> {
        let [socket, ..] = &self.paths[..] else { return Ok(()) };
        // What a controller that was killed has left.
        let _ = fs::remove_file(&path);
        symlink(socket.file_name().context("a socket has a name")?, &path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        self.paths.push(path);
        Ok(())
    }

    /// Waits for the next question. Cancel-safe.
    pub(super) async fn question(&mut self) -> Reader {
        loop {
            tokio::select! {
                // Never `None`: we hold a sender.
                Some(reader) = self.asked.recv() => return reader,
                accepted = accept(&self.listener, self.accept_from) => match accepted {
                    Ok(stream) => {
                        self.accept_from = None;
                        self.listen_to(stream);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a reader of the stats could not be let in");
                        self.accept_from = Some(Instant::now() + ACCEPT_PAUSE);
                    }
                },
            }
        }
    }

    /// Takes the question beside the loop; a reader who is slow to ask or one too many is cut off.
    fn listen_to(&self, mut stream: UnixStream) {
        if Arc::strong_count(&self.readers) > MAX_READERS {
            return;
        }
        let (place, ask, patience) = (Arc::clone(&self.readers), self.ask.clone(), self.patience);
        tokio::spawn(async move {
            let asked = tokio::time::timeout(patience, read_line(&mut stream)).await;
            let question = asked.ok().and_then(|line| serde_json::from_slice(&line.ok()?).ok());
            if let Some(question) = question {
                // Fails only when the loop has ended.
                let _ = ask.send(Reader { stream: Box::new(stream), question, patience, place });
            }
        });
    }

    /// Answers HTTP requests, too, from now on.
    pub(super) fn listen_http(&self, listener: TcpListener) {
        let (readers, ask, patience) = (Arc::downgrade(&self.readers), self.ask.clone(), self.patience);
        tokio::spawn(async move {
            // Until the controller ends.
            while let Some(place) = readers.upgrade() {
                drop(place);
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                if let Some(place) =
                    readers.upgrade().filter(|place| Arc::strong_count(place) <= MAX_READERS + 1)
                {
                    tokio::spawn(take_request(stream, ask.clone(), patience, place));
                }
            }
        });
    }
}

/// The next connection, no sooner than then: one that cannot be taken is there at once again.
async fn accept(listener: &UnixListener, from: Option<Instant>) -> io::Result<UnixStream> {
    if let Some(from) = from {
        tokio::time::sleep_until(from).await;
    }
    Ok(listener.accept().await?.0)
}

/// Passes an HTTP request on, or refuses it; a reader who is slow is cut off.
async fn take_request(
    mut stream: TcpStream,
    ask: UnboundedSender<Reader>,
    patience: Duration,
    place: Arc<()>,
) {
    match tokio::time::timeout(patience, http::request(&mut stream)).await {
        Ok(Ok(Ok(()))) => {
            let reader = Reader { stream: Box::new(stream), question: Question::Metrics, patience, place };
            // Fails only when the loop has ended.
            let _ = ask.send(reader);
        }
        Ok(Ok(Err(refusal))) => {
            let refused = refusal.response();
            // Whatever goes wrong is the reader's to notice.
            let _ = tokio::time::timeout(patience, stream.write_all(&refused)).await;
        }
        _ => {}
    }
}

/// Up to the end of the line.
async fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut stream = stream.take(MAX_QUESTION);
    loop {
        match stream.read_u8().await? {
            b'\n' => return Ok(line),
            octet => line.push(octet),
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        for path in &self.paths {
            let _ = fs::remove_file(path);
        }
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
