//! Far more at once than can be served at once: memory stays, order stays, nobody waits for somebody else.

use std::io::Write as _;
use std::time::Duration;

use moonbell::sim::NewPerson;
use moonbell::worker::Places;

use super::process::HostProcess;
use super::stage::{ALICE, BOB, LINA, OWNER, Setup};

/// Messages of one person, and beside them those of twenty others.
const FLOOD: usize = 9_000;
const OTHERS: usize = 20;
const EACH: usize = 50;

/// So much more may be in memory while ten thousand messages wait, in a debug build with a hundred under way side by
/// side: far below what each of them kept whole, with a coroutine, would take. Six mebibytes were measured.
const MORE_KIB: i64 = 128 * 1024;

/// Numbers what comes, and says where one comes out of its order; only now and then, because sending each answer by
/// itself would take most of the test.
const COUNTING: &str = r#"
local last = -1
bot.command("number <n:int>", function(ctx)
    local n = ctx.args.n
    if n ~= last + 1 then ctx:reply("after " .. last .. " came " .. n) end
    last = n
    if (n + 1) % 100 == 0 then ctx:reply("all to " .. n) end
end)
"#;

const QUESTION: &str = r#"
bot.command("question", function(ctx)
    local colour = ctx:ask("Which colour?")
    ctx:reply("so it is " .. colour)
end)
"#;

fn person(n: usize) -> String {
    format!("0154999{n:05}")
}

