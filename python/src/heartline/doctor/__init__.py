"""`python -m heartline doctor`: finds out why an agent would not be seen.

1. the environment that an agent started here would use
2. its token: there, readable, whole, for whom
3. the directory in which a kill is remembered
4. the collectors' addresses: can they be resolved
5. a signed probe to each collector, at each of its addresses until one answers

The probe is a beat that proves nothing fresh, so it changes no agent's state. A collector lists every
agent that signs with a right key, though: the probe has an id of its own under the token's scope.
"""
