// Two bits a weight: too coarse to write JSON unaided. With tools given, what is sampled can only
// be a call that validates. Run by run.mjs with a Q2_K model.
import addFormats from 'ajv-formats';
import Ajv from 'ajv';
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {anthropic, model, openai, plain, weather, weatherQuestion, weatherResult} from './server.mjs';

const kRequests = 200;
const kAtOnce = 4;
const kTokens = 1000;  // more than the longest call of the tools below

const text = (maxLength, more = {}) => ({type: 'string', maxLength, ...more});
const list = (items, maxItems, more = {}) => ({type: 'array', items, maxItems, ...more});
const whole = (minimum, maximum) => ({type: 'integer', minimum, maximum});
const closed = (properties, required = Object.keys(properties)) =>
    ({type: 'object', properties, required, additionalProperties: false});
const tool = (name, description, parameters) => ({name, description, parameters});

// Everything has an end: at a high temperature a model may go on for ever.
const tools = [
  tool('calculator', 'Evaluate an arithmetic expression.',
       closed({expression: text(40, {pattern: '^[0-9+*/(). -]+$'})})),
  tool('bash', 'Run a command.',
       closed({command: text(60), timeout: whole(1, 600), background: {type: 'boolean'}}, ['command'])),
  tool('get_weather', 'Look up the weather.',
       closed({city: text(30), unit: {enum: ['celsius', 'fahrenheit']}}, ['city'])),
  tool('read_file', 'Read a file.', closed({path: text(50), lines: list(whole(1, 9999), 2, {minItems: 2})}, ['path'])),
  tool('get_time', 'Tell the time.', closed({timezone: text(30, {pattern: '^[A-Z][a-z]+/[A-Z][A-Za-z_]+$'})})),
  tool('no_arguments', 'Do what is to be done.', closed({})),
  tool('nothing-said', undefined, {type: 'object', properties: {}}),
  tool('set_alarm', 'Set an alarm.', closed({at: {type: 'string', format: 'date-time'}, label: text(20)}, ['at'])),
  tool('book', 'Book a room.',
       closed({day: {type: 'string', format: 'date'}, nights: whole(1, 30), guests: list(closed({name: text(16), age: whole(0, 120)}), 3, {minItems: 1})})),
  tool('pay', 'Pay somebody.',
       closed({to: {type: 'string', format: 'email', maxLength: 40}, cents: whole(1, 100000), note: {anyOf: [text(30), {type: 'null'}]}})),
  tool('move', 'Move the arm.',
       closed({x: {type: 'number', minimum: -1, maximum: 1}, y: {type: 'number', minimum: 0, exclusiveMaximum: 2.5}, grip: {type: 'boolean'}})),
  tool('tag', 'Tag an entry.', closed({id: {type: 'string', format: 'uuid'}, tags: list(text(12, {pattern: '^[a-z-]+$'}), 4)})),
  tool('ping', 'Ping a machine.', closed({host: {type: 'string', format: 'ipv4'}, count: {enum: [1, 2, 3, 10]}}, ['host'])),
  tool('set', 'Set a value.', closed({key: text(12), value: {anyOf: [whole(0, 9), text(10), {type: 'boolean'}, {type: 'null'}]}})),
  tool('matrix', 'Multiply.', closed({rows: list(list(whole(-9, 9), 2, {minItems: 2}), 2, {minItems: 2})})),
  tool('draw', 'Draw a shape.',
       closed({shape: {oneOf: [closed({kind: {const: 'circle'}, r: whole(1, 50)}), closed({kind: {const: 'box'}, w: whole(1, 50), h: whole(1, 50)})]}})),
  tool('chain', 'Link numbers.',
       {...closed({first: {$ref: '#/$defs/link'}}),
        $defs: {last: closed({value: whole(0, 99)}),
                link: closed({value: whole(0, 99), next: {anyOf: [{type: 'null'}, {$ref: '#/$defs/last'}]}})}}),
  tool('label', 'Label it.', closed({labels: {type: 'object', additionalProperties: whole(0, 5), maxProperties: 2, propertyNames: {pattern: '^[a-z]{1,6}$'}}})),
  tool('translate', 'Translate a text.', closed({text: text(60, {minLength: 1}), to: {enum: ['de', 'fr', 'ja', '\u4e2d\u6587']}})),
  tool('odd.names:1', 'Names that must be escaped.', closed({'key with "quotes"': text(10), '\u00e9': {const: '</param'}})),
  tool('step', 'Go up or down.', closed({by: {type: 'integer', multipleOf: 5, minimum: -20, maximum: 20}})),
  tool('version', 'Take a version.', closed({v: {type: 'string', pattern: '^[0-9]{1,3}(\\.[0-9]{1,3}){2}$'}})),
];

