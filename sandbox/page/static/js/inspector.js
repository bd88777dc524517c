// Behind the chat: signed requests, REST calls, gateway sessions, the audit log.

import { get, post } from "./api.js";
import { attempt } from "./chat.js";
import { fill, h } from "./dom.js";
import { clockTime, exactTime, json, relative, snowflakeMs, ticking } from "./format.js";
import { emit, guild, nameOf, on, state, user } from "./state.js";

const KEPT = 300;
const exchanges = new Map();
const calls = new Map();
const openEntries = new Set();
const filters = { requests: "", rest: "" };
let gateway = null;
let audit = { guildId: null, entries: [] };

export async function loadInspector() {
  const [requests, rest] = await Promise.all([get("/exchanges?limit=200"), get("/rest?limit=200"), loadGateway()]);
  for (const one of requests) exchanges.set(one.number, one);
  for (const one of rest.calls) calls.set(one.id, one);
  emit("exchanges");
  emit("rest");
}

export function clearInspector() {
  exchanges.clear();
  calls.clear();
}

export function addExchange(one) {
  exchanges.set(one.number, one);
  if (exchanges.size > KEPT) exchanges.delete(exchanges.keys().next().value);
}

export function addCall(one) {
  calls.set(one.id, one);
  if (calls.size > KEPT) calls.delete(calls.keys().next().value);
}

export async function loadGateway() {
  gateway = await get("/gateway");
  emit("gateway");
}

let auditTimer = null;
export function loadAuditSoon() {
  auditTimer ??= setTimeout(async () => {
    auditTimer = null;
    await loadAudit().catch(() => {});
  }, 200);
}

async function loadAudit() {
  const id = state.guildId;
  audit = { guildId: id, entries: id ? await get(`/guilds/${id}/audit-log?limit=100`) : [] };
  emit("audit");
}

// -- shared parts

function entry(key, summary, detail) {
  const node = h("details", { class: "entry", "data-testid": "entry", "data-key": key }, h("summary", {}, summary));
  const openIt = () => { if (!node.querySelector(".detail")) node.append(h("div", { class: "detail" }, detail())); };
  node.open = openEntries.has(key);
  if (node.open) openIt();
  node.addEventListener("toggle", () => {
    if (node.open) { openEntries.add(key); openIt(); } else openEntries.delete(key);
  });
  return node;
}

function status(code, extra = "") {
  const kind = code === null || code === undefined ? "" : code < 300 ? "good" : code < 500 && code !== 429 ? "warn" : "bad";
  return h("span", { class: `status ${extra || kind}` }, code ?? "—");
}

const part = (title, content) => content !== null && content !== undefined && content !== "" && [h("h4", {}, title), content];

function filterBox(name, body, draw, placeholder) {
  return h("div", { class: "tools" }, h("input", {
    class: "field-input", type: "search", placeholder, "aria-label": placeholder, value: filters[name], "data-testid": `filter-${name}`,
    oninput: (event) => { filters[name] = event.currentTarget.value; draw(body); body.querySelector("input").focus(); },
  }));
}

/** Redraw without losing the place: the filter keeps its focus, the list its scroll position. */
function keepPlace(body, draw) {
  const top = body.scrollTop;
  const inFilter = body.contains(document.activeElement) && document.activeElement.tagName === "INPUT";
  const caret = inFilter ? document.activeElement.selectionStart : null;
  const focusedKey = body.contains(document.activeElement) ? document.activeElement.closest(".entry")?.dataset.key : null;
  draw();
  body.scrollTop = top;
  if (inFilter) {
    const input = body.querySelector("input");
    input?.focus();
    if (caret !== null && input?.setSelectionRange) input.setSelectionRange(caret, caret);
  } else if (focusedKey) {
    body.querySelector(`[data-key="${CSS.escape(focusedKey)}"] > summary`)?.focus({ preventScroll: true });
  }
}

// -- signed requests

const VERDICT = { answered: "good", ok: "good", failed: "bad", refused: "bad", ignored: "warn", pending: "" };
const KINDS = { ping: "PING", probe: "check", interaction: "", duplicate: "duplicate", gateway: "gateway", "webhook-event": "event" };

