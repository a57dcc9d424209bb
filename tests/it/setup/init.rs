//! A person at a terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use moonbell::sim::{FaultOrder, HttpFault, HttpFaultKind, Scanned};
use regex::Regex;
use unicode_width::UnicodeWidthStr as _;

use super::terminal::Terminal;
use super::{Newcomer, code, mode, user_code};

const OTHER_LINES: &str = "# the team's bot\n[dingtalk]\nclient_id = \"dingold\"   # until May\nclient_secret = \"an old secret\"\n\n[access]\n# nobody yet\n";

#[tokio::test]
async fn a_newcomer_scans_a_code_claims_the_bot_and_is_answered() {
    let newcomer = Newcomer::arrives().await;
    let mut terminal = newcomer.types(&["--no-service"]);
    terminal.until("语言 / Language").await;
    terminal.until("[2]: ").await;
    terminal.type_line("");
    terminal.until("Create a new bot: scan a QR code").await;
    terminal.until("[1]: ").await;
    terminal.type_line("");
    let shown = terminal.until("Waiting …").await;
    assert!(shown.contains('█') && shown.contains("/sim/scan?user_code="), "{shown}");
    newcomer.sim.scan(Some(&user_code(&shown)), Scanned::Create).unwrap();
    terminal.until("Created the app dingsimulator0001").await;
    terminal.takes_stream().await;
    terminal.until("Scripts: ").await;
    terminal.until("direct message:\n").await;
    newcomer.is_answered(&mut terminal).await;
    terminal.until("It was answered: ping").await;
    terminal.until("Done.").await;
    // The bot stays until it is told to end.
    newcomer.says("help");
    terminal.interrupt();
    let (status, shown) = terminal.ended().await;
    assert!(status.success(), "{status}:\n{shown}");
    newcomer.secret_is_safe(&shown);
    assert_eq!(mode(&newcomer.config()), 0o600);
    let scripts = newcomer.home.path("moonbell/scripts");
    for file in ["ping.luau", "moonbell.d.luau", ".luaurc", ".vscode/settings.json"] {
        assert!(scripts.join(file).is_file(), "{file}");
    }
    assert!(!newcomer.state().join("init.json").exists(), "nothing is left to be gone on with");
}

#[tokio::test]
async fn id_and_secret_are_typed_in_chinese_and_a_wrong_secret_is_said_in_words() {
    let newcomer = Newcomer::arrives().await;
    let mut terminal = newcomer.types(&["--no-service", "--lang", "zh"]);
    terminal.until("[1]: ").await;
    terminal.type_line("2");
    for secret in ["not the secret", &newcomer.sim.client_secret()] {
        terminal.until("AppKey）: ").await;
        terminal.type_line(&newcomer.sim.client_id());
        terminal.type_hidden("星号）: ", secret).await;
        terminal.until("***").await;
        if secret == "not the secret" {
            terminal.until("钉钉不认识这一对 Client ID 和 Client Secret").await;
            terminal.until("重新复制").await;
            terminal.until("1  重新输入").await;
            terminal.until("2  改用钉钉扫码").await;
            terminal.until("[1]: ").await;
            terminal.type_line("");
        }
    }
    terminal.until("密钥有效").await;
    terminal.takes_stream().await;
    terminal.until("认领码发给它：\n").await;
    newcomer.is_answered(&mut terminal).await;
    terminal.until("机器人回答了：ping").await;
    terminal.until("完成。").await;
    terminal.interrupt();
    let (status, shown) = terminal.ended().await;
    assert!(status.success(), "{status}:\n{shown}");
    assert!(!shown.contains("not the secret"));
    newcomer.secret_is_safe(&shown);
}

#[tokio::test]
async fn who_chose_chinese_is_answered_in_chinese_from_the_first_answer_on() {
    let newcomer = Newcomer::arrives().await;
    let mut terminal = newcomer.types(&["--no-service", "--scan"]);
    terminal.until("[2]: ").await;
    terminal.type_line("1");
    let shown = terminal.until("等待扫码……").await;
    newcomer.sim.scan(Some(&user_code(&shown)), Scanned::Create).unwrap();
    terminal.takes_stream().await;
    terminal.until("认领码发给它：\n").await;
    newcomer.is_answered(&mut terminal).await;
    newcomer.answers("🎉 认领成功").await;
    newcomer.says("nonsense");
    newcomer.answers("没有命令 `nonsense`").await;
    // As the start page tells it.
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/start.zh-CN.md"));
    let page = page.unwrap();
    let said = newcomer.sim.state().messages;
    let greeting = said.iter().find(|said| said.text.starts_with("🎉")).unwrap();
    for line in greeting.text.lines() {
        assert!(page.contains(line), "{line}");
    }
}

