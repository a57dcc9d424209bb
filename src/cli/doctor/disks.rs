//! Disks: room to write, and whether other computers have what is on them.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::Facts;
use super::check::{Check, Fix};
use super::files::restrict;
use crate::words::doctor::disks as w;

/// Below this, messages will soon not be stored.
const LITTLE: u64 = 100 << 20;
const LOW: u64 = 1 << 30;

/// How long the system may take to list its disks.
const DISKS: Duration = Duration::from_secs(3);

/// Kinds of file systems that other computers have too: locks and SQLite are not safe there, nor are secrets.
const SHARED: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smbfs",
    "smb2",
    "smb3",
    "afpfs",
    "webdav",
    "davfs",
    "fuse.sshfs",
    "9p",
    "ceph",
];

/// Names of folders that programs copy to other computers.
const SYNCED: &[&str] = &[
    "dropbox",
    "onedrive",
    "google drive",
    "googledrive",
    "my drive",
    "icloud drive",
    "mobile documents",
    "nutstore",
    "坚果云",
    "baidusyncdisk",
    "百度云同步盘",
    "pcloud",
    "syncthing",
    "creative cloud files",
    "box sync",
];

pub(super) fn shared_disk(facts: &Facts) -> Check {
    const ID: &str = "shared-disk";
    let config = &facts.loaded.config;
    let mut places = vec![&config.state.dir, &config.scripts.dir];
    places.extend(facts.loaded.file.as_ref());
    let disks = disks();
    for place in places {
        let path = place.to_string_lossy();
        if let Some(folder) = synced(place) {
            return Check::warning(ID, |lang| w::is_synced(&path, &folder, lang))
                .todo(w::move_from_synced);
        }
        let kind = disk_of(disks.as_ref(), place)
            .map(|disk| disk.file_system().to_string_lossy().to_lowercase());
        if let Some(kind) = kind.filter(|kind| SHARED.contains(&kind.as_str())) {
            return Check::warning(ID, |lang| w::is_shared(&path, &kind, lang))
                .todo(w::move_from_shared);
        }
    }
    Check::ok(ID, w::own)
}

/// The part of `path` that a program copies elsewhere.
fn synced(path: &Path) -> Option<String> {
    let parts = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    parts.into_iter().find(|part| {
        let part = part.to_lowercase();
        SYNCED.iter().any(|name| part == *name || part.starts_with(&format!("{name} - ")))
    })
}

/// None where the system does not tell, or does not answer: a disk of the network whose server is gone holds up whoever
/// asks for it.
fn disks() -> Option<sysinfo::Disks> {
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || told.send(sysinfo::Disks::new_with_refreshed_list()));
    heard.recv_timeout(DISKS).ok()?.ok()
}

fn disk_of<'d>(disks: Option<&'d sysinfo::Disks>, path: &Path) -> Option<&'d sysinfo::Disk> {
    let real = existing(path).canonicalize().ok()?;
    let holds = |disk: &&sysinfo::Disk| real.starts_with(disk.mount_point());
    disks?.iter().filter(holds).max_by_key(|disk| disk.mount_point().as_os_str().len())
}

/// `path`, or the nearest folder above it that is there.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(path)
}

pub(super) fn disk(facts: &Facts, fix: Fix) -> Check {
    const ID: &str = "disk";
    let dir = &facts.loaded.config.state.dir;
    let mut fixed = Vec::new();
    if !dir.exists() {
        let made = fix
            .run(dir, w::created, || fs::create_dir_all(dir).and_then(|()| restrict(dir, 0o077)));
        fixed.extend(made);
    }
    let at = existing(dir);
    let path = at.to_string_lossy();
    if !at.is_dir() {
        return Check::failed(ID, |lang| w::no_folder(&path, lang)).todo(w::other_folder);
    }
    if let Err(error) = tempfile::tempfile_in(at) {
        return Check::failed(ID, |lang| w::read_only(&path, &error.to_string(), lang))
            .todo(w::check_folder);
    }
    let disks = disks();
    let Some(free) = disk_of(disks.as_ref(), dir).map(sysinfo::Disk::available_space) else {
        return Check { fixed, ..Check::ok(ID, w::writable) };
    };
    let megabytes = free >> 20;
    let check = if free < LITTLE {
        Check::failed(ID, |lang| w::nearly_full(megabytes, lang)).todo(w::make_room)
    } else if free < LOW {
        Check::warning(ID, |lang| w::low(megabytes, lang)).todo(w::make_room)
    } else {
        Check::ok(ID, |lang| w::free(megabytes, lang))
    };
    Check { fixed, ..check }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_other_computers_get_a_copy_of_are_known_by_name() {
        for (path, folder) in [
            ("/home/ann/Dropbox/bot/scripts", Some("Dropbox")),
            ("/Users/ann/Library/Mobile Documents/com~apple~CloudDocs/x", Some("Mobile Documents")),
            ("/mnt/c/Users/ann/OneDrive - Example Ltd/bot", Some("OneDrive - Example Ltd")),
            ("/home/安/坚果云/bot", Some("坚果云")),
            ("/home/ann/dropboxes/bot", None),
            ("/home/ann/.local/share/moonbell", None),
        ] {
            assert_eq!(synced(Path::new(path)).as_deref(), folder, "{path}");
        }
    }
}
