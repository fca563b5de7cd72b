import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Body } from './prepared-directory.js';

/** Headers of a response beside those of its body. */
export type ReplyHeaders = Readonly<Record<string, string>>;

/** Answers with JSON. */
export function replyJson(response: ServerResponse, status: number, value: unknown, headers: ReplyHeaders = {}): void {
  replyBytes(response, status, 'application/json; charset=utf-8', Buffer.from(JSON.stringify(value)), headers);
}

/** Answers with bytes that are there at once. To HEAD, Node sends the headers alone. */
export function replyBytes(
  response: ServerResponse,
  status: number,
  type: string,
  bytes: Uint8Array,
  headers: ReplyHeaders = {},
): void {
  response.writeHead(status, { ...headers, 'content-type': type, 'content-length': bytes.length });
  response.end(bytes);
}

/** Answers with a body in pieces, each when the one before is on its way; resolves when it is through, or the client gone. */
export async function replyPieces(
  response: ServerResponse,
  type: string,
  { pieces, bytes }: Body,
  headers: ReplyHeaders,
): Promise<void> {
  response.writeHead(200, { ...headers, 'content-type': type, 'content-length': bytes });
  if (response.req.method === 'HEAD') return void response.end();
  // A client may go at any time, which is no failure of ours.
  await pipeline(Readable.from(pieces), response).catch(() => response.destroy());
}
