//! What people do in the simulated DingTalk: say something, click a button.

use std::fmt::Write as _;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use tokio::sync::oneshot;

use super::connections::Push;
use super::connections::TOPIC_BOT;
use super::connections::TOPIC_CARD;
use super::error::OrderError;
use super::files::StoredFile;
use super::files::extension;
use super::messages::StoredMessage;
use super::messages::new_message_id;
use super::millis;
use super::now_ms;
use super::people::Person;
use super::people::direct_chat;
use super::people::opaque;
use super::render;
use super::view;
use super::view::ChatKind;
use super::view::MessageKind;
use super::world::World;

/// Something a person says: the body of `POST /sim/api/say`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Say {
    pub chat: String,
    /// Staff id.
    pub from: String,
    #[serde(default)]
    pub text: String,
    /// Whether the bot is mentioned. In groups the default is true, and without it nothing is pushed.
    #[serde(default)]
    pub at_bot: Option<bool>,
    /// Id of a message in the same chat.
    #[serde(default)]
    pub quote: Option<String>,
    /// Ids of uploads.
    #[serde(default)]
    pub files: Vec<String>,
    /// Elements of a rich text, sent as they are.
    #[serde(default)]
    pub rich: Option<Vec<Value>>,
    /// As if it had been sent so long ago, and came only now.
    #[serde(default)]
    pub sent_ago_ms: i64,
}

impl Say {
    /// Says something to the bot in the direct chat.
    pub fn direct(from: impl Into<String>, text: impl Into<String>) -> Self {
        let from = from.into();
        Self { chat: direct_chat(&from), from, text: text.into(), ..Self::default() }
    }

    /// Says something in a chat; in a group the bot is mentioned.
    pub fn in_chat(
        chat: impl Into<String>,
        from: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self { chat: chat.into(), from: from.into(), text: text.into(), ..Self::default() }
    }

    #[must_use]
    pub fn without_mention(mut self) -> Self {
        self.at_bot = Some(false);
        self
    }

    /// As if it had been sent so long ago, and came only now.
    #[must_use]
    pub fn sent_ago(mut self, ago: std::time::Duration) -> Self {
        self.sent_ago_ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
        self
    }

    #[must_use]
    pub fn quoting(mut self, message: impl Into<String>) -> Self {
        self.quote = Some(message.into());
        self
    }

    #[must_use]
    pub fn with_file(mut self, upload: impl Into<String>) -> Self {
        self.files.push(upload.into());
        self
    }
}

/// A click on a button: the body of `POST /sim/api/click`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Click {
    /// `outTrackId`.
    pub card: String,
    /// Staff id.
    pub from: String,
    pub action_id: String,
    /// Values keep their JSON types, as in a form.
    #[serde(default)]
    pub params: Map<String, Value>,
}

/// What became of a click.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Clicked {
    /// The bot answered in time.
    Answered { response: Value },
    /// Two seconds went by.
    TimedOut,
    /// No callback was sent at all.
    NotSent { why: String },
}

/// A callback on its way to the bot, whose answer is awaited outside the lock.
#[derive(Debug)]
pub(super) enum PendingClick {
    Sent(oneshot::Receiver<Value>),
    NotSent(String),
}

