// npm `openai`: responses, and completions.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import OpenAI from 'openai';

import {greedy, isPerson, openai, personSchema, plain, sum, weather, weatherQuestion, weatherResult} from './server.mjs';

const responses = openai.responses;
const tools = [{type: 'function', ...weather, strict: true}];

test('a response', async () => {
  const response = await responses.create({...plain, input: sum, metadata: {a: 'b'}});
  assert.match(response.output_text, /42/);
  assert.equal(response.status, 'completed');
  assert.deepEqual(response.metadata, {a: 'b'});
  assert.equal(response.usage.total_tokens,
               response.usage.input_tokens + response.usage.output_tokens);
});

test('a stream of events', async () => {
  const whole = await responses.create({...plain, input: sum});
  const types = [];
  let text = '', number = 0;
  for await (const event of await responses.create({...plain, input: sum, stream: true})) {
    assert.equal(event.sequence_number, number++);
    if (types.at(-1) !== event.type) types.push(event.type);
    if (event.type === 'response.output_text.delta') text += event.delta;
  }
  assert.equal(text, whole.output_text);
  assert.deepEqual(types, [
    'response.created', 'response.in_progress', 'response.output_item.added',
    'response.content_part.added', 'response.output_text.delta', 'response.output_text.done',
    'response.content_part.done', 'response.output_item.done', 'response.completed',
  ]);
  const final = await responses.stream({...plain, input: sum}).finalResponse();
  assert.equal(final.output_text, text);
});

test('thinking is an item', async () => {
  const request = {...greedy, input: sum, chat_template_kwargs: {enable_thinking: true}};
  const final = await responses.stream(request).finalResponse();
  assert.deepEqual(final.output.map((item) => item.type), ['reasoning', 'message']);
  assert.ok(final.output[0].content[0].text.length > 0);
  assert.match(final.output_text, /42/);
  assert.ok(final.usage.output_tokens_details.reasoning_tokens > 0);
});

for (const stream of [false, true]) {
  test(`a tool is called, and its result is used (stream: ${stream})`, async () => {
    const ask = (input) => stream ? responses.stream({...plain, tools, input}).finalResponse() :
                                    responses.create({...plain, tools, input});
    const input = [{role: 'user', content: weatherQuestion}];
    const response = await ask(input);
    const call = response.output.find((item) => item.type === 'function_call');
    assert.equal(call.name, 'get_weather');
    assert.deepEqual(JSON.parse(call.arguments), {city: 'Paris'});
    const result = {type: 'function_call_output', call_id: call.call_id, output: weatherResult};
    const next = await ask([...input, ...response.output, result]);
    assert.match(next.output_text, /sunny/);
  });
}

test('structured output', async () => {
  const response = await responses.parse({
    ...plain,
    input: 'Tell me about a pet.',
    text: {format: {type: 'json_schema', name: 'pet', strict: true, schema: personSchema}},
  });
  assert.ok(isPerson(response.output_text));
});

test('a limit makes it incomplete', async () => {
  const response = await responses.create(
      {...plain, input: 'Tell me a short story about a fox.', max_output_tokens: 16});
  assert.equal(response.status, 'incomplete');
  assert.equal(response.incomplete_details.reason, 'max_output_tokens');
});

test('what is not stored is refused', async () => {
  await assert.rejects(responses.create({...plain, input: 'Hi', previous_response_id: 'resp_1'}),
                       OpenAI.BadRequestError);
});

test('a text is continued', async () => {
  const request = {...greedy, prompt: 'Once upon a time', max_tokens: 20};
  const whole = await openai.completions.create(request);
  assert.ok(whole.choices[0].text.length > 0);
  assert.equal(whole.usage.completion_tokens, 20);
  assert.equal(whole.choices[0].finish_reason, 'length');
  let text = '';
  for await (const chunk of await openai.completions.create({...request, stream: true})) {
    text += chunk.choices[0].text;
  }
  assert.equal(text, whole.choices[0].text);
  const echoed = await openai.completions.create({...request, echo: true});
  assert.equal(echoed.choices[0].text, request.prompt + text);
  const scored = await openai.completions.create({...request, logprobs: 1});
  assert.equal(scored.choices[0].logprobs.tokens.length, 20);
});
