//! The service: its unit read by systemd itself, and what is asked of `systemctl`, which stands in here.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::home::{Answer, Home};

const SETTINGS: &str = "[dingtalk]\nclient_id = \"dingoftheteam\"\nclient_secret = { file = \"secret\" }\n\
                        [shutdown]\ndeadline = \"70s\"\n";

/// A home whose path needs quoting everywhere, with settings.
fn home() -> Home {
    let home = Home::new();
    home.write("配置 100% \"$HOME\"/bot.toml", SETTINGS);
    let secret = "配置 100% \"$HOME\"/secret";
    home.write(secret, "what nobody reads\n");
    fs::set_permissions(home.path(secret), fs::Permissions::from_mode(0o600)).unwrap();
    home
}

fn settings(home: &Home) -> PathBuf {
    home.path("配置 100% \"$HOME\"/bot.toml")
}

/// `moonbell service …`, the program under another name.
fn service(home: &Home, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    let from = home.command(&[]);
    command.env_clear().current_dir(home.root());
    for (name, value) in from.get_envs() {
        command.env(name, value.unwrap());
    }
    command.arg("service").args(arguments).env("MOONBELL_CONFIG", settings(home));
    command
}

/// A stand-in for a program of the system: notes its arguments, and answers what a file says.
fn stand_in(home: &Home, name: &str, script: &str) {
    let path = format!("bin/{name}");
    let note = home.path("asked");
    home.write(
        &path,
        &format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n{script}\n", note.display()),
    );
    fs::set_permissions(home.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
}

fn asked(home: &Home) -> Vec<String> {
    let asked = fs::read_to_string(home.path("asked")).unwrap_or_default();
    fs::write(home.path("asked"), "").unwrap();
    // How it is seen is no business of this test.
    asked.lines().filter(|line| !line.contains(" show")).map(str::to_owned).collect()
}

const MOONBELL: &str = env!("CARGO_BIN_EXE_moonbell");

#[test]
fn systemd_itself_accepts_the_unit_with_every_awkward_path() {
    let home = home();
    let program = home.path("我的 程序 100% $x ${y}; & #/moonbell");
    fs::create_dir(program.parent().unwrap()).unwrap();
    // The same program: a copy of it is large.
    if fs::hard_link(MOONBELL, &program).is_err() {
        fs::copy(MOONBELL, &program).unwrap();
    }
    let printed = Answer::of(service(&home, &program, &["install", "--print"]).output().unwrap());
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(printed.out.contains("\nTimeoutStopSec=100\n"), "{}", printed.out);
    assert!(!printed.out.contains("what nobody reads"), "{}", printed.out);
    home.write("moonbell.service", &printed.out);
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--user"]).arg(home.path("moonbell.service"));
    verify.env("XDG_RUNTIME_DIR", home.root());
    let verified = Answer::of(verify.output().expect("systemd-analyze, of the package systemd"));
    let about_it: Vec<&str> =
        verified.err.lines().filter(|line| line.contains("moonbell")).collect();
    assert_eq!((verified.code, &about_it[..]), (0, &[][..]), "{}\n{}", verified.err, printed.out);

    // A program that is not quoted is another one: the check above can fail.
    let wrong = printed.out.replacen("=:\"", "=:", 1);
    home.write("moonbell.service", &wrong);
    assert_ne!(verify.output().unwrap().stderr, b"", "{wrong}");
}

#[test]
fn it_is_installed_once_changed_when_it_has_to_be_and_taken_away() {
    let home = home();
    stand_in(
        &home,
        "loginctl",
        "case $1 in show-user) cat linger;; enable-linger) echo yes > linger;; esac",
    );
    stand_in(
        &home,
        "systemctl",
        "case \"$*\" in
            *enable*) echo yes > enabled;;
            *restart*) echo active > active;;
            *disable*) rm -f enabled active;;
            *' show moonbell.service '*)
                [ -e active ] && echo ActiveState=active || echo ActiveState=inactive
                [ -e enabled ] && echo UnitFileState=enabled
                echo MainPID=$$;;
        esac",
    );
    home.write("linger", "no\n");
    let run = |arguments: &[&str]| {
        let mut command = service(&home, Path::new(MOONBELL), arguments);
        let path = format!("{}:/usr/bin:/bin", home.path("bin").display());
        Answer::of(command.env("PATH", path).output().unwrap())
    };
    let unit = home.path("config/systemd/user/moonbell.service");

    let before = run(&["status"]);
    assert_eq!((before.code, before.out.as_str()), (1, ""), "{before:?}");
    assert!(before.err.contains("no service is installed"), "{}", before.err);

    // No host comes up, because nothing is started here: that is said.
    let installed = run(&["install"]);
    assert_eq!(
        (installed.code, installed.out.trim()),
        (1, unit.to_str().unwrap()),
        "{installed:?}"
    );
    assert!(installed.err.contains("no host came up"), "{}", installed.err);
    assert!(installed.err.contains("linger is on"), "{}", installed.err);
    assert_eq!(
        asked(&home),
        [
            "systemctl --user daemon-reload",
            "systemctl --user enable moonbell.service",
            "systemctl --user restart moonbell.service",
            "loginctl enable-linger",
        ]
    );

    // Once more: nothing to do.
    run(&["install"]);
    assert_eq!(asked(&home), Vec::<String>::new());

    let status = run(&["status", "--json"]);
    assert_eq!(status.code, 0, "{status:?}");
    let status: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(
        (&status["running"], &status["enabled"], &status["linger"]),
        (&true.into(), &true.into(), &true.into())
    );

    // An edited unit is put right.
    fs::write(&unit, "[Service]\n").unwrap();
    run(&["install"]);
    assert_eq!(
        asked(&home)[..2],
        ["systemctl --user daemon-reload", "systemctl --user enable moonbell.service"]
    );

    let gone = run(&["uninstall"]);
    assert_eq!(gone.code, 0, "{gone:?}");
    assert!(!unit.exists());
    assert_eq!(
        asked(&home),
        ["systemctl --user disable --now moonbell.service", "systemctl --user daemon-reload"]
    );
    assert_eq!(run(&["uninstall"]).code, 0, "twice is no mistake");
}