impl World {
    /// A person says something. Returns the msgId.
    pub(super) fn say(&mut self, say: &Say) -> Result<String, OrderError> {
        let person = self.person(&say.from)?.clone();
        let chat = self.chat(&say.chat)?.clone();
        if !chat.members.contains(&say.from) {
            return Err(OrderError::NotAMember { person: say.from.clone(), title: chat.title });
        }
        let files = say
            .files
            .iter()
            .map(|id| {
                self.files
                    .get(id)
                    .cloned()
                    .ok_or_else(|| OrderError::NoSuchFile { file: id.clone() })
            })
            .collect::<Result<Vec<StoredFile>, _>>()?;
        if say.text.is_empty()
            && files.is_empty()
            && say.rich.is_none()
            && !(chat.kind == ChatKind::Group)
        {
            return Err(OrderError::Empty);
        }
        if let Some(other) = files.iter().find(|file| !file.is_picture()) {
            if chat.kind == ChatKind::Group {
                return Err(OrderError::NotInGroups { name: other.name.clone() });
            }
            if files.len() > 1 || !say.text.is_empty() {
                return Err(OrderError::FileNotAlone { name: other.name.clone() });
            }
        }
        let id = new_message_id();
        let at_bot = chat.kind == ChatKind::Dm || say.at_bot.unwrap_or(true);
        let mentioned = self.mentioned(&chat, &say.text);
        let body = self.body(say, &files, &chat, &mentioned);
        // In a direct chat everything is for the bot: there is no mention to show.
        let bot = (at_bot && chat.kind == ChatKind::Group).then(|| view::BOT.to_owned());
        let quote = match &say.quote {
            Some(quoted) => Some(self.quoted(quoted, &chat.id)?),
            None => None,
        };
        self.add_message(StoredMessage {
            view: view::Message {
                id: id.clone(),
                chat: chat.id.clone(),
                from: say.from.clone(),
                at_ms: now_ms(),
                kind: body.kind,
                title: None,
                text: body.shown.clone(),
                html: render::plain(&body.shown),
                at: bot
                    .into_iter()
                    .chain(mentioned.iter().map(|person| person.staff_id.clone()))
                    .collect(),
                files: files.iter().map(StoredFile::view).collect(),
                card: None,
                quote: quote.as_ref().map(|(quote, _)| quote.clone()),
                recalled: false,
                reactions: Vec::new(),
            },
            query_key: None,
            quoted_type: body.msgtype,
            quoted_content: body.quoted_content.clone(),
        });
        if at_bot {
            let mut data =
                self.payload(&id, &person, &chat, body, &mentioned, quote.map(|(_, data)| data));
            data["createAt"] = json!(now_ms().saturating_sub(say.sent_ago_ms));
            self.push(Push::callback(TOPIC_BOT, &data));
        }
        Ok(id)
    }

    /// The object of protocol C.1, as DingTalk would push it.
    fn payload(
        &mut self,
        id: &str,
        person: &Person,
        chat: &view::Chat,
        body: Body,
        mentioned: &[Person],
        quoted: Option<QuotedData>,
    ) -> Value {
        let (session, expires_ms) =
            self.messages.open_session(&chat.id, millis(self.options.clocks.webhook));
        let corp = self.organisation.corp_id.clone();
        let bot = opaque(&self.app.client_id);
        let mut data = json!({
            "senderPlatform": "Mac",
            "conversationId": chat.id,
            "conversationType": if chat.kind == ChatKind::Dm { "1" } else { "2" },
            "openThreadId": chat.id,
            "chatbotCorpId": corp,
            "chatbotUserId": bot,
            "msgId": id,
            "senderNick": person.nick,
            "senderId": person.opaque_id(),
            "sessionWebhook": format!("{}/robot/sendBySession?session={session}", self.base_url),
            "sessionWebhookExpiredTime": expires_ms,
            "createAt": now_ms(),
            "robotCode": self.app.client_id,
            "msgtype": body.msgtype,
        });
        if !person.external && self.options.published {
            data["senderStaffId"] = json!(person.staff_id);
            data["senderCorpId"] = json!(corp);
            data["isAdmin"] = json!(person.owner);
        }
        if chat.kind == ChatKind::Group {
            let others = mentioned.iter().map(|person| {
                if person.external {
                    json!({ "dingtalkId": person.opaque_id() })
                } else {
                    json!({ "dingtalkId": person.opaque_id(), "staffId": person.staff_id, "unionId": person.union_id() })
                }
            });
            data["conversationTitle"] = json!(chat.title);
            data["isInAtList"] = json!(true);
            data["atUsers"] = std::iter::once(json!({ "dingtalkId": bot })).chain(others).collect();
        }
        let holder = if body.msgtype == "text" { "text" } else { "content" };
        data[holder] = body.content;
        if let Some(quoted) = quoted {
            // A quote sits under `text`, and under `content` of the other kinds.
            data[holder]["isReplyMsg"] = json!(true);
            data[holder]["repliedMsg"] = quoted.replied;
            data["originalMsgId"] = json!(quoted.id);
            if let Some(key) = quoted.query_key {
                data["originalProcessQueryKey"] = json!(key);
            }
        }
        if self.faults.content_as_text && data["content"].is_object() {
            data["content"] = json!(data["content"].to_string());
        }
        data
    }

