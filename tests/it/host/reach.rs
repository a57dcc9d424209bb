//! What scripts reach is what the settings say: folders for `fs`, private addresses for `http`.

use super::stage::{OWNER, Setup};

const REACH: &str = r#"
bot.command("read <path>", function(ctx)
    local text, err = fs.read(ctx.args.path)
    ctx:reply(text or (err.kind .. ": " .. (err.hint or "")))
end)
bot.command("fetch <url>", function(ctx)
    local answer, err = http.get(ctx.args.url)
    ctx:reply(if answer then tostring(answer.status) else err.kind .. ": " .. (err.hint or ""))
end)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn files_outside_the_folders_of_the_settings_are_denied() {
    let host = Setup::new()
        .script("reach.luau", REACH)
        .toml("[scripts]\nfolders = [\"{home}/open\"]")
        .spawn()
        .await;
    for folder in ["open", "shut"] {
        std::fs::create_dir(host.path(folder)).unwrap();
        std::fs::write(host.path(folder).join("note.txt"), format!("from {folder}")).unwrap();
    }
    for folder in ["open", "shut"] {
        host.say(OWNER, &format!("read \"{}\"", host.path(folder).join("note.txt").display()));
    }
    host.until("both were answered", |seen| seen.to(OWNER).len() == 2).await;
    host.until("the first was read, the second refused", |seen| {
        let said = seen.to(OWNER);
        said[0] == "from open" && said[1].starts_with("denied: use a path inside them")
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_called_only_when_the_settings_grant_it() {
    let shut = Setup::new().script("reach.luau", REACH).spawn().await;
    // The simulator is a server on this computer like any other.
    let url = |host: &super::process::HostProcess| format!("fetch {}", host.sim.api_base());
    let said = url(&shut);
    shut.say(OWNER, &said);
    shut.until("it is refused, and the setting named", |seen| {
        seen.to(OWNER)
            == ["denied: the owner may add it to `scripts.private_hosts` in the settings"]
    })
    .await;
    shut.stop().await;

    let open = Setup::new()
        .script("reach.luau", REACH)
        .toml("[scripts]\nprivate_hosts = [\"127.0.0.1\"]")
        .spawn()
        .await;
    let said = url(&open);
    open.say(OWNER, &said);
    open.until(
        "it is called",
        |seen| matches!(seen.to(OWNER)[..], [status] if status.parse::<u16>().is_ok()),
    )
    .await;
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_a_script_that_may_call_this_computer_does_not_reach_the_console() {
    let host = Setup::new()
        .script("reach.luau", REACH)
        .toml("[scripts]\nprivate_hosts = [\"127.0.0.1\", \"localhost\"]")
        .spawn()
        .await;
    host.until_true("the console listens", || host.state_dir().join("console.json").exists()).await;
    let contact = std::fs::read_to_string(host.state_dir().join("console.json")).unwrap();
    let contact: serde_json::Value = serde_json::from_str(&contact).unwrap();
    let port = contact["address"].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
    for name in ["127.0.0.1", "localhost", "127.1"] {
        host.say(OWNER, &format!("fetch http://{name}:{port}/health"));
    }
    host.until("none of them leads there", |seen| seen.to(OWNER) == ["denied: "; 3]).await;
    host.say(OWNER, &format!("fetch {}", host.sim.api_base()));
    host.until("another port does", |seen| {
        seen.to(OWNER).last().is_some_and(|status| status.parse::<u16>().is_ok())
    })
    .await;
    host.stop().await;
}
