// The site's own API: JSON with amounts as text, errors as {code, message, field}.

const TIMEOUT_MS = 20_000;

/** A refusal the API has put into words; status 0 means that no answer came. */
export class ApiError extends Error {
  constructor(status, { code = "no_answer", message = "", field = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }

  /** True when nothing can be said about whether the request was carried out. */
  get isUnknown() {
    return this.status === 0 || this.status >= 500 && this.code !== "unavailable";
  }
}

function token() {
  return document.querySelector('input[name="csrfmiddlewaretoken"]')?.value ?? "";
}

export async function call(method, path, { body, headers = {} } = {}) {
  const options = { method, credentials: "same-origin", headers: { Accept: "application/json", ...headers } };
  options.signal = AbortSignal.timeout(TIMEOUT_MS);
  if (method !== "GET") options.headers["X-CSRFToken"] = token();
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new ApiError(0);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, answer);
  return { status: response.status, body: answer };
}

export async function get(path, values = {}) {
  const query = new URLSearchParams(values).toString();
  return (await call("GET", query ? `${path}?${query}` : path)).body;
}

/** The rows of an answer, whether it is paged or a plain list. */
export const rows = (answer) => (Array.isArray(answer) ? answer : answer.results ?? []);
