// Starts the page: who one is, where one is, and what happens when that changes.

import { get, put } from "./api.js";
import { drawHead, openChannel } from "./chat.js";
import { drawComposer } from "./composer.js";
import { h, iconButton, toast } from "./dom.js";
import { loadInspector } from "./inspector.js";
import "./menus.js";
import { openPanel, panelIsOpen, panelState, togglePanel, toggleSidebar } from "./panel.js";
import { drawSidebar } from "./sidebar.js";
import { connect, drawTyping } from "./stream.js";
import { channel, emit, guild, guildOf, loadCommands, loadView, on, setLocale, setMe, state } from "./state.js";

const last = JSON.parse(localStorage.getItem("gatehouse.last") ?? "{}"); // person -> {guild id -> channel id, at: guild id}
const READABLE = new Set([0, 2, 5, 10, 11, 12]);

async function start() {
  const banner = document.getElementById("banner");
  await new Promise((resolve) => {
    connect((online) => {
      banner.hidden = online;
      banner.textContent = online ? "" : "The connection to the sandbox is lost. Trying again…";
      resolve();
    });
  });
  try {
    const world = await get("/world");
    const people = world.users.filter((one) => !one.bot);
    if (!people.some((one) => one.id === state.me)) setMe(people[0].id);
    await loadView();
    if (localStorage.getItem("gatehouse.panel") !== "closed" && !matchMedia("(max-width: 1180px)").matches) openPanel();
    await enter(last[state.me]?.at);
    await loadInspector();
  } catch (problem) {
    document.getElementById("messages").replaceChildren(h("li", { class: "welcome" }, h("h3", {}, "The sandbox does not answer"), h("p", {}, problem.message)));
  }
}

/** Go to a guild (null: direct messages), to where one was there last. */
async function enter(guildId) {
  const known = state.view.guilds.some((one) => one.id === guildId);
  state.guildId = guildId === null ? null : known ? guildId : state.view.guilds[0]?.id ?? null;
  emit("guild");
  const candidates = state.guildId === null ? state.view.dms : guild().channels.filter((one) => READABLE.has(one.type));
  const remembered = last[state.me]?.[state.guildId ?? "dms"];
  const target = candidates.find((one) => one.id === remembered) ?? candidates.find((one) => one.name === "general") ?? candidates[0];
  await show(target?.id ?? null);
}

async function show(channelId, { focus = false } = {}) {
  remember(channelId);
  toggleSidebar(false);
  state.channelId = channelId;
  drawAll({ channelChanged: true });
  if (focus) document.getElementById("composer")?.focus();
  if (channelId) {
    await openChannel(channelId);
    loadCommands();
  } else {
    document.getElementById("messages").replaceChildren();
  }
  drawTyping();
  drawSidebar();
}

function remember(channelId) {
  const mine = (last[state.me] ??= {});
  mine.at = state.guildId;
  if (channelId) mine[state.guildId ?? "dms"] = channelId;
  localStorage.setItem("gatehouse.last", JSON.stringify(last));
}

function drawAll(options) {
  drawSidebar();
  drawTop();
  drawComposer(options);
}

function drawTop() {
  const pressed = (tab) => String(panelIsOpen() && (panelState.tab === "members") === (tab === "members"));
  drawHead({
    menu: iconButton("menu", "Servers and channels", () => toggleSidebar(), { class: "icon-button only-narrow", "data-testid": "open-sidebar" }),
    right: [
      iconButton("users", "Members", () => togglePanel("members"), { "aria-pressed": pressed("members"), "data-testid": "toggle-members" }),
      iconButton("pulse", "Inspector", () => togglePanel("inspector"), { "aria-pressed": pressed("inspector"), "data-testid": "toggle-inspector" }),
    ],
  });
}

on("go", async ({ guildId, channelId }) => {
  try {
    if (channelId) {
      state.guildId = guildOf(channelId)?.id ?? null;
      emit("guild");
      await show(channelId, { focus: true });
    } else {
      await enter(guildId);
    }
  } catch (problem) {
    toast(problem.message);
  }
});

on("act-as", async (id) => {
  setMe(id);
  setLocale("");
  state.messages.clear();
  state.failures.clear();
  state.unread.clear();
  try {
    await loadView();
    const here = channel() && state.guildId !== null;
    if (here) await show(state.channelId);
    else await enter(state.guildId);
  } catch (problem) {
    toast(problem.message);
  }
});

on("open-dm", async () => {
  try {
    await put(`/dms/${state.me}`);
    await loadView();
    await enter(null);
  } catch (problem) {
    toast(problem.message);
  }
});

on("view", () => {
  if (state.channelId && !channel()) {
    enter(state.guildId).catch((problem) => toast(problem.message));
    return;
  }
  drawSidebar();
  drawTop();
});
on("resynced", () => drawAll());
on("panel", drawTop);
on("locale", drawSidebar);

addEventListener("keydown", (event) => {
  if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
  const rows = [...document.querySelectorAll("#channels .channel")];
  const at = rows.findIndex((row) => row.getAttribute("aria-current") === "page");
  const next = rows[at + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) {
    event.preventDefault();
    next.click();
  }
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  (document.getElementById("composer") ?? document.querySelector("#composer-area input, #composer-area button"))?.focus();
});

start();
