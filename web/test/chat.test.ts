import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { answered, answers, questions, onMock, script, send, useStage } from './browser.ts';

const stage = useStage();

describe('a chat', () => {
  it('sends a message and streams the answer', async () => {
    const page = await stage.open();
    await stage.slow(page);
    // How long the answer was, each time that it was drawn.
    await page.evaluate(() => {
      const seen: number[] = [];
      Object.assign(window, { seen });
      new MutationObserver(() => {
        const answer = document.querySelector('article[aria-busy=true] > .prose');
        if (answer) seen.push(answer.textContent!.length);
      }).observe(document.body, { childList: true, characterData: true, subtree: true });
    });
    await send(page, 'Tell me about experts');
    await expect.poll(() => questions(page).count()).toBe(1);
    await answered(page);
    const seen = await page.evaluate(() => (window as unknown as { seen: number[] }).seen);
    expect(new Set(seen).size).toBeGreaterThan(2);
    expect(await answers(page).count()).toBe(1);
    expect(await page.title()).toContain('Tell me about experts');
    expect(await answers(page).last().innerText()).toMatch(/\d tokens?/);
  });

  it('stops, and keeps what was written', async () => {
    const page = await stage.open();
    await stage.slow(page);
    const cancelled = stage.mock?.state.cancelled ?? 0;
    await send(page, 'Tell a long story');
    await expect
      .poll(async () => (await answers(page).last().innerText()).length, { timeout: 20_000 })
      .toBeGreaterThan(20);
    await page.getByRole('button', { name: 'Stop' }).click();
    await answered(page);
    expect(await answers(page).last().innerText()).toContain('Stopped here.');
    if (stage.mock) await expect.poll(() => stage.mock!.state.cancelled).toBe(cancelled + 1);
    const text = await answers(page).last().innerText();
    await page.waitForTimeout(200);
    expect(await answers(page).last().innerText()).toBe(text);
  });

  it('keeps the conversation over a reload, even in the middle of an answer', async () => {
    const page = await stage.open();
    const hurry = await stage.slow(page);
    await send(page, 'Tell a long story');
    await expect
      .poll(async () => (await answers(page).last().innerText()).length, { timeout: 20_000 })
      .toBeGreaterThan(100);
    await page.waitForTimeout(1200); // it is saved once a second
    await hurry();
    await page.reload();
    expect(await questions(page).innerText()).toContain('Tell a long story');
    await expect.poll(() => answers(page).last().innerText()).toContain('Stopped here.');
    expect((await answers(page).last().innerText()).length).toBeGreaterThan(100);
  });

  it('answers again and edits, with the old versions beside the new', async () => {
    const page = await stage.open();
    await script(page, [{ content: 'first answer' }]);
    await send(page, 'first question');
    await answered(page);
    await page.unroute('**/v1/chat/completions');
    await script(page, [{ content: 'second answer' }]);
    await page.getByRole('button', { name: 'Answer again' }).click();
    await expect.poll(() => answers(page).innerText()).toContain('second answer');
    await expect.poll(() => answers(page).innerText()).toContain('2/2');
    await answers(page).getByRole('button', { name: 'Previous version' }).click();
    await expect.poll(() => answers(page).innerText()).toContain('first answer');

    await page.getByLabel('Message', { exact: true }).focus();
    await page.keyboard.press('ArrowUp');
    await page.getByLabel('Edited message').fill('edited question');
    await page.keyboard.press('Enter');
    await answered(page);
    expect(await questions(page).innerText()).toContain('edited question');
    await questions(page).getByRole('button', { name: 'Previous version' }).click();
    await expect.poll(() => answers(page).innerText()).toContain('2/2');
    expect(await questions(page).innerText()).toContain('first question');
  });

  it('copies an answer as it was written', async () => {
    const page = await stage.open();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await script(page, [{ content: 'some **bold** words\n\n```js\nlet a;\n```' }]);
    await send(page, 'copy this');
    await answered(page);
    await page.getByRole('button', { name: 'Copy the answer' }).click();
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    await expect.poll(copied).toBe('some **bold** words\n\n```js\nlet a;\n```');
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await expect.poll(copied).toBe('let a;');
  });
});

