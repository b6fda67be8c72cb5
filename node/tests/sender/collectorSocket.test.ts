/** The socket to a collector that has several addresses, or others than before. */

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { afterEach, test } from 'node:test';

import { CollectorSocket } from '../../src/sender/collectorSocket.js';
import type { LookupResult, PeerAddress } from '../../src/sender/lookup.js';
import { eventually } from '../support/collector.js';

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

interface Listener {
  readonly socket: Socket;
  readonly address: PeerAddress;
  readonly received: string[];
}

async function listener(): Promise<Listener> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const received: string[] = [];
  socket.on('message', (datagram) => received.push(String(datagram)));
  opened.push(socket);
  return {
    socket,
    received,
    address: { host: '127.0.0.1', port: socket.address().port, family: 4 },
  };
}

/** Returns an address at which messages are refused. */
async function refusing(): Promise<PeerAddress> {
  const { socket, address } = await listener();
  opened.splice(opened.indexOf(socket), 1);
  await new Promise<void>((resolve) => socket.close(resolve));
  return address;
}

/** Returns a socket whose look-ups have these results, one after the other. */
function socketTo(...results: LookupResult[]): CollectorSocket {
  let at = 0;
  const start = (done: (result: LookupResult) => void): void => {
    done(results[Math.min(at++, results.length - 1)] as LookupResult);
  };
  const socket = new CollectorSocket('nowhere.invalid:4327', () => {}, { start });
  opened.push(socket);
  return socket;
}

test('a refused message goes to the next address at once', async () => {
  const there = await listener();
  const socket = socketTo({ found: [await refusing(), await refusing(), there.address] });
  socket.send(Buffer.from('beat 1'));
  await eventually(() => there.received.length > 0);
  assert.deepEqual(there.received, ['beat 1']);
});

test('a message that all refuse is a problem, and is not sent for ever', async () => {
  const socket = socketTo({ found: [await refusing(), await refusing()] });
  socket.send(Buffer.from('beat'));
  await eventually(() => socket.problem !== null);
  assert.match(
    socket.problem?.message ?? '',
    /^can't reach nowhere\.invalid:4327: connection refused/,
  );
});

test('an address that is silent from the start is left with the next message', async () => {
  const [silent, there] = [await listener(), await listener()];
  const socket = socketTo({ found: [silent.address, there.address] });
  socket.send(Buffer.from('beat 1'));
  await eventually(() => silent.received.length > 0);
  socket.send(Buffer.from('beat 2'));
  await eventually(() => there.received.length > 0);
  assert.deepEqual([silent.received, there.received], [['beat 1'], ['beat 2']]);
});

test('a failed look-up keeps the addresses of before', async () => {
  const there = await listener();
  const socket = socketTo({ found: [there.address] }, { reason: 'no such host' });
  socket.send(Buffer.from('beat 1'));
  await eventually(() => there.received.length === 1);
  socket.reopen();
  assert.equal(
    socket.problem?.message,
    "can't find the collector nowhere.invalid:4327: no such host",
  );
  socket.send(Buffer.from('beat 2'));
  await eventually(() => there.received.length === 2);
});

test('a look-up that finds others moves there with the last message', async () => {
  const [before, there] = [await listener(), await listener()];
  const socket = socketTo({ found: [before.address] }, { found: [there.address] });
  socket.send(Buffer.from('beat'));
  await eventually(() => before.received.length === 1);
  socket.reopen();
  await eventually(() => there.received.length === 1);
  assert.deepEqual(there.received, ['beat']);
});
