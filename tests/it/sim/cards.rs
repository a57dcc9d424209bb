//! Cards: creation, delivery, streaming, updates, clicks.

use std::time::Duration;

use moonbell::sim::CARD_TEMPLATE;
use moonbell::sim::CardState;
use moonbell::sim::Click;
use moonbell::sim::Clicked;
use moonbell::sim::FaultOrder;
use moonbell::sim::Options;
use serde_json::Value;
use serde_json::json;

use super::bot::OWNER;
use super::bot::data;
use super::bot::start;
use super::bot::start_with;

const FLOW_STATUS: &str = "02fcf2f4-5e02-4a85-b672-46d1f715543e.schema";

#[tokio::test]
async fn a_card_streams_to_its_end_in_the_chat() {
    let (sim, bot) = start().await;
    let created = bot.card("c1", CARD_TEMPLATE, &json!({ "content": "", "title": "build" })).await;
    assert_eq!(created.body["result"]["deliverResults"][0]["success"], true, "{created:?}");
    assert_eq!(sim.stuck_cards().len(), 1);
    bot.stream("c1", "1", "one", false).await.succeeds();
    assert_eq!(sim.state().card("c1").unwrap().state, CardState::Inputing);
    bot.stream("c1", "2", "**one two**", true).await.succeeds();
    let state = sim.state();
    let card = state.card("c1").unwrap();
    assert_eq!((card.state, card.calls), (CardState::Finished, 3));
    assert!(card.html.contains("<strong>"));
    assert_eq!(state.replies(&sim.direct_chat(OWNER)), ["**one two**"]);
    assert!(sim.stuck_cards().is_empty());
}

#[tokio::test]
async fn a_flow_status_card_is_stuck_without_its_last_update() {
    let (sim, bot) = start().await;
    bot.card("c1", FLOW_STATUS, &json!({ "flowStatus": "1", "msgContent": "" })).await.succeeds();
    let update = |status: &str, by_key: bool| {
        json!({
            "outTrackId": "c1",
            "cardData": { "cardParamMap": { "flowStatus": status, "msgContent": "text" } },
            "cardUpdateOptions": { "updateCardDataByKey": by_key },
        })
    };
    bot.put("/v1.0/card/instances", &update("2", true)).await.succeeds();
    let stream = json!({
        "outTrackId": "c1", "guid": "g", "key": "msgContent", "content": "all", "isFull": true, "isFinalize": true,
    });
    bot.put("/v1.0/card/streaming", &stream).await.succeeds();
    assert_eq!(sim.stuck_cards().len(), 1, "isFinalize alone does not end it");
    bot.put("/v1.0/card/instances", &update("3", true)).await.succeeds();
    assert!(sim.stuck_cards().is_empty());
}

#[tokio::test]
async fn an_update_without_by_key_wipes_everything_else() {
    let (sim, bot) = start().await;
    bot.card("c1", CARD_TEMPLATE, &json!({ "content": "x", "title": "t" })).await.succeeds();
    let update = json!({ "outTrackId": "c1", "cardData": { "cardParamMap": { "note": "n" } } });
    bot.put("/v1.0/card/instances", &update).await.succeeds();
    let params = sim.state().card("c1").unwrap().params.clone();
    assert_eq!(params.keys().collect::<Vec<_>>(), ["note"]);
}

#[tokio::test]
async fn creating_a_card_is_refused_for_each_reason_with_its_code() {
    let (_sim, bot) = start().await;
    let path = "/v1.0/card/instances/createAndDeliver";
    let without = |key: &str| {
        let mut body = bot.card_body("c1", CARD_TEMPLATE, &json!({ "content": "" }));
        body.as_object_mut().unwrap().remove(key);
        body
    };
    let with = |key: &str, value: Value| {
        let mut body = without(key);
        body[key] = value;
        body
    };
    for (body, code) in [
        (without("cardTemplateId"), "param.cardTemplateIdEmpty"),
        (with("cardTemplateId", json!("no.schema")), "param.templateNotExist"),
        (without("outTrackId"), "param.outTrackIdEmpty"),
        (with("outTrackId", json!("x".repeat(65))), "outTrackId.outOfLimit"),
        (without("cardData"), "param.cardPublicDataEmpty"),
        (with("cardData", json!({ "cardParamMap": { "n": 1 } })), "param.invalid"),
        (
            with("cardData", json!({ "cardParamMap": { "content": "x".repeat(20_001) } })),
            "param.invalid",
        ),
        (without("openSpaceId"), "param.openSpaceIdEmpty"),
        (with("openSpaceId", json!("IM_ROBOT.manager4220")), "param.openSpaceIdInvalid"),
        (without("imRobotOpenSpaceModel"), "param.openSpaceModelInvalid"),
        (without("imRobotOpenDeliverModel"), "param.openDeliverModelEmpty"),
        (with("imRobotOpenDeliverModel", json!({})), "param.openDeliverModelError"),
    ] {
        bot.post(path, &body).await.is(400, code);
    }
    bot.post(path, &without("privateData")).await.succeeds();
    bot.post(path, &without("privateData")).await.is(400, "param.cardAlreadyExist");
}