const prompts = [
  'Hello!', weatherQuestion, 'What is 17 + 25?', 'Tell me a short story about a fox.', 'List the files here.',
  'What time is it in Berlin and in Tokyo?', 'Wie sp\u00e4t ist es?', '\u4f60\u597d', 'Read /etc/hosts, then ping it.',
  'Do not call any tool.', '{"name": "broken", "arguments": {', '</tool_call><|im_end|>', 'Repeat: \\" \\\\ \\u0000 "',
  'Pay 5 to a@b.org and tell me.', 'Book a room for Ann and Bob, two nights.', '\ud83d\ude80\ud83d\ude80', 'x'.repeat(200),
  'Multiply [[1,2],[3,4]] by itself.', 'Draw a circle and a box.', 'The weather in Paris, London and Rome, please.',
];
const temperatures = [0, 0.3, 0.7, 1, 1.5, 2];

// Numbers in [0, n), the same each time.
function random(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * n);
  };
}

function makeRequest(i) {
  const pick = random(i + 1);
  pick(1);
  const chosen = [...Array(1 + pick(5))].map(() => tools[pick(tools.length)]);
  const unique = [...new Set([tools[i % tools.length], ...chosen])];
  return {
    tools: unique,
    named: pick(2) === 0 ? undefined : unique[pick(unique.length)].name,
    prompt: prompts[pick(prompts.length)],
    temperature: temperatures[pick(temperatures.length)],
    parallel: pick(2) === 0,
    stream: pick(2) === 0,
    seed: i,
  };
}

// Each gives [{name, arguments: text}] for a request, and the reason why the answer ended.
const apis = {
  async chat(r) {
    const body = {
      ...plain, temperature: r.temperature, seed: r.seed, max_tokens: kTokens, parallel_tool_calls: r.parallel,
      messages: [{role: 'user', content: r.prompt}], tools: r.tools.map((t) => ({type: 'function', function: t})),
      tool_choice: r.named ? {type: 'function', function: {name: r.named}} : 'required',
    };
    const {choices: [{message, finish_reason}]} = r.stream ?
        await openai.chat.completions.stream(body).finalChatCompletion() :
        await openai.chat.completions.create(body);
    assert.ok(!message.content, 'no text beside a call that was required');
    return {calls: (message.tool_calls ?? []).map((call) => call.function), reason: finish_reason};
  },
  async responses(r) {
    const body = {
      ...plain, temperature: r.temperature, seed: r.seed, max_output_tokens: kTokens, parallel_tool_calls: r.parallel,
      input: r.prompt, tools: r.tools.map((t) => ({type: 'function', ...t})),
      tool_choice: r.named ? {type: 'function', name: r.named} : 'required',
    };
    const response = r.stream ? await openai.responses.stream(body).finalResponse() : await openai.responses.create(body);
    return {calls: response.output.filter((item) => item.status === 'completed'), reason: response.status};
  },
  async messages(r) {
    const body = {
      model, temperature: r.temperature, seed: r.seed, max_tokens: kTokens,
      messages: [{role: 'user', content: r.prompt}],
      tools: r.tools.map(({name, description, parameters}) => ({name, description, input_schema: parameters})),
      tool_choice: {...(r.named ? {type: 'tool', name: r.named} : {type: 'any'}), disable_parallel_tool_use: !r.parallel},
    };
    const message = r.stream ? await anthropic.messages.stream(body).finalMessage() : await anthropic.messages.create(body);
    return {
      calls: message.content.map(({name, input}) => ({name, arguments: JSON.stringify(input)})),
      reason: message.stop_reason,
    };
  },
};

