"""How the parts of an iteration are run: call by call, or on a GPU recorded and launched again."""

from __future__ import annotations

from protonet.graph.inspection import describe_passes
from protonet.graph.net import Net
from protonet.graph.parameters import rewrite_gradients
from protonet.graph.repeating import compute, feed, repeats
from protonet.kernels.gradients import Clear
from protonet.recording import Repeated
from protonet.solvers.loss_scale import LossScale
from protonet.solvers.rules import Rule
from protonet.train.losses import Losses


class Stepping:
    """The passes and the update, call by call."""

    whole = False
    """Whether ``iterate`` is there, which does all of an iteration at once."""
    refusals: frozenset[str] = frozenset()
    """Why parts that should be recorded are not."""

    def __init__(
        self, net: Net, rule: Rule, losses: Losses, scale: LossScale | None = None
    ) -> None:
        self.net, self.rule, self.losses, self.scale = net, rule, losses, scale
        self._zeros = Clear.make(net.device, net.store.diff.dtype)
        self._added = [net.store.diff]

    def rewrite(self) -> None:
        """Let backward passes write the gradients that they can, instead of adding to zeros: for
        iterations of one pass, where nobody else adds to gradients.
        """
        self._added = rewrite_gradients(self.net.plan, self.net.layers, self.net.store)

    def begin(self) -> None:
        """Begin an iteration: make the gradients that are added to 0."""
        self.losses.count()
        self._clear()

    def passes(self) -> None:
        """Forward and backward, with the next batch."""
        self.net.forward()
        self.net.backward()
        self.losses.take()

    def inspected(self) -> list[str]:
        """What ``passes`` does, layer by layer, with lines that tell of every blob."""
        lines = describe_passes(self.net)
        self.losses.take()
        return lines

    def update(self, rate: float, iteration: int) -> None:
        """Move the parameters."""
        if self.scale is not None:
            self.scale.settle()
        self.rule.step(rate, iteration)

    def iterate(self, rate: float, iteration: int) -> None:
        """Begin, one batch, update."""
        raise NotImplementedError

    def _clear(self) -> None:
        for part in self._added:
            self._zeros.clear(part)
        self.losses.begin()


class Recorded(Stepping):
    """On a GPU: what does not depend on the host is recorded once (``protonet.recording``).

    What changes from one iteration to the next lies in the memory of the GPU: the batch, which
    the data layers copy there before; the learning rate, which ``Rule.prepare`` writes; the count
    of passes, which the recorded work itself moves on. What the losses were stays there until it
    is asked for. An iteration between whose passes and update nobody looks is one recording,
    others are two.
    """

    whole = True

    def __init__(
        self, net: Net, rule: Rule, losses: Losses, scale: LossScale | None = None
    ) -> None:
        super().__init__(net, rule, losses, scale)

        def key() -> tuple[int, int]:
            return net.version, rule.version

        self._passes = Repeated(net.device, self._compute, key)
        self._update = Repeated(net.device, self._move, key)
        self._whole = Repeated(net.device, self._all, key)

    @property
    def refusals(self) -> frozenset[str]:  # type: ignore[override]
        """Why parts that should be recorded are not."""
        parts = (self._passes, self._update, self._whole)
        return frozenset(part.refusal for part in parts if part.refusal)

    def passes(self) -> None:
        """Forward and backward, with the next batch."""
        feed(self.net)
        self._passes()
        self.net.clock.count()

    def update(self, rate: float, iteration: int) -> None:
        """Move the parameters."""
        self.rule.prepare(rate, iteration)
        self._update()

    def iterate(self, rate: float, iteration: int) -> None:
        """Begin, one batch, update."""
        self.losses.count()
        feed(self.net)
        self.rule.prepare(rate, iteration)
        self._whole()
        self.net.clock.count()

    def _all(self) -> None:
        self._clear()
        self._compute()
        self._move()

    def _compute(self) -> None:
        compute(self.net)
        self.losses.take()

    def _move(self) -> None:
        if self.scale is not None:
            self.scale.settle()
        self.rule.launch()


def make_stepping(net: Net, rule: Rule, losses: Losses, scale: LossScale | None = None) -> Stepping:
    """The best way for a net and a rule."""
    recorded = repeats(net) and rule.replays
    return (Recorded if recorded else Stepping)(net, rule, losses, scale)
