// The page on the real engine: `flashmoe serve` with the bundled model and too little memory for
// all of its experts. FLASHMOE: the program; without it, where the release preset builds it.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { answered, answers, hasBrowser, questions, send, Stage } from './browser.ts';

const program =
  process.env.FLASHMOE ?? fileURLToPath(new URL('../../build/release/flashmoe', import.meta.url));

const kLive = '/v1/flashmoe/live';

const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Get the current weather for a city.',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', description: 'The name of the city', maxLength: 40 } },
      required: ['city'],
      additionalProperties: false,
    },
  },
};

/** Resolves to the server's address once it answers. */
function address(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    server.on('error', reject);
    server.on('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    server.stdout!.on('data', (data) => {
      text += data;
      const url = text.match(/ at (http:\S+)\n/);
      if (url) resolve(`${url[1]}/`);
    });
  });
}

/** Changes what the page asks for: through its settings, as a user does. */
async function set(page: Page, change: () => Promise<void>): Promise<void> {
  await page.getByRole('button', { name: 'Settings' }).click();
  await change();
  await page.keyboard.press('Escape');
}

/** The same answer each time, and at most so long. */
async function setGreedy(page: Page, tokens: number): Promise<void> {
  await set(page, async () => {
    await page.getByLabel('Temperature').fill('0');
    await page.getByLabel('Longest answer, tokens').fill(String(tokens));
  });
}

