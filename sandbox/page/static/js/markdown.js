// Discord's markdown as DOM. `marked` finds the structure; every piece becomes an element or a text node, never HTML.

import { Marked } from "../vendor/marked.esm.js";
import { h } from "./dom.js";
import { dateTime, relative, ticking } from "./format.js";
import { channel, emit, guild, me, member, nameOf, state } from "./state.js";

function inline(name, pattern, hint, read) {
  return {
    name,
    level: "inline",
    start: (source) => { const at = source.indexOf(hint); return at < 0 ? undefined : at; },
    tokenizer(source) {
      const match = pattern.exec(source);
      return match ? { type: name, raw: match[0], ...read(match, this.lexer) } : undefined;
    },
  };
}

const none = () => undefined;
const marked = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: {
    code: none, lheading: none, table: none, html: none, def: none, hr: none, tag: none, reflink: none,
    heading(source) {
      const match = /^(#{1,3}) +([^\n]+)(?:\n|$)/.exec(source);
      if (!match) return undefined;
      return { type: "heading", raw: match[0], depth: match[1].length, text: match[2], tokens: this.lexer.inline(match[2]) };
    },
    blockquote(source) {
      const rest = /^>>> ([\s\S]+)/.exec(source);
      const lines = rest ? null : /^(?:> [^\n]*(?:\n|$))+/.exec(source);
      const match = rest ?? lines;
      if (!match) return undefined;
      const text = rest ? rest[1] : match[0].replace(/^> /gm, "").replace(/\n$/, "");
      return { type: "blockquote", raw: match[0], text, tokens: this.lexer.blockTokens(text, []) };
    },
  },
  extensions: [
    {
      name: "subtext",
      level: "block",
      start: (source) => { const at = source.search(/^-# /m); return at < 0 ? undefined : at; },
      tokenizer(source) {
        const match = /^-# ([^\n]+)(?:\n|$)/.exec(source);
        return match ? { type: "subtext", raw: match[0], tokens: this.lexer.inline(match[1]) } : undefined;
      },
    },
    inline("underline", /^__(?=\S)([\s\S]*?\S)__(?!_)/, "__", (m, lexer) => ({ tokens: lexer.inlineTokens(m[1]) })),
    inline("spoiler", /^\|\|([\s\S]+?)\|\|/, "||", (m, lexer) => ({ tokens: lexer.inlineTokens(m[1]) })),
    inline("userMention", /^<@!?(\d{15,20})>/, "<@", (m) => ({ id: m[1] })),
    inline("roleMention", /^<@&(\d{15,20})>/, "<@&", (m) => ({ id: m[1] })),
    inline("channelMention", /^<#(\d{15,20})>/, "<#", (m) => ({ id: m[1] })),
    inline("commandMention", /^<\/([^:>\n]{1,100}):(\d{15,20})>/, "</", (m) => ({ text: m[1] })),
    inline("stamp", /^<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/, "<t:", (m) => ({ seconds: Number(m[1]), style: m[2] ?? "f" })),
    inline("customEmoji", /^<a?:(\w{2,32}):\d{15,20}>/, "<", (m) => ({ text: m[1] })),
    inline("everyone", /^@(everyone|here)\b/, "@", (m) => ({ text: m[1] })),
  ],
});

const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}(?:\uFE0F|\u200D|\p{Emoji_Modifier}|\p{Extended_Pictographic})*\s*){1,8}$/u;

/** The text of a message as one element. */
export function markdown(text) {
  const root = h("div", { class: "text" });
  if (EMOJI_ONLY.test(text)) {
    root.append(h("p", { class: "jumbo" }, text));
    return root;
  }
  root.append(...blocks(marked.lexer(text.replace(/\r\n?/g, "\n"))));
  return root;
}

/** One line without blocks, for quotes and embed titles. */
export function inlineMarkdown(text) {
  return inlines(new marked.Lexer(marked.defaults).inlineTokens(text));
}

