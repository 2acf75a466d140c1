"""The authors' pickle, read without being run, against float64 numpy: replicas, good and bad."""

from __future__ import annotations

import functools
import os
import pickle
import random
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from published_fixtures import (
    Calls,
    golden,
    nested_pickle,
    overcomplete_names,
    rewrite_records,
    write_pickle,
    write_replica,
)
from torch import nn

from blindspots_hub.concepts.published.fuse import fusing
from blindspots_hub.concepts.published.pickle import Archetypes, read_published
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive

GOLDEN = golden()


def _refusal(path: Path) -> str:
    """What `read_published` says of a file: one sentence that names it."""
    with pytest.raises(BlindspotsError) as told:
        read_published(path)
    sentence = str(told.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    return sentence


def _fuse(parts: torch.Tensor | Archetypes, tmp_path: Path) -> np.ndarray:
    assert isinstance(parts, Archetypes)
    return drive(fusing(parts, tmp_path / "m.pth")).numpy()


@pytest.mark.parametrize("wrapped", [True, False])
def test_saved_in_training_mode(tmp_path: Path, wrapped: bool) -> None:
    read = read_published(write_replica(tmp_path / "m.pth", GOLDEN, wrapped=wrapped))
    assert (read.n_concepts, read.d, read.delta) == (96, 12, 1.0)
    assert (read.layer_norm_eps, read.top_k, read.threshold) == (1e-5, 20_480, None)
    np.testing.assert_array_equal(read.encoder_weight.numpy(), GOLDEN["weight"])
    np.testing.assert_array_equal(read.norm_bias.numpy(), GOLDEN["shift"])
    np.testing.assert_allclose(
        _fuse(read.dictionary, tmp_path), GOLDEN["golden_dictionary"], atol=2e-6
    )


def test_a_stored_dictionary_is_used_as_it_is_and_a_stale_one_is_not(tmp_path: Path) -> None:
    stored = np.full((96, 12), 0.25, np.float32)
    path = write_replica(tmp_path / "eval.pth", GOLDEN, fused=stored, training=False)
    dictionary = read_published(path).dictionary
    assert isinstance(dictionary, torch.Tensor)
    np.testing.assert_array_equal(dictionary.numpy(), stored)
    stale = read_published(write_replica(tmp_path / "stale.pth", GOLDEN, fused=stored))
    np.testing.assert_allclose(
        _fuse(stale.dictionary, tmp_path), GOLDEN["golden_dictionary"], atol=2e-6
    )


def test_a_projected_w_gives_the_same_atoms(tmp_path: Path) -> None:
    rows = np.maximum(GOLDEN["W"].astype(np.float64), 0)
    rows /= rows.sum(1, keepdims=True) + 1e-8
    path = write_replica(tmp_path / "m.pth", GOLDEN | {"W": rows.astype(np.float32)})
    atoms = _fuse(read_published(path).dictionary, tmp_path)
    np.testing.assert_allclose(atoms, GOLDEN["golden_dictionary"], atol=2e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_and_a_constant_multiplier(tmp_path: Path, dtype: torch.dtype) -> None:
    def constant(sae: nn.Module) -> None:
        del sae.dictionary.multiplier
        sae.dictionary.register_buffer("multiplier", torch.zeros((), dtype=dtype))

    tensors = {name: torch.as_tensor(value).to(dtype) for name, value in GOLDEN.items()}
    read = read_published(write_replica(tmp_path / "m.pth", tensors, change=constant))
    atoms = _fuse(read.dictionary, tmp_path)
    scale = np.exp(np.float64(GOLDEN["multiplier"]))
    np.testing.assert_allclose(atoms, GOLDEN["golden_dictionary"] / scale, atol=0.05)
    assert np.isfinite(atoms).all()


@pytest.mark.parametrize("value", [0.5, torch.tensor(0.5)])
def test_a_threshold_in_the_file_is_read(tmp_path: Path, value: float | torch.Tensor) -> None:
    path = write_replica(tmp_path / "m.pth", GOLDEN, threshold=value)
    assert read_published(path).threshold == 0.5


EVIL = {
    "posix.system": lambda touch: Calls(os.system, touch),
    "builtins.eval": lambda touch: Calls(eval, f"__import__('os').system({touch!r})"),
    "builtins.exec": lambda touch: Calls(exec, f"__import__('os').system({touch!r})"),
    "builtins.getattr": lambda touch: Calls(getattr, touch, "upper"),
    "functools.partial": lambda touch: Calls(functools.partial, os.system, touch),
    "check_call": lambda touch: Calls(subprocess.check_call, touch.split()),
    "pickle.loads": lambda touch: nested_pickle(os.system, touch),
}


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("place", ["root", "state dict", "attribute", "hook", "buffers"])
def test_what_could_run_code_is_named_and_never_run(tmp_path: Path, name: str, place: str) -> None:
    marker = tmp_path / "ran"
    evil = EVIL[name](f"touch {marker}")
    path = tmp_path / "m.pth"
    if place == "root":
        torch.save(evil, path)
    elif place == "state dict":
        torch.save({"model": {"encoder": [torch.zeros(2), {"deep": evil}]}}, path)
    else:

        def spoil(sae: nn.Module) -> None:
            if place == "attribute":
                sae._fitted_info = {"when": evil}
            elif place == "hook":
                sae.encoder._forward_hooks[0] = evil
            else:
                sae.dictionary._buffers["C"] = evil

        write_replica(path, GOLDEN, change=spoil)
    assert name in _refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_names_are_found_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "ran"
    content = pickle.dumps(Calls(os.system, f"touch {marker}"), protocol=protocol)
    assert "posix.system" in _refusal(write_pickle(tmp_path / "m.pth", content))
    assert not marker.exists()


def test_names_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    content = b"\x80\x02cevil\x1b[2Jmodule\nname\n)R."
    assert "evil\\x1b[2Jmodule.name" in _refusal(write_pickle(tmp_path / "m.pth", content))
    many = b"\x80\x02" + b"".join(b"cmodule\nname%d\n0" % i for i in range(50)) + b"N."
    assert "and 45 others" in _refusal(write_pickle(tmp_path / "m.pth", many))


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02c__builtin__\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85R.",  # 17 TB
        b"\x80\x02ctorch\nTensor\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85R.",
        b"\x80\x02ctorch.storage\nUntypedStorage\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85R.",
    ],
)
def test_a_kilobyte_cannot_ask_for_a_terabyte(tmp_path: Path, content: bytes) -> None:
    """torch itself deems these safe."""
    assert "asks for" in _refusal(write_pickle(tmp_path / "m.pth", content))


