"""Identity of an agent (`SPEC.md`, section 7.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..protocol.bodies import DEPENDS_MAX, LABELS_MAX
from ..protocol.packing import Value, pack
from ..protocol.text import LABEL_KEY_MAX, TEXT_MAX, scrub_to
from ..protocol.unpacking import U32_MAX

# Longest identity, in bytes on the wire: a beat has room for it beside all but a segment.
_IDENTITY_MAX = 800


class Identity(NamedTuple):
    """Identity that an agent reports. Every field is optional."""

    host: str | None = None
    group: str | None = None
    version: str | None = None
    framework: str | None = None
    sdk: str | None = None
    pid: int | None = None
    labels: Mapping[str, str] = {}
    depends: Sequence[str] = ()

    def fitted(self) -> Identity:
        """Returns the identity as it can be sent: texts scrubbed and cut to their limits, then labels
        and dependencies dropped from the end until the rest fits a beat."""
        labels = {
            scrub_to(key, LABEL_KEY_MAX): scrub_to(value, TEXT_MAX)
            for key, value in sorted(self.labels.items())[:LABELS_MAX]
        }
        fitted = Identity(
            host=_fitted(self.host),
            group=_fitted(self.group),
            version=_fitted(self.version),
            framework=_fitted(self.framework),
            sdk=_fitted(self.sdk),
            pid=self.pid if self.pid is not None and 0 <= self.pid <= U32_MAX else None,
            labels=labels,
            depends=tuple(self.depends[:DEPENDS_MAX]),
        )
        while len(pack(fitted.fields())) > _IDENTITY_MAX and (fitted.labels or fitted.depends):
            if fitted.labels:
                fewer = dict(list(fitted.labels.items())[:-1])
                fitted = fitted._replace(labels=fewer)
            else:
                fitted = fitted._replace(depends=fitted.depends[:-1])
        return fitted

    def fields(self) -> dict[str, Value]:
        """Returns the map that a beat carries: what is given, under its key."""
        return {
            key: value for key, value in self._asdict().items() if value or value == 0
        }


def _fitted(text: str | None) -> str | None:
    return None if text is None else scrub_to(text, TEXT_MAX)
