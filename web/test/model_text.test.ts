// What a model writes: thinking, calls, Markdown, and attempts to be more than text.
import { describe, expect, it } from 'vitest';
import { answered, answers, onMock, script, send, useStage } from './browser.ts';

const stage = useStage();

describe('thinking', () => {
  it('is folded, and opens', async () => {
    const page = await stage.open();
    await script(page, [
      { reasoning_content: 'Secretly, **I wonder**.' },
      { content: '\n\nThe answer.' },
    ]);
    await send(page, 'think');
    await answered(page);
    const thought = page.getByText('Secretly, I wonder.');
    expect(await thought.count()).toBe(0);
    await page.getByText('Thought').click();
    await thought.waitFor();
    expect(await thought.locator('strong').innerText()).toBe('I wonder');
    await page.getByText('Thought').click();
    await expect.poll(() => thought.count()).toBe(0);
  });
});

describe('tool calls', () => {
  it('are shown, and their typed results go back', async () => {
    const page = await stage.open();
    const call = (index: number, id: string, name: string, args: string) => ({
      tool_calls: [{ index, id, type: 'function', function: { name, arguments: args } }],
    });
    await script(
      page,
      [
        call(0, 'call_a', 'get_weather', '{"city": '),
        { tool_calls: [{ index: 0, function: { arguments: '"Bern"}' } }] },
        call(1, 'call_b', 'get_time', '{}'),
      ],
      'tool_calls',
    );
    await send(page, 'weather and time?');
    await answered(page);
    const weather = page.getByRole('region', { name: 'Tool call get_weather' });
    expect(await weather.innerText()).toContain('"city": "Bern"');
    await page.unroute('**/v1/chat/completions');
    await script(page, [{ content: 'It rains at noon.' }]);
    await weather.getByLabel('Result').fill('rain');
    await page
      .getByRole('region', { name: 'Tool call get_time' })
      .getByLabel('Result')
      .fill('12:00');
    const asked = page.waitForRequest('**/v1/chat/completions');
    await page.getByRole('button', { name: 'Send the results' }).click();
    const { messages } = (await asked).postDataJSON();
    expect(messages.slice(1)).toEqual([
      {
        role: 'assistant',
        content: '',
        tool_calls: [
          {
            id: 'call_a',
            type: 'function',
            function: { name: 'get_weather', arguments: '{"city": "Bern"}' },
          },
          { id: 'call_b', type: 'function', function: { name: 'get_time', arguments: '{}' } },
        ],
      },
      { role: 'tool', content: 'rain', tool_call_id: 'call_a' },
      { role: 'tool', content: '12:00', tool_call_id: 'call_b' },
    ]);
    await expect.poll(() => answers(page).last().innerText()).toContain('It rains at noon.');
    expect(await weather.innerText()).toContain('rain');
  });
});

describe('Markdown', () => {
  it('becomes headings, lists, tables and coloured code', async () => {
    const page = await stage.open();
    await script(page, [
      { content: '# Title\n\n1. one\n2. **two**\n\n| a | b |\n| - | -: |\n| 1 | 2 |\n\n' },
      { content: '- [x] done\n\n```cpp\nconst int a = 1;\n```\n' },
    ]);
    await send(page, 'markdown');
    await answered(page);
    const answer = answers(page);
    expect(await answer.getByRole('heading', { level: 1 }).innerText()).toBe('Title');
    expect(await answer.getByRole('listitem').count()).toBe(3);
    expect(await answer.getByRole('cell').allInnerTexts()).toEqual(['1', '2']);
    expect(await answer.getByRole('checkbox').isChecked()).toBe(true);
    expect(await answer.locator('.hljs-keyword, .hljs-type').allInnerTexts()).toContain('const');
  });

  onMock('keeps the elements of blocks that are done while the answer grows', async () => {
    stage.mock!.state.paceMs = 12;
    const page = await stage.open();
    await send(page, 'a long answer');
    await answers(page).getByRole('heading').first().waitFor();
    await answers(page)
      .locator('p')
      .first()
      .evaluate((p) => (p.id = 'kept'));
    await answers(page).getByRole('table').first().waitFor();
    expect(await page.locator('#kept').count()).toBe(1);
    await page.keyboard.press('Escape');
    await answered(page);
  });
});

describe('a streamed answer', () => {
  onMock.each(['experts', 'inject'])('looks as if it had come at once: %s', async (word) => {
    const page = await stage.open();
    await send(page, word);
    await answered(page);
    const streamed = await answers(page).locator('.prose').innerHTML();
    await page.reload();
    await answers(page).locator('.prose').waitFor();
    expect(await answers(page).locator('.prose').innerHTML()).toBe(streamed);
  });
});

