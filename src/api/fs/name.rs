//! Names of files that somebody else chose, made into names that are only names.

/// With room for a suffix, whatever the file system.
const MAX_BYTES: usize = 120;
/// Of an extension, as far as there is one.
const MAX_EXTENSION_BYTES: usize = 16;

/// Names that Windows takes for devices, whatever their extension.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

/// `name` without folders, without what a terminal, a shell or a file system acts on, not hidden, not too long.
/// `fallback` when nothing is left.
pub(crate) fn safe(name: &str, fallback: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = crate::sink::clean(name);
    let name: String =
        name.chars().filter(|c| !c.is_control() && !r#"<>:"|?*"#.contains(*c)).collect();
    // A leading dot hides, a trailing one is dropped by Windows, and so are spaces.
    let name = name.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let (stem, extension) = split(name);
    let room = MAX_BYTES - extension.len();
    let stem = stem[..stem.floor_char_boundary(room)].trim_end_matches(['.', ' ']);
    let name = if stem.is_empty() { fallback.to_owned() } else { format!("{stem}{extension}") };
    let first = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let numbered = first.strip_prefix("com").or_else(|| first.strip_prefix("lpt"));
    let numbered = numbered.is_some_and(|rest| {
        rest.chars().count() == 1
            && rest.contains(|c: char| c.is_ascii_digit() || "¹²³".contains(c))
    });
    // A dash would be an option, a tilde a home folder.
    if numbered || DEVICES.contains(&first.as_str()) || name.starts_with(['-', '~']) {
        return format!("_{name}");
    }
    name
}

/// The name, and its extension with the dot; none when what follows the last dot is not one.
pub(crate) fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= MAX_EXTENSION_BYTES => name.split_at(at),
        _ => (name, ""),
    }
}

/// `report.pdf` for the first try, then `report-2.pdf`, `report-3.pdf`…
pub(crate) fn nth(name: &str, n: usize) -> String {
    if n < 2 {
        return name.to_owned();
    }
    let (stem, extension) = split(name);
    format!("{stem}-{n}{extension}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_only_names() {
        for (name, expected) in [
            ("季度报告 v2.pdf", "季度报告 v2.pdf"),
            ("../../etc/passwd", "passwd"),
            (r"..\..\x.txt", "x.txt"),
            ("C:\\x\\y.pdf", "y.pdf"),
            ("C:x", "Cx"),
            ("file.txt:stream", "file.txtstream"),
            ("..", "file"),
            ("", "file"),
            (".bashrc", "bashrc"),
            ("trailing. . ", "trailing"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("Com1.tar.gz", "_Com1.tar.gz"),
            ("lpt².x", "_lpt².x"),
            ("console.log", "console.log"),
            ("-rf", "_-rf"),
            ("~root", "_~root"),
            ("a\u{202e}txt.exe", "atxt.exe"),
            ("a\nb\0c<d>.txt", "abcd.txt"),
            ("\u{1b}[31mred.txt", "red.txt"),
            ("%2e%2e%2fx", "%2e%2e%2fx"),
            ("a.b", "a.b"),
            (".pdf", "pdf"),
        ] {
            assert_eq!(safe(name, "file"), expected, "{name:?}");
        }
        let long = safe(&format!("{}.pdf", "好".repeat(2_000)), "file");
        assert!(long.len() <= MAX_BYTES && long.ends_with("好.pdf"), "{long}");
        assert_eq!(nth("a.tar.gz", 3), "a.tar-3.gz");
        assert_eq!(nth("plain", 2), "plain-2");
    }

    proptest! {
        #[test]
        fn no_name_leaves_its_folder(name in prop_oneof![any::<String>(), "[./\\\\:~ a-cCON\\-\\x00-\\x1f\\u{202a}-\\u{202e}]{0,200}"]) {
            let name = safe(&name, "file");
            prop_assert!(!name.is_empty() && name.len() <= MAX_BYTES + 1);
            prop_assert!(!name.contains(['/', '\\', ':', '\0']) && !name.starts_with(['.', '-', '~']));
            prop_assert!(!name.ends_with(['.', ' ']) && !name.chars().any(char::is_control));
            prop_assert_eq!(std::path::Path::new(&name).components().count(), 1);
        }
    }
}