export function drawRequests(body) {
  const words = filters.requests.toLowerCase();
  const found = [...exchanges.values()].reverse().filter((one) => !words || `${one.summary} ${one.kind} ${one.verdict} ${one.status} ${user(one.user_id)?.username ?? ""}`.toLowerCase().includes(words));
  keepPlace(body, () => fill(body,
    !state.view.endpoint && h("div", { class: "notice" }, state.view.notice ?? "No interactions endpoint URL is saved: interactions go to the gateway."),
    filterBox("requests", body, drawRequests, "Filter requests…"),
    found.length ? found.map(requestEntry) : h("p", { class: "empty-state" }, "Run a command, press a button: every signed request and its answer shows here.")));
}

function requestEntry(one) {
  const who = one.user_id ? nameOf(one.user_id) : "Discord";
  const kind = KINDS[one.kind] ?? one.kind;
  return entry(`x${one.number}`, [
    status(one.status, VERDICT[one.verdict]),
    h("span", { class: "what" }, kind && h("span", { class: "ms" }, `${kind} `), one.summary),
    h("span", { class: "ms" }, one.elapsed_ms === null ? "…" : `${one.elapsed_ms.toFixed(1)} ms`),
    h("span", { class: "when" }, h("span", {}, who), h("span", { class: "grow" }, one.problems[0] ?? responseName(one)), h("time", {}, clockTime(one.at))),
  ], () => [
    one.problems.length > 0 && [h("h4", {}, "Problems"), h("ul", { class: "problems" }, one.problems.map((text) => h("li", {}, text)))],
    part("Sent at", exactTime(one.at)),
    part("To", one.url),
    Object.keys(one.request_headers).length > 0 && part("Headers", json(one.request_headers)),
    part("Request", json(one.request)),
    part("Answer", one.response === null || one.response === "" ? "empty" : json(one.response)),
  ]);
}

const RESPONSES = { 1: "pong", 4: "message", 5: "deferred message", 6: "deferred update", 7: "update message", 8: "choices", 9: "modal" };
const responseName = (one) => (typeof one.response === "object" && one.response ? RESPONSES[one.response.type] ?? "" : "");

// -- REST

export function drawRest(body) {
  const words = filters.rest.toLowerCase();
  const found = [...calls.values()].reverse().filter((one) => !words || `${one.method} ${one.route} ${one.status} ${one.reason ?? ""}`.toLowerCase().includes(words));
  keepPlace(body, () => fill(body, filterBox("rest", body, drawRest, "Filter REST calls…"),
    found.length ? found.map(callEntry) : h("p", { class: "empty-state" }, "No REST call yet.")));
}

function callEntry(one) {
  const bucket = one.bucket;
  const left = bucket["X-RateLimit-Remaining"];
  return entry(`r${one.id}`, [
    status(one.status),
    h("span", { class: "what", title: one.path }, h("code", {}, `${one.method} ${one.route.replaceAll("_id}", "}")}`)),
    h("span", { class: "ms" }, `${(one.seconds * 1000).toFixed(1)} ms`),
    h("span", { class: "when" }, h("span", { class: "grow" }, one.reason ? `“${one.reason}”` : one.trouble.length ? `trouble: ${one.trouble.join(", ")}` : one.identity),
      left !== undefined && h("span", { title: `Bucket ${bucket["X-RateLimit-Bucket"]}` }, `${left}/${bucket["X-RateLimit-Limit"]} left`), h("time", {}, clockTime(one.at_ms))),
  ], () => [
    part("Path", one.path), part("At", exactTime(one.at_ms)), part("Audit-log reason", one.reason),
    Object.keys(bucket).length > 0 && part("Limits", json(bucket)),
    Object.keys(one.query).length > 0 && part("Query", json(one.query)),
    one.request !== null && part("Request", json(one.request)),
    one.files.length > 0 && part("Files", one.files.join(", ")),
    part("Answer", one.response === null ? "empty" : json(one.response)),
  ]);
}

// -- gateway

const GATEWAY_ACTS = [["drop", "Drop"], ["reconnect", "Reconnect"], ["zombie", "Zombie"], ["invalid_session", "Invalidate"]];

