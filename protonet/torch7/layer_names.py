"""The names of translated layers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Names:
    """Names of layers: ``Linear1``, ``Linear2``, in the order in which they are given out."""

    counts: dict[str, int] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def new(self, stem: str) -> str:
        """The stem with its next number."""
        while True:
            self.counts[stem] = self.counts.get(stem, 0) + 1
            name = f"{stem}{self.counts[stem]}"
            if name not in self.taken:
                self.taken.add(name)
                return name
