"""Modalities take turns by epoch; the other encoders rest. A test method."""

import dataclasses

import jax

from arm_jax.methods import Method, terms


@dataclasses.dataclass(frozen=True, kw_only=True)
class Alternating(Method):
    """Cross-entropy of one modality alone, another one each stage."""

    stage: int = 1
    modalities: tuple[str, ...] = ("loud", "quiet")

    def check(self):
        """Raises InputError for a stage of no epochs."""
        terms.check_counts("alternating", stage=self.stage)

    def phase(self, epoch, modalities):
        """The modality whose epoch it is."""
        return self.modalities[epoch // self.stage % len(self.modalities)]

    def loss(self, forward, batch):
        """Cross-entropy of that modality."""
        number = list(forward.features).index(forward.phase)
        log_p = forward.log_probs().alone[number]
        kept = batch["mask"][:, number]
        return terms.kept_cross_entropy(log_p, batch, kept), {}

    def held(self, params, turn, phase):
        """Holds the encoders of the others."""
        rests = {name: name != phase for name in params["encoders"]}
        return jax.tree.map(lambda _: False, params) | {"encoders": rests}
