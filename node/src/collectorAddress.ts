/** Addresses of collectors, as settings give them (`SPEC.md`, section 17). */

import { isIPv6 } from 'node:net';

import { type Problem, problem } from './problem.js';

const COLLECTORS_MAX = 8;
const PORT_DEFAULT = 4327;
export const COLLECTOR_DEFAULT = `127.0.0.1:${PORT_DEFAULT}`;

/** Parses a list with commas between its entries; returns the good ones, and what is wrong with others. */
export function parseCollectors(text: string): { collectors: string[]; problems: Problem[] } {
  const collectors: string[] = [];
  const faults: string[] = [];
  const entries = text.split(',').map((entry) => entry.trim());
  for (const entry of entries.filter((it) => it !== '')) {
    const fault = faultOf(entry);
    if (fault !== null) {
      const instead = mended(entry);
      faults.push(`the collector's address ${JSON.stringify(entry)} ${fault}: write ${instead}`);
    } else if (collectors.includes(entry)) {
      // To speak to one collector twice would count work twice.
      faults.push(`the collector ${entry} is listed twice; it is used once`);
    } else if (collectors.length === COLLECTORS_MAX) {
      const most = `at most ${COLLECTORS_MAX} can be listed`;
      faults.push(`the collector ${entry} is left out: ${most}`);
    } else {
      collectors.push(entry);
    }
  }
  if (collectors.length === 0 && faults.length === 0) {
    faults.push(`the list of collectors is empty: write HOST:PORT, such as ${COLLECTOR_DEFAULT}`);
  }
  return { collectors, problems: faults.map((fault) => problem('BadCollector', fault)) };
}

/** Returns what is wrong with an address; null if it is `host:port` or `[v6]:port`. */
function faultOf(text: string): string | null {
  if (text.includes('://')) return 'has a scheme';
  if (/\s/.test(text)) return 'has white space in it';
  if (text.includes('/')) return 'has a path';
  if (isIPv6(text)) return 'is an IPv6 address without brackets or port';
  const colon = text.lastIndexOf(':');
  if (colon === -1 || text.endsWith(']')) return 'has no port';
  if (portOf(text.slice(colon + 1)) === null) {
    return 'has a port that is not a number from 1 to 65535';
  }
  const host = text.slice(0, colon);
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  if (bracketed !== undefined) {
    return isIPv6(bracketed) ? null : 'has brackets around what is no IPv6 address';
  }
  if (host === '') return 'has no host';
  return /[:[\]]/.test(host) ? 'has too many colons' : null;
}

/** Returns the address that a malformed one probably stands for. */
function mended(malformed: string): string {
  const text = (malformed.split('://').at(-1) ?? '').split(/[/?]/, 1)[0]?.replace(/\s/g, '') ?? '';
  if (isIPv6(text)) return `[${text}]:${PORT_DEFAULT}`;
  const colon = text.endsWith(']') ? -1 : text.lastIndexOf(':');
  const host = (colon === -1 ? text : text.slice(0, colon)).replace(/^\[+|\]+$/g, '');
  const port = (colon === -1 ? null : portOf(text.slice(colon + 1))) ?? PORT_DEFAULT;
  if (isIPv6(host)) return `[${host}]:${port}`;
  if (host === '') return `127.0.0.1:${port}`;
  return host.includes(':') ? `HOST:PORT, such as ${COLLECTOR_DEFAULT}` : `${host}:${port}`;
}

function portOf(text: string): number | null {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : null;
}
