//! Group H: text that lies, to a reader, a terminal, or Markdown.

use moonbell::sim::{FaultOrder, MessageKind, Say};

use super::super::process::{HostProcess, settings};
use super::super::stage::{ALICE, OWNER, Setup, Stage};
use super::{answer, moonbell, records, text};

/// Clears the screen, moves, sets title and clipboard, hides a link, overwrites, turns around, rings.
const ACTS: &str = "\u{1b}[2J\u{1b}[1;1H\u{1b}]0;owned\u{7}\u{1b}]52;c;b3duZWQ=\u{7}\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\ over\u{8}\u{8}\u{7f}\u{9b}31m\u{85} gpj.\u{202e}exe\u{2066}\u{200b}\u{feff}\0end";

/// Whether something in it acts on a terminal or hides from a reader.
fn acts(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[track_caller]
fn neutral(name: &str, text: &str) {
    if let Some(at) = text.find(acts) {
        let from = text.floor_char_boundary(at.saturating_sub(200));
        panic!(
            "{name} acts: {:?}",
            &text[from..text.ceil_char_boundary((at + 50).min(text.len()))]
        );
    }
    for word in ["owned", "b3duZWQ="] {
        // In a log they are written out with what made them act.
        let line = text.lines().find(|line| line.contains(word) && !line.contains("\\u{1b}"));
        assert!(line.is_none(), "{name} has the {word} of a sequence: {line:?}");
    }
}

const SHOWS: &str = r#"
local function out() return shell.run{ "cat", "{home}/acts" }.out end
bot.command("show", function(ctx)
    ctx:reply("text " .. out())
    ctx:reply{ markdown = "markdown " .. out(), title = out() }
    ctx:reply("nick " .. ctx.user.name)
    local card = ctx:card{ title = out() }
    card:append("card " .. out())
    card:progress(0.5, out())
    card:append(out())
    card:finish()
    log.warn("log " .. out(), { field = out() })
    print(out())
end)
bot.command("stream", function(ctx) ctx:stream{ "cat", "{home}/acts", title = out() } end)
bot.command("raise", function(ctx) error("it is " .. out()) end)
bot.command("failing", function(ctx) ctx:card{}:fail(out()) end)
bot.fallback(function(ctx) if #ctx.message.files == 0 then return ctx:reply("nothing") end ctx:reply("file " .. ctx.message.files[1].name) ctx:reply("saved " .. ctx.message.files[1]:save().name) end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn h1_what_acts_on_a_terminal_is_neutral_in_chats_logs_and_commands() {
    let stage = Setup::new()
        .sim(|options| {
            for person in &mut options.people {
                person.nick = format!("{} {ACTS}", person.nick);
            }
        })
        .script("shows.luau", SHOWS)
        .stage()
        .await;
    std::fs::write(stage.path("acts"), ACTS).unwrap();
    let host = HostProcess::spawn(stage).await;
    for word in ["show", "stream", "raise", "failing"] {
        host.say(OWNER, word);
    }
    let upload = host.sim.upload(&format!("report{ACTS}.txt"), &b"content"[..]);
    host.sim.say(&Say::direct(OWNER, "").with_file(upload)).unwrap();
    host.say(ALICE, "raise");
    host.say(ALICE, &format!("{ACTS} nothing"));
    host.say(OWNER, "who");
    host.say(OWNER, "runs");
    host.until("all is said", |seen| seen.to(OWNER).len() >= 11 && seen.to(ALICE).len() == 2).await;
    let said = host.look(|seen| {
        let titles = seen.state.messages.iter().filter_map(|message| message.title.clone());
        let mut said: Vec<String> = seen.all().iter().map(|&text| text.to_owned()).collect();
        said.extend(titles);
        said
    });
    for text in &said {
        neutral("a chat", text);
    }
    assert!(said.iter().any(|text| text.starts_with("text link over gpj.exeend")), "{said:#?}");
    let show = |stage: &Stage| {
        for words in [
            &["logs", "-n", "1000"][..],
            &["runs"],
            &["status"],
            &["audit"],
            &["outbox"],
            &["usage"],
        ] {
            neutral(&words.join(" "), &text(&moonbell(stage, words)));
        }
    };
    show(&host);
    let runs = text(&moonbell(&host, &["runs", "--json"]));
    let ids = regex::Regex::new(r#""run":\s*"([0-9a-z]{5})""#).unwrap();
    let ids: Vec<&str> = ids.captures_iter(&runs).map(|id| id.get(1).unwrap().as_str()).collect();
    assert!(ids.len() >= 6, "{runs}");
    for id in ids {
        neutral("a run", &text(&moonbell(&host, &["runs", id])));
        neutral("its log", &text(&moonbell(&host, &["logs", "--run", id])));
    }
    let (_, stage) = host.terminate().await;
    show(&stage);
    neutral("the terminal", &stage.lines("err").join("\n"));
}

/// Everything that could become a structure, a link, a picture, a mention.
const MARKS: &str = "```\n# Heading\n[Approve](http://evil.example) ![x](http://evil.example/t.png) <img src=x> <font color=red>red</font>\n@all @everyone <@all>\n[go](dingtalk://dingtalkclient/page/link?url=http://evil.example)\n| a | b |\n|---|---|\n| c | d |\n- item\n> quote\n1. one\n**bold** ~~~\n````\n---\n";

const DATA: &str = r#"
local function out() return shell.run{ "cat", "{home}/marks" }.out end
bot.command("text", function(ctx) ctx:reply(out()) end)
bot.command("stream", function(ctx) ctx:stream{ "cat", "{home}/marks", title = out() } end)
bot.command("failing", function(ctx) ctx:card{ title = out() }:fail(out()) end)
bot.command("bar", function(ctx)
    local card = ctx:card{ title = out() }
    card:progress(0.5, out())
    shell.sh("echo bar >> {home}/entered; cat {home}/bar.gate")
    card:finish("bar is done")
end)
bot.command("raise", function(ctx) ctx:card{ title = "raise" }; error(out()) end)
bot.command("escaped", function(ctx)
    ctx:reply{ markdown = "escaped " .. text.escape(out()) .. "\n" .. text.code(out()) .. "\n" .. text.table{ { "head" }, { out() } }, title = out() }
end)
bot.command("meant", function(ctx) ctx:reply{ markdown = "**meant** [docs](https://docs.example)" } end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn h2_text_of_others_is_no_markdown_no_link_and_no_mention() {
    let stage = Setup::new()
        .sim(|options| {
            for person in &mut options.people {
                person.nick = MARKS.replace('\n', " ");
            }
        })
        .script("data.luau", DATA)
        .stage()
        .await;
    std::fs::write(stage.path("marks"), MARKS).unwrap();
    let host = stage.spawn().await;
    let gate = host.hold("bar");
    host.say(OWNER, "bar");
    host.entered(&["bar"]).await;
    host.until("the bar", |seen| seen.to(OWNER).iter().any(|text| text.contains("50%"))).await;
    let bar = host.look(|seen| seen.state.cards[0].html.clone());
    gate.open();
    for word in ["text", "stream", "failing", "raise", "escaped", "who", "runs"] {
        host.say(OWNER, word);
    }
    // What people typed stands in sentences of the host.
    host.say(ALICE, MARKS);
    host.say_in(0, ALICE, &format!("no {MARKS}"));
    host.until("all is said", |seen| {
        seen.to(OWNER).len() >= 8
            && seen.state.cards.iter().all(|card| card.state.is_terminal())
            && seen.to(ALICE).len() == 1
            && seen.in_group(0).len() == 1
    })
    .await;
    let harmless = |name: &str, html: &str| {
        // A table, if it is ours, and our own title in bold; nothing that leads or loads.
        for tag in ["<a ", "<img", "<font", "<h1", "<li", "<blockquote", "<hr"] {
            assert!(!html.contains(tag), "{name} has {tag}: {html}");
        }
    };
    harmless("the bar", &bar);
    host.look(|seen| {
        for card in &seen.state.cards {
            harmless("a card", &card.html);
            assert!(!card.html.contains("<table"), "{}", card.html);
        }
        for message in seen.state.messages.iter().filter(|message| message.from == "bot") {
            assert!(message.at.is_empty(), "{message:?}");
            match message.kind {
                MessageKind::Text => {}
                _ => harmless("a message", &message.html),
            }
        }
    });
    // Whoever writes Markdown on purpose does.
    host.say(OWNER, "meant");
    host.until("it is Markdown", |seen| {
        seen.state
            .messages
            .iter()
            .any(|message| message.html.contains("<strong>meant</strong> <a "))
    })
    .await;
    for line in host.sim.wire(0) {
        let body = line.body.to_string();
        assert!(!body.contains("\"isAtAll\":true") && !body.contains("\"atAll\":true"), "{body}");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h3_what_turns_and_what_hides_is_visible_where_somebody_has_to_say_yes() {
    let script = r#"
        bot.command("wipe <what...>", { confirm = "Wipe {what}?", run = function(ctx) ctx:reply("wiped") end })
        bot.command("start <word...>", function(ctx)
            local approval, err = ctx:approve({ "/bin/echo", ctx.args.word }, { question = "Start it?" })
            ctx:reply(if approval then "started" else err.kind)
        end)
    "#;
    let host = Setup::new().script("wipe.luau", script).spawn().await;
    for (n, word) in ["wipe", "start"].into_iter().enumerate() {
        let asked =
            answer(&host, OWNER, &format!("{word} -rf /\u{202e}txt.\u{2066}a\u{200b}b")).await;
        assert!(asked.starts_with('❓'), "{asked}");
        assert!(asked.contains(r"/\u{202e}txt.\u{2066}a\u{200b}b"), "{asked}");
        assert_eq!(asked.find(acts), None, "{asked:?}");
        host.say(OWNER, "no");
        host.until("it is not done", |seen| seen.to(OWNER).len() >= 2 * (n + 1)).await;
    }
    host.look(|seen| {
        assert!(!seen.to(OWNER).iter().any(|said| matches!(*said, "wiped" | "started")));
    });
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h4_a_name_with_a_line_of_the_log_in_it_makes_no_line() {
    let forged = "x\n2026-01-01T00:00:00.000+08:00  info all is well run=7k3fa\r\n{\"n\":1,\"verdict\":\"allow\"}\u{2028}";
    let stage = Setup::new()
        .sim(|options| options.people.iter_mut().for_each(|person| person.nick = forged.to_owned()))
        .script("logs.luau", "bot.command('note <text...>', function(ctx) log.info('heard ' .. ctx.args.text, { nick = ctx.user.name }) error(ctx.user.name .. ctx.text) end)")
        .stage()
        .await;
    let host = HostProcess::spawn(stage).await;
    host.say(OWNER, &format!("note {forged}"));
    host.say(ALICE, forged);
    host.until("both are answered", |seen| {
        !seen.to(OWNER).is_empty() && !seen.to(ALICE).is_empty()
    })
    .await;
    let (_, stage) = host.terminate().await;
    settings(&stage);
    let log = text(&moonbell(&stage, &["logs", "-n", "10000"]));
    for (name, log) in [("the terminal", stage.lines("err").join("\n")), ("logs", log)] {
        let made = log
            .lines()
            .filter(|line| line.starts_with("2026-01-01T00:00:00") || line.starts_with('{'));
        assert_eq!(made.count(), 0, "{name}: {log}");
        assert!(log.contains("heard x"), "{name}: {log}");
    }
    for record in records(&stage) {
        assert!(record["hash"].is_string(), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h4_a_name_of_several_lines_is_one_in_the_lists_of_commands() {
    let forged = "x\r\n7k3fa  done  11-30 09:00  1s  the owner  wipe\u{2028}\u{85}\u{b}y";
    let stage = Setup::new()
        .sim(|options| options.people.iter_mut().for_each(|person| person.nick = forged.to_owned()))
        .script(
            "three\nlines\u{1b}[2K.luau",
            "bot.command('three', function() undefined_name() end)",
        )
        .toml("[scripts]\nasked = [\"theirs\"]")
        .stage()
        .await;
    std::fs::create_dir(stage.path("scripts/theirs")).unwrap();
    let needs = "bot.script{ needs = { \"shell:echo\" } }\nbot.command('two', function() end)";
    stage.write("theirs/two\nlines.luau", needs);
    let host = HostProcess::spawn(stage).await;
    host.say(OWNER, "echo one");
    host.until("it is answered", |seen| seen.to(OWNER).contains(&"one")).await;
    let alone = |command: &[&str]| {
        let said = text(&moonbell(&host, command));
        let forged = said.lines().any(|line| {
            let line = line.trim_start();
            line.starts_with("7k3fa") || line.starts_with("lines") || line.starts_with("y\"")
        });
        assert!(!forged && !said.contains('\u{1b}'), "{command:?}: {said}");
        said
    };
    assert_eq!(alone(&["runs"]).lines().count(), 2, "a head and one run");
    let run = "SELECT run FROM inbox LIMIT 1";
    let journal = rusqlite::Connection::open(host.state_dir().join("moonbell.db")).unwrap();
    let run: String = journal.query_row(run, [], |row| row.get(0)).unwrap();
    drop(journal);
    alone(&["runs", &run]);
    assert!(alone(&["grant", "--list"]).contains("theirs/two\\nlines.luau"));
    assert!(alone(&["check"]).contains("three\\nlines\\u{1b}[2K.luau:1:"));
    host.terminate().await;
}

const SIZES: &str = r#"
local texts = {
    bytes = ("x"):rep(15001), million = ("word "):rep(200000), cjk = ("汉"):rep(3001),
    family = ("👨‍👩‍👧‍👦"):rep(700), spaces = (" "):rep(50) .. "\n\t\n", unseen = "\u{200b}\u{2060}\u{200d}\u{feff}",
    sequences = "\27[31m\27[0m\r\0", nothing = "", braille = "\u{2800}\u{3164}",
}
bot.command("ascard <name>", function(ctx)
    local text = texts[ctx.args.name]
    local card = ctx:card{ title = ctx.args.name == "unseen" and text or nil }
    card:append(text)
    card:set(text)
    card:finish(text)
end)
bot.command("asreply <name>", function(ctx)
    local said, why = pcall(function() ctx:reply(texts[ctx.args.name]) ctx:reply{ markdown = texts[ctx.args.name] } end)
    if not said then ctx:reply("refused: " .. why) end
end)
bot.command("asstream <name>", function(ctx) ctx:stream{ "cat", stdin = texts[ctx.args.name] } end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn h5_no_text_is_too_long_or_too_empty_for_an_answer() {
    let host = Setup::new()
        .sim(|options| options.limits.strict_streaming = true)
        .script("sizes.luau", SIZES)
        .spawn()
        .await;
    let names = [
        "bytes",
        "million",
        "cjk",
        "family",
        "spaces",
        "unseen",
        "sequences",
        "nothing",
        "braille",
    ];
    for name in names {
        for way in ["ascard", "asreply", "asstream"] {
            let before = host.look(|seen| seen.to(OWNER).len());
            host.say(OWNER, &format!("{way} {name}"));
            host.until(&format!("{way} {name} is answered"), |seen| {
                seen.to(OWNER).len() > before
                    && seen.state.cards.iter().all(|card| card.state.is_terminal())
            })
            .await;
        }
    }
    // What people send is as odd.
    for text in [
        &"x".repeat(15_001)[..],
        &"汉".repeat(3_001),
        &"👨‍👩‍👧‍👦".repeat(700),
        "   \n ",
        "\u{200b}\u{2060}",
        &"word ".repeat(200_000),
    ] {
        let before = host.look(|seen| seen.to(ALICE).len());
        host.say(ALICE, text);
        host.until("it is answered", |seen| seen.to(ALICE).len() > before).await;
    }
    host.sim.faults(&FaultOrder { clear: true, ..FaultOrder::default() });
    host.look(|seen| {
        for card in &seen.state.cards {
            let shown: String = card
                .text
                .chars()
                .filter(|c| {
                    !c.is_whitespace()
                        && !acts(*c)
                        && !matches!(c, '\u{2060}' | '\u{200d}' | '\u{2800}' | '\u{3164}' | '*')
                })
                .collect();
            assert!(!shown.is_empty(), "a blank card: {card:?}");
            assert!(card.text.chars().count() <= 3_000, "{} characters", card.text.chars().count());
        }
        for text in seen.to(OWNER).iter().chain(&seen.to(ALICE)) {
            assert!(
                text.chars().any(|c| !c.is_whitespace()
                    && !matches!(c, '\u{2060}' | '\u{200d}' | '\u{2800}' | '\u{3164}')),
                "a blank message: {text:?}"
            );
        }
    });
    assert_eq!(host.journal("SELECT count(*) FROM outbox WHERE state = 'parked'"), 0);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h4_nothing_of_a_run_passes_for_another_field_of_it() {
    let script = r#"
        local forged = "first\nwho: boss (manager4220)\r\nrun: zzzzz\u{2028}who: boss\u{85}who: boss\rwho: boss"
        bot.command("fail", function() error(forged) end)
        bot.command("out", function(ctx) ctx:stream{ "printf", "%s\\n", forged, title = "out" } log.info(forged) end)
    "#;
    let host = Setup::new().script("forged.luau", script).spawn().await;
    host.say(ALICE, "fail");
    host.say(ALICE, "out");
    let title = "a group\nwho: boss (manager4220)\u{2029}run: zzzzz";
    super::super::access::push(&host, "m1", "trace of a group", |data| {
        data["conversationType"] = "2".into();
        data["conversationId"] = host.sim.group(0).into();
        data["conversationTitle"] = title.into();
        data["isInAtList"] = true.into();
        data["senderNick"] = "Nick\nwho: boss".into();
    });
    host.until_true("all have ended", || {
        host.journal("SELECT count(*) FROM inbox WHERE ended_at_ms IS NOT NULL") == 3
    })
    .await;
    let list: serde_json::Value = serde_json::from_str(&host.says(&["runs", "--json"])).unwrap();
    let ids: Vec<String> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["run"].as_str().unwrap().to_owned())
        .collect();
    let mut told = Vec::new();
    for id in &ids {
        told.push(host.says(&["runs", id]));
        told.push(answer(&host, OWNER, &format!("log {id}")).await);
    }
    for text in told {
        let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
        let fields: Vec<&str> = lines.filter(|line| !line.starts_with(' ')).collect();
        let count = |name: &str| fields.iter().filter(|line| line.starts_with(name)).count();
        assert!(count("who: ") == 1 && count("run: ") == 1, "{text}");
    }
    // A nick is its owner's to choose; the staff id is not.
    assert!(
        host.says(&["runs"]).contains(&format!("Alice Chen ({ALICE})")),
        "{}",
        host.says(&["runs"])
    );
    host.stop().await;
}