    fn body(
        &mut self,
        say: &Say,
        files: &[StoredFile],
        chat: &view::Chat,
        mentioned: &[Person],
    ) -> Body {
        let sent = as_received(&say.text, chat, mentioned, &self.options.bot_name);
        if let Some(rich) = &say.rich {
            let shown = rich
                .iter()
                .filter_map(|element| element.get("text").and_then(Value::as_str))
                .collect();
            return Body::new(
                MessageKind::RichText,
                "richText",
                shown,
                json!({ "richText": rich }),
            );
        }
        match files {
            [] => {
                let content = json!({ "content": sent });
                let quoted_content = json!({ "text": say.text });
                Body {
                    quoted_content,
                    ..Body::new(MessageKind::Text, "text", say.text.clone(), content)
                }
            }
            [picture] if picture.is_picture() && say.text.is_empty() => Body::new(
                MessageKind::Picture,
                "picture",
                String::new(),
                self.picture_codes(picture),
            ),
            [file] if !file.is_picture() => {
                let code = self.files.issue_code(&file.id);
                let (msgtype, content) = match extension(&file.name).as_str() {
                    "amr" | "ogg" | "mp3" | "wav" => {
                        ("audio", json!({ "duration": 4000, "downloadCode": code }))
                    }
                    "mp4" | "mov" => (
                        "video",
                        json!({ "duration": 4000, "downloadCode": code, "videoType": "mp4" }),
                    ),
                    _ => (
                        "file",
                        json!({ "downloadCode": code, "fileName": file.name, "spaceId": "22300000573", "fileId": "117000000848" }),
                    ),
                };
                Body::new(MessageKind::File, msgtype, String::new(), content)
            }
            pictures => {
                let mut elements = vec![json!({ "text": sent })];
                for picture in pictures {
                    let mut element = self.picture_codes(picture);
                    element["type"] = json!("picture");
                    elements.push(element);
                }
                Body::new(
                    MessageKind::RichText,
                    "richText",
                    say.text.clone(),
                    json!({ "richText": elements }),
                )
            }
        }
    }

    fn picture_codes(&mut self, picture: &StoredFile) -> Value {
        let code = self.files.issue_code(&picture.id);
        let second = self.files.issue_code(&picture.id);
        json!({ "downloadCode": code, "pictureDownloadCode": second })
    }

    fn mentioned(&self, chat: &view::Chat, text: &str) -> Vec<Person> {
        let people = self
            .organisation
            .people
            .iter()
            .filter(|person| chat.members.contains(&person.staff_id));
        let named = |person: &&Person| {
            text.contains(&format!("@{}", person.nick))
                || text.contains(&format!("@{}", person.staff_id))
        };
        people.filter(named).cloned().collect()
    }

    fn quoted(&self, id: &str, chat: &str) -> Result<(view::Quote, QuotedData), OrderError> {
        let message = self
            .messages
            .get(id)
            .filter(|message| message.view.chat == chat)
            .ok_or_else(|| OrderError::NoSuchMessage { message: id.to_owned() })?;
        let from = &message.view.from;
        let sender = if from == view::BOT { opaque(&self.app.client_id) } else { opaque(from) };
        let nick = self
            .organisation
            .person(from)
            .map_or(self.options.bot_name.as_str(), |person| person.nick.as_str());
        let card = message.view.card.as_ref().and_then(|card| self.cards.get(card));
        let (text, content) = match card {
            Some(card) => {
                let text = card.text();
                let runs = json!([{ "elementType": "UNKNOWN", "value": "{}" }, { "elementType": "TEXT", "value": text }]);
                (text, json!({ "cardContent": [{ "elementType": "RICHTEXT", "children": runs }] }))
            }
            None => (message.view.text.clone(), message.quoted_content.clone()),
        };
        let replied = json!({
            "msgType": message.quoted_type,
            "msgId": id,
            "senderId": sender,
            "senderNick": nick,
            "createdAt": message.view.at_ms,
            "content": content,
        });
        let query_key = card.and(message.query_key.clone());
        let quote = view::Quote { id: id.to_owned(), from: from.clone(), text };
        Ok((quote, QuotedData { id: id.to_owned(), replied, query_key }))
    }

