//! `ptp-ctl top`: what a controller does, on the terminal, as it happens.

mod history;
mod view;

#[cfg(test)]
mod tests;

use super::controller::Controller;
use crate::clock::realtime_nanos;
use crate::net::interface_index;
use crate::runtime::Question;
use anyhow::{Context as _, ensure};
use history::History;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use view::{Screen, View};

/// How often the controller is asked.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    controller: Controller,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    interface_index(&args.controller.interface)?;
    ensure!(
        io::stdout().is_terminal() && io::stdin().is_terminal(),
        "`ptp-ctl top` needs a terminal; `ptp-ctl stats {} --watch` writes lines of JSON",
        args.controller.interface
    );
    let mut terminal = ratatui::try_init().context("cannot use this terminal")?;
    let ended = watch(args, &mut terminal);
    ratatui::restore();
    ended.map(|()| ExitCode::SUCCESS)
}

fn watch(args: &Args, terminal: &mut ratatui::DefaultTerminal) -> anyhow::Result<()> {
    let mut screen = Screen::new(&args.controller.interface);
    let (mut history, mut due) = (History::default(), Instant::now());
    loop {
        if due <= Instant::now() {
            // A controller that is gone may come back: what it said last stays on the screen.
            match args.controller.ask(&Question::Stats) {
                Ok(Some(document)) => screen.trouble = history.push(document).err(),
                Ok(None) => {
                    screen.trouble =
                        Some(format!("no controller runs on {}: waiting for one", args.controller.interface));
                }
                Err(error) => screen.trouble = Some(format!("{error:#}")),
            }
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
