// One message as an element.

import { append, h, icon, iconButton } from "./dom.js";
import { attachment, embed, forward, poll } from "./embeds.js";
import { components } from "./components.js";
import { avatar, clockTime, dateTime, shortWhen, snowflakeMs, ticking } from "./format.js";
import { inlineMarkdown, markdown } from "./markdown.js";
import { emit, me, nameOf, roleColor, state, user } from "./state.js";

const EPHEMERAL = 64;
const LOADING = 128;
const TOKEN_LIFE_MS = 15 * 60 * 1000;
const GREETINGS = ["has arrived.", "joined. Say hello!", "is here now.", "came in through the gate."];

export const isEphemeral = (message) => Boolean(message.flags & EPHEMERAL);

/** Whether two messages stand under one name. */
export function continues(message, before) {
  return Boolean(before) && before.author.id === message.author.id && ![6, 7, 18].includes(before.type) && ![6, 7, 18, 19, 20, 23].includes(message.type)
    && !message.interaction_metadata && isEphemeral(before) === isEphemeral(message) && snowflakeMs(message.id) - snowflakeMs(before.id) < 7 * 60000;
}

export function render(message, { compact, actions }) {
  if (message.type === 7) return system(message, "users", [author(message), ` ${GREETINGS[Number(BigInt(message.id) % 4n)]}`], actions);
  if (message.type === 6) return system(message, "check", [author(message), " pinned a message to this channel."], actions);
  if (message.type === 18) return system(message, "thread", [author(message), ` started a thread: ${message.content}`], actions);
  const at = snowflakeMs(message.id);
  const ephemeral = isEphemeral(message);
  const failure = state.failures.get(message.id);
  const pinged = message.mentions?.some((one) => one.id === me().id) || message.mention_everyone;
  const gutter = compact ? h("span", { class: "gutter", "aria-hidden": "true" }, clockTime(at))
    : h("button", { type: "button", class: "avatar-button", tabindex: "-1", "aria-label": `Profile of ${message.author.username}`,
      onclick: (event) => emit("profile", { userId: message.author.id, anchor: event.currentTarget }) }, avatar(user(message.author.id) ?? message.author));
  const node = h("li", {
    class: `message ${compact ? "compact" : ""} ${ephemeral ? "ephemeral" : ""} ${pinged && !ephemeral ? "pinged" : ""}`,
    tabindex: "-1", "data-testid": "message", "data-message-id": message.id, "data-author": message.author.username,
    "aria-label": `${nameOf(message.author.id)}, ${clockTime(at)}${ephemeral ? ", only you can see this" : ""}`,
    oncontextmenu: (event) => {
      if (event.target.closest("a, input, textarea")) return;
      event.preventDefault();
      actions.menu(message, { x: event.clientX, y: event.clientY }, node);
    },
  });
  return append(node, [
    reference(message), gutter,
    h("div", { class: "body" }, compact ? null : head(message, at), content(message, actions),
      ephemeral && h("div", { class: "note", "data-testid": "ephemeral-note" }, icon("eye", "small"), "Only you can see this",
        h("button", { type: "button", class: "link", "data-testid": "dismiss", onclick: () => actions.dismiss(message) }, "Dismiss message")),
      failure && failed(failure)),
    toolbar(message, actions, node),
  ]);
}

function author(message) {
  const color = roleColor(message.author.id);
  return h("button", { type: "button", class: "author", tabindex: "-1", style: color ? { "--role": readable(color) } : {},
    onclick: (event) => emit("profile", { userId: message.author.id, anchor: event.currentTarget }) }, nameOf(message.author.id));
}

/** Role colours are made for dark backgrounds; mixing with the ink keeps them legible on both. */
export const readable = (color) => `color-mix(in oklab, ${color} 62%, var(--ink))`;

function head(message, at) {
  return h("div", { class: "head" }, author(message), message.author.bot && h("span", { class: "badge-app" }, "APP"),
    h("time", { datetime: new Date(at).toISOString(), title: dateTime(at, "F") }, shortWhen(at)));
}

function content(message, actions) {
  if (message.flags & LOADING) return h("div", { class: "thinking", "data-testid": "thinking" }, loading(message));
  const attachments = message.flags & 32768 ? [] : message.attachments ?? [];
  return [
    message.content && markdown(message.content),
    message.message_snapshots?.map(forward),
    message.sticker_items?.map((sticker) => h("div", { class: "file" }, icon("smile"), sticker.name)),
    message.embeds?.length > 0 && !(message.flags & 4) && h("div", { class: "embeds" }, message.embeds.map(embed)),
    attachments.length > 0 && h("div", { class: "attachments" }, attachments.map(attachment)),
    message.poll && poll(message.poll),
    message.components?.length > 0 && components(message, (customId, values) => actions.use(message, customId, values)),
    message.edited_timestamp && h("span", { class: "note", title: dateTime(Date.parse(message.edited_timestamp), "F") }, "(edited)"),
    reactions(message, actions),
  ];
}

