//! Our own program, `ptp-ctl`, with a bpffs and a run directory that nobody else uses.

use crate::netns::{BpfFs, Family, Host, Plane};
use crate::process::Process;
use crate::scratch;
use anyhow::{Context, Result, ensure};
use ptp_ctl::report::schema::Fields;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Names the program to test; without it, the one beside the test's own directory is taken.
pub const PTP_CTL: &str = "PTP_CTL";
/// A debug build on a loaded machine loads, attaches and binds in less; so does the emulated one, whose kernel takes seconds to
/// verify the XDP program.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// A command that shall report and end has this long.
const RUN_TIMEOUT: Duration = Duration::from_secs(20);

/// What a program of ours printed and how it ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Starts `ptp-ctl` in namespaces.
#[derive(Debug)]
pub struct PtpCtl {
    path: PathBuf,
    bpffs: BpfFs,
    run_dir: TempDir,
}

impl PtpCtl {
    /// With a bpffs and a run directory of its own, which go away on drop. Needs root.
    pub fn new(path: &Path) -> Result<Self> {
        let path = path.canonicalize().with_context(|| format!("no program {}", path.display()))?;
        let run_dir = scratch::directory("run")?;
        Ok(Self { path, bpffs: BpfFs::mount()?, run_dir })
    }

    /// The program that the tests are about: `PTP_CTL`, else what `cargo build` made beside the test.
    pub fn find() -> Result<PathBuf> {
        if let Some(path) = std::env::var_os(PTP_CTL) {
            return Ok(path.into());
        }
        let test = std::env::current_exe().context("no path of this program")?;
        let built = test.ancestors().map(|directory| directory.join("ptp-ctl")).find(|path| path.is_file());
        built.context("ptp-ctl is not built: run `cargo build -p ptp-ctl`, or use `cargo xtask test`")
    }

    /// The program.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bpffs.
    pub fn bpffs(&self) -> &BpfFs {
        &self.bpffs
    }

    /// Its run directory.
    pub fn run_dir(&self) -> &Path {
        self.run_dir.path()
    }

    /// `ptp-ctl SUBCOMMAND INTERFACE`, where `interface` is that of our plane.
    pub fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.path);
        command.args([subcommand, Plane::Ours.interface()]);
        command
    }

    /// The same with `--bpffs`.
    pub fn command_with_bpffs(&self, subcommand: &str) -> Command {
        let mut command = self.command(subcommand);
        command.arg("--bpffs").arg(self.bpffs.path());
        command
    }

    /// The same with `--run-dir` too.
    pub fn command_with_directories(&self, subcommand: &str) -> Command {
        let mut command = self.command_with_bpffs(subcommand);
        command.arg("--run-dir").arg(self.run_dir.path());
        command
    }

    /// Starts a server and waits until it is ready. `name` is what messages call it.
    pub fn server(&self, host: &Host, name: &str, options: &[&str]) -> Result<Process> {
        let mut command = self.command_with_directories("server");
        command.args(["--json", "--clock", "none"]).args(options);
        let process = host.spawn(name, command)?;
        wait_until_started(&process)?;
        Ok(process)
    }

    /// Starts a client of these servers, the first being the best, and does not wait.
    pub fn client(
        &self,
        host: &Host,
        family: Family,
        servers: &[&Host],
        options: &[&str],
    ) -> Result<Process> {
        let mut command = self.command_with_directories("client");
        command.args(["--json", "--clock", "virtual"]);
        for (priority, server) in (1..).zip(servers) {
            let address = server.address(Plane::Ours, family);
            command.arg("--server").arg(format!("{address}@{priority}"));
        }
        command.args(options);
        host.spawn("client", command)
    }

    /// The `stats` document of the controller in this host.
    pub fn stats(&self, host: &Host) -> Result<serde_json::Value> {
        let Ended { code, stdout, stderr } = self.run(host, self.command_with_directories("stats"))?;
        ensure!(code == Some(0), "stats: {}", stderr.trim());
        let document =
            serde_json::from_str(&stdout).with_context(|| format!("stats is no JSON: {stdout}"))?;
        let mistakes = Fields::new().mistakes(&document);
        ensure!(mistakes.is_empty(), "stats is not as its schema has it: {mistakes:?}");
        Ok(document)
    }

    /// Runs a command in the host to its end; one that does not end by itself is an error.
    pub fn run(&self, host: &Host, command: Command) -> Result<Ended> {
        Ended::of(host.spawn("ptp-ctl", command)?)
    }
}

/// The file of a controller, which changes while it runs.
#[derive(Debug)]
pub struct ConfigFile<'a> {
    programs: &'a PtpCtl,
    host: &'a Host,
    directory: TempDir,
    /// Its first lines: the role, and what never changes.
    head: String,
}

impl<'a> ConfigFile<'a> {
    /// `head` begins with the table's name; what all files need is added to it.
    pub fn new(programs: &'a PtpCtl, host: &'a Host, head: &str) -> Result<Self> {
        let head = format!(
            "{head}interface = \"{}\"\nbpffs = \"{}\"\nrun-dir = \"{}\"\njson = true\n",
            Plane::Ours.interface(),
            programs.bpffs().path().display(),
            programs.run_dir().display()
        );
        Ok(Self { programs, host, directory: scratch::directory("config")?, head })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("ptp.toml")
    }

    /// Writes it: the head, and `more`.
    pub fn write(&self, more: &str) -> Result<()> {
        Ok(std::fs::write(self.path(), format!("{}{more}", self.head))?)
    }

    /// Starts the controller and waits until it runs.
    pub fn run(&self, more: &str) -> Result<Process> {
        self.write(more)?;
        let mut command = Command::new(self.programs.path());
        command.args(["run", "--config"]).arg(self.path());
        let process = self.host.spawn("controller", command)?;
        wait_until_started(&process)?;
        Ok(process)
    }

    /// What `ptp-ctl reload` says of it.
    pub fn reload(&self, more: &str) -> Result<Ended> {
        self.write(more)?;
        let mut command = self.programs.command("reload");
        command.arg("--json").arg("--run-dir").arg(self.programs.run_dir());
        self.programs.run(self.host, command)
    }
}

impl Ended {
    /// Waits for the end.
    pub fn of(mut process: Process) -> Result<Self> {
        let status = process.wait_exit(RUN_TIMEOUT)?;
        let lines = process.lines(0);
        let text = |is_error| {
            let of_stream = lines.iter().filter(|line| line.is_error == is_error);
            of_stream.map(|line| line.text.clone() + "\n").collect()
        };
        Ok(Self { code: status.code(), stdout: text(false), stderr: text(true) })
    }
}

/// Waits for the line "start" of a server or client.
pub fn wait_until_started(process: &Process) -> Result<()> {
    process.wait_for("its line \"start\"", START_TIMEOUT, |line| line.is("start").then_some(()))
}