/// A line of `/proc/PID/status` in KiB; zero where the system does not tell.
fn memory(host: &HostProcess, line: &str) -> i64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap_or_default();
    let found = status.lines().find_map(|found| found.strip_prefix(line)?.strip_suffix(" kB"));
    found.map_or(0, |found| found.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn f4_ten_thousand_messages_at_once_wait_on_disk_in_order_and_hold_up_nobody() {
    let setup = Setup::new().script("counting.luau", COUNTING).guests(&["*"]).sim(|options| {
        options.limits.messages = 40_000;
        options.clocks.redelivery = Some(Duration::from_secs(30));
        options.people.extend((0..OTHERS).map(|n| NewPerson {
            staff_id: person(n),
            nick: format!("other {n}"),
            owner: false,
            external: false,
        }));
    });
    let host = setup.spawn().await;
    host.say(BOB, "echo warm");
    host.until("it is up", |seen| seen.to(BOB) == ["warm"]).await;
    let before = memory(&host, "VmRSS:");
    let gate = host.hold("one");
    host.say(ALICE, "hold one");
    host.entered(&["one"]).await;

    for n in 0..FLOOD {
        host.say(ALICE, &format!("number {n}"));
    }
    for n in 0..EACH {
        for other in 0..OTHERS {
            host.say(&person(other), &format!("echo {n}"));
        }
    }
    let queued = || {
        let count = host.journal("SELECT count(*) FROM inbox WHERE state = 'queued'");
        usize::try_from(count).unwrap()
    };
    let sent = |than: usize| {
        let count = host.journal("SELECT count(*) FROM outbox WHERE state = 'sent'");
        usize::try_from(count).unwrap() >= than
    };
    host.until_true("what the others say is answered", || sent(OTHERS * EACH)).await;
    host.until_true("all of hers are on disk", || queued() == FLOOD).await;
    host.say(BOB, "echo not held up");
    host.until("he is answered while all of hers wait", |seen| {
        seen.to(BOB).last() == Some(&"not held up")
    })
    .await;
    assert_eq!(queued(), FLOOD);
    let waiting = memory(&host, "VmRSS:");

    gate.open();
    host.until_true("hers are under way", || queued() < FLOOD - 100).await;
    host.say(LINA, "echo nor I");
    host.until_true("she is answered meanwhile", || host.look(|seen| seen.to(LINA) == ["nor I"]))
        .await;
    let left = queued();
    assert!(left > FLOOD / 10, "{left} are left: too few to say that she did not wait for them");
    // Patience is for a step, however long the whole takes on a busy machine.
    for step in (0..FLOOD).step_by(1_000).rev() {
        host.until_true("a thousand more are done", || queued() <= step).await;
    }
    // Hers, the others', what was said in between, and the notice that much waits.
    host.until_true("all is said", || sent(FLOOD / 100 + 1 + OTHERS * EACH + 3 + 1)).await;

    let peak = memory(&host, "VmHWM:");
    let _ = writeln!(
        std::io::stderr(),
        "flood: resident {} MiB before, {} MiB with {FLOOD} waiting, {} MiB at most; {left} were waiting when somebody else was answered",
        before >> 10,
        waiting >> 10,
        peak >> 10
    );
    assert!(peak - before < MORE_KIB, "{before} KiB before, {peak} KiB at most");
    let (hers, told): (Vec<String>, Vec<String>) = host.look(|seen| {
        let all = seen.to(ALICE).into_iter().map(str::to_owned);
        all.partition(|text| !text.contains("of your messages wait"))
    });
    assert_eq!(told.len(), 1, "{told:?}");
    let expected = std::iter::once("released one".to_owned());
    let counted = (100..=FLOOD).step_by(100).map(|n| format!("all to {}", n - 1));
    assert_eq!(hers, expected.chain(counted).collect::<Vec<_>>());
    host.look(|seen| {
        for other in 0..OTHERS {
            let theirs = seen.to(&person(other));
            assert!(theirs.iter().copied().eq((0..EACH).map(|n| n.to_string())), "{theirs:?}");
        }
    });
    let (status, _) = host.terminate().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_every_place_is_taken_stop_is_heard_all_the_same() {
    let places = Places { side_by_side: 2, under_way: 100, always: 2 };
    let host = Setup::new().places(places).start().await;
    let _gates = [host.hold("one"), host.hold("two")];
    host.say(ALICE, "hold one");
    host.say(BOB, "hold two");
    host.entered(&["one", "two"]).await;
    host.say(LINA, "echo waits for a place");
    host.until_true("hers waits", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'queued'") == 1
    })
    .await;
    host.say(LINA, "runs");
    host.until("a control word of hers is answered", |seen| seen.to(LINA).len() == 1).await;
    host.look(|seen| assert!(!seen.to(LINA).contains(&"waits for a place")));
    host.say(ALICE, "stop");
    host.until("and so is `stop`", |seen| {
        seen.to(ALICE).iter().any(|text| text.starts_with("Stopped (run "))
    })
    .await;
    host.until("which makes room", |seen| seen.to(LINA).last() == Some(&"waits for a place")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_wait_for_people_leave_their_places_to_others() {
    let places = Places { side_by_side: 2, under_way: 100, always: 2 };
    let host = Setup::new().script("question.luau", QUESTION).places(places).start().await;
    for person in [ALICE, BOB, LINA] {
        host.say(person, "question");
        host.until("it is asked", |seen| seen.asked(person) == ["Which colour?"]).await;
    }
    host.say(OWNER, "echo there is room");
    host.until("it is served", |seen| seen.to(OWNER) == ["there is room"]).await;
    host.say(BOB, "blue");
    host.until("and so is an answer", |seen| seen.to(BOB).last() == Some(&"so it is blue")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_heard_where_nothing_else_is() {
    let places = Places { side_by_side: 2, under_way: 2, always: 1 };
    let host = Setup::new().script("question.luau", QUESTION).places(places).start().await;
    for person in [ALICE, BOB] {
        host.say(person, "question");
        host.until("it is asked", |seen| seen.asked(person) == ["Which colour?"]).await;
    }
    host.say(LINA, "echo too many already");
    host.until_true("it waits", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'queued'") == 1
    })
    .await;
    host.say(ALICE, "red");
    host.until("the answer arrives", |seen| seen.to(ALICE).last() == Some(&"so it is red")).await;
    host.until("and makes room", |seen| seen.to(LINA) == ["too many already"]).await;
    host.stop().await;
}
