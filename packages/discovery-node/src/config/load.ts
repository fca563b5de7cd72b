import { dirname, resolve } from 'node:path';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import { readBounded } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';
import { overridesOfEnv, overridesOfFlags, withOverride, type Override } from './overlay.js';
import { checkTogether } from './check-together.js';
import { explain } from './explain.js';
import { formatProblems, type ConfigProblem } from './problem.js';
import { configSchema, type NodeConfig } from './schema.js';

/** Bytes of a configuration file that are looked at. */
const MAX_FILE_BYTES = 1 << 20;

/** A configuration that is whole and consistent. */
export interface LoadedConfig {
  /** The file that it came from; absolute. */
  readonly file: string;
  readonly config: NodeConfig;
  /** Makes a path of the configuration absolute: they are relative to the file. */
  readonly path: (written: string) => string;
}

/** What becomes of reading a configuration. */
export type ConfigResult =
  | { readonly ok: true; readonly loaded: LoadedConfig }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Where settings come from. Flags go over the environment, the environment over the file, the file over the defaults. */
export interface ConfigSources {
  readonly file: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Each `name.name=value`. */
  readonly flags?: readonly string[];
}

/** Reads and judges a configuration. Every problem is found in one go. @throws NodeError NODE_CONFIG_UNREADABLE */
export async function readConfig(sources: ConfigSources): Promise<ConfigResult> {
  const file = resolve(sources.file);
  const text = await readText(file);
  return judge(file, text, sources);
}

/** As {@link readConfig}. @throws NodeError NODE_CONFIG_INVALID, whose message explains every problem */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const result = await readConfig(sources);
  if (result.ok) return result.loaded;
  const { problems } = result;
  const text = `the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}`;
  throw new NodeError('NODE_CONFIG_INVALID', `${text}\n${formatProblems(problems)}`, { problems });
}

function judge(file: string, text: string, sources: ConfigSources): ConfigResult {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    version: '1.2',
    // Its warnings would go to standard error by themselves.
    logLevel: 'error',
  });
  if (document.errors.length > 0) {
    return { ok: false, problems: document.errors.map((error) => syntaxProblem(file, error, lines)) };
  }
  const env = overridesOfEnv(sources.env ?? {});
  const flags = overridesOfFlags(sources.flags ?? []);
  const overrides = [...env.overrides, ...flags.overrides];
  const written = plainOf(document);
  if (written === undefined) {
    const advice = 'Write every value out; anchors that expand into much are not taken.';
    return { ok: false, problems: [{ path: [], message: 'cannot be expanded', advice, source: file }] };
  }
  const content = overrides.reduce<unknown>(withOverride, written ?? {});
  const sourceOf = sourceFinder(file, document, lines, overrides);
  const parsed = configSchema.safeParse(content);
  const problems = [...env.problems, ...flags.problems];
  if (!parsed.success) {
    problems.push(...parsed.error.issues.flatMap((issue) => explain(issue, content, sourceOf)));
    return { ok: false, problems };
  }
  for (const { path, message, advice } of checkTogether(parsed.data)) {
    problems.push({ path, message, advice, source: sourceOf(path) });
  }
  if (problems.length > 0) return { ok: false, problems };
  const folder = dirname(file);
  return { ok: true, loaded: { file, config: parsed.data, path: (written) => resolve(folder, written) } };
}

async function readText(file: string): Promise<string> {
  try {
    return (await readBounded(file, MAX_FILE_BYTES)).toString('utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const advice = 'Give its path with --config, or make one with `discovery-node init`.';
    throw new NodeError('NODE_CONFIG_UNREADABLE', `${file} cannot be read: ${why}. ${advice}`, { file }, cause);
  }
}

/** The document as plain values; undefined when its aliases expand into too much. */
function plainOf(document: Document): unknown {
  try {
    return (document.toJS({ maxAliasCount: 100 }) as unknown) ?? {};
  } catch {
    // The parser says no more than that there are too many.
    return undefined;
  }
}

function syntaxProblem(
  file: string,
  error: { message: string; pos: [number, number] },
  lines: LineCounter,
): ConfigProblem {
  const { line, col } = lines.linePos(error.pos[0]);
  const advice = 'Mend the YAML (or JSON) here; the rest was not looked at.';
  return {
    path: [],
    message: error.message.split('\n')[0] ?? 'cannot be read',
    advice,
    source: `${file}:${line}:${col}`,
  };
}

/** Tells where a value was written: the last override of it, else the line of the file, else the line of its section. */
function sourceFinder(
  file: string,
  document: Document,
  lines: LineCounter,
  overrides: readonly Override[],
): (path: readonly (string | number)[]) => string {
  return (path) => {
    const over = overrides.findLast((override) => override.path.join('.') === path.join('.'));
    if (over !== undefined) return over.source;
    for (let depth = path.length; depth > 0; depth--) {
      const offset = offsetOf(document, path.slice(0, depth));
      if (offset === undefined) continue;
      const { line, col } = lines.linePos(offset);
      return `${file}:${line}:${col}`;
    }
    return file;
  };
}

/** Where the name of a setting, or an item of a list, begins. */
function offsetOf(document: Document, path: readonly (string | number)[]): number | undefined {
  const name = path.at(-1)!;
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (isAlias(parent)) return parent.range?.[0];
  if (isSeq(parent) && typeof name === 'number') return rangeOf(parent.items[name]);
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find(({ key }) => isScalar(key) && key.value === name);
  return rangeOf(pair?.key);
}

function rangeOf(node: unknown): number | undefined {
  const range = (node as { range?: readonly number[] | null } | null | undefined)?.range;
  return range?.[0];
}
