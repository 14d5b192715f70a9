//! `ptp-ctl top`: what a controller does, on the terminal, as it happens.

mod history;
mod picture;
mod view;

#[cfg(test)]
mod tests;

use super::controller::Controller;
use crate::clock::realtime_nanos;
use crate::net::interface_index;
use crate::runtime::Question;
use anyhow::{Context as _, ensure};
use history::History;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use view::{Screen, View};

/// How often the controller is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// Columns and lines of a picture: the least that everything fits on.
const PICTURE: (u16, u16) = (80, 24);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    controller: Controller,
    /// Needs no terminal: watch for a while, write the screen to this SVG file, and end
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// How long to watch before the picture is made, s
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "picture")]
    after: u32,
}

impl Args {
    /// A controller that is gone may come back: what it said last stays on the screen.
    fn ask(&self, screen: &mut Screen, history: &mut History) {
        screen.trouble = match self.controller.ask(&Question::Stats) {
            Ok(Some(document)) => history.push(document).err(),
            Ok(None) => Some(self.controller.missing("").to_string()),
            Err(error) => Some(format!("{error:#}")),
        };
        screen.now_ns = realtime_nanos();
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    interface_index(&args.controller.interface)?;
    if let Some(path) = &args.picture {
        return picture(args, path).map(|()| ExitCode::SUCCESS);
    }
    ensure!(
        io::stdout().is_terminal() && io::stdin().is_terminal(),
        "`ptp-ctl top` needs a terminal, but for --picture; `ptp-ctl stats {} --watch` writes lines of JSON",
        args.controller.interface
    );
    let mut terminal = ratatui::try_init().context("cannot use this terminal")?;
    let ended = watch(args, &mut terminal);
    ratatui::restore();
    ended.map(|()| ExitCode::SUCCESS)
}

/// Watches without a terminal.
fn picture(args: &Args, path: &Path) -> anyhow::Result<()> {
    let mut screen = Screen::new(&args.controller.interface);
    let (mut history, start) = (History::default(), Instant::now());
    // The first answer counts, too: so many intervals, one answer more.
    for second in 0..=args.after {
        std::thread::sleep((start + INTERVAL * second).saturating_duration_since(Instant::now()));
        args.ask(&mut screen, &mut history);
    }
    ensure!(history.document().is_some(), "nothing to show: {}", screen.trouble.unwrap_or_default());
    let (columns, lines) = PICTURE;
    let mut terminal = Terminal::new(TestBackend::new(columns, lines))?;
    let drawn = terminal.draw(|frame| view::draw(frame, &screen, &history))?;
    std::fs::write(path, picture::svg(drawn.buffer))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn watch(args: &Args, terminal: &mut ratatui::DefaultTerminal) -> anyhow::Result<()> {
    let mut screen = Screen::new(&args.controller.interface);
    let (mut history, mut due) = (History::default(), Instant::now());
    loop {
        if due <= Instant::now() {
            args.ask(&mut screen, &mut history);
            due = Instant::now() + INTERVAL;
        }
        screen.now_ns = realtime_nanos();
        terminal.draw(|frame| view::draw(frame, &screen, &history)).context("cannot draw")?;
        if event::poll(due.saturating_duration_since(Instant::now())).context("cannot read keys")? {
            let Event::Key(key) = event::read().context("cannot read keys")? else { continue };
            if key.kind != KeyEventKind::Press {
                continue;
            }
            match key.code {
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(()),
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                KeyCode::Tab | KeyCode::Right => screen.view = screen.view.after(1),
                KeyCode::BackTab | KeyCode::Left => screen.view = screen.view.after(View::ALL.len() - 1),
                KeyCode::Char(digit @ '1'..='4') => {
                    screen.view = View::ALL[digit as usize - '1' as usize];
                }
                KeyCode::Char('?' | 'h') => screen.help = !screen.help,
                _ => {}
            }
        }
    }
}