describe('conversations', () => {
  it('are listed, renamed, exported, deleted and brought back', async () => {
    const page = await stage.open();
    await script(page, [{ content: 'An answer.' }]);
    await send(page, 'about whales');
    await answered(page);
    await page.getByRole('button', { name: 'New chat' }).click();
    await send(page, 'about trees');
    await answered(page);
    const list = page.getByRole('navigation', { name: 'Conversations' });
    expect(await list.getByRole('listitem').count()).toBe(2);

    await list.getByRole('button', { name: 'about whales', exact: true }).click();
    await expect.poll(() => questions(page).innerText()).toContain('about whales');
    await list.getByRole('button', { name: 'Rename about whales' }).click();
    await page.getByLabel('Title').fill('Whales & co');
    await page.keyboard.press('Enter');
    await list.getByRole('button', { name: 'Whales & co', exact: true }).waitFor();

    const [file] = await Promise.all([
      page.waitForEvent('download'),
      list.getByRole('button', { name: 'Export Whales & co' }).click(),
    ]);
    expect(file.suggestedFilename()).toBe('whales-co.md');
    expect(await readFile(await file.path(), 'utf8')).toBe(
      '# Whales & co\n\n## You\n\nabout whales\n\n## Answer\n\nAn answer.\n',
    );

    await list.getByRole('button', { name: 'Delete Whales & co' }).click();
    await expect.poll(() => list.getByRole('listitem').count()).toBe(1);
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect.poll(() => list.getByRole('listitem').count()).toBe(2);
    await page.reload();
    await list.getByRole('button', { name: 'Whales & co', exact: true }).waitFor();
  });

  it('go to a file and come back from it', async () => {
    const page = await stage.open();
    await script(page, [{ content: 'Kept.' }]);
    await send(page, 'to the file');
    await answered(page);
    await page.getByRole('button', { name: 'Settings' }).click();
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export all' }).click(),
    ]);
    const path = await file.path();
    const other = await stage.open();
    await other.getByRole('button', { name: 'Settings' }).click();
    await other.getByLabel('Import').setInputFiles(path);
    await other.getByText('Conversations in the file: 1; new here: 1.').waitFor();
    await other.keyboard.press('Escape');
    await other.getByRole('button', { name: 'to the file', exact: true }).click();
    await expect.poll(() => answers(other).innerText()).toContain('Kept.');
  });

  it('are seen by another tab', async () => {
    const page = await stage.open();
    const tab = await page.context().newPage();
    await tab.goto(stage.url);
    await script(page, [{ content: 'Here.' }]);
    await send(page, 'from one tab');
    await answered(page);
    await tab.getByRole('button', { name: 'from one tab', exact: true }).click();
    await expect.poll(() => answers(tab).innerText()).toContain('Here.');
  });
});

describe('settings', () => {
  it('go along with a request', async () => {
    const page = await stage.open();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByLabel('System prompt').fill('Answer in verse.');
    await page.getByLabel('Temperature').fill('0.3');
    await page.getByLabel('Top k').fill('20');
    await page.getByLabel('Never').check();
    await page.keyboard.press('Escape');
    const asked = page.waitForRequest('**/v1/chat/completions');
    await script(page, [{ content: 'ok' }]);
    await send(page, 'hello');
    const body = (await asked).postDataJSON();
    expect(body).toMatchObject({
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0.3,
      top_k: 20,
      chat_template_kwargs: { enable_thinking: false },
      messages: [
        { role: 'system', content: 'Answer in verse.' },
        { role: 'user', content: 'hello' },
      ],
    });
    expect(body).not.toHaveProperty('top_p');
    await page.reload();
    await expect.poll(() => page.getByText('Thinking: off').count()).toBe(1);
  });

  it('change the theme at once', async () => {
    const page = await stage.open();
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByLabel('Dark').check();
    expect(await ground()).not.toBe(light);
  });
});

describe('what goes wrong', () => {
  onMock('is told in words: a full queue', async () => {
    const page = await stage.open();
    stage.complaints.expected = /429/;
    await send(page, 'busy');
    await expect
      .poll(() => page.getByRole('alert').innerText())
      .toBe('The queue is full (8 of 8 waiting). Try again in 3 s.');
  });

  onMock('is told in words: an error in the middle', async () => {
    const page = await stage.open();
    await send(page, 'break');
    await expect.poll(() => page.getByRole('alert').innerText()).toContain('read error');
    expect(await answers(page).innerText()).toContain('This will');
  });

  onMock('is told in words: a missing key, until it is there', async () => {
    stage.mock!.state.apiKey = 'secret';
    stage.complaints.expected = /401/;
    const page = await stage.open();
    await page.getByText('asks for an API key').first().waitFor();
    await page.locator('main').getByRole('button', { name: 'Settings' }).first().click();
    await page.getByLabel('API key').fill('secret');
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByText('asks for an API key').count()).toBe(0);
    await send(page, 'hello');
    await answered(page);
    expect(await answers(page).innerText()).toContain('You said: hello');
    expect(await page.evaluate(() => localStorage.getItem('flashmoe.settings'))).not.toContain(
      'secret',
    );
  });

  it('is told in words: a server that is gone', async () => {
    const page = await stage.open();
    stage.complaints.expected = /ERR_FAILED/;
    await page.route('**/v1/chat/completions', (route) => route.abort());
    await send(page, 'hello?');
    await expect.poll(() => page.getByRole('alert').innerText()).toContain('does not answer');
  });
});