def test_a_few_bytes_cannot_pose_as_a_large_tensor(tmp_path: Path) -> None:
    def inflate(sae: nn.Module) -> None:
        sae.encoder.final_block[0]._parameters["weight"] = torch.zeros(1, 1).expand(
            1 << 30, 1 << 20
        )

    path = write_replica(tmp_path / "m.pth", GOLDEN, change=inflate)
    assert "no plain float tensor as its weight" in _refusal(path)


def test_not_a_zip_archive(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save(GOLDEN["W"].tolist(), path, _use_new_zipfile_serialization=False)
    assert "is not a zip archive" in _refusal(path)
    for content in (b"", b"PK", b"version https://git-lfs.github.com/spec/v1\n"):
        path.write_bytes(content)
        assert "is not a zip archive" in _refusal(path)


def test_truncated_anywhere(tmp_path: Path) -> None:
    path = write_replica(tmp_path / "m.pth", GOLDEN)
    whole = path.read_bytes()
    for share in (0.01, 0.3, 0.7, 0.99, 0.9999):
        path.write_bytes(whole[: int(share * len(whole))])
        assert "truncated or damaged" in _refusal(path)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({"archive/code/evil.py": b"x"}, "archive/code/evil.py"),
        ({"../../evil": b"x"}, "../../evil"),
        ({"other/data.pkl": b"x"}, "not one small data.pkl"),
        ({f"archive/data/{i}": b"" for i in range(100, 1200)}, "too many records"),
    ],
)
def test_records_that_torch_never_writes(
    tmp_path: Path, extra: dict[str, bytes], told: str
) -> None:
    path = write_replica(tmp_path / "m.pth", GOLDEN)
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in extra.items():
            archive.writestr(name, content)
    assert told in _refusal(path)


def test_compressed_repeated_large_and_swapped_records(tmp_path: Path) -> None:
    path = write_replica(tmp_path / "m.pth", GOLDEN)
    rewrite_records(path, lambda name, old: old, compression=zipfile.ZIP_DEFLATED)
    assert "compressed records" in _refusal(path)

    def swap(name: str, old: bytes) -> bytes:
        return b"big" if name.endswith("byteorder") else old

    rewrite_records(write_replica(path, GOLDEN), swap)
    assert "not little-endian" in _refusal(path)
    assert "not one small data.pkl" in _refusal(write_pickle(path, b"N." * (1 << 20)))
    content = write_replica(path, GOLDEN).read_bytes()
    path.write_bytes(b"PK\x03\x04 prepended" + content)
    assert "damaged" in _refusal(path)


