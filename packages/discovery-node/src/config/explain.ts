import type { z } from 'zod';
import { closest, type ConfigProblem } from './problem.js';
import { namesIn } from './schema.js';

type Issue = z.core.$ZodIssue;

/** Says of an issue what is wrong and what to do; one problem for each unknown name. */
export function explain(issue: Issue, content: unknown, sourceOf: (path: Path) => string): ConfigProblem[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  const source = sourceOf(path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey([...path, key], key, sourceOf));
  }
  const value = valueAt(content, path);
  if (value === undefined) {
    return [{ path, message: 'is missing', advice: `Add it: ${wanted(issue)}.`, source }];
  }
  return [{ path, message: `is ${show(value)}`, advice: `It must be ${wanted(issue)}.`, source }];
}

type Path = readonly (string | number)[];

function unknownKey(path: Path, key: string, sourceOf: (path: Path) => string): ConfigProblem {
  const section = path.slice(0, -1);
  const meant = closest(key, namesIn(section));
  const elsewhere = section.length > 0 && namesIn([]).includes(key);
  const advice =
    meant !== undefined
      ? `Did you mean ${meant}?`
      : elsewhere
        ? `${key} belongs to the root of the file, not into ${section.join('.')}.`
        : 'Remove it; `discovery-node config show --settings` lists what there is.';
  return { path, message: 'is no setting', advice, source: sourceOf(path) };
}

/** What an issue asks for, in words that go behind "must be". */
function wanted(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return article(issue.expected);
    case 'too_small':
      return bound('at least', Number(issue.minimum), issue.origin, issue.inclusive === false);
    case 'too_big':
      return bound('at most', Number(issue.maximum), issue.origin, issue.inclusive === false);
    case 'invalid_value':
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'invalid_format':
      return issue.message.replace(/^expected /, '');
    case 'unrecognized_keys':
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
    case 'not_multiple_of':
    case 'custom':
      return issue.message;
  }
}

function bound(words: string, limit: number, origin: string, exclusive: boolean): string {
  if (origin === 'string') return `${words} ${limit} characters long`;
  if (origin === 'array') return `a list of ${words} ${limit}`;
  return exclusive ? (words === 'at least' ? `above ${limit}` : `below ${limit}`) : `${words} ${limit}`;
}

function article(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    int: 'a whole number',
    number: 'a number',
    string: 'a text (in quotes, if it looks like a number)',
    boolean: 'true or false',
    object: 'a section with settings',
    array: 'a list',
  };
  return names[expected] ?? expected;
}

function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a section';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function valueAt(content: unknown, path: Path): unknown {
  let value = content;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
