// A server that speaks what the page needs, without a model: node test/mock_server.mjs [PORT]
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { answerFor } from './mock_answers.mjs';
import { MockEngine } from './mock_engine.mjs';

const kModel = 'Qwen3.5-397B-A17B-Q4_K_M';
const page = new URL('../dist/index.html', import.meta.url);

async function bodyOf(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return JSON.parse(text);
}

function sendJson(response, status, body, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function sendError(response, status, message, headers) {
  sendJson(response, status, { error: { message, type: 'invalid_request_error' } }, headers);
}

// As the binary does: compressed, with the policy of the page's <meta> tag as a header.
async function sendPage(response) {
  const html = await readFile(page, 'utf8');
  const policy = html.match(/http-equiv="Content-Security-Policy" content="([^"]*)"/)?.[1];
  response.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Encoding': 'gzip',
    'Content-Security-Policy': `${policy}; frame-ancestors 'none'`,
    'Cache-Control': 'no-cache',
  });
  response.end(gzipSync(html));
}

function* pieces(text, size = 7) {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

function* deltasOf({ thinking, text, calls }) {
  for (const piece of pieces(thinking ?? '')) yield { reasoning_content: piece };
  for (const piece of pieces(text ?? '')) yield { content: piece };
  for (const [index, { id, name, arguments: args }] of (calls ?? []).entries()) {
    yield { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] };
    for (const piece of pieces(args)) {
      yield { tool_calls: [{ index, function: { arguments: piece } }] };
    }
  }
}

async function streamAnswer(state, request, response) {
  const body = await bodyOf(request);
  state.requests.push(body);
  const answer = answerFor(body);
  if (answer.status) return sendError(response, answer.status, answer.error, { 'Retry-After': 3 });
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const id = `chatcmpl-${state.requests.length}`;
  const send = (fields) => {
    const chunk = { id, object: 'chat.completion.chunk', created: 0, model: kModel, ...fields };
    return response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  };
  ++state.engine.running;
  response.once('close', () => {
    --state.engine.running;
    if (!response.writableFinished) ++state.cancelled;
  });
  let tokens = 0;
  send({ choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] });
  for (const delta of deltasOf(answer)) {
    if (response.destroyed) return;
    send({ choices: [{ index: 0, delta, finish_reason: null }] });
    ++tokens;
    await pause(state.paceMs);
  }
  if (answer.error) {
    response.end(`data: ${JSON.stringify({ error: { message: answer.error } })}\n\n`);
    return;
  }
  const finish_reason = answer.calls ? 'tool_calls' : 'stop';
  send({ choices: [{ index: 0, delta: {}, finish_reason }] });
  const usage = {
    prompt_tokens: 4031,
    completion_tokens: tokens,
    total_tokens: 4031 + tokens,
    prompt_tokens_details: { cached_tokens: 3968 },
  };
  send({ choices: [], usage });
  response.end('data: [DONE]\n\n');
}

function streamLive(state, response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  ++state.listeners;
  const send = () => response.write(`data: ${JSON.stringify(state.engine.step())}\n\n`);
  const timer = setInterval(send, state.liveMs);
  response.once('close', () => {
    clearInterval(timer);
    --state.listeners;
  });
  send();
}

async function serve(state, request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (request.method === 'GET' && pathname === '/') return sendPage(response);
  if (state.apiKey && request.headers.authorization !== `Bearer ${state.apiKey}`) {
    return sendError(response, 401, 'Missing or wrong API key.');
  }
  switch (`${request.method} ${pathname}`) {
    case 'GET /v1/models':
      return sendJson(response, 200, { object: 'list', data: [{ id: kModel, object: 'model' }] });
    case 'GET /v1/flashmoe/live':
      return state.hasLive ? streamLive(state, response) : sendError(response, 404, 'Not found.');
    case 'POST /v1/chat/completions':
      return streamAnswer(state, request, response);
    default:
      return sendError(response, 404, 'Not found.');
  }
}

/** Starts on a free port, or on `port`. `state` tells and steers; call close() at the end. */
export async function startMock({ port = 0, paceMs = 4, liveMs = 500, apiKey = '' } = {}) {
  const state = {
    paceMs,
    liveMs,
    apiKey,
    hasLive: true,
    requests: [],
    cancelled: 0,
    listeners: 0,
    engine: new MockEngine(),
  };
  const server = createServer((request, response) => {
    serve(state, request, response).catch((error) => sendError(response, 500, error.message));
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, state, close };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const port = Number.parseInt(process.argv[2] ?? '8080', 10);
  const { url } = await startMock({ port, paceMs: 25 });
  console.log(`Mock server at ${url}`);
}
