//! What a bot says without a card: session webhooks, robot sends, recall, read state, reactions.

use axum::http::Method;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::answer::Outcome;
use super::answer::Refusal;
use super::call::Call;
use super::call::text;
use super::call::texts;
use super::faults;
use super::messages::new_query_key;
use super::people::direct_chat;
use super::posts::Post;
use super::view::MessageKind;
use super::world::World;

/// People that one `batchSend` may name, by its parameter table (protocol I-5).
const MAX_PEOPLE: usize = 20;

impl World {
    /// `POST /robot/sendBySession`: errors are errcodes inside HTTP 200.
    pub(super) fn send_by_session(&mut self, call: &Call) -> Outcome {
        if call.method != Method::POST {
            return Err(Refusal::legacy(43002, "需要POST请求"));
        }
        if !call.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            return Err(Refusal::legacy(43004, "无效的HTTP HEADER Content-Type"));
        }
        let session =
            call.query.get("session").ok_or_else(|| Refusal::legacy(40035, "缺少参数 session"))?;
        let Some(chat) = self.messages.session_chat(session).map(str::to_owned) else {
            return Err(Refusal::legacy(300_001, "session 不存在"));
        };
        if call.body.len() > self.options.limits.webhook_bytes {
            return Err(Refusal::legacy(460_101, "message too long, exceed 20000 bytes"));
        }
        let body = call.object().map_err(|_| Refusal::legacy(40035, "缺少参数 json"))?;
        let mut post = webhook_post(&body)?;
        if self.app.webhook_is_too_fast(&chat, self.options.limits.webhook_per_minute) {
            return Err(Refusal::throttled(&call.path));
        }
        post.at = self.mentioned_by_bot(&chat, &body, &post.text);
        // A webhook tells no key, so what it posts cannot be recalled.
        self.post(&chat, post, None);
        Ok(json!({ "errcode": 0, "errmsg": "ok" }))
    }

    /// `oToMessages/batchSend`.
    pub(super) fn send_to_people(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        self.check_robot(&body)?;
        let people = texts(&body, "userIds");
        if people.is_empty() {
            return Err(Refusal::parameter("invalidParameter.userIds.empty"));
        }
        if people.len() > MAX_PEOPLE {
            return Err(Refusal::parameter("invalidParameter.userIds.overMax"));
        }
        let post = self.robot_post(&body)?;
        let key = new_query_key();
        if faults::take(&mut self.faults.fail_delivery) {
            return Ok(
                json!({ "processQueryKey": key, "invalidStaffIdList": [], "flowControlledStaffIdList": people }),
            );
        }
        let mut unknown = Vec::new();
        for id in people {
            match self.organisation.person_by(&id, 1) {
                Some(person) => {
                    let chat = direct_chat(&person.staff_id);
                    self.post(&chat, post.clone(), Some(key.clone()));
                }
                None => unknown.push(id),
            }
        }
        Ok(
            json!({ "processQueryKey": key, "invalidStaffIdList": unknown, "flowControlledStaffIdList": [] }),
        )
    }

    /// `groupMessages/send`.
    pub(super) fn send_to_group(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        self.check_robot(&body)?;
        let id = text(&body, "openConversationId")
            .ok_or_else(|| Refusal::parameter("miss.openConversationId"))?;
        let Some(chat) = self.organisation.group(id).map(|chat| chat.id.clone()) else {
            return Err(Refusal::parameter("invalid.openConversationId"));
        };
        let post = self.robot_post(&body)?;
        let key = new_query_key();
        self.post(&chat, post, Some(key.clone()));
        Ok(json!({ "processQueryKey": key }))
    }

    /// `privateChatMessages/send`: chats of two people with a cool app, of which there are none here.
    pub(super) fn send_to_private_chat(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        self.check_robot(&body)?;
        text(&body, "openConversationId")
            .ok_or_else(|| Refusal::parameter("miss.openConversationId"))?;
        self.robot_post(&body)?;
        Err(Refusal::parameter("invalid.openConversationId"))
    }

    pub(super) fn recall(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        self.check_robot(&body)?;
        let mut recalled = Vec::new();
        let mut failed = Map::new();
        for key in texts(&body, "processQueryKeys") {
            let mut ids = Vec::new();
            for message in self.messages.by_query_key(&key) {
                message.view.recalled = true;
                ids.push(message.view.id.clone());
            }
            for id in &ids {
                self.announce_message(id);
            }
            if ids.is_empty() {
                failed.insert(key, json!("SYSTEM_ERROR"));
            } else {
                recalled.push(key);
            }
        }
        Ok(json!({ "successResult": recalled, "failedResult": failed }))
    }

    pub(super) fn read_status(&mut self, call: &Call) -> Outcome {
        let key = call.query.get("processQueryKey").map(String::as_str).unwrap_or_default();
        if call.query.get("robotCode") != Some(&self.app.client_id) {
            return Err(Refusal::parameter("invalidParameter.robotCode.notExsit"));
        }
        let chats: Vec<String> =
            self.messages.by_query_key(key).map(|message| message.view.chat.clone()).collect();
        if chats.is_empty() {
            return Err(Refusal::parameter("session.notExisted"));
        }
        let readers = chats
            .iter()
            .filter_map(|chat| self.organisation.chat(chat))
            .flat_map(|chat| &chat.members);
        let list: Vec<Value> = readers
            .filter_map(|id| self.organisation.person(id))
            .map(|person| json!({ "name": person.nick, "userId": person.staff_id, "readStatus": "READ" }))
            .collect();
        Ok(json!({ "sendStatus": "SUCCESS", "messageReadInfoList": list }))
    }

    pub(super) fn read_query(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        self.check_robot(&body)?;
        let key = text(&body, "processQueryKey").unwrap_or_default();
        let Some(chat) =
            self.messages.by_query_key(key).map(|message| message.view.chat.clone()).next()
        else {
            return Err(Refusal::parameter("session.notExisted"));
        };
        let readers =
            self.organisation.chat(&chat).map(|chat| chat.members.clone()).unwrap_or_default();
        Ok(
            json!({ "sendStatus": "SUCCESS", "readUserIds": readers, "nextToken": "", "hasMore": false }),
        )
    }

    /// A reaction on a message, put there or taken away.
    pub(super) fn react(&mut self, call: &Call, put: bool) -> Outcome {
        let body = call.object()?;
        self.check_robot(&body)?;
        let id =
            text(&body, "openMsgId").ok_or_else(|| Refusal::parameter("miss.param.openMsgId"))?;
        let chat = text(&body, "openConversationId")
            .ok_or_else(|| Refusal::parameter("miss.openConversationId"))?;
        let emotion = body.get("textEmotion").and_then(Value::as_object);
        let name = emotion
            .and_then(|emotion| text(emotion, "text"))
            .or_else(|| text(&body, "emotionName"));
        let name = name.ok_or_else(|| Refusal::parameter("miss.param.emotionName"))?.to_owned();
        let Some(message) = self.messages.get_mut(id).filter(|message| message.view.chat == chat)
        else {
            return Err(Refusal::parameter("invalidParameter.openMsgId"));
        };
        message.view.reactions.retain(|known| *known != name);
        if put {
            message.view.reactions.push(name);
        }
        self.announce_message(id);
        Ok(json!({ "success": true }))
    }

    pub(super) fn ding(&mut self, call: &Call) -> Outcome {
        let body = call.object()?;
        self.check_robot(&body)?;
        let content =
            text(&body, "content").ok_or_else(|| Refusal::parameter("miss.param.content"))?;
        let mut failed = Map::new();
        for id in texts(&body, "receiverUserIdList") {
            match self.organisation.person_by(&id, 1) {
                Some(person) => {
                    let chat = direct_chat(&person.staff_id);
                    self.post(
                        &chat,
                        Post::new(MessageKind::Text, Some("DING"), format!("DING: {content}")),
                        None,
                    );
                }
                None => drop(failed.insert(id, json!("staffId.notExisted"))),
            }
        }
        Ok(json!({ "openDingId": Uuid::new_v4().to_string(), "failedList": failed }))
    }

    pub(super) fn check_robot(&self, body: &Map<String, Value>) -> Result<(), Refusal> {
        match text(body, "robotCode") {
            None => Err(Refusal::parameter("invalidParameter.robotCode.empty")),
            Some(code) if code != self.app.client_id => {
                Err(Refusal::api(400, "resource.not.found", "robot 不存在"))
            }
            Some(_) => Ok(()),
        }
    }

    /// The message of a robot send: `msgKey`, and `msgParam` as JSON *text*.
    fn robot_post(&self, body: &Map<String, Value>) -> Result<Post, Refusal> {
        let key = text(body, "msgKey")
            .ok_or_else(|| Refusal::parameter("invalidParameter.msgKey.empty"))?;
        let invalid = || Refusal::parameter("invalidParameter.msgParam.invalid");
        let raw = text(body, "msgParam").ok_or_else(invalid)?;
        if raw.len() > self.options.limits.msg_param_bytes {
            return Err(Refusal::parameter("invalidParameter.msgParam.tooLong"));
        }
        let param: Map<String, Value> = serde_json::from_str(raw).map_err(|_| invalid())?;
        let need = |name: &str| text(&param, name).ok_or_else(invalid);
        let button = |title: &str, url: &str| -> Option<(String, String)> {
            Some((text(&param, title)?.to_owned(), text(&param, url)?.to_owned()))
        };
        Ok(match key {
            "sampleText" => Post::new(MessageKind::Text, None, need("content")?),
            "sampleMarkdown" => {
                Post::new(MessageKind::Markdown, Some(need("title")?), need("text")?)
            }
            "sampleLink" => Post::link(need("title")?, need("text")?, need("messageUrl")?),
            "sampleImageMsg" => self.picture_post(need("photoURL")?),
            "sampleActionCard" => {
                need("text")?;
                Post::action_card(&param, &Vec::from_iter(button("singleTitle", "singleURL")))
            }
            "sampleActionCard2" | "sampleActionCard3" | "sampleActionCard4"
            | "sampleActionCard5" => {
                need("text")?;
                let buttons = (1..=5)
                    .filter_map(|n| button(&format!("actionTitle{n}"), &format!("actionURL{n}")));
                Post::action_card(&param, &buttons.collect::<Vec<_>>())
            }
            "sampleActionCard6" => {
                need("text")?;
                let buttons = (1..=2)
                    .filter_map(|n| button(&format!("buttonTitle{n}"), &format!("buttonUrl{n}")));
                Post::action_card(&param, &buttons.collect::<Vec<_>>())
            }
            "sampleFile" => self.media_post(need("mediaId")?, need("fileName")?)?,
            "sampleAudio" => self.media_post(need("mediaId")?, "audio")?,
            "sampleVideo" => self.media_post(need("videoMediaId")?, "video")?,
            _ => return Err(Refusal::parameter("invalidParameter.msgKey.invalid")),
        })
    }

    fn picture_post(&self, photo: &str) -> Post {
        match self.files.by_media_id(photo) {
            Some(file) => Post {
                files: vec![file.clone()],
                ..Post::new(MessageKind::Picture, None, String::new())
            },
            None => Post::new(MessageKind::Markdown, None, format!("![]({photo})")),
        }
    }

    fn media_post(&self, media: &str, name: &str) -> Result<Post, Refusal> {
        let file = self.files.by_media_id(media);
        let file = file.ok_or_else(|| Refusal::parameter("invalidParameter.msgParam.invalid"))?;
        Ok(Post { files: vec![file.clone()], ..Post::new(MessageKind::File, None, name) })
    }
}

