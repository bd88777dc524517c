// Components of messages, legacy rows and v2 layouts; pressing and choosing.

import { h, icon } from "./dom.js";
import { preset, selectChoices } from "./entities.js";
import { attachment, image } from "./embeds.js";
import { markdown } from "./markdown.js";
import { choose } from "./popup.js";
import { state } from "./state.js";

export const NAMES = { 3: "Make a selection", 5: "Choose people", 6: "Choose roles", 7: "Choose people or roles", 8: "Choose channels" };

/** `use(customId, values|null)` sends the interaction. */
export function components(message, use) {
  return h("div", { class: "components", "data-testid": "components" }, message.components.map((one) => draw(one, message, use)));
}

function draw(one, message, use) {
  switch (one.type) {
    case 1: return h("div", { class: "row" }, one.components.map((child) => draw(child, message, use)));
    case 2: return button(one, message, use);
    case 3: case 5: case 6: case 7: case 8: return select(one, message, use);
    case 9: return h("div", { class: "section" }, h("div", { class: "texts" }, one.components.map((child) => draw(child, message, use))), draw(one.accessory, message, use));
    case 10: return markdown(one.content);
    case 11: return covered(one.spoiler, image(one.media.url, one.description ?? ""));
    case 12: return h("div", { class: "gallery" }, one.items.map((item) => h("figure", {}, covered(item.spoiler, image(item.media.url, item.description ?? "")))));
    case 13: return covered(one.spoiler, attachment({ filename: one.name ?? "file", size: one.size ?? 0, url: one.file.url }));
    case 14: return h("hr", { class: `separator ${one.divider === false ? "" : "line"} ${one.spacing === 2 ? "wide" : ""}`, ...(one.divider === false ? { "aria-hidden": "true" } : {}) });
    case 17: return covered(one.spoiler, container(one, message, use));
    default: return h("p", { class: "note" }, `A component of type ${one.type}`);
  }
}

function container(one, message, use) {
  const accent = one.accent_color;
  return h("div", {
    class: `container ${accent === undefined || accent === null ? "" : "accented"}`, "data-testid": "container",
    style: accent === undefined || accent === null ? {} : { "--stripe": `#${accent.toString(16).padStart(6, "0")}` },
  }, one.components.map((child) => draw(child, message, use)));
}

function covered(spoiler, node) {
  if (!spoiler) return node;
  const cover = h("div", { class: "spoiler-cover", role: "button", tabindex: "0", "aria-expanded": "false", "aria-label": "Spoiler, activate to reveal" }, h("div", { class: "hidden-part" }, node));
  const reveal = () => {
    cover.setAttribute("aria-expanded", "true");
    for (const name of ["role", "tabindex", "aria-label"]) cover.removeAttribute(name);
  };
  cover.addEventListener("click", reveal);
  cover.addEventListener("keydown", (event) => { if (event.key === "Enter") reveal(); });
  return cover;
}

function face(one) {
  return [one.emoji?.name && h("span", {}, one.emoji.name), one.label && h("span", {}, one.label)];
}

function button(one, message, use) {
  if (one.style === 5) {
    return h("a", { class: "c-button s5", href: one.url, target: "_blank", rel: "noopener noreferrer nofollow", ...(one.disabled ? { "aria-disabled": "true" } : {}) }, face(one), icon("link", "small"));
  }
  const busy = state.pending.get(message.id);
  return h("button", {
    type: "button", class: `c-button s${one.style}`, disabled: one.disabled || Boolean(busy) || one.style === 6,
    "data-testid": "button", "data-custom-id": one.custom_id,
    onclick: () => use(one.custom_id, null),
  }, busy === one.custom_id ? h("span", { class: "spinner", role: "status", "aria-label": "Sending" }) : null, face(one), one.style === 6 && "Premium");
}

function select(one, message, use) {
  const busy = state.pending.get(message.id);
  const choices = selectChoices(one);
  const chosen = preset(one);
  const labels = choices.filter((choice) => chosen.includes(choice.value)).map((choice) => choice.label).join(", ");
  const min = one.min_values ?? 1;
  const max = one.max_values ?? 1;
  return h("button", {
    type: "button", class: "c-select", disabled: one.disabled || Boolean(busy), "aria-haspopup": "listbox", "aria-expanded": "false",
    "data-testid": "select", "data-custom-id": one.custom_id,
    onclick: (event) => choose(event.currentTarget, {
      label: one.placeholder || NAMES[one.type], choices, chosen, min, max, filter: one.type !== 3 || undefined,
      ondone: (values) => use(one.custom_id, values),
    }),
  }, h("span", { class: `value ${labels ? "" : "placeholder"}` }, labels || one.placeholder || NAMES[one.type]), busy === one.custom_id ? h("span", { class: "spinner" }) : icon("down", "small"));
}

