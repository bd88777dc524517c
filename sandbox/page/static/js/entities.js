// People, roles and channels as choices for selects, options and mentions.

import { h, icon } from "./dom.js";
import { avatar } from "./format.js";
import { guild, member, state, user } from "./state.js";

export const CHANNEL_ICON = { 0: "hash", 2: "speaker", 5: "megaphone", 10: "thread", 11: "thread", 12: "thread" };

export function people() {
  const place = guild();
  const found = place ? place.members.map((one) => user(one.user.id) ?? one.user)
    : [user(state.me), user(state.view.bot_id)];
  return found.filter(Boolean).map((who) => ({
    value: who.id,
    label: member(who.id)?.nick || who.display_name,
    about: `@${who.username}`,
    lead: avatar(who, "small"),
  }));
}

export function roles({ everyone = true } = {}) {
  const place = guild();
  return [...(place?.roles ?? [])].filter((role) => everyone || role.id !== place.id)
    .sort((a, b) => b.position - a.position)
    .map((role) => ({
      value: role.id,
      label: role.name,
      lead: h("span", { class: "swatch", style: role.color ? { "--role": `#${role.color.toString(16).padStart(6, "0")}` } : {} }),
    }));
}

export function channels(types) {
  return (guild()?.channels ?? []).filter((one) => !types?.length || types.includes(one.type))
    .map((one) => ({ value: one.id, label: one.name, lead: icon(CHANNEL_ICON[one.type] ?? "hash", "small") }));
}

export const mentionables = () => [...people(), ...roles()];

/** The choices of a select menu (component types 3 and 5 to 8). */
export function selectChoices(component) {
  switch (component.type) {
    case 3: return component.options.map((option) => ({
      value: option.value, label: option.label, about: option.description, lead: option.emoji?.name ? h("span", {}, option.emoji.name) : null,
    }));
    case 5: return people();
    case 6: return roles();
    case 7: return mentionables();
    default: return channels(component.channel_types);
  }
}

export function preset(component) {
  if (component.default_values?.length) return component.default_values.map((one) => one.id);
  return (component.options ?? []).filter((option) => option.default).map((option) => option.value);
}
