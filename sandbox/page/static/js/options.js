// One option of a command: an input of its type, with choices, autocompletion and checks.

import { readFile } from "./api.js";
import { append, fill, h, iconButton, uniqueId } from "./dom.js";
import { channels, mentionables, people, roles } from "./entities.js";

const STRING = 3;
const INTEGER = 4;
const BOOLEAN = 5;
const NUMBER = 10;
const ATTACHMENT = 11;
const LISTS = { 6: people, 8: roles, 9: mentionables };
const HINTS = { 3: "text", 4: "whole number", 5: "true or false", 6: "person", 7: "channel", 8: "role", 9: "person or role", 10: "number", 11: "file" };
const TYPING_PAUSE_MS = 160;

export function optionField(option, { label, description, localName, ask, remove }) {
  const id = uniqueId("option");
  const problem = h("div", { class: "problem", id: `${id}-problem`, role: "alert" });
  const control = option.type === ATTACHMENT ? fileControl(option, id) : textControl(option, id, ask, localName);
  const node = h("div", { class: "option", "data-testid": "option", "data-name": option.name },
    h("label", { for: id }, label, option.required && h("span", { class: "required", "aria-hidden": "true" }, "*"), h("span", { class: "hint", title: description }, description)),
    h("div", { class: "with-remove" }, control.node, remove && iconButton("close", `Remove ${label}`, remove, { class: "icon-button small" })), problem);
  const complain = (text) => {
    problem.textContent = text;
    control.input.setAttribute("aria-invalid", String(Boolean(text)));
  };
  return {
    node,
    required: option.required,
    typed: control.typed,
    value: control.value,
    focus: () => control.input.focus(),
    complain,
    check() {
      const text = control.problem();
      complain(text);
      return !text;
    },
  };
}

function fileControl(option, id) {
  const accept = (option.file_types ?? []).map((one) => (one.startsWith(".") ? one : `${one}/*`)).join(",");
  const input = h("input", { id, type: "file", class: "field-input", accept: accept || null, "data-testid": "option-input" });
  return {
    node: input, input,
    typed: () => null,
    value: async () => (input.files[0] ? readFile(input.files[0]) : null),
    problem: () => (option.required && !input.files.length ? "Please choose a file." : ""),
  };
}

