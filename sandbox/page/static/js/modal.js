// Modals: every leaf type, presets, limits, and errors that keep what was typed.

import { readFile } from "./api.js";
import { append, fill, h, icon, iconButton, uniqueId } from "./dom.js";
import { preset, selectChoices } from "./entities.js";
import { bytes } from "./format.js";
import { markdown } from "./markdown.js";
import { choose } from "./popup.js";

const PROMPTS = { 3: "Make a selection", 5: "Choose people", 6: "Choose roles", 7: "Choose people or roles", 8: "Choose channels" };

/** `send(values)` resolves to null (done) or {message, problems}. */
export function openModal(modal, send) {
  const before = document.activeElement;
  const fields = [];
  const problem = h("div", { class: "problem", role: "alert", "data-testid": "modal-problem" });
  const submit = h("button", { type: "submit", class: "button primary", "data-testid": "modal-submit" }, "Submit");
  const titleId = uniqueId("modal");
  const dialog = h("dialog", { "aria-labelledby": titleId, "data-testid": "modal", "data-custom-id": modal.custom_id });
  const close = () => dialog.close();
  const form = h("form", { novalidate: true, method: "dialog" },
    h("header", {}, h("h2", { id: titleId }, modal.title), iconButton("close", "Close", close)),
    h("div", { class: "fields" }, modal.components.map((one) => top(one, fields))),
    h("footer", {}, problem, h("button", { type: "button", class: "button quiet", onclick: close }, "Cancel"), submit));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    const bad = fields.filter((field) => !field.check());
    if (bad.length) {
      bad[0].focus();
      return;
    }
    submit.disabled = true;
    fill(submit, h("span", { class: "spinner" }), "Sending…");
    const values = Object.fromEntries(await Promise.all(fields.map(async (field) => [field.customId, await field.value()])));
    const refused = await send(values);
    submit.disabled = false;
    fill(submit, "Submit");
    if (!refused) {
      close();
      return;
    }
    problem.textContent = refused.message;
    if (refused.reason) problem.title = refused.reason;
    for (const field of fields) field.complain(refused.problems?.[field.customId] ?? "");
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus({ preventScroll: true });
    else document.getElementById("composer")?.focus();
  });
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  (fields[0] ?? { focus: () => submit.focus() }).focus();
}

function top(one, fields) {
  if (one.type === 10) return markdown(one.content);
  if (one.type === 18) return labelled(one.label, one.description, one.component, fields);
  return one.components.map((child) => labelled(child.label, null, child, fields));
}

function labelled(label, description, leaf, fields) {
  const required = leaf.type !== 23 && leaf.required !== false;
  const id = uniqueId("field");
  const problem = h("div", { class: "problem", id: `${id}-problem`, role: "alert" });
  const grouped = [21, 22].includes(leaf.type);
  const describedBy = `${id}-about ${id}-problem`;
  const control = CONTROLS[leaf.type](leaf, { id, describedBy, required, label });
  const field = {
    customId: leaf.custom_id,
    value: control.value,
    focus: control.focus,
    complain(text) {
      problem.textContent = text;
      control.mark?.(Boolean(text));
    },
    check() {
      const text = control.problem(required);
      field.complain(text);
      return !text;
    },
  };
  fields.push(field);
  const mark = required && h("span", { class: "required", "aria-hidden": "true" }, " *");
  return h(grouped ? "fieldset" : "div", { class: "form-field", "data-testid": "modal-field", "data-custom-id": leaf.custom_id },
    grouped ? h("legend", {}, label, mark) : h("label", { class: "label", for: id, id: `${id}-label` }, label, mark),
    description && h("div", { class: "description", id: `${id}-about` }, description), control.node, problem);
}

function textInput(leaf, { id, describedBy, required }) {
  const most = leaf.max_length ?? 4000;
  const least = leaf.min_length ?? 0;
  const input = h(leaf.style === 2 ? "textarea" : "input", {
    id, class: "field-input", placeholder: leaf.placeholder, "aria-describedby": describedBy, "aria-required": String(required), value: leaf.value ?? "",
    ...(leaf.style === 2 ? { rows: 4 } : { type: "text" }), autocomplete: "off", "data-testid": "modal-input",
  });
  const count = h("div", { class: "count", "aria-hidden": "true" });
  const update = () => {
    const length = [...input.value].length;
    count.textContent = leaf.max_length || length > 3000 ? `${length} / ${most}` : "";
    count.classList.toggle("over", length > most);
  };
  input.addEventListener("input", update);
  update();
  return {
    node: h("div", {}, input, count),
    value: async () => input.value,
    focus: () => input.focus(),
    mark: (bad) => input.setAttribute("aria-invalid", String(bad)),
    problem(must) {
      if (!input.value) return must ? "Please fill this in." : "";
      if (input.value.length < least) return `At least ${least} characters, please.`;
      return input.value.length > most ? `At most ${most} characters, please.` : "";
    },
  };
}

