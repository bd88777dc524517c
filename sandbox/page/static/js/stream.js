// Live updates: one WebSocket, reconnected when it breaks.

import { get } from "./api.js";
import { addMessage, addTrace, entriesOf, explainRemoval, openChannel, removeMessage, updateMessage } from "./chat.js";
import { clockTime } from "./format.js";
import { addCall, addExchange, clearInspector, describeAudit, loadAuditSoon, loadGateway, loadInspector } from "./inspector.js";
import { loadTrouble } from "./trouble.js";
import { channel, emit, loadCommands, loadView, nameOf, refreshView, state } from "./state.js";
import { h } from "./dom.js";

const typing = new Map();
const deletedBy = new Map(); // message id -> user id, for deletions by people
const TYPING_MS = 9000;
let retryMs = 300;

/** `onstatus(online)` hears of every connection and every loss of one. */
export function connect(onstatus) {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/sandbox/stream`);
  socket.addEventListener("message", (event) => {
    for (const one of JSON.parse(event.data)) {
      if (one.kind === "hello") {
        retryMs = 300;
        onstatus(true);
        if (state.view) resync();
      } else handle(one);
    }
  });
  socket.addEventListener("close", () => {
    onstatus(false);
    retryMs = Math.min(retryMs * 1.7, 5000);
    setTimeout(() => connect(onstatus), retryMs);
  });
}

async function resync() {
  try {
    clearInspector();
    await loadView();
    await Promise.all([openChannel(state.channelId), loadInspector(), loadCommands(true), loadTrouble()]);
    emit("resynced");
  } catch { /* tried again with the next connection */ }
}

let gatewayTimer = null;
function handle(one) {
  if (!state.view) return; // what happens before the first look is part of it
  switch (one.kind) {
    case "world": world(one); break;
    case "exchange": addExchange(one.exchange); emit("exchanges"); endpointMayHaveChanged(one.exchange); break;
    case "rest": addCall(one.call); explain(one.call); emit("rest"); break;
    case "gateway": gatewayTimer ??= setTimeout(() => { gatewayTimer = null; loadGateway().catch(() => {}); }, 250); break;
    case "deleting": deletedBy.set(one.message_id, one.by); break;
    case "trouble": loadTrouble().catch(() => {}); break;
    case "reset": case "overflow": resync(); break;
    default: break;
  }
}

function endpointMayHaveChanged(exchange) {
  if (["ping", "probe"].includes(exchange.kind) && exchange.verdict !== "pending") refreshView();
}

const VIEW_EVENTS = /^(GUILD_(?!AUDIT)|CHANNEL_(?!PINS)|THREAD_|PRESENCE|USER_UPDATE)/;

function world({ event, data, guild_id: guildId, ephemeral_for: ephemeralFor }) {
  if (VIEW_EVENTS.test(event)) refreshView();
  switch (event) {
    case "MESSAGE_CREATE": created(data, guildId, ephemeralFor); break;
    case "MESSAGE_UPDATE": if (!ephemeralFor || ephemeralFor === state.me) updateMessage({ ...data, ephemeral_for: ephemeralFor }); break;
    case "MESSAGE_DELETE": deleted(data.channel_id, data.id); break;
    case "MESSAGE_DELETE_BULK": for (const id of data.ids) deleted(data.channel_id, id); break;
    case "MESSAGE_REACTION_ADD": case "MESSAGE_REACTION_REMOVE": reread(data.message_id); break;
    case "TYPING_START": showTyping(data.channel_id, data.user_id); break;
    case "GUILD_AUDIT_LOG_ENTRY_CREATE": audited(data, guildId); break;
    default: break;
  }
}

function created(message, guildId, ephemeralFor) {
  if (ephemeralFor && ephemeralFor !== state.me) return;
  const place = channel(message.channel_id);
  if (!place) {
    if (!guildId) refreshView();
    return;
  }
  typing.delete(`${message.channel_id}/${message.author.id}`);
  drawTyping();
  addMessage({ ...message, ephemeral_for: ephemeralFor });
  if (message.channel_id === state.channelId || message.author.id === state.me) return;
  if (!entriesOf(message.channel_id) || message.channel_id !== state.channelId) {
    const known = state.unread.get(message.channel_id) ?? { count: 0, pinged: 0, first: message.id };
    known.count += 1;
    if (message.mentions.some((who) => who.id === state.me) || message.mention_everyone) known.pinged += 1;
    state.unread.set(message.channel_id, known);
    emit("unread");
  }
}

function deleted(channelId, id) {
  const entry = entriesOf(channelId)?.find((one) => one.key === id);
  const by = deletedBy.get(id);
  deletedBy.delete(id);
  const author = entry?.message?.author;
  const quiet = !author || author.bot || by === author.id;
  removeMessage(channelId, id, { trace: !quiet });
  if (!quiet && by) explainRemoval(id, nameOf(by), null);
}

/** The REST log says why a message is gone. */
function explain(call) {
  if (call.status >= 300) return;
  const one = /^\/api\/v\d+\/channels\/\d+\/messages\/(\d+)$/.exec(call.path);
  const name = nameOf(state.view.bot_id);
  if (call.method === "DELETE" && one) explainRemoval(one[1], name, call.reason);
  if (call.method === "POST" && call.route.endsWith("/bulk-delete")) for (const id of call.request?.messages ?? []) explainRemoval(id, name, call.reason);
}

async function reread(id) {
  try {
    updateMessage(await get(`/messages/${id}`));
  } catch { /* it is gone */ }
}

const SHOWN_ACTIONS = new Set([20, 22, 23, 24]);
function audited(one, guildId) {
  loadAuditSoon();
  if (guildId !== state.guildId || !SHOWN_ACTIONS.has(one.action_type)) return;
  const timeout = one.changes?.find((change) => change.key === "communication_disabled_until");
  if (one.action_type === 24 && !timeout) return;
  const until = timeout?.new_value ? Date.parse(timeout.new_value) : 0;
  addTrace(state.channelId, {
    key: `audit-${one.id}`, icon: until ? "clock" : "shield", reason: one.reason,
    parts: () => [h("b", {}, nameOf(one.user_id)), ` ${describeAudit(one)} `, h("b", {}, nameOf(one.target_id)), until ? ` until ${clockTime(until)}` : ""],
  });
}

function showTyping(channelId, userId) {
  if (userId === state.me) return;
  typing.set(`${channelId}/${userId}`, Date.now() + TYPING_MS);
  drawTyping();
  setTimeout(drawTyping, TYPING_MS + 50);
}

export function drawTyping() {
  const now = Date.now();
  const names = [];
  for (const [key, until] of typing) {
    const [channelId, userId] = key.split("/");
    if (until < now) typing.delete(key);
    else if (channelId === state.channelId) names.push(nameOf(userId));
  }
  document.getElementById("typing").textContent = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
}
