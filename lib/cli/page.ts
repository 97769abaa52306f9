/** The page that `serve` shows, and what plain HTTP requests get. */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pathOf } from '../handshake/request.ts'

const PAGE = new URL('./page.html', import.meta.url)

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-cache',
  // All is in the one file, so nothing else may be loaded.
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self' ws: wss:; " +
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  // Only isolated pages get a clock fine enough for a round trip on loopback; Chromium's moves by 0.1 ms otherwise.
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

/** Answers requests: the page at `/`, 404 elsewhere, 405 for anything but GET and HEAD. */
export function pageListener(): (request: IncomingMessage, response: ServerResponse) => void {
  const page = readFileSync(PAGE)
  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'Only GET is served here.\n', { allow: 'GET, HEAD' })
    else if (pathOf(request.url) !== '/') answer(response, 404, 'Nothing is served at this path.\n', {})
    else response.writeHead(200, { ...HEADERS, 'content-length': page.length }).end(request.method === 'GET' ? page : undefined)
  }
}

function answer(response: ServerResponse, status: number, text: string, headers: Record<string, string>): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }).end(text)
}
