import { stringify } from 'yaml';
import { variableOf } from './overlay.js';
import { settings, type NodeConfig } from './schema.js';

/** The configuration in force as YAML. It holds paths of keys, never keys. */
export function showConfig(config: NodeConfig): string {
  return stringify(config, { lineWidth: 120 });
}

/** One line for each setting: name, default, variable and meaning. */
export function settingsTable(): readonly (readonly [string, string, string, string])[] {
  return settings().map(({ path, default: value, required, description }) => {
    const shown = value === undefined ? (required ? 'required' : '') : JSON.stringify(value);
    return [path.join('.'), shown, variableOf(path), description];
  });
}
