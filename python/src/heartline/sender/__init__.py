"""The sender: a thread, the only part that uses the network and, after the start, the disk."""
