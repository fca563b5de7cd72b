import { join } from 'node:path';
import { EXIT, runCli } from '../src/cli/program.js';
import { runDemo, type DemoSummary, type Progress } from '../src/index.js';

const DATA = join(__dirname, '../data');
/** Real nodes in real time: three elections' worth of waiting, and two cores that others use too. */
const LIMIT_MS = 120_000;

describe('the demonstration, in real time, on the first relays of the real network', () => {
  test(
    'loses nothing, lists nothing wrong, verifies everything, and tells how it goes',
    async () => {
      const phases: string[] = [];
      const steps: number[] = [];
      const progress: Progress = {
        phase: (title) => phases.push(title),
        step: (done) => steps.push(done),
        note: () => {},
        end: () => {},
      };
      const summary = await runDemo({ dataFolder: DATA, relays: 60, hours: 2, progress });
      expect(summary).toMatchObject({ nodes: 3, lost: 0, wrong: 0, verified: true });
      expect(summary.rounds).toBe(summary.signatures.length);
      expect(summary.rounds).toBeGreaterThanOrEqual(2);
      expect(Math.min(...summary.signatures)).toBeGreaterThanOrEqual(2);
      expect(summary.items).toBeGreaterThan(0);
      expect(summary.items).toBeLessThanOrEqual(60);
      expect(summary.failoverMs).toBeGreaterThan(0);
      expect(phases.length).toBeGreaterThanOrEqual(4);
      expect(steps).toContain(60);
    },
    LIMIT_MS,
  );

  test(
    '--json prints exactly one line of JSON on stdout, nothing else anywhere, and ends with 0',
    async () => {
      const written = { stdout: '', stderr: '' };
      const code = await runCli(['demo', '--relays', '10', '--hours', '1', '--seed', '5', '--json'], {
        dataFolder: DATA,
        version: '0.0.0',
        stdout: { write: (text) => (written.stdout += text) },
        stderr: { write: (text) => (written.stderr += text) },
        env: {},
      });
      expect(written.stdout).toMatch(/^[^\n]+\n$/);
      const summary = JSON.parse(written.stdout) as DemoSummary;
      expect(Object.keys(summary)).toEqual(
        expect.arrayContaining([
          'nodes',
          'items',
          'rounds',
          'signatures',
          'verified',
          'failoverMs',
          'lost',
          'wrong',
          'seconds',
          'peakRssMb',
        ]),
      );
      expect(summary).toMatchObject({ verified: true, lost: 0, wrong: 0 });
      expect(written.stderr).toBe('');
      expect(code).toBe(EXIT.ok);
    },
    LIMIT_MS,
  );
});
