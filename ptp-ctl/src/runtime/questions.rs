//! What readers ask, answered without holding up the packets.

use super::control::{Question, Reader};
use super::driver::Driver;
use super::http;
use crate::engine::server::{Found, Search};
use crate::report::{VERSION, metrics};
use serde::Serialize;

/// Places of the table of clients that are looked at before packets have their turn: a fraction of a millisecond.
const PLACES: u32 = 8_192;

/// A reader who waits for the end of a search.
pub(super) struct Searching {
    reader: Reader,
    search: Search,
}

/// The document of `clients`.
#[derive(Serialize)]
struct Clients {
    version: u32,
    running: bool,
    #[serde(flatten)]
    found: Found,
}

impl Driver {
    pub(super) fn take_question(&mut self, reader: Reader) {
        match reader.question {
            Question::Stats => answer(reader, &self.document()),
            Question::Metrics => {
                let text = metrics::text(&self.document(), self.reporter.offsets(), self.reporter.events());
                reader.answer(http::response(text.as_bytes()));
            }
            Question::Reload => {
                let reloaded = self.reload();
                answer(reader, &reloaded);
            }
            Question::Clients(wanted) => {
                self.searching.push_back(Searching { reader, search: Search::new(wanted) });
            }
        }
    }

    /// Goes on with the oldest search. False if there is more to do.
    pub(super) fn search(&mut self) -> bool {
        let Some(mut searching) = self.searching.pop_front() else { return true };
        let Some(server) = self.role.server() else {
            // A client has none.
            answer(
                searching.reader,
                &serde_json::json!({ "version": VERSION, "running": true, "role": "client" }),
            );
            return self.searching.is_empty();
        };
        match server.search(&mut searching.search, self.turn.instant, PLACES) {
            Some(found) => answer(searching.reader, &Clients { version: VERSION, running: true, found }),
            None => self.searching.push_front(searching),
        }
        self.searching.is_empty()
    }
}

fn answer(reader: Reader, document: &impl Serialize) {
    match serde_json::to_vec(document) {
        Ok(document) => reader.answer(document),
        Err(error) => tracing::warn!(%error, "an answer could not be written"),
    }
}
