"""The protocol engine of an emitter: what to send, when, and what the answers mean.

Pure: time (monotonic nanoseconds), session ids and the seed of the jitter are arguments, so the same
inputs give the same datagrams. Its owner drives an `Engine` in this order:

1. pass in received datagrams (`handle_datagram`), and store the desired states *before* the next
   step if they changed: they must be on disk before a beat reports them;
2. send what `poll_transmit` returns, until it returns None;
3. wait until `poll_timeout`, or until a datagram is received.
"""
