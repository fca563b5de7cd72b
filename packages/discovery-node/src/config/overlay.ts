import { closest, type ConfigProblem } from './problem.js';
import { settings, type Setting } from './schema.js';

/** Prefix of the environment variables that set something. */
export const ENV_PREFIX = 'DISCOVERY_NODE_';
/** Variables of that prefix that the command line reads itself. */
const OTHER_VARIABLES = new Set([`${ENV_PREFIX}CONFIG`]);

/** A value that goes over what the file says. */
export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
  /** For people: the variable or the flag. */
  readonly source: string;
}

/** What was read of the environment or of flags. */
export interface Overrides {
  readonly overrides: readonly Override[];
  readonly problems: readonly ConfigProblem[];
}

/** The variable of a setting: `listen.maxConnections` is `DISCOVERY_NODE_LISTEN_MAX_CONNECTIONS`. */
export function variableOf(path: readonly string[]): string {
  const words = path.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  return `${ENV_PREFIX}${words.join('_')}`;
}

/** Settings of the environment. A variable of our prefix that sets nothing is a problem: it is a slip of the pen. */
export function overridesOfEnv(env: Readonly<Record<string, string | undefined>>): Overrides {
  const byName = new Map(settings().map((setting) => [variableOf(setting.path), setting]));
  const overrides: Override[] = [];
  const problems: ConfigProblem[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith(ENV_PREFIX) || OTHER_VARIABLES.has(name)) continue;
    const setting = byName.get(name);
    const source = `environment ${name}`;
    if (setting === undefined) problems.push(unknownName(name, [...byName.keys()], source));
    else overrides.push({ path: setting.path, value: valueOf(setting, text), source });
  }
  return { overrides, problems };
}

/** Settings of flags `--set listen.port=9100`. */
export function overridesOfFlags(assignments: readonly string[]): Overrides {
  const byPath = new Map(settings().map((setting) => [setting.path.join('.'), setting]));
  const overrides: Override[] = [];
  const problems: ConfigProblem[] = [];
  for (const assignment of assignments) {
    const at = assignment.indexOf('=');
    const name = at < 0 ? assignment : assignment.slice(0, at);
    const source = `flag --set ${name}`;
    const setting = byPath.get(name);
    if (at < 0) problems.push({ path: [], message: 'has no value', advice: 'Write --set NAME=VALUE.', source });
    else if (setting === undefined) problems.push(unknownName(name, [...byPath.keys()], source));
    else overrides.push({ path: setting.path, value: valueOf(setting, assignment.slice(at + 1)), source });
  }
  return { overrides, problems };
}

/** A copy of the file's content with a value set; what is in the way is left for the validation to complain about. */
export function withOverride(content: unknown, { path, value }: Override): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  const object = isRecord(content) ? content : {};
  return { ...object, [name]: withOverride(object[name], { path: rest, value, source: '' }) };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text that is no value of the kind goes on as text; the validation says what is wrong with it. */
function valueOf(setting: Setting, text: string): unknown {
  if (setting.kind === 'number' && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
  if (setting.kind === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function unknownName(name: string, names: readonly string[], source: string): ConfigProblem {
  const meant = closest(name, names);
  const advice = meant === undefined ? '`discovery-node config show --settings` lists them.' : `Did you mean ${meant}?`;
  return { path: [], message: 'sets nothing: there is no such setting', advice, source };
}
