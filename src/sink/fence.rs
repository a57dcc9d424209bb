//! Blocks of code in Markdown, by the lines that open and close them.

/// The opening line of a block of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    marker: char,
    length: usize,
    /// The language tag.
    info: String,
}

impl Fence {
    /// Longer ones are decoration: nobody could close them inside of the limits.
    pub const MOST: usize = 64;
    /// More than any language tag needs.
    pub const MOST_INFO: usize = 32;

    /// What `line`, without its end, opens or closes.
    pub fn of(line: &str) -> Option<Self> {
        let trimmed = line.trim_start_matches(' ');
        // Four spaces make an indented block, where fences are text.
        if line.len() - trimmed.len() > 3 {
            return None;
        }
        let marker = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let info = trimmed.trim_start_matches(marker);
        let length = trimmed.len() - info.len();
        if !(3..=Self::MOST).contains(&length) || (marker == '`' && info.contains('`')) {
            return None;
        }
        let info = info.split_whitespace().next().unwrap_or_default();
        Some(Self { marker, length, info: info.chars().take(Self::MOST_INFO).collect() })
    }

    /// One that `text` cannot close.
    pub fn around(text: &str) -> Self {
        let longest = |marker: char| {
            let (mut run, mut most) = (0, 0);
            for c in text.chars() {
                run = if c == marker { run + 1 } else { 0 };
                most = most.max(run);
            }
            most
        };
        let fence = |marker| {
            let length = (longest(marker) + 1).clamp(3, Self::MOST);
            Self { marker, length, info: String::new() }
        };
        let ticks = fence('`');
        if ticks.length < Self::MOST { ticks } else { fence('~') }
    }

    /// Follows `line`, which may open or close a block.
    pub fn turn(open: &mut Option<Self>, line: &str) {
        let found = Self::of(line.trim_end_matches(['\n', '\r']));
        match (open.as_ref(), found) {
            (Some(fence), Some(other)) if fence.is_closed_by(&other) => *open = None,
            (None, found) => *open = found,
            (Some(_), _) => {}
        }
    }

    pub fn is_closed_by(&self, other: &Self) -> bool {
        other.marker == self.marker && other.length >= self.length && other.info.is_empty()
    }

    /// The signs alone: what closes it.
    pub fn marker(&self) -> String {
        self.marker.to_string().repeat(self.length)
    }

    /// The line that opens it, with its end.
    pub fn opening(&self) -> String {
        // A tag that begins with the marker's own sign would make the fence longer than what closes it.
        let gap = if self.info.starts_with(self.marker) { " " } else { "" };
        format!("{}{gap}{}\n", self.marker(), self.info)
    }

    /// What ends it, on a line of its own after `text`.
    pub fn closing(&self, text: &str) -> String {
        let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        format!("{newline}{}", self.marker())
    }
}
