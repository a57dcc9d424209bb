//! Laws of the count.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn november(day: u32) -> DateTime<Utc> {
    format!("2026-11-{day:02}T04:00:00Z").parse().unwrap()
}

fn december() -> DateTime<Utc> {
    "2026-11-30T16:00:00Z".parse().unwrap()
}

fn limits(api_calls: u64, pushes: u64) -> Limits {
    Limits { api_calls: Some(api_calls), pushes: Some(pushes), webhooks_count: true }
}

fn tally(api_calls: u64, pushes: u64) -> Tally {
    Tally::new(limits(api_calls, pushes), november(10))
}

fn call(what: Use) -> Call<'static> {
    Call { what, run: None, owed: false }
}

fn levels(tally: &mut Tally) -> Vec<(Budget, Level)> {
    std::iter::from_fn(|| tally.warning()).map(|warning| (warning.budget, warning.level)).collect()
}

#[test]
fn each_share_is_told_once_and_at_the_limit_nothing_more_is_called() {
    let (mut tally, now) = (tally(100, 1_000), november(10));
    let mut told = Vec::new();
    for n in 1..=120_u64 {
        assert_eq!(tally.begin(&call(Use::Send), now).is_ok(), n <= 100, "call {n}");
        told.extend(levels(&mut tally).into_iter().map(|(_, level)| (n, level)));
        assert_eq!(tally.may_stream(), n < 95, "call {n}");
    }
    assert_eq!(told, [50, 80, 95, 100].map(|n| (n, Level::Share(n))));
    assert_eq!(tally.used(Budget::ApiCalls), 100);
    // What is owed goes out, and what costs nothing of this budget.
    assert!(tally.begin(&Call { owed: true, ..call(Use::Card) }, now).is_ok());
    assert!(tally.begin(&call(Use::Webhook), now).is_ok());
    assert!(tally.begin(&call(Use::Free), now).is_ok());
    assert_eq!(tally.used(Budget::ApiCalls), 101);
    assert_eq!(tally.used(Budget::Pushes), 1);
}

#[test]
fn what_commands_add_to_the_table_counts_and_what_is_on_its_way_there_is_not_lost() {
    let (mut tally, now) = (tally(100, 100), november(10));
    (0..10).for_each(|_| tally.begin(&call(Use::Send), now).unwrap());
    let month = tally.month();
    drop(tally.take());
    // Two that are counted after that, and four of a command beside it.
    (0..2).for_each(|_| tally.begin(&call(Use::Send), now).unwrap());
    tally.learn(month, [14, 0]);
    assert_eq!(tally.used(Budget::ApiCalls), 16);
    // A table from before a write that is under way, and one of another month, say nothing.
    tally.learn(month, [4, 0]);
    tally.learn(Month::of(december()), [50, 0]);
    assert_eq!(tally.used(Budget::ApiCalls), 16);
    tally.learn(month, [48, 0]);
    assert_eq!(levels(&mut tally), [(Budget::ApiCalls, Level::Share(50))]);
}

#[test]
fn the_next_month_begins_at_nothing_and_opens_what_was_closed() {
    let mut tally = tally(10, 10);
    (0..10).for_each(|_| tally.begin(&call(Use::Send), november(30)).unwrap());
    assert!(tally.begin(&call(Use::Send), november(30)).is_err() && !tally.has_room());
    let opened = tally.opened();
    tally.tick(december());
    assert!(tally.opened() > opened && tally.has_room() && tally.may_stream());
    assert!(tally.begin(&call(Use::Send), december()).is_ok());
    assert_eq!(tally.used(Budget::ApiCalls), 1);
    assert_eq!(tally.month().to_string(), "2026-12");
    // A clock that is set back brings no month back.
    tally.tick(november(30));
    assert_eq!(tally.month().to_string(), "2026-12");
    assert_eq!(levels(&mut tally), []);
    (1..5).for_each(|_| tally.begin(&call(Use::Send), december()).unwrap());
    assert_eq!(levels(&mut tally), [(Budget::ApiCalls, Level::Share(50))]);
}

#[test]
fn what_was_told_is_not_told_again_after_a_restart_unless_the_limit_is_another() {
    let mut first = tally(100, 100);
    first.resume([80, 0], [BTreeSet::from([50, 80]), BTreeSet::new()]);
    assert_eq!(levels(&mut first), []);
    // Above a share, and the owner does not know: a crash came before the notice, or the limit is a new one.
    let mut second = tally(100, 100);
    second.resume([96, 49], [BTreeSet::from([50]), BTreeSet::new()]);
    assert_eq!(levels(&mut second), [(Budget::ApiCalls, Level::Share(95))]);
    assert!(!second.may_stream());
}

