// Embeds, attachments, polls, forwards.

import { h, icon } from "./dom.js";
import { bytes, shortWhen } from "./format.js";
import { inlineMarkdown, markdown } from "./markdown.js";

const hex = (color) => `#${Number(color).toString(16).padStart(6, "0")}`;
const isWeb = (url) => /^https?:\/\//i.test(url ?? "");

export function image(url, alt, props = {}) {
  if (!isWeb(url)) return null;
  return h("img", { src: url, alt: alt ?? "", loading: "lazy", referrerpolicy: "no-referrer",
    onerror: (event) => event.currentTarget.replaceWith(h("span", { class: "file" }, icon("file"), alt || "picture")), ...props });
}

function titled(text, url) {
  return isWeb(url) ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow" }, inlineMarkdown(text)) : inlineMarkdown(text);
}

export function embed(data) {
  const fields = (data.fields ?? []).map((field) => h("div", { class: "embed-field", style: { "grid-column": field.inline ? "span 4" : "1 / -1" } },
    h("b", {}, inlineMarkdown(field.name)), markdown(field.value)));
  const footer = [data.footer?.text, data.timestamp ? shortWhen(Date.parse(data.timestamp)) : null].filter(Boolean).join(" · ");
  return h("article", { class: "embed", style: data.color ? { "--stripe": hex(data.color) } : {}, "data-testid": "embed" },
    data.author && h("div", { class: "embed-author" }, image(data.author.icon_url, ""), titled(data.author.name, data.author.url)),
    data.title && h("div", { class: "embed-title" }, titled(data.title, data.url)),
    data.description && markdown(data.description),
    fields.length > 0 && h("div", { class: "embed-fields" }, fields),
    data.thumbnail?.url && image(data.thumbnail.url, "", { class: "thumb" }),
    data.image?.url && image(data.image.url, "", { class: "picture" }),
    footer && h("footer", { class: "embed-footer" }, image(data.footer?.icon_url, ""), footer));
}

export function attachment(file) {
  const spoilered = file.filename.startsWith("SPOILER_");
  if ((file.content_type ?? "").startsWith("image/")) {
    const picture = image(file.url, file.description ?? file.filename, { class: spoilered ? "spoilered" : "" });
    picture?.addEventListener("click", () => picture.classList.remove("spoilered"));
    return picture;
  }
  return h("a", { class: "file", href: file.url, download: file.filename, target: "_blank" }, icon("file"),
    h("span", {}, file.title ?? file.filename, " ", h("small", {}, bytes(file.size))));
}

export function poll(data) {
  return h("section", { class: "poll", "aria-label": "Poll" }, h("b", {}, data.question.text),
    h("ul", {}, data.answers.map((answer) => h("li", {}, answer.poll_media.emoji?.name ?? "", " ", answer.poll_media.text ?? ""))));
}

export function forward(snapshot) {
  const message = snapshot.message;
  return h("div", { class: "forward" }, h("div", { class: "label" }, "Forwarded"),
    message.content && markdown(message.content),
    h("div", { class: "embeds" }, (message.embeds ?? []).map(embed)),
    h("div", { class: "attachments" }, (message.attachments ?? []).map(attachment)));
}
