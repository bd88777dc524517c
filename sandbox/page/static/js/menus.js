// Context menus and profile cards: what can be done to a message or a person.

import { del, patch, post, put } from "./api.js";
import { attempt } from "./chat.js";
import { h, icon, toast } from "./dom.js";
import { avatar, dateTime, snowflakeMs, span, ticking } from "./format.js";
import { commandOn } from "./interactions.js";
import { isEphemeral, readable } from "./message.js";
import { choose, closePopup, menu, showPopup } from "./popup.js";
import { roles } from "./entities.js";
import { PERMISSION, emit, guild, loadCommands, mayInGuild, me, member, nameOf, on, roleColor, state, timedOutUntil, user } from "./state.js";

export async function messageMenu(message, anchor, node, actions) {
  await loadCommands();
  const mine = message.author.id === me().id;
  const apps = isEphemeral(message) ? [] : state.commands.filter((one) => one.type === 3);
  node.classList.add("menu-open");
  menu(anchor, "Message", [
    !isEphemeral(message) && { label: "Reply", icon: "reply", keepFocus: true, act: () => emit("reply", message) },
    !isEphemeral(message) && { label: "React with 👍", icon: "smile", act: () => actions.react(message, "👍") },
    !isEphemeral(message) && { label: "Forward to…", icon: "send", keepFocus: true, act: () => forwardTo(message, anchor) },
    mine && { label: "Edit message", icon: "edit", keepFocus: true, act: () => emit("edit", message) },
    apps.length > 0 && "line",
    apps.length > 0 && { heading: "Apps" },
    ...apps.map((one) => ({ label: localName(one), icon: "slash", act: () => commandOn(one, message.id) })),
    "line",
    { label: "Copy text", icon: "file", act: () => copy(message.content) },
    { label: "Copy message id", icon: "hash", act: () => copy(message.id) },
    isEphemeral(message) ? { label: "Dismiss message", icon: "close", act: () => actions.dismiss(message) }
      : (mine || actions.mayDelete(message)) && { label: "Delete message", icon: "trash", danger: true, act: () => actions.remove(message) },
  ], {
    onclose: () => node.classList.remove("menu-open"),
    refocusTo: () => document.querySelector(`[data-message-id="${message.id}"]`), // it may have been drawn anew
  });
}

export const localName = (command) => command.name_localizations?.[state.locale || me().locale] ?? command.name;

function forwardTo(message, anchor) {
  const target = anchor instanceof Element ? anchor : document.querySelector(`[data-message-id="${message.id}"]`);
  choose(target, {
    label: "Channel",
    choices: state.view.guilds.flatMap((place) => place.channels.filter((one) => one.can_send).map((one) => ({ value: one.id, label: `#${one.name}`, about: place.name }))),
    ondone: ([id]) => attempt(() => post("/messages", { as: state.me, channel: id, forward: { message_id: message.id } })),
  });
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser does not allow copying here.");
  }
}

// -- people

on("profile", ({ userId, anchor }) => profile(userId, anchor));

export async function profile(userId, anchor) {
  const who = user(userId);
  if (!who || !(anchor instanceof Element)) return;
  const inGuild = member(userId);
  const roles = guild()?.roles.filter((role) => inGuild?.roles.includes(role.id)).sort((a, b) => b.position - a.position) ?? [];
  const until = timedOutUntil(userId);
  const color = roleColor(userId);
  await loadCommands();
  const node = h("div", { class: "popup profile", role: "dialog", "aria-label": `Profile of ${nameOf(userId)}`, "data-testid": "profile", tabindex: "-1" },
    h("div", { class: "top" }, avatar(who), h("div", {},
      h("h3", { style: color ? { color: readable(color) } : {} }, nameOf(userId), who.bot && [" ", h("span", { class: "badge-app" }, "APP")]),
      h("div", { class: "muted" }, `@${who.username} · since ${dateTime(snowflakeMs(who.id), "d")}`))),
    until > 0 && h("div", { class: "timeout" }, icon("clock", "small"), ticking(() => `Timed out for ${span(until - Date.now())}`)),
    roles.length > 0 && h("div", { class: "roles" }, roles.map((role) => h("span", { class: "role" },
      h("span", { class: "swatch", style: role.color ? { "--role": `#${role.color.toString(16).padStart(6, "0")}` } : {} }), role.name))),
    h("div", { class: "acts" }, personItems(who, inGuild, anchor).map((item) => h("button", { type: "button", class: `menu-item ${item.danger ? "danger" : ""}`,
      onclick: () => { closePopup(); item.act(); } }, icon(item.icon, "small"), item.label))));
  showPopup(node, anchor);
  node.querySelector(".menu-item")?.focus();
}

function personItems(who, inGuild, anchor) {
  const self = who.id === me().id;
  const place = guild();
  const base = place && `/guilds/${place.id}`;
  const as = state.me;
  const act = (work) => () => attempt(work);
  const may = (permission) => place && inGuild && mayInGuild(permission) && !self;
  const until = timedOutUntil(who.id);
  return [
    !who.bot && !self && { label: `Act as ${nameOf(who.id)}`, icon: "users", act: () => emit("act-as", who.id) },
    { label: "Mention", icon: "at", act: () => emit("insert", `@${who.username} `) },
    ...state.commands.filter((one) => one.type === 2).map((one) => ({ label: localName(one), icon: "slash", act: () => commandOn(one, who.id) })),
    may(PERMISSION.MANAGE_ROLES) && { label: "Change roles…", icon: "shield", act: () => changeRoles(who, inGuild, anchor) },
    may(PERMISSION.MODERATE_MEMBERS) && (until
      ? { label: "Lift the timeout", icon: "clock", act: act(() => put(`${base}/members/${who.id}/timeout`, { as, seconds: null })) }
      : { label: "Time out for 10 minutes", icon: "clock", act: act(() => put(`${base}/members/${who.id}/timeout`, { as, seconds: 600, reason: "A break" })) }),
    may(PERMISSION.KICK_MEMBERS) && { label: "Kick", icon: "close", danger: true, act: act(() => post(`${base}/members/${who.id}/kick`, { as })) },
    may(PERMISSION.BAN_MEMBERS) && { label: "Ban", icon: "shield", danger: true, act: act(() => put(`${base}/bans/${who.id}`, { as, delete_message_seconds: 3600 })) },
    self && place && { label: "Leave the server", icon: "close", danger: true, act: act(() => del(`${base}/members/${who.id}`)) },
  ].filter(Boolean);
}

function changeRoles(who, inGuild, anchor) {
  const place = guild();
  const target = anchor.isConnected ? anchor : document.getElementById("composer");
  choose(target, {
    label: "Roles", choices: roles({ everyone: false }), chosen: inGuild.roles, min: 0, max: 25,
    ondone: (values) => attempt(() => patch(`/guilds/${place.id}/members/${who.id}`, { as: state.me, roles: values })),
  });
}
