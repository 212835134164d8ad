// Schemas for grammar.mjs, each with texts beside the ones that are sampled from it.

const person = {
  type: 'object',
  properties: {name: {type: 'string'}, age: {type: 'integer', minimum: 0, maximum: 150}},
  required: ['name', 'age'],
  additionalProperties: false,
};
const closed = (properties, required = Object.keys(properties)) =>
    ({type: 'object', properties, required, additionalProperties: false});
const string = {type: 'string'}, integer = {type: 'integer'}, number = {type: 'number'};
const boolean = {type: 'boolean'};
const list = (items, more = {}) => ({type: 'array', items, ...more});
const text = (more) => ({type: 'string', ...more});

export const schemas = [
  // Scalars
  {type: 'null'}, boolean, string, integer, number,
  {type: ['string', 'null']}, {type: ['integer', 'boolean', 'null']},
  {enum: ['red', 'green', 'blue']}, {enum: [1, 'one', null, true, [1], {a: 1}]}, {const: 'fixed'},
  {const: {a: [1, 2], b: null}}, {type: 'string', enum: ['a', 'ab', 'abc']},
  // Strings
  text({minLength: 1}), text({maxLength: 5}), text({minLength: 2, maxLength: 4}),
  text({pattern: '^[a-z]{3}[0-9]+$'}), text({pattern: '^(\\([0-9]{3}\\))?[0-9]{3}-[0-9]{4}$'}),
  text({pattern: '^[^a]{0,5}ab+c'}), text({pattern: '^\\S+ \\S+$'}), text({pattern: '^[^"\\\\]*$', maxLength: 6}),
  text({format: 'date'}), text({format: 'time'}), text({format: 'date-time'}), text({format: 'uuid'}),
  text({format: 'email'}), text({format: 'ipv4'}), text({format: 'ipv6'}), text({format: 'hostname'}),
  text({format: 'duration'}), text({format: 'uri'}),
  // Numbers
  {type: 'integer', minimum: 1, maximum: 10}, {type: 'integer', minimum: -20, exclusiveMaximum: 7},
  {type: 'integer', exclusiveMinimum: 99}, {type: 'integer', maximum: -1},
  {type: 'integer', multipleOf: 5, minimum: 0, maximum: 1000},
  {type: 'number', minimum: 0, maximum: 1}, {type: 'number', exclusiveMinimum: -1.5, maximum: 2.25},
  {type: 'number', minimum: 1000},
  // Arrays
  list(integer), list(string, {minItems: 1}), list(boolean, {minItems: 2, maxItems: 4}),
  list(list(number), {maxItems: 3}), list({enum: ['x', 'y']}, {maxItems: 2}),
  {type: 'array', prefixItems: [string, integer], items: false, minItems: 2},
  {type: 'array', prefixItems: [string], items: boolean, minItems: 1, maxItems: 3}, {type: 'array'},
  // Objects
  person, closed({a: integer, b: string, c: boolean}, ['b']), closed({a: integer, b: integer}, []),
  closed({}), {type: 'object'}, {type: 'object', additionalProperties: integer},
  {type: 'object', properties: {id: integer}, required: ['id'], additionalProperties: string},
  {type: 'object', additionalProperties: boolean, minProperties: 1, maxProperties: 3},
  {type: 'object', patternProperties: {'^x_[a-z]+$': integer}, additionalProperties: false},
  {type: 'object', propertyNames: {pattern: '^[a-z]+$'}, additionalProperties: number},
  closed({people: list(person, {maxItems: 3}), total: integer}),
  closed({deep: closed({deeper: closed({deepest: list(closed({v: {const: 1}}))})})}),
  closed({'key with "quotes"': string, 'é\n': integer}),
  // Alternatives
  {anyOf: [string, integer]}, {anyOf: [person, {type: 'null'}]},
  {oneOf: [closed({kind: {const: 'circle'}, r: number}), closed({kind: {const: 'square'}, a: number})]},
  {type: 'object', properties: {a: integer, b: integer}, anyOf: [{required: ['a']}, {required: ['b']}]},
  {allOf: [{type: 'object', properties: {a: integer}, required: ['a']}, {properties: {b: string}, required: ['b']}]},
  {allOf: [{type: 'integer', minimum: 3}, {maximum: 9}]},
  // References
  {$defs: {p: person}, type: 'array', items: {$ref: '#/$defs/p'}, maxItems: 2},
  closed({value: integer, next: {anyOf: [{$ref: '#'}, {type: 'null'}]}}),
  {$defs: {node: closed({name: string, children: list({$ref: '#/$defs/node'})})}, $ref: '#/$defs/node'},
  {$defs: {expr: {anyOf: [number, closed({op: {enum: ['+', '-']}, left: {$ref: '#/$defs/expr'}, right: {$ref: '#/$defs/expr'}})]}},
   ...closed({expr: {$ref: '#/$defs/expr'}})},
  {$defs: {small: {type: 'integer', maximum: 7}}, $ref: '#/$defs/small', minimum: 5},
  // As agents and extractors write them
  closed({steps: list(closed({explanation: string, output: string}), {minItems: 1, maxItems: 4}), final_answer: string}),
  closed({command: string, timeout: {type: 'integer', minimum: 1, maximum: 600}, background: boolean}, ['command']),
  closed({title: text({maxLength: 20}), tags: list(text({pattern: '^[a-z-]+$', maxLength: 12}), {maxItems: 3}),
          priority: {enum: ['low', 'high']}, due: {anyOf: [text({format: 'date'}), {type: 'null'}]}}),
  closed({ui: {anyOf: [closed({type: {const: 'div'}, children: list({$ref: '#/$defs/ui'})}), closed({type: {const: 'text'}, value: string})]}}),
].map((schema) => {
  if (JSON.stringify(schema).includes('#/$defs/ui')) {
    return {...schema, $defs: {ui: schema.properties.ui}};
  }
  return schema;
});

