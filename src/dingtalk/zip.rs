//! Files that DingTalk does not show travel inside a zip.

use std::io;
use std::io::{Read, Seek, Write};

use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Types that DingTalk documents for files of a robot.
const SHOWN: &[&str] = &["xlsx", "pdf", "zip", "rar", "doc", "docx"];

/// Whether a file of this name is shown as it is.
pub fn is_shown(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, end)| end.to_lowercase()).unwrap_or_default();
    SHOWN.contains(&extension.as_str())
}

/// Writes a zip of one file, deflated.
///
/// # Errors
/// Of reading or writing.
pub fn zip(name: &str, content: &mut impl Read, out: impl Write + Seek) -> io::Result<()> {
    let mut writer = ZipWriter::new(out);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    writer.start_file(name, options).map_err(io::Error::other)?;
    io::copy(content, &mut writer)?;
    writer.finish().map_err(io::Error::other)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_zipped_comes_out_again_and_is_smaller() {
        let log = "一行 of a log\n".repeat(10_000);
        let mut packed = io::Cursor::new(Vec::new());
        zip("日志.log", &mut log.as_bytes(), &mut packed).unwrap();
        assert!(packed.get_ref().len() < log.len() / 20);
        let mut archive = zip::ZipArchive::new(packed).unwrap();
        let mut file = archive.by_index(0).unwrap();
        assert_eq!(file.name().unwrap(), "日志.log");
        let mut read = String::new();
        file.read_to_string(&mut read).unwrap();
        assert_eq!(read, log);
    }

    #[test]
    fn only_documents_are_shown_as_they_are() {
        for (name, shown) in
            [("a.PDF", true), ("a.log", false), ("zip", false), ("a.tar.gz", false)]
        {
            assert_eq!(is_shown(name), shown, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn other_programs_can_open_the_zip() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.zip");
        let file = std::fs::File::create(&path).unwrap();
        zip("日志.log", &mut &b"one\ntwo\n"[..], file).unwrap();
        let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(z.namelist()[0], z.read(z.namelist()[0]))";
        let Ok(seen) = std::process::Command::new("python3")
            .args(["-X", "utf8", "-c", script])
            .arg(&path)
            .output()
        else {
            return; // no Python here: the other test reads it back
        };
        assert_eq!(
            String::from_utf8_lossy(&seen.stdout),
            "日志.log b'one\\ntwo\\n'\n",
            "{}",
            String::from_utf8_lossy(&seen.stderr)
        );
    }
}
