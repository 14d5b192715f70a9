//! The time page as a file: who writes it, and who reads it.

use super::{ClockError, monotonic_raw_nanos};
use ptp_common::abi::{NoTime, SEQUENCE, TimePage, TimePageError, TimeSpan};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Copies that may be torn, one after the other: writing takes microseconds.
const TRIES: usize = 100;
/// The same with a pause before each: a writer may lose its processor in the midst of writing.
const PATIENT_TRIES: usize = 500;
const PAUSE: Duration = Duration::from_millis(1);

/// Writes the page; says on drop that there is no time any more. The file stays, so that readers need not open it again.
#[derive(Debug)]
pub struct TimePageWriter {
    file: File,
    path: PathBuf,
    sequence: u64,
}

impl TimePageWriter {
    /// Makes the file, readable for everybody, or takes over one of a writer before.
    ///
    /// # Errors
    /// The file or its directory cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.set_len(TimePage::SIZE as u64)?;
        let mut writer = Self { file, path: path.to_owned(), sequence: 0 };
        writer.write(&TimePage::default())?;
        Ok(writer)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces what the page says.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(&mut self, page: &TimePage) -> io::Result<()> {
        let writing = (self.sequence + 1).to_le_bytes();
        self.sequence += 2;
        let octets = page.to_bytes(self.sequence);
        // Odd while it is written: also seen by those who map the file.
        self.file.write_all_at(&writing, SEQUENCE as u64)?;
        self.file.write_all_at(&octets, 0)
    }
}

impl Drop for TimePageWriter {
    fn drop(&mut self) {
        // Who reads it notices at the latest by its age.
        let _ = self.write(&TimePage::default());
    }
}

/// Reads a page, from any process of the machine.
///
/// ```no_run
/// use ptp_ctl::clock::TimePageReader;
///
/// let reader = TimePageReader::open("/run/ptp-ctl/time".as_ref())?;
/// match reader.now()? {
///     Ok(span) => println!("between {} and {}", span.earliest_ns, span.latest_ns),
///     Err(unknown) => println!("{unknown}"),
/// }
/// # Ok::<(), ptp_ctl::clock::ClockError>(())
/// ```
#[derive(Debug)]
pub struct TimePageReader {
    file: File,
    path: PathBuf,
}

impl TimePageReader {
    /// Opens the file, once for many readings.
    ///
    /// # Errors
    /// It is not there, or not readable.
    pub fn open(path: &Path) -> Result<Self, ClockError> {
        let open = |source| ClockError::Open { device: path.display().to_string(), source };
        Ok(Self { file: File::open(path).map_err(open)?, path: path.to_owned() })
    }

    /// Earliest and latest of the server's time at this moment, or why that is not known.
    ///
    /// # Errors
    /// As [`page`](Self::page).
    pub fn now(&self) -> Result<Result<TimeSpan, NoTime>, ClockError> {
        let page = self.page()?;
        Ok(page.at(monotonic_raw_nanos()))
    }

    /// All that the page says.
    ///
    /// # Errors
    /// The file cannot be read, or is no time page of this version.
    pub fn page(&self) -> Result<TimePage, ClockError> {
        let mut octets = [0; TimePage::SIZE];
        let mut read = Err(TimePageError::Torn);
        for tried in 0..TRIES + PATIENT_TRIES {
            self.file.read_exact_at(&mut octets, 0).map_err(|source| self.error(source))?;
            read = TimePage::from_bytes(&octets);
            if read != Err(TimePageError::Torn) {
                break;
            }
            if tried >= TRIES {
                std::thread::sleep(PAUSE);
            }
        }
        read.map_err(|error| self.error(io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    fn error(&self, source: io::Error) -> ClockError {
        ClockError::Open { device: self.path.display().to_string(), source }
    }
}

/// The examples of that chapter compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/time.md")]
struct Chapter;

#[cfg(test)]
mod tests {
    use super::*;
    use ptp_common::abi::TimeState;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// All of its fields say the same number.
    fn page(number: u64) -> TimePage {
        TimePage {
            reference_ns: number,
            time_ns: number as i64,
            bound_ns: number,
            asymmetry_bound_ns: number,
            accuracy_ns: Some(number),
            growth: number,
            offset_ns: number as i64,
            state: TimeState::Locked,
            ..TimePage::default()
        }
    }

    #[test]
    fn a_reader_beside_a_writer_sees_whole_pages_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/time");
        let mut writer = TimePageWriter::open(&path).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // An end of its own: it shall not outlive a reader that failed.
                for number in 1..10_000_000 {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    writer.write(&page(number)).unwrap();
                    (0..5_000).for_each(|_| std::hint::spin_loop());
                }
            });
            let reader = TimePageReader::open(&path).unwrap();
            let (mut last, mut seen) = (0, 0);
            let mut failed = None;
            while seen < 500 && failed.is_none() {
                match reader.page() {
                    Ok(read) if read == page(read.reference_ns) || read == TimePage::default() => {
                        seen += u32::from(read.reference_ns > last);
                        last = read.reference_ns;
                    }
                    other => failed = Some(other),
                }
            }
            stop.store(true, Ordering::Relaxed);
            assert!(failed.is_none(), "{failed:?}");
        });
    }

    #[test]
    fn a_writer_that_ends_says_so_in_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("time");
        let mut writer = TimePageWriter::open(&path).unwrap();
        let reader = TimePageReader::open(&path).unwrap();
        assert_eq!(reader.now().unwrap(), Err(NoTime::Nothing));
        let now = TimePage { reference_ns: monotonic_raw_nanos(), ..page(50) };
        writer.write(&now).unwrap();
        let span = reader.now().unwrap().unwrap();
        assert!(span.earliest_ns <= span.latest_ns);
        drop(writer);
        assert_eq!(reader.now().unwrap(), Err(NoTime::Nothing));
        let mut writer = TimePageWriter::open(&path).unwrap();
        writer.write(&now).unwrap();
        assert_eq!(reader.page().unwrap(), now);
    }

    #[test]
    fn other_files_are_no_page() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(128).unwrap();
        let error = TimePageReader::open(file.path()).unwrap().page().unwrap_err().to_string();
        assert!(error.contains("not a time page"), "{error}");
    }
}
