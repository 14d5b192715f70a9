//! The program's rare messages: its log ring, into this process's log.

use aya_log::EbpfLogger;

/// Reads the log ring of one program.
pub(super) struct ProgramLog {
    flush: Option<Box<dyn FnMut() + Send>>,
}

impl ProgramLog {
    /// Finds the ring by the program, so that it serves a pinned program too: there the program holds the ring.
    pub(super) fn of(program_id: u32) -> Self {
        let flush = match EbpfLogger::init_from_id(program_id) {
            Ok(mut logger) => Some(Box::new(move || logger.flush()) as Box<dyn FnMut() + Send>),
            Err(error) => {
                tracing::debug!(%error, "no messages of the XDP program will be seen");
                None
            }
        };
        Self { flush }
    }

    /// Logs what there is.
    pub(super) fn flush(&mut self) {
        if let Some(flush) = &mut self.flush {
            flush();
        }
    }
}
