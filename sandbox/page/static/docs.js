// Renders /sandbox/openapi.json: what there is, what it takes, and a form to try it.

import { append, fill, h } from "/page/js/dom.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const contents = document.getElementById("contents");
const main = document.getElementById("document");
let schemas = {};

function resolve(schema) {
  return schema?.$ref ? resolve(schemas[schema.$ref.split("/").pop()]) : schema ?? {};
}

function typeOf(schema) {
  const name = schema?.$ref?.split("/").pop();
  const one = resolve(schema);
  if (name && one.properties) return name;
  if (one.enum) return one.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (one.anyOf) return one.anyOf.map(typeOf).join(" | ");
  if (one.type === "array") return `${typeOf(one.items)}[]`;
  const bounds = [one.minimum ?? one.minLength, one.maximum ?? one.maxLength];
  const span = bounds.some((value) => value !== undefined) ? ` ${bounds[0] ?? ""}…${bounds[1] ?? ""}` : "";
  return (one.type ?? "any") + span;
}

function code(text) {
  return text.split(/(`[^`]+`)/).map((part) => (part.startsWith("`") ? h("code", {}, part.slice(1, -1)) : part));
}

const prose = (text) => (text ?? "").split(/\n\n+/).map((part) => h("p", {}, code(part)));

function rows(properties, required = []) {
  return h("table", { class: "schema" }, h("tbody", {}, Object.entries(properties).map(([name, schema]) => {
    const about = [schema.description ?? resolve(schema).description, schema.default !== undefined && schema.default !== null ? `Default: \`${JSON.stringify(schema.default)}\`.` : ""].filter(Boolean).join(" ");
    return h("tr", {}, h("td", {}, name, required.includes(name) && h("div", { class: "must" }, "required")), h("td", {}, h("span", { class: "type" }, typeOf(schema)), about && h("div", {}, code(about))));
  })));
}

function sample(schema, depth = 0) {
  const one = resolve(schema);
  if (one.examples?.length) return one.examples[0];
  if (one.default !== undefined) return one.default;
  if (one.anyOf) return sample(one.anyOf[0], depth);
  if (one.properties && depth < 3) return Object.fromEntries(Object.entries(one.properties).filter(([name]) => (one.required ?? []).includes(name)).map(([name, child]) => [name, sample(child, depth + 1)]));
  return { string: "", integer: one.minimum ?? 0, number: 0, boolean: false, array: [], object: {} }[one.type] ?? null;
}

function tryOut(method, path, operation) {
  const inputs = new Map();
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  const text = body && h("textarea", { class: "field-input", "aria-label": "Request body", spellcheck: "false" });
  if (text) text.value = JSON.stringify(sample(body), null, 2);
  const answer = h("pre", { hidden: true, tabindex: "0" });
  const form = h("form", { class: "try", onsubmit: async (event) => {
    event.preventDefault();
    let url = `/sandbox${path}`;
    const query = new URLSearchParams();
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "") query.set(parameter.name, input.value);
    }
    answer.hidden = false;
    answer.textContent = "…";
    try {
      const response = await fetch(query.size ? `${url}?${query}` : url, { method: method.toUpperCase(), headers: text ? { "Content-Type": "application/json" } : {}, body: text ? text.value : undefined });
      const raw = await response.text();
      let shown = raw;
      try { shown = JSON.stringify(JSON.parse(raw), null, 2); } catch { /* not JSON */ }
      answer.textContent = `${response.status} ${response.statusText}\n${shown}`;
    } catch (problem) {
      answer.textContent = String(problem);
    }
  } },
  (operation.parameters ?? []).length > 0 && h("div", { class: "params" }, operation.parameters.map((parameter) => {
    const input = h("input", { class: "field-input", value: String(resolve(parameter.schema).default ?? "") });
    inputs.set(parameter, input);
    return h("label", {}, parameter.name, input);
  })), text, h("div", {}, h("button", { type: "submit", class: "button primary slim" }, "Try it")), answer);
  return form;
}

function operationNode(method, path, operation) {
  const id = operation.operationId;
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  const good = Object.entries(operation.responses).find(([status]) => status.startsWith("2"));
  const answer = good?.[1].content?.["application/json"]?.schema;
  const node = h("details", { class: "operation", id }, h("summary", {},
    h("span", { class: `method ${method}` }, method.toUpperCase()), h("code", { class: "path" }, `/sandbox${path}`), h("span", { class: "summary" }, operation.summary)));
  node.addEventListener("toggle", () => {
    if (!node.open || node.children.length > 1) return;
    append(node, h("div", { class: "inside" }, prose(operation.description),
      operation.parameters?.length && [h("h3", {}, "Parameters"), rows(Object.fromEntries(operation.parameters.map((one) => [one.name, { ...one.schema, description: one.description ?? one.schema?.description }])), operation.parameters.filter((one) => one.required).map((one) => one.name))],
      body && [h("h3", {}, `Body: ${typeOf(body)}`), rows(resolve(body).properties ?? {}, resolve(body).required)],
      h("h3", {}, `Answer: ${good?.[0] ?? ""} ${answer ? typeOf(answer) : ""}`), answer && resolve(answer).properties && rows(resolve(answer).properties, []),
      tryOut(method, path, operation)));
  });
  return node;
}

function draw(spec, words = "") {
  schemas = spec.components.schemas;
  const operations = Object.entries(spec.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method]).map((method) => ({ method, path, operation: item[method] })))
    .filter(({ method, path, operation }) => `${method} ${path} ${operation.summary} ${operation.description}`.toLowerCase().includes(words));
  const tags = spec.tags.map((tag) => ({ ...tag, operations: operations.filter((one) => one.operation.tags?.[0] === tag.name) })).filter((tag) => tag.operations.length);
  fill(contents, tags.map((tag) => [h("h2", {}, tag.name), tag.operations.map(({ operation }) => h("a", { href: `#${operation.operationId}` }, operation.summary))]));
  fill(main, h("h1", {}, spec.info.title), h("div", { class: "intro" }, prose(spec.info.description)),
    tags.map((tag) => [h("h2", { class: "tag" }, tag.name), h("p", { class: "tag-about" }, tag.description), tag.operations.map(({ method, path, operation }) => operationNode(method, path, operation))]));
}

function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
  }
}

const spec = await (await fetch("/sandbox/openapi.json")).json();
draw(spec);
openTarget();
addEventListener("hashchange", openTarget);
document.getElementById("find").addEventListener("input", (event) => draw(spec, event.currentTarget.value.trim().toLowerCase()));