#[tokio::test]
async fn its_screen_is_its_own_fits_the_window_and_names_a_missing_service_manager() {
    let colours = Regex::new("\x1b\\[[0-9;]*m").unwrap();
    for (lang, no_manager, [claim, answered, done]) in [
        (
            "en",
            "There is no service manager here",
            ["send it this code", "It was answered", "Done."],
        ),
        ("zh", "这里没有可用的服务管理器", ["把这个认领码发给它", "机器人回答了", "完成。"]),
    ] {
        let newcomer = Newcomer::arrives().await;
        newcomer.home.write("bin/systemctl", "#!/bin/sh\nexit 1\n");
        let stand_in = newcomer.home.path("bin/systemctl");
        fs::set_permissions(stand_in, fs::Permissions::from_mode(0o755)).unwrap();
        let scripts = newcomer.home.path(&format!("{}scripts", "a/long/way/down/".repeat(6)));
        let mut command = newcomer.init(&["--lang", lang, "--scan", "--scripts"]);
        command
            .arg(scripts)
            .env("PATH", format!("{}:/usr/bin:/bin", newcomer.home.path("bin").display()));
        let mut terminal = Terminal::open(&command, 40, 80);
        let shown = terminal.until("…\n").await;
        newcomer.sim.scan(Some(&user_code(&shown)), Scanned::Create).unwrap();
        terminal.takes_stream().await;
        terminal.until(no_manager).await;
        terminal.until(claim).await;
        terminal.until("\n\n").await;
        newcomer.is_answered(&mut terminal).await;
        terminal.until(answered).await;
        terminal.until(done).await;
        let shown = terminal.text();
        for line in colours.replace_all(&shown, "").lines() {
            // What can be clicked stays whole.
            assert!(line.contains("://") || line.width() <= 80, "{line:?} in\n{shown}");
        }
        assert!(!shown.contains(" info ") && !shown.contains(" warn "), "{shown}");
        // What happened is in the log all the same.
        let log = fs::read_to_string(newcomer.state().join("log/moonbell.log")).unwrap();
        assert!(log.contains(" info "), "{log}");
    }
}

#[tokio::test]
async fn the_language_chosen_in_init_waits_for_a_first_message_that_comes_later() {
    let newcomer = Newcomer::arrives().await;
    let (id, secret) = (newcomer.sim.client_id(), newcomer.sim.client_secret());
    let arguments = ["--no-service", "--no-wait", "--lang", "zh", "--client-id", &id];
    let mut terminal = newcomer.types(&arguments);
    terminal.type_hidden("星号）: ", &secret).await;
    terminal.takes_stream().await;
    let (status, shown) = terminal.ended().await;
    assert!(status.success(), "{shown}");
    let mut command = newcomer.home.command(&["run"]);
    command.env("MOONBELL_CONSOLE_LISTEN", "127.0.0.1:0");
    let mut host = Terminal::open(&command, 40, 100);
    host.until("Nobody owns this bot yet.").await;
    let shown = host.until("works once").await;
    newcomer.sim.until(|seen| seen.bot.connected).await.unwrap();
    newcomer.says(&code(&shown).unwrap());
    newcomer.answers("🎉 认领成功").await;
}