#[test]
fn what_dingtalk_says_overrides_the_count_until_it_says_otherwise() {
    let (mut tally, now) = (tally(5_000, 3_000), november(10));
    tally.begin(&call(Use::Send), now).unwrap();
    tally.take_back(&call(Use::Send), now);
    tally.used_up(&call(Use::Send), now);
    assert_eq!(levels(&mut tally), [(Budget::ApiCalls, Level::Refused)]);
    assert!(!tally.has_room() && !tally.may_stream());
    assert_eq!(tally.used(Budget::ApiCalls), 0, "what it refused it does not count");
    assert!(tally.begin(&call(Use::Send), now).unwrap_err().contains("DingTalk says"));
    assert!(tally.begin(&call(Use::Webhook), now).is_ok(), "webhooks are another budget");
    // After a while one call asks, and only one.
    let later = now + ASK_AGAIN;
    let opened = tally.opened();
    tally.ask(later);
    tally.ask(later);
    assert_eq!(tally.opened(), opened + 1);
    assert!(tally.begin(&call(Use::Send), later).is_ok());
    assert!(tally.begin(&call(Use::Send), later).is_err());
    tally.used_up(&call(Use::Send), later);
    assert!(tally.begin(&call(Use::Send), later + ASKING).is_err());
    assert_eq!(levels(&mut tally), [], "the owner knows");
    // A package was bought.
    let (last, opened) = (later + ASK_AGAIN, tally.opened());
    tally.begin(&call(Use::Send), last).unwrap();
    tally.accepted(&call(Use::Send));
    assert!(tally.has_room() && tally.may_stream() && tally.opened() > opened);
}

#[test]
fn frames_without_content_are_told_once_and_close_nothing() {
    let (mut tally, now) = (tally(5_000, 3_000), november(10));
    tally.pushes_used_up(now);
    tally.pushes_used_up(now);
    assert_eq!(levels(&mut tally), [(Budget::Pushes, Level::Refused)]);
    assert!(tally.begin(&call(Use::Webhook), now).is_ok());
}

#[test]
fn a_run_is_charged_to_its_handler_and_its_person_and_the_message_with_it() {
    let (mut tally, now) = (tally(100, 100), november(10));
    tally.pushed(Push::Message, Some(("ann", "Ann Lee")), now);
    tally.begins("r1", "", "ann");
    tally.answers("r1", Push::Message, "deploy", "ann");
    let of = |run| Call { run: Some(run), ..call(Use::Frame) };
    tally.begin(&of("r1"), now).unwrap();
    tally.begin(&of("r1"), now).unwrap();
    // It handed on: the message and what follows belong to the next one.
    tally.answers("r1", Push::Message, "fallback", "ann");
    tally.begin(&of("r1"), now).unwrap();
    tally.begin(&of("of an earlier host"), now).unwrap();
    let fresh = tally.take();
    let mut lines: Vec<_> = fresh
        .uses
        .iter()
        .map(|(key, n)| match &key.who {
            Who::Known { handler, person } => format!("{} {handler}/{person} {n}", key.kind),
            Who::Run(run) => format!("{} of {run} {n}", key.kind),
        })
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "frame deploy/ann 2",
            "frame fallback/ann 1",
            "frame of of an earlier host 1",
            "message fallback/ann 1"
        ]
    );
    assert_eq!(fresh.names.get("ann").map(|name| &**name), Some("Ann Lee"));
    assert!(tally.take().is_empty());
}

#[test]
fn runs_are_forgotten_oldest_first() {
    let (mut tally, now) = (tally(100, 100), november(10));
    (0..=RUNS).for_each(|n| tally.begins(&n.to_string(), "h", "p"));
    assert_eq!(tally.runs.known.len(), RUNS);
    tally.begin(&Call { run: Some("0"), ..call(Use::Send) }, now).unwrap();
    let fresh = tally.take();
    assert!(matches!(&fresh.uses.keys().next().unwrap().who, Who::Run(run) if **run == *"0"));
}