function select(leaf, { id, describedBy }) {
  let chosen = preset(leaf);
  const choices = selectChoices(leaf);
  const optional = leaf.required === false;
  const min = optional ? 0 : Math.max(1, leaf.min_values ?? 1);
  const max = leaf.max_values ?? 1;
  const text = h("span", { class: "value" });
  const button = h("button", { type: "button", id, class: "c-select", "aria-haspopup": "listbox", "aria-expanded": "false", "aria-describedby": describedBy,
    "aria-labelledby": `${id}-label ${id}`, "data-testid": "modal-select",
    onclick: () => choose(button, { label: leaf.placeholder || PROMPTS[leaf.type], choices, chosen, min, max, filter: leaf.type !== 3 || undefined,
      ondone: (values) => { chosen = values; update(); } }) }, text, icon("down", "small"));
  const update = () => {
    const names = choices.filter((one) => chosen.includes(one.value)).map((one) => one.label).join(", ");
    text.textContent = names || leaf.placeholder || PROMPTS[leaf.type];
    text.classList.toggle("placeholder", !names);
  };
  update();
  return {
    node: button,
    value: async () => chosen,
    focus: () => button.focus(),
    problem: (must) => {
      if (!chosen.length) return must ? "Please choose." : "";
      const least = leaf.min_values ?? 1;
      return chosen.length < least ? `Choose at least ${least}.` : "";
    },
  };
}

function fileUpload(leaf, { id, describedBy }) {
  const most = leaf.max_values ?? 1;
  const least = leaf.min_values ?? 1;
  const accept = (leaf.file_types ?? []).map((one) => (one.startsWith(".") ? one : `${one}/*`)).join(",");
  const input = h("input", { id, type: "file", class: "field-input", "aria-describedby": describedBy, multiple: most > 1, accept: accept || null, "data-testid": "modal-file" });
  const listed = h("div", { class: "description" });
  input.addEventListener("change", () => { listed.textContent = [...input.files].map((file) => `${file.name} (${bytes(file.size)})`).join(", "); });
  return {
    node: h("div", {}, input, most > 1 && listed),
    value: () => Promise.all([...input.files].map(readFile)),
    focus: () => input.focus(),
    problem(must) {
      const count = input.files.length;
      if (!count) return must ? "Please choose a file." : "";
      if (count < least) return `Choose at least ${least} files.`;
      return count > most ? `Choose at most ${most} files.` : "";
    },
  };
}

function group(leaf, kind) {
  const name = uniqueId("group");
  const inputs = leaf.options.map((option) => h("input", { type: kind, name, value: option.value, checked: Boolean(option.default) }));
  const chosen = () => inputs.filter((one) => one.checked).map((one) => one.value);
  const node = h("div", {}, leaf.options.map((option, index) => h("label", { class: "tick-line" }, inputs[index],
    h("span", {}, option.label, option.description && h("small", {}, option.description)))));
  return { node, chosen, focus: () => (inputs.find((one) => one.checked) ?? inputs[0]).focus() };
}

function radioGroup(leaf) {
  const { node, chosen, focus } = group(leaf, "radio");
  return { node, focus, value: async () => chosen()[0] ?? null, problem: (must) => (must && !chosen().length ? "Please choose one." : "") };
}

function checkboxGroup(leaf) {
  const { node, chosen, focus } = group(leaf, "checkbox");
  const least = leaf.min_values ?? 1;
  const most = leaf.max_values ?? leaf.options.length;
  return {
    node, focus, value: async () => chosen(),
    problem(must) {
      const count = chosen().length;
      if (!count && !must) return "";
      if (count < least) return `Tick at least ${least}.`;
      return count > most ? `Tick at most ${most}.` : "";
    },
  };
}

function checkbox(leaf, { id, describedBy, label }) {
  const input = h("input", { id, type: "checkbox", checked: Boolean(leaf.default), "aria-describedby": describedBy, "data-testid": "modal-checkbox" });
  return { node: append(h("label", { class: "tick-line" }), [input, h("span", {}, label)]), value: async () => input.checked, focus: () => input.focus(), problem: () => "" };
}

const CONTROLS = { 3: select, 4: textInput, 5: select, 6: select, 7: select, 8: select, 19: fileUpload, 21: radioGroup, 22: checkboxGroup, 23: checkbox };
