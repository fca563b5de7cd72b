// How the checks look: one row a step as it ends, the output of what failed beneath it, the sum at the end.
import { coloured } from './command.mjs';

/**
 * @typedef {object} Outcome What a step found.
 * @property {number} passed
 * @property {number} failed
 * @property {string} [note] A few words for the table.
 * @property {string} [output] Shown when something failed.
 */

/**
 * Several outcomes as one; the output is that of the failed ones.
 *
 * @param {readonly Outcome[]} outcomes
 * @returns {Outcome}
 */
export function sum(outcomes) {
  const bad = outcomes.filter((outcome) => outcome.failed > 0);
  return {
    passed: outcomes.reduce((total, outcome) => total + outcome.passed, 0),
    failed: outcomes.reduce((total, outcome) => total + outcome.failed, 0),
    output: bad.map((outcome) => outcome.output ?? '').join('\n'),
  };
}

const paint = (/** @type {number} */ code, /** @type {string} */ text) =>
  coloured ? `\x1b[${code}m${text}\x1b[0m` : text;

const seconds = (/** @type {number} */ ms) => `${(ms / 1000).toFixed(1)} s`;

/** @param {number} nameWidth the longest name of a step */
export function createReport(nameWidth) {
  const live = process.stdout.isTTY === true;
  /** @type {Set<string>} */
  const underWay = new Set();
  const clear = live ? '\r\x1b[2K' : '';
  const showUnderWay = () => {
    if (live && underWay.size > 0) process.stdout.write(`${clear}  …  ${[...underWay].join(', ')}`);
  };
  return {
    /** @param {string} name */
    started(name) {
      underWay.add(name);
      showUnderWay();
    },
    /** @param {string} name @param {Outcome} outcome @param {number} ms */
    finished(name, outcome, ms) {
      const good = outcome.failed === 0;
      const mark = good ? paint(32, ' ok ') : paint(31, 'FAIL');
      const count =
        outcome.failed === 0 ? `${outcome.passed}` : `${outcome.failed} of ${outcome.passed + outcome.failed}`;
      const row = [mark, name.padEnd(nameWidth), seconds(ms).padStart(8), count.padStart(10), outcome.note ?? ''];
      process.stdout.write(`${clear}${row.join('  ').trimEnd()}\n`);
      if (!good && outcome.output) {
        const text = outcome.output.trim().replaceAll('\n', '\n      ');
        process.stdout.write(`\n      ${text}\n\n`);
      }
      underWay.delete(name);
      showUnderWay();
    },
    /** @param {number} passed @param {number} failed @param {number} ms */
    closed(passed, failed, ms) {
      process.stdout.write(`\n${seconds(ms)}\n${passed} passed, ${failed} failed\n`);
    },
  };
}
