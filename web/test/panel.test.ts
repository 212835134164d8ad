import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { answered, onMock, send, useStage } from './browser.ts';

const stage = useStage();

function picture(page: Page): Promise<string> {
  return page
    .locator('#engine figure canvas')
    .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
}

describe('the engine panel', () => {
  it('moves while an answer is written', async () => {
    const page = await stage.open();
    if (stage.mock) Object.assign(stage.mock.state, { paceMs: 15, liveMs: 100 });
    await page.getByRole('button', { name: 'Engine', exact: true }).click();
    const speed = page.locator('[data-live=speed]');
    await speed.waitFor();
    await expect.poll(() => page.locator('#engine figure canvas').count()).toBe(1);
    const before = await picture(page);
    await send(page, 'Tell a long story');
    const speeds = new Set<string>();
    await expect
      .poll(async () => speeds.add(await speed.innerText()).size, { interval: 50, timeout: 20_000 })
      .toBeGreaterThan(1);
    await expect.poll(() => picture(page), { timeout: 10_000 }).not.toBe(before);
    expect(await page.locator('#engine').innerText()).toMatch(/[\d,]+ in memory/);
    expect(await page.locator('#engine').innerText()).toMatch(/Memory[\s\S]*(GiB|MiB)/);
    await page.keyboard.press('Escape');
    await answered(page);
  });

  onMock('listens only while it is open and seen', async () => {
    const page = await stage.open();
    const { state } = stage.mock!;
    expect(state.listeners).toBe(0);
    await page.getByRole('button', { name: 'Engine', exact: true }).click();
    await expect.poll(() => state.listeners).toBe(1);
    const hide = (value: string) =>
      page.evaluate((visibility) => {
        Object.defineProperty(document, 'visibilityState', {
          value: visibility,
          configurable: true,
        });
        document.dispatchEvent(new Event('visibilitychange'));
      }, value);
    await hide('hidden');
    await expect.poll(() => state.listeners).toBe(0);
    await hide('visible');
    await expect.poll(() => state.listeners).toBe(1);
    await page.getByRole('button', { name: 'Close the engine panel' }).click();
    await expect.poll(() => state.listeners).toBe(0);
  });

  onMock('says so where there are no figures', async () => {
    stage.mock!.state.hasLive = false;
    const page = await stage.open();
    stage.complaints.expected = /404/;
    await page.getByRole('button', { name: 'Engine', exact: true }).click();
    await page.getByText('does not tell what its engine is doing').waitFor();
  });

  onMock('names the expert under the pointer', async () => {
    const page = await stage.open();
    await page.getByRole('button', { name: 'Engine', exact: true }).click();
    const canvas = page.locator('#engine figure canvas');
    await canvas.hover({ position: { x: 1, y: 1 } });
    await page.getByText('layer 0, expert 0').waitFor();
  });
});
