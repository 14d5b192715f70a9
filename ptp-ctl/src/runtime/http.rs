//! The metrics over HTTP, as Prometheus asks for them: GET /metrics, one answer for each connection.

use crate::report::metrics::CONTENT_TYPE;
use anyhow::Context as _;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;

/// Where metrics are.
const PATH: &str = "/metrics";
/// Octets of a request at most; Prometheus sends some hundred.
const MAX_REQUEST: u64 = 8_192;

/// What is answered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400: no HTTP request, or too long.
    BadRequest,
    /// 404: there are only metrics.
    NotFound,
    /// 405: they can only be read.
    MethodNotAllowed,
}

impl Refusal {
    /// The whole answer.
    pub(super) fn response(self) -> Vec<u8> {
        let (status, more, text) = match self {
            Self::BadRequest => ("400 Bad Request", "", "no HTTP request\n"),
            Self::NotFound => ("404 Not Found", "", "there is only /metrics\n"),
            Self::MethodNotAllowed => {
                ("405 Method Not Allowed", "Allow: GET\r\n", "metrics can only be read\n")
            }
        };
        let head = head(status, "text/plain; charset=utf-8", text.len());
        [head.as_bytes(), more.as_bytes(), b"\r\n", text.as_bytes()].concat()
    }
}

/// The answer with metrics.
pub(super) fn response(metrics: &[u8]) -> Vec<u8> {
    let head = head("200 OK", CONTENT_TYPE, metrics.len());
    [head.as_bytes(), b"\r\n", metrics].concat()
}

/// Without the empty line at its end.
fn head(status: &str, content_type: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n"
    )
}

/// Listens there.
pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listen = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    listen().with_context(|| {
        format!(
            "cannot serve metrics at {address} (--metrics): name an address of this machine and a port that nobody has"
        )
    })
}

/// Reads a request to its end, and says what is wrong with it.
pub(super) async fn request(stream: impl AsyncRead + Unpin) -> io::Result<Result<(), Refusal>> {
    let mut stream = stream.take(MAX_REQUEST);
    let mut head = Vec::new();
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(Err(Refusal::BadRequest));
        }
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(judge(&head));
        }
    }
}

fn judge(head: &[u8]) -> Result<(), Refusal> {
    let line = head.split(|octet| *octet == b'\r').next().and_then(|line| str::from_utf8(line).ok());
    let mut words = line.unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::BadRequest);
    };
    if !version.starts_with("HTTP/1.") {
        return Err(Refusal::BadRequest);
    }
    if target.split('?').next() != Some(PATH) {
        return Err(Refusal::NotFound);
    }
    if method != "GET" {
        return Err(Refusal::MethodNotAllowed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(request: &[u8]) -> Result<(), Refusal> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self::request(request)).unwrap()
    }

    #[test]
    fn only_metrics_can_be_had() {
        for (request, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", Ok(())),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", Ok(())),
            ("GET / HTTP/1.1\r\n\r\n", Err(Refusal::NotFound)),
            ("POST /metrics HTTP/1.1\r\n\r\n", Err(Refusal::MethodNotAllowed)),
            ("GET /metrics HTTP/2\r\n\r\n", Err(Refusal::BadRequest)),
            ("GET /metrics HTTP/1.1\r\n", Err(Refusal::BadRequest)),
            ("\r\n\r\n", Err(Refusal::BadRequest)),
        ] {
            assert_eq!(judged(request.as_bytes()), expected, "{request:?}");
        }
        let endless = [b"GET /metrics HTTP/1.1\r\nA: ".as_slice(), &[b'a'; 10_000], b"\r\n\r\n"].concat();
        assert_eq!(judged(&endless), Err(Refusal::BadRequest));
    }

    proptest! {
        #[test]
        fn nothing_panics(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = judge(&octets);
        }
    }
}
