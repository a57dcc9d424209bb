//! Questions to people, and their answers: `ctx:ask`, `ctx:choose`, `ctx:confirm`.

use std::time::Duration;

use super::stage::{ALICE, BOB, OWNER, STRANGER, Setup};

const SCRIPT: &str = r#"
bot.command("greet", function(ctx)
    local name, err = ctx:ask("What is your name?")
    ctx:reply(if name then "Hello " .. name else "no name: " .. err.kind)
end)

bot.command("quick", function(ctx)
    local _, err = ctx:ask("Quick!", { timeout = "200ms" })
    ctx:reply("no answer: " .. err.kind)
end)

bot.command("pick", function(ctx)
    local env, err = ctx:choose("Where to?", { "staging", "prod" })
    ctx:reply(if env then "to " .. env else "nowhere: " .. err.kind)
end)

bot.command("drop", function(ctx)
    local yes, err = ctx:confirm("Drop everything?")
    ctx:reply(if yes == nil then "kept: " .. err.kind elseif yes then "dropped" else "kept")
end)

-- Its limit is far below the time that the person takes.
bot.command("patient", { timeout = "1s", run = function(ctx)
    local text = ctx:ask("Take your time.")
    ctx:reply("at last: " .. text)
end })

bot.command("two", function(ctx)
    local first = ctx:ask("first?")
    local second = ctx:ask("second?")
    ctx:reply(first .. " and " .. second)
end)
"#;

