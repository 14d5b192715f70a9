//! Where JSON lines go: a thread of its own writes them, so that a reader who stops reading stops no clock.

use serde::Serialize;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that wait for the reader; more are dropped. A client with a virtual clock writes about 30 per second.
const WAITING_LINES: usize = 4096;

/// How long the end of the program waits for the last lines to be read.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the thread does.
type Work = Box<dyn FnOnce() + Send>;

/// Writes JSON lines, each flushed when it is complete.
pub struct Sink {
    /// `None` only while being dropped.
    lines: Option<SyncSender<Vec<u8>>>,
    /// Until the thread has it.
    work: Option<Work>,
    /// Answers when the last line is written.
    done: Receiver<()>,
    reader_gone: Arc<AtomicBool>,
    dropped: u64,
}

impl Sink {
    /// Writes to standard output, once it [runs](Self::run).
    pub fn stdout() -> Self {
        Self::new(std::io::stdout())
    }

    /// Writes to anything, once it [runs](Self::run); lines wait until then.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        let (lines, queue) = sync_channel::<Vec<u8>>(WAITING_LINES);
        let (finished, done) = sync_channel(1);
        let reader_gone = Arc::new(AtomicBool::new(false));
        let gone = Arc::clone(&reader_gone);
        let work: Work = Box::new(move || {
            if write_all(writer, &queue).is_err() {
                gone.store(true, Ordering::Relaxed);
            }
            // Nobody waits unless the program ends.
            let _ = finished.send(());
        });
        Self { lines: Some(lines), work: Some(work), done, reader_gone, dropped: 0 }
    }

    /// Starts the thread, which does `first` before anything else.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn run(&mut self, first: fn()) -> std::io::Result<()> {
        if let Some(work) = self.work.take() {
            std::thread::Builder::new().name("json-lines".to_owned()).spawn(move || {
                first();
                work();
            })?;
        }
        Ok(())
    }

    /// Queues one line.
    pub(super) fn write(&mut self, line: &impl Serialize) {
        let Some(lines) = &self.lines else { return };
        let Ok(mut octets) = serde_json::to_vec(line) else { return };
        octets.push(b'\n');
        if lines.try_send(octets).is_err() {
            if self.dropped == 0 && !self.reader_gone() {
                tracing::warn!("JSON lines are dropped: they are read, or written to disk, too slowly");
            }
            self.dropped += 1;
        }
    }

    /// The other end was closed.
    pub fn reader_gone(&self) -> bool {
        self.reader_gone.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("dropped", &self.dropped).finish_non_exhaustive()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.lines = None;
        // Nobody waits for one that never ran.
        self.work = None;
        let _ = self.done.recv_timeout(PATIENCE);
    }
}

fn write_all(mut writer: impl Write, queue: &Receiver<Vec<u8>>) -> std::io::Result<()> {
    for line in queue {
        writer.write_all(&line)?;
        writer.flush()?;
    }
    Ok(())
}