function textControl(option, id, ask, localName) {
  const fixed = option.choices?.map((one) => ({ value: one.value, label: localName(one) }))
    ?? (option.type === BOOLEAN ? [{ value: true, label: "True" }, { value: false, label: "False" }] : null)
    ?? (option.type === 7 ? channels(option.channel_types) : LISTS[option.type]?.());
  const strict = Boolean(fixed);
  const input = h("input", {
    id, type: "text", class: "field-input", placeholder: HINTS[option.type], autocomplete: "off", "aria-describedby": `${id}-problem`,
    inputmode: option.type === INTEGER ? "numeric" : option.type === NUMBER ? "decimal" : null, maxlength: option.type === STRING ? option.max_length ?? 6000 : null,
    "data-testid": "option-input", ...(strict || ask ? { role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list" } : {}),
  });
  let picked = null;
  const control = {
    node: input, input,
    typed() {
      if (picked && picked.label === input.value) return picked.value;
      if (strict) return matching(fixed, input.value)?.value ?? null;
      const text = input.value;
      if (text === "" || option.type === STRING) return text;
      const number = Number(text.replace(",", "."));
      return Number.isNaN(number) ? text : number;
    },
    value: async () => control.typed(),
    problem() {
      if (!input.value) return option.required ? "is required" : "";
      const value = control.typed();
      if (strict && value === null) return "choose one from the list";
      return picked ? "" : outOfBounds(option, value);
    },
  };
  if (strict || ask) dropDown(input, { fixed, ask, pick: (one) => { picked = one; input.value = one.label; } });
  input.addEventListener("input", () => { picked = null; });
  return control;
}

const matching = (choices, text) => choices.find((one) => one.label.toLowerCase() === text.trim().toLowerCase() || one.about?.toLowerCase() === `@${text.trim().replace(/^@/, "").toLowerCase()}`);

function outOfBounds(option, value) {
  if (option.type === STRING) {
    const least = option.min_length ?? 0;
    return value.length < least ? `at least ${least} characters` : "";
  }
  if (option.type !== INTEGER && option.type !== NUMBER) return "";
  if (typeof value !== "number") return "must be a number";
  if (option.type === INTEGER && !Number.isSafeInteger(value)) return "must be a whole number";
  if (option.min_value !== undefined && value < option.min_value) return `at least ${option.min_value}`;
  if (option.max_value !== undefined && value > option.max_value) return `at most ${option.max_value}`;
  return "";
}

/** The list under an input. The focus stays in the input. */
function dropDown(input, { fixed, ask, pick }) {
  const listId = uniqueId("list");
  const list = h("div", { class: "popup", role: "listbox", id: listId, "data-testid": "option-choices" });
  let items = [];
  let active = 0;
  let timer = null;
  let asked = 0;

  const draw = (note = "Nothing found") => {
    active = Math.max(0, Math.min(active, items.length - 1));
    fill(list, items.map((one, index) => h("div", { class: "choice", role: "option", id: `${listId}-${index}`, "data-testid": "option-choice",
      onpointerdown: (event) => { event.preventDefault(); take(index); }, onpointermove: () => { active = index; mark(); } },
    one.lead?.cloneNode(true), h("div", { class: "main" }, one.label, one.about && h("small", {}, one.about)))));
    if (!items.length) append(list, h("div", { class: "heading" }, note));
    mark();
  };
  const mark = () => {
    [...list.querySelectorAll(".choice")].forEach((row, index) => {
      row.classList.toggle("active", index === active);
      row.setAttribute("aria-selected", String(index === active));
    });
    input.setAttribute("aria-activedescendant", items.length ? `${listId}-${active}` : "");
    list.querySelector(".active")?.scrollIntoView({ block: "nearest" });
  };
  const place = () => {
    if (!list.isConnected) (input.closest("dialog") ?? document.body).append(list);
    const box = input.getBoundingClientRect();
    list.style.left = `${Math.max(8, Math.min(box.left, innerWidth - 308))}px`;
    list.style.width = `${Math.max(240, Math.min(box.width, 340))}px`;
    const height = Math.min(list.scrollHeight + 2, 300);
    list.style.maxHeight = "300px";
    const above = (input.closest(".option") ?? input).getBoundingClientRect().top;
    list.style.top = above > height + 16 ? `${above - height - 4}px` : `${box.bottom + 6}px`;
    input.setAttribute("aria-expanded", "true");
    input.setAttribute("aria-controls", listId);
  };
  const show = (note) => { draw(note); place(); };
  const hide = () => {
    list.remove();
    clearTimeout(timer);
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const take = (index) => {
    pick(items[index]);
    hide();
    input.dispatchEvent(new CustomEvent("picked"));
  };
  const refresh = () => {
    if (fixed) {
      const words = input.value.trim().toLowerCase().replace(/^[@#]/, "");
      items = fixed.filter((one) => `${one.label} ${one.about ?? ""}`.toLowerCase().includes(words)).slice(0, 25);
      show();
      return;
    }
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const mine = ++asked;
      try {
        const found = await ask();
        if (mine !== asked || document.activeElement !== input) return;
        items = found.map((one) => ({ value: one.value, label: one.name }));
        show("No suggestions");
      } catch {
        items = [];
        if (mine === asked) show("Loading options failed");
      }
    }, TYPING_PAUSE_MS);
  };
  input.addEventListener("focus", refresh);
  input.addEventListener("click", () => { if (!list.isConnected) refresh(); });
  input.addEventListener("input", () => { active = 0; refresh(); });
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    if (!list.isConnected) {
      if (event.key === "ArrowDown") { event.preventDefault(); refresh(); }
      return;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      active = (active + (event.key === "ArrowDown" ? 1 : items.length - 1)) % Math.max(1, items.length);
      mark();
    } else if (event.key === "Enter" && items.length) {
      event.preventDefault();
      take(active);
    } else if (event.key === "Tab" && items.length && input.value) {
      take(active);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      hide();
    }
  });
}

