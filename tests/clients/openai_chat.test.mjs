// npm `openai`: chat completions.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import OpenAI from 'openai';

import {boundedWeather, isPerson, model, openai, personSchema, plain, sum, weather, weatherQuestion,
  weatherResult} from './server.mjs';

const chat = openai.chat.completions;
const hello = [{role: 'user', content: sum}];
const tools = [{type: 'function', function: weather}];
const askWeather = {...plain, tools, messages: [{role: 'user', content: weatherQuestion}]};

test('models are listed', async () => {
  const models = [];
  for await (const entry of openai.models.list()) models.push(entry);
  assert.equal(models.length, 1);
  assert.equal((await openai.models.retrieve(models[0].id)).id, models[0].id);
  await assert.rejects(openai.models.retrieve('no-such-model'), OpenAI.NotFoundError);
});

test('an answer', async () => {
  const answer = await chat.create({...plain, messages: hello});
  assert.match(answer.choices[0].message.content, /42/);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.equal(answer.object, 'chat.completion');
  const {prompt_tokens, completion_tokens, total_tokens} = answer.usage;
  assert.ok(prompt_tokens > 0 && completion_tokens > 0);
  assert.equal(prompt_tokens + completion_tokens, total_tokens);
});

test('a stream says the same', async () => {
  const whole = await chat.create({...plain, messages: hello});
  const stream = await chat.create(
      {...plain, messages: hello, stream: true, stream_options: {include_usage: true}});
  let text = '', finish, usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    finish ??= chunk.choices[0]?.finish_reason;
    usage ??= chunk.usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(finish, 'stop');
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
  const helper = chat.stream({...plain, messages: hello});
  assert.equal(await helper.finalContent(), text);
});

test('a conversation is remembered', async () => {
  // What is kept lies at multiples of 64 tokens.
  const content = 'You are a helpful assistant. Keep your answers short. '.repeat(30);
  const messages = [{role: 'system', content}, ...hello];
  const first = await chat.create({...plain, messages});
  const again = await chat.create({...plain, messages});
  assert.equal(again.choices[0].message.content, first.choices[0].message.content);
  messages.push(first.choices[0].message, {role: 'user', content: 'Thank you!'});
  const next = await chat.create({...plain, messages});
  for (const {usage} of [again, next]) {
    assert.ok(usage.prompt_tokens_details.cached_tokens >= 64);
    assert.ok(usage.prompt_tokens_details.cached_tokens < usage.prompt_tokens);
  }
});

test('thinking has a place of its own', async () => {
  const request = {...plain, messages: hello, chat_template_kwargs: {enable_thinking: true}};
  const {message} = (await chat.create(request)).choices[0];
  assert.ok(message.reasoning_content.length > 0);
  assert.match(message.content, /42/);
  assert.doesNotMatch(message.content, /think>/);
  let thought = '';
  for await (const chunk of await chat.create({...request, stream: true})) {
    thought += chunk.choices[0]?.delta.reasoning_content ?? '';
  }
  assert.equal(thought, message.reasoning_content);
});

function checkCall(call) {
  assert.equal(call.type, 'function');
  assert.equal(call.function.name, 'get_weather');
  assert.deepEqual(JSON.parse(call.function.arguments), {city: 'Paris'});
}

test('a tool is called, and its result is used', async () => {
  const answer = await chat.create(askWeather);
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  const {message} = answer.choices[0];
  assert.equal(message.tool_calls.length, 1);
  checkCall(message.tool_calls[0]);
  const result = {role: 'tool', tool_call_id: message.tool_calls[0].id, content: weatherResult};
  const next =
      await chat.create({...askWeather, messages: [...askWeather.messages, message, result]});
  assert.equal(next.choices[0].finish_reason, 'stop');
  assert.match(next.choices[0].message.content, /sunny/);
  assert.match(next.choices[0].message.content, /12/);
});

test('a call comes in pieces', async () => {
  const answer = await chat.stream(askWeather).finalChatCompletion();
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  checkCall(answer.choices[0].message.tool_calls[0]);
  assert.doesNotMatch(answer.choices[0].message.content ?? '', /tool_call|function/);
});

for (const stream of [false, true]) {
  test(`the client's own loop runs the tool (stream: ${stream})`, async () => {
    const cities = [];
    const runnable = {
      ...weather,
      parse: JSON.parse,
      function: ({city}) => {
        cities.push(city);
        return weatherResult;
      },
    };
    const runner = chat.runTools({...askWeather, stream, tools: [{type: 'function', function: runnable}]});
    assert.match(await runner.finalContent(), /sunny/);
    assert.deepEqual(cities, ['Paris']);
  });
}

