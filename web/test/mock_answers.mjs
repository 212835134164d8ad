// What the mock server answers: chosen by a word in the last message.

const prose = `A mixture-of-experts model has many small networks in each layer and asks only a few of them
for each token. Of 397 billion parameters, about 17 billion work at a time; the rest can wait on the disk.

## What is read, and when

1. The **router** of a layer scores all experts and takes the best ten.
2. Those that are in memory start at once; the others are read, each from *one* place in the file.
3. Results are added in a fixed order, so the answer does not depend on the disk.

| what | bytes a token | where it lives |
| --- | ---: | --- |
| attention and routers | 5.4 GB | memory |
| shared experts | 0.8 GB | memory |
| routed experts | 6.1 GB | memory, or disk |

The floor is simple arithmetic. With a hit rate of \`0.82\` and a disk that gives 3.2 GB/s:

\`\`\`python
def seconds_per_token(expert_bytes: float, hit_rate: float, disk: float) -> float:
    """What has to be read, over how fast it can be."""
    missing = expert_bytes * (1 - hit_rate)   # 1.1 GB
    return missing / disk

print(f"{1 / seconds_per_token(6.1e9, 0.82, 3.2e9):.1f} tokens/s at most")
\`\`\`

> A cache below one token's working set hits nothing at all: every layer pushes out what the next token
> would have wanted.

So the useful questions are *how much* fits, and *which* experts come back soon. See
[the routing traces](https://example.org/traces) for both.
`;

const injection = `Here is a page: <img src=x onerror="window.injected=1"> and <script>window.injected=2</script>

<div onclick="window.injected=3" style="position:fixed;inset:0">cover</div>

[a link](javascript:window.injected=4) and [another](data:text/html,<script>window.injected=5</script>)

![a picture](http://127.0.0.1:9/pixel.png) <svg onload="window.injected=6"></svg>

\`\`\`html
<script>window.injected = 7</script>
\`\`\`
`;

const thoughts = `The question is about where bytes come from, so start from the router.

- Ten of 512 experts a layer, 60 layers: 600 experts a token.
- Each is about **10 MB** at four bits.

That is 6 GB a token if nothing is kept.`;

const call = {
  id: 'call_weather',
  name: 'get_weather',
  arguments: '{"city": "Bern", "unit": "celsius", "days": [1, 2, 3]}',
};

function lastOf(messages, role) {
  return messages.findLast((message) => message.role === role);
}

/** {thinking, text, calls, error} for a request to /v1/chat/completions. */
export function answerFor(request) {
  const last = request.messages.at(-1);
  if (last.role === 'tool') return { text: `The tool says: **${last.content}**.` };
  const asked = lastOf(request.messages, 'user')?.content ?? '';
  const isOff = request.chat_template_kwargs?.enable_thinking === false;
  const thinking = isOff ? undefined : thoughts;
  if (/\bbusy\b/.test(asked)) return { status: 429, error: 'The queue is full (8 of 8 waiting).' };
  if (/\bbreak\b/.test(asked)) return { text: 'This will ', error: 'The disk failed: read error.' };
  if (/\binject\b/.test(asked)) return { text: injection };
  if (/\bweather\b/.test(asked)) return { thinking, calls: [call] };
  if (/\blong\b/.test(asked)) return { text: `${prose}\n`.repeat(12) };
  if (/\bexpert/i.test(asked)) return { thinking, text: prose };
  if (/\becho\b/.test(asked)) {
    return { text: `\`\`\`json\n${JSON.stringify(request, null, 1)}\n\`\`\`` };
  }
  return { text: `You said: ${asked}` };
}
