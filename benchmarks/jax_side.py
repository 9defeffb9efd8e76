"""JAX's side: a training step that is compiled as a whole, on a CPU."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cases import Case
from jax_net import JaxNet
from settings import DECAY, MOMENTUM, RATE, Setting


def import_all(_: Setting) -> None:
    """Compile something small: JAX loads much when it first compiles."""
    jax.config.update("jax_platforms", "cpu")
    jax.jit(jnp.tanh)(jnp.zeros(4)).block_until_ready()


class Training:
    """Forward, backward and SGD with momentum in one compiled function, whose state is donated;
    each iteration's loss is read.
    """

    def __init__(
        self, case: Case, weights: Path, setting: Setting, *, dropout: bool = True
    ) -> None:
        plan = case.training(dropout=dropout)
        dtype = jnp.bfloat16 if setting.precision == "bfloat16" else jnp.float32
        self.net = JaxNet(plan, dtype)
        params, statistics = self.net.load(np.load(weights))
        history = jax.tree.map(jnp.zeros_like, params)
        self.inputs = self.net.inputs(case.inputs(plan))
        self.state = (params, history, statistics, jax.random.key(0))
        self.step = jax.jit(partial(_step, self.net), donate_argnums=0)
        self.loss = 0.0

    def run(self, iterations: int) -> None:
        """Train so many iterations."""
        for _ in range(iterations):
            self.state, loss = self.step(self.state, self.inputs)
            self.loss = float(loss)

    def results(self) -> dict[str, np.ndarray]:
        """The loss of the last iteration, and every parameter that is learned."""
        return {"loss": np.array(self.loss), **self.net.arrays(self.state[0])}


def _step(net: JaxNet, state: Any, inputs: list[jax.Array]) -> tuple[Any, jax.Array]:
    params, history, statistics, key = state
    key, drawn = jax.random.split(key)
    gradients = jax.value_and_grad(net.loss, has_aux=True)
    (loss, statistics), found = gradients(params, statistics, inputs, drawn)
    history = jax.tree.map(
        lambda v, g, p: MOMENTUM * v + RATE * (g + DECAY * p), history, found, params
    )
    params = jax.tree.map(jnp.subtract, params, history)
    return (params, history, statistics, key), loss
