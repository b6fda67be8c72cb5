"""The Heartline protocol, version 1: what stands on the wire (`SPEC.md`).

Pure: no sockets, no clocks, no randomness. Each module is named after a section of the specification.
"""
