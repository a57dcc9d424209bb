//! Programs that are as good as any program: their arguments tell them what to start, or which file of yours to change.
//!
//! For a warning, and so no border: what is not listed here may well be one too.

/// By what their arguments make them do, with spaces in between.
const LAUNCHERS: &[&str] = &[
    // Shells.
    "ash bash busybox cmd csh dash elvish fish ksh mksh nu powershell pwsh rbash rksh sh tcsh toybox xonsh \
     zsh",
    // What starts its arguments: as somebody else, elsewhere, later, differently.
    "at batch chroot chrt crontab doas entr env expect fakeroot firejail flock ionice ld.so nice nohup \
     nsenter parallel pkexec proot run-parts run0 runuser screen script setpriv setsid start-stop-daemon \
     stdbuf strace ltrace su sudo systemctl systemd-run taskset time timeout tmux unshare watch watchexec \
     xargs xvfb-run",
    // Interpreters and their tools.
    "awk bun cscript deno dotnet elixir erl gawk gdb ghci go groovy guile irb java jshell julia lldb lua \
     luajit luau lune m4 mawk mshta nawk node nodejs npm npx octave osascript perl php pip pipx pnpm poetry \
     psql python r racket regsvr rscript ruby rundll scala sed sqlite swift tclsh uv uvx wish wscript yarn",
    // What builds and deploys by files that name programs.
    "ansible ansible-playbook ant bazel bundle cargo cmake composer docker gem git gmake gradle helm hg jj \
     just kubectl make msbuild mvn nerdctl ninja nix pdflatex podman rake snap svn terraform tex apt apt-get \
     brew dnf dpkg flatpak pacman rpm yum",
    // Editors and readers that have commands of their own.
    "ed emacs ex less man more nano nvim vi view vim",
    // What reaches other computers and takes a program for it.
    "ftp mosh nc ncat openssl rsync scp sftp socat ssh telnet",
    // What finds, packs, copies or fetches files, and so changes those that you run.
    "busctl cp curl dd fd find install ln mv open patch split tar tee unzip wget xdg-open zip",
];

/// Whether `program` (a name, or a path) is one. Versions in its name say nothing: `python3.12` is `python`.
pub(super) fn is_one(program: &str) -> bool {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program).to_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    let mut all = LAUNCHERS.iter().flat_map(|kind| kind.split(' '));
    all.any(|one| one == name || one == plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_other_programs_is_known_by_any_of_its_names() {
        for program in [
            "sh",
            "/bin/bash",
            "python3",
            "python3.12",
            "ENV",
            "C:\\tools\\Node.exe",
            "vim.exe",
            "run0",
        ] {
            assert!(is_one(program), "{program}");
        }
        for program in ["echo", "date", "systemd-analyze", "shellcheck", "uptime", "pythonista"] {
            assert!(!is_one(program), "{program}");
        }
    }
}
