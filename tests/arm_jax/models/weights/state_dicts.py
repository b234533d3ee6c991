"""State dicts as other projects have them: names, shapes, and files."""

import json
import zlib

import numpy as np

# A transformer whose sizes all differ.
SIZES = {"width": 8, "layers": 2, "intermediate": 12}


def drawn(shapes):
    """Arrays drawn by their names, as ../shared/golden/README.md says."""
    return {name: _drawn(name, shape) for name, shape in shapes.items()}


def _drawn(name, shape):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    x = rng.normal(size=shape)
    if name.endswith("num_batches_tracked"):
        return np.array(7, np.int64)
    if name.endswith("running_var"):
        x = 1 + 0.1 * np.abs(x)
    elif name.endswith(("running_mean", "bias", "beta")):
        x = 0.1 * x
    elif x.ndim == 1:
        x = 1 + 0.1 * x
    else:
        x = x / np.sqrt(np.prod(shape[1:]))
    return x.astype(np.float32)


def save(file, arrays, header=None):
    """Writes a .safetensors file; `header` replaces parts of the header."""
    entries, parts, end = {"__metadata__": {"format": "pt"}}, [], 0
    names = {"float32": "F32", "float16": "F16", "float64": "F64",
             "int64": "I64", "bfloat16": "BF16", "bool": "BOOL"}  # fmt: skip
    for name, x in arrays.items():
        data = np.ascontiguousarray(x).tobytes()
        entries[name] = {
            "dtype": names[x.dtype.name],
            "shape": list(x.shape),
            "data_offsets": [end, end + len(data)],
        }
        end += len(data)
        parts.append(data)
    text = json.dumps(entries | (header or {})).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
    return file


def _norm(name, width, **_):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _batch_norm(name, width):
    return {
        **_norm(name, width),
        f"{name}.running_mean": (width,),
        f"{name}.running_var": (width,),
        f"{name}.num_batches_tracked": (),
    }


