//! A QR code made of characters.
//!
//! Two modules of it fit above each other into one character where the terminal has half blocks. Black on white is said
//! in colours where there are any, because a phone cannot know what the background of a terminal is.

use qrcode::{Color, EcLevel, QrCode};

/// Modules of white around it: the standard asks for four, phones are content with two.
const QUIET: usize = 2;

/// What a terminal can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    pub(super) unicode: bool,
    pub(super) colours: bool,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Screen {
    pub(super) fn of_this_terminal(unicode: bool) -> Self {
        let size = terminal_size::terminal_size_of(std::io::stderr());
        let (columns, rows) =
            size.map_or((80, usize::MAX), |(columns, rows)| (columns.0.into(), rows.0.into()));
        Self { unicode, colours: crate::cli::talk::colours(), columns, rows }
    }
}

/// The code for `text`, or how many lines and columns the window would need.
pub(super) fn draw(text: &str, screen: Screen) -> Result<String, (usize, usize)> {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else {
        return Err((usize::MAX, usize::MAX));
    };
    let width = code.width();
    let size = width + 2 * QUIET;
    let colors = code.into_colors();
    let dark = |x: usize, y: usize| {
        let inside = QUIET..QUIET + width;
        inside.contains(&x)
            && inside.contains(&y)
            && colors[(y - QUIET) * width + (x - QUIET)] == Color::Dark
    };
    let (rows, columns) = if screen.unicode { (size.div_ceil(2), size) } else { (size, 2 * size) };
    // A line above or below has to be seen too.
    if columns > screen.columns || rows + 1 > screen.rows {
        return Err((rows + 1, columns));
    }
    let mut lines = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut line = String::new();
        for x in 0..size {
            if screen.unicode {
                let (above, below) = (dark(x, 2 * row), dark(x, 2 * row + 1));
                // Without colours what is drawn is taken to be light.
                line.push(match (above == screen.colours, below == screen.colours) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            } else if screen.colours {
                line.push_str(if dark(x, row) { "\x1b[40m  " } else { "\x1b[47m  " });
            } else {
                line.push_str(if dark(x, row) { "  " } else { "##" });
            }
        }
        lines.push(match (screen.colours, screen.unicode) {
            (true, true) => format!("\x1b[30;47m{line}\x1b[0m"),
            (true, false) => format!("{line}\x1b[0m"),
            (false, _) => line,
        });
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: Screen = Screen { unicode: true, colours: false, columns: 80, rows: 24 };

    /// The modules of what was drawn without colours.
    fn modules(drawn: &str, unicode: bool) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawn.lines() {
            if unicode {
                let light = |c: char, above: bool| match c {
                    '█' => true,
                    '▀' => above,
                    '▄' => !above,
                    _ => false,
                };
                rows.push(line.chars().map(|c| !light(c, true)).collect::<Vec<bool>>());
                rows.push(line.chars().map(|c| !light(c, false)).collect());
            } else {
                rows.push(line.chars().step_by(2).map(|c| c == ' ').collect());
            }
        }
        rows
    }

    #[test]
    fn every_terminal_shows_the_same_code() {
        let text = "https://open-dev.dingtalk.com/app/registration?user_code=ABCD-EFGH-IJKL";
        let halves = draw(text, SCREEN).unwrap();
        let whole = Screen { unicode: false, rows: 60, ..SCREEN };
        let ascii = draw(text, whole).unwrap();
        assert!(ascii.is_ascii());
        let (halves, ascii) = (modules(&halves, true), modules(&ascii, false));
        assert_eq!(halves[..ascii.len()], ascii[..]);
        let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        let width = code.width();
        for (at, color) in code.to_colors().into_iter().enumerate() {
            let (x, y) = (at % width, at / width);
            assert_eq!(ascii[y + QUIET][x + QUIET], color == Color::Dark, "{x}, {y}");
        }
        // In colours, each module is what its colour says.
        let colours = draw(text, Screen { colours: true, ..whole }).unwrap();
        let line = colours.lines().nth(QUIET).unwrap().trim_end_matches("\x1b[0m");
        let seen: Vec<bool> =
            line.split("\x1b[").skip(1).map(|part| part.starts_with("40m")).collect();
        assert_eq!(seen, ascii[QUIET]);
    }

    #[test]
    fn the_usual_code_fits_into_the_usual_window_and_a_larger_one_says_what_it_needs() {
        let address = format!("https://open-dev.dingtalk.com/{}", "x".repeat(60));
        assert!(draw(&address, SCREEN).unwrap().lines().count() < 23);
        let (rows, columns) = draw(&"x".repeat(400), SCREEN).unwrap_err();
        assert!(rows > 24 && columns > 24, "{rows}, {columns}");
    }
}
