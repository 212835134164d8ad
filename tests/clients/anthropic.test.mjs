// npm `@anthropic-ai/sdk`: messages.
import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {anthropic, boundedWeather, greedy, isPerson, model, personSchema, sum, weather, weatherQuestion,
  weatherResult} from './server.mjs';

const {messages} = anthropic;
const hello = {...greedy, max_tokens: 200, messages: [{role: 'user', content: sum}]};
const toolOf = ({parameters: input_schema, ...described}) => ({...described, input_schema});
const askWeather = {
  ...hello,
  tools: [toolOf(weather)],
  messages: [{role: 'user', content: weatherQuestion}],
};

function textOf(message) {
  return message.content.filter((block) => block.type === 'text').map((block) => block.text).join('');
}

test('models are listed', async () => {
  const models = [];
  for await (const entry of anthropic.models.list()) models.push(entry);
  assert.equal(models.length, 1);
  assert.equal(models[0].type, 'model');
});

test('an answer', async () => {
  const message = await messages.create({...hello, system: 'You are a helpful assistant.'});
  assert.match(textOf(message), /42/);
  assert.equal(message.role, 'assistant');
  assert.equal(message.stop_reason, 'end_turn');
  assert.deepEqual(message.content.map((block) => block.type), ['text']);
  assert.ok(message.usage.output_tokens > 0);
});

test('a stream says the same', async () => {
  const whole = await messages.create(hello);
  const types = [];
  for await (const event of await messages.create({...hello, stream: true})) {
    if (types.at(-1) !== event.type) types.push(event.type);
  }
  assert.deepEqual(types, [
    'message_start', 'content_block_start', 'content_block_delta', 'content_block_stop',
    'message_delta', 'message_stop',
  ]);
  const final = await messages.stream(hello).finalMessage();
  assert.deepEqual(final.content, whole.content);
  assert.equal(final.stop_reason, whole.stop_reason);
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
});

test('thinking is a block, and may be sent back', async () => {
  const request = {...hello, thinking: {type: 'enabled', budget_tokens: 1024}, max_tokens: 2000};
  const final = await messages.stream(request).finalMessage();
  assert.deepEqual(final.content.map((block) => block.type), ['thinking', 'text']);
  assert.ok(final.content[0].thinking.length > 0);
  assert.match(textOf(final), /42/);
  const turns = [
    ...request.messages,
    {role: 'assistant', content: final.content},
    {role: 'user', content: 'Thank you!'},
  ];
  assert.equal((await messages.create({...request, messages: turns})).stop_reason, 'end_turn');
});

function callIn(message) {
  assert.equal(message.stop_reason, 'tool_use');
  const calls = message.content.filter((block) => block.type === 'tool_use');
  assert.equal(calls.length, 1);
  assert.equal(calls[0].name, 'get_weather');
  assert.deepEqual(calls[0].input, {city: 'Paris'});
  return calls[0];
}

for (const stream of [false, true]) {
  test(`a tool is called, and its result is used (stream: ${stream})`, async () => {
    const ask = (request) =>
        stream ? messages.stream(request).finalMessage() : messages.create(request);
    const message = await ask(askWeather);
    const result = {
      type: 'tool_result',
      tool_use_id: callIn(message).id,
      content: [{type: 'text', text: weatherResult}],
    };
    const turns = [
      ...askWeather.messages,
      {role: 'assistant', content: message.content},
      {role: 'user', content: [result]},
    ];
    const next = await ask({...askWeather, messages: turns});
    assert.equal(next.stop_reason, 'end_turn');
    assert.match(textOf(next), /sunny/);
  });
}

test('a call is forced, or forbidden', async () => {
  const greeting = {...hello, tools: [toolOf(boundedWeather)],
    messages: [{role: 'user', content: 'Hello!'}]};
  for (const tool_choice of [{type: 'any'}, {type: 'tool', name: 'get_weather'}]) {
    const message = await messages.create({...greeting, tool_choice});
    const call = message.content.find((block) => block.type === 'tool_use');
    assert.equal(typeof call.input.city, 'string');
  }
  const none = await messages.create({...askWeather, max_tokens: 60, tool_choice: {type: 'none'}});
  assert.deepEqual(none.content.filter((block) => block.type === 'tool_use'), []);
});

test('structured output', async () => {
  const message = await messages.create({
    ...hello,
    messages: [{role: 'user', content: 'Tell me about a pet.'}],
    output_config: {format: {type: 'json_schema', schema: personSchema}},
  });
  assert.ok(isPerson(textOf(message)));
});

test('limits and stop strings', async () => {
  const story = {...hello, messages: [{role: 'user', content: 'Tell me a short story about a fox.'}]};
  const short = await messages.create({...story, max_tokens: 5});
  assert.equal(short.stop_reason, 'max_tokens');
  assert.equal(short.usage.output_tokens, 5);
  // Of several, the one that came; with a stream as without.
  const request = {...hello, stop_sequences: ['never said', '=', '42']};
  const stopped = await messages.create(request);
  const streamed = await messages.stream(request).finalMessage();
  for (const message of [stopped, streamed]) {
    assert.equal(message.stop_reason, 'stop_sequence');
    assert.equal(message.stop_sequence, '=');
    assert.ok(textOf(message).length > 0);
    assert.doesNotMatch(textOf(message), /=/);
  }
  const whole = await messages.create({...hello, stop_sequences: ['never said']});
  assert.equal(whole.stop_reason, 'end_turn');
  assert.equal(whole.stop_sequence, null);
});

test('tokens are counted as they are used', async () => {
  const {input_tokens} = await messages.countTokens(
      {model, messages: askWeather.messages, tools: askWeather.tools});
  const {usage} = await messages.create(askWeather);
  assert.equal(input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
});

test('errors have a type', async () => {
  await assert.rejects(messages.create({...hello, messages: []}), (error) => {
    assert.ok(error instanceof Anthropic.BadRequestError);
    assert.equal(error.error.error.type, 'invalid_request_error');
    return true;
  });
});
