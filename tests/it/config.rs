//! Settings files as people write them, right and wrong.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use moonbell::config::{self, Loaded, Mode, Need, Places, Problems, Source};
use moonbell::words::Lang;

/// A home with a settings file in it.
struct Home {
    root: tempfile::TempDir,
    source: Source,
}

impl Home {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["config", "data"] {
            fs::create_dir(at(name)).unwrap();
        }
        let places = Places {
            home: Some(root.path().to_owned()),
            config: Some(at("config")),
            data: Some(at("data")),
        };
        Self { root, source: Source { places, ..Source::default() } }
    }

    fn with(text: &str) -> Self {
        let home = Self::new();
        home.write("config/config.toml", text, 0o600);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.source.environment.push((OsString::from(name), OsString::from(value)));
        self
    }

    #[track_caller]
    fn load(&self, need: Need) -> Loaded {
        config::load(&self.source, need).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Why these settings are refused. Whatever it is, it is said in Chinese, too.
    #[track_caller]
    fn refused(&self, need: Need) -> Problems {
        let problems =
            config::load(&self.source, need).expect_err("these settings must be refused");
        for problem in &problems.list {
            assert_is_chinese(problem.message.pick(Lang::Zh));
            let hint = problem.hint.as_ref().map(|hint| hint.pick(Lang::Zh));
            if let Some(hint) = hint.filter(|hint| !hint.starts_with("chmod 600 ")) {
                assert_is_chinese(hint);
            }
        }
        if let Some(hint) = problems.hint(Lang::Zh).filter(|hint| !hint.starts_with("chmod 600 ")) {
            assert_is_chinese(&hint);
        }
        problems
    }

    /// The whole answer, with the temporary folder written as `~`.
    #[track_caller]
    fn answer(&self, need: Need) -> String {
        self.refused(need).to_string().replace(self.root.path().to_str().unwrap(), "~")
    }
}

#[track_caller]
fn assert_is_chinese(text: &str) {
    assert_eq!(Lang::of(text), Some(Lang::Zh), "{text}");
}

const ACCOUNT: &str = "dingtalk.client_id = \"dingabc\"\naccess.owner = \"manager4220\"\n";

