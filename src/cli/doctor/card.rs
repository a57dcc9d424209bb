//! "Do you see the card?": the one check that sends something, to the owner, and only when asked to.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use super::Facts;
use super::check::{Check, Page, State};
use crate::access::read_grants;
use crate::config::Config;
use crate::dingtalk::{ApiError, Card, Client, Phase};
use crate::message::{Address, StaffId};
use crate::store::Look;
use crate::words::Lang;

const ID: &str = "card-template";

/// Sends the card if `wanted`, or if somebody at the terminal says so, and puts what came of it into `checks`.
pub(super) async fn ask(
    checks: &mut [Check],
    facts: &Facts,
    config: &Config,
    wanted: bool,
    json: bool,
    lang: Lang,
) {
    let Some(check) = checks.iter_mut().find(|check| check.id == ID) else { return };
    let (Some(template), State::Ok) = (&config.dingtalk.card_template, check.state) else { return };
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal() && !json;
    let question = lang.pick(
        "给主人发一张卡片，看看能不能显示？",
        "Send the owner a card, to see whether it shows?",
    );
    if !(wanted || (terminal && yes(question, lang))) {
        return;
    }
    let Some(owner) = owner(facts) else {
        *check = Check::after(ID, "owner");
        return;
    };
    let card = Card {
        id: format!("moonbell-doctor-{}", uuid::Uuid::new_v4()),
        template: template.clone(),
        key: config.dingtalk.card_key.clone(),
        stop: false,
        buttons: Vec::new(),
        places: 0,
    };
    if let Err(error) = send(config, &card, &owner, lang).await {
        let failed = Check::failed(ID, error.to_string(), error.to_string()).page(Page::Cards);
        *check = match error.hint() {
            Some(hint) => failed.todo(hint.clone(), hint),
            None => failed,
        };
        return;
    }
    let question = lang.pick(
        "在和机器人的单聊里看到卡片了吗？",
        "Do you see the card in your direct chat with the bot?",
    );
    *check = if !terminal {
        Check::ok(
            ID,
            "卡片已发给主人：到和机器人的单聊里看一眼",
            "a card went to the owner: look at the direct chat with the bot",
        )
    } else if yes(question, lang) {
        Check::ok(ID, "卡片能显示", "the card shows")
    } else {
        Check::failed(ID, "卡片已发出，但看不到", "the card was sent, but is not seen")
            .todo(
                "模板要已发布，变量名要和 dingtalk.card_key 一致；手机和电脑上的钉钉会缓存模板，重启钉钉再看",
                "the template must be published, and its variable be called as `dingtalk.card_key` says; DingTalk on the phone and \
                 on the desktop keep old versions: restart it and look again",
            )
            .page(Page::Cards)
    };
}

fn owner(facts: &Facts) -> Option<StaffId> {
    let config = &facts.loaded.config;
    config.access.owner.clone().or_else(|| {
        let look = Look::open(&config.state.dir).ok().flatten()?;
        look.read(|c| read_grants(c, &config.dingtalk.app())).ok()?.0
    })
}

/// Three calls, as a run would make them.
async fn send(config: &Config, card: &Card, owner: &StaffId, lang: Lang) -> Result<(), ApiError> {
    let unready = |error: &dyn std::fmt::Display| {
        ApiError::local("card", crate::dingtalk::Class::Permanent, "client", error.to_string())
    };
    let client = Client::through(&config.dingtalk, config.proxy.as_ref())
        .map_err(|error| unready(&error))?;
    let text =
        lang.pick("moonbell doctor：看到这张卡片了吗？", "moonbell doctor: do you see this card?");
    client.create_and_deliver(card, &Address::notice(owner), text, lang).await?;
    client.begin_card(card, text).await?;
    let guid = uuid::Uuid::new_v4().to_string();
    client.stream_card(card, &guid, text, Phase::Done).await?;
    client.end_card(card, text, Phase::Done).await
}

/// Whether somebody at the terminal says yes; nothing is no.
fn yes(question: &str, lang: Lang) -> bool {
    let mut err = io::stderr();
    let _ = write!(err, "{question} {} ", lang.pick("[y/N 是/否]", "[y/N]"));
    let _ = err.flush();
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer).is_err() {
        return false;
    }
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "是" | "看到了" | "好")
}
