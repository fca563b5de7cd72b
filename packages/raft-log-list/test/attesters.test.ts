import { AttesterBook, type Attesters } from '../src/state/attesters.js';
import { attestationBy, textSchema } from './fixtures/text-schema.js';

function nameOf(book: AttesterBook, certificate: Uint8Array): string | undefined {
  return book.find(certificate).attester;
}

function attestersOf(book: AttesterBook, names: readonly string[]): Attesters {
  return book.of(
    names.map((attester) => ({ attester, certificate: book.find(attestationBy(attester).signature.certificate) })),
  );
}

function countingBook(): { book: AttesterBook; asked: () => number } {
  let asked = 0;
  const attester = (certificate: Uint8Array): string | undefined => {
    asked++;
    if (certificate[0] === 0xff) throw new Error('unreadable');
    return textSchema.attester(certificate);
  };
  return { book: new AttesterBook({ ...textSchema, attester }), asked: () => asked };
}

describe('the book of attesters', () => {
  it('asks the schema once for a certificate, whichever copy of it comes, and writes into none', () => {
    const { book, asked } = countingBook();
    for (let i = 0; i < 10; i++) expect(nameOf(book, attestationBy('x').signature.certificate)).toBe('x');
    const reused = attestationBy('y').signature.certificate;
    expect(nameOf(book, reused)).toBe('y');
    reused.set(attestationBy('z').signature.certificate);
    expect(nameOf(book, reused)).toBe('z');
    expect(nameOf(book, attestationBy('y').signature.certificate)).toBe('y');
    expect(asked()).toBe(3);
  });

  it('tells certificates apart that differ in one byte, wherever that is', () => {
    const names = Array.from({ length: 200 }, (_, at) => `${'n'.repeat(at)}x${'n'.repeat(199 - at)}`);
    const { book } = countingBook();
    for (const name of [...names, ...names]) expect(nameOf(book, attestationBy(name).signature.certificate)).toBe(name);
  });

  it('asks once for each of a few that differ in a single byte only, as those of nodes may', () => {
    const { book, asked } = countingBook();
    const names = ['1', '2', '3', '4', '5'].map((digit) => `node${digit}`.padEnd(170, '.'));
    const first = attestersOf(book, names);
    for (let i = 0; i < 10; i++) expect(attestersOf(book, names)).toBe(first);
    expect(asked()).toBe(names.length);
  });

  it('stays right when more have one hash than it remembers', () => {
    const { book } = countingBook();
    const names = Array.from({ length: 40 }, (_, i) => `node${String.fromCharCode(33 + i)}`.padEnd(170, '.'));
    for (let i = 0; i < 200; i++) {
      const name = names[(i * 7) % names.length]!;
      expect(attestersOf(book, [name]).names).toEqual([name]);
    }
  });

  it('takes a throw and an empty name for nobody', () => {
    const { book } = countingBook();
    expect(nameOf(book, Uint8Array.of(0xff))).toBeUndefined();
    expect(nameOf(book, Uint8Array.of())).toBeUndefined();
    expect(nameOf(new AttesterBook({ ...textSchema, attester: () => '' }), Uint8Array.of(1))).toBeUndefined();
  });

  it('gives the same set to all who have the same attesters in the same order, and another to others', () => {
    const { book } = countingBook();
    const of = (...names: string[]): Attesters => attestersOf(book, names);
    expect(of('x', 'y')).toBe(of('x', 'y'));
    expect(of('x', 'y')).toMatchObject({ names: ['x', 'y'] });
    expect(of('y', 'x').names).toEqual(['y', 'x']);
    expect(of('x').names).toEqual(['x']);
    expect(of().names).toEqual([]);
    expect(of('x', 'y').certificates[1]).toEqual(attestationBy('y').signature.certificate);
  });

  it('stays right when more come than it remembers', () => {
    const { book } = countingBook();
    for (let i = 0; i < 5000; i++) {
      const names = [`a${i % 1500}`, `b${i}`];
      expect(attestersOf(book, names).names).toEqual(names);
      expect(nameOf(book, attestationBy(names[0]!).signature.certificate)).toBe(names[0]);
    }
  });
});
