// The message box: text with mentions, files, replies and edits; a command's form in its place.

import { patch, post, readFile } from "./api.js";
import { attempt, focusLastMessage } from "./chat.js";
import { commandForm, commandItems } from "./commands.js";
import { fill, h, icon, iconButton } from "./dom.js";
import { channels, people, roles } from "./entities.js";
import { bytes, span, ticking } from "./format.js";
import { channel, guild, loadCommands, me, nameOf, on, state, timedOutUntil } from "./state.js";
import { Suggestions } from "./suggestions.js";

const area = document.getElementById("composer-area");
const drafts = new Map();
let replying = null;
let editing = null;
let files = [];
let blockedUntil = 0;
let meantAsText = null; // what stood here when the list was closed with Escape

const text = h("textarea", {
  id: "composer", rows: 1, "aria-autocomplete": "list", "aria-haspopup": "listbox", "aria-label": "Message", maxlength: 2000,
  autocomplete: "off", spellcheck: "true", "data-testid": "composer",
});
const suggestions = new Suggestions(area, text);
const picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Attach files", "data-testid": "attach-input" });
const attach = iconButton("plus", "Attach files", () => picker.click());
const slash = iconButton("slash", "Use a command", () => { text.value = "/"; text.focus(); typed(); });
const send = iconButton("send", "Send message", () => submit(), { "data-testid": "send" });
const top = h("div", { class: "composer-top", hidden: true });
const chips = h("div", { class: "chips", hidden: true });
const line = h("div", { class: "line" }, attach, text, slash, send);
const box = h("div", { class: "composer" }, top, chips, line);
area.append(box, picker);

picker.addEventListener("change", () => {
  files = [...files, ...picker.files].slice(0, 10);
  picker.value = "";
  drawChips();
  text.focus();
});
text.addEventListener("paste", (event) => {
  if (!event.clipboardData?.files.length) return;
  event.preventDefault();
  files = [...files, ...event.clipboardData.files].slice(0, 10);
  drawChips();
});
text.addEventListener("input", typed);
text.addEventListener("blur", () => setTimeout(() => { if (document.activeElement !== text) suggestions.hide(); }, 120));
text.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && suggestions.isOpen) meantAsText = text.value;
  if (suggestions.key(event)) return;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  } else if (event.key === "Escape") {
    stopReplyOrEdit();
  } else if (event.key === "ArrowUp" && !text.value) {
    event.preventDefault();
    focusLastMessage();
  }
});

async function typed() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight, innerHeight * 0.4)}px`;
  drafts.set(state.channelId, text.value);
  if (text.value.startsWith("/") && !editing) {
    await loadCommands();
    if (!text.value.startsWith("/")) return;
    suggestions.show(commandItems(text.value.slice(1), openCommand), "Commands",
      state.commands.length ? "No command fits." : "No commands are registered for this channel.");
    return;
  }
  const word = /(^|\s)([@#])([^\s@#]*)$/.exec(text.value.slice(0, text.selectionStart));
  if (!word) {
    suggestions.hide();
    return;
  }
  const wanted = word[3].toLowerCase();
  const found = (word[2] === "#" ? channels() : [...people(), ...roles({ everyone: false })])
    .filter((one) => `${one.label} ${one.about ?? ""}`.toLowerCase().includes(wanted)).slice(0, 8);
  const written = found.some((one) => (one.about ?? one.label).replace(/^@/, "").toLowerCase() === wanted);
  if (!found.length || written) {
    suggestions.hide();
    return;
  }
  suggestions.show(found.map((one) => ({
    name: one.label,
    act: () => complete(word[3].length + 1, `${word[2]}${(one.about ?? one.label).replace(/^@/, "")} `),
    parts: [one.lead, h("div", { class: "main" }, h("div", { class: "name" }, one.label), one.about && h("div", { class: "about" }, one.about))],
  })), word[2] === "#" ? "Channels" : "People and roles", "");
}

function complete(length, insertion) {
  const at = text.selectionStart;
  text.setRangeText(insertion, at - length, at, "end");
  suggestions.hide();
  typed();
}

/** What people see (`@maya`) becomes what Discord stores (`<@id>`). */
function encode(value) {
  const place = guild();
  if (!place) return value;
  let result = value;
  const names = [
    ...people().map((one) => [one.about, `<@${one.value}>`]),
    ...roles({ everyone: false }).map((one) => [`@${one.label}`, `<@&${one.value}>`]),
    ...channels().map((one) => [`#${one.label}`, `<#${one.value}>`]),
  ].sort((a, b) => b[0].length - a[0].length);
  for (const [shown, stored] of names) {
    const pattern = new RegExp(`(^|[\\s(])${shown.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![\\w.])`, "gi");
    result = result.replace(pattern, (_, before) => `${before}${stored}`);
  }
  return result;
}

