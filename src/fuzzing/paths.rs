//! Where scripts reach, and what files of others are called.

use std::path::{Component, Path};
use std::sync::{Arc, LazyLock};

use tempfile::TempDir;

use crate::access::{Need, Reach, Use};
use crate::api::fs;
use crate::api::fs::roots::Roots;

/// A path of a script: it stays below what the script may reach, or is refused; and a name of somebody else is only a name.
pub fn paths(data: &[u8]) {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(folder);
    let text = String::from_utf8_lossy(data);
    let inside = FOLDER.path().join("in").canonicalize().expect("it is there");
    let roots = Roots::only(std::slice::from_ref(&inside), inside.join("data")).with_home(&inside);
    let granted =
        Need::Fs(Some(Use::Read), Some(inside.join("a/b").to_string_lossy().into_owned()));
    let only = roots.within(Reach::Only(Arc::new([granted].into())));
    let closing = roots.clone().closing([inside.join("a"), inside.join("data")]);
    for text in [
        text.to_string(),
        format!("{}/{text}", inside.display()),
        format!("{}/a/b/{text}", inside.display()),
    ] {
        let leads = |roots: &Roots| fs::reached(roots, "fuzz.luau", &text);
        if let Some(full) = leads(&roots) {
            is_below(&full, &inside, &text);
        }
        if let Some(full) = leads(&only) {
            let own = full.starts_with(inside.join("data/fuzz"));
            is_below(&full, &inside.join(if own { "data/fuzz" } else { "a/b" }), &text);
        }
        if let Some(full) = leads(&closing) {
            is_below(&full, &inside, &text);
            let shut = full.starts_with(inside.join("a")) || full.starts_with(inside.join("data"));
            assert!(
                !shut || full.starts_with(inside.join("data/fuzz")),
                "`{text}` leads to the host's own {}",
                full.display()
            );
        }
    }
    let name = fs::safe_name(&text);
    let parts: Vec<_> = Path::new(&name).components().collect();
    assert!(matches!(parts[..], [Component::Normal(_)]), "`{name}` is not only a name");
    assert!(name.len() <= 121, "a name of {} bytes", name.len());
    assert!(
        !name.starts_with(['.', '-', '~', ' ']) && !name.ends_with(['.', ' ']),
        "`{name}` hides, is an option, or is another name on Windows"
    );
    assert!(
        !name.contains(['/', '\\', ':', '"', '<', '>', '|', '?', '*'])
            && !name.contains(char::is_control),
        "{name:?} means something"
    );
}

/// `in` with folders, files and links, and a secret beside it.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |path: &str| dir.path().join(path);
    std::fs::create_dir_all(at("in/a/b")).expect("folders");
    std::fs::create_dir_all(at("in/data/other")).expect("folders");
    std::fs::create_dir_all(at("in/data/fuzz")).expect("folders");
    std::fs::write(at("in/a/file"), "x").expect("a file");
    std::fs::write(at("in/a/b/file"), "x").expect("a file");
    std::fs::write(at("secret"), "x").expect("a file");
    #[cfg(unix)]
    for (to, link) in [
        ("../secret", "in/out"),
        ("..", "in/up"),
        ("../../..", "in/a/b/up"),
        ("file", "in/a/b/l"),
        ("../file", "in/a/b/m"),
        ("nowhere", "in/a/b/n"),
        ("loop", "in/a/b/loop"),
        ("/", "in/root"),
    ] {
        std::os::unix::fs::symlink(to, at(link)).expect("a link");
    }
    dir
}

/// Below it as it is written, and as the system knows it.
fn is_below(full: &Path, folder: &Path, text: &str) {
    assert!(full.starts_with(folder), "`{text}` leads to {}", full.display());
    let plain =
        full.components().all(|part| !matches!(part, Component::ParentDir | Component::CurDir));
    assert!(plain, "`{text}` leads to {}, which leads on", full.display());
    let there = full.ancestors().find_map(|at| Some((at, at.canonicalize().ok()?)));
    let (at, known) = there.expect("`/` is there");
    assert_eq!(at, known, "`{text}` leads over a link");
}
