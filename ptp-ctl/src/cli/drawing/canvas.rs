//! Pixels to draw on, and the PNG file that they become.

use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendTextStyle, DrawingBackend, DrawingErrorKind};
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

type Result<T> = std::result::Result<T, DrawingErrorKind<io::Error>>;

/// A picture that is written when it is complete.
pub(in crate::cli) struct Canvas<'a> {
    path: &'a Path,
    size: (u32, u32),
    /// Red, green, blue; line by line.
    pixels: Vec<u8>,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(path: &'a Path, size: (u32, u32)) -> Self {
        Self { path, size, pixels: vec![255; 3 * size.0 as usize * size.1 as usize] }
    }

    fn write(&self) -> io::Result<()> {
        let file = BufWriter::new(File::create(self.path)?);
        let mut encoder = png::Encoder::new(file, self.size.0, self.size.1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        Ok(writer.finish()?)
    }
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = io::Error;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Result<()> {
        Ok(())
    }

    fn present(&mut self) -> Result<()> {
        self.write().map_err(DrawingErrorKind::DrawingError)
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Result<()> {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return Ok(()) };
        if x < self.size.0 && y < self.size.1 {
            let at = 3 * (y as usize * self.size.0 as usize + x as usize);
            let (red, green, blue) = color.rgb;
            for (below, above) in self.pixels[at..at + 3].iter_mut().zip([red, green, blue]) {
                let mixed = f64::from(*below) + color.alpha * (f64::from(above) - f64::from(*below));
                *below = mixed.round() as u8;
            }
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Result<()> {
        let font = Font::of(style.size());
        let (width, height) = font.size(text);
        let left = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Center => -width / 2,
            HPos::Right => -width,
        };
        let top = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => -height / 2,
            VPos::Bottom => -height,
        };
        for (place, character) in (0..).zip(text.chars()) {
            for (x, y) in font.ink(character) {
                let (x, y) = style.transform().transform(left + place * font.width + x, top + y);
                self.draw_pixel((at.0 + x, at.1 + y), style.color())?;
            }
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(&self, text: &str, style: &S) -> Result<(u32, u32)> {
        let (width, height) = Font::of(style.size()).size(text);
        Ok((width.unsigned_abs(), height.unsigned_abs()))
    }
}

/// Two fonts of X.Org, which are in the public domain: what the machine has for fonts does not matter then. Their characters are about
/// as wide as plotters takes them to be where it leaves room for text.
#[derive(Clone, Copy)]
struct Font {
    /// Of a character, pixels.
    width: i32,
    height: i32,
    /// A portable bitmap of the characters from blank to tilde, 16 in a row.
    bitmap: &'static [u8],
}

impl Font {
    const SMALL: Self = Self { width: 6, height: 13, bitmap: include_bytes!("6x13.pbm") };
    const LARGE: Self = Self { width: 9, height: 15, bitmap: include_bytes!("9x15.pbm") };
    const IN_A_ROW: i32 = 16;
    const ROWS: i32 = 6;

    /// The one for this size, which is that of plotters.
    fn of(size: f64) -> Self {
        if size < 15.0 { Self::SMALL } else { Self::LARGE }
    }

    fn size(self, text: &str) -> (i32, i32) {
        (self.width * text.chars().count() as i32, self.height)
    }

    /// The dots of a character; one that the font has not looks like a question mark.
    fn ink(self, character: char) -> impl Iterator<Item = (i32, i32)> {
        let code = if matches!(character, ' '..='~') { character } else { '?' } as i32 - ' ' as i32;
        let (left, top) = (code % Self::IN_A_ROW * self.width, code / Self::IN_A_ROW * self.height);
        // A line is of whole octets, because 16 characters are; what precedes the lines is a header.
        let line = self.width * Self::IN_A_ROW / 8;
        let header = self.bitmap.len() - (line * self.height * Self::ROWS) as usize;
        let dots = (0..self.height).flat_map(move |y| (0..self.width).map(move |x| (x, y)));
        dots.filter(move |(x, y)| {
            let octet = self.bitmap[header + ((top + y) * line + (left + x) / 8) as usize];
            octet & (0x80 >> ((left + x) % 8)) != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_look_as_they_should() {
        let lines = |font: Font, character| -> Vec<String> {
            let mut lines = vec![vec!['.'; font.width as usize]; font.height as usize];
            font.ink(character).for_each(|(x, y)| lines[y as usize][x as usize] = '#');
            lines.into_iter().map(String::from_iter).collect()
        };
        let t = [
            "......", "......", "#####.", "..#...", "..#...", "..#...", "..#...", "..#...", "..#...",
            "..#...", "..#...", "......", "......",
        ];
        assert_eq!(lines(Font::SMALL, 'T'), t);
        assert!(Font::LARGE.ink(' ').next().is_none() && Font::LARGE.ink('~').next().is_some());
        assert_eq!(lines(Font::LARGE, '\u{b5}'), lines(Font::LARGE, '?'));
    }

    #[test]
    fn colours_mix_and_what_is_outside_is_left_out() {
        let mut canvas = Canvas::new(Path::new(""), (2, 1));
        for at in [(1, 0), (-1, 0), (2, 0), (0, 1)] {
            canvas.draw_pixel(at, BackendColor { alpha: 0.5, rgb: (255, 155, 0) }).unwrap();
        }
        assert_eq!(canvas.pixels, [255, 255, 255, 255, 205, 128]);
    }
}