#[tokio::test]
async fn a_refusal_an_expired_code_and_a_lost_network_each_have_a_next_step() {
    let newcomer = Newcomer::arrives().await;
    let lost = |path: &str| FaultOrder {
        http: vec![HttpFault::new(HttpFaultKind::Reset).on(path).calls(1)],
        ..FaultOrder::default()
    };
    newcomer.sim.faults(&lost("/app/registration/init"));
    let mut terminal = newcomer.types(&["--no-service", "--lang", "en", "--scan"]);
    terminal.until("DingTalk cannot be reached: ").await;
    terminal.until("check the network").await;
    terminal.until("Try again").await;
    terminal.until("[1]: ").await;
    terminal.type_line("1");

    // While the code waits, it is tried again without asking.
    let shown = terminal.until("Waiting …").await;
    newcomer.sim.faults(&lost("/app/registration/poll"));
    terminal.until("Still trying; the code stays good.").await;
    let refuse = Scanned::Refuse { reason: "没有权限".to_owned() };
    newcomer.sim.scan(Some(&user_code(&shown)), refuse).unwrap();
    terminal.until("Whoever scanned did not create the bot: 没有权限").await;
    terminal.until("Show a new code").await;
    terminal.until("[1]: ").await;
    terminal.type_line("1");

    let again = terminal.until("Waiting …").await;
    assert_ne!(user_code(&again), user_code(&shown));
    newcomer.sim.scan(Some(&user_code(&again)), Scanned::Expire).unwrap();
    terminal.until("The code has expired.").await;
    terminal.until("[1]: ").await;
    terminal.type_line("2");
    terminal.until("Client ID (AppKey): ").await;
    terminal.type_line(&newcomer.sim.client_id());
    terminal.type_hidden("shown as stars): ", &newcomer.sim.client_secret()).await;
    terminal.until("works").await;
    terminal.takes_stream().await;
    terminal.until("direct message:").await;
}

#[tokio::test]
async fn interrupted_it_goes_on_where_it_was() {
    let newcomer = Newcomer::arrives().await;
    let mut terminal = newcomer.types(&["--no-service"]);
    terminal.until("[2]: ").await;
    terminal.type_line("1");
    terminal.until("[1]: ").await;
    terminal.type_line("");
    let first = user_code(&terminal.until("等待扫码……").await);
    terminal.interrupt();
    let (status, shown) = terminal.ended().await;
    assert_eq!(status.code(), Some(1), "{shown}");
    assert!(shown.contains("再次运行 moonbell init，可以继续使用这个二维码"), "{shown}");
    assert_eq!(mode(&newcomer.state().join("init.json")), 0o600);

    // The same language, and the same code, for whoever wants it.
    let mut terminal = newcomer.types(&["--no-service"]);
    terminal.until("仍然有效").await;
    terminal.until("[1]: ").await;
    terminal.type_line("");
    assert_eq!(user_code(&terminal.until("等待扫码……").await), first);
    newcomer.sim.scan(Some(&first), Scanned::Create).unwrap();
    terminal.until("[1]: ").await;
    terminal.interrupt();
    assert_eq!(terminal.ended().await.0.code(), Some(1));

    // The app is there, and how messages come is asked again; what that changes are not somebody else's settings.
    let mut terminal = newcomer.types(&["--no-service"]);
    terminal.until("继续使用这个应用").await;
    terminal.until("[1]: ").await;
    terminal.type_line("");
    terminal.takes_stream().await;
    terminal.until("认领码发给它：\n").await;
    terminal.interrupt();
    let (status, shown) = terminal.ended().await;
    assert_eq!(status.code(), Some(1), "{shown}");

    // The app is there and works.
    let mut terminal = newcomer.types(&["--no-service"]);
    terminal.until("密钥有效").await;
    terminal.until("继续使用这个应用").await;
    terminal.until("[1]: ").await;
    terminal.type_line("");
    terminal.until("认领码发给它：\n").await;
    newcomer.is_answered(&mut terminal).await;
    terminal.until("完成。").await;
    terminal.interrupt();
    let (status, shown) = terminal.ended().await;
    assert!(status.success(), "{status}:\n{shown}");
    newcomer.secret_is_safe(&shown);

    // Who owns the bot is not asked to claim it.
    let mut terminal = newcomer.types(&["--no-service", "--lang", "en"]);
    terminal.until("[1]: ").await;
    terminal.type_line("");
    terminal.until("send it in a direct message:").await;
    newcomer.says("ping");
    terminal.until("It was answered: ping").await;
}