def _dense(name, inputs, outputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _resnet(convolution, blocks, width, channels):
    conv, norm = convolution
    shapes = {
        f"{conv}.weight": (width, channels, 7, 7),
        **_batch_norm(norm, width),
    }
    before = width
    for stage in range(4):
        after = width * 2**stage
        for block in range(2):
            names = blocks(stage, block)
            for number, inputs in enumerate((before, after)):
                conv, norm = names[number]
                shapes[f"{conv}.weight"] = (after, inputs, 3, 3)
                shapes |= _batch_norm(norm, after)
            if before != after:
                conv, norm = names[2]
                shapes[f"{conv}.weight"] = (after, before, 1, 1)
                shapes |= _batch_norm(norm, after)
            before = after
    return shapes


def resnet_torchvision(width=2, channels=3):
    def blocks(stage, block):
        name = f"layer{stage + 1}.{block}"
        return (
            (f"{name}.conv1", f"{name}.bn1"),
            (f"{name}.conv2", f"{name}.bn2"),
            (f"{name}.downsample.0", f"{name}.downsample.1"),
        )

    return {
        **_resnet(("conv1", "bn1"), blocks, width, channels),
        **_dense("fc", 8 * width, 10),
    }


def resnet_huggingface(width=2, channels=3, prefix="resnet."):
    def blocks(stage, block):
        name = f"{prefix}encoder.stages.{stage}.layers.{block}"
        names = [f"{name}.layer.0", f"{name}.layer.1", f"{name}.shortcut"]
        return [(f"{n}.convolution", f"{n}.normalization") for n in names]

    stem = f"{prefix}embedder.embedder"
    shapes = _resnet(
        (f"{stem}.convolution", f"{stem}.normalization"),
        blocks,
        width,
        channels,
    )
    return {**shapes, **_dense("classifier.1", 8 * width, 10)}


def bert(
    width=8, layers=2, intermediate=12, vocabulary=9, positions=10, types=2,
    prefix="bert.", old=False, pooler=True,
):  # fmt: skip
    """With `old`, as the first files had it: gamma and beta."""
    embeddings = f"{prefix}embeddings"
    shapes = {
        f"{embeddings}.word_embeddings.weight": (vocabulary, width),
        f"{embeddings}.position_embeddings.weight": (positions, width),
        f"{embeddings}.token_type_embeddings.weight": (types, width),
        **_norm(f"{embeddings}.LayerNorm", width),
    }
    for n in range(layers):
        layer = f"{prefix}encoder.layer.{n}"
        for name in ("query", "key", "value"):
            shapes |= _dense(f"{layer}.attention.self.{name}", width, width)
        shapes |= _dense(f"{layer}.attention.output.dense", width, width)
        shapes |= _norm(f"{layer}.attention.output.LayerNorm", width)
        shapes |= _dense(f"{layer}.intermediate.dense", width, intermediate)
        shapes |= _dense(f"{layer}.output.dense", intermediate, width)
        shapes |= _norm(f"{layer}.output.LayerNorm", width)
    if pooler:
        shapes |= _dense(f"{prefix}pooler.dense", width, width)
    if old:
        for ours, theirs in (("weight", "gamma"), ("bias", "beta")):
            shapes = {
                name.replace(f"LayerNorm.{ours}", f"LayerNorm.{theirs}"): x
                for name, x in shapes.items()
            }
        shapes |= {"cls.predictions.bias": (vocabulary,)}
    return shapes


def distilbert(
    width=8, layers=2, intermediate=12, vocabulary=9, positions=10,
    prefix="distilbert.",
):  # fmt: skip
    embeddings = f"{prefix}embeddings"
    shapes = {
        f"{embeddings}.word_embeddings.weight": (vocabulary, width),
        f"{embeddings}.position_embeddings.weight": (positions, width),
        **_norm(f"{embeddings}.LayerNorm", width),
    }
    for n in range(layers):
        layer = f"{prefix}transformer.layer.{n}"
        for name in ("q", "k", "v", "out"):
            shapes |= _dense(f"{layer}.attention.{name}_lin", width, width)
        shapes |= _norm(f"{layer}.sa_layer_norm", width)
        shapes |= _dense(f"{layer}.ffn.lin1", width, intermediate)
        shapes |= _dense(f"{layer}.ffn.lin2", intermediate, width)
        shapes |= _norm(f"{layer}.output_layer_norm", width)
    return {**shapes, **_dense("vocab_transform", width, width)}


def vit_huggingface(
    width=8, layers=2, intermediate=12, patch=4, count=5, channels=3,
    prefix="vit.", old=True,
):  # fmt: skip
    """With `old`, as before transformers 5."""
    embeddings = f"{prefix}embeddings"
    shapes = {
        f"{embeddings}.cls_token": (1, 1, width),
        f"{embeddings}.position_embeddings": (1, count, width),
        f"{embeddings}.patch_embeddings.projection.weight": (
            width, channels, patch, patch,
        ),
        f"{embeddings}.patch_embeddings.projection.bias": (width,),
    }  # fmt: skip
    for n in range(layers):
        layer = f"{prefix}encoder.layer.{n}" if old else f"{prefix}layers.{n}"
        for name in ("query", "key", "value"):
            module = (
                f"attention.attention.{name}"
                if old
                else f"attention.{name[0]}_proj"
            )
            shapes |= _dense(f"{layer}.{module}", width, width)
        names = (
            ("attention.output.dense", "intermediate.dense", "output.dense")
            if old
            else ("attention.o_proj", "mlp.fc1", "mlp.fc2")
        )
        shapes |= _dense(f"{layer}.{names[0]}", width, width)
        shapes |= _dense(f"{layer}.{names[1]}", width, intermediate)
        shapes |= _dense(f"{layer}.{names[2]}", intermediate, width)
        shapes |= _norm(f"{layer}.layernorm_before", width)
        shapes |= _norm(f"{layer}.layernorm_after", width)
    shapes |= _norm(f"{prefix}layernorm", width)
    return {**shapes, **_dense("classifier", width, 10)}


def vit_timm(width=8, layers=2, intermediate=12, patch=4, count=5, channels=3):
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, count, width),
        "patch_embed.proj.weight": (width, channels, patch, patch),
        "patch_embed.proj.bias": (width,),
    }
    for n in range(layers):
        layer = f"blocks.{n}"
        shapes |= _norm(f"{layer}.norm1", width)
        shapes |= _dense(f"{layer}.attn.qkv", width, 3 * width)
        shapes |= _dense(f"{layer}.attn.proj", width, width)
        shapes |= _norm(f"{layer}.norm2", width)
        shapes |= _dense(f"{layer}.mlp.fc1", width, intermediate)
        shapes |= _dense(f"{layer}.mlp.fc2", intermediate, width)
    return {**shapes, **_norm("norm", width), **_dense("head", width, 10)}


def vit_torchvision(
    width=8, layers=2, intermediate=12, patch=4, count=5, channels=3,
    old=False,
):  # fmt: skip
    """With `old`, as before torchvision 0.14."""
    shapes = {
        "class_token": (1, 1, width),
        "conv_proj.weight": (width, channels, patch, patch),
        "conv_proj.bias": (width,),
        "encoder.pos_embedding": (1, count, width),
    }
    wide, back = ("linear_1", "linear_2") if old else ("0", "3")
    for n in range(layers):
        layer = f"encoder.layers.encoder_layer_{n}"
        shapes |= _norm(f"{layer}.ln_1", width)
        shapes |= {
            f"{layer}.self_attention.in_proj_weight": (3 * width, width),
            f"{layer}.self_attention.in_proj_bias": (3 * width,),
        }
        shapes |= _dense(f"{layer}.self_attention.out_proj", width, width)
        shapes |= _norm(f"{layer}.ln_2", width)
        shapes |= _dense(f"{layer}.mlp.{wide}", width, intermediate)
        shapes |= _dense(f"{layer}.mlp.{back}", intermediate, width)
    shapes |= _norm("encoder.ln", width)
    return {**shapes, **_dense("heads.head", width, 10)}
