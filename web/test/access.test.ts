// For everyone: by keyboard, by screen reader, on a phone.
import AxeBuilder from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { answered, answers, desktop, phone, script, send, useStage } from './browser.ts';

const stage = useStage();

const everything = [
  { reasoning_content: 'A thought with `code`.' },
  { content: '# Title\n\nSome [link](https://example.org) and `code`.\n\n- [x] done\n\n' },
  { content: '| a | b |\n| - | - |\n| 1 | 2 |\n\n> quoted\n\n![p](https://example.org/p.png)\n\n' },
  { content: '```python\ndef f(x):  # comment\n    return "text" + 1\n```\n' },
  { tool_calls: [{ index: 0, id: 'c', function: { name: 'f', arguments: '{"a": 1}' } }] },
];

// What lies over the chat makes it inert, and with it the heading and the main landmark.
const aboveTheChat = ['landmark-one-main', 'page-has-heading-one'];

async function offences(page: Page, without: string[] = []): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).disableRules(without).analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} ${target.join(' ')}: ${failureSummary}`),
  );
}

async function fill(page: Page): Promise<void> {
  await script(page, everything, 'tool_calls');
  await send(page, 'Show everything');
  await answered(page);
  await page.getByText('Thought').click();
  await answers(page).hover();
}

describe.each(['light', 'dark'] as const)(
  'in %s colours, axe finds nothing wrong',
  (colorScheme) => {
    it('with a new chat', async () => {
      expect(await offences(await stage.open({ ...desktop, colorScheme }))).toEqual([]);
    });

    it('with an answer that has everything, beside the panel', async () => {
      const page = await stage.open({ ...desktop, colorScheme });
      await fill(page);
      await page.getByRole('button', { name: 'Engine', exact: true }).click();
      await page.locator('#engine').waitFor();
      await page.waitForTimeout(300);
      expect(await offences(page)).toEqual([]);
    });

    it('in the settings', async () => {
      const page = await stage.open({ ...desktop, colorScheme });
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByLabel('Functions').fill('[');
      expect(await offences(page)).toEqual([]);
    });

    it('on a phone: chat, list, panel', async () => {
      const page = await stage.open({ ...phone, colorScheme });
      await fill(page);
      expect(await offences(page)).toEqual([]);
      await page.getByRole('button', { name: 'Show conversations' }).click();
      expect(await offences(page, aboveTheChat)).toEqual([]);
      await page.getByRole('button', { name: 'Back to the chat' }).click();
      await page.getByRole('button', { name: 'Engine', exact: true }).click();
      await page.waitForTimeout(300);
      expect(await offences(page, aboveTheChat)).toEqual([]);
    });
  },
);

describe('on a phone', () => {
  it('nothing is wider than the screen', async () => {
    const page = await stage.open(phone);
    await fill(page);
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    expect(await width()).toBe(phone.viewport.width);
    const scroller = page.getByRole('region', { name: 'Conversation' });
    expect(await scroller.evaluate((e) => e.scrollWidth <= e.clientWidth)).toBe(true);
    const composer = await page.getByLabel('Message', { exact: true }).boundingBox();
    expect(composer!.y + composer!.height).toBeLessThan(phone.viewport.height);
  });

  it('buttons are large enough for a thumb', async () => {
    const page = await stage.open(phone);
    for (const name of ['Show conversations', 'New chat', 'Engine', 'Settings', 'Send']) {
      const box = await page.getByRole('button', { name, exact: true }).boundingBox();
      expect(Math.min(box!.width, box!.height), name).toBeGreaterThanOrEqual(44);
    }
  });

  it('the list covers the chat and gives way to what is chosen', async () => {
    const page = await stage.open(phone);
    await script(page, [{ content: 'An answer.' }]);
    await send(page, 'a first one');
    await answered(page);
    await page.getByRole('button', { name: 'Show conversations' }).click();
    expect(await page.locator('main').evaluate((main: HTMLElement) => main.inert)).toBe(true);
    await page.getByRole('button', { name: 'a first one', exact: true }).click();
    await expect.poll(() => page.getByRole('navigation').count()).toBe(0);
    expect(await page.locator('main').evaluate((main: HTMLElement) => main.inert)).toBe(false);
  });
});

describe('on a tablet', () => {
  it('there is room for the list or the panel, and for what one does', async () => {
    const page = await stage.open({ viewport: { width: 1024, height: 768 } });
    await page.getByRole('button', { name: 'Engine', exact: true }).click();
    await expect.poll(() => page.getByRole('navigation').count()).toBe(0);
    await page.getByLabel('Message', { exact: true }).fill('x');
    await page.getByRole('button', { name: 'Send', exact: true }).click({ trial: true });
    await page.getByRole('button', { name: 'Show conversations' }).click();
    await page.getByRole('navigation').waitFor();
    expect(await page.locator('#engine').count()).toBe(0);
  });
});

describe('by keyboard', () => {
  it('a message can be written as soon as the page is there', async () => {
    const page = await stage.open();
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label')))
      .toBe('Message');
    await page.keyboard.type('one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two');
    expect(await page.getByLabel('Message', { exact: true }).inputValue()).toBe('one\ntwo');
  });

  it('everything can be reached, and is seen to be', async () => {
    const page = await stage.open();
    await fill(page);
    const reached = new Set<string>();
    for (let i = 0; i < 60; ++i) {
      await page.keyboard.press('Tab');
      const [name, isSeen] = await page.evaluate(() => {
        const element = document.activeElement!;
        let node: Element | null = element;
        let opacity = 1;
        for (; node; node = node.parentElement) opacity *= Number(getComputedStyle(node).opacity);
        const label = element.getAttribute('aria-label') ?? element.textContent!.trim();
        return [label, opacity === 1 || element.matches(':disabled')] as const;
      });
      expect(isSeen, name).toBe(true);
      reached.add(name);
    }
    for (const name of [
      'New chat',
      'Settings',
      'Copy the message',
      'Edit and send again',
      'Copy the answer',
      'Answer again',
      'Copy',
      'Table',
      'Conversation',
      'Send the result',
    ]) {
      expect([...reached]).toContain(name);
    }
  });

  it('Escape stops, Ctrl+Shift+O starts anew', async () => {
    const page = await stage.open();
    await stage.slow(page);
    await send(page, 'Tell a long story');
    await page.getByRole('button', { name: 'Stop' }).waitFor();
    await page.keyboard.press('Escape');
    await answered(page);
    await page.keyboard.press('Control+Shift+O');
    await expect.poll(() => answers(page).count()).toBe(0);
  });

  it('the focus follows what opens and closes', async () => {
    const focused = (page: Page) =>
      page.evaluate(() => document.activeElement!.getAttribute('aria-label'));
    const page = await stage.open();
    await page.getByRole('button', { name: 'Hide conversations' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => focused(page)).toBe('Show conversations');
    const small = await stage.open(phone);
    await small.getByRole('button', { name: 'Engine', exact: true }).focus();
    await small.keyboard.press('Enter');
    await expect.poll(() => focused(small)).toBe('Close the engine panel');
    await small.keyboard.press('Escape');
    await expect.poll(() => focused(small)).toBe('Engine');
  });

  it('the settings hold the focus and give it back', async () => {
    const page = await stage.open();
    await page.getByRole('button', { name: 'Settings' }).focus();
    await page.keyboard.press('Enter');
    for (let i = 0; i < 40; ++i) {
      await page.keyboard.press('Tab');
      const isInside = await page.evaluate(
        () =>
          document.activeElement === document.body || !!document.activeElement!.closest('dialog'),
      );
      expect(isInside).toBe(true);
    }
    await page.keyboard.press('Escape');
    const label = await page.evaluate(() => document.activeElement!.getAttribute('aria-label'));
    expect(label).toBe('Settings');
  });
});

describe('by screen reader', () => {
  it('the end of an answer is told, not each token', async () => {
    const page = await stage.open();
    await script(page, [{ content: 'It ' }, { content: 'is ' }, { content: 'noon.' }]);
    await page.evaluate(() => {
      const told: string[] = [];
      Object.assign(window, { told });
      const region = document.querySelector('[aria-live=polite]')!;
      new MutationObserver(() => told.push(region.textContent!)).observe(region, {
        childList: true,
        characterData: true,
        subtree: true,
      });
    });
    await send(page, 'time?');
    await answered(page);
    await expect
      .poll(() => page.evaluate(() => (window as unknown as { told: string[] }).told))
      .toEqual(['Waiting for the answer.', 'Answer: It is noon.']);
  });
});