const ajv = new Ajv({strict: false});
addFormats(ajv);

const isValid = (request, call) => {
  const {parameters} = request.tools.find((t) => t.name === call.name);
  try {
    return ajv.validate(parameters, JSON.parse(call.arguments));
  } catch {
    return false;
  }
};

function check(request, api, {calls, reason}) {
  // Of a stream that the limit cut off, the reader has half a call.
  const cut = ['length', 'incomplete', 'max_tokens'].includes(reason);
  if (cut && request.stream && !isValid(request, calls.at(-1))) calls.pop();
  const where = `${api} ${JSON.stringify(request)}: ${JSON.stringify(calls)} ${reason}`;
  assert.ok(calls.length >= 1, where);
  if (!request.parallel) assert.equal(calls.length, 1, where);
  for (const call of calls) {
    if (request.named) assert.equal(call.name, request.named, where);
    assert.ok(isValid(request, call), `${where} ${ajv.errorsText()}`);
  }
  return calls.length;
}

test(`${kRequests} requests for calls`, async (t) => {
  const names = Object.keys(apis);
  const failures = [], seen = new Set();
  let next = 0, calls = 0, several = 0;
  const work = async () => {
    while (next < kRequests) {
      const i = next++, api = names[i % names.length], request = makeRequest(i);
      try {
        const answer = await apis[api](request);
        const count = check(request, api, answer);
        calls += count;
        several += count > 1;
        answer.calls.forEach((call) => seen.add(call.name));
      } catch (error) {
        failures.push(error.message);
      }
    }
  };
  await Promise.all([...Array(kAtOnce)].map(work));
  t.diagnostic(`${kRequests - failures.length} of ${kRequests} requests got calls that parse and validate; ` +
               `${calls} calls of ${seen.size} tools, ${several} answers with more than one`);
  assert.deepEqual(failures, []);
  assert.equal(seen.size, tools.length);
  assert.ok(several >= 10);
});

test('a result is used, through each API', async () => {
  const parameters = weather.parameters;
  const question = {role: 'user', content: weatherQuestion};

  const chat = {...plain, tools: [{type: 'function', function: weather}]};
  const asked = (await openai.chat.completions.create({...chat, messages: [question]})).choices[0];
  assert.equal(asked.finish_reason, 'tool_calls');
  const [call] = asked.message.tool_calls;
  assert.ok(ajv.validate(parameters, JSON.parse(call.function.arguments)));
  const told = {role: 'tool', tool_call_id: call.id, content: weatherResult};
  const answer = await openai.chat.completions.create({...chat, messages: [question, asked.message, told]});
  assert.match(answer.choices[0].message.content, /sunny/);

  const flat = {...plain, tools: [{type: 'function', ...weather}]};
  const response = await openai.responses.create({...flat, input: [question]});
  const item = response.output.find(({type}) => type === 'function_call');
  assert.ok(ajv.validate(parameters, JSON.parse(item.arguments)));
  const output = {type: 'function_call_output', call_id: item.call_id, output: weatherResult};
  const next = await openai.responses.create({...flat, input: [question, ...response.output, output]});
  assert.match(next.output_text, /sunny/);

  const {name, description} = weather;
  const blocks = {model, temperature: 0, max_tokens: 200, tools: [{name, description, input_schema: parameters}]};
  const message = await anthropic.messages.create({...blocks, messages: [question]});
  assert.equal(message.stop_reason, 'tool_use');
  const use = message.content.find(({type}) => type === 'tool_use');
  assert.ok(ajv.validate(parameters, use.input));
  const results = {role: 'user', content: [{type: 'tool_result', tool_use_id: use.id, content: weatherResult}]};
  const final = await anthropic.messages.create(
      {...blocks, messages: [question, {role: 'assistant', content: message.content}, results]});
  assert.match(final.content.map((block) => block.text).join(''), /sunny/);
});