function loading(message) {
  const ends = snowflakeMs(message.id) + TOKEN_LIFE_MS;
  if (Date.now() > ends) return h("span", { class: "note error" }, "The application did not respond");
  return [h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    ticking(() => (Date.now() > ends ? "The application did not respond" : `${nameOf(message.author.id)} is thinking…`))];
}

function reactions(message, actions) {
  if (!message.reactions?.length) return null;
  return h("div", { class: "reactions" }, message.reactions.map((one) => {
    const mine = actions.reacted(message, one.emoji.name);
    return h("button", { type: "button", class: "reaction", "aria-pressed": String(mine), "aria-label": `${one.emoji.name}, ${one.count}`,
      onclick: () => actions.react(message, one.emoji.name) }, one.emoji.name, " ", h("b", {}, one.count));
  }));
}

function reference(message) {
  const used = message.interaction_metadata;
  if (used && used.type === 2 && [20, 23].includes(message.type)) {
    return h("div", { class: "reference" }, avatar(user(used.user.id) ?? used.user, "tiny"), h("b", {}, nameOf(used.user.id)), " used ",
      h("code", {}, `${used.command_type === 1 ? "/" : ""}${used.name ?? "command"}`));
  }
  const answered = message.referenced_message;
  if (message.message_reference && (message.message_reference.type ?? 0) === 0) {
    if (!answered) return h("div", { class: "reference" }, h("i", {}, "The message was deleted"));
    return h("div", { class: "reference" }, avatar(user(answered.author.id) ?? answered.author, "tiny"), h("b", {}, nameOf(answered.author.id)),
      h("span", { class: "quote" }, answered.content ? inlineMarkdown(answered.content.split("\n")[0]) : h("i", {}, "a message without text")));
  }
  return null;
}

export function failed(failure) {
  return h("div", { class: "note error", role: "alert", "data-testid": "interaction-error" }, failure.message,
    failure.reason && h("details", {}, h("summary", {}, "Why (for developers)"), h("pre", {}, [failure.reason, ...(failure.problems ?? [])].join("\n"))));
}

function toolbar(message, actions, node) {
  const deletable = !isEphemeral(message) && (message.author.id === me().id || actions.mayDelete(message));
  return h("div", { class: "toolbar", role: "toolbar", "aria-label": "Message actions" },
    !isEphemeral(message) && iconButton("reply", "Reply", () => emit("reply", message), { class: "icon-button small", tabindex: "-1", "data-testid": "reply" }),
    message.author.id === me().id && iconButton("edit", "Edit", () => emit("edit", message), { class: "icon-button small", tabindex: "-1", "data-testid": "edit" }),
    deletable && iconButton("trash", "Delete", () => actions.remove(message), { class: "icon-button small", tabindex: "-1", "data-testid": "delete" }),
    iconButton("more", "More actions", (event) => actions.menu(message, event.currentTarget, node),
      { class: "icon-button small", tabindex: "-1", "aria-haspopup": "menu", "aria-expanded": "false", "data-testid": "message-menu" }));
}

function system(message, symbol, parts, actions) {
  const at = snowflakeMs(message.id);
  const node = h("li", { class: "message system", tabindex: "-1", "data-testid": "message", "data-message-id": message.id, "data-author": message.author.username,
    oncontextmenu: (event) => { event.preventDefault(); actions.menu(message, { x: event.clientX, y: event.clientY }, node); } });
  return append(node, [h("span", { style: { "justify-self": "center", color: "var(--ink-3)" } }, icon(symbol)),
    h("div", { class: "body" }, parts, " ", h("time", {}, shortWhen(at))), toolbar(message, actions, node)]);
}

/** A command that is on its way, or that failed before there was any message. */
export function renderLocal(entry) {
  const sending = entry.state === "sending";
  return h("li", { class: `message ${sending ? "" : "failed"}`, tabindex: "-1", "data-testid": sending ? "sending" : "failed-command" },
    h("div", { class: "reference" }, avatar(me(), "tiny"), h("b", {}, nameOf(me().id)), " used ", h("code", {}, entry.label)),
    avatar(user(state.view.bot_id) ?? { id: state.view.bot_id, bot: true }),
    h("div", { class: "body" },
      sending ? h("div", { class: "thinking" }, h("span", { class: "spinner" }), "Sending…") : failed(entry.failure),
      !sending && h("div", { class: "note" }, icon("eye", "small"), "Only you can see this",
        h("button", { type: "button", class: "link", "data-testid": "dismiss", onclick: entry.dismiss }, "Dismiss message"))));
}

export function renderTrace(entry) {
  return h("li", { class: `trace ${entry.removed ? "removed" : ""}`, "data-testid": entry.removed ? "removed-trace" : "moderation-trace" },
    icon(entry.icon ?? "shield", "small"), h("span", {}, entry.parts(), entry.reason && h("span", { class: "reason" }, ` · ${entry.reason}`)));
}

