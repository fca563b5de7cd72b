import { simulateDiscovery } from '../src/index.js';

// Errors are everyday results here; their stacks cost time and say nothing.
Error.stackTraceLimit = 0;

/** CI runs sixty by the command; these show what the command rests on. */
describe('fixed seeds of the discovery simulation', () => {
  // In 50524 and 50544 a liar takes out what a node that starts again has attested, before that has looked at its list.
  test.each([49, 50_524, 50_544])('seed %i breaks no rule', async (seed) => {
    const { violation, counts } = await simulateDiscovery(seed);
    expect(violation).toBeNull();
    expect(counts.published).toBeGreaterThan(0);
    expect(counts.found).toBeGreaterThan(0);
  });

  test('the same seed gives the same trace, recorded or not; another seed another', async () => {
    const first = await simulateDiscovery(3);
    const second = await simulateDiscovery(3, { record: true });
    const other = await simulateDiscovery(4);
    expect(second.traceHash).toBe(first.traceHash);
    expect(second.trace).toHaveLength(first.traceEvents);
    expect(other.traceHash).not.toBe(first.traceHash);
  });
});

/** docs/consensus.md tells of these seeds. */
describe('the documented policy has two holes', () => {
  test('a liar gets two halves of four to sign two different directories of one round', async () => {
    const { violation, liars, nodes } = await simulateDiscovery(384, { policy: 'documented' });
    expect({ liars, nodes }).toEqual({ liars: 1, nodes: 4 });
    expect(violation).toMatchObject({ kind: 'safety', rule: 'one directory a round' });
    await expect(simulateDiscovery(384, { policy: 'safe' })).resolves.toMatchObject({ violation: null });
  });

  test('without any liar, one outsider who floods one node stops every round', async () => {
    const { violation, liars } = await simulateDiscovery(379, { policy: 'documented' });
    expect(liars).toBe(0);
    expect(violation).toMatchObject({ kind: 'liveness', rule: 'the next slot succeeds' });
    await expect(simulateDiscovery(379, { policy: 'safe' })).resolves.toMatchObject({ violation: null });
  });
});
