// Requests to the server that the page came from, and what went wrong with them, in words.

export class ServerError extends Error {
  constructor(
    readonly status: number, // 0: no answer at all
    message: string,
    readonly retryAfterS?: number,
  ) {
    super(message);
  }
}

/** What an error body of any of the server's APIs says. */
export function errorText(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const error = (body as { error?: unknown }).error ?? body;
  if (typeof error === 'string') return error;
  const message = (error as { message?: unknown }).message;
  return typeof message === 'string' && message !== '' ? message : undefined;
}

function wordsFor(status: number): string {
  if (status === 401) return 'The server asks for an API key: add it in Settings.';
  if (status === 404) return 'The server does not know this request.';
  if (status === 429) return 'The server is busy: its queue is full.';
  if (status >= 500) return `The server failed (${status}).`;
  return `The server refused the request (${status}).`;
}

async function errorOf(response: Response): Promise<ServerError> {
  const said = errorText(await response.json().catch(() => undefined));
  const words = wordsFor(response.status);
  const retryAfter = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
  return new ServerError(
    response.status,
    said === undefined || response.status === 401 ? words : said,
    Number.isNaN(retryAfter) ? undefined : retryAfter,
  );
}

export interface Access {
  apiKey: string;
  signal?: AbortSignal;
}

/** GET, or POST with a JSON body. Paths are relative, so the page also works below a prefix. */
export async function request(path: string, access: Access, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = {};
  if (access.apiKey !== '') headers.Authorization = `Bearer ${access.apiKey}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(new URL(path, document.baseURI), {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: access.signal,
      credentials: 'same-origin',
      cache: 'no-store',
    });
  } catch (error) {
    if (access.signal?.aborted) throw error;
    throw new ServerError(0, 'The server does not answer. Is flashmoe serve still running?');
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

/** The names of the server's models. */
export async function modelNames(access: Access): Promise<string[]> {
  const response = await request('v1/models', access);
  const { data } = (await response.json()) as { data?: { id?: unknown }[] };
  const names = (data ?? []).map(({ id }) => id).filter((id) => typeof id === 'string');
  return [...new Set(names)];
}