/// What can happen to a count.
#[derive(Clone, Debug)]
enum Step {
    Call {
        what: Use,
        run: u8,
        owed: bool,
    },
    /// The last call was not counted after all.
    TakeBack,
    UsedUp,
    Accepted,
    Push(Push, u8),
    Route(u8),
    Later(u16),
    Write,
    /// Written, but the disk did not have it.
    WriteFails,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let what = prop_oneof![
        Just(Use::Free),
        Just(Use::Send),
        Just(Use::Webhook),
        Just(Use::Card),
        Just(Use::Frame),
        Just(Use::Reaction)
    ];
    let push = prop_oneof![Just(Push::Message), Just(Push::Click), Just(Push::Event)];
    let step = prop_oneof![
        10 => (what, 0..4_u8, proptest::bool::weighted(0.1)).prop_map(|(what, run, owed)| Step::Call { what, run, owed }),
        1 => Just(Step::TakeBack),
        1 => Just(Step::UsedUp),
        1 => Just(Step::Accepted),
        5 => (push, 0..4_u8).prop_map(|(push, person)| Step::Push(push, person)),
        3 => (0..4_u8).prop_map(Step::Route),
        1 => (0..50_000_u16).prop_map(Step::Later),
        2 => Just(Step::Write),
        1 => Just(Step::WriteFails),
    ];
    proptest::collection::vec(step, 0..400)
}

proptest! {
    #[test]
    fn sums_agree_limits_hold_and_nothing_is_told_twice(steps in steps()) {
        let mut now = november(29);
        let mut tally = Tally::new(limits(40, 60), now);
        let mut written: BTreeMap<(Month, Budget), i64> = BTreeMap::new();
        let mut told = BTreeSet::new();
        let mut last: Option<(Use, u8, Month)> = None;
        let mut owed_calls = 0_u64;
        let names = ["r0", "r1", "r2", "r3"];
        for step in steps {
            let call = |what, run: u8, owed| Call { what, run: Some(names[usize::from(run)]), owed };
            match step {
                Step::Call { what, run, owed } => {
                    if tally.begin(&call(what, run, owed), now).is_ok() {
                        last = Some((what, run, tally.month()));
                        owed_calls += u64::from(owed);
                    }
                }
                Step::TakeBack => {
                    if let Some((what, run, month)) = last.take().filter(|last| last.2 == tally.month()) {
                        let _ = month;
                        tally.take_back(&call(what, run, false), now);
                    }
                }
                Step::UsedUp => tally.used_up(&call(Use::Send, 0, false), now),
                Step::Accepted => tally.accepted(&call(Use::Send, 0, false)),
                Step::Push(push, person) => tally.pushed(push, Some((names[usize::from(person)], "")), now),
                Step::Route(run) => tally.answers(names[usize::from(run)], Push::Message, "handler", "person"),
                Step::Later(seconds) => {
                    now += TimeDelta::seconds(i64::from(seconds));
                    let month = tally.month();
                    tally.tick(now);
                    if tally.month() != month {
                        owed_calls = 0;
                    }
                }
                Step::Write => {
                    for (key, n) in tally.take().uses {
                        *written.entry((key.month, key.budget)).or_default() += n;
                    }
                }
                Step::WriteFails => {
                    let fresh = tally.take();
                    tally.put_back(fresh);
                }
            }
            while let Some(warning) = tally.warning() {
                let level = (warning.month, warning.budget, warning.level);
                prop_assert!(told.insert(level), "told twice: {level:?}");
            }
            // Pushes cannot be refused; calls can, and are, but for those that are owed.
            prop_assert!(tally.used(Budget::ApiCalls) <= 40 + owed_calls);
        }
        let month = tally.month();
        for (key, n) in tally.take().uses {
            *written.entry((key.month, key.budget)).or_default() += n;
        }
        for budget in Budget::ALL {
            let sum = written.get(&(month, budget)).copied().unwrap_or(0);
            prop_assert_eq!(sum, i64::try_from(tally.used(budget)).unwrap(), "{:?}", budget);
        }
    }

    #[test]
    fn every_share_fires_exactly_once_however_fast_it_is_passed(limit in 1..500_u64, restart_at in 0..600_u64) {
        let mut tally = Tally::new(limits(limit, 1), november(10));
        let mut heard: BTreeSet<u64> = BTreeSet::new();
        for n in 0..limit {
            if n == restart_at {
                // The notices are on disk, and so is the count.
                let (used, told) = (tally.used(Budget::ApiCalls), tally.told[0].clone());
                tally = Tally::new(limits(limit, 1), november(10));
                tally.resume([used, 0], [told, BTreeSet::new()]);
            }
            tally.begin(&call(Use::Send), november(10)).unwrap();
            for (budget, level) in levels(&mut tally) {
                let Level::Share(level) = level else { panic!("nobody refused") };
                prop_assert_eq!(budget, Budget::ApiCalls);
                prop_assert!(heard.insert(level));
            }
        }
        // With few calls a share can be jumped over: then the highest is told. The limit always is.
        prop_assert!(heard.contains(&100));
        if limit >= 20 {
            prop_assert_eq!(heard.into_iter().collect::<Vec<_>>(), vec![50, 80, 95, 100]);
        }
    }
}
