"""An echo bot on the official Python SDK. `DINGTALK_OPENAPI_ENDPOINT`, which the SDK itself reads, names the gateway.

The SDK's replies block its event loop; `MOONBELL_BENCH_THREADS=1` moves them to threads, which its documentation
proposes for slow handlers (`AsyncChatbotHandler`)."""

import logging
import os

import dingtalk_stream
from dingtalk_stream import AckMessage

TEMPLATE = "bench.schema"


def answer(handler, incoming):
    text = incoming.text.content.strip()
    word, _, rest = text.partition(" ")
    if word == "card":
        card = dingtalk_stream.AICardReplier(handler.dingtalk_client, incoming)
        track = card.create_and_deliver_card(TEMPLATE, {"content": ""})
        lines = ""
        for n in range(1, 11):
            lines += f"line {n}\n"
            last = n == 10
            content = f"{lines}#{rest}" if last else lines
            card.streaming(track, "content", content, append=False, finished=last, failed=False)
    else:
        handler.reply_text(rest, incoming)


class Echo(dingtalk_stream.ChatbotHandler):
    async def process(self, callback):
        answer(self, dingtalk_stream.ChatbotMessage.from_dict(callback.data))
        return AckMessage.STATUS_OK, "OK"


class ThreadedEcho(dingtalk_stream.AsyncChatbotHandler):
    def process(self, callback):
        answer(self, dingtalk_stream.ChatbotMessage.from_dict(callback.data))
        return AckMessage.STATUS_OK, "OK"


def main():
    logging.disable(logging.INFO)
    client = dingtalk_stream.DingTalkStreamClient(dingtalk_stream.Credential("dingbench", "secret"))
    handler = ThreadedEcho() if os.environ.get("MOONBELL_BENCH_THREADS") else Echo()
    client.register_callback_handler(dingtalk_stream.chatbot.ChatbotMessage.TOPIC, handler)
    client.start_forever()


if __name__ == "__main__":
    main()
