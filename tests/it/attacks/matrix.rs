//! A13: who may do what, written once, and walked as messages through the doors of the real program.
//!
//! Not here, because there is no such cell: a foreign person in `explain`, whose `--as` names people of the organisation;
//! the listed group there, since `--group` is a group and not that one; and words about one run there, for whose it is
//! only the journal of the host knows. Other doors: [`super::walks`].

use std::fmt::Write as _;

use moonbell::sim::{NewPerson, Say};
use rusqlite::OptionalExtension as _;
use serde_json::Value;

use super::super::access::push;
use super::super::process::HostProcess;
use super::super::stage::{ALICE, BOB, LINA, OWNER, STRANGER, Setup, Stage, Way};
use super::{answer, moonbell, records, text};

/// A guest, about whose runs others ask.
pub(super) const ANN: &str = "015412345605";
/// Had a role, and lost it in a chat.
pub(super) const TED: &str = "015412345606";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Owner,
    Admin,
    /// `ops`, a name that somebody made up.
    Named,
    Guest,
    Stranger,
    /// With the owner's staff id, in another organisation.
    Foreign,
    Removed,
}

impl Role {
    pub(super) const ALL: [Self; 7] = [
        Self::Owner,
        Self::Admin,
        Self::Named,
        Self::Guest,
        Self::Stranger,
        Self::Foreign,
        Self::Removed,
    ];

    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Owner | Self::Foreign => OWNER,
            Self::Admin => BOB,
            Self::Named => LINA,
            Self::Guest => ALICE,
            Self::Stranger => STRANGER,
            Self::Removed => TED,
        }
    }

    /// As the audit names this one.
    pub(super) fn named(self) -> String {
        if self == Self::Foreign {
            return format!("{OWNER}@dingother");
        }
        self.id().to_owned()
    }

    /// What becomes of it for this one, where `may` says it of those who may write at all.
    pub(super) fn verdict(self, may: [Verdict; 4]) -> Verdict {
        match self {
            Self::Owner => may[0],
            Self::Admin => may[1],
            Self::Named => may[2],
            Self::Guest => may[3],
            Self::Stranger | Self::Removed => No("no_role"),
            Self::Foreign => No("other_organisation"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    /// Denied for this reason, as the audit has it.
    No(&'static str),
    /// What is not for them is not there for them: the message is nobody's.
    Hidden,
}

use Verdict::{Hidden, No, Yes};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Direct,
    /// The group that `here` names.
    Listed,
    Group,
}

const ANYWHERE: &[Place] = &[Place::Direct, Place::Listed, Place::Group];
const GROUPS: &[Place] = &[Place::Listed, Place::Group];

const EVERYBODY: [Verdict; 4] = [Yes; 4];
const OWNERS: [Verdict; 4] = [Yes, No("role: owner"), No("role: owner"), No("role: owner")];
const ADMINS: [Verdict; 4] = [Yes, Yes, No("role: admin"), No("role: admin")];
const OPS: [Verdict; 4] = [Yes, No("role: ops"), Yes, No("role: ops")];
const LISTED: &str = "scope: cidGrpc2ltdWxhdGVkIGdyb3VwIDA=";

const SCRIPT: &str = r#"
local function act(ctx) shell.sh("echo $1 >> {home}/acted", ctx.run_id) ctx:reply("did it " .. ctx.run_id) end
bot.command("free|自由 <n>", act)
bot.command("guarded|守卫 <n>", { role = "ops", run = act })
bot.command("adminly <n>", { role = "admin", run = act })
bot.command("bossy <n>", { role = "owner", run = act })
bot.command("near <n>", { scope = "dm", run = act })
bot.command("far <n>", { scope = "group", run = act })
bot.command("here <n>", { scope = "cidGrpc2ltdWxhdGVkIGdyb3VwIDA=", run = act })
bot.command("close <n>", { role = "ops", scope = "dm", run = act })
bot.match("^please guard", { role = "ops", run = act })
bot.match("^hello", { scope = "dm", run = act })
bot.every("1h", { name = "hourly" }, function() end)
"#;

/// What is said, what the audit calls it, where, and what becomes of it for the owner, an admin, `ops`, and a guest. A number
/// is put behind what a handler of the script gets. `{ann}` and `{owner}` are runs of theirs that have ended.
type Line = (&'static str, &'static str, &'static [Place], [Verdict; 4]);

const TABLE: &[Line] = &[
    // No role; by name, by alias, with a slash.
    ("free", "matrix.luau free", ANYWHERE, EVERYBODY),
    ("自由", "matrix.luau free", ANYWHERE, EVERYBODY),
    ("/free", "matrix.luau free", ANYWHERE, EVERYBODY),
    // A role; by name, alias and pattern.
    ("guarded", "matrix.luau guarded", ANYWHERE, OPS),
    ("守卫", "matrix.luau guarded", ANYWHERE, OPS),
    ("please guard", "matrix.luau ^please guard", ANYWHERE, [Yes, Hidden, Yes, Hidden]),
    ("adminly", "matrix.luau adminly", ANYWHERE, ADMINS),
    ("bossy", "matrix.luau bossy", ANYWHERE, OWNERS),
    // A place; by name and pattern, and beside a role.
    ("near", "matrix.luau near", &[Place::Direct], EVERYBODY),
    ("near", "matrix.luau near", GROUPS, [No("scope: dm"); 4]),
    ("far", "matrix.luau far", GROUPS, EVERYBODY),
    ("far", "matrix.luau far", &[Place::Direct], [No("scope: group"); 4]),
    ("here", "matrix.luau here", &[Place::Listed], EVERYBODY),
    ("here", "matrix.luau here", &[Place::Direct, Place::Group], [No(LISTED); 4]),
    ("close", "matrix.luau close", &[Place::Direct], OPS),
    (
        "close",
        "matrix.luau close",
        GROUPS,
        [No("scope: dm"), No("role: ops"), No("scope: dm"), No("role: ops")],
    ),
    ("hello", "matrix.luau ^hello", &[Place::Direct], EVERYBODY),
    ("hello", "matrix.luau ^hello", GROUPS, [Hidden; 4]),
    // Words of the host's own.
    ("help", "help", ANYWHERE, EVERYBODY),
    ("runs", "runs", ANYWHERE, EVERYBODY),
    ("stop", "stop", ANYWHERE, EVERYBODY),
    ("cancel", "cancel", ANYWHERE, EVERYBODY),
    ("log", "log", ANYWHERE, EVERYBODY),
    ("again", "again", ANYWHERE, EVERYBODY),
    ("usage", "usage", ANYWHERE, EVERYBODY),
    ("language", "language", ANYWHERE, EVERYBODY),
    ("unlock", "unlock", ANYWHERE, EVERYBODY),
    ("no 0000", "no", ANYWHERE, EVERYBODY),
    ("who", "who", ANYWHERE, ADMINS),
    ("schedules", "schedules", ANYWHERE, ADMINS),
    ("trigger hourly", "trigger", ANYWHERE, ADMINS),
    ("parked", "parked", ANYWHERE, ADMINS),
    ("allow 015412345605 ops", "allow", ANYWHERE, OWNERS),
    ("deny 015412345605", "deny", ANYWHERE, OWNERS),
    ("yes 0000", "yes", ANYWHERE, OWNERS),
    // About runs of others.
    ("log {ann}", "log", ANYWHERE, ADMINS),
    ("log {owner}", "log", ANYWHERE, ADMINS),
    ("again {ann}", "again", ANYWHERE, ADMINS),
    ("again {owner}", "again", ANYWHERE, ADMINS),
];

/// A host with everybody of the table, of whom one has been removed.
pub(super) async fn host(setup: Setup) -> HostProcess {
    let person = |id: &str, nick: &str| NewPerson {
        staff_id: id.to_owned(),
        nick: nick.to_owned(),
        owner: false,
        external: false,
    };
    let setup = setup.sim(|options| {
        options.people.extend([person(ANN, "Ann"), person(TED, "Ted")]);
        let everybody: Vec<String> =
            options.people.iter().map(|person| person.staff_id.clone()).collect();
        for group in &mut options.groups {
            group.members.clone_from(&everybody);
        }
    });
    let roles = format!(
        "[access.roles]\nadmin = [{BOB:?}]\nops = [{LINA:?}, {TED:?}]\nguest = [{ALICE:?}, {ANN:?}]"
    );
    let host = setup.toml(&roles).spawn().await;
    assert_eq!(answer(&host, TED, "echo still in").await, "still in");
    removed(&host, TED, "").await;
    host
}

/// The owner takes a role from `person`, or every one.
pub(super) async fn removed(host: &Stage, person: &str, role: &str) {
    let asked = answer(host, OWNER, format!("deny {person} {role}").trim()).await;
    let (_, code) = asked.rsplit_once("yes ").unwrap_or_else(|| panic!("{asked}"));
    let done = answer(host, OWNER, &format!("yes {code}")).await;
    assert!(done.starts_with('✅'), "{done}");
}

impl Place {
    fn chat(self, host: &Stage, person: &str) -> String {
        match self {
            Self::Direct => host.sim.direct_chat(person),
            Self::Listed => host.sim.group(0),
            Self::Group => host.sim.group(1),
        }
    }
}

/// Says it as this one; returns the msgId.
fn say(host: &Stage, role: Role, place: Place, text: &str, n: usize) -> String {
    let chat = place.chat(host, role.id());
    if role != Role::Foreign {
        return host.sim.say(&Say::in_chat(chat, role.id(), text)).unwrap();
    }
    let id = format!("foreign-{n}");
    push(host, &id, text, |data| {
        data["senderCorpId"] = "dingother".into();
        data["conversationId"] = chat.into();
        data["conversationType"] = if place == Place::Direct { "1" } else { "2" }.into();
    });
    id
}

/// Says it in the group that is listed, and waits until it is decided.
pub(super) async fn say_in_the_listed_group(host: &Stage, role: Role, text: &str, n: usize) {
    let id = say(host, role, Place::Listed, text, n);
    host.until_true("it is decided", || ended(host, &id).is_some()).await;
}

/// The run and the error of a message, once it is decided and over.
fn ended(host: &Stage, id: &str) -> Option<(String, String)> {
    let journal = rusqlite::Connection::open_with_flags(
        host.state_dir().join("moonbell.db"),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
    );
    let row = journal.unwrap().query_row(
        "SELECT run, ifnull(error, '') FROM inbox WHERE key LIKE '%' || char(31) || ?1 AND ended_at_ms IS NOT NULL",
        [id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    );
    row.optional().unwrap()
}

/// Waits until the message is decided, and holds the decision, its effect and its record against what is expected.
async fn holds(host: &Stage, role: Role, id: &str, word: &str, expected: Verdict, cell: &str) {
    let mut row = None;
    host.until_true(cell, || {
        row = ended(host, id);
        row.is_some()
    })
    .await;
    let (run, error) = row.unwrap();
    let is_denied = error.starts_with("denied: ");
    assert_eq!(is_denied, matches!(expected, No(_)), "{cell}: {error}");
    // What ran left its trace, and nothing else did.
    let ran = host.lines("acted").contains(&run);
    assert_eq!(ran, expected == Yes && word.starts_with("matrix.luau "), "{cell}");
    let of_run = |one: &Value| one["run"] == *run && one["event"] == "decision";
    host.until_true(cell, || {
        let all = records(host);
        let told: Vec<&Value> = all.iter().filter(|one| of_run(one)).collect();
        match expected {
            Yes => told.iter().any(|one| one["verdict"] == "allow" && one["handler"] == word),
            Hidden => {
                told.iter().any(|one| one["verdict"] == "allow" && one["handler"] == "unknown")
            }
            No(reason) => {
                let is = |one: &&Value| {
                    one["verdict"] == "deny"
                        && one["reason"] == reason
                        && one["who"] == role.named()
                };
                // Past five of a kind in a minute they are counted, not written.
                let left_out = all.iter().filter(is).count() >= 5;
                !told.iter().any(|one| one["verdict"] == "allow")
                    && (told.iter().any(is) || (told.is_empty() && left_out))
            }
        }
    })
    .await;
}

/// A run of `person` that has ended.
async fn done(host: &Stage, person: &str, text: &str) -> String {
    let said = answer(host, person, text).await;
    said.strip_prefix("did it ").unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// The whole table, as messages.
async fn walk(host: &Stage) {
    let (ann, owner) = (done(host, ANN, "free 0").await, done(host, OWNER, "bossy 0").await);
    let mut n = 0;
    for (text, word, places, may) in TABLE {
        let mut said = Vec::new();
        for (place, role) in places.iter().flat_map(|place| Role::ALL.map(|role| (*place, role))) {
            n += 1;
            let mut text = text.replace("{ann}", &ann).replace("{owner}", &owner);
            if word.starts_with("matrix.luau ") {
                let _ = write!(text, " {n}");
            }
            said.push((say(host, role, place, &text, n), role, place));
        }
        for (id, role, place) in said {
            let cell = format!("{role:?} {place:?} {text}");
            holds(host, role, &id, word, role.verdict(*may), &cell).await;
        }
    }
    // What an admin ran again of the owner's, they ran with their own rights.
    let lent = |one: &Value| {
        one["who"] == BOB && one["handler"] == "matrix.luau bossy" && one["verdict"] == "allow"
    };
    assert!(!records(host).iter().any(lent));
}

/// `stop RUN` of what runs, of a guest's and of the owner's, by everybody.
async fn walk_stop(host: &Stage) {
    for (whose, n) in [(ANN, 1_000), (OWNER, 2_000)] {
        for (n, role) in (n..).zip(Role::ALL) {
            let name = format!("gate{n}");
            let gate = host.hold(&name);
            let held = host.say(whose, &format!("hold {name}"));
            host.entered(&[&name]).await;
            let run = "SELECT run FROM inbox WHERE key LIKE '%' || char(31) || ?1";
            let journal = rusqlite::Connection::open(host.state_dir().join("moonbell.db")).unwrap();
            let run: String = journal.query_row(run, [&held], |row| row.get(0)).unwrap();
            drop(journal);
            let id = say(host, role, Place::Direct, &format!("stop {run}"), n);
            let may = role.verdict(ADMINS);
            holds(host, role, &id, "stop", may, &format!("{role:?} stop {whose}'s")).await;
            if may != Yes {
                assert_eq!(ended(host, &held), None, "{role:?}: it goes on");
            }
            gate.open();
            host.until_true("it is over", || ended(host, &held).is_some()).await;
            let cancelled = "SELECT count(*) FROM inbox WHERE state = 'cancelled' AND run = ";
            let stopped = host.journal(&format!("{cancelled}'{run}'")) == 1;
            assert_eq!(stopped, may == Yes, "{role:?} stop {whose}'s");
        }
    }
}

/// `lock` by everybody; while it holds nobody is served.
async fn walk_lock(host: &Stage) {
    for (n, role) in (3_000..).zip(Role::ALL) {
        let id = say(host, role, Place::Direct, "lock", n);
        let may = role.verdict(ADMINS);
        holds(host, role, &id, "lock", may, &format!("{role:?} lock")).await;
        assert_eq!(host.state_dir().join("locked").exists(), may == Yes, "{role:?}");
        if may == Yes {
            for (n, role) in (4_000 + 10 * n..).zip([Role::Owner, Role::Guest]) {
                let id = say(host, role, Place::Direct, &format!("free {n}"), n);
                holds(host, role, &id, "", No("locked"), "locked").await;
            }
            let unlocked = moonbell(host, &["unlock"]);
            assert!(unlocked.status.success(), "{}", text(&unlocked));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_every_cell_of_the_table_holds_for_messages_over_the_stream() {
    let host = host(Setup::new().script("matrix.luau", SCRIPT)).await;
    walk(&host).await;
    walk_stop(&host).await;
    walk_lock(&host).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_every_cell_of_the_table_holds_for_messages_over_http() {
    let host = host(Setup::new().over(Way::Http).script("matrix.luau", SCRIPT)).await;
    walk(&host).await;
    walk_stop(&host).await;
    walk_lock(&host).await;
    host.stop().await;
}

/// What `moonbell explain` says of it: how it ends.
fn explained(host: &Stage, role: Role, place: Place, text: &str) -> String {
    let group: &[&str] = if place == Place::Group { &["--group"] } else { &[] };
    let told = moonbell(host, &[&["explain", text, "--as", role.id(), "--json"], group].concat());
    let told: Value = serde_json::from_slice(&told.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", super::text(&told)));
    told["outcome"]["kind"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_explain_tells_of_every_cell_what_the_host_decides() {
    let host = host(Setup::new().script("matrix.luau", SCRIPT)).await;
    let mut cells = Vec::new();
    for (text, word, places, may) in TABLE.iter().filter(|(text, ..)| !text.contains('{')) {
        let is_handler = word.starts_with("matrix.luau ");
        for place in places.iter().filter(|place| **place != Place::Listed) {
            // In a group only what depends on the place: each cell is a process.
            if *place == Place::Group && *places == ANYWHERE && *text != "free" {
                continue;
            }
            for role in Role::ALL.into_iter().filter(|role| *role != Role::Foreign) {
                let text = if is_handler { format!("{text} 1") } else { (*text).to_owned() };
                let expected = match role.verdict(*may) {
                    Yes if is_handler => "runs",
                    Yes => "answered",
                    No(_) => "refused",
                    Hidden => "nobody",
                };
                cells.push((role, *place, text, expected));
            }
        }
    }
    assert!(cells.len() > 150, "{}", cells.len());
    std::thread::scope(|scope| {
        for quarter in cells.chunks(cells.len().div_ceil(4)) {
            let host = &*host;
            scope.spawn(move || {
                for (role, place, text, expected) in quarter {
                    let told = explained(host, *role, *place, text);
                    assert_eq!(told, *expected, "{role:?} {place:?} {text}");
                }
            });
        }
    });
    host.stop().await;
}