describe('text that would be more', () => {
  const attacks = [
    '<img src=x onerror="window.injected=1">',
    '<script>window.injected=2</script>',
    '<div onclick="window.injected=3" style="position:fixed;inset:0">cover</div>',
    '[click](javascript:window.injected=4)',
    '[click](data:text/html,<script>window.injected=5</script>)',
    '<svg onload="window.injected=6"><animate onbegin="window.injected=7" attributeName=x></svg>',
    '![x" onerror="window.injected=8](http://127.0.0.1:9/x.png "y\\" onload=\\"window.injected=9")',
    '```"><img src=x onerror=window.injected=10>\n<img src=x onerror=window.injected=11>\n```',
    '<iframe srcdoc="<script>parent.injected=12</script>"></iframe>',
    '<a href="java&#x73;cript:window.injected=13">a</a>',
    '<math><mtext><table><mglyph><style><img src=x onerror=window.injected=14>',
    '<form action="https://example.org"><button formaction="javascript:injected=15">x</button></form>',
    '<kbd><img src=x onerror=window.injected=16></kbd>',
    'in <code><img src=x onerror=window.injected=19></code> and <pre><b onclick=injected=20>b</b></pre>',
    '| <img src=x onerror=window.injected=17> |\n| - |\n| <script>window.injected=18</script> |',
    '<base href="https://example.org/"><meta http-equiv="refresh" content="0;url=https://example.org">',
    '<style>* { background: url(https://example.org/x) }</style><link rel=stylesheet href=//example.org>',
    '![](//127.0.0.1:9/y.png) <b style="background:url(https://example.org/z)">b</b>',
  ];

  it('runs no script, fetches nothing and styles nothing', async () => {
    const page = await stage.open();
    await script(page, [
      { reasoning_content: attacks.join('\n\n') },
      { content: attacks.join('\n\n') },
      ...attacks.map((content) => ({ content: `\n\n${content}` })),
    ]);
    await send(page, `inject ${attacks[0]} ${attacks[1]}`);
    await answered(page);
    await page.getByText('Thought').click();
    const links = page.locator('.prose a');
    for (let i = 0; i < (await links.count()); ++i) {
      const href = await links.nth(i).getAttribute('href');
      if (href === null) await links.nth(i).click({ force: true });
      else expect(href).toMatch(/^http:\/\/127\.0\.0\.1:9\//);
    }
    await page.waitForTimeout(300);
    const prose = page.locator('.prose');
    expect(await page.evaluate(() => 'injected' in window)).toBe(false);
    expect(
      await prose.locator('script, iframe, form, style, link, meta, base, svg, math, img').count(),
    ).toBe(0);
    expect(await prose.locator('[style], [onclick], [onerror], [onload], [id]').count()).toBe(0);
    expect(await answers(page).innerText()).toContain('<script>window.injected=2</script>');
    expect(page.url()).toContain(new URL(stage.url).origin);
    // The stage itself fails if anything was requested from elsewhere or refused by the policy.
  });

  it('would be stopped by the policy, were it to get through', async () => {
    const page = await stage.open();
    stage.complaints.expected = /Content Security Policy|Trusted/;
    const refused = await page.evaluate(async () => {
      const outcomes: string[] = [];
      const attempt = (name: string, run: () => void) => {
        try {
          run();
          outcomes.push(`${name} ran`);
        } catch {
          outcomes.push(`${name} refused`);
        }
      };
      attempt('innerHTML', () => (document.createElement('p').innerHTML = '<b>x</b>'));
      // Later, because the debugger's own code may evaluate strings.
      setTimeout(() => attempt('eval', () => new Function('window.injected = 1')()));
      attempt('handler', () => document.body.setAttribute('onclick', 'window.injected = 2'));
      document.body.click();
      const fetched = await fetch('https://example.org/').then(
        () => 'fetch ran',
        () => 'fetch refused',
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
      return [...outcomes, fetched, 'injected' in window];
    });
    expect(refused).toEqual([
      'innerHTML refused',
      'handler refused',
      'eval refused',
      'fetch refused',
      false,
    ]);
  });

  it('is guarded by the same policy as a header', async () => {
    const response = await fetch(stage.url);
    const html = await response.text();
    const meta = html.match(/http-equiv="Content-Security-Policy" content="([^"]*)"/)?.[1];
    expect(meta).toContain("default-src 'none'");
    expect(response.headers.get('Content-Security-Policy')).toBe(`${meta}; frame-ancestors 'none'`);
  });
});