test('a call is forced, or forbidden', async () => {
  const greeting = [{role: 'user', content: 'Hello!'}];
  const named = {type: 'function', function: {name: 'get_weather'}};
  for (const tool_choice of ['required', named]) {
    const forced = {...plain, tools: [{type: 'function', function: boundedWeather}], tool_choice};
    const {message} = (await chat.create({...forced, messages: greeting})).choices[0];
    assert.equal(message.tool_calls[0].function.name, 'get_weather');
    assert.equal(typeof JSON.parse(message.tool_calls[0].function.arguments).city, 'string');
  }
  const none = await chat.create({...askWeather, tool_choice: 'none', max_tokens: 60});
  assert.equal(none.choices[0].message.tool_calls, undefined);
});

test('structured output', async () => {
  const json_schema = {name: 'pet', strict: true, schema: personSchema};
  const request = {
    ...plain,
    messages: [{role: 'user', content: 'Tell me about a pet.'}],
    response_format: {type: 'json_schema', json_schema},
  };
  const answer = await chat.create(request);
  assert.ok(isPerson(answer.choices[0].message.content));
  const parsed = await chat.parse(request);
  assert.ok(isPerson(JSON.stringify(parsed.choices[0].message.parsed)));
  const streamed = await chat.stream(request).finalContent();
  assert.equal(streamed, answer.choices[0].message.content);
  // Ember may fill an object without end: cut it, and see that it began as JSON.
  const free = await chat.create({...request, max_tokens: 30, response_format: {type: 'json_object'}});
  assert.match(free.choices[0].message.content.trim(), /^\{/);
});

test('limits and stop strings', async () => {
  const story = [{role: 'user', content: 'Tell me a short story about a fox.'}];
  const short = await chat.create({...plain, messages: story, max_completion_tokens: 5});
  assert.equal(short.choices[0].finish_reason, 'length');
  assert.equal(short.usage.completion_tokens, 5);
  const stopped = await chat.create({...plain, messages: hello, stop: ['=']});
  assert.equal(stopped.choices[0].finish_reason, 'stop');
  assert.doesNotMatch(stopped.choices[0].message.content, /=/);
});

test('a seed decides', async () => {
  const story = [{role: 'user', content: 'Tell me a short story about a fox.'}];
  const request = {...plain, messages: story, temperature: 1, seed: 7, max_tokens: 40};
  const [first, second] = [await chat.create(request), await chat.create(request)];
  assert.equal(first.choices[0].message.content, second.choices[0].message.content);
});

test('log probabilities', async () => {
  const answer = await chat.create({...plain, messages: hello, logprobs: true, top_logprobs: 2});
  const {content} = answer.choices[0].logprobs;
  assert.equal(content.map((entry) => entry.token).join('').trim(),
               answer.choices[0].message.content.trim());
  for (const entry of content) {
    assert.ok(entry.logprob <= 0);
    assert.equal(entry.top_logprobs.length, 2);
    assert.deepEqual(entry.bytes, [...Buffer.from(entry.token)]);
    assert.equal(entry.top_logprobs[0].token, entry.token);  // greedy
  }
});

test('a logit bias forbids a token', async () => {
  const answer = await chat.create({...plain, messages: hello, logprobs: true, max_tokens: 1});
  const response = await fetch(`${openai.baseURL.replace(/\/v1$/, '')}/tokenize`, {
    method: 'POST',
    headers: {Authorization: `Bearer ${openai.apiKey}`, 'Content-Type': 'application/json'},
    body: JSON.stringify({content: answer.choices[0].logprobs.content[0].token}),
  });
  const {tokens} = await response.json();
  const other = await chat.create(
      {...plain, messages: hello, logprobs: true, max_tokens: 1, logit_bias: {[tokens[0]]: -100}});
  assert.notEqual(other.choices[0].logprobs.content[0].token,
                  answer.choices[0].logprobs.content[0].token);
});

test('errors name the field', async () => {
  await assert.rejects(chat.create({...plain, messages: hello, n: 2}), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, 'n');
    assert.equal(error.code, 'unsupported');
    return true;
  });
  await assert.rejects(chat.create({model, messages: []}), OpenAI.BadRequestError);
  const picture = {type: 'image_url', image_url: {url: 'data:image/png;base64,'}};
  await assert.rejects(chat.create({model, messages: [{role: 'user', content: [picture]}]}),
                       /messages\[0\]\.content\[0\]/);
});

test('a client may leave', async () => {
  const stream = await chat.create({
    ...plain,
    messages: [{role: 'user', content: 'Tell me a short story about a fox.'}],
    stream: true,
  });
  for await (const chunk of stream) {
    assert.equal(chunk.object, 'chat.completion.chunk');
    break;
  }
  const answer = await chat.create({...plain, messages: hello});
  assert.match(answer.choices[0].message.content, /42/);
});