def test_random_damage_to_the_pickle_is_one_sentence(tmp_path: Path) -> None:
    whole = write_replica(tmp_path / "whole.pth", GOLDEN).read_bytes()
    path = tmp_path / "m.pth"
    dice = random.Random(0)

    def damage(name: str, old: bytes) -> bytes:
        at, to = dice.randrange(len(old)), dice.randrange(256)
        return old[:at] + bytes([to]) + old[at + 1 :] if name.endswith("data.pkl") else old

    told = []
    for _ in range(300):
        path.write_bytes(whole)
        rewrite_records(path, damage)
        try:
            read_published(path)
        except BlindspotsError as error:
            told.append(str(error))
    assert len(told) > 100
    assert not any("\n" in sentence for sentence in told)


def test_other_objects_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save({"encoder.final_block.0.weight": torch.zeros(3, 2)}, path)
    assert "holds an object of type dict, not a whole model" in _refusal(path)
    torch.save(nn.DataParallel(nn.Linear(2, 3)), path)
    assert "has no BatchTopKSAE as its module" in _refusal(path)
    torch.save(nn.Linear(2, 3), path)
    assert "is a Linear and not a BatchTopKSAE" in _refusal(path)
    torch.save(nn.Linear, path)
    assert "holds an object of type type" in _refusal(path)
    with overcomplete_names() as names:
        bare = names.BatchTopKSAE.__new__(names.BatchTopKSAE)
        torch.save(bare, path)
    assert "has no _modules" in _refusal(path)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("W", np.zeros((95, 40), np.float32), "W of shape (95, 40)"),
        ("W", np.zeros((96, 41), np.float32), "W of shape (96, 41)"),
        ("C", np.zeros((40, 11), np.float32), "C of shape (40, 11)"),
        ("Relax", np.zeros((96, 11), np.float32), "Relax of shape (96, 11)"),
        ("multiplier", np.zeros(2, np.float32), "multiplier of shape (2,)"),
        ("bias", np.zeros(95, np.float32), "bias of shape (95,)"),
        ("gain", np.zeros(97, np.float32), "weight of shape (97,)"),
        ("shift", np.full(96, np.nan, np.float32), "NaN or infinity in its bias"),
        ("C", np.full((40, 12), np.inf, np.float32), "NaN or infinity in its C"),
        ("multiplier", np.float32(np.nan), "NaN or infinity in its multiplier"),
    ],
)
def test_tensors_that_cannot_be(tmp_path: Path, name: str, value: np.ndarray, told: str) -> None:
    assert told in _refusal(write_replica(tmp_path / "m.pth", GOLDEN | {name: value}))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_in_the_largest_tensor_is_found_while_fusing(tmp_path: Path, value: float) -> None:
    weights = GOLDEN["W"].copy()
    weights[50, 3] = value
    read = read_published(write_replica(tmp_path / "m.pth", GOLDEN | {"W": weights}))
    with pytest.raises(BlindspotsError, match="NaN or infinity between atoms 0 and 95"):
        _fuse(read.dictionary, tmp_path)


def _set(path: str, value: object) -> functools.partial[None]:
    def change(sae: nn.Module) -> None:
        *parents, last = path.split(".")
        owner = functools.reduce(getattr, parents, sae)
        setattr(owner, last, value)

    return functools.partial(change)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_set("dictionary.delta", float("nan")), "has nan as delta"),
        (_set("dictionary.delta", "1"), "has a str as delta"),
        (_set("encoder.final_block.1.eps", 0.0), "has 0.0 as eps"),
        (_set("running_threshold", -1.0), "has -1.0 as its running_threshold"),
        (_set("dictionary.W", None), "lacks W"),
        (_set("encoder.final_block.0.bias", None), "lacks bias"),
        (_set("encoder.final_activation", nn.Linear(1, 1)), "no ReLU as its final_activation"),
        (_set("encoder.mlp_blocks", nn.ModuleList([nn.ReLU()])), "hidden layers"),
        (_set("encoder.final_block", nn.Sequential(nn.Linear(12, 96))), "more than Linear"),
        (_set("dictionary", nn.Linear(1, 1)), "no RelaxedArchetypalDictionary"),
    ],
)
def test_another_model_is_not_taken_for_this_one(
    tmp_path: Path, change: functools.partial[None], told: str
) -> None:
    assert told in _refusal(write_replica(tmp_path / "m.pth", GOLDEN, change=change))


def test_an_integer_tensor_is_refused(tmp_path: Path) -> None:
    """Its storage is none of the four that hold floats."""
    tensors = GOLDEN | {"C": torch.zeros(40, 12, dtype=torch.int64)}
    assert "torch.LongStorage" in _refusal(write_replica(tmp_path / "m.pth", tensors))
