//! A program under observation: its lines with arrival times, waits with time-outs, and a certain end.

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often a wait looks whether the user wants to stop.
const INTERRUPT_CHECK: Duration = Duration::from_millis(100);
/// How many lines of a failed program an error shows.
const TAIL: usize = 15;

/// CLOCK_REALTIME in ns, the clock of every `time_ns`.
pub fn realtime_ns() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
}

/// One line that a program wrote.
#[derive(Clone, Debug)]
pub struct Line {
    /// CLOCK_REALTIME when it arrived here, ns.
    pub arrived_ns: i64,
    /// The line without its end.
    pub text: String,
    /// Whether it came on stderr.
    pub is_error: bool,
    /// The line as JSON, if it is an object.
    pub json: Option<Value>,
}

impl Line {
    /// A string member of the JSON object.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.json.as_ref()?.get(key)?.as_str()
    }

    /// A number member of the JSON object.
    pub fn number_of(&self, key: &str) -> Option<f64> {
        self.json.as_ref()?.get(key)?.as_f64()
    }

    /// `time_ns` of the JSON object: when it happened, by the program itself.
    pub fn time_ns(&self) -> Option<i64> {
        self.json.as_ref()?.get("time_ns")?.as_i64()
    }

    /// Whether the JSON object's "type" is this.
    pub fn is(&self, kind: &str) -> bool {
        self.text_of("type") == Some(kind)
    }

    /// Whether this is an event of that name.
    pub fn is_event(&self, event: &str) -> bool {
        self.is("event") && self.text_of("event") == Some(event)
    }
}

/// A running program; killed on drop.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    started_ns: i64,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Vec<Line>>,
    grown: Condvar,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// Starts it in the caller's network namespace and reads its stdout and stderr from then on.
    pub fn spawn(name: &str, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started_ns = realtime_ns();
        let mut child = command.spawn().with_context(|| format!("cannot start {name}: {command:?}"))?;
        let output = Arc::new(Output::default());
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(read_lines(stdout, false, &output));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(read_lines(stderr, true, &output));
        }
        Ok(Self { name: name.to_owned(), child, started_ns, output, readers })
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// CLOCK_REALTIME just before it was started, ns.
    pub fn started_ns(&self) -> i64 {
        self.started_ns
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        // A pid_t is 32 bit; std carries it as unsigned.
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// A copy of the lines from number `from` on.
    pub fn lines(&self, from: usize) -> Vec<Line> {
        self.output.lock().get(from..).unwrap_or_default().to_vec()
    }

    /// How many lines there are: where a later [`lines`](Self::lines) or [`wait_after`](Self::wait_after) starts.
    pub fn mark(&self) -> usize {
        self.output.lock().len()
    }

    /// Waits for the first line, of those so far or to come, for which `pick` gives something.
    pub fn wait_for<T>(
        &self,
        what: &str,
        timeout: Duration,
        pick: impl FnMut(&Line) -> Option<T>,
    ) -> Result<T> {
        self.wait_after(0, what, timeout, pick)
    }

    /// The same, from line number `from` on.
    pub fn wait_after<T>(
        &self,
        from: usize,
        what: &str,
        timeout: Duration,
        mut pick: impl FnMut(&Line) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + timeout;
        let mut seen = from;
        let mut lines = self.output.lock();
        loop {
            while let Some(line) = lines.get(seen) {
                if let Some(found) = pick(line) {
                    return Ok(found);
                }
                seen += 1;
            }
            crate::interrupt::check()?;
            let left = deadline.saturating_duration_since(Instant::now());
            let ended = self.readers.iter().all(JoinHandle::is_finished) && seen == lines.len();
            if left.is_zero() || ended {
                drop(lines);
                let why = if ended { "it ended".to_owned() } else { format!("not within {timeout:?}") };
                bail!("{}: waited for {what}: {why}\n{}", self.name, self.tail());
            }
            lines = self
                .output
                .grown
                .wait_timeout(lines, left.min(INTERRUPT_CHECK))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Its last lines, for error messages.
    pub fn tail(&self) -> String {
        let lines = self.output.lock();
        let from = lines.len().saturating_sub(TAIL);
        lines[from..].iter().map(|line| format!("    {}: {}\n", self.name, line.text)).collect()
    }

    /// Fails with its last lines if it has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended by itself: {status}\n{}", self.name, self.tail());
        }
        Ok(())
    }

    /// SIGKILL: it gets no chance to say goodbye. Returns CLOCK_REALTIME just before the signal, ns.
    pub fn kill(&mut self) -> Result<i64> {
        let at = realtime_ns();
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.finish()?;
        Ok(at)
    }

    /// SIGTERM, then waits for its end.
    pub fn terminate(&mut self, timeout: Duration) -> Result<ExitStatus> {
        kill(self.pid(), Signal::SIGTERM).with_context(|| format!("cannot terminate {}", self.name))?;
        self.wait_exit(timeout)
    }

    /// Waits for its end.
    pub fn wait_exit(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + timeout;
        while self.child.try_wait()?.is_none() {
            crate::interrupt::check()?;
            if Instant::now() > deadline {
                bail!("{} still runs after {timeout:?}\n{}", self.name, self.tail());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.finish()
    }

    fn finish(&mut self) -> Result<ExitStatus> {
        let status = self.child.wait()?;
        for reader in self.readers.drain(..) {
            // A reader that panicked has told so on stderr.
            let _ = reader.join();
        }
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(stream: impl Read + Send + 'static, is_error: bool, output: &Arc<Output>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for text in BufReader::new(stream).lines() {
            let Ok(text) = text else { break };
            let arrived_ns = realtime_ns();
            let json = text.starts_with('{').then(|| serde_json::from_str(&text).ok()).flatten();
            output.lock().push(Line { arrived_ns, text, is_error, json });
            output.grown.notify_all();
        }
        output.grown.notify_all();
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn("sh", command).unwrap()
    }

    #[test]
    fn json_lines_are_parsed_and_waited_for() {
        let process = shell(
            "echo hello; sleep 0.1; echo '{\"type\":\"event\",\"event\":\"step\",\"time_ns\":7}'; sleep 9",
        );
        let time = process
            .wait_for("step", Duration::from_secs(5), |line| line.is_event("step").then(|| line.time_ns()))
            .unwrap();
        assert_eq!(time, Some(7));
        assert_eq!(process.lines(0)[0].text, "hello");
    }

    #[test]
    fn a_wait_ends_with_the_program_and_shows_its_last_lines() {
        let mut process = shell("echo no bpffs >&2; exit 3");
        let error =
            process.wait_for("never", Duration::from_secs(60), |_| None::<()>).unwrap_err().to_string();
        assert!(error.contains("it ended") && error.contains("no bpffs"), "{error}");
        assert_eq!(process.wait_exit(Duration::from_secs(5)).unwrap().code(), Some(3));
    }

    #[test]
    fn a_wait_times_out() {
        let process = shell("sleep 9");
        assert!(process.wait_for("never", Duration::from_millis(50), |_| None::<()>).is_err());
    }
}
