//! A screen as an SVG picture that needs nothing else: text in cells, and their colours.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;

/// Of a cell, pixels.
const WIDTH: u16 = 9;
const HEIGHT: u16 = 17;
/// From a line's top to where its letters stand.
const BASELINE: u16 = 13;
const FONT_SIZE: u16 = 15;
/// Around the screen.
const MARGIN: u16 = 12;
const FOREGROUND: &str = "#d4d7dc";
const BACKGROUND: &str = "#16191d";
/// How much of its colour a dimmed cell keeps.
const DIMMED: &str = "0.6";

/// The picture of a screen.
pub(super) fn svg(screen: &Buffer) -> String {
    let area = screen.area;
    let (width, height) = (area.width * WIDTH + 2 * MARGIN, area.height * HEIGHT + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"{FONT_SIZE}\" fill=\"{FOREGROUND}\">\n"
    );
    let mut texts = String::new();
    for (line, cells) in screen.content.chunks(usize::from(area.width.max(1))).enumerate() {
        let top = MARGIN + line as u16 * HEIGHT;
        let mut column = 0;
        for run in cells.chunk_by(|a, b| Look::of(a) == Look::of(b)) {
            let look = Look::of(&run[0]);
            if let Some(background) = look.background {
                let (x, width) = (MARGIN + column * WIDTH, run.len() as u16 * WIDTH);
                svg += &format!(
                    "<rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"{background}\"/>\n"
                );
            }
            // Word by word, because a row of blanks would count for one.
            let mut start = column;
            for word in run.chunk_by(|a, b| is_blank(a) == is_blank(b)) {
                if !is_blank(&word[0]) {
                    text(&mut texts, look, start, top, word);
                }
                start += word.len() as u16;
            }
            column += run.len() as u16;
        }
    }
    svg + &texts + "</g>\n</svg>\n"
}

fn is_blank(cell: &Cell) -> bool {
    cell.symbol().trim().is_empty()
}

fn text(svg: &mut String, look: Look, column: u16, top: u16, word: &[Cell]) {
    let (x, y) = (MARGIN + column * WIDTH, top + BASELINE);
    // Whatever font there is, and whichever it takes braille from: the text is as wide as its cells.
    let width = word.len() as u16 * WIDTH;
    let _ = write!(svg, "<text x=\"{x}\" y=\"{y}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\"");
    if let Some(foreground) = look.foreground {
        let _ = write!(svg, " fill=\"{foreground}\"");
    }
    if look.is_bold {
        *svg += " font-weight=\"bold\"";
    }
    if look.is_dim {
        let _ = write!(svg, " opacity=\"{DIMMED}\"");
    }
    *svg += ">";
    for character in word.iter().flat_map(|cell| cell.symbol().chars()) {
        match character {
            '&' => *svg += "&amp;",
            '<' => *svg += "&lt;",
            '>' => *svg += "&gt;",
            _ => svg.push(character),
        }
    }
    *svg += "</text>\n";
}

/// What a cell looks like besides its text; `None` is the screen's own colour.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    foreground: Option<&'static str>,
    background: Option<&'static str>,
    is_bold: bool,
    is_dim: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        Self {
            foreground: colour(cell.fg),
            background: colour(cell.bg),
            is_bold: cell.modifier.contains(Modifier::BOLD),
            is_dim: cell.modifier.contains(Modifier::DIM),
        }
    }
}

/// Those that terminals name: the view has no others.
fn colour(color: Color) -> Option<&'static str> {
    Some(match color {
        Color::Black => "#16191d",
        Color::Red => "#e0565b",
        Color::Green => "#7cc36e",
        Color::Yellow => "#e0b355",
        Color::Blue => "#5c9fe0",
        Color::Magenta => "#b98ad9",
        Color::Cyan => "#4fc1cf",
        Color::Gray => "#abb1ba",
        Color::DarkGray => "#6b727c",
        Color::LightRed => "#f28286",
        Color::LightGreen => "#a5e096",
        Color::LightYellow => "#f4d184",
        Color::LightBlue => "#8abef2",
        Color::LightMagenta => "#d6b0ef",
        Color::LightCyan => "#83dfe9",
        Color::White => "#f4f6f8",
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    /// What stands between the tags, and the attributes of the tag before it; every tag that is opened must be closed.
    fn texts(svg: &str) -> Vec<(String, String)> {
        let (mut open, mut found) = (Vec::new(), Vec::new());
        for part in svg.split('<').skip(1) {
            let (tag, text) = part.split_once('>').expect("a tag that ends");
            assert!(tag.matches('"').count() % 2 == 0, "{tag}");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{svg}");
            } else if !tag.ends_with('/') {
                let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
                open.push(name);
                if name == "text" {
                    found.push((attributes.to_owned(), text.to_owned()));
                }
            }
        }
        assert!(open.is_empty(), "{open:?} not closed");
        found
    }

    #[test]
    fn words_stand_in_their_cells_and_are_escaped() {
        let mut screen = Buffer::empty(Rect::new(0, 0, 20, 2));
        screen.set_string(0, 0, "a<b & c>", Style::new());
        screen.set_string(3, 1, "⡠⠤ ns", Style::new());
        let texts = texts(&svg(&screen));
        let words: Vec<_> = texts.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(words, ["a&lt;b", "&amp;", "c&gt;", "⡠⠤", "ns"]);
        let (x, y) = (MARGIN + 3 * WIDTH, MARGIN + HEIGHT + BASELINE);
        let place = format!("x=\"{x}\" y=\"{y}\" textLength=\"{}\"", 2 * WIDTH);
        assert!(texts[3].0.starts_with(&place), "{}", texts[3].0);
    }

    #[test]
    fn colours_and_weights_are_kept() {
        let mut screen = Buffer::empty(Rect::new(0, 0, 20, 1));
        screen.set_string(0, 0, "plain", Style::new());
        screen.set_string(5, 0, "good", Style::new().fg(Color::Green).add_modifier(Modifier::BOLD));
        screen.set_string(9, 0, "dim", Style::new().add_modifier(Modifier::DIM));
        screen.set_string(12, 0, "on", Style::new().bg(Color::Red));
        let picture = svg(&screen);
        let texts = texts(&picture);
        let of = |word: &str| &texts.iter().find(|(_, text)| text == word).expect("a word of its own").0;
        assert!(!of("plain").contains("fill") && !of("plain").contains("weight"), "{}", of("plain"));
        assert!(of("good").ends_with("fill=\"#7cc36e\" font-weight=\"bold\""), "{}", of("good"));
        assert!(of("dim").ends_with("opacity=\"0.6\""), "{}", of("dim"));
        let behind = format!(
            "<rect x=\"{}\" y=\"{MARGIN}\" width=\"{}\" height=\"{HEIGHT}\" fill=\"#e0565b\"/>",
            MARGIN + 12 * WIDTH,
            2 * WIDTH
        );
        assert!(picture.contains(&behind), "{picture}");
    }
}
