//! Codes that a phone's camera reads, drawn as the path of an SVG.

use qrcode::{Color, EcLevel, QrCode};
use serde::Serialize;

/// How many modules must be left blank on every side.
const QUIET: usize = 4;

/// A text as a code. Drawn dark on light, whatever the colours of the page: cameras expect it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Qr {
    /// Modules in a row, with what is left blank around them.
    size: usize,
    /// The dark modules, as the `d` of a path.
    path: String,
}

impl Qr {
    /// The code of `text`, which stays readable when a seventh of it is damaged; `None` beyond 2,331 bytes.
    pub fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let (width, colors) = (code.width(), code.to_colors());
        let mut path = String::new();
        for (y, row) in colors.chunks_exact(width).enumerate() {
            for (x, length) in dark_runs(row) {
                path.push_str(&format!("M{} {}h{length}v1h-{length}z", x + QUIET, y + QUIET));
            }
        }
        Some(Self { size: width + 2 * QUIET, path })
    }
}

/// Where dark modules begin in a row, and how many follow each other.
fn dark_runs(row: &[Color]) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut x = 0;
    for run in row.chunk_by(|one, next| one == next) {
        if run[0] == Color::Dark {
            runs.push((x, run.len()));
        }
        x += run.len();
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_corners_and_a_quiet_edge() {
        let qr = Qr::of("https://vote.example/vote/demo").unwrap();
        assert_eq!(qr.size, 29 + 2 * QUIET);
        // The upper edges of the two upper corners, and the lower edge of the lower one.
        for edge in ["M4 4h7v1h-7z", "M26 4h7v1h-7z", "M4 32h7v1h-7z"] {
            assert!(qr.path.contains(edge), "{edge} in {}", qr.path);
        }
    }

    #[test]
    fn what_is_too_long_has_no_code() {
        assert!(Qr::of(&"é".repeat(1_165)).is_some());
        assert_eq!(Qr::of(&"é".repeat(1_166)), None);
    }
}