#[test]
fn five_mistakes_are_reported_at_once_each_with_its_line_and_the_way_out() {
    let home = Home::with(
        r#"[dingtalk]
cliend_id = "dingabc"
client_secret = 12345
mode = "steam"

[consol]
listen = "127.0.0.1:7878"

[http]
listen = "127.0.0.1:99999"
"#,
    );
    insta::assert_snapshot!(home.answer(Need::Settings), @r#"
    5 problems in the settings
    ~/config/config.toml:2:1: unknown key `dingtalk.cliend_id`
      hint: did you mean `client_id`?
    ~/config/config.toml:3:17: `dingtalk.client_secret` must be a string, or { env = "NAME" }, or { file = "PATH" }, not a number
      hint: put it in quotation marks
    ~/config/config.toml:4:1: `dingtalk.mode` cannot be `steam`
      hint: did you mean "stream"?
    ~/config/config.toml:6:2: unknown table `consol`
      hint: did you mean `console`?
    ~/config/config.toml:10:1: `http.listen` is `127.0.0.1:99999`, which is not an address and port
      hint: ports go up to 65535
    "#);
}

#[test]
fn wrong_values_say_what_would_be_right() {
    let home = Home::with(
        r#"dingtalk.api_base = "api.dingtalk.com"
dingtalk.oapi_base = "http://oapi.dingtalk.com"
dingtalk.card_template = true
http.path = "dingtalk"
console.listen = "0.0.0.0:7878"
scripts.dir = "~eve/scripts"
[access]
owner = "*"
roles.admin = ["Alice Li"]
roles.guest = "manager1"
roles.owner = ["manager1"]
"#,
    );
    insta::assert_snapshot!(home.answer(Need::Settings), @r#"
    10 problems in the settings
    ~/config/config.toml:1:10: `dingtalk.api_base` is `api.dingtalk.com`: relative URL without a base
      hint: write a whole address, for example "https://api.dingtalk.com"
    ~/config/config.toml:2:10: `dingtalk.oapi_base` is `http://oapi.dingtalk.com`, which is not encrypted
      hint: write https://…: the client secret travels there
    ~/config/config.toml:3:26: `dingtalk.card_template` must be a string, not true or false
      hint: put it in quotation marks
    ~/config/config.toml:4:6: `http.path` is `dingtalk`, which is not a path
      hint: begin with a slash, and use letters, digits, `-`, `.`, `_`, `~`: "/dingtalk"
    ~/config/config.toml:5:9: `console.listen` is 0.0.0.0:7878, which other computers can reach
      hint: the local pages are for this computer: listen on 127.0.0.1 or [::1]
    ~/config/config.toml:6:9: `scripts.dir` is `~eve/scripts`: homes of other users are not known
      hint: write the whole path
    ~/config/config.toml:8:1: `access.owner` is `*`, which is not a staff id
      hint: exactly one person owns this computer: write their staff id
    ~/config/config.toml:9:7: `Alice Li` in role `admin` is not a staff id
      hint: ids have no spaces; names of people do not work; a group is written "group:cid…"
    ~/config/config.toml:10:15: `access.roles.guest` must be a list of staff ids, not a string
      hint: write ["one", "two"]
    ~/config/config.toml:11:7: `owner` cannot be a role of its own
      hint: set `access.owner`
    "#);
}

#[test]
fn mistakes_are_told_in_chinese_at_the_same_places() {
    let home = Home::with(
        "[dingtalk]\ncliend_id = \"dingabc\"\nmode = \"steam\"\n[console]\nlisten = \"7878\"\n",
    )
    .env("MOONBELL_HTTP_LISTENN", "x");
    let told = home.refused(Need::Settings).text(Lang::Zh);
    insta::assert_snapshot!(told.replace(home.root.path().to_str().unwrap(), "~"), @r#"
    设置有 4 处问题
    ~/config/config.toml:2:1: 没有 `dingtalk.cliend_id` 这个键
      提示：是不是 `client_id`？
    ~/config/config.toml:3:1: `dingtalk.mode` 不能是 `steam`
      提示：是不是 "stream"？
    ~/config/config.toml:5:1: `console.listen` 是 `7878`，不是地址和端口
      提示：地址也要写："127.0.0.1:7878"
    环境变量 MOONBELL_HTTP_LISTENN：没有这个设置
      提示：是不是 `MOONBELL_HTTP_LISTEN`？
    "#);
}

#[test]
fn broken_toml_is_located_and_never_quoted() {
    let home =
        Home::with("[dingtalk]\nclient_secret = \"hunter2\nmode = \"http\"\nmode = \"http\"\n");
    let answer = home.answer(Need::Settings);
    assert!(answer.contains("config.toml:2:"), "{answer}");
    assert!(answer.contains("not valid TOML"), "{answer}");
    assert!(!answer.contains("hunter2"), "{answer}");
}

#[test]
fn without_a_file_run_explains_what_to_write_and_the_rest_just_works() {
    let home = Home::new();
    let loaded = home.load(Need::Settings);
    assert_eq!(loaded.file, None);
    assert_eq!(loaded.config.scripts.dir, home.path("moonbell/scripts"));
    assert_eq!(loaded.config.state.dir, home.path("data"));

    let problems = home.refused(Need::Account);
    assert_eq!(problems.list.len(), 2, "{problems}");
    let hint = problems.hint(Lang::En).unwrap();
    assert!(hint.starts_with("`moonbell init` sets it up; or write this to "), "{hint}");
    for line in ["[dingtalk]", "client_id = ", "client_secret = ", "[access]", "owner = "] {
        assert!(hint.contains(line), "{hint}");
    }
}

#[test]
fn a_file_that_was_named_must_be_there_and_readable_as_text() {
    let mut home = Home::new();
    home.source.file = Some(home.path("other.toml"));
    assert!(home.answer(Need::Settings).starts_with("~/other.toml: cannot be read: "));
    home.source.file = Some(home.path("data"));
    assert!(home.answer(Need::Settings).contains("it is a folder"));
    fs::write(home.path("other.toml"), b"[console]\nlisten = \"\xff\xfe\"\n").unwrap();
    home.source.file = Some(home.path("other.toml"));
    assert!(home.answer(Need::Settings).contains("line 2 is not valid UTF-8"));
}

#[test]
fn the_environment_wins_over_the_file_and_its_mistakes_name_the_variable() {
    let home = Home::with("[console]\nlisten = \"127.0.0.1:1\"\n[access.roles]\nadmin = [\"a\"]\n")
        .env("MOONBELL_CONSOLE_LISTEN", "localhost:7000")
        .env("MOONBELL_DINGTALK_MODE", "http")
        .env("MOONBELL_DINGTALK_CARD_TEMPLATE", "")
        .env("MOONBELL_ACCESS_ROLES_ADMIN", "b, c")
        .env("MOONBELL_LOG", "debug");
    let config = home.load(Need::Settings).config;
    assert_eq!(config.console.listen.to_string(), "127.0.0.1:7000");
    assert_eq!(config.dingtalk.mode, Mode::Http);
    assert_eq!(config.dingtalk.card_template, None);
    assert_eq!(config.access.roles["admin"], ["b", "c"]);

    let home =
        Home::new().env("MOONBELL_CONSOLE_LISTEN", "7000").env("MOONBELL_DINGTALK_CLIENTID", "x");
    insta::assert_snapshot!(home.answer(Need::Settings), @r#"
    2 problems in the settings
    environment variable MOONBELL_CONSOLE_LISTEN: `console.listen` is `7000`, which is not an address and port
      hint: write the address too: "127.0.0.1:7000"
    environment variable MOONBELL_DINGTALK_CLIENTID: unknown setting
      hint: did you mean `MOONBELL_DINGTALK_CLIENT_ID`?
    "#);
}

#[test]
fn a_secret_comes_from_a_variable_or_a_private_file_beside_the_settings() {
    let home = Home::with(&format!("{ACCOUNT}dingtalk.client_secret = {{ env = \"DT\" }}\n"))
        .env("DT", "s3cret");
    assert_eq!(home.load(Need::Account).config.dingtalk.client_secret.expose(), "s3cret");

    let home = Home::with(&format!("{ACCOUNT}dingtalk.client_secret = {{ file = \"secret\" }}\n"));
    home.write("config/secret", "s3cret\n", 0o600);
    assert_eq!(home.load(Need::Account).config.dingtalk.client_secret.expose(), "s3cret");
    home.write("config/secret", "s3cret\n", 0o640);
    let problems = home.refused(Need::Account);
    assert!(problems.to_string().contains("other users of this computer can read"), "{problems}");
    assert!(problems.hint(Lang::En).unwrap().starts_with("chmod 600 "), "{problems}");
}

#[test]
fn a_secret_that_cannot_be_had_says_why() {
    for (value, expected) in [
        ("{ env = \"NOT_THERE\" }", "names the environment variable `NOT_THERE`, which is not set"),
        ("{ env = \"BLANK\" }", "names the environment variable `BLANK`, which is empty"),
        ("{ file = \"gone\" }", "gone cannot be read"),
        ("{ keychain = \"moonbell\" }", "the keychain, which moonbell cannot read yet"),
        ("{ envi = \"DT\" }", "unknown key `envi`"),
        ("{ env = \"A\", file = \"b\" }", "must name exactly one source"),
        ("{}", "must name exactly one source"),
        ("{ env = 1 }", "`dingtalk.client_secret.env` must be a string, not a number"),
        ("\"\"", "`dingtalk.client_secret` is missing"),
    ] {
        let home =
            Home::with(&format!("{ACCOUNT}dingtalk.client_secret = {value}\n")).env("BLANK", " ");
        let answer = home.answer(Need::Account);
        assert!(answer.contains(expected), "{value}: {answer}");
        assert!(answer.contains("config.toml:3:"), "{value}: {answer}");
    }
}

#[test]
fn secrets_are_not_looked_up_by_commands_that_need_no_account() {
    let home = Home::with("dingtalk.client_secret = { env = \"NOT_THERE\" }\n");
    assert_eq!(home.load(Need::Settings).config.dingtalk.client_secret.expose(), "");
}

#[test]
fn no_secret_is_printed_by_settings_warnings_or_problems() {
    let home = Home::with(&format!(
        "{ACCOUNT}dingtalk.client_secret = \"hunter2\"\nhttp.token = \"hunter2\"\n"
    ));
    assert!(!format!("{:?}", home.refused(Need::Account)).contains("hunter2"));
    let home = Home::new();
    home.write(
        "config/config.toml",
        &format!("{ACCOUNT}dingtalk.client_secret = \"hunter2\"\n"),
        0o644,
    );
    let loaded = home.load(Need::Account);
    assert!(!format!("{loaded:?}").contains("hunter2"));
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].to_string().contains("other users of this computer can read"));
}

#[test]
fn http_mode_needs_whole_doors_and_warns_about_open_ones() {
    let account = format!("{ACCOUNT}dingtalk.client_secret = \"s\"\ndingtalk.mode = \"http\"\n");
    let home =
        Home::with(&format!("{account}http.aes_key = \"short\"\nhttp.tls.cert = \"a.pem\"\n"));
    let answer = home.answer(Need::Account);
    for expected in ["`http.token` is not", "has 5 characters", "`http.tls.key` is missing"] {
        assert!(answer.contains(expected), "{answer}");
    }
    let home = Home::with(&format!("{account}http.listen = \"0.0.0.0:8787\"\n"));
    let warnings = home.load(Need::Account).warnings;
    assert!(warnings[0].to_string().contains("without TLS"), "{warnings:?}");
}

#[test]
fn the_address_that_dingtalk_calls_and_who_may_call_are_checked() {
    let account = format!("{ACCOUNT}dingtalk.client_secret = \"s\"\ndingtalk.mode = \"http\"\n");
    let with = |lines: &str| Home::with(&format!("{account}{lines}\n"));
    for (lines, wrong) in [
        ("http.public_url = \"http://bot.example.com/dingtalk\"", "which is not encrypted"),
        (
            "http.public_url = \"https://bot.example.com/dingtalk/robot\"",
            "which is one of the doors",
        ),
        (
            "http.public_url = \"https://bot.example.com/dingtalk?x=1\"",
            "must be a plain base address",
        ),
        ("http.path = \"/ding%20talk\"", "which is not a path"),
        ("http.path = \"/a//b\"", "which is not a path"),
        ("http.window = \"2h\"", "`http.window` is `2h`"),
        ("http.window = \"1s\"", "`http.window` is `1s`"),
        ("http.allow = [\"203.119.0.0/33\"]", "`203.119.0.0/33` is no address"),
        ("http.trusted_proxies = [\"*\"]", "`*` is no address"),
    ] {
        let answer = with(lines).answer(Need::Account);
        assert!(answer.contains(wrong), "{lines}: {answer}");
    }
    let loaded =
        with("http.public_url = \"https://bot.example.com/dingtalk/\"").load(Need::Account);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    for bare in ["https://bot.example.com", "https://bot.example.com/hooks"] {
        let loaded = with(&format!("http.public_url = \"{bare}\"")).load(Need::Account);
        let warning = loaded.warnings[0].to_string();
        assert!(warning.contains("unless your proxy rewrites"), "{warning}");
    }
}

#[test]
fn a_role_for_everyone_is_warned_about() {
    let home = Home::with("[access.roles]\nguest = [\"*\"]\n");
    let warnings = home.load(Need::Settings).warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].to_string().contains("config.toml:2:1: role `guest` is given to everyone"),
        "{}",
        warnings[0]
    );
}

