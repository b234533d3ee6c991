"""BERT, RoBERTa and ELECTRA as transformers has them.

Devlin, Chang, Lee, Toutanova, NAACL 2019. The oldest files, such as that of
bert-base-uncased, call the arrays of a normalisation gamma and beta.
"""

from typing import Any

from arm_jax.errors import InputError
from arm_jax.models.weights import texts
from arm_jax.models.weights.files import Beside
from arm_jax.models.weights.layout import Layout, Shapes

_LAYER = "encoder.layer.{n}."
_FAMILY = ("bert", "roberta", "xlm-roberta", "camembert", "electra")
# They number positions from the token <pad>, 1, on.
_COUNTING_FROM_PAD = ("roberta", "xlm-roberta", "camembert")


def _options(shapes: Shapes, beside: Beside) -> dict[str, Any]:
    kind = texts.model_type(beside.config, _FAMILY)
    positions = beside.config.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise InputError(
            f"config.json beside the weights has positions '{positions}'; "
            "only absolute ones are known"
        )
    options = texts.sizes(shapes, "encoder.layer.", "intermediate.dense.weight")
    options["types"] = shapes["embeddings.token_type_embeddings.weight"][0]
    if "model_type" not in beside.config and options["types"] == 1:
        # Like RoBERTa's, whose positions and epsilon are others than BERT's.
        options |= {"offset": None, "epsilon": None}
    if kind in _COUNTING_FROM_PAD:
        options["offset"] = int(beside.config.get("pad_token_id", 1)) + 1
    options |= texts.pooling(beside)
    return options | texts.told(
        beside.config,
        options["width"],
        width_key="hidden_size",
        heads_key="num_attention_heads",
        activation_key="hidden_act",
        epsilon_key="layer_norm_eps",
    )


LAYOUT = Layout(
    name="Hugging Face's BERT",
    mark=(
        "embeddings.word_embeddings.weight",
        "embeddings.token_type_embeddings.weight",
    ),
    modules={
        "words": ("embeddings.word_embeddings",),
        "positions": ("embeddings.position_embeddings",),
        "types": ("embeddings.token_type_embeddings",),
        "norm": ("embeddings.LayerNorm",),
        "layer_{n}/query": (_LAYER + "attention.self.query",),
        "layer_{n}/key": (_LAYER + "attention.self.key",),
        "layer_{n}/value": (_LAYER + "attention.self.value",),
        "layer_{n}/attention": (_LAYER + "attention.output.dense",),
        "layer_{n}/attention_norm": (_LAYER + "attention.output.LayerNorm",),
        "layer_{n}/intermediate": (_LAYER + "intermediate.dense",),
        "layer_{n}/output": (_LAYER + "output.dense",),
        "layer_{n}/output_norm": (_LAYER + "output.LayerNorm",),
        "pooler": ("pooler.dense",),
    },
    arrays={},
    ignored=(
        "embeddings.position_ids",
        "embeddings.token_type_ids",
        "pooler.dense.*",
        "cls.*",
        "classifier.*",
        "lm_head.*",
        "discriminator_predictions.*",
        "qa_outputs.*",
    ),
    options=_options,
)
