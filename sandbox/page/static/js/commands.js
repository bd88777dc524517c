// The command picker and the form that a chosen command opens.

import { ApiProblem } from "./api.js";
import { fill, h, icon, iconButton, toast } from "./dom.js";
import { askChoices, runCommand } from "./interactions.js";
import { optionField } from "./options.js";
import { avatar } from "./format.js";
import { me, state, user } from "./state.js";

const locale = () => state.locale || me()?.locale;
export const localName = (one) => one.name_localizations?.[locale()] ?? one.name;
export const localDescription = (one) => one.description_localizations?.[locale()] ?? one.description ?? "";

/** Every command that can be invoked: sub-commands stand for themselves. */
export function invocable() {
  const found = [];
  const walk = (node, names, shown, command) => {
    const children = (node.options ?? []).filter((one) => one.type === 1 || one.type === 2);
    if (children.length) {
      for (const child of children) walk(child, [...names, child.name], [...shown, localName(child)], command);
      return;
    }
    found.push({ command, name: names.join(" "), shown: shown.join(" "), description: localDescription(node), options: node.options ?? [] });
  };
  for (const command of state.commands) {
    if (command.type === 1) walk(command, [command.name], [localName(command)], command);
  }
  return found;
}

/** Items for the list above the message box, best matches first. */
export function commandItems(text, pick) {
  const wanted = text.toLowerCase().trim();
  const ranked = invocable().map((one) => ({ one, rank: rank(one, wanted) })).filter(({ rank: r }) => r < 9)
    .sort((a, b) => a.rank - b.rank || a.one.shown.localeCompare(b.one.shown));
  const bot = user(state.view.bot_id);
  return ranked.map(({ one, rank: r }) => ({
    name: one.name,
    matches: r <= 1,
    heading: bot?.display_name ?? "Commands",
    act: () => pick(one),
    parts: [avatar(bot ?? { id: state.view.bot_id, bot: true }, "small"),
      h("div", { class: "main" }, h("div", { class: "name" }, `/${one.shown}`, h("span", { class: "options-hint" },
        one.options.map((option) => (option.required ? localName(option) : `[${localName(option)}]`)).join(" "))),
      h("div", { class: "about" }, one.description)),
      h("span", { class: "source" }, one.command.guild_id ? "this server" : "")],
  }));
}

function rank(one, wanted) {
  if (!wanted) return 1;
  const names = [one.shown.toLowerCase(), one.name.toLowerCase()];
  if (names.includes(wanted)) return 0;
  if (names.some((name) => name.startsWith(wanted))) return 1;
  if (names.some((name) => name.split(" ").some((word) => word.startsWith(wanted)))) return 2;
  if (names.some((name) => name.includes(wanted))) return 3;
  return one.description.toLowerCase().includes(wanted) ? 4 : 9;
}

/** The form of a chosen command; `done(focus)` closes it. */
export function commandForm(chosen, done) {
  const fields = new Map();
  const grid = h("div", { class: "options" });
  const optional = h("div", { class: "optional" });
  const problem = h("div", { class: "problem", role: "alert", "data-testid": "command-problem" });
  const run = h("button", { type: "submit", class: "button primary", "data-testid": "run-command" }, icon("send", "small"), "Send");
  const form = h("form", { class: "command-form", novalidate: true, "aria-label": `Command /${chosen.shown}`, "data-testid": "command-form", "data-command": chosen.name },
    h("div", { class: "title" }, h("b", {}, `/${chosen.shown}`), h("span", {}, chosen.description), iconButton("close", "Leave the command", () => done(true), { class: "icon-button small" })),
    grid, optional, h("div", { class: "actions" }, problem, run));

  const values = () => {
    const found = {};
    for (const [name, field] of fields) {
      const value = field.typed();
      if (value !== null && value !== "") found[name] = value;
    }
    return found;
  };
  const add = (option, removable) => {
    const field = optionField(option, {
      label: localName(option), description: localDescription(option), localName,
      ask: option.autocomplete ? () => askChoices({ name: chosen.name, focused: option.name, options: values() }) : null,
      remove: removable ? () => { fields.delete(option.name); field.node.remove(); drawOptional(); run.focus(); } : null,
    });
    fields.set(option.name, field);
    grid.append(field.node);
    return field;
  };
  const drawOptional = () => {
    const left = chosen.options.filter((option) => !fields.has(option.name));
    fill(optional, left.length > 0 && "Add:", left.map((option) => h("button", { type: "button", title: localDescription(option), "data-testid": "add-option", "data-name": option.name,
      onclick: () => { const field = add(option, true); drawOptional(); field.focus(); } }, `+ ${localName(option)}`)));
  };
  for (const option of chosen.options) if (option.required) add(option, false);
  if (!fields.size && chosen.options.length === 1) add(chosen.options[0], true);
  drawOptional();

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    const bad = [...fields.values()].filter((field) => !field.check());
    if (bad.length) {
      bad[0].focus();
      return;
    }
    run.disabled = true;
    try {
      const options = {};
      for (const [name, field] of fields) {
        const value = await field.value();
        if (value !== null && value !== "") options[name] = value;
      }
      const sending = runCommand({ name: chosen.name, options });
      // Whatever the client would refuse comes back at once; an answer may take its time.
      const early = await Promise.race([sending.then(() => null, (error) => error), new Promise((resolve) => { setTimeout(resolve, 120, null); })]);
      if (early) throw early;
      sending.catch((error) => toast(error.message));
      done(true);
    } catch (error) {
      run.disabled = false;
      for (const [name, text] of Object.entries(error instanceof ApiProblem ? error.problems : {})) fields.get(name)?.complain(text);
      problem.textContent = error.message;
    }
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) {
      event.preventDefault();
      done(true);
    }
  });
  return { node: form, focus: () => { const first = [...fields.values()].find((field) => field.required); (first ?? { focus: () => run.focus() }).focus(); } };
}