/// The message object of protocol E.1.
fn webhook_post(body: &Map<String, Value>) -> Result<Post, Refusal> {
    let kind = text(body, "msgtype").ok_or_else(|| missing("msgtype"))?;
    let empty = Map::new();
    let content = body.get(kind).and_then(Value::as_object);
    let need = |name: &str| {
        let value = content.and_then(|content| text(content, name));
        value.ok_or_else(|| missing(&format!("{kind} --》 {name}")))
    };
    Ok(match kind {
        "text" => Post::new(MessageKind::Text, None, need("content")?),
        "markdown" => Post::new(MessageKind::Markdown, Some(need("title")?), need("text")?),
        "link" => Post::link(need("title")?, need("text")?, need("messageUrl")?),
        "actionCard" => {
            need("title")?;
            need("text")?;
            let card = content.unwrap_or(&empty);
            let mut buttons = Vec::new();
            if let (Some(title), Some(url)) = (text(card, "singleTitle"), text(card, "singleURL")) {
                buttons.push((title.to_owned(), url.to_owned()));
            }
            for button in card
                .get("btns")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_object)
            {
                let (Some(title), Some(url)) = (text(button, "title"), text(button, "actionURL"))
                else {
                    return Err(missing("actionCard --》 btns"));
                };
                buttons.push((title.to_owned(), url.to_owned()));
            }
            Post::action_card(card, &buttons)
        }
        "feedCard" => {
            let links = content.and_then(|card| card.get("links")).and_then(Value::as_array);
            let links = links.ok_or_else(|| missing("feedCard --》 links"))?;
            let line = |link: &Value| {
                let link = link.as_object()?;
                Some(format!("- [{}]({})", text(link, "title")?, text(link, "messageURL")?))
            };
            let lines: Vec<String> = links.iter().filter_map(line).collect();
            Post::new(MessageKind::Link, None, lines.join("\n"))
        }
        _ => return Err(Refusal::legacy(400_105, "不支持的消息类型")),
    })
}

fn missing(what: &str) -> Refusal {
    let text = format!("错误描述:参数 {what} 缺失，或者参数格式不正确; 解决方案:请填充上对应参数;");
    Refusal::legacy(400_402, &text)
}
