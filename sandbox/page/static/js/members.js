// Who is in the server, by their most important role; clocks on those who are timed out.

import { fill, h, icon } from "./dom.js";
import { avatar, span, ticking } from "./format.js";
import { readable } from "./message.js";
import { emit, guild, nameOf, refreshView, roleColor, state, timedOutUntil, user } from "./state.js";

const SHOWN_PER_GROUP = 100;

export function drawMembers(body) {
  const place = guild();
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.userId : null;
  if (!place) {
    fill(body, [state.me, state.view.bot_id].map((id) => row(id)));
  } else {
    const hoisted = place.roles.filter((role) => role.hoist).sort((a, b) => b.position - a.position);
    const groups = new Map(hoisted.map((role) => [role.name, []]));
    groups.set("Apps", []);
    groups.set("Members", []);
    for (const one of place.members) {
      const bot = user(one.user.id)?.bot;
      const role = bot ? null : hoisted.find((candidate) => one.roles.includes(candidate.id));
      groups.get(bot ? "Apps" : role?.name ?? "Members").push(one.user.id);
    }
    fill(body, [...groups].filter(([, ids]) => ids.length).map(([name, ids]) => [
      h("h3", { class: "member-group" }, `${name} — ${ids.length}`),
      ids.sort((a, b) => nameOf(a).localeCompare(nameOf(b))).slice(0, SHOWN_PER_GROUP).map((id) => row(id)),
      ids.length > SHOWN_PER_GROUP && h("p", { class: "member-group" }, `and ${ids.length - SHOWN_PER_GROUP} more`),
    ]));
  }
  if (focused) body.querySelector(`[data-user-id="${focused}"]`)?.focus();
}

function row(id) {
  const who = user(id);
  const until = timedOutUntil(id);
  const color = roleColor(id);
  return h("button", {
    type: "button", class: `member ${who.presence === "offline" ? "offline" : ""}`, "data-testid": "member", "data-user-id": id, "data-username": who.username, "aria-haspopup": "dialog", "aria-expanded": "false",
    onclick: (event) => emit("profile", { userId: id, anchor: event.currentTarget }),
  }, avatar(who, "small", { presence: !who.bot }),
  h("span", { class: "who" }, h("b", { style: color ? { "--role": readable(color) } : {} }, nameOf(id), who.bot && [" ", h("span", { class: "badge-app" }, "APP")]), h("small", {}, `@${who.username}`)),
  until > 0 && h("span", { class: "clock", "data-testid": "member-timeout", title: "Timed out" }, icon("clock", "small"),
    ticking(() => { if (Date.now() > until) refreshView(); return span(until - Date.now()); })));
}
