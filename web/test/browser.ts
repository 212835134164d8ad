// A Chromium, a server and a page for the tests. FLASHMOE_URL: a real server instead of the mock.
import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startMock } from './mock_server.mjs';

export type Mock = Awaited<ReturnType<typeof startMock>>;

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const hasBrowser = existsSync(executablePath);

export const realUrl = process.env.FLASHMOE_URL;

/** Tests of what only the mock can be made to do. */
export const onMock = it.skipIf(realUrl !== undefined);

const kArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const desktop = { viewport: { width: 1440, height: 900 } };
export const phone = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
};

/** Whatever a page did that no page should: errors, forbidden things, requests to elsewhere. */
class Complaints {
  readonly found: string[] = [];
  expected: RegExp | null = null;

  watch(page: Page, origin: string): void {
    page.on('pageerror', (error) => this.add(`error: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.add(`console: ${message.text()}`);
    });
    page.context().on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !/^(data|blob|about):/.test(url)) this.add(`request: ${url}`);
    });
  }

  private add(complaint: string): void {
    if (this.expected === null || !this.expected.test(complaint)) this.found.push(complaint);
  }
}

export class Stage {
  mock: Mock | null = null;
  complaints = new Complaints();
  private realUrl: string | undefined;
  private browser!: Browser;
  private pages: Page[] = [];

  get url(): string {
    return this.realUrl ?? this.mock!.url;
  }

  /** `url`: of a server of the test's own; otherwise FLASHMOE_URL's, or the mock. */
  async start(url = realUrl): Promise<void> {
    this.realUrl = url;
    if (!hasBrowser) return;
    if (url === undefined) this.mock = await startMock();
    this.browser = await chromium.launch({ executablePath, args: kArguments });
  }

  async open(options: BrowserContextOptions = desktop): Promise<Page> {
    const context = await this.browser.newContext(options);
    const page = await context.newPage();
    this.pages.push(page);
    this.complaints.watch(page, new URL(this.url).origin);
    await page.goto(this.url);
    await page.getByLabel('Message', { exact: true }).waitFor();
    return page;
  }

  /**
   * Answers come slowly from now on: from the mock, or over a line that is throttled. The result
   * ends that.
   */
  async slow(page: Page): Promise<() => Promise<void>> {
    const { mock } = this;
    if (mock) {
      mock.state.paceMs = 15;
      return async () => void (mock.state.paceMs = 4);
    }
    const session = await page.context().newCDPSession(page);
    const throttle = async (downloadThroughput: number) => {
      const conditions = { offline: false, latency: 0, downloadThroughput, uploadThroughput: -1 };
      await session.send('Network.emulateNetworkConditions', conditions);
    };
    await throttle(1500); // bytes a second: about 17 tokens
    return () => throttle(-1);
  }

  async clear(): Promise<void> {
    for (const page of this.pages.splice(0)) await page.context().close();
    const { found } = this.complaints;
    this.complaints = new Complaints();
    if (this.mock) {
      Object.assign(this.mock.state, { paceMs: 4, liveMs: 500, apiKey: '', hasLive: true });
      this.mock.state.requests.length = 0;
    }
    expect(found).toEqual([]);
  }

  async stop(): Promise<void> {
    await this.browser?.close();
    await this.mock?.close();
  }
}

/** A stage for the tests of a file; after each test, nothing must have been complained about. */
export function useStage(): Stage {
  const stage = new Stage();
  beforeAll(() => stage.start());
  beforeEach(({ skip }) => skip(!hasBrowser, 'no Chromium'));
  afterEach(() => stage.clear());
  afterAll(() => stage.stop());
  return stage;
}

export async function send(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.keyboard.press('Enter');
}

/** Until no answer is being written. */
export async function answered(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Send', exact: true }).waitFor({ timeout: 120_000 });
}

export function answers(page: Page) {
  return page.getByRole('article', { name: 'Answer' });
}

export function questions(page: Page) {
  return page.getByRole('article', { name: 'You' });
}

/** Answers the page's next requests as a server would, whatever the server is. */
export async function script(page: Page, deltas: object[], finish = 'stop'): Promise<void> {
  const chunks = [
    ...deltas.map((delta) => ({ choices: [{ index: 0, delta, finish_reason: null }] })),
    { choices: [{ index: 0, delta: {}, finish_reason: finish }] },
  ];
  const body = `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`;
  await page.route('**/v1/chat/completions', (route) =>
    route.fulfill({ status: 200, contentType: 'text/event-stream', body }),
  );
}