function blocks(tokens) {
  const nodes = [];
  for (const token of tokens) {
    switch (token.type) {
      case "space": break;
      case "heading": nodes.push(h(`h${token.depth + 2}`, {}, inlines(token.tokens))); break;
      case "subtext": nodes.push(h("p", { class: "subtext" }, inlines(token.tokens))); break;
      case "blockquote": nodes.push(h("blockquote", {}, blocks(token.tokens))); break;
      case "code": nodes.push(h("pre", {}, h("code", {}, token.text))); break;
      case "list":
        nodes.push(h(token.ordered ? "ol" : "ul", token.ordered && token.start !== 1 ? { start: token.start } : {},
          token.items.map((item) => h("li", {}, blocks(item.tokens)))));
        break;
      case "paragraph": nodes.push(h("p", {}, inlines(token.tokens))); break;
      case "text": nodes.push(...(token.tokens ? inlines(token.tokens) : [document.createTextNode(token.text)])); break;
      default: nodes.push(h("p", {}, token.raw));
    }
  }
  return nodes;
}

function inlines(tokens) {
  return (tokens ?? []).map(inlineNode);
}

function inlineNode(token) {
  switch (token.type) {
    case "strong": return h("strong", {}, inlines(token.tokens));
    case "em": return h("em", {}, inlines(token.tokens));
    case "del": return h("s", {}, inlines(token.tokens));
    case "underline": return h("u", {}, inlines(token.tokens));
    case "codespan": return h("code", {}, token.text);
    case "br": return document.createTextNode("\n");
    case "link": return link(token);
    case "spoiler": return spoiler(token);
    case "userMention": return userMention(token.id);
    case "roleMention": return roleMention(token.id);
    case "channelMention": return channelMention(token.id);
    case "commandMention": return h("span", { class: "mention" }, `/${token.text}`);
    case "customEmoji": return h("span", { class: "emoji", title: `:${token.text}:` }, `:${token.text}:`);
    case "everyone": return h("span", { class: "mention" }, `@${token.text}`);
    case "stamp": return stamp(token);
    case "escape": return document.createTextNode(token.text);
    case "text": return token.tokens ? h("span", {}, inlines(token.tokens)) : document.createTextNode(token.raw);
    default: return document.createTextNode(token.raw);
  }
}


function link(token) {
  if (!/^https?:\/\//i.test(token.href)) return document.createTextNode(token.raw);
  return h("a", { href: token.href, target: "_blank", rel: "noopener noreferrer nofollow" }, inlines(token.tokens));
}

function spoiler(token) {
  const node = h("span", {
    class: "spoiler", role: "button", tabindex: "0", "aria-expanded": "false", "aria-label": "Spoiler, activate to reveal",
  }, h("span", {}, inlines(token.tokens)));
  const reveal = (event) => {
    if (node.getAttribute("aria-expanded") === "true") return;
    event.preventDefault();
    event.stopPropagation();
    node.setAttribute("aria-expanded", "true");
    node.removeAttribute("aria-label");
    node.removeAttribute("role");
  };
  node.addEventListener("click", reveal);
  node.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") reveal(event); });
  return node;
}

function userMention(id) {
  const known = member(id) ?? state.view?.users.find((one) => one.id === id);
  if (!known) return h("span", { class: "mention" }, `<@${id}>`);
  return h("button", {
    type: "button", class: `mention ${id === me()?.id ? "mine" : ""}`,
    onclick: (event) => emit("profile", { userId: id, anchor: event.currentTarget }),
  }, `@${nameOf(id)}`);
}

function roleMention(id) {
  const role = guild()?.roles.find((one) => one.id === id);
  const color = role?.color ? `#${role.color.toString(16).padStart(6, "0")}` : null;
  return h("span", { class: "mention", style: color ? { "box-shadow": `inset 0 -2px ${color}` } : {} }, `@${role?.name ?? "unknown-role"}`);
}

function channelMention(id) {
  const found = channel(id);
  if (!found) return h("span", { class: "mention" }, "#no-access");
  return h("button", { type: "button", class: "mention", onclick: () => emit("go", { channelId: id }) }, `#${found.name ?? "dm"}`);
}

function stamp(token) {
  const ms = token.seconds * 1000;
  if (Math.abs(ms) > 8.64e15) return document.createTextNode(token.raw);
  const title = dateTime(ms, "F");
  if (token.style === "R") return ticking(() => relative(ms), { class: "stamp", title });
  return h("span", { class: "stamp", title }, dateTime(ms, token.style));
}