#[tokio::test]
async fn an_app_that_was_typed_and_works_is_known_when_it_goes_on() {
    let newcomer = Newcomer::arrives().await;
    let arguments = ["--no-service", "--no-wait", "--lang", "en"];
    let mut terminal = newcomer.types(&arguments);
    terminal.until("[1]: ").await;
    terminal.type_line("2");
    terminal.until("AppKey): ").await;
    terminal.type_line(&newcomer.sim.client_id());
    terminal.type_hidden("shown as stars): ", &newcomer.sim.client_secret()).await;
    terminal.until("works").await;
    terminal.until("[1]: ").await;
    terminal.interrupt();
    assert_eq!(terminal.ended().await.0.code(), Some(1));

    let mut terminal = newcomer.types(&arguments);
    terminal.until("The secret of the app dingsimulator0001 works").await;
    terminal.until("[1]: ").await;
    terminal.type_line("");
    terminal.takes_stream().await;
    terminal.until("Everything is ready").await;
    let (status, shown) = terminal.ended().await;
    assert!(status.success(), "{shown}");
    let settings = fs::read_to_string(newcomer.config()).unwrap();
    assert!(settings.contains("mode = \"stream\""), "{settings}");
    newcomer.secret_is_safe(&shown);
}

#[tokio::test]
async fn a_code_that_waits_can_be_left_for_a_new_one_or_for_an_app_that_exists() {
    let newcomer = Newcomer::arrives().await;
    let mut terminal = newcomer.types(&["--no-service", "--lang", "en", "--scan"]);
    let first = user_code(&terminal.until("Waiting …").await);
    terminal.interrupt();
    terminal.until("goes on with this code, or takes a new one").await;
    assert_eq!(terminal.ended().await.0.code(), Some(1));

    let mut terminal = newcomer.types(&["--no-service", "--lang", "en"]);
    terminal.until("The code of before can still be scanned").await;
    terminal.until("Go on with this code").await;
    terminal.until("[1]: ").await;
    terminal.type_line("2");
    assert_ne!(user_code(&terminal.until("Waiting …").await), first);
    terminal.interrupt();
    assert_eq!(terminal.ended().await.0.code(), Some(1));

    let mut terminal = newcomer.types(&["--no-service", "--lang", "en"]);
    terminal.until("moonbell init --client-id ID").await;
    terminal.until("[1]: ").await;
    terminal.type_line("3");
    terminal.until("Client ID (AppKey): ").await;
    terminal.type_line(&newcomer.sim.client_id());
    terminal.type_hidden("shown as stars): ", &newcomer.sim.client_secret()).await;
    terminal.until("works").await;
    terminal.takes_stream().await;
    terminal.until("direct message:").await;
}

#[tokio::test]
async fn an_app_that_was_made_is_not_lost_when_the_change_of_the_settings_is_interrupted() {
    let newcomer = Newcomer::arrives().await;
    newcomer.home.write("config/moonbell/config.toml", OTHER_LINES);
    let mut terminal = newcomer.types(&["--no-service", "--lang", "en", "--scan"]);
    let shown = terminal.until("Waiting …").await;
    newcomer.sim.scan(Some(&user_code(&shown)), Scanned::Create).unwrap();
    terminal.until("Write that? [Y/n]: ").await;
    terminal.interrupt();
    assert_eq!(terminal.ended().await.0.code(), Some(1));
    assert_eq!(fs::read_to_string(newcomer.config()).unwrap(), OTHER_LINES);

    let mut terminal = newcomer.types(&["--no-service", "--lang", "en"]);
    // The secret of the settings is none that DingTalk knows.
    terminal.until("DingTalk does not know this id with this secret").await;
    terminal.until("[1]: ").await;
    terminal.type_line("2");
    terminal.until("The secret of the app dingsimulator0001 works").await;
    terminal.until("Write that? [Y/n]: ").await;
    terminal.type_line("");
    terminal.until("direct message:").await;
    let settings = fs::read_to_string(newcomer.config()).unwrap();
    assert!(settings.contains("client_id = \"dingsimulator0001\"   # until May"), "{settings}");
    newcomer.secret_is_safe(&terminal.text());
}

