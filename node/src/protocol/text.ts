/** Free text (`SPEC.md`, section 8): nothing that an agent says can drive a terminal. */

/** Joiners and variation selectors: dropped. Pairs of first and last character. */
export const DROPPED: readonly (readonly [number, number])[] = [
  [0x034f, 0x034f],
  [0x180b, 0x180d],
  [0x180f, 0x180f],
  [0x200c, 0x200d],
  [0xfe00, 0xfe0f],
  [0xe0100, 0xe01ef],
];

/** Control, direction and invisible characters: each is replaced by U+FFFD. */
export const REPLACED: readonly (readonly [number, number])[] = [
  [0x0000, 0x001f],
  [0x007f, 0x009f],
  [0x00ad, 0x00ad],
  [0x061c, 0x061c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180e, 0x180e],
  [0x200b, 0x200b],
  [0x200e, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe00ff],
  [0xe01f0, 0xe0fff],
];

const DROPPED_PATTERN = patternOf(DROPPED);
// Half a surrogate pair is no character, and has no form in UTF-8.
const REPLACED_PATTERN = patternOf([...REPLACED, [0xd800, 0xdfff]]);
const PLAIN = /^[\x20-\x7e]*$/;

/** Returns a text without what must not be shown. */
export function scrub(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(DROPPED_PATTERN, '').replace(REPLACED_PATTERN, '\ufffd');
}

/** Returns a text scrubbed, and then cut at a character to a length in bytes. */
export function scrubTo(text: string, maxBytes: number): string {
  // No character has less than a byte, and none dropped counts: a long text need not be scrubbed whole.
  const scrubbed = scrub(text.length > 4 * maxBytes ? dropAndCut(text, 4 * maxBytes) : text);
  if (scrubbed.length * 3 <= maxBytes) return scrubbed;
  const bytes = Buffer.from(scrubbed, 'utf8');
  if (bytes.length <= maxBytes) return scrubbed;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}

function dropAndCut(text: string, units: number): string {
  return text.slice(0, 65_536).replace(DROPPED_PATTERN, '').slice(0, units);
}

function patternOf(ranges: readonly (readonly [number, number])[]): RegExp {
  const escape = (code: number): string => `\\u{${code.toString(16)}}`;
  const classes = ranges.map(([first, last]) => `${escape(first)}-${escape(last)}`);
  return new RegExp(`[${classes.join('')}]`, 'gu');
}
