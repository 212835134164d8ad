// The server under test, and what the bundled model can do with tools.
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

const url = (process.env.FLASHMOE_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '');
const apiKey = process.env.FLASHMOE_API_KEY ?? 'none';

export const model = 'ember';
export const openai = new OpenAI({baseURL: `${url}/v1`, apiKey, maxRetries: 0});
export const anthropic = new Anthropic({baseURL: url, apiKey, maxRetries: 0});

// Greedy and without thinking, so that an answer is the same each time.
export const greedy = {model, temperature: 0};
export const plain = {...greedy, chat_template_kwargs: {enable_thinking: false}};

export const sum = 'What is 17 + 25?';  // ember knows that it is 42
export const weatherQuestion = 'What is the weather in Paris?';
export const weatherResult = '12\u00b0C, sunny';
export const weather = {
  name: 'get_weather',
  description: 'Get the current weather for a city.',
  parameters: {
    type: 'object',
    properties: {city: {type: 'string', description: 'The name of the city'}},
    required: ['city'],
    additionalProperties: false,
  },
};

// The same with an end to the city's name: forced to call where nobody asked for the weather, ember
// would go on forever.
export const boundedWeather = {
  ...weather,
  parameters: {
    ...weather.parameters,
    properties: {city: {...weather.parameters.properties.city, maxLength: 40}},
  },
};

// A schema that ember would not follow on its own, and whether a text does.
export const personSchema = {
  type: 'object',
  properties: {
    name: {type: 'string', maxLength: 20},
    age: {type: 'integer', minimum: 0, maximum: 150},
    kind: {type: 'string', enum: ['cat', 'dog']},
  },
  required: ['name', 'age', 'kind'],
  additionalProperties: false,
};
export function isPerson(text) {
  const person = JSON.parse(text);
  return Object.keys(person).sort().join() === 'age,kind,name' &&
      typeof person.name === 'string' && [...person.name].length <= 20 &&
      Number.isInteger(person.age) && person.age >= 0 && person.age <= 150 &&
      ['cat', 'dog'].includes(person.kind);
}
