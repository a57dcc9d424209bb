//! What a process has started, and what has started it, as the system tells (Linux; elsewhere nothing is found).
//!
//! A program that cleared its environment or left its session is found here all the same, as long as its parents live.

use std::collections::BTreeSet;

use super::strays::Stray;

/// A process by what it descends from.
#[derive(Debug)]
pub(super) struct Kin {
    pub(super) stray: Stray,
    /// When it began, in the system's own count: a number that was given away is another process's.
    began: u64,
}

impl Kin {
    /// What the process `pid` has started, and what that has, whatever their sessions and environments. Blocks.
    #[cfg(target_os = "linux")]
    pub(super) fn of(pid: u32) -> Vec<Self> {
        let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let all: Vec<(u32, u32)> =
            pids.filter_map(|pid: u32| Some((pid, stat(pid)?.parent))).collect();
        let mut family = vec![pid];
        let mut next = 0;
        while let Some(parent) = family.get(next).copied() {
            family.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        family.into_iter().skip(1).filter_map(Self::known).collect()
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn of(_: u32) -> Vec<Self> {
        Vec::new()
    }

    #[cfg(target_os = "linux")]
    fn known(pid: u32) -> Option<Self> {
        let stray = Stray::at(pid)?;
        Some(Self { stray, began: stat(pid)?.began })
    }

    /// The process, if it has not ended. Blocks.
    #[cfg(target_os = "linux")]
    pub(super) fn alive(&self) -> Option<Stray> {
        stat(self.stray.pid).filter(|now| now.began == self.began && !now.is_zombie)?;
        self.stray.again()
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn alive(&self) -> Option<Stray> {
        None
    }
}

/// This process and what it was started by, up to the first of all.
pub(super) fn ancestors() -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut next = Some(std::process::id());
    while let Some(pid) = next.filter(|pid| *pid > 1 && found.insert(*pid)) {
        next = stat(pid).map(|stat| stat.parent);
    }
    found
}

/// What the system tells of a process.
#[derive(Clone, Copy, Debug)]
struct Stat {
    parent: u32,
    began: u64,
    is_zombie: bool,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may hold anything: the state, the parent, and seventeen fields on the beginning (proc(5)).
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let is_zombie = fields.next()? == "Z";
    let parent = fields.next()?.parse().ok()?;
    Some(Stat { parent, began: fields.nth(17)?.parse().ok()?, is_zombie })
}
