//! An echo bot on the crate `dingtalk-stream`, as fast as it goes: the frame is acknowledged at once, and the answer is
//! sent beside the read loop. `DINGTALK_OPENAPI_ENDPOINT`, which the crate itself reads, names the gateway.

use std::sync::{Arc, OnceLock};

use dingtalk_stream::handlers::chatbot::{AsyncChatbotHandler, ChatbotReplier};
use dingtalk_stream::messages::frames::MessageBody;
use dingtalk_stream::{ChatbotMessage, Credential, DingTalkStreamClient};

struct Echo {
    replier: Arc<OnceLock<ChatbotReplier>>,
}

impl AsyncChatbotHandler for Echo {
    fn process(&self, callback: &MessageBody) {
        let message: ChatbotMessage = match serde_json::from_str(&callback.data) {
            Ok(message) => message,
            Err(error) => return eprintln!("not a message: {error}"),
        };
        let replier = self.replier.get().expect("set before the start").clone();
        let text = ChatbotReplier::extract_text(&message).and_then(|texts| texts.into_iter().next()).unwrap_or_default();
        let text = text.trim().strip_prefix("echo ").unwrap_or_default().to_owned();
        tokio::spawn(async move {
            if let Err(error) = replier.reply_text(&text, &message).await {
                eprintln!("no reply: {error}");
            }
        });
    }
}

fn main() {
    let replier = Arc::new(OnceLock::new());
    let mut client = DingTalkStreamClient::builder(Credential::new("dingbench", "secret"))
        .register_async_chatbot_handler(ChatbotMessage::TOPIC, Echo { replier: Arc::clone(&replier) })
        .build();
    let _ = replier.set(client.chatbot_replier());
    if let Err(error) = client.start_forever() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
