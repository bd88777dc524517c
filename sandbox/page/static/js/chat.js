// The messages of the open channel, and the model behind them.

import { del, get, post } from "./api.js";
import { fill, h, icon, toast } from "./dom.js";
import { dayName, snowflakeMs } from "./format.js";
import { messageMenu } from "./menus.js";
import { useComponent } from "./interactions.js";
import { continues, render, renderLocal, renderTrace } from "./message.js";
import { CHANNEL_ICON } from "./entities.js";
import { channel, emit, guild, nameOf, on, state } from "./state.js";

const KEPT = 250;
const TRACE_MS = 20000;
const list = document.getElementById("messages");
const scroller = document.getElementById("scroller");
const drawn = new Map(); // key -> {node, signature}
const reacted = new Map(); // message id -> Set of emoji, per person: `${me}/${id}`
let newLineAt = null;
let atEnd = true;

// Stay at the end while the box below grows or pictures load, unless somebody has scrolled up to read.
scroller.addEventListener("scroll", () => { atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60; });
const keepEnd = new ResizeObserver(() => { if (atEnd) scroller.scrollTop = scroller.scrollHeight; });
keepEnd.observe(scroller);
keepEnd.observe(list);

export const entriesOf = (id) => state.messages.get(id);

export async function openChannel(id) {
  state.channelId = id;
  drawn.clear();
  list.replaceChildren();
  newLineAt = state.unread.get(id)?.first ?? null;
  state.unread.delete(id);
  emit("unread");
  // What happens while the history is on its way is kept beside it.
  const live = [];
  state.messages.set(id, live);
  goneMeanwhile.clear();
  const found = await get(`/channels/${id}/messages?as=${state.me}&limit=100`);
  if (state.channelId !== id || state.messages.get(id) !== live) return;
  const known = new Set(live.map((one) => one.key));
  live.unshift(...found.filter((one) => !known.has(one.id) && !goneMeanwhile.has(one.id)).map(entry));
  draw({ bottom: true });
}

const goneMeanwhile = new Set();
const entry = (message) => ({ key: message.id, kind: "message", message, version: 1 });

export function addMessage(message) {
  const entries = state.messages.get(message.channel_id);
  if (!entries) return;
  const known = entries.find((one) => one.key === message.id);
  if (known) {
    known.message = message;
    known.version += 1;
  } else {
    entries.push(entry(message));
    if (entries.length > KEPT) entries.splice(0, entries.length - KEPT);
  }
  touched(message.channel_id);
}

export function updateMessage(message) {
  const known = state.messages.get(message.channel_id)?.find((one) => one.key === message.id);
  if (!known) return;
  known.message = message;
  known.version += 1;
  touched(message.channel_id);
}

export function refreshMessage(channelId, messageId) {
  const known = state.messages.get(channelId)?.find((one) => one.key === messageId);
  if (!known) return;
  known.version += 1;
  touched(channelId);
}

/** Take a message away; with a trace when somebody else took it away. */
export function removeMessage(channelId, messageId, { trace = false } = {}) {
  const entries = state.messages.get(channelId);
  const at = entries?.findIndex((one) => one.key === messageId) ?? -1;
  if (at < 0) {
    goneMeanwhile.add(messageId);
    return;
  }
  const { message } = entries[at];
  if (!trace) {
    entries.splice(at, 1);
    touched(channelId);
    return;
  }
  const mark = { key: `trace-${messageId}`, kind: "trace", removed: true, icon: "trash", version: 1, channelId, messageId,
    parts: () => ["A message by ", h("b", {}, nameOf(message.author.id)), " was removed by moderation"] };
  entries.splice(at, 1, mark);
  touched(channelId);
  setTimeout(() => {
    drawn.get(mark.key)?.node.classList.add("leaving");
    setTimeout(() => {
      const now = entries.indexOf(mark);
      if (now >= 0) entries.splice(now, 1);
      touched(channelId);
    }, 1000);
  }, TRACE_MS);
}

