//! The application: its credentials, the tokens and tickets handed out, and the budgets they are charged to.

use std::collections::HashMap;

use uuid::Uuid;

use super::millis;
use super::now_ms;
use super::options::Options;

/// What a ticket opens: the answers that `connections/open` was given.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) subscriptions: Vec<(String, String)>,
    pub(super) ua: String,
    expires_ms: i64,
}

#[derive(Debug)]
pub(super) struct App {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) scopes: Vec<String>,
    token: Option<(String, i64)>,
    tickets: HashMap<String, Ticket>,
    /// Calls in the present second, by path.
    recent: HashMap<String, (i64, u32)>,
    /// When messages went through a webhook, by conversation.
    webhook_sends: HashMap<String, Vec<i64>>,
}

impl App {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            client_id: options.client_id.clone(),
            client_secret: options.client_secret.clone(),
            scopes: options.scopes.clone(),
            token: None,
            tickets: HashMap::new(),
            recent: HashMap::new(),
            webhook_sends: HashMap::new(),
        }
    }

    pub(super) fn knows(&self, client_id: &str, client_secret: &str) -> bool {
        client_id == self.client_id && client_secret == self.client_secret
    }

    /// Asking again inside the validity returns the same token and renews it. The flag says whether it is a new one.
    pub(super) fn issue_token(&mut self, lifetime_ms: i64) -> (String, bool) {
        let now = now_ms();
        let known = self.token.take().filter(|(_, expires)| *expires > now);
        let is_new = known.is_none();
        let token = known.map_or_else(|| Uuid::new_v4().simple().to_string(), |(token, _)| token);
        self.token = Some((token.clone(), now + lifetime_ms));
        (token, is_new)
    }

    pub(super) fn token_is_valid(&self, token: &str) -> bool {
        self.token.as_ref().is_some_and(|(known, expires)| known == token && *expires > now_ms())
    }

    /// From now on the secret is another one, and nothing that was got with the old one works.
    pub(super) fn renew_secret(&mut self, secret: String) {
        self.client_secret = secret;
        self.token = None;
        self.tickets.clear();
    }

    pub(super) fn expire_tokens(&mut self) {
        self.token = None;
    }

    pub(super) fn issue_ticket(
        &mut self,
        subscriptions: Vec<(String, String)>,
        ua: String,
        options: &Options,
    ) -> String {
        let now = now_ms();
        self.tickets.retain(|_, ticket| ticket.expires_ms > now);
        let ticket = Uuid::new_v4().to_string();
        let expires_ms = now + millis(options.clocks.ticket);
        self.tickets.insert(ticket.clone(), Ticket { subscriptions, ua, expires_ms });
        ticket
    }

    /// A ticket opens one connection.
    pub(super) fn redeem_ticket(&mut self, ticket: &str) -> Option<Ticket> {
        self.tickets.remove(ticket).filter(|ticket| ticket.expires_ms > now_ms())
    }

    /// Counts a call; says whether it is above the limit per second and path.
    pub(super) fn is_too_fast(&mut self, path: &str, limit: Option<u32>) -> bool {
        let Some(limit) = limit else { return false };
        let second = now_ms() / 1000;
        let window = self.recent.entry(path.to_owned()).or_insert((second, 0));
        if window.0 != second {
            *window = (second, 0);
        }
        window.1 += 1;
        window.1 > limit
    }

    /// Counts a message through a webhook; says whether it is above the limit per minute and conversation.
    pub(super) fn webhook_is_too_fast(&mut self, chat: &str, limit: Option<u32>) -> bool {
        let Some(limit) = limit else { return false };
        let now = now_ms();
        let sends = self.webhook_sends.entry(chat.to_owned()).or_default();
        sends.retain(|at| now - at < 60_000);
        if sends.len() >= limit as usize {
            return true;
        }
        sends.push(now);
        false
    }
}
