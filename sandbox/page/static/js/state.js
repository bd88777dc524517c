// What the page knows, and who wants to hear when it changes.

import { get } from "./api.js";

export const state = {
  view: null,
  me: localStorage.getItem("gatehouse.me"),
  guildId: null, // null: direct messages
  channelId: null,
  locale: localStorage.getItem("gatehouse.locale") || "", // "": the account's own
  messages: new Map(), // channel id -> entries, oldest first
  unread: new Map(), // channel id -> {count, pinged}
  commands: [],
  pending: new Map(), // message id -> custom id that was pressed
  failures: new Map(), // message id -> {message, reason, problems}
};

const listeners = new Map();

export function on(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, []);
  listeners.get(topic).push(listener);
}

export function emit(topic, data) {
  for (const listener of listeners.get(topic) ?? []) listener(data);
}

// -- look-ups

export const guild = (id = state.guildId) => state.view?.guilds.find((one) => one.id === id) ?? null;
export const me = () => state.view?.me ?? null;
export const myLocale = () => state.locale || me()?.locale || "en-US";

export function channel(id = state.channelId) {
  for (const one of state.view?.guilds ?? []) {
    const found = one.channels.find((c) => c.id === id);
    if (found) return found;
  }
  return state.view?.dms.find((dm) => dm.id === id) ?? null;
}

export function guildOf(channelId) {
  return state.view?.guilds.find((one) => one.channels.some((c) => c.id === channelId)) ?? null;
}

export function user(id) {
  return state.view?.users.find((one) => one.id === id) ?? null;
}

export function member(userId, guildId = state.guildId) {
  return guild(guildId)?.members.find((one) => one.user.id === userId) ?? null;
}

export function nameOf(userId, guildId = state.guildId) {
  const found = user(userId);
  return member(userId, guildId)?.nick || found?.display_name || "Unknown user";
}

export function roleColor(userId, guildId = state.guildId) {
  const place = guild(guildId);
  const who = member(userId, guildId);
  if (!place || !who) return null;
  const colored = place.roles
    .filter((role) => who.roles.includes(role.id) && role.color)
    .sort((a, b) => b.position - a.position)[0];
  return colored ? `#${colored.color.toString(16).padStart(6, "0")}` : null;
}

export function timedOutUntil(userId, guildId = state.guildId) {
  const until = member(userId, guildId)?.communication_disabled_until;
  const at = until ? Date.parse(until) : 0;
  return at > Date.now() ? at : 0;
}

const bits = (text) => BigInt(text ?? "0");
export const PERMISSION = {
  KICK_MEMBERS: 1n << 1n,
  BAN_MEMBERS: 1n << 2n,
  ADMINISTRATOR: 1n << 3n,
  MANAGE_NICKNAMES: 1n << 27n,
  MANAGE_ROLES: 1n << 28n,
  MODERATE_MEMBERS: 1n << 40n,
};

export function mayInGuild(permission, guildId = state.guildId) {
  const granted = bits(guild(guildId)?.permissions);
  return Boolean(granted & (permission | PERMISSION.ADMINISTRATOR));
}

// -- loading

let viewRequest = null;
export async function loadView() {
  viewRequest ??= get(`/view?as=${state.me}`).finally(() => { viewRequest = null; });
  state.view = await viewRequest;
  emit("view");
}

let refreshTimer = null;
/** Reload the view soon; many events in a row cost one request. */
export function refreshView() {
  if (refreshTimer) return;
  const members = state.view?.guilds.reduce((sum, one) => sum + one.members.length, 0) ?? 0;
  refreshTimer = setTimeout(async () => {
    refreshTimer = null;
    try {
      await loadView();
    } catch { /* the stream notices when the sandbox is gone */ }
  }, members > 500 ? 1500 : 150);
}

let commandsFor = "";
let commandsRequest = null;
/** Load the commands of this person and channel; whoever asks while they are on their way waits for them too. */
export function loadCommands(force = false) {
  const key = `${state.me}/${state.channelId}`;
  if (force || key !== commandsFor) {
    commandsFor = key;
    commandsRequest = fetchCommands(key);
  }
  return commandsRequest;
}

async function fetchCommands(key) {
  let found = [];
  try {
    found = await get(`/commands?as=${state.me}&channel=${state.channelId}`);
  } catch {
    commandsFor = ""; // asked again next time; meanwhile there are none to offer
  }
  if (key === commandsFor || !commandsFor) {
    state.commands = found;
    emit("commands");
  }
}

export function setMe(id) {
  state.me = id;
  localStorage.setItem("gatehouse.me", id);
}

export function setLocale(locale) {
  state.locale = locale;
  localStorage.setItem("gatehouse.locale", locale);
  emit("locale");
}

export function unreadOf(channelIds) {
  let count = 0;
  let pinged = 0;
  for (const id of channelIds) {
    const found = state.unread.get(id);
    if (found) { count += found.count; pinged += found.pinged; }
  }
  return { count, pinged };
}
