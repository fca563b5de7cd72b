import { AttesterBook } from '../src/state/attesters.js';
import { attestationBy, textSchema } from './fixtures/text-schema.js';

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
    for (let i = 0; i < 10; i++) expect(book.nameOf(attestationBy('x').signature.certificate)).toBe('x');
    const reused = attestationBy('y').signature.certificate;
    expect(book.nameOf(reused)).toBe('y');
    reused.set(attestationBy('z').signature.certificate);
    expect(book.nameOf(reused)).toBe('z');
    expect(book.nameOf(attestationBy('y').signature.certificate)).toBe('y');
    expect(asked()).toBe(3);
  });

  it('takes a throw and an empty name for nobody', () => {
    const { book } = countingBook();
    expect(book.nameOf(Uint8Array.of(0xff))).toBeUndefined();
    expect(book.nameOf(Uint8Array.of())).toBeUndefined();
    expect(new AttesterBook({ ...textSchema, attester: () => '' }).nameOf(Uint8Array.of(1))).toBeUndefined();
  });

  it('gives the same set to all who have the same attesters in the same order, and another to others', () => {
    const { book } = countingBook();
    const of = (...names: string[]) => book.of(names.map((name, i) => attestationBy(name, i)));
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
      expect(book.of(names.map((name) => attestationBy(name))).names).toEqual(names);
      expect(book.nameOf(attestationBy(names[0]!).signature.certificate)).toBe(names[0]);
    }
  });
});