#[tokio::test]
async fn settings_that_are_there_are_shown_what_changes_and_keep_the_rest() {
    let newcomer = Newcomer::arrives().await;
    newcomer.home.write("config/moonbell/config.toml", OTHER_LINES);
    let (id, secret) = (newcomer.sim.client_id(), newcomer.sim.client_secret());
    let arguments = ["--no-service", "--lang", "en", "--client-id", &id];
    for answer in ["n", "y"] {
        let mut terminal = newcomer.types(&arguments);
        terminal.type_hidden("shown as stars): ", &secret).await;
        let shown = terminal.until("Write that? [Y/n]: ").await;
        assert!(
            shown.contains("dingtalk.client_id: \"dingold\" -> \"dingsimulator0001\""),
            "{shown}"
        );
        assert!(shown.contains("dingtalk.client_secret: *** -> { file = \"secret\" }"), "{shown}");
        assert!(!terminal.text().contains("an old secret"), "{shown}");
        terminal.type_line(answer);
        let settings = || fs::read_to_string(newcomer.config()).unwrap();
        if answer == "n" {
            terminal.until("the settings stay as they were").await;
            let (status, _) = terminal.ended().await;
            assert_eq!(status.code(), Some(1));
            assert_eq!(settings(), OTHER_LINES);
        } else {
            terminal.until("direct message:").await;
            let settings = settings();
            for kept in ["# the team's bot", "# until May", "# nobody yet"] {
                assert!(settings.contains(kept), "{settings}");
            }
        }
    }
}

