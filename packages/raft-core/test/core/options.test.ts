import { DEFAULT_RAFT_CONFIG, RAFT_ERROR_CODES, RaftError, type RaftConfig } from '../../src/index.js';
import { resolveConfig } from '../../src/core/options.js';

function refusal(given: Record<string, unknown>): RaftError {
  try {
    resolveConfig(given);
  } catch (error) {
    if (error instanceof RaftError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('the configuration of a node', () => {
  test('the defaults are valid, and what is not given is the default', () => {
    expect(resolveConfig(DEFAULT_RAFT_CONFIG)).toEqual(DEFAULT_RAFT_CONFIG);
    expect(resolveConfig()).toEqual(DEFAULT_RAFT_CONFIG);
    expect(resolveConfig({ trailingLogs: 7 })).toEqual({ ...DEFAULT_RAFT_CONFIG, trailingLogs: 7 });
  });

  test.each(Object.entries(DEFAULT_RAFT_CONFIG))('%s refuses what is of another kind', (name, value) => {
    const wrong = typeof value === 'number' ? [true, '1', NaN, -1, 0.5, Infinity, null] : [1, 'yes', null];
    for (const given of wrong) {
      const error = refusal({ [name]: given });
      expect(error).toMatchObject({ code: 'RAFT_INVALID_OPTION', retryable: false, details: { option: name } });
      expect(error.message).toContain(name);
    }
  });

  test.each(['heartBeatTimeoutMs', 'toString', 'constructor', 'hasOwnProperty'])('%s is not an option', (name) => {
    expect(refusal({ [name]: Object.prototype.toString })).toMatchObject({ details: { option: name } });
  });

  test('undefined means the default', () => {
    const given = { trailingLogs: undefined } as unknown as Partial<RaftConfig>;
    expect(resolveConfig(given).trailingLogs).toBe(DEFAULT_RAFT_CONFIG.trailingLogs);
  });

  test('timeouts must fit each other', () => {
    expect(refusal({ electionTimeoutMs: 999 }).details['option']).toBe('electionTimeoutMs');
    expect(refusal({ leaderLeaseTimeoutMs: 1001 }).details['option']).toBe('leaderLeaseTimeoutMs');
    expect(resolveConfig({ heartbeatTimeoutMs: 500, electionTimeoutMs: 500, leaderLeaseTimeoutMs: 500 })).toBeDefined();
  });
});

describe('RaftError', () => {
  test('every code says whether a retry makes sense, and is in its message', () => {
    for (const code of RAFT_ERROR_CODES) {
      const error = new RaftError(code, 'why', { outcome: 'lost' }, new Error('below'));
      expect([typeof error.retryable, error.message, error.name]).toEqual(['boolean', `why [${code}]`, 'RaftError']);
      expect(error.details.outcome).toBe('lost');
      expect((error.cause as Error).message).toBe('below');
    }
    expect('cause' in new RaftError('RAFT_TIMEOUT', 'why')).toBe(false);
  });
});