/** Say who removed it and why, once that is known. */
export function explainRemoval(messageId, by, reason) {
  for (const entries of state.messages.values()) {
    const mark = entries.find((one) => one.key === `trace-${messageId}`);
    if (!mark) continue;
    const before = mark.parts;
    mark.parts = () => [...before(), ...(by ? [" (", h("b", {}, by), ")"] : [])];
    mark.reason = reason;
    mark.version += 1;
    touched(mark.channelId);
  }
}

export function addTrace(channelId, trace) {
  const entries = state.messages.get(channelId);
  if (!entries) return;
  entries.push({ kind: "trace", version: 1, channelId, ...trace });
  touched(channelId);
}

/** A line for a command under way; returns what changes it. */
export function addLocal(channelId, label) {
  const entries = state.messages.get(channelId);
  const local = { key: `local-${Math.random()}`, kind: "local", label, state: "sending", version: 1 };
  const remove = () => {
    const at = entries.indexOf(local);
    if (at >= 0) entries.splice(at, 1);
    touched(channelId);
  };
  local.dismiss = remove;
  entries?.push(local);
  touched(channelId);
  return {
    remove,
    fail(failure) {
      Object.assign(local, { state: "failed", failure });
      local.version += 1;
      touched(channelId);
    },
  };
}

let scheduled = false;
function touched(channelId) {
  if (channelId !== state.channelId || scheduled) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    draw();
  });
}

const actions = {
  use: useComponent,
  menu: (message, anchor, node) => messageMenu(message, anchor, node, actions),
  mayDelete: () => channel()?.can_manage_messages ?? false,
  async remove(message) {
    await attempt(() => del(`/messages/${message.id}?as=${state.me}`));
  },
  async dismiss(message) {
    await attempt(() => post(`/messages/${message.id}/dismiss`));
    removeMessage(message.channel_id, message.id);
  },
  reacted: (message, emoji) => reacted.get(`${state.me}/${message.id}`)?.has(emoji) ?? false,
  async react(message, emoji) {
    const key = `${state.me}/${message.id}`;
    const mine = reacted.get(key) ?? new Set();
    reacted.set(key, mine);
    if (mine.delete(emoji)) await attempt(() => del(`/messages/${message.id}/reactions?as=${state.me}&emoji=${encodeURIComponent(emoji)}`));
    else if (await attempt(() => post(`/messages/${message.id}/reactions`, { as: state.me, emoji }))) mine.add(emoji);
  },
};

export async function attempt(work) {
  try {
    await work();
    return true;
  } catch (problem) {
    toast(problem.message);
    return false;
  }
}

function draw({ bottom = false } = {}) {
  const entries = state.messages.get(state.channelId) ?? [];
  if (bottom) atEnd = true;
  const stay = atEnd;
  const focused = list.contains(document.activeElement) ? document.activeElement.closest("[data-message-id]")?.dataset.messageId : null;
  const nodes = [welcome()];
  let before = null;
  let day = "";
  let newShown = false;
  for (const one of entries) {
    const ms = one.message ? snowflakeMs(one.message.id) : null;
    if (ms && new Date(ms).toDateString() !== day) {
      day = new Date(ms).toDateString();
      nodes.push(divider(dayName(ms)));
      before = null;
    }
    if (newLineAt && !newShown && ms && BigInt(one.key) >= BigInt(newLineAt)) {
      newShown = true;
      nodes.push(divider("New", "day new"));
      before = null;
    }
    nodes.push(nodeOf(one, before));
    before = one.message ?? null;
  }
  reconcile(nodes);
  if (stay) scroller.scrollTop = scroller.scrollHeight;
  if (focused && document.activeElement === document.body) list.querySelector(`[data-message-id="${focused}"]`)?.focus({ preventScroll: true });
}