    /// A person clicks. The answer is awaited by the caller, outside the lock.
    pub(super) fn click(&mut self, click: &Click) -> Result<PendingClick, OrderError> {
        let person = self.person(&click.from)?.clone();
        let card = self
            .cards
            .get(&click.card)
            .ok_or_else(|| OrderError::NoSuchCard { card: click.card.clone() })?;
        let not_sent = |why: &str| Ok(PendingClick::NotSent(why.to_owned()));
        let route = match (card.callback_type.as_deref(), &card.route_key) {
            (Some("STREAM"), _) => None,
            (Some("HTTP"), Some(key)) => match self.callback_routes.get(key) {
                Some(route) => Some(route.clone()),
                None => return not_sent("nobody has registered the callbackRouteKey of the card"),
            },
            (Some(_), _) => return not_sent("the card was created without a callbackRouteKey"),
            (None, _) => return not_sent("the card was created without a callbackType"),
        };
        let kind = super::connections::PushKind::Callback;
        if route.is_none() && self.connections.choose(kind, TOPIC_CARD).is_none() {
            return not_sent("no connection subscribed to card callbacks");
        }
        let pressed = json!({ "cardPrivateData": { "actionIds": [click.action_id], "params": click.params } }).to_string();
        let chat = card.chats.first().cloned().unwrap_or_default();
        let user = if card.user_id_type == 2 { person.union_id() } else { person.staff_id.clone() };
        let data = json!({
            "extension": "{}",
            "corpId": self.organisation.corp_id,
            "spaceType": "im",
            "userIdType": card.user_id_type,
            "type": "actionCallback",
            "userId": user,
            "content": pressed,
            "value": pressed,
            "spaceId": chat,
            "outTrackId": card.id,
        });
        let (answer, answered) = oneshot::channel();
        let mut push = Push::callback(TOPIC_CARD, &data);
        push.answer = Some(answer);
        push.route = route;
        self.push(push);
        Ok(PendingClick::Sent(answered))
    }

    fn person(&self, staff_id: &str) -> Result<&Person, OrderError> {
        let people = &self.organisation.people;
        self.organisation.person(staff_id).ok_or_else(|| OrderError::NoSuchPerson {
            person: staff_id.to_owned(),
            known: list(people.iter().map(|person| person.staff_id.as_str())),
        })
    }

    fn chat(&self, id: &str) -> Result<&view::Chat, OrderError> {
        let chats = &self.organisation.chats;
        self.organisation.chat(id).ok_or_else(|| OrderError::NoSuchChat {
            chat: id.to_owned(),
            known: list(chats.iter().map(|chat| chat.id.as_str())),
        })
    }
}

struct Body {
    kind: MessageKind,
    msgtype: &'static str,
    shown: String,
    content: Value,
    quoted_content: Value,
}

impl Body {
    fn new(kind: MessageKind, msgtype: &'static str, shown: String, content: Value) -> Self {
        Self { kind, msgtype, shown, quoted_content: content.clone(), content }
    }
}

struct QuotedData {
    id: String,
    replied: Value,
    query_key: Option<String>,
}

/// The text as the server passes it on: in a group the mentions are cut out, and the space before the rest stays.
fn as_received(text: &str, chat: &view::Chat, mentioned: &[Person], bot: &str) -> String {
    if chat.kind == ChatKind::Dm {
        return text.to_owned();
    }
    let mut text = text.replace(&format!("@{bot}"), "");
    for person in mentioned {
        text = text
            .replace(&format!("@{}", person.nick), "")
            .replace(&format!("@{}", person.staff_id), "");
    }
    format!(" {}", text.trim_start())
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut list = String::new();
    for name in names {
        let separator = if list.is_empty() { "" } else { ", " };
        let _ = write!(list, "{separator}`{name}`");
    }
    list
}