fn setup() -> Setup {
    Setup::new().script("dialogs.luau", SCRIPT)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_message_is_the_answer_and_is_journaled_as_one() {
    let host = setup().start().await;
    host.say(ALICE, "greet");
    host.until("she is asked", |seen| seen.asked(ALICE) == ["What is your name?"]).await;
    // A command by its looks: the question is in front of commands.
    host.say(ALICE, "echo");
    host.until("it was the answer", |seen| seen.to(ALICE).last() == Some(&"Hello echo")).await;
    host.until_true("both ended well", || {
        host.journal("SELECT count(*) FROM inbox WHERE state = 'done'") == 2
    })
    .await;
    assert_eq!(host.journal("SELECT count(*) FROM inbox WHERE handler = 'answer'"), 1);
    // And the one after it is a message like any other.
    host.say(ALICE, "echo again");
    host.until("it ran", |seen| seen.to(ALICE).last() == Some(&"again")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_in_one_group_have_a_question_each_and_others_none() {
    let host = setup().start().await;
    host.say_in(0, ALICE, "greet");
    host.say_in(0, BOB, "greet");
    host.until("both are asked", |seen| seen.in_group(0).len() == 2).await;
    host.say_in(0, OWNER, "echo not mine to answer");
    host.say_in(0, BOB, "Bob");
    host.say_in(0, ALICE, "Alice");
    host.until("each has answered for themselves", |seen| {
        let said = seen.in_group(0);
        ["Hello Bob", "Hello Alice", "not mine to answer"].iter().all(|text| said.contains(text))
    })
    .await;
    // The same person in another chat is somebody else.
    host.say_in(0, ALICE, "greet");
    host.until("she is asked again", |seen| seen.in_group(0).len() == 6).await;
    host.say(ALICE, "echo here");
    host.until("it ran over there", |seen| seen.to(ALICE) == ["here"]).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_the_question_is_no_answer_and_keeps_its_turn() {
    let gated = r#"
        bot.command("gated", function(ctx)
            shell.sh("echo $1 >> $2/entered; cat $2/$1.gate", "g", "{home}")
            ctx:reply("heard " .. ctx:ask("well?"))
        end)
    "#;
    let host = setup().script("gated.luau", gated).start().await;
    let gate = host.hold("g");
    host.say(ALICE, "gated");
    host.entered(&["g"]).await;
    host.say(ALICE, "echo early");
    host.until("it is accepted", |seen| seen.state.counters.acks >= 2).await;
    gate.open();
    host.until("she is asked", |seen| seen.asked(ALICE) == ["well?"]).await;
    host.say(ALICE, "yes");
    host.until("the early one came after the run", |seen| {
        seen.asked(ALICE) == ["well?", "heard yes", "early"]
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_messages_at_once_answer_one_question_and_the_second_keeps_its_turn() {
    let host = setup().start().await;
    host.say(ALICE, "greet");
    host.until("she is asked", |seen| seen.to(ALICE).len() == 1).await;
    host.say(ALICE, "Ann");
    host.say(ALICE, "echo second");
    host.until("one answer, one command, in order", |seen| {
        seen.to(ALICE)[1..] == ["Hello Ann", "second"]
    })
    .await;
    host.say(ALICE, "two");
    host.until("the first question", |seen| seen.asked(ALICE).last() == Some(&"first?")).await;
    host.say(ALICE, "a");
    host.until("the second question", |seen| seen.asked(ALICE).last() == Some(&"second?")).await;
    host.say(ALICE, "b");
    host.until("both were heard", |seen| seen.to(ALICE).last() == Some(&"a and b")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_leaves_the_question_and_stop_ends_the_run() {
    let host = setup().start().await;
    for word in ["cancel", "取消"] {
        let before = host.look(|seen| seen.to(ALICE).len());
        host.say(ALICE, "greet");
        host.until("she is asked", |seen| seen.to(ALICE).len() > before).await;
        host.say(ALICE, "runs");
        host.until("the run waits for her", |seen| {
            seen.to(ALICE).last().is_some_and(|text| text.contains(" · waits for an answer · "))
        })
        .await;
        host.say(ALICE, word);
        host.until("the script hears of it", |seen| {
            seen.to(ALICE).contains(&"no name: cancelled") && seen.to(ALICE).len() == before + 4
        })
        .await;
    }
    host.say(BOB, "greet");
    host.until("he is asked", |seen| seen.to(BOB).len() == 1).await;
    host.say(BOB, "stop");
    host.until("the run is stopped", |seen| seen.to(BOB).len() == 2).await;
    host.say(BOB, "echo free");
    host.until("his chat is free", |seen| seen.to(BOB).last() == Some(&"free")).await;
    host.look(|seen| assert!(!seen.to(BOB).iter().any(|text| text.starts_with("Hello"))));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_times_out_and_waiting_is_not_time_of_the_run() {
    let host = setup().start().await;
    host.say(ALICE, "quick");
    host.until("nobody answered", |seen| seen.asked(ALICE) == ["Quick!", "no answer: timeout"])
        .await;
    host.say(ALICE, "echo a message like any other");
    host.until("it ran", |seen| seen.to(ALICE).len() == 3).await;

    host.say(BOB, "patient");
    host.until("he is asked", |seen| seen.to(BOB).len() == 1).await;
    // Longer than the run's limit of a second: this time is what is tested.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    host.say(BOB, "here");
    host.until("the run lives", |seen| seen.to(BOB).last() == Some(&"at last: here")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_is_made_by_number_or_text_and_asked_for_again() {
    let host = setup().start().await;
    host.say(ALICE, "pick");
    host.until("she sees a list", |seen| seen.asked(ALICE) == ["Where to?\n1. staging\n2. prod"])
        .await;
    host.say(ALICE, "prdo");
    host.until("it is guessed at", |seen| {
        seen.to(ALICE).last().is_some_and(|text| text.contains("did you mean prod?"))
    })
    .await;
    host.say(ALICE, "2");
    host.until("taken", |seen| seen.to(ALICE).last() == Some(&"to prod")).await;
    host.say(BOB, "pick");
    for n in 1..=3 {
        host.until("he is asked", |seen| seen.to(BOB).len() == n).await;
        host.say(BOB, "somewhere nice");
    }
    host.until("enough", |seen| seen.to(BOB).last() == Some(&"nowhere: unclear")).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_plain_yes_confirms() {
    let host = setup().start().await;
    for (answers, outcome) in [
        (&["yes"][..], "dropped"),
        (&["好的"], "dropped"),
        (&["no"], "kept"),
        (&["yes but later", "不"], "kept"),
        (&["hm", "what", "why"], "kept: unclear"),
    ] {
        host.say(ALICE, "drop");
        for answer in answers {
            let asked = host.journal("SELECT count(*) FROM inbox WHERE handler = 'answer'");
            host.until("she is asked", |seen| {
                seen.to(ALICE).last().is_some_and(|text| text.contains("yes"))
            })
            .await;
            host.say(ALICE, answer);
            host.until_true("it is taken", || {
                host.journal("SELECT count(*) FROM inbox WHERE handler = 'answer'") > asked
            })
            .await;
        }
        host.until(outcome, |seen| seen.to(ALICE).last() == Some(&outcome)).await;
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_outlives_a_save_of_its_script_and_is_heard_by_who_asked() {
    let host = setup().start().await;
    host.say(ALICE, "greet");
    host.until("she is asked", |seen| seen.to(ALICE).len() == 1).await;
    host.write("dialogs.luau", &SCRIPT.replace("Hello", "Goodbye"));
    let mut said = 0;
    loop {
        // Somebody else meets the new version, once it serves.
        host.say(BOB, "greet");
        host.until("he is asked", |seen| seen.to(BOB).len() > said).await;
        // Not the same words again and again: that is what a machine does.
        let name = format!("Bob {said}");
        host.say(BOB, &name);
        host.until("he is greeted", |seen| seen.to(BOB).len() == said + 2).await;
        said += 2;
        if host.look(|seen| seen.to(BOB).last() == Some(&&*format!("Goodbye {name}"))) {
            break;
        }
    }
    host.say(ALICE, "Ann");
    host.until("her run goes on as it began", |seen| seen.to(ALICE).last() == Some(&"Hello Ann"))
        .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_ends_the_question_with_its_run_and_the_person_is_told_which_it_was() {
    let host = setup().spawn().await;
    host.say(ALICE, "greet");
    host.until("she is asked", |seen| seen.to(ALICE).len() == 1).await;
    let host = host.kill().await.start().await;
    host.until("she is told", |seen| {
        seen.to(ALICE).last().is_some_and(|text| {
            text.contains("the question “What is your name?” of `greet` is lost")
        })
    })
    .await;
    // What would have been the answer is a message like any other.
    host.say(ALICE, "echo Ann");
    host.until("it ran", |seen| seen.to(ALICE).last() == Some(&"Ann")).await;
    host.say(STRANGER, "echo x");
    host.until("strangers stay out", |seen| seen.to(STRANGER).len() == 1).await;
    host.stop().await;
}