function nodeOf(one, before) {
  const compact = one.kind === "message" && continues(one.message, before);
  const signature = `${one.version}/${compact}/${state.pending.get(one.key) ?? ""}/${state.failures.has(one.key)}`;
  const known = drawn.get(one.key);
  if (known?.signature === signature) return known.node;
  const node = one.kind === "message" ? render(one.message, { compact, actions }) : one.kind === "trace" ? renderTrace(one) : renderLocal(one);
  if (known?.node.contains(document.activeElement)) keepFocus(known.node, node);
  drawn.set(one.key, { node, signature });
  return node;
}

const FOCUSABLE = "button, a[href], summary, [tabindex]";
/** When a message that has the focus is drawn anew, the same part of it gets the focus again. */
function keepFocus(old, node) {
  const at = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  queueMicrotask(() => {
    if (!node.isConnected) return;
    const part = at >= 0 ? node.querySelectorAll(FOCUSABLE)[at] : null;
    (part && !part.disabled ? part : node).focus({ preventScroll: true });
  });
}

const divider = (text, kind = "day") => h("li", { class: kind }, text);

function welcome() {
  const place = channel();
  const name = place?.name ? `#${place.name}` : nameOf(state.view.bot_id);
  const node = h("li", { class: "welcome" }, h("h3", {}, place?.guild_id ? name : `You and ${name}`),
    h("p", {}, place?.guild_id ? place.topic || `The beginning of ${name} in ${guild()?.name ?? ""}.` : "Only the two of you can read this."));
  return node;
}

function reconcile(nodes) {
  const wanted = new Set(nodes);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
}

// -- keyboard: arrows walk through the messages, Enter opens the menu

list.addEventListener("keydown", (event) => {
  const row = event.target.closest("[data-testid='message']");
  if (!row || event.target !== row) {
    if (event.key === "Escape" && row && event.target !== row) row.focus();
    return;
  }
  const rows = [...list.querySelectorAll("[data-testid='message']")];
  const at = rows.indexOf(row);
  if (event.key === "ArrowUp") rows[at - 1]?.focus();
  else if (event.key === "ArrowDown") (rows[at + 1] ?? document.getElementById("composer"))?.focus();
  else if (event.key === "Home") rows[0]?.focus();
  else if (event.key === "End") rows.at(-1)?.focus();
  else if (event.key === "Escape") document.getElementById("composer")?.focus();
  else if (event.key === "Enter" || event.key === "ContextMenu") row.querySelector("[data-testid='message-menu']")?.click();
  else if (event.key === "ArrowRight") row.querySelector(".components button:not(:disabled), .note .link, .reaction")?.focus();
  else return;
  event.preventDefault();
});
list.addEventListener("focusin", (event) => {
  const row = event.target.closest("[data-testid='message']");
  for (const one of list.querySelectorAll("[data-testid='message'][tabindex='0']")) one.tabIndex = -1;
  if (row) row.tabIndex = 0;
});
export function focusLastMessage() {
  [...list.querySelectorAll("[data-testid='message']")].at(-1)?.focus();
}

// -- the line above

export function drawHead(controls) {
  const place = channel();
  const head = document.getElementById("chat-head");
  const dm = place && !place.guild_id;
  fill(head, controls.menu,
    h("h2", { "data-testid": "channel-name" }, icon(dm ? "at" : CHANNEL_ICON[place?.type] ?? "hash"), dm ? nameOf(state.view.bot_id) : place?.name ?? ""),
    place?.topic ? h("div", { class: "topic", title: place.topic }, place.topic) : h("div", { class: "spacer" }), controls.right);
}

let look = "";
on("view", () => {
  const place = guild();
  const now = JSON.stringify([state.me, state.view.users.map((one) => one.display_name), place?.roles.map((one) => [one.name, one.color]),
    place?.members.map((one) => [one.user.id, one.nick, one.roles]), channel()?.can_manage_messages]);
  if (now === look) return;
  look = now; // names, colours or rights have changed
  for (const one of state.messages.get(state.channelId) ?? []) one.version += 1;
  touched(state.channelId);
});
on("locale", () => {
  for (const one of state.messages.get(state.channelId) ?? []) one.version += 1;
  touched(state.channelId);
});