export function drawGateway(body) {
  if (!gateway) return;
  const { sessions, counts, notes, session_start_limit: limit } = gateway;
  keepPlace(body, () => fill(body,
    sessions.length ? sessions.map(sessionCard) : h("p", { class: "empty-state" }, "No gateway session. The ingester has not identified yet."),
    h("div", { class: "card" }, h("h3", {}, "Starts and counters"), h("dl", {},
      h("dt", {}, "Identifies left today"), h("dd", {}, `${limit.remaining} of ${limit.total}`), h("dt", {}, "max_concurrency"), h("dd", {}, limit.max_concurrency),
      Object.entries(counts).map(([name, count]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, count)]))),
    h("h3", { class: "member-group" }, "What happened"),
    [...notes].reverse().slice(0, 80).map((note, index) => h("div", { class: "entry" }, h("div", { class: "switch-line", style: { padding: "5px 10px" } },
      h("span", {}, h("b", {}, note.what), note.code ? ` ${note.code}` : "", note.shard === null ? "" : ` · shard ${note.shard}`), h("span", { class: "ms", style: { "text-align": "right" } }, clockTime(note.at_ms)))))));
}

function sessionCard(one) {
  const state_ = one.zombie ? "zombie" : one.connected ? "connected" : "waiting to resume";
  return h("div", { class: "card", "data-testid": "session" },
    h("h3", {}, `Shard ${one.shard} of ${one.shard_count}`, h("span", { class: "grow" }), h("span", { class: `status ${one.zombie ? "bad" : one.connected ? "good" : "warn"}` }, state_)),
    h("dl", {},
      h("dt", {}, "Sequence"), h("dd", {}, one.seq), h("dt", {}, "Guilds"), h("dd", {}, one.guilds), h("dt", {}, "Resumes"), h("dd", {}, one.resumes),
      h("dt", {}, "Heartbeat"), h("dd", {}, one.last_heartbeat_ms ? ticking(() => relative(one.last_heartbeat_ms)) : "none yet"),
      h("dt", {}, "Client"), h("dd", {}, [one.client, one.compress].filter(Boolean).join(" · ") || "—"),
      h("dt", {}, "Intents"), h("dd", {}, one.intent_names.join(", "))),
    h("div", { class: "acts" }, GATEWAY_ACTS.map(([action, label]) => h("button", { type: "button", class: "button slim",
      onclick: () => attempt(() => post("/gateway/actions", { action, shard: one.shard, resumable: false })) }, label))));
}

// -- audit log

const ACTIONS = { 1: "changed the server", 10: "made a channel", 11: "changed a channel", 12: "deleted a channel", 13: "set an exception", 14: "changed an exception", 15: "removed an exception", 20: "kicked", 22: "banned", 23: "unbanned", 24: "changed", 25: "changed the roles of", 28: "added", 30: "made a role", 31: "changed a role", 32: "deleted a role", 72: "deleted messages by", 73: "bulk-deleted in", 74: "pinned a message by", 75: "unpinned a message by", 110: "started a thread" };

export function describeAudit(one) {
  const until = one.changes?.find((change) => change.key === "communication_disabled_until");
  if (one.action_type === 24 && until) return until.new_value ? "timed out" : "lifted the timeout of";
  return ACTIONS[one.action_type] ?? `did ${one.action_type} to`;
}

export function drawAudit(body) {
  if (audit.guildId !== state.guildId) {
    loadAuditSoon();
    fill(body, h("p", { class: "empty-state" }, state.guildId ? "Reading…" : "Direct messages have no audit log."));
    return;
  }
  const target = (one) => one.target ?? guild()?.channels.find((c) => c.id === one.target_id)?.name ?? guild()?.roles.find((r) => r.id === one.target_id)?.name ?? one.target_id ?? "";
  keepPlace(body, () => fill(body, audit.entries.length ? audit.entries.map((one) => entry(`a${one.id}`, [
    status(one.action_type, " "),
    h("span", { class: "what" }, one.user ?? "somebody", " ", h("span", { style: { "font-weight": "400" } }, describeAudit(one)), " ", target(one)),
    h("span", { class: "ms" }, one.options?.count ? `× ${one.options.count}` : ""),
    h("span", { class: "when" }, h("span", { class: "grow" }, one.reason ?? ""), h("time", {}, clockTime(snowflakeMs(one.id)))),
  ], () => [part("Reason", one.reason), part("Entry", json(one))])) : h("p", { class: "empty-state" }, "Nothing has been moderated here yet.")));
}

on("guild", () => loadAuditSoon());