#[tokio::test]
async fn a_failed_delivery_hides_inside_a_success() {
    let (sim, bot) = start().await;
    let mut body = bot.card_body("c1", CARD_TEMPLATE, &json!({ "content": "" }));
    // The conversation of the chat is not the person: the usual mistake.
    body["openSpaceId"] = json!(format!("dtv1.card//IM_ROBOT.{}", sim.direct_chat(OWNER)));
    let answer = bot.post("/v1.0/card/instances/createAndDeliver", &body).await;
    assert_eq!((answer.status, &answer.body["success"]), (200, &json!(true)));
    assert_eq!(answer.body["result"]["deliverResults"][0]["success"], false);
    assert_eq!(answer.body["result"]["deliverResults"][0]["errorMsg"], "spaceId is illegal");
    sim.faults(&FaultOrder { fail_delivery: Some(1), ..FaultOrder::default() });
    let answer = bot.card("c2", CARD_TEMPLATE, &json!({ "content": "" })).await;
    assert_eq!(answer.body["result"]["deliverResults"][0]["success"], false);
    assert!(sim.state().messages.is_empty());
}

#[tokio::test]
async fn streaming_is_refused_for_each_reason_with_its_code() {
    let (_sim, bot) = start().await;
    bot.card("c1", CARD_TEMPLATE, &json!({ "content": "" })).await.succeeds();
    let good = json!({ "outTrackId": "c1", "guid": "g", "key": "content", "content": "x", "isFull": true });
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    for (body, status, code) in [
        (with("outTrackId", json!("none")), 400, "param.stream.outTrackId"),
        (with("key", json!("")), 400, "param.stream.keyEmpty"),
        (with("guid", json!("")), 400, "param.stream.guidEmpty"),
        (with("content", Value::Null), 400, "param.stream.contentEmpty"),
        (with("isFull", json!(false)), 400, "param.stream.isFull"),
        (with("content", json!("x".repeat(20_001))), 400, "param.stream.content"),
        (with("key", json!("title")), 500, "unknownError"),
    ] {
        bot.put("/v1.0/card/streaming", &body).await.is(status, code);
    }
    bot.put("/v1.0/card/streaming", &with("content", json!(""))).await.succeeds();
    bot.put("/v1.0/card/instances", &json!({ "outTrackId": "c1" }))
        .await
        .is(400, "param.cardDataAndPrivateDataBothEmpty");
    bot.put("/v1.0/card/instances", &json!({ "outTrackId": "none" }))
        .await
        .is(400, "param.cardNotExist");
}

#[tokio::test]
async fn a_click_reaches_the_bot_and_its_answer_changes_the_card() {
    let (sim, bot) = start().await;
    let mut socket = bot.connect().await;
    let buttons = json!([{ "id": "stop", "text": "Stop" }]).to_string();
    bot.card("c1", CARD_TEMPLATE, &json!({ "content": "x", "buttons": buttons })).await.succeeds();
    assert_eq!(sim.state().card("c1").unwrap().buttons[0].id, "stop");
    let click = Click {
        card: "c1".to_owned(),
        from: OWNER.to_owned(),
        action_id: "stop".to_owned(),
        params: json!({ "n": 1 }).as_object().unwrap().clone(),
    };
    let answer = async {
        let frame = socket.frame().await;
        let pressed: Value =
            serde_json::from_str(data(&frame)["content"].as_str().unwrap()).unwrap();
        assert_eq!(
            pressed["cardPrivateData"],
            json!({ "actionIds": ["stop"], "params": { "n": 1 } })
        );
        let response = json!({
            "cardUpdateOptions": { "updateCardDataByKey": true },
            "cardData": { "cardParamMap": { "title": "stopped" } },
        });
        socket.ack(&frame, &json!({ "response": response })).await;
    };
    let (clicked, ()) = tokio::join!(sim.click(&click), answer);
    assert!(matches!(clicked.unwrap(), Clicked::Answered { .. }));
    let state = sim.state();
    assert_eq!(state.card("c1").unwrap().params["title"], "stopped");
    assert_eq!(state.card("c1").unwrap().text, "x");
}

#[tokio::test]
async fn a_click_waits_two_seconds_and_no_click_comes_without_a_callback_type() {
    let mut options = Options::default();
    options.clocks.card_answer = Duration::from_millis(40);
    let (sim, bot) = start_with(options).await;
    bot.card("c1", CARD_TEMPLATE, &json!({ "content": "" })).await.succeeds();
    let click = |card: &str| Click {
        card: card.to_owned(),
        from: OWNER.to_owned(),
        action_id: "a".to_owned(),
        ..Click::default()
    };
    assert!(
        matches!(sim.click(&click("c1")).await.unwrap(), Clicked::NotSent { .. }),
        "no connection yet"
    );
    let mut socket = bot.connect().await;
    sim.until(|state| state.bot.connected).await.unwrap();
    assert_eq!(sim.click(&click("c1")).await.unwrap(), Clicked::TimedOut);
    socket.frame().await;
    let mut body = bot.card_body("c2", CARD_TEMPLATE, &json!({ "content": "" }));
    body.as_object_mut().unwrap().remove("callbackType");
    bot.post("/v1.0/card/instances/createAndDeliver", &body).await.succeeds();
    assert!(matches!(sim.click(&click("c2")).await.unwrap(), Clicked::NotSent { .. }));
    assert!(sim.click(&click("none")).await.is_err());
}
