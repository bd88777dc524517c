// Things that hang on a control: menus and lists to choose from. One is open at a time.

import { append, fill, h, icon, rove, uniqueId } from "./dom.js";

let open = null;

export function closePopup({ refocus = true } = {}) {
  if (!open) return;
  const { node, anchor, back, onclose } = open;
  open = null;
  node.remove();
  anchor?.setAttribute("aria-expanded", "false");
  onclose?.();
  const target = typeof back === "function" ? back() : back;
  if (refocus && target?.isConnected) target.focus({ preventScroll: true });
}

export const popupIsOpen = () => open !== null;

/** Show `node` beside `anchor` (an element, or {x, y}). */
export function showPopup(node, anchor, { onclose, refocusTo } = {}) {
  closePopup({ refocus: false });
  const host = anchor instanceof Element ? anchor.closest("dialog") ?? document.body : document.body;
  host.append(node);
  place(node, anchor);
  const control = anchor instanceof Element ? anchor : null;
  open = { node, anchor: control, back: refocusTo ?? control, onclose };
  if (anchor instanceof Element) anchor.setAttribute("aria-expanded", "true");
  node.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      closePopup();
    } else if (event.key === "Tab") {
      event.preventDefault();
      closePopup();
    }
  });
}

function place(node, anchor) {
  const box = anchor instanceof Element ? anchor.getBoundingClientRect()
    : { left: anchor.x, right: anchor.x, top: anchor.y, bottom: anchor.y, width: 0 };
  const { offsetWidth: width, offsetHeight: height } = node;
  const below = box.bottom + 6 + height <= innerHeight - 8;
  const top = below ? box.bottom + 6 : Math.max(8, box.top - height - 6);
  const left = Math.max(8, Math.min(box.left, innerWidth - width - 8));
  node.style.top = `${top}px`;
  node.style.left = `${left}px`;
}

addEventListener("pointerdown", (event) => {
  if (open && !open.node.contains(event.target) && !open.anchor?.contains(event.target)) closePopup({ refocus: false });
});
addEventListener("resize", () => closePopup({ refocus: false }));

/** items: {label, icon?, hint?, danger?, act} | "line" | {heading} */
export function menu(anchor, label, items, options = {}) {
  const node = h("div", { class: "popup", role: "menu", "aria-label": label, "data-testid": "menu" });
  for (const item of items.filter(Boolean)) {
    if (item === "line") append(node, h("hr"));
    else if (item.heading) append(node, h("div", { class: "heading" }, item.heading));
    else {
      append(node, h("button", {
        type: "button", role: "menuitem", tabindex: "-1", class: `menu-item ${item.danger ? "danger" : ""}`,
        onclick: () => { closePopup({ refocus: !item.keepFocus }); item.act(); },
      }, item.icon && icon(item.icon, "small"), item.label, item.hint && h("small", {}, item.hint)));
    }
  }
  rove(node, ".menu-item");
  showPopup(node, anchor, options);
  node.querySelector(".menu-item")?.focus();
}

/**
 * A list to choose from, with a filter for long ones.
 * choices: {value, label, about?, lead?, disabled?}[], or an async function of the typed text that returns them.
 * Single choice (max 1) ends at once; several end with Done, Escape keeps nothing.
 */
export function choose(anchor, { label, choices, chosen = [], min = 1, max = 1, filter, ondone }) {
  const picked = new Set(chosen);
  const listId = uniqueId("choices");
  const list = h("div", { role: "listbox", id: listId, "aria-label": label, "aria-multiselectable": String(max > 1) });
  const wantsFilter = filter ?? choices.length > 8;
  const input = h("input", {
    class: `field-input ${wantsFilter ? "" : "sr-only"}`, placeholder: "Search…", role: "combobox", "aria-label": `Search ${label}`,
    "aria-controls": listId, "aria-expanded": "true", autocomplete: "off", "data-testid": "choice-filter",
  });
  const count = h("span", {});
  const done = h("button", { type: "button", class: "button primary slim", "data-testid": "choice-done", onclick: finish }, "Done");
  const foot = h("div", { class: "foot" }, count, done);
  const many = max > 1 || min === 0;
  const node = h("div", { class: "popup", "data-testid": "choices" }, h("div", { class: wantsFilter ? "filter" : "" }, input), list, many && foot);
  let shown = [];
  let active = 0;

  function draw() {
    const words = input.value.trim().toLowerCase();
    shown = choices.filter((one) => !words || `${one.label} ${one.about ?? ""} ${one.search ?? ""}`.toLowerCase().includes(words)).slice(0, 100);
    active = Math.max(0, Math.min(active, shown.length - 1));
    fill(list, shown.map((one, index) => h("div", {
      class: `choice ${index === active ? "active" : ""} ${one.disabled ? "disabled" : ""}`, role: "option", id: `${listId}-${index}`,
      "aria-selected": String(picked.has(one.value)), "data-testid": "choice", "data-value": one.value,
      onpointermove: () => { if (active !== index) { active = index; mark(); } },
      onclick: () => take(one),
    }, one.lead ?? null, h("div", { class: "main" }, one.label, one.about && h("small", {}, one.about)), icon("check", "small tick"))));
    if (!shown.length) append(list, h("div", { class: "heading" }, "Nothing found"));
    mark();
  }
  function mark() {
    [...list.querySelectorAll(".choice")].forEach((row, index) => row.classList.toggle("active", index === active));
    input.setAttribute("aria-activedescendant", shown.length ? `${listId}-${active}` : "");
    list.querySelector(".active")?.scrollIntoView({ block: "nearest" });
    count.textContent = max > 1 ? `${picked.size} of up to ${max}` : "";
    done.disabled = picked.size < min || picked.size > max;
  }
  function take(one) {
    if (one.disabled) return;
    if (!many) {
      picked.clear();
      picked.add(one.value);
      finish();
      return;
    }
    if (picked.has(one.value)) picked.delete(one.value);
    else if (picked.size < max) picked.add(one.value);
    else if (max === 1) { picked.clear(); picked.add(one.value); }
    draw();
  }
  function finish() {
    const values = choices.filter((one) => picked.has(one.value)).map((one) => one.value);
    closePopup();
    ondone(values);
  }
  input.addEventListener("input", () => { active = 0; draw(); });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      active = (active + step + shown.length) % Math.max(1, shown.length);
      mark();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && many) {
      event.preventDefault();
      if (!done.disabled) finish();
    } else if (event.key === "Enter" || (event.key === " " && !wantsFilter)) {
      event.preventDefault();
      event.stopPropagation();
      if (shown[active]) take(shown[active]);
    } else if (event.key === "Tab" && many) {
      event.preventDefault();
      event.stopPropagation();
      done.focus();
    }
  });
  draw();
  showPopup(node, anchor);
  draw();
  input.focus();
}
