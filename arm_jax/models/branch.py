"""One encoder of a model: made, started from weights, and applied."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from arm_jax.errors import InputError
from arm_jax.models import encoders, tuning, weights
from arm_jax.models.norms import exact
from arm_jax.models.weights import Pretrained
from arm_jax.models.weights.layout import Path

Params = Any
State = Any

_PARAMS = "params"


class _Named(nn.Module):
    """Gives an encoder the path that its random numbers are derived from."""

    encoders: dict[str, nn.Module]

    def __call__(self, x: Any, *, train: bool) -> jax.Array:
        (module,) = self.encoders.values()
        return module(x, train=train)


class Branch:
    """The encoder of one modality.

    Attributes:
      width: Width of its features.
      vocabulary: Number of tokens that it knows, None if it takes none.
      tuning: How it is trained.
    """

    def __init__(
        self,
        name: str,
        block: Mapping[str, Any],
        shared: Mapping[str, Any],
        example: Any,
    ) -> None:
        """Makes the encoder.

        Args:
          name: Name of the modality.
          block: Block of the config.
          shared: Options of all encoders that have them.
          example: Shapes and types of one example.

        Raises:
          InputError: Options that are wrong, an encoder that does not fit its
            modality, or weights that do not fit the encoder.
        """
        self._name, self._where = name, f"model.encoders.{name}"
        self._shape = encoders.shape_of(example)
        self._example = example
        options, rest = tuning.split(block, self._where)
        pretrained = None
        if options.weights:
            pretrained = self._found(options, rest)
            shared = {**shared, **self._told(pretrained, rest)}
        self._factory = encoders.create(self._where, rest, shared)
        self._still: tuple[str, ...] = ()
        module = self._encoder(None)
        self.vocabulary: int | None = getattr(module, "vocabulary", None)
        key = jax.eval_shape(lambda: jax.random.key(0))
        features, variables = jax.eval_shape(self._initial, key)
        self.width = _width(self._where, features)
        params, state = self._without(variables)
        paths = _shapes(params)
        self.tuning = tuning.tuning(options, paths, self._where)
        self._still = self.tuning.still_parts(paths)
        self._read: Callable[[], dict[Path, np.ndarray]] = dict
        if pretrained is not None:
            wanted = paths
            for collection in state.values():
                wanted = wanted | _shapes(collection)
            adapt = weights.Adapting(
                options.adapt_channels,
                options.adapt_positions,
                getattr(module, "grid", None),
            )
            try:
                self._read = pretrained.fit(wanted, adapt)
            except InputError as error:
                raise self._of_weights(error) from error

    def init(self, key: jax.Array) -> tuple[Params, State]:
        """Returns random parameters, and the state by collection."""
        return self._without(self._initial(key)[1])

    def load(self, params: Params, state: State) -> tuple[Params, State]:
        """Returns both with the weights of files in their places.

        They are on the host then, with the axes in front that they had.

        Raises:
          InputError: The files cannot be read, or hold numbers that are none.
        """
        try:
            arrays = self._read()
        except InputError as error:
            raise self._of_weights(error) from error
        if not arrays:
            return params, state

        def one(path: Any, x: Any) -> Any:
            array = arrays.get(_keys(path))
            if array is None:
                return x
            return np.broadcast_to(array.astype(x.dtype), x.shape)

        placed = lambda tree: jax.tree_util.tree_map_with_path(one, tree)
        return placed(params), {k: placed(tree) for k, tree in state.items()}

    def apply(
        self,
        params: Params,
        state: State,
        x: Any,
        *,
        train: bool,
        key: Any,
        axis_name: str | None,
    ) -> tuple[jax.Array, State]:
        """Returns features `[batch, width]`, and the state behind them.

        Args:
          params: Parameters.
          state: State by collection; may be empty.
          x: Inputs.
          train: Whether dropout draws, and the state is updated.
          key: Key for dropout, or None.
          axis_name: Name of the mapped device axis, or None.
        """
        train = train and not self.tuning.is_frozen
        variables = self._with(self._stopped(params), state)
        rngs = None if key is None else {"dropout": key}
        module = self._module(axis_name)
        if train and state:
            features, new = module.apply(
                variables, x, train=True, rngs=rngs, mutable=list(state)
            )
            state = self._without(new)[1]
        else:
            features = module.apply(variables, x, train=train, rngs=rngs)
        # The head, losses and contributions are float32.
        return exact(features), state

    def _found(
        self, options: tuning.TuningConfig, rest: Mapping[str, Any]
    ) -> Pretrained:
        try:
            layouts = encoders.layouts(rest.get("name"))
        except InputError as error:
            raise InputError(f"config {self._where}: {error}") from error
        try:
            return weights.find(
                options.weights,
                options.weights_prefix,
                layouts,
                str(rest.get("name")),
            )
        except InputError as error:
            raise self._of_weights(error) from error

    def _told(
        self, pretrained: Pretrained, rest: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Options that the weights tell, unless the block has them."""
        try:
            told = pretrained.options()
        except InputError as error:
            raise self._of_weights(error) from error
        told = {key: value for key, value in told.items() if key not in rest}
        for key, value in told.items():
            if value is None:
                raise InputError(
                    f"config {self._where}.{key} is needed: neither the "
                    f"tensors of {pretrained.opened.path} nor a config.json "
                    "beside them say it in a way that is known"
                )
        shape = self._shape
        if isinstance(shape, tuple):
            channels = shape[-1] if len(shape) > 2 else 1
            for key in {"mean", "std"} & told.keys():
                if len(told[key]) != channels:
                    # Of images of another kind: the same for all channels.
                    told[key] = (sum(told[key]) / len(told[key]),)
        return told

    def _of_weights(self, error: InputError) -> InputError:
        return InputError(f"config {self._where}.weights: {error}")

    def _encoder(self, axis_name: str | None) -> nn.Module:
        return self._factory(
            self._shape, axis_name=axis_name, frozen=self._still
        )

    def _module(self, axis_name: str | None) -> _Named:
        return _Named({self._name: self._encoder(axis_name)})

    def _initial(self, key: jax.Array) -> tuple[jax.Array, dict[str, Any]]:
        x = jax.tree.map(
            lambda x: jnp.zeros((1, *x.shape), x.dtype), self._example
        )
        return self._module(None).init_with_output(key, x, train=False)

    def _stopped(self, params: Params) -> Params:
        """Stops gradients at the parameters that are frozen."""
        if not self.tuning.frozen:
            return params
        return jax.tree_util.tree_map_with_path(
            lambda path, x: (
                jax.lax.stop_gradient(x)
                if _keys(path) in self.tuning.frozen
                else x
            ),
            params,
        )

    def _with(self, params: Params, state: State) -> dict[str, Any]:
        """Returns the collections under the path of `_Named`."""
        path = f"encoders_{self._name}"
        collections = {_PARAMS: params} | dict(state)
        return {
            kind: {path: tree} for kind, tree in collections.items() if tree
        }

    def _without(self, variables: Mapping[str, Any]) -> tuple[Params, State]:
        """Undoes `_with`: parameters and state."""
        path = f"encoders_{self._name}"
        collections = {kind: tree[path] for kind, tree in variables.items()}
        params = collections.pop(_PARAMS, {})
        return params, collections


def _shapes(tree: Any) -> dict[Path, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {_keys(path): tuple(x.shape) for path, x in leaves}


def _keys(path: Any) -> Path:
    return tuple(str(entry.key) for entry in path)


def _width(where: str, features: Any) -> int:
    """Returns the width of features `[1, width]`.

    Raises:
      InputError: They have another shape.
    """
    if features.ndim != 2 or features.shape[0] != 1:
        raise InputError(
            f"config {where}: features must be [batch, width], got "
            f"{features.shape} for a batch of 1"
        )
    return int(features.shape[1])
