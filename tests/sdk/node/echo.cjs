// An echo bot on the official Node SDK, unmodified. The SDK has its two base URLs as constants and no setting for them;
// it calls through the shared axios instance, so an interceptor there changes the base URL and nothing else.

const axios = require("axios");
const { randomUUID } = require("node:crypto");
const { DWClient, EventAck, TOPIC_CARD, TOPIC_ROBOT } = require("dingtalk-stream");

const base = process.env.MOONBELL_TEST_BASE_URL;
const template = process.env.MOONBELL_TEST_CARD_TEMPLATE;
const API = "https://api.dingtalk.com";
const OAPI = "https://oapi.dingtalk.com";

axios.interceptors.request.use((config) => {
  config.url = config.url.replace(API, base).replace(OAPI, base);
  return config;
});

const client = new DWClient({
  clientId: process.env.MOONBELL_TEST_CLIENT_ID,
  clientSecret: process.env.MOONBELL_TEST_CLIENT_SECRET,
  keepAlive: true,
  debug: true,
});

async function card(message) {
  const headers = { "x-acs-dingtalk-access-token": await client.getAccessToken() };
  const outTrackId = `node-${randomUUID()}`;
  const buttons = JSON.stringify([{ id: "again", text: "Again" }]);
  await axios.post(`${API}/v1.0/card/instances/createAndDeliver`, {
    cardTemplateId: template,
    outTrackId,
    callbackType: "STREAM",
    cardData: { cardParamMap: { content: "", buttons } },
    openSpaceId: `dtv1.card//IM_ROBOT.${message.senderStaffId}`,
    imRobotOpenSpaceModel: { supportForward: true },
    imRobotOpenDeliverModel: { spaceType: "IM_ROBOT", robotCode: message.robotCode },
  }, { headers });
  const stream = (content, isFinalize) => axios.put(`${API}/v1.0/card/streaming`, {
    outTrackId, guid: randomUUID(), key: "content", content, isFull: true, isFinalize, isError: false,
  }, { headers });
  await stream("one", false);
  await stream("one two", true);
}

client.registerCallbackListener(TOPIC_ROBOT, async (frame) => {
  const message = JSON.parse(frame.data);
  client.socketCallBackResponse(frame.headers.messageId, { success: true });
  const text = message.text.content.trim();
  if (text === "native card") return card(message);
  return axios.post(message.sessionWebhook, { msgtype: "text", text: { content: `echo: ${text}` } });
});

client.registerCallbackListener(TOPIC_CARD, (frame) => {
  const { userId } = JSON.parse(frame.data);
  client.socketCallBackResponse(frame.headers.messageId, {
    cardUpdateOptions: { updateCardDataByKey: true },
    cardData: { cardParamMap: { title: `clicked by ${userId}` } },
  });
});

client.registerAllEventListener(() => ({ status: EventAck.SUCCESS }));
client.connect();
