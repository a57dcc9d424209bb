//! "Do you see the card?": the one check that sends something, to the owner, and only when asked to.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;

use super::Facts;
use super::check::{Check, Page, Said, State};
use crate::access::read_grants;
use crate::budget::Aside;
use crate::cli::lang;
use crate::config::Config;
use crate::dingtalk::{ApiError, Card, Client, Phase};
use crate::message::{Address, StaffId};
use crate::store::Look;
use crate::words::Lang;
use crate::words::doctor::app as w;
use crate::words::is_yes;

const ID: &str = "card-template";

/// A card like those of runs, which stands in no chat yet.
pub(super) fn of(template: &str, config: &Config) -> Card {
    Card {
        id: format!("moonbell-doctor-{}", uuid::Uuid::new_v4()),
        template: template.to_owned(),
        key: config.dingtalk.card_key.clone(),
        stop: false,
        buttons: Vec::new(),
        places: 0,
    }
}

/// Sends the card if `wanted`, or if somebody at the terminal says so, and puts what came of it into `checks`.
pub(super) async fn ask(
    checks: &mut [Check],
    facts: &Facts,
    config: &Config,
    meter: &Aside,
    wanted: bool,
    json: bool,
) {
    let Some(check) = checks.iter_mut().find(|check| check.id == ID) else { return };
    let (Some(template), State::Ok) = (&config.dingtalk.card_template, check.state) else { return };
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal() && !json;
    let lang = lang::here();
    if !(wanted || (terminal && yes(w::ask_to_send(lang), lang))) {
        return;
    }
    let Some(owner) = owner(facts) else {
        *check = Check::after(ID, "owner");
        return;
    };
    if let Err(error) = send(config, meter, &of(template, config), &owner, lang).await {
        *check = Check::failed(ID, |lang| error.text(lang)).page(Page::Cards);
        check.todo =
            error.hint().map(|_| Said::new(|lang| error.hint_in(lang).unwrap_or_default()));
        return;
    }
    *check = if !terminal {
        Check::ok(ID, w::card_sent)
    } else if yes(w::ask_whether_seen(lang), lang) {
        Check::ok(ID, w::card_seen)
    } else {
        Check::failed(ID, w::card_unseen).todo(w::look_again).page(Page::Cards)
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
async fn send(
    config: &Config,
    meter: &Aside,
    card: &Card,
    owner: &StaffId,
    lang: Lang,
) -> Result<(), ApiError> {
    let unready = |error: &dyn std::fmt::Display| {
        ApiError::local("card", crate::dingtalk::Class::Permanent, "client", error.to_string())
    };
    let client = Client::through(&config.dingtalk, config.proxy.as_ref())
        .map_err(|error| unready(&error))?
        .metered(Arc::new(meter.clone()));
    let text = w::card(lang);
    client.create_and_deliver(card, &Address::notice(owner), text, lang).await?;
    client.begin_card(card, text).await?;
    let guid = uuid::Uuid::new_v4().to_string();
    client.stream_card(card, &guid, text, Phase::Done).await?;
    client.end_card(card, text, Phase::Done).await
}

/// Whether somebody at the terminal says yes; nothing is no.
fn yes(question: &str, lang: Lang) -> bool {
    let mut err = io::stderr();
    let _ = write!(err, "{question} {} ", w::choice(lang));
    let _ = err.flush();
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer).is_err() {
        return false;
    }
    is_yes(&answer)
}
