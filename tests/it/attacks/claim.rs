//! A6: how the bot gets its owner, and how it does not.

use moonbell::sim::{Options, Sim};

use super::super::process::HostProcess;
use super::super::stage::{ALICE, BOB, LINA, OWNER, STRANGER, Setup, Stage};
use super::secrets::files_in;
use super::{answer, code, count, moonbell, run, text, unowned, wrong};

const REFUSED: &str = "Sorry, I only work for people whom my owner has let in.";

async fn fresh() -> HostProcess {
    let stage = Setup::new().stage().await;
    unowned(&stage);
    run(stage).await
}

fn yours(text: &&str) -> bool {
    text.contains("The bot is yours now") || text.contains("你现在是主人")
}

/// A new code of `moonbell claim`.
fn claim(stage: &Stage, more: &[&str]) -> String {
    let output = moonbell(stage, &[&["claim"], more].concat());
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_the_code_of_the_terminal_makes_its_sender_the_owner_for_good() {
    let host = fresh().await;
    let shown = code(&host);
    host.say(LINA, &format!("claim {}", shown.to_lowercase().replace('-', "")));
    host.until("she owns it", |seen| seen.to(LINA).iter().any(yours)).await;
    host.say(LINA, "trace mine");
    host.until("she is served", |seen| seen.to(LINA).last() == Some(&"did mine")).await;
    // The same code once more: by her, and by somebody who saw it.
    host.say(BOB, &shown);
    host.until("he is a stranger", |seen| seen.to(BOB) == [REFUSED]).await;
    let (_, stage) = host.terminate().await;
    let host = run(stage).await;
    host.say(LINA, "trace after a restart");
    host.until("she still owns it", |seen| seen.to(LINA).last() == Some(&"did after a restart"))
        .await;
    let output = moonbell(&host, &["claim"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("somebody has claimed the bot already"), "{}", text(&output));
    let (_, stage) = host.terminate().await;
    assert_eq!(count(&stage, &[("event", "claim"), ("verdict", "allow"), ("who", LINA)]), 1);
    // Nobody is asked to claim what is owned.
    assert_eq!(
        stage.lines("err").iter().filter(|line| line.contains("Nobody owns this bot yet")).count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_five_wrong_codes_of_whomever_end_it_and_the_terminal_tells() {
    let host = fresh().await;
    let shown = code(&host);
    for person in [ALICE, BOB, STRANGER, ALICE, BOB] {
        host.say(person, &wrong(&shown));
    }
    let tries = || count(&host, &[("event", "claim"), ("verdict", "deny")]);
    host.until_true("five are recorded", || tries() == 5).await;
    host.say(OWNER, &shown);
    host.until("the right one is refused like any text", |seen| seen.to(OWNER) == [REFUSED]).await;
    // What a wrong code is told is what any stranger is told, and once.
    host.look(|seen| {
        assert_eq!(seen.to(ALICE), [REFUSED]);
        assert_eq!(seen.to(STRANGER), [REFUSED]);
    });
    host.until_true("it is told at the computer", || {
        host.lines("err").iter().any(|line| line.contains("no code works any more"))
    })
    .await;
    let again = claim(&host, &[]);
    assert_ne!(again, shown);
    host.say(OWNER, &again);
    host.until("a new one works", |seen| seen.to(OWNER).iter().any(yours)).await;
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_a_code_that_a_group_has_read_works_no_more() {
    let host = fresh().await;
    let shown = code(&host);
    host.say_in(0, OWNER, &wrong(&shown));
    host.say_in(0, ALICE, &shown);
    host.until("it is told so", |seen| {
        seen.in_group(0).iter().any(|text| text.contains("this one works no more"))
    })
    .await;
    host.say(ALICE, &shown);
    host.until_true("nobody owns it", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 3
    })
    .await;
    assert_eq!(host.journal("SELECT count(*) FROM owner"), 0);
    let again = claim(&host, &[]);
    host.say(BOB, &again);
    host.until("a new one works", |seen| seen.to(BOB).iter().any(yours)).await;
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_of_two_at_once_one_owns_it() {
    let host = fresh().await;
    let shown = code(&host);
    let everybody = [OWNER, ALICE, LINA, BOB, STRANGER];
    for person in everybody {
        host.say(person, &shown);
    }
    host.until("all are answered", |seen| {
        everybody.iter().all(|person| !seen.to(person).is_empty())
    })
    .await;
    let owners = host
        .look(|seen| everybody.iter().filter(|person| seen.to(person).iter().any(yours)).count());
    assert_eq!(owners, 1);
    assert_eq!(host.journal("SELECT count(*) FROM owner"), 1);
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_the_settings_win_over_a_claim_and_leave_nothing_to_claim() {
    let host = fresh().await;
    let shown = code(&host);
    host.say(BOB, &shown);
    host.until("he owns it", |seen| seen.to(BOB).iter().any(yours)).await;
    let (_, stage) = host.terminate().await;
    super::super::process::settings(&stage);
    let host = run(stage).await;
    assert!(host.lines("err").iter().any(|line| line.contains("the settings win")));
    host.say(BOB, "lock");
    host.say(OWNER, "trace as ever");
    host.until("the owner of the settings is served", |seen| {
        seen.to(OWNER).last() == Some(&"did as ever")
    })
    .await;
    host.until("he is a guest", |seen| {
        seen.to(BOB).last() == Some(&"Sorry, you may not use `lock`.")
    })
    .await;
    let output = moonbell(&host, &["claim", "--replace"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("the settings name the owner"), "{}", text(&output));
    host.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_a_code_outlives_a_crash_only_as_a_new_one_and_never_stands_in_the_state() {
    let host = fresh().await;
    let first = code(&host);
    let stage = host.kill().await;
    let host = run(stage).await;
    let second = code(&host);
    assert_ne!(first, second);
    host.say(ALICE, &first);
    host.until("the old one is wrong", |seen| seen.to(ALICE) == [REFUSED]).await;
    // Nobody has said the second one yet: nothing that was written down holds it.
    let mut kept = Vec::new();
    files_in(&host.state_dir(), &mut kept);
    assert!(!kept.is_empty());
    for form in [second.clone(), second.replace('-', "")] {
        for (name, bytes) in &kept {
            let found = bytes.windows(form.len()).any(|part| part == form.as_bytes());
            assert!(!found, "{name} holds the code");
        }
    }
    host.say(ALICE, &second);
    host.until("the new one works", |seen| seen.to(ALICE).iter().any(yours)).await;
    let stage = host.kill().await;
    let host = run(stage).await;
    // Another owner needs somebody at the computer.
    let third = claim(&host, &["--replace"]);
    host.say(BOB, &third);
    host.until("he took over", |seen| seen.to(BOB).iter().any(yours)).await;
    host.say(ALICE, "trace mine");
    host.say(BOB, "trace his");
    host.until("he is served", |seen| seen.to(BOB).last() == Some(&"did his")).await;
    let (_, stage) = host.terminate().await;
    assert_eq!(stage.lines("ran"), ["his"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_whoever_owns_one_app_owns_no_other_and_finds_theirs_again() {
    let host = fresh().await;
    let shown = code(&host);
    host.say(LINA, &shown);
    host.until("she owns it", |seen| seen.to(LINA).iter().any(yours)).await;
    // Whom she lets in is let in here.
    let asked = answer(&host, LINA, &format!("allow {ALICE} guest")).await;
    let (_, number) = asked.rsplit_once("yes ").unwrap_or_else(|| panic!("{asked}"));
    assert!(answer(&host, LINA, &format!("yes {number}")).await.starts_with('✅'));
    assert_eq!(answer(&host, ALICE, "trace hers").await, "did hers");
    let (_, mut stage) = host.terminate().await;

    // The same folder with another app, in whose organisation somebody has the same staff id.
    let options = Options { client_id: "dingsimulator0002".to_owned(), ..Options::default() };
    let first = std::mem::replace(&mut stage.sim, Sim::start(options).await.unwrap());
    unowned(&stage);
    let host = run(stage).await;
    host.say(LINA, "trace not mine");
    host.until("she is a stranger", |seen| seen.to(LINA) == [REFUSED]).await;
    assert_ne!(code(&host), shown);
    host.say(BOB, &code(&host));
    host.until("he owns this one", |seen| seen.to(BOB).iter().any(yours)).await;
    host.say(ALICE, "trace not hers here");
    host.until("she was let in elsewhere", |seen| seen.to(ALICE) == [REFUSED]).await;
    let (_, mut stage) = host.terminate().await;

    drop(std::mem::replace(&mut stage.sim, first));
    unowned(&stage);
    let host = run(stage).await;
    host.say(BOB, "trace not his");
    host.say(LINA, "trace mine");
    host.until("it is hers as before", |seen| seen.to(LINA).last() == Some(&"did mine")).await;
    host.until("he is a stranger there", |seen| seen.to(BOB) == [REFUSED]).await;
    assert_eq!(answer(&host, ALICE, "trace again").await, "did again");
    let (_, stage) = host.terminate().await;
    assert_eq!(stage.lines("ran"), ["hers", "mine", "again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_a_code_is_made_without_a_host_too() {
    let stage = Setup::new().stage().await;
    unowned(&stage);
    let shown = claim(&stage, &[]);
    assert_eq!(shown.len(), 9);
    let output = moonbell(&stage, &["audit", "--json"]);
    assert!(
        text(&output).contains("\"claim\"") && !text(&output).contains(&shown),
        "{}",
        text(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_beside_a_mistake_in_the_settings_a_code_is_given_unless_it_is_about_the_owner() {
    let stage = Setup::new().stage().await;
    unowned(&stage);
    let path = stage.path("bot.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    let mistaken = |text: String| {
        std::fs::write(&path, text).unwrap();
        moonbell(&stage, &["claim"])
    };
    let output = mistaken(format!("language = \"fr\"\n{good}"));
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("warning: "), "{}", text(&output));
    let output = mistaken(good.replace("[access]", "[access]\nowner = 4220"));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let why = "whose bot it is cannot be told while `access.owner` is wrong";
    assert!(text(&output).contains(why), "{}", text(&output));
}
