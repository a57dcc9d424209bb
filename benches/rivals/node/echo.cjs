// An echo bot on the official Node SDK. The SDK has its base URLs as constants; it calls through the shared axios
// instance, so an interceptor there changes the base URL. Connections are kept alive: without that it is slower still.

const http = require("node:http");
const axios = require("axios");
const { randomUUID } = require("node:crypto");
const { DWClient, TOPIC_ROBOT } = require("dingtalk-stream");

const base = process.env.DINGTALK_OPENAPI_ENDPOINT;
const API = "https://api.dingtalk.com";
const OAPI = "https://oapi.dingtalk.com";

axios.defaults.httpAgent = new http.Agent({ keepAlive: true });
axios.interceptors.request.use((config) => {
  config.url = config.url.replace(API, base).replace(OAPI, base);
  return config;
});

const client = new DWClient({ clientId: "dingbench", clientSecret: "secret" });
let token;

async function card(message, number) {
  token ??= client.getAccessToken();
  const headers = { "x-acs-dingtalk-access-token": await token };
  const outTrackId = `node-${randomUUID()}`;
  await axios.post(`${API}/v1.0/card/instances/createAndDeliver`, {
    cardTemplateId: "bench.schema",
    outTrackId,
    callbackType: "STREAM",
    cardData: { cardParamMap: { content: "" } },
    openSpaceId: `dtv1.card//IM_ROBOT.${message.senderStaffId}`,
    imRobotOpenSpaceModel: { supportForward: true },
    imRobotOpenDeliverModel: { spaceType: "IM_ROBOT", robotCode: message.robotCode },
  }, { headers });
  let content = "";
  for (let n = 1; n <= 10; n++) {
    content += `line ${n}\n`;
    const isFinalize = n === 10;
    await axios.put(`${API}/v1.0/card/streaming`, {
      outTrackId, guid: randomUUID(), key: "content", content: isFinalize ? `${content}#${number}` : content,
      isFull: true, isFinalize, isError: false,
    }, { headers });
  }
}

client.registerCallbackListener(TOPIC_ROBOT, async (frame) => {
  const message = JSON.parse(frame.data);
  client.socketCallBackResponse(frame.headers.messageId, { success: true });
  const [word, rest] = message.text.content.trim().split(" ");
  if (word === "card") return card(message, rest);
  return axios.post(message.sessionWebhook, { msgtype: "text", text: { content: rest } });
});

client.connect();
