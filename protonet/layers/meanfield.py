"""MultiStageMeanfield: mean-field inference of a dense CRF as a layer (CRF-RNN)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import DataError, LayerError
from protonet.kernels.permutohedral import Lattice
from protonet.kernels.softmax import softmax
from protonet.layers.base import Layer, Traits, Weight, shape_text
from protonet.layers.registry import register

_PARAM = "multi_stage_meanfield_param"
_MOST_STEPS = 1000
_TINY = 1e-20


class _Filter:
    """A normalized Gaussian filter over the pixels of an image: K x / K 1."""

    def __init__(self, features: Array) -> None:
        self.lattice = Lattice(features)
        self._share = 1 / (self.lattice.filter(np.ones((1, len(features)))) + _TINY)

    def forward(self, x: Array) -> Array:
        y: Array = self.lattice.filter(x) * self._share
        return y

    def backward(self, dy: Array) -> Array:
        return self.lattice.filter(dy * self._share, transposed=True)


@register("MultiStageMeanfield")
class MultiStageMeanfield(Layer):
    """T steps of x <- u - C (S f(q) + B g(q)), with q = softmax(x) over the classes, from x0 on.

    f and g are normalized Gaussian filters of each class: f(q)_i = sum_j k_ij q_j / sum_j k_ij.
    f's k is exp(-|p_i - p_j|^2 / (2 gamma^2)) of the pixels' positions p, g's
    exp(-|p_i - p_j|^2 / (2 alpha^2) - |c_i - c_j|^2 / (2 beta^2)) of their colours c too, both by
    a permutohedral lattice. Gradients: by backpropagation through all steps.

    Bottom:
        0: u, N x K x H x W, the scores of K classes.
        1: x0, the shape of u; a net gives u here.
        2: images, N x 3 x H x W, the values of a pixel's colour. No gradient.
    Top:
        y: the x of the last step, the shape of u.
    Params:
        0: S, 1 x 1 x K x K. 1: B, 1 x 1 x K x K. 2: C, 1 x 1 x K x K.
    Spec:
        multi_stage_meanfield_param: num_iterations (T, 1), theta_alpha, theta_beta, theta_gamma
        (10 each), spatial_filter_weight and bilateral_filter_weight (1; the diagonals of S and B,
        unless the working or prototxt folder has spatial.par and bilateral.par),
        compatibility_mode (POTTS: C is -1 on its diagonal). threshold is ignored.
    Raises:
        LayerError: for a theta that is not above 0, no iteration or too many, bottoms of invalid
        shapes, or, while running, colours that are too far apart.
        DataError: for a .par file without K numbers.
    Differs:
        BVLC Caffe has no such layer; this is the one of torrvision/crfasrnn. There .par files
        are required, and the weights in the prototxt are ignored; gradients of parameters are not
        added up over iter_size; T is 2 or more.
    """

    bottoms = (3, 3)
    no_gradient = frozenset({2})
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        param = self.spec.multi_stage_meanfield_param
        self.steps = int(param.num_iterations)
        if not 1 <= self.steps <= _MOST_STEPS:
            raise LayerError(
                f"expected num_iterations of 1 to {_MOST_STEPS:,}, got {self.steps:,}",
                (_PARAM, "num_iterations"),
            )
        for name in ("theta_alpha", "theta_beta", "theta_gamma"):
            if not 0 < getattr(param, name) < math.inf:
                raise LayerError(
                    f"expected {name} above 0, got {getattr(param, name):g}", (_PARAM, name)
                )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        u, x0, image = shapes
        if len(u) != 4:
            raise LayerError(f"expected scores N x K x H x W, got {shape_text(u)}", ("bottom", 0))
        for place, found, wanted in ((1, x0, u), (2, image, (u[0], 3, *u[2:]))):
            if found != wanted:
                raise LayerError(
                    f"expected '{self.spec.bottom[place]}' to be {shape_text(wanted)}, got "
                    f"{shape_text(found)}",
                    ("bottom", place),
                )
        return [u]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        param, classes = self.spec.multi_stage_meanfield_param, shapes[0][1]
        diagonals = (
            self._initial_diagonal("spatial.par", param.spatial_filter_weight, classes),
            self._initial_diagonal("bilateral.par", param.bilateral_filter_weight, classes),
            np.full(classes, -1.0),
        )
        shape = (1, 1, classes, classes)
        return [Weight(shape, values=np.diag(each).reshape(shape)) for each in diagonals]

    def _initial_diagonal(self, name: str, weight: float, classes: int) -> np.ndarray:
        """The diagonal from a file of this name, else ``weight`` for each class."""
        path = self.context.find(name)
        if not path.is_file():
            return np.full(classes, weight)
        try:
            found = np.array(path.read_text().split()[:classes], float)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: expected numbers: {error}") from error
        if len(found) < classes or not np.isfinite(found).all():
            raise DataError(f"{path}: expected {classes} numbers, got {len(found)}")
        return found

    def build(self, shapes: Sequence[Shape]) -> None:
        items, classes, self._height, self._width = shapes[0]
        for made in ("_positions", "_spatial_filter"):
            self.__dict__.pop(made, None)
        self._view_shape = (items, classes, self._height * self._width)
        kept = self.steps if self.gradients else 1
        # Saved for backward from each step: q, f(q) and g(q).
        self._kept = self.device.pinned((kept, 3, *self._view_shape), self.dtype)
        self._reduced = self.device.pinned((items, 1, self._view_shape[2]), self.dtype)
        self._y = self.device.pinned(self._view_shape, self.dtype)
        self._dx = self.device.pinned(self._view_shape, self.dtype)
        self._du = self.device.pinned(self._view_shape, self.dtype)

    @cached_property
    def _positions(self) -> Array:
        """Column and row of each pixel."""
        rows, columns = np.mgrid[: self._height, : self._width]
        return np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64)

    @cached_property
    def _spatial_filter(self) -> _Filter:
        """The filter by distance of pixels, the same for every image."""
        return _Filter(self._positions / self.spec.multi_stage_meanfield_param.theta_gamma)

    def _bilateral_filter(self, image: Array) -> _Filter:
        """The filter by distance of pixels and of their colours."""
        param = self.spec.multi_stage_meanfield_param
        colours = image.reshape(3, -1).T.astype(np.float64) / param.theta_beta
        try:
            if not np.isfinite(colours).all():
                raise ValueError("a colour is NaN")
            return _Filter(np.concatenate([self._positions / param.theta_alpha, colours], axis=1))
        except ValueError as error:
            raise LayerError(
                f"layer \"{self.name}\" ({self.type}): '{self.spec.bottom[2]}': {error}",
                ("bottom", 2),
                "expected images with values of 0 to 255, less a mean",
            ) from error

    def _matrices(self) -> list[Array]:
        classes = self._view_shape[1]
        return [self.device.get(param.data).reshape(classes, classes) for param in self.params]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        u, x, images = (self.device.get(bottom) for bottom in bottoms)
        u, x = u.reshape(self._view_shape), x.reshape(self._view_shape)
        near, alike, mix = self._matrices()
        self._filters = [self._bilateral_filter(image) for image in images]
        for step in range(self.steps):
            q, spatial, bilateral = self._kept[step % len(self._kept)]
            softmax(np, x, 1, q, self._reduced)
            for item, same in enumerate(self._filters):
                spatial[item], bilateral[item] = (
                    self._spatial_filter.forward(q[item]),
                    same.forward(q[item]),
                )
            x = np.subtract(u, mix @ (near @ spatial + alike @ bilateral), out=self._y)
        self.device.put(self._y.reshape(tops[0].shape), tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        near, alike, mix = self._matrices()
        dx, du, grown = self._dx, self._du, [np.zeros_like(near) for _ in range(3)]
        dx[...] = self.device.get(dtops[0]).reshape(self._view_shape)
        du.fill(0)
        for q, spatial, bilateral in self._kept[::-1]:
            du += dx
            dmessage, message = -(mix.T @ dx), near @ spatial + alike @ bilateral
            for gradient, dy, x in zip(
                grown, (dmessage, dmessage, -dx), (spatial, bilateral, message), strict=True
            ):
                gradient += np.einsum("ncp,nkp->ck", dy, x)
            for item, same in enumerate(self._filters):
                dq = self._spatial_filter.backward(near.T @ dmessage[item])
                dq += same.backward(alike.T @ dmessage[item])
                dx[item] = q[item] * (dq - (q[item] * dq).sum(axis=0))
        for param, gradient in zip(self.params, grown, strict=True):
            if param.wanted:
                added = self.device.get(param.diff) + gradient.reshape(param.shape)
                self.device.put(added, param.diff)
        for found, dbottom in zip((du, dx), dbottoms[:2], strict=True):
            if dbottom is not None:
                self.device.put(found.reshape(dbottom.shape), dbottom)
