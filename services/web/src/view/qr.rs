//! QR codes as one path of an SVG picture, so that a page needs neither image nor script for them.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code, as readers want them.
const MARGIN: usize = 4;

/// A QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// A square of one unit for each run of dark modules.
    pub(crate) path: String,
    side: usize,
}

impl Picture {
    /// Draws a text; `None` when it is longer than a code can hold.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let colors = code.into_colors();
        let mut path = String::new();
        for (row, modules) in colors.chunks(width).enumerate() {
            draw(&mut path, row + MARGIN, modules);
        }
        Some(Self { path, side: width + 2 * MARGIN })
    }

    /// The `viewBox` of the picture.
    pub(crate) fn view_box(&self) -> String {
        format!("0 0 {side} {side}", side = self.side)
    }
}

fn draw(path: &mut String, row: usize, modules: &[Color]) {
    let mut column = MARGIN;
    for run in modules.chunk_by(|one, next| one == next) {
        if run.first() == Some(&Color::Dark) {
            let length = run.len();
            write!(path, "M{column} {row}h{length}v1h-{length}z").expect("writing to a String never fails");
        }
        column += run.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dark modules of a path, read back the way a browser draws it.
    fn dark(path: &str) -> Vec<(usize, usize)> {
        let numbers = |text: &str| -> Vec<usize> {
            text.split(|character: char| !character.is_ascii_digit())
                .filter(|part| !part.is_empty())
                .map(|part| part.parse().unwrap())
                .collect()
        };
        path.split('M')
            .skip(1)
            .flat_map(|run| match numbers(run).as_slice() {
                [column, row, length, _, _] => {
                    (*column..column + length).map(|at| (at, *row)).collect::<Vec<_>>()
                }
                other => panic!("not a run: {other:?}"),
            })
            .collect()
    }

    #[test]
    fn the_path_holds_exactly_the_dark_modules_inside_a_light_margin() {
        let text = "otpauth://totp/Youtility:asha?secret=JBSWY3DPEHPK3PXP&issuer=Youtility";
        let picture = Picture::of(text).unwrap();
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        let width = code.width();
        let expected: Vec<(usize, usize)> = code
            .into_colors()
            .iter()
            .enumerate()
            .filter(|(_, color)| **color == Color::Dark)
            .map(|(index, _)| (index % width + MARGIN, index / width + MARGIN))
            .collect();
        assert_eq!(dark(&picture.path), expected);
        assert_eq!(picture.view_box(), format!("0 0 {0} {0}", width + 8));
    }

    #[test]
    fn a_text_no_code_can_hold_is_not_drawn() {
        assert_eq!(Picture::of(&"x".repeat(4_000)), None);
    }
}