#[test]
fn without_a_session_of_systemd_or_complete_settings_it_says_what_to_do() {
    let home = home();
    stand_in(&home, "systemctl", "echo 'Failed to connect to bus: No medium found' >&2; exit 1");
    let path = format!("{}:/usr/bin:/bin", home.path("bin").display());
    let answer = Answer::of(
        service(&home, Path::new(MOONBELL), &["install"]).env("PATH", &path).output().unwrap(),
    );
    assert_eq!(answer.code, 1);
    assert!(
        answer
            .err
            .contains("there is no systemd session of this user here: Failed to connect to bus"),
        "{}",
        answer.err
    );
    assert!(answer.err.contains("moonbell run"), "{}", answer.err);
    assert!(!home.path("config/systemd").exists(), "nothing is left behind");

    // What only this shell says, a service would not know.
    fs::write(settings(&home), "").unwrap();
    let mut command = service(&home, Path::new(MOONBELL), &["install"]);
    command
        .env("MOONBELL_DINGTALK_CLIENT_ID", "dingx")
        .env("MOONBELL_DINGTALK_CLIENT_SECRET", "a secret value");
    let answer = Answer::of(command.output().unwrap());
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer.err.contains(
            "a service does not see MOONBELL_DINGTALK_CLIENT_ID, MOONBELL_DINGTALK_CLIENT_SECRET"
        ),
        "{}",
        answer.err
    );
    assert!(!answer.err.contains("a secret value"));
}

#[test]
fn settings_that_cannot_be_used_do_not_make_a_service_manager_try_again() {
    let home = Home::new();
    assert_eq!(home.run(&["run"]).code, 2);
    let supervised = home.run(&["run", "--supervised"]);
    assert_eq!(supervised.code, 0, "{supervised:?}");
    assert!(supervised.err.contains("`dingtalk.client_id` is missing"), "{}", supervised.err);
}

#[test]
fn where_the_service_has_said_nothing_its_own_folder_is_named_and_how_to_look_at_it() {
    let home = Home::new();
    home.write("bin/journalctl", "#!/bin/sh\nexit 0\n");
    fs::set_permissions(home.path("bin/journalctl"), fs::Permissions::from_mode(0o755)).unwrap();
    // Nothing is set up, where other commands would ask the host of `dev`.
    let mut command = home.command(&["service", "logs"]);
    command.env("PATH", home.path("bin"));
    let answer = Answer::of(command.output().unwrap());
    assert_eq!((answer.code, answer.out.as_str()), (1, ""), "{answer:?}");
    let folder = home.path("data/moonbell");
    let named = format!("no host has written a log in `{}` yet", folder.display());
    assert!(answer.err.contains(&named), "{}", answer.err);
    assert!(answer.err.contains("hint: `moonbell service status` says"), "{}", answer.err);
}
