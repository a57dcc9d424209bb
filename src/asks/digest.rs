//! A SHA-256 over what an approval allows, in one encoding: each part with its length in front, so that no two things that
//! differ are written the same.

use ring::digest::{Context, SHA256};

/// Grows part by part.
#[derive(Clone)]
pub struct Digest(Context);

impl Digest {
    /// Of a thing of this kind.
    pub fn of(kind: &str) -> Self {
        Self(Context::new(&SHA256)).with("moonbell/1").with(kind)
    }

    #[must_use]
    pub fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    /// A part that may be missing: that is another thing than an empty one.
    #[must_use]
    pub fn with_some(self, part: Option<impl AsRef<[u8]>>) -> Self {
        match part {
            Some(part) => self.with([1]).with(part),
            None => self.with([0]),
        }
    }

    /// As 64 hexadecimal digits.
    pub fn hex(self) -> String {
        use std::fmt::Write as _;
        let mut hex = String::with_capacity(64);
        for byte in self.0.finish().as_ref() {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j2_what_differs_in_one_byte_or_one_border_has_another_digest() {
        let of = |parts: &[&str]| parts.iter().fold(Digest::of("argv"), Digest::with).hex();
        let all = [
            of(&["rm", "-rf", "/tmp/x"]),
            of(&["rm", "-rf", "/tmp/y"]),
            of(&["rm", "-rf/tmp/x"]),
            of(&["rm-rf", "/tmp/x"]),
            of(&["rm", "-rf", "/tmp/x", ""]),
            of(&["rm", "-rf", "/tmp/x\u{202e}"]),
            Digest::of("argv").with_some(None::<&str>).hex(),
            Digest::of("argv").with_some(Some("")).hex(),
            Digest::of("other").hex(),
        ];
        let mut different = all.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), all.len());
        assert_eq!(all[0], of(&["rm", "-rf", "/tmp/x"]));
        assert!(all[0].len() == 64 && all[0].bytes().all(|b| b.is_ascii_hexdigit()));
    }
}
