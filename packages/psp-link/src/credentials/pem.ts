import { createPrivateKey, X509Certificate } from 'node:crypto';
import { LinkError } from '../errors.js';
import { checkCredentials, type LinkCredentials } from './credentials.js';

/** The order in which the six parts stand in the text. */
const PARTS = ['identity', 'link', 'authenticate'] as const;
const BLOCK = /-----BEGIN (CERTIFICATE|PRIVATE KEY)-----[^-]+-----END \1-----/g;
/** Longest text that is read. Six parts of 8,192-bit keys take less than half of it. */
const MAX_PEM_CHARS = 131_072;

/**
 * Credentials as PEM text: for identity, link and authenticate in this order, the certificate and its private key
 * (PKCS#8, not encrypted). Whoever keeps the text keeps the node's name: store it with file mode 0600.
 */
export function exportLinkCredentials(credentials: LinkCredentials): string {
  return PARTS.map((part) => {
    const certificate = new X509Certificate(credentials[`${part}Certificate`]).toString();
    const key = credentials[`${part}Key`].export({ type: 'pkcs8', format: 'pem' }) as string;
    return `${certificate.trimEnd()}\n${key.trimEnd()}\n`;
  }).join('');
}

/**
 * Reads what {@link exportLinkCredentials} wrote. Text between the blocks is ignored.
 *
 * @throws LinkError LINK_BAD_CREDENTIALS when a block is missing or cannot be read, when a key does not fit its
 *   certificate, or when the identity did not sign the others
 */
export function importLinkCredentials(pem: string): LinkCredentials {
  if (pem.length > MAX_PEM_CHARS) throw bad('the text is too long');
  const blocks = [...pem.matchAll(BLOCK)];
  const kinds = blocks.map(([, kind]) => kind).join();
  if (kinds !== Array(3).fill('CERTIFICATE,PRIVATE KEY').join()) {
    throw bad('the text is not three certificates, each with its private key after it', { found: kinds });
  }
  const certificate = (i: number): Uint8Array => new Uint8Array(new X509Certificate(blocks[2 * i]![0]).raw);
  const key = (i: number): LinkCredentials['linkKey'] => createPrivateKey(blocks[2 * i + 1]![0]);
  const credentials = read(() => ({
    identityCertificate: certificate(0),
    identityKey: key(0),
    linkCertificate: certificate(1),
    linkKey: key(1),
    authenticateCertificate: certificate(2),
    authenticateKey: key(2),
  }));
  checkCredentials(credentials);
  return credentials;
}

function read(parse: () => LinkCredentials): LinkCredentials {
  try {
    return parse();
  } catch (cause) {
    throw bad('a certificate or key cannot be read', {}, cause);
  }
}

function bad(message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown): LinkError {
  return new LinkError('LINK_BAD_CREDENTIALS', message, details, cause);
}