const decode = (value) => value.replace(/<@!?(\d+)>/g, (raw, id) => {
  const who = state.view.users.find((one) => one.id === id);
  return who ? `@${who.username}` : raw;
});

/** Somebody who types faster than the list of commands opens still means the command. */
async function commandMeant() {
  const typedText = text.value;
  if (!typedText.startsWith("/") || editing || meantAsText === typedText) return false;
  await loadCommands();
  const [best] = commandItems(typedText.slice(1), openCommand);
  if (text.value !== typedText || !best?.matches) return false;
  best.act();
  return true;
}

async function submit() {
  if (await commandMeant()) return;
  const content = encode(text.value.trim());
  if ((!content && !files.length) || Date.now() < blockedUntil) return;
  if (editing) {
    const edited = editing;
    if (await attempt(() => patch(`/messages/${edited.id}`, { as: state.me, content }))) stopReplyOrEdit();
    return;
  }
  const body = { as: state.me, channel: state.channelId, content, ...(replying ? { reply_to: replying.id } : {}) };
  const sent = { value: text.value, files, replying };
  text.value = "";
  files = [];
  replying = null;
  typed();
  drawChips();
  drawTop();
  const done = await attempt(async () => post("/messages", { ...body, attachments: await Promise.all(sent.files.map(readFile)) }));
  if (!done && !text.value) {
    text.value = sent.value;
    files = sent.files;
    replying = sent.replying;
    typed();
    drawChips();
    drawTop();
  }
}

function openCommand(chosen) {
  suggestions.hide();
  text.value = "";
  typed();
  const form = commandForm(chosen, (refocus) => {
    fill(box, top, chips, line);
    drawTop();
    if (refocus) text.focus();
  });
  fill(box, form.node);
  form.focus();
}

function stopReplyOrEdit() {
  if (editing) text.value = "";
  replying = null;
  editing = null;
  typed();
  drawTop();
}

function drawTop() {
  top.hidden = !replying && !editing;
  if (top.hidden) return;
  fill(top, icon(editing ? "edit" : "reply", "small"),
    h("span", { class: "grow" }, editing ? "Editing your message" : ["Replying to ", h("b", {}, nameOf(replying.author.id))]),
    iconButton("close", "Stop", () => { stopReplyOrEdit(); text.focus(); }, { class: "icon-button small" }));
}

function drawChips() {
  chips.hidden = !files.length;
  fill(chips, files.map((file, index) => h("span", { class: "chip" }, icon("file", "small"), `${file.name} (${bytes(file.size)})`,
    h("button", { type: "button", "aria-label": `Remove ${file.name}`, onclick: () => { files.splice(index, 1); drawChips(); text.focus(); } }, icon("close", "small")))));
}

/** Set the box up for the open channel and person. */
export function drawComposer({ channelChanged = false } = {}) {
  const place = channel();
  const until = timedOutUntil(state.me);
  const dm = place && !place.guild_id;
  const may = dm || place?.can_send;
  blockedUntil = until;
  if (channelChanged) {
    replying = null;
    editing = null;
    files = [];
    fill(box, top, chips, line);
    text.value = drafts.get(state.channelId) ?? "";
    suggestions.hide();
    drawTop();
    drawChips();
  }
  const blocked = !may || until > 0;
  text.disabled = blocked;
  for (const button of [attach, slash, send]) button.disabled = blocked;
  box.classList.toggle("blocked", blocked);
  line.querySelector(".clock")?.remove();
  text.hidden = until > 0;
  if (until > 0) {
    attach.after(h("div", { class: "clock grow", role: "status", style: { flex: "1" }, "data-testid": "timeout-clock" }, icon("clock", "small"),
      ticking(() => { if (Date.now() > until) queueMicrotask(drawComposer); return `You are timed out for ${span(until - Date.now())}`; })));
  }
  const name = dm ? nameOf(state.view.bot_id) : `#${place?.name ?? ""}`;
  text.placeholder = may ? `Message ${name} as ${nameOf(me().id)}` : "You cannot write in this channel";
  text.style.height = "auto";
}

on("reply", (message) => { editing = null; replying = message; drawTop(); text.focus(); });
on("edit", (message) => { replying = null; editing = message; text.value = decode(message.content); typed(); drawTop(); text.focus(); });
on("insert", (insertion) => { text.value = `${text.value}${insertion}`; text.focus(); typed(); });
on("view", () => drawComposer());
on("commands", () => { if (text.value.startsWith("/") && document.activeElement === text) typed(); });

