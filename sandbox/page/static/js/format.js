// Times, sizes, avatars, JSON.

import { h } from "./dom.js";
import { myLocale, state, user } from "./state.js";

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" },
  S: { dateStyle: "short", timeStyle: "medium" },
};
const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function formatter(kind, options) {
  try {
    return new Intl[kind](myLocale(), options);
  } catch {
    return new Intl[kind]("en-US", options);
  }
}

export function relative(ms) {
  const seconds = Math.round((ms - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, s]) => Math.abs(seconds) >= s) ?? UNITS[UNITS.length - 1];
  return formatter("RelativeTimeFormat", { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}

export const dateTime = (ms, style = "f") => formatter("DateTimeFormat", STYLES[style] ?? STYLES.f).format(ms);
export const clockTime = (ms) => formatter("DateTimeFormat", { timeStyle: "short" }).format(ms);
export const exactTime = (ms) => formatter("DateTimeFormat", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" }).format(ms);
export const dayName = (ms) => formatter("DateTimeFormat", { dateStyle: "full" }).format(ms);
export const snowflakeMs = (id) => Number((BigInt(id) >> 22n) + 1420070400000n);

export function shortWhen(ms) {
  const now = new Date();
  const then = new Date(ms);
  return then.toDateString() === now.toDateString() ? clockTime(ms) : dateTime(ms, "s");
}

export function span(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const days = Math.floor(seconds / 86400);
  if (days) return `${days}d ${Math.floor((seconds % 86400) / 3600)}h`;
  const hours = Math.floor(seconds / 3600);
  if (hours) return `${hours}h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}m`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function bytes(size) {
  if (size < 1024) return `${size} B`;
  return size < 1048576 ? `${(size / 1024).toFixed(1)} KB` : `${(size / 1048576).toFixed(1)} MB`;
}

/** An element whose text is kept up to date: `relativeStamp(ms)` or any function of now. */
export function ticking(make, props = {}) {
  const node = h("span", { ...props, "data-ticking": "" }, make());
  node.tick = () => {
    const text = make();
    if (node.textContent !== text) node.textContent = text;
  };
  return node;
}
setInterval(() => {
  for (const node of document.querySelectorAll("[data-ticking]")) node.tick?.();
}, 1000);

export function avatar(who, size = "", { presence = false } = {}) {
  const id = who?.id ?? "0";
  if (who?.bot && id === state.view?.bot_id) {
    return h("span", { class: `avatar of-app ${size}`, "aria-hidden": "true" }, h("img", { src: "/page/icon.svg", alt: "" }));
  }
  const name = who?.display_name ?? who?.global_name ?? who?.username ?? "?";
  const initials = name.split(/[\s_.-]+/).filter(Boolean).slice(0, 2).map((part) => [...part][0].toUpperCase()).join("") || "?";
  const hue = String(hueOf(id));
  const status = presence ? (user(id)?.presence ?? "online") : null;
  return h("span", { class: `avatar ${size}`, style: { "--hue": hue }, "aria-hidden": "true" }, initials,
    status && h("span", { class: `presence ${status}` }));
}

/** Neighbouring ids get colours that are far apart (steps of the golden angle). */
const hueOf = (id) => Math.round(Number((BigInt(id) ^ (BigInt(id) >> 22n)) % 1000n) * 137.508) % 360;

export function guildInitials(name) {
  return name.split(/\s+/).map((word) => [...word][0]).join("").slice(0, 3);
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** Pretty JSON with colours, as text nodes. */
export function json(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "";
  const node = h("pre", { tabindex: "0" });
  if (typeof value === "string") {
    node.textContent = text;
    return node;
  }
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    node.append(text.slice(at, match.index));
    const kind = match[1] ? (match[2] ? "key" : "string") : match[3] ? "word" : "number";
    node.append(h("span", { class: `json-${kind}` }, match[1] ?? match[0]), match[2] ?? "");
    at = match.index + match[0].length;
  }
  node.append(text.slice(at));
  return node;
}
