//! A picture's file, and the two kinds that it may be of.

use super::canvas::Canvas;
use plotters::prelude::{DrawingBackend, IntoDrawingArea as _, SVGBackend};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind};
use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

type Result<T> = std::result::Result<T, DrawingErrorKind<io::Error>>;

/// The file that a picture goes to; its name's ending says of which kind it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Output {
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Svg,
    Png,
}

/// A name that ends with something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a picture is an SVG or a PNG file, and its name says which: NAME.svg or NAME.png")]
pub(in crate::cli) struct EndingError;

impl FromStr for Output {
    type Err = EndingError;

    fn from_str(name: &str) -> std::result::Result<Self, EndingError> {
        let path = PathBuf::from(name);
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase()).ok_or(EndingError)?;
        let kind = match ending.to_str() {
            Some("svg") => Kind::Svg,
            Some("png") => Kind::Png,
            _ => return Err(EndingError),
        };
        Ok(Self { path, kind })
    }
}

impl Output {
    /// An empty picture, which is written when it is presented.
    pub(in crate::cli) fn area(&self, size: (u32, u32)) -> super::Area<'_> {
        let picture = match self.kind {
            Kind::Svg => Picture::Svg(SVGBackend::new(&self.path, size)),
            Kind::Png => Picture::Png(Canvas::new(&self.path, size)),
        };
        picture.into_drawing_area()
    }
}

impl Display for Output {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// What is drawn on.
pub(in crate::cli) enum Picture<'a> {
    Svg(SVGBackend<'a>),
    Png(Canvas<'a>),
}

/// The same of either.
macro_rules! either {
    ($picture:expr, $it:ident => $what:expr) => {
        match $picture {
            Picture::Svg($it) => $what,
            Picture::Png($it) => $what,
        }
    };
}

/// All that SVG has an element for; of the others there are only pixels.
impl DrawingBackend for Picture<'_> {
    type ErrorType = io::Error;

    fn get_size(&self) -> (u32, u32) {
        either!(self, it => it.get_size())
    }

    fn ensure_prepared(&mut self) -> Result<()> {
        either!(self, it => it.ensure_prepared())
    }

    fn present(&mut self) -> Result<()> {
        either!(self, it => it.present())
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Result<()> {
        either!(self, it => it.draw_pixel(at, color))
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Result<()> {
        either!(self, it => it.draw_line(from, to, style))
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        lower_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<()> {
        either!(self, it => it.draw_rect(upper_left, lower_right, style, fill))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<()> {
        either!(self, it => it.draw_path(path, style))
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Result<()> {
        either!(self, it => it.draw_circle(center, radius, style, fill))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Result<()> {
        either!(self, it => it.fill_polygon(corners, style))
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Result<()> {
        either!(self, it => it.draw_text(text, style, at))
    }

    fn estimate_text_size<S: BackendTextStyle>(&self, text: &str, style: &S) -> Result<(u32, u32)> {
        either!(self, it => it.estimate_text_size(text, style))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_which() {
        let kind = |name: &str| name.parse::<Output>().map(|output| output.kind);
        assert_eq!(kind("a/log.svg"), Ok(Kind::Svg));
        assert_eq!(kind("log.PNG"), Ok(Kind::Png));
        for name in ["log.jpeg", "log", "png"] {
            let error = kind(name).unwrap_err().to_string();
            assert!(error.contains("NAME.svg") && error.contains("NAME.png"), "{error}");
        }
    }
}