describe.skipIf(!existsSync(program) || !hasBrowser)('on the real engine, the page', () => {
  const stage = new Stage();
  let server: ChildProcess;

  beforeAll(async () => {
    const options = ['serve', '--port', '0', '--memory', '29MB'];
    server = spawn(program, options, { stdio: ['ignore', 'pipe', 'inherit'] });
    await stage.start(await address(server));
  });
  afterEach(() => stage.clear());
  afterAll(async () => {
    await stage.stop();
    const ended = new Promise((resolve) => server.on('exit', resolve));
    server.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('streams thinking and an answer, writes another, and keeps both', async () => {
    const page = await stage.open();
    await setGreedy(page, 300);
    await page.evaluate(() => {
      const seen = new Set<number>();
      Object.assign(window, { seen });
      new MutationObserver(() => {
        const answer = document.querySelector('article[aria-busy=true] > .prose');
        if (answer) seen.add(answer.textContent!.length);
      }).observe(document.body, { childList: true, characterData: true, subtree: true });
    });
    await send(page, 'Tell me a story about a fox.');
    await answered(page);
    const lengths = await page.evaluate(
      () => (window as unknown as { seen: Set<number> }).seen.size,
    );
    expect(lengths).toBeGreaterThan(2);
    expect(await answers(page).innerText()).toMatch(/\d+ tokens\s+[\d.]+ tokens\/s/);
    const text = await answers(page).locator('.prose').innerText();
    expect(text.length).toBeGreaterThan(50);
    await page.getByText('Thought').click();
    await expect.poll(() => answers(page).locator('.prose').count()).toBe(2);
    await page.getByText('Thought').click();

    await page.getByRole('button', { name: 'Answer again' }).click();
    await expect.poll(() => answers(page).innerText()).toContain('2/2');
    await answered(page);
    expect(await answers(page).locator('.prose').innerText()).toBe(text); // greedy: the same
    await page.reload();
    await expect.poll(() => answers(page).locator('.prose').innerText()).toBe(text);
    expect(await questions(page).innerText()).toContain('about a fox');
    expect(await answers(page).innerText()).toContain('2/2');
  });

  it('stops the engine, not only the text', async () => {
    const page = await stage.open();
    const hurry = await stage.slow(page);
    await send(page, 'Tell me a long story about a fox.');
    await answers(page).last().locator('.prose, .thinking').first().waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await answered(page);
    await hurry();
    expect(await answers(page).innerText()).toContain('Stopped here.');
    await expect
      .poll(async () => (await fetch(`${stage.url}metrics`)).text())
      .toMatch(/^flashmoe_requests_running(\{.*\})? 0$/m);
  });

  it('obeys the settings', async () => {
    const page = await stage.open();
    await setGreedy(page, 5);
    await set(page, () => page.getByLabel('Never').check());
    await send(page, 'Tell me a story.');
    await answered(page);
    expect(await page.getByText('Thought').count()).toBe(0);
    expect(await answers(page).innerText()).toContain('The limit of tokens was reached.');
    expect(await answers(page).innerText()).toContain('5 tokens');
  });

  it('shows a call, sends its result and gets the answer', async () => {
    const page = await stage.open();
    await setGreedy(page, 200);
    await set(page, async () => {
      await page.getByLabel('Never').check();
      await page.getByLabel('Functions').fill(JSON.stringify([weather]));
    });
    await send(page, 'What is the weather in Paris?');
    await answered(page);
    const call = page.getByRole('region', { name: 'Tool call get_weather' });
    expect(await call.innerText()).toContain('"city": "Paris"');
    await call.getByLabel('Result').fill('12°C, sunny');
    await page.getByRole('button', { name: 'Send the result' }).click();
    await expect.poll(() => answers(page).last().innerText()).toContain('sunny');
    await answered(page);
  });

  it('shows what the engine does, and asks for nothing while the panel is closed', async () => {
    const page = await stage.open();
    const asked: string[] = [];
    const left: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    page.on('requestfailed', (request) => left.push(new URL(request.url()).pathname));
    await setGreedy(page, 300);
    await send(page, 'Hello');
    await answered(page);
    expect(asked).not.toContain(kLive);

    await page.getByRole('button', { name: 'Engine', exact: true }).click();
    const panel = page.locator('#engine');
    const figure = (name: string) => panel.locator(`[data-live=${name}]`).innerText();
    const map = () =>
      panel.locator('figure canvas').evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
    await panel.locator('figure canvas').waitFor();
    const before = await map();
    const highest = { speed: 0, disk: 0, hits: 0 };
    const lit = { read: 0, used: 0 };
    let moved = false;
    await send(page, 'Tell me a long story about a fox and the sea.');
    await expect
      .poll(
        async () => {
          for (const name of ['speed', 'disk', 'hits'] as const) {
            highest[name] = Math.max(highest[name], Number(await figure(name)) || 0);
          }
          for (const name of ['read', 'used'] as const) {
            const words = await panel.locator(`figcaption .${name}`).innerText();
            lit[name] = Math.max(lit[name], Number.parseInt(words, 10));
          }
          moved ||= (await map()) !== before;
          return moved && Math.min(...Object.values(highest), ...Object.values(lit)) > 0;
        },
        { interval: 100, timeout: 30_000 },
      )
      .toBe(true);
    expect(highest.hits).toBeLessThan(100); // not all experts fit
    expect(await panel.innerText()).toMatch(/Expert slots\s+[\d.]+ MiB/);
    await answered(page);

    await page.getByRole('button', { name: 'Close the engine panel' }).click();
    // Only these: a chat's stream that the page closes at its end may count as failed as well.
    await expect.poll(() => left.filter((path) => path === kLive).length).toBe(1);
    expect(asked.filter((path) => path === kLive)).toHaveLength(1);
  });

  it('runs nothing that the model writes', async () => {
    const attacks = '<img src=x onerror="window.injected=1"> [click](javascript:window.injected=2)';
    const page = await stage.open();
    await page.route('**/v1/chat/completions', (route) => {
      const schema = { type: 'string', enum: [attacks] };
      const json_schema = { name: 'attack', strict: true, schema };
      const body = { ...route.request().postDataJSON() };
      body.response_format = { type: 'json_schema', json_schema };
      body.chat_template_kwargs = { enable_thinking: false };
      return route.continue({ postData: body });
    });
    await send(page, 'Attack!');
    await answered(page);
    const prose = answers(page).locator('.prose');
    expect(await prose.innerText()).toContain('<img src=x onerror=');
    expect(await prose.locator('img').count()).toBe(0);
    await prose.getByText('click').click();
    await page.waitForTimeout(200);
    expect(await page.evaluate(() => 'injected' in window)).toBe(false);
    expect(page.url().startsWith(stage.url)).toBe(true);
  });
});
