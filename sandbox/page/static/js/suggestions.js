// The list above the message box: commands, people, channels. The focus stays in the text; arrows move the choice.

import { append, fill, h, uniqueId } from "./dom.js";

export class Suggestions {
  /** items: {label, node | parts, heading?, act}[] */
  constructor(host, input) {
    this.host = host;
    this.input = input;
    this.id = uniqueId("suggestions");
    this.node = h("div", { class: "picker", role: "listbox", id: this.id, "data-testid": "picker" });
    this.items = [];
    this.active = 0;
  }

  get isOpen() {
    return this.node.isConnected;
  }

  show(items, label, emptyText) {
    this.items = items;
    this.active = Math.min(this.active, Math.max(0, items.length - 1));
    this.node.setAttribute("aria-label", label);
    let heading = null;
    fill(this.node);
    items.forEach((item, index) => {
      if (item.heading && item.heading !== heading) {
        heading = item.heading;
        append(this.node, h("div", { class: "heading", role: "presentation" }, heading));
      }
      append(this.node, h("div", {
        class: "picker-item", role: "option", id: `${this.id}-${index}`, "data-testid": "picker-item", "data-name": item.name,
        onpointermove: () => { if (this.active !== index) this.move(index); },
        onpointerdown: (event) => event.preventDefault(),
        onclick: () => this.take(index),
      }, item.parts));
    });
    if (!items.length) append(this.node, h("div", { class: "empty" }, emptyText));
    if (!this.isOpen) this.host.append(this.node);
    this.input.setAttribute("aria-controls", this.id);
    this.move(this.active);
  }

  hide() {
    this.node.remove();
    this.active = 0;
    this.input.removeAttribute("aria-controls");
    this.input.removeAttribute("aria-activedescendant");
  }

  move(to) {
    this.active = to;
    [...this.node.querySelectorAll(".picker-item")].forEach((row, index) => row.setAttribute("aria-selected", String(index === to)));
    if (!this.items.length) return;
    this.input.setAttribute("aria-activedescendant", `${this.id}-${to}`);
    this.node.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }

  take(index = this.active) {
    this.items[index]?.act();
  }

  /** Whether the key was for the list. */
  key(event) {
    if (!this.isOpen) return false;
    const count = this.items.length;
    if (event.key === "Escape") {
      this.hide();
    } else if (!count) {
      return false;
    } else if (event.key === "ArrowDown") {
      this.move((this.active + 1) % count);
    } else if (event.key === "ArrowUp") {
      this.move((this.active + count - 1) % count);
    } else if (event.key === "PageDown") {
      this.move(Math.min(count - 1, this.active + 8));
    } else if (event.key === "PageUp") {
      this.move(Math.max(0, this.active - 8));
    } else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") {
      this.take();
    } else {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  }
}