// Not supported, and refused with this place.
export const refused = [
  [{not: string}, '/not'],
  [closed({a: list(string, {uniqueItems: true})}), '/properties/a/uniqueItems'],
  [list(string, {contains: {const: 'x'}}), '/contains'],
  [{if: {type: 'string'}, then: {minLength: 1}}, '/if'],
  [{oneOf: [string, text({maxLength: 3})]}, '/oneOf'],
  [text({pattern: '^(?!x)'}), '/pattern'],
  [text({format: 'regex'}), '/format'],
  [{type: 'number', multipleOf: 0.1}, '/multipleOf'],
  [{type: 'object', dependentRequired: {a: ['b']}}, '/dependentRequired'],
  [{$ref: 'https://example.org/schema.json'}, '/$ref'],
];

// Texts that are tried with every schema.
export const texts = [
  'null', 'true', 'false', '0', '-1', '5', '7', '10', '100', '1.5', '0.5', '1e3', '01', '""', '"a"', '"ab"',
  '"abc"', '"abc12"', '"red"', '"fixed"', '"\\u0041"', '"tab\\t"', '"\\ud83d\\ude00"', '"é😀"', '[]', '{}', '[1]',
  '[1, 2]', '["a", 1]', '["a"]', '[true, false]', '["x", "y"]', '[[1, 2.5], []]', '{"a": 1}', '{"b": "x"}',
  '{"a": 1, "b": "x"}', '{"b": "x", "a": 1}', '{"a": 1, "b": 2}', '{"x": 1, "y": 2}', '{"x_a": 1}',
  '{"id": 1}', '{"id": 1, "z": "s"}', '{"name": "Ann", "age": 30}', '{"name":"Ann","age":30}',
  '{"age": 30, "name": "Ann"}', '{"name": "Ann"}', '{"name": "Ann", "age": 151}',
  '{"name": "Ann", "age": 30, "x": 1}', '{\n  "name": "Ann",\n  "age": 30\n}', '{"kind": "circle", "r": 1.5}',
  '{"kind": "square", "r": 1.5}', '{"value": 1, "next": null}', '{"value": 1, "next": {"value": 2, "next": null}}',
  '{"name": "r", "children": [{"name": "c", "children": []}]}', '{"expr": 1}',
  '{"expr": {"op": "+", "left": 1, "right": {"op": "-", "left": 2, "right": 3}}}', '"2026-11-26"', '"2023-02-29"',
  '"12:30:00Z"', '"2026-11-26T12:30:00Z"', '"123e4567-e89b-12d3-a456-426614174000"', '"a@b.org"', '"10.0.0.1"',
  '"::1"', '"example.org"', '"P1D"', '"https://example.org/a?b=c#d"', '"(555)123-4567"', '"123-4567"', '"xabbcx"',
  '"two words"', '[1,', '{"a"', '"open', '', '[1,]', "{'a': 1}", '{"a": 1,}', 'nul', '+1', '1.', '.5', '-', '1 ',
  '{"command": "ls"}', '{"command": "ls", "timeout": 601}', '{"command": "ls", "background": true}',
];
