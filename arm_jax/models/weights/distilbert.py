"""DistilBERT as transformers has it: BERT without types and pooler.

Sanh, Debut, Chaumond, Wolf, DistilBERT, a distilled version of BERT, 2019.
"""

from typing import Any

from arm_jax.models.weights import texts
from arm_jax.models.weights.files import Beside
from arm_jax.models.weights.layout import Layout, Shapes

_LAYERS = "transformer.layer."
_LAYER = _LAYERS + "{n}."


def _options(shapes: Shapes, beside: Beside) -> dict[str, Any]:
    texts.model_type(beside.config, ("distilbert",))
    options = texts.sizes(shapes, _LAYERS, "ffn.lin1.weight")
    options["types"] = 0
    options |= texts.pooling(beside)
    return options | texts.told(
        beside.config,
        options["width"],
        width_key="dim",
        heads_key="n_heads",
        activation_key="activation",
    )


LAYOUT = Layout(
    name="Hugging Face's DistilBERT",
    mark=(
        "embeddings.word_embeddings.weight",
        _LAYERS + "0.attention.q_lin.weight",
    ),
    modules={
        "words": ("embeddings.word_embeddings",),
        "positions": ("embeddings.position_embeddings",),
        "norm": ("embeddings.LayerNorm",),
        "layer_{n}/query": (_LAYER + "attention.q_lin",),
        "layer_{n}/key": (_LAYER + "attention.k_lin",),
        "layer_{n}/value": (_LAYER + "attention.v_lin",),
        "layer_{n}/attention": (_LAYER + "attention.out_lin",),
        "layer_{n}/attention_norm": (_LAYER + "sa_layer_norm",),
        "layer_{n}/intermediate": (_LAYER + "ffn.lin1",),
        "layer_{n}/output": (_LAYER + "ffn.lin2",),
        "layer_{n}/output_norm": (_LAYER + "output_layer_norm",),
    },
    arrays={},
    ignored=(
        "embeddings.position_ids",
        "vocab_transform.*",
        "vocab_layer_norm.*",
        "vocab_projector.*",
        "pre_classifier.*",
        "classifier.*",
        "qa_outputs.*",
    ),
    options=_options,
)
