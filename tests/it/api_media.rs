//! `ctx:send_file` and `ctx:send_image`, up to what people see in the simulated chat.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use std::sync::Arc;

use moonbell::config::{DingTalk, Mode, Secret};
use moonbell::dingtalk::Client;
use moonbell::message::ConversationId;
use moonbell::script::{Ended, Run};
use moonbell::sim::{Options, Sim};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::{Bench, message};

#[tokio::test]
async fn files_and_pictures_arrive_in_the_chat() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let client = Client::new(&DingTalk {
        client_id: sim.client_id(),
        client_secret: Secret::new(sim.client_secret()),
        corp_id: None,
        mode: Mode::Stream,
        api_base: sim.api_base().parse().unwrap(),
        oapi_base: sim.oapi_base().parse().unwrap(),
        card_template: None,
        card_key: "content".to_owned(),
    })
    .unwrap();
    let mut bench = Bench::new().await;
    bench.host = bench.host.with_client(client.clone());
    let at = |name: &str| bench.dir.path().join(name).to_string_lossy().into_owned();
    std::fs::write(at("notes.log"), "one\n").unwrap();
    std::fs::write(at("report.pdf"), "%PDF-1.4").unwrap();
    std::fs::write(at("shot.dat"), b"\x89PNG\r\n\x1a\nrest").unwrap();
    std::fs::write(at("empty.pdf"), "").unwrap();
    std::fs::File::create(at("huge.pdf")).unwrap().set_len(21 << 20).unwrap();
    let generation = bench.handler(&format!(
        r#"
        local dir = {:?} .. "/"
        ctx:reply("first")
        assert(ctx:send_file(dir .. "notes.log"))
        assert(ctx:send_file(dir .. "report.pdf", {{ name = "../季度.pdf" }}))
        assert(ctx:send_image(dir .. "shot.dat"))
        for name, kind in {{ ["none.pdf"] = "not_found", ["empty.pdf"] = "empty", ["huge.pdf"] = "too_large", ["."] = "not_a_file" }} do
            local none, err = ctx:send_file(dir .. name)
            assert(none == nil and err.kind == kind, name .. ": " .. tostring(err))
        end
        local none, err = ctx:send_image(dir .. "report.pdf")
        assert(none == nil and err.kind == "type" and err.hint:find("send_file"))
        local ok, why = pcall(ctx.send_file, ctx, 1)
        assert(pcall(ctx.send_file, ctx, {{}}) == false)
        "#,
        bench.dir.path()
    ));
    let mut asked = message("hi");
    asked.chat.id = ConversationId::new(sim.group(0));
    let run =
        Run::new("r", Some(Arc::new(asked)), None, bench.host.limits(), CancellationToken::new());
    assert_eq!(bench.start(&generation, &run).await, Ended::Done);

    let outbox = bench.host.outbox().unwrap().clone();
    outbox.post("r", run.take_pending()).await.unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(outbox.run(client, None, stop.clone()));
    let state = sim.until(|state| state.replies(&sim.group(0)).len() >= 4).await.unwrap();
    let seen: Vec<(String, Vec<String>)> = state
        .messages
        .iter()
        .filter(|message| message.chat == sim.group(0))
        .map(|message| {
            (message.text.clone(), message.files.iter().map(|file| file.name.clone()).collect())
        })
        .collect();
    let shown = |text: &str, file: &str| (text.to_owned(), vec![file.to_owned()]);
    assert_eq!(
        seen,
        [
            ("first".to_owned(), Vec::new()),
            shown("notes.log.zip", "notes.log.zip"),
            shown("季度.pdf", "季度.pdf"),
            shown("", "shot.png"),
        ]
    );
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    sim.stop().await;
}
