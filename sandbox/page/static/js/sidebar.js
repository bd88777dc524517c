// Servers, channels, and who one acts as.

import { fill, h, icon, iconButton, rove } from "./dom.js";
import { CHANNEL_ICON } from "./entities.js";
import { avatar, guildInitials } from "./format.js";
import { choose } from "./popup.js";
import { emit, guild, me, nameOf, on, setLocale, state, timedOutUntil, unreadOf, user } from "./state.js";

const LOCALES = ["bg", "cs", "da", "de", "el", "en-GB", "en-US", "es-419", "es-ES", "fi", "fr", "hi", "hr", "hu", "id", "it", "ja", "ko", "lt", "nl", "no", "pl", "pt-BR", "ro", "ru", "sv-SE", "th", "tr", "uk", "vi", "zh-CN", "zh-TW"];
const rail = document.getElementById("rail");
const channelList = document.getElementById("channels");
rove(rail, ".rail-button");
rove(channelList, ".channel");

export function drawSidebar() {
  drawRail();
  drawChannels();
  drawPersona();
}

function railItem({ label, current, unread, act, content, testId }) {
  return h("div", { class: `rail-item ${unread.count ? "unread" : ""} ${current ? "current" : ""}` },
    h("button", { type: "button", class: "rail-button", "aria-current": String(current), "aria-label": `${label}${unread.count ? `, ${unread.count} unread` : ""}`, title: label, onclick: act, "data-testid": testId }, h("span", { "aria-hidden": "true" }, content)),
    unread.pinged > 0 && h("span", { class: "pill", "aria-hidden": "true" }, unread.pinged));
}

function drawRail() {
  const dms = unreadOf(state.view.dms.map((one) => one.id));
  const focused = rail.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  fill(rail,
    railItem({ label: "Direct messages", current: state.guildId === null, unread: { count: dms.count, pinged: dms.count }, testId: "rail-dms", act: () => emit("go", { guildId: null }), content: icon("at") }),
    h("div", { class: "rail-line", role: "presentation" }),
    state.view.guilds.map((one) => railItem({
      label: one.name, current: state.guildId === one.id, unread: unreadOf(one.channels.map((c) => c.id)), testId: "rail-guild",
      act: () => emit("go", { guildId: one.id }), content: guildInitials(one.name),
    })));
  if (focused) [...rail.querySelectorAll(".rail-button")].find((one) => one.getAttribute("aria-label") === focused)?.focus();
}

function drawChannels() {
  const place = guild();
  const head = document.getElementById("sidebar-head");
  fill(head, h("h1", {}, place?.name ?? "Direct messages"), h("p", {}, place ? place.description ?? `${place.members.length} members` : "Between you and the application"));
  const focused = channelList.contains(document.activeElement) ? document.activeElement.dataset.channelId : null;
  if (!place) {
    fill(channelList, state.view.dms.map((one) => row(one, nameOf(state.view.bot_id), avatar(user(state.view.bot_id), "small"))),
      state.view.dms.length === 0 && h("button", { type: "button", class: "channel", "data-testid": "open-dm", onclick: () => emit("open-dm") }, icon("plus"), h("span", { class: "name" }, `Write to ${nameOf(state.view.bot_id)}`)));
  } else {
    const categories = place.channels.filter((one) => one.type === 4);
    const children = (id) => place.channels.filter((one) => (one.parent_id ?? null) === id && one.type !== 4 && ![10, 11, 12].includes(one.type));
    const threads = (id) => place.channels.filter((one) => one.parent_id === id && [10, 11, 12].includes(one.type));
    const rows = (id) => children(id).flatMap((one) => [row(one), ...threads(one.id).map((thread) => row(thread))]);
    const known = new Set(categories.map((one) => one.id));
    const loose = place.channels.filter((one) => one.type !== 4 && one.parent_id && !known.has(one.parent_id) && ![10, 11, 12].includes(one.type));
    fill(channelList, rows(null), loose.map((one) => row(one)), categories.map((one) => {
      const inside = rows(one.id);
      return inside.length > 0 && [h("div", { class: "category" }, one.name), inside];
    }));
  }
  if (focused) channelList.querySelector(`[data-channel-id="${focused}"]`)?.focus();
}

function row(one, name = one.name, lead = null) {
  const unread = state.unread.get(one.id);
  const current = one.id === state.channelId;
  const thread = [10, 11, 12].includes(one.type);
  return h("button", {
    type: "button", class: `channel ${unread ? "unread" : ""} ${thread ? "thread" : ""}`, "data-testid": "channel", "data-channel-id": one.id, "data-name": name,
    ...(current ? { "aria-current": "page" } : {}), onclick: () => emit("go", { channelId: one.id }),
  }, lead ?? icon(CHANNEL_ICON[one.type] ?? "hash"), h("span", { class: "name" }, name),
  unread?.pinged > 0 ? h("span", { class: "pill" }, unread.pinged) : null, unread && h("span", { class: "sr-only" }, `${unread.count} unread`));
}

function drawPersona() {
  const who = me();
  const until = timedOutUntil(who.id);
  const button = h("button", { type: "button", class: "persona-button", "aria-haspopup": "listbox", "aria-expanded": "false", "data-testid": "persona", title: "Act as somebody else",
    onclick: () => choosePersona(button) },
  avatar(who, "small", { presence: true }),
  h("span", { class: "who" }, h("b", {}, nameOf(who.id)), h("span", {}, until ? "timed out" : `@${who.username}`)));
  const language = h("button", { type: "button", class: "locale-button", title: "Language of this person", "aria-haspopup": "listbox", "aria-expanded": "false", "aria-label": `Language: ${state.locale || who.locale}`, "data-testid": "locale",
    onclick: () => choose(language, {
      label: "Language", chosen: [state.locale || who.locale], choices: LOCALES.map((code) => ({ value: code, label: code, about: localeName(code) })),
      ondone: ([code]) => setLocale(code === who.locale ? "" : code),
    }) }, state.locale || who.locale);
  const dark = document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const theme = iconButton(dark ? "sun" : "moon", dark ? "Light colours" : "Dark colours", () => {
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("gatehouse.theme", dark ? "light" : "dark");
    drawPersona();
    document.querySelector("[data-testid='theme']").focus();
  }, { "data-testid": "theme" });
  fill(document.getElementById("persona"), button, language, theme);
}

function localeName(code) {
  try {
    return new Intl.DisplayNames([code], { type: "language" }).of(code);
  } catch {
    return "";
  }
}

function choosePersona(anchor) {
  choose(anchor, {
    label: "People", filter: true, chosen: [state.me],
    choices: state.view.users.filter((one) => !one.bot).map((one) => ({ value: one.id, label: one.display_name, about: `@${one.username}`, lead: avatar(one, "small") })),
    ondone: ([id]) => id !== state.me && emit("act-as", id),
  });
}

on("unread", () => { if (state.view) { drawRail(); drawChannels(); } });
on("locale", () => drawPersona());