#[tokio::test]
async fn a_terminal_without_unicode_or_colours_gets_neither() {
    let newcomer = Newcomer::arrives().await;
    let mut command = newcomer.init(&["--no-service"]);
    command.env("LANG", "C").env("TERM", "dumb");
    let mut terminal = Terminal::open(&command, 60, 100);
    terminal.until("[1]: ").await;
    terminal.type_line("1");
    let shown = terminal.until("Waiting ...").await;
    assert!(shown.contains("####") && shown.is_ascii(), "{shown}");
    assert!(!terminal.text().contains('\x1b'), "{shown}");
    newcomer.sim.scan(Some(&user_code(&shown)), Scanned::Create).unwrap();
    terminal.takes_stream().await;
    let shown = terminal.until("direct message:").await;
    assert!(shown.is_ascii(), "{shown}");
    drop(terminal);

    let newcomer = Newcomer::arrives().await;
    let mut command = newcomer.init(&["--no-service", "--scan", "--lang", "en"]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::open(&command, 24, 80);
    let shown = terminal.until("Waiting …").await;
    assert!(shown.contains('█') && !shown.contains('\x1b'), "{shown}");
}

#[tokio::test]
async fn events_in_the_http_mode_need_a_token_and_a_key_that_fit() {
    let newcomer = Newcomer::arrives().await;
    let (id, secret) = (newcomer.sim.client_id(), newcomer.sim.client_secret());
    let arguments =
        ["--no-service", "--no-wait", "--lang", "en", "--client-id", &id, "--mode", "http"];
    let mut terminal = newcomer.types(&arguments);
    terminal.type_hidden("shown as stars): ", &secret).await;
    terminal.until("Enter: later): ").await;
    for (wrong, why) in [
        ("bot.example.com", "no address that begins with https://"),
        ("http://bot.example.com/dingtalk", "It is not encrypted: take https://"),
        ("https://me:pw@bot.example.com/dingtalk", "Leave out user, password"),
        ("https://bot.example.com/dingtalk/robot", "Leave out the last part"),
        ("https://bot.example.com/d/robot", "Leave out the last part"),
        ("https://bot.example.com/a b", "Its path takes letters, digits"),
    ] {
        terminal.type_line(wrong);
        terminal.until(why).await;
        terminal.until("Enter: later): ").await;
    }
    terminal.type_line("https://bot.example.com/dingtalk");
    terminal.type_hidden("Token: ", "ab").await;
    terminal.until("A token has 3 to 64 characters; this has 2.").await;
    terminal.type_hidden("Token: ", "TokenOfTheTest").await;
    terminal.type_hidden("AES key (43 characters): ", &"k".repeat(42)).await;
    terminal.until("An AES key has 43 characters; this has 42.").await;
    terminal.type_hidden("AES key (43 characters): ", &"k".repeat(43)).await;
    terminal.until("Everything is ready").await;
    let (status, shown) = terminal.ended().await;
    assert!(status.success(), "{shown}");
    assert!(!shown.contains("TokenOfTheTest") && !shown.contains(&"k".repeat(42)), "{shown}");
    let settings = fs::read_to_string(newcomer.config()).unwrap();
    for line in [
        "mode = \"http\"",
        "token = { file = \"event-token\" }",
        "aes_key = { file = \"event-aes-key\" }",
        "card_secret = { file = \"card-secret\" }",
        "public_url = \"https://bot.example.com/dingtalk\"",
    ] {
        assert!(settings.contains(line), "{settings}");
    }
    assert_eq!(mode(&newcomer.config().with_file_name("event-aes-key")), 0o600);
    newcomer.secret_is_safe(&shown);
}

#[tokio::test]
async fn from_a_wrong_secret_the_way_leads_back_to_the_code() {
    let newcomer = Newcomer::arrives().await;
    let mut terminal = newcomer.types(&["--no-service", "--lang", "en"]);
    terminal.until("[1]: ").await;
    terminal.type_line("2");
    terminal.until("Client ID (AppKey): ").await;
    terminal.type_line(&newcomer.sim.client_id());
    terminal.type_hidden("shown as stars): ", "not the secret").await;
    terminal.until("DingTalk does not know this id with this secret").await;
    terminal.until("2  Scan a QR code").await;
    terminal.until("[1]: ").await;
    terminal.type_line("2");
    let shown = terminal.until("Waiting …").await;
    newcomer.sim.scan(Some(&user_code(&shown)), Scanned::Create).unwrap();
    terminal.until("Created the app dingsimulator0001").await;
}

#[tokio::test]
async fn a_terminal_of_ascii_has_the_address_for_itself_and_learns_how_to_see_the_code() {
    let address = Regex::new(r"(?m)^ +(?:\x1b\[1m)?(http://\S+user_code=[0-9A-F-]+)").unwrap();
    for (size, lang, code, sentence) in [
        ((24, 80), "C", false, "start again with LANG=C.UTF-8 to see it."),
        ((60, 100), "C", true, "Scan this with DingTalk on your phone"),
        ((24, 80), "C.UTF-8", true, "Scan this with DingTalk on your phone"),
        // Where Chinese is shown, so is what a code is drawn of.
        ((24, 80), "POSIX", true, "请用手机钉钉扫描下面的二维码"),
        ((12, 80), "C.UTF-8", false, "in a larger one, start again to see it."),
    ] {
        let newcomer = Newcomer::arrives().await;
        let mut command = newcomer.init(&["--no-service", "--scan"]);
        match lang {
            "C" => {}
            "POSIX" => drop(command.args(["--lang", "zh"])),
            _ => drop(command.args(["--lang", "en"])),
        }
        command.env("LANG", lang);
        let mut terminal = Terminal::open(&command, size.0, size.1);
        let shown = terminal.until(if lang == "POSIX" { "等待" } else { "Waiting" }).await;
        assert!(address.is_match(&shown), "{shown}");
        let folded = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(folded.contains(sentence), "{lang}: {shown}");
        let drawn = shown.lines().filter(|line| line.contains("\x1b[40m") || line.contains('█'));
        assert_eq!(drawn.count() > 10, code, "{lang}: {shown}");
        assert!(lang != "C" || shown.is_ascii(), "{shown}");
        assert_eq!(shown.contains("moonbell init --lang zh"), lang == "C", "{shown}");
        // No line of the code, nor of what belongs to it, has left the window.
        assert!(shown.lines().count() <= usize::from(size.0) + 8, "{lang}: {shown}");
    }
}

#[tokio::test]
async fn log_lines_on_a_terminal_of_ascii_are_ascii_and_the_file_has_every_letter() {
    let newcomer = Newcomer::arrives().await;
    let (id, secret) = (newcomer.sim.client_id(), newcomer.sim.client_secret());
    let mut terminal =
        newcomer.types(&["--no-service", "--no-wait", "--lang", "en", "--client-id", &id]);
    terminal.type_hidden("shown as stars): ", &secret).await;
    terminal.takes_stream().await;
    assert!(terminal.ended().await.0.success());
    newcomer.home.write("moonbell/scripts/hello.luau", "print(\"钉钉，你好\")");
    let mut command = newcomer.home.command(&["run"]);
    command.env("MOONBELL_CONSOLE_LISTEN", "127.0.0.1:0").env("LANG", "C");
    let mut host = Terminal::open(&command, 24, 80);
    host.until("??,??").await;
    newcomer.sim.until(|seen| seen.bot.connected).await.unwrap();
    host.interrupt();
    host.until("each `?` is a letter").await;
    let (_, shown) = host.ended().await;
    assert!(shown.is_ascii(), "{shown}");
    let log = fs::read_to_string(newcomer.state().join("log/moonbell.log")).unwrap();
    assert!(log.contains("钉钉，你好"), "{log}");
}
