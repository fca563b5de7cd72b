import { STATE_NAMES } from './states.js';
import { TRANSITIONS } from './transitions.js';
import type { TransitionRow } from './transitions.js';

/**
 * Draws the transition table as a mermaid `stateDiagram-v2`. The drawing in the README is made with it, and a test
 * compares the two.
 *
 * @param rows the table; {@link TRANSITIONS} by default
 * @returns mermaid source, lines ended by `\n`
 */
export function drawTransitions(rows: readonly TransitionRow[] = TRANSITIONS): string {
  const lines = ['stateDiagram-v2', '  state "any state but Nil" as any', '  [*] --> Nil'];
  for (const name of STATE_NAMES) {
    for (const row of rows) if (row.from === name) lines.push(arrow(row));
  }
  for (const row of rows) if (row.from === 'any') lines.push(arrow(row));
  return `${lines.join('\n')}\n`;
}

function arrow(row: TransitionRow): string {
  return `  ${row.from} --> ${row.to} : ${row.event}${row.guard === undefined ? '' : ` [${row.guard}]`}`;
}
