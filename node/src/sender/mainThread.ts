/**
 * Hands the signals back while the program's event loop is blocked.
 *
 * A listener for SIGTERM is called by the event loop: in a program that hangs in a loop of its own,
 * the emitter's listener would keep the signal from ending it. The inspector reaches a thread that
 * is busy in JavaScript, and removes the listener there. The next ping that is answered brings it
 * back.
 */

import { PROCESS_KEY } from '../processKey.js';

const RELEASE = `globalThis[Symbol.for(${JSON.stringify(PROCESS_KEY)})]?.releaseSignals?.()`;

/** Removes the emitter's signal listeners from the main thread, as soon as it runs JavaScript. */
export async function releaseSignals(): Promise<void> {
  const { Session } = await import('node:inspector');
  const session = new Session();
  session.connectToMainThread();
  session.post('Runtime.evaluate', { expression: RELEASE }, () => session.disconnect());
}
