// Switches for trouble, load, and starting over.

import { del, get, patch, post } from "./api.js";
import { attempt } from "./chat.js";
import { fill, h, iconButton, toast, uniqueId } from "./dom.js";
import { emit, guild } from "./state.js";

const INTERACTION = [
  ["duplicate_percent", "Deliver twice (% of interactions)"],
  ["duplicate_delay_ms", "… the second one after (ms)"],
  ["lost_answer_percent", "Lose the answer (%)"],
  ["delivery_delay_ms", "Latency before delivery (ms)"],
  ["timestamp_skew_seconds", "Shift the signed timestamp (s)"],
  ["deadline_seconds", "Time for the first response (s)"],
  ["token_life_seconds", "Life of the token (s)"],
  ["bad_signature_probes", "Badly signed checks now and then"],
];
let trouble = null;

export async function loadTrouble() {
  trouble = await get("/trouble");
  emit("trouble");
}

export function drawTrouble(body) {
  if (!trouble) {
    loadTrouble().catch(() => {});
    return;
  }
  if (body.contains(document.activeElement) && ["INPUT", "SELECT"].includes(document.activeElement.tagName)) return;
  const top = body.scrollTop;
  fill(body,
    h("div", { class: "tools" }, h("button", { type: "button", class: "button slim", "data-testid": "trouble-clear", onclick: () => attempt(() => del("/trouble")) }, "Everything off"),
      h("button", { type: "button", class: "button slim danger", "data-testid": "reset-world", onclick: () => attempt(() => post("/reset", {})) }, "Start the world over")),
    h("div", { class: "card" }, h("h3", {}, "Interactions"), INTERACTION.map(([name, label]) => interactionSwitch(name, label)),
      h("div", { class: "acts" }, h("button", { type: "button", class: "button slim", onclick: () => attempt(async () => {
        const { passed } = await post("/application/probe");
        toast(passed ? "The endpoint answered 401, as it must." : "The endpoint failed the check: its URL was removed.");
      }) }, "Send a badly signed check now"))),
    h("div", { class: "card" }, h("h3", {}, "REST and gateway"),
      trouble.switches.length ? trouble.switches.map(activeSwitch) : h("p", { class: "description" }, "All is well."), addForm()),
    loadCard());
  body.scrollTop = top;
}

function interactionSwitch(name, label) {
  const value = trouble.interactions[name];
  const id = uniqueId("switch");
  const change = (next) => attempt(async () => {
    trouble.interactions = await patch("/trouble/interactions", { [name]: next });
  });
  const input = typeof value === "boolean"
    ? h("input", { type: "checkbox", id, checked: value, onchange: (event) => change(event.currentTarget.checked) })
    : h("input", { type: "number", class: "field-input", id, value, "data-testid": `trouble-${name}`, onchange: (event) => change(Number(event.currentTarget.value)) });
  return h("div", { class: "switch-line" }, h("label", { for: id }, label), input);
}

function activeSwitch(one) {
  const about = [one.side === "rest" ? one.route : one.event, one.shard !== undefined && one.shard !== null ? `shard ${one.shard}` : null, `${one.hits} hits`, one.count ? `${one.count} left` : null].filter(Boolean).join(" · ");
  return h("div", { class: "switch-line", style: { "grid-template-columns": "1fr auto" }, "data-testid": "active-trouble" }, h("span", {}, h("b", {}, `${one.side} ${one.kind.replaceAll("_", " ")}`), h("br"), h("small", {}, about)),
    iconButton("close", "Switch off", () => attempt(() => del(`/trouble/${one.id}`)), { class: "icon-button small" }));
}

function addForm() {
  const kinds = [...trouble.kinds.rest.map((kind) => `rest/${kind}`), ...trouble.kinds.gateway.map((kind) => `gateway/${kind}`)];
  const kind = h("select", { class: "field-input", "aria-label": "Kind of trouble", "data-testid": "trouble-kind" }, kinds.map((one) => h("option", { value: one }, one.replaceAll("_", " ").replace("/", ": "))));
  const where = h("input", { class: "field-input", placeholder: "*", "aria-label": "Route or event" });
  const share = h("input", { class: "field-input", type: "number", value: "100", min: "1", max: "100" });
  const seconds = h("input", { class: "field-input", type: "number", value: "30", min: "1" });
  return h("form", { class: "inline-form", onsubmit: (event) => {
    event.preventDefault();
    const [side, name] = kind.value.split("/");
    const pattern = where.value.trim() || "*";
    document.activeElement.blur();
    attempt(() => post(`/trouble/${side}`, { kind: name, share: Number(share.value) / 100, seconds: Number(seconds.value) || null, ...(side === "rest" ? { route: pattern } : { event: pattern }) }));
  } },
  h("label", { class: "wide" }, "Kind", kind), h("label", { class: "wide" }, "Route (DELETE /channels/*) or event (MESSAGE_*)", where),
  h("label", {}, "Share (%)", share), h("label", {}, "For (s)", seconds), h("button", { type: "submit", class: "button slim wide", "data-testid": "trouble-add" }, "Switch on"));
}

function loadCard() {
  const count = h("input", { class: "field-input", type: "number", value: "100", min: "1" });
  const rate = h("input", { class: "field-input", type: "number", value: "20", min: "0" });
  const newcomers = h("input", { class: "field-input", type: "number", value: "20", min: "1" });
  return h("div", { class: "card" }, h("h3", {}, "Load"),
    h("form", { class: "inline-form", onsubmit: (event) => { event.preventDefault(); document.activeElement.blur(); attempt(() => post("/load", { messages: Number(count.value), per_second: Number(rate.value) })); } },
      h("label", {}, "Messages", count), h("label", {}, "A second", rate), h("button", { type: "submit", class: "button slim wide" }, "Let people write")),
    h("form", { class: "inline-form", onsubmit: (event) => { event.preventDefault(); document.activeElement.blur(); if (guild()) attempt(() => post(`/guilds/${guild().id}/join-burst`, { count: Number(newcomers.value), per_second: 20 })); } },
      h("label", { class: "wide" }, "New accounts", newcomers), h("button", { type: "submit", class: "button slim wide" }, "Let them join this server")));
}
