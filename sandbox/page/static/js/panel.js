// The right side: its tabs, and opening and closing it.

import { fill, h, iconButton, rove } from "./dom.js";
import { emit, on, state } from "./state.js";
import { drawMembers } from "./members.js";
import { drawAudit, drawGateway, drawRequests, drawRest } from "./inspector.js";
import { drawTrouble } from "./trouble.js";

const TABS = [
  ["members", "Members", drawMembers],
  ["requests", "Requests", drawRequests],
  ["rest", "REST", drawRest],
  ["gateway", "Gateway", drawGateway],
  ["audit", "Audit", drawAudit],
  ["trouble", "Trouble", drawTrouble],
];
const app = document.getElementById("app");
const panel = document.getElementById("panel");
const scrim = document.getElementById("scrim");
const narrow = matchMedia("(max-width: 1180px)");
const phone = matchMedia("(max-width: 760px)");

const tablist = h("div", { class: "tabs", role: "tablist", "aria-label": "Members and inspector" });
const body = h("div", { class: "tab-body", role: "tabpanel", tabindex: "-1", id: "tab-body" });
panel.append(tablist, body);
rove(tablist, ".tab", { horizontal: true });

export const panelState = { tab: localStorage.getItem("gatehouse.tab") || "members" };
export const panelIsOpen = () => app.dataset.panel === "open";

export function openPanel(tab = panelState.tab) {
  panelState.tab = tab;
  localStorage.setItem("gatehouse.tab", tab);
  localStorage.setItem("gatehouse.panel", "open");
  app.dataset.panel = "open";
  shade();
  drawTabs();
  redraw();
  emit("panel");
}

export function closePanel() {
  app.dataset.panel = "closed";
  localStorage.setItem("gatehouse.panel", "closed");
  shade();
  emit("panel");
}

export function togglePanel(tab) {
  const members = tab === "members";
  if (panelIsOpen() && (panelState.tab === "members") === members) closePanel();
  else openPanel(members ? "members" : panelState.tab === "members" ? localStorage.getItem("gatehouse.inspector") || "requests" : panelState.tab);
}

export function toggleSidebar(open = app.dataset.sidebar !== "open") {
  app.dataset.sidebar = open ? "open" : "closed";
  shade();
}

function shade() {
  scrim.hidden = !((panelIsOpen() && narrow.matches) || (app.dataset.sidebar === "open" && phone.matches));
}
scrim.addEventListener("click", () => {
  if (app.dataset.sidebar === "open") toggleSidebar(false);
  else closePanel();
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !scrim.hidden) scrim.click();
});
narrow.addEventListener("change", () => {
  if (narrow.matches) app.dataset.panel = "closed"; // it would cover the chat
  shade();
  if (panelIsOpen()) drawTabs();
  emit("panel");
});
phone.addEventListener("change", shade);

function drawTabs() {
  fill(tablist, TABS.map(([id, label]) => h("button", {
    type: "button", class: "tab", role: "tab", id: `tab-${id}`, "aria-selected": String(id === panelState.tab), "aria-controls": "tab-body", tabindex: id === panelState.tab ? "0" : "-1", "data-testid": `tab-${id}`,
    onclick: () => {
      if (id !== "members") localStorage.setItem("gatehouse.inspector", id);
      openPanel(id);
      document.getElementById(`tab-${id}`).focus();
    },
  }, label)), narrow.matches && iconButton("close", "Close", closePanel, { class: "icon-button small" }));
  body.setAttribute("aria-labelledby", `tab-${panelState.tab}`);
}

let scheduled = false;
/** Draw the open tab again, at most once per frame. */
export function redraw(...tabs) {
  if (!state.view || !panelIsOpen() || (tabs.length && !tabs.includes(panelState.tab)) || scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    const draw = TABS.find(([id]) => id === panelState.tab)?.[2];
    draw?.(body);
  });
}

on("view", () => redraw("members", "audit"));
on("guild", () => redraw("members", "audit"));
on("exchanges", () => redraw("requests"));
on("rest", () => redraw("rest"));
on("gateway", () => redraw("gateway"));
on("audit", () => redraw("audit"));
on("trouble", () => redraw("trouble"));
