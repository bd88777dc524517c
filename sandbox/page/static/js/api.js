// The admin API. Every failure is an ApiProblem whose message can be shown.

export class ApiProblem extends Error {
  constructor(status, body) {
    super(body?.error?.message ?? `The sandbox answered with ${status}.`);
    this.status = status;
    this.code = body?.error?.code ?? "unknown";
    this.problems = body?.error?.problems ?? {};
  }
}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(`/sandbox${path}`, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiProblem(0, { error: { message: "The sandbox cannot be reached.", code: "offline" } });
  }
  const text = await response.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    value = null;
  }
  if (!response.ok) throw new ApiProblem(response.status, value);
  return value;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const put = (path, body = {}) => call("PUT", path, body);
export const patch = (path, body = {}) => call("PATCH", path, body);
export const del = (path) => call("DELETE", path);

/** A File as the admin API takes it. */
export async function readFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return { filename: file.name, content_base64: btoa(binary), content_type: file.type || null };
}