#[test]
fn paths_start_at_home_or_at_the_folder_of_the_file() {
    let home = Home::with("scripts.dir = \"handlers\"\nstate.dir = \"~/journal\"\n");
    let config = home.load(Need::Settings).config;
    assert_eq!(config.scripts.dir, home.path("config/handlers"));
    assert_eq!(config.state.dir, home.path("journal"));
}

#[test]
fn the_reference_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md");
    let page = config::reference();
    if std::env::var_os("MOONBELL_TEST_UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/config.md is not current: run `MOONBELL_TEST_UPDATE=1 tests/run config::`"
    );
}

#[test]
fn what_is_wrong_is_not_also_missing() {
    let home = Home::with(
        "[dingtalk]\nclient_id = 1\nclient_secret = { keychain = 2 }\n[access]\nowner = [\"me\"]\n",
    );
    let problems = home.refused(Need::Account);
    let told: Vec<String> =
        problems.list.iter().map(|problem| problem.message.to_string()).collect();
    assert_eq!(
        told,
        [
            "`dingtalk.client_id` must be a string, not a number",
            "`dingtalk.client_secret.keychain` must be a string, not a number",
            "`access.owner` must be a string, not a list",
        ]
    );
}

#[test]
fn of_a_file_that_is_no_toml_only_that_is_told() {
    let home = Home::with("[dingtalk\nclient_id = \"a\"\n");
    let problems = home.refused(Need::Account);
    let told: Vec<String> = problems.list.iter().map(ToString::to_string).collect();
    assert!(!told.iter().any(|one| one.contains("is missing")), "{told:#?}");
    assert!(told[0].contains("config.toml:1:") && told[0].contains("not valid TOML"), "{told:#?}");
    // What is read behind the mistake is nothing that anybody wrote.
    for text in ["[[[\n", "[scripts]\ndir = \"x\"\n[[[\n"] {
        let told = Home::with(text).refused(Need::Settings).text(Lang::Zh);
        assert!(told.contains("不是有效的 TOML") && !told.contains("这个键"), "{told}");
        assert!(!told.contains("这个表"), "{told}");
    }
}
