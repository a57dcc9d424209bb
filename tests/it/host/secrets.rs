//! Secrets of the settings, and everything that is written anywhere.

use std::fs;
use std::path::Path;

use super::process::{HostProcess, bare, command};
use super::stage::{ALICE, OWNER, Setup};

const VALUE: &str = "s3cr3t/Of+the bot";
/// The same in base64 and in a URL.
const FORMS: [&str; 4] =
    [VALUE, "czNjcjN0L09mK3RoZSBib3Q", "s3cr3t%2FOf%2Bthe%20bot", "7333637233742f4f66"];

const LEAKY: &str = r##"
local key = assert(secret.get("key"))
local function seen() return shell.run{ "sh", "-c", 'printf %s "$KEY"', env = { KEY = key } }.out end

bot.command("say", function(ctx)
    ctx:reply("it is " .. seen())
    ctx:reply{ markdown = "# " .. seen() .. "\n" .. seen(), title = seen() }
    local encoded = shell.run{ "sh", "-c", 'printf %s "$KEY" | base64; printf %s "$KEY" | od -An -tx1 | tr -d " \n"', env = { KEY = key } }.out
    ctx:reply("as base64 " .. encoded)
    ctx:reply("held " .. tostring(key))
end)
bot.command("show", function(ctx)
    local card = ctx:card{ title = "card " .. seen() }
    local text = seen()
    card:append("whole " .. text .. "\n")
    card:append("pieces " .. text:sub(1, 5))
    card:append(text:sub(6) .. "\n")
    card:progress(0.5, text)
    card:finish()
end)
bot.command("stream", function(ctx) ctx:stream{ "sh", "-c", 'echo "$KEY"; echo "$KEY" >&2', env = { KEY = key } } end)
bot.command("note", function(ctx)
    log.warn("logged " .. seen(), { field = seen() })
    print("printed", seen(), key)
    ctx:reply("logged")
end)
bot.command("fail", function() error("failed with " .. seen()) end)
"##;

fn everything(dir: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            everything(&path, into);
        } else if entry.file_type().unwrap().is_file() {
            into.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

#[tokio::test]
async fn what_a_handler_says_logs_or_raises_never_holds_a_secret() {
    let stage = Setup::new().script("leaky.luau", LEAKY).stage().await;
    let child = command(&stage).env("MOONBELL_SECRETS_KEY", VALUE).spawn().unwrap();
    let host = HostProcess::started(child, stage).await;
    for text in ["say", "show", "stream", "note", "fail"] {
        host.say(OWNER, text);
    }
    host.until("all is said", |seen| seen.to(OWNER).len() >= 8).await;
    host.say(ALICE, "fail");
    host.until("it failed", |seen| seen.to(ALICE).len() == 1).await;
    // A script that does not load says why in the status.
    host.write("broken.luau", &format!("error({VALUE:?})"));
    let status = || {
        let mut command = bare(&host, env!("CARGO_BIN_EXE_moonbell"));
        command.args(["status", "--json", "--config"]).arg(host.path("bot.toml"));
        let said = command.stdout(std::process::Stdio::piped()).output().unwrap();
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    host.until_true("the status tells of it", || status().contains("broken.luau")).await;
    let told = status();
    let transcript = host.sim.transcript();
    assert!(transcript.matches("***").count() >= 8, "{transcript}");
    let (_, stage) = host.terminate().await;
    let mut written = vec![
        ("the chats".to_owned(), transcript.into_bytes()),
        ("the status".to_owned(), told.into_bytes()),
        ("the log".to_owned(), fs::read(stage.path("err")).unwrap()),
    ];
    everything(&stage.state_dir(), &mut written);
    assert!(written.iter().any(|(name, _)| name.ends_with("moonbell.db")));
    for (name, bytes) in &written {
        let text = String::from_utf8_lossy(bytes);
        for form in FORMS {
            assert!(!text.contains(form), "{name} holds {form}");
        }
    }
    let log = String::from_utf8_lossy(&written[2].1).into_owned();
    assert!(log.contains("logged ***") && log.contains("printed *** ***"), "{log}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_stops_the_start_and_says_which() {
    let stage = Setup::new().stage().await;
    let mut command = command(&stage);
    let file = stage.path("bot.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text + "[secrets]\ngithub = { env = \"NOT_SET_AT_ALL\" }\n\"no name\" = \"x\"\n",
    )
    .unwrap();
    let status = command.status().unwrap();
    assert_eq!(status.code(), Some(2));
    let said = stage.lines("err").join("\n");
    assert!(
        said.contains(
            "`secrets.github` names the environment variable `NOT_SET_AT_ALL`, which is not set"
        ),
        "{said}"
    );
    assert!(said.contains("`no name` is no name of a secret"), "{said}");
}
