"""An echo bot on the official Python SDK, unmodified: DINGTALK_OPENAPI_ENDPOINT, which the SDK itself reads, is all
that makes it talk to the simulator."""

import logging
import os

import dingtalk_stream
from dingtalk_stream import AckMessage

# The template that the simulator ships: the native kind, driven by streaming alone.
NATIVE_TEMPLATE = os.environ["MOONBELL_TEST_CARD_TEMPLATE"]


class Echo(dingtalk_stream.ChatbotHandler):
    async def process(self, callback):
        incoming = dingtalk_stream.ChatbotMessage.from_dict(callback.data)
        if incoming.message_type == "picture":
            url = self.get_image_download_url(incoming.image_content.download_code)
            self.reply_text(f"picture: {url is not None}", incoming)
            return AckMessage.STATUS_OK, "OK"
        text = incoming.text.content.strip()
        if text == "card":
            card = self.ai_markdown_card_start(incoming, "A card")
            card.ai_streaming("one", append=True)
            card.ai_streaming(" two", append=True)
            card.ai_finish("one two three")
        elif text == "native card":
            card = dingtalk_stream.AICardReplier(self.dingtalk_client, incoming)
            buttons = '[{"id": "again", "text": "Again"}]'
            track = card.create_and_deliver_card(NATIVE_TEMPLATE, {"content": "", "buttons": buttons})
            card.streaming(track, "content", "one", append=False, finished=False, failed=False)
            card.streaming(track, "content", "one two", append=False, finished=True, failed=False)
        elif text == "markdown":
            self.reply_markdown("title", "**bold**", incoming)
        else:
            self.reply_text("echo: " + text, incoming)
        return AckMessage.STATUS_OK, "OK"


class Click(dingtalk_stream.CallbackHandler):
    async def process(self, callback):
        message = dingtalk_stream.CardCallbackMessage.from_dict(callback.data)
        params = {"title": "clicked by " + message.user_id}
        response = {"cardUpdateOptions": {"updateCardDataByKey": True}, "cardData": {"cardParamMap": params}}
        return AckMessage.STATUS_OK, response


class Event(dingtalk_stream.EventHandler):
    async def process(self, event):
        return AckMessage.STATUS_OK, "OK"


def main():
    logging.basicConfig(level=logging.INFO)
    credential = dingtalk_stream.Credential(
        os.environ["MOONBELL_TEST_CLIENT_ID"], os.environ["MOONBELL_TEST_CLIENT_SECRET"]
    )
    client = dingtalk_stream.DingTalkStreamClient(credential)
    client.register_all_event_handler(Event())
    client.register_callback_handler(dingtalk_stream.chatbot.ChatbotMessage.TOPIC, Echo())
    client.register_callback_handler(dingtalk_stream.CallbackHandler.TOPIC_CARD_CALLBACK, Click())
    client.start_forever()


if __name__ == "__main__":
    main()
