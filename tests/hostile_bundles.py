"""Makers of hostile bundles: each changes a whole bundle in one way that does harm where it can.

`MAKERS` maps a name to a function of the folder. After it ran, the manifest agrees with the
files unless the maker is about the manifest, so that only contents are at fault.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bundle_tools import rehash
from safetensors.numpy import load_file, save_file

from blindspots_hub.utils.files import read_json, write_json

Maker = Callable[[Path], None]
MODEL = "plain-a"
MODELS = f"deltas/models/{MODEL}.parquet"
PAIRS = f"deltas/pairs/{MODEL}.parquet"
CONCEPTS, THUMBNAILS = "deltas/concepts.parquet", "deltas/thumbnails.parquet"
NATURAL, LABELS = "deltas/natural.parquet", "deltas/labels.parquet"
GENERATIONS = f"generations/{MODEL}.parquet"
NAN, INF = float("nan"), float("inf")

MAKERS: dict[str, Maker] = {}


def _add(name: str, maker: Maker, hash_again: bool = True) -> None:
    def made(root: Path) -> None:
        maker(root)
        if hash_again:
            rehash(root)

    assert name not in MAKERS
    MAKERS[name] = made


def _table(path: str, change: Callable[[pa.Table], pa.Table], **options: Any) -> Maker:
    def make(root: Path) -> None:
        pq.write_table(change(pq.read_table(root / path)), root / path, **options)

    return make


def _cell(path: str, column: str, value: Any) -> Maker:
    """The first cell of a column becomes `value`."""

    def change(table: pa.Table) -> pa.Table:
        field = table.schema.field(column)
        cells = [value, *table[column].to_pylist()[1:]]
        index = table.schema.get_field_index(column)
        return table.set_column(index, field, pa.array(cells, field.type))

    return _table(path, change)


def _all(path: str, column: str, value: Any) -> Maker:
    """Every cell of a column becomes `value`."""

    def change(table: pa.Table) -> pa.Table:
        field = table.schema.field(column)
        index = table.schema.get_field_index(column)
        return table.set_column(index, field, pa.array([value] * len(table), field.type))

    return _table(path, change)


def _manifest(change: Callable[[dict[str, Any]], None]) -> Maker:
    def make(root: Path) -> None:
        manifest = read_json(root / "bundle.json")
        change(manifest)
        write_json(root / "bundle.json", manifest)

    return make


def _set(*path: Any, value: Any) -> Maker:
    def change(manifest: dict[str, Any]) -> None:
        place: Any = manifest
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return _manifest(change)


def _tensors(
    path: str, change: Callable[[dict[str, np.ndarray]], None], metadata: Any = 0
) -> Maker:
    def make(root: Path) -> None:
        found = dict(load_file(root / path))
        change(found)
        told = {"n_concepts": "60"} if metadata == 0 else metadata
        save_file({k: np.ascontiguousarray(v) for k, v in found.items()}, root / path, told)

    return make


def _bytes(path: str, content: bytes) -> Maker:
    return lambda root: (root / path).write_bytes(content) and None  # type: ignore[func-returns-value]


def _put(tensors: dict[str, np.ndarray], name: str, index: Any, value: Any) -> None:
    copy = np.array(tensors[name])
    copy[index] = value
    tensors[name] = copy


# ---- numbers, nulls and texts of every column ----------------------------------------------------

_CELLS: list[tuple[str, str, list[Any]]] = [
    (MODELS, "concept", [None, 7, -1]),
    (MODELS, "images_natural", [NAN, -1.0, INF]),
    (MODELS, "support", [None, -3.0]),
    (MODELS, "energy_natural", [NAN, -1.0]),
    (MODELS, "energy_generated", [INF, None]),
    (MODELS, "gap", [NAN, 1e300]),
    (MODELS, "gap_low", [INF]),
    (MODELS, "delta", [1.5, -0.5, NAN, None]),
    (MODELS, "relative_gap", [-2.0, NAN]),
    (MODELS, "relative_delta", [7.0, None]),
    (MODELS, "delta_bound", [-1.0, None]),
    (MODELS, "p", [2.0]),
    (MODELS, "q", [-0.5]),
    (MODELS, "sampler_share", [2.0]),
    (MODELS, "state", ["<script>", None, "x" * 1_000_000]),
    (MODELS, "relative_state", ["", None]),
    (MODELS, "certain", [None]),
    (MODELS, "relative_certain", [None]),
    (MODELS, "top_natural", [["nobody"], None, [None], ["x"] * 5000]),
    (MODELS, "top_generated", [["nobody"], [None]]),
    (CONCEPTS, "concept", [None, 59]),
    (CONCEPTS, "x", [NAN, INF, 1e30]),
    (CONCEPTS, "cluster", [-7, None]),
    (CONCEPTS, "images", [-1]),
    (CONCEPTS, "frequency", [2.0, NAN]),
    (CONCEPTS, "nearest", [[60], [-1], None, [None], list(range(50)) * 100]),
    (CONCEPTS, "nearest_cosine", [[9.0], [NAN], [0.5] * 9]),
    (CONCEPTS, "often_with", [[10_000]]),
    (PAIRS, "pair_id", [None, "nobody", "y" * 100_000]),
    (PAIRS, "distance", [-1.0, INF]),
    (PAIRS, "mean_delta", [2.0]),
    (PAIRS, "duplicates", [-1, None]),
    (NATURAL, "pair_id", [None, "zzzz", ""]),
    (NATURAL, "caption", [None, "c" * 2_000_000]),
    (LABELS, "concept", [60, -1, None]),
    (LABELS, "label", [None, "l" * 100_000]),
    (LABELS, "method", [None]),
    (LABELS, "score", [INF]),
    (THUMBNAILS, "source", ["nobody", None]),
    (THUMBNAILS, "pair_id", ["nobody", None]),
    (THUMBNAILS, "caption", [None]),
    (THUMBNAILS, "image", [None, {"bytes": None, "path": "x"}, {"bytes": b"<svg/>", "path": "x"},
                           {"bytes": b"RIFF" + bytes(2_000_000), "path": "x"}]),
    (GENERATIONS, "pair_id", [None]),
    (GENERATIONS, "draw", [-1, None]),
    (GENERATIONS, "flags", [None, [None]]),
    (GENERATIONS, "status", [None]),
]  # fmt: skip
for _path, _column, _values in _CELLS:
    for _number, _value in enumerate(_values):
        _name = f"{Path(_path).parent.name}/{Path(_path).stem}.{_column}-{_number}"
        _add(_name, _cell(_path, _column, _value))

# ---- shapes, types and rows of tables ------------------------------------------------------------

for _path in (MODELS, CONCEPTS, PAIRS, NATURAL, THUMBNAILS, GENERATIONS):
    _short = Path(_path).parent.name + "-" + Path(_path).stem
    if _path != THUMBNAILS:  # a bundle may have no picture
        _add(f"no-rows-{_short}", _table(_path, lambda table: table.slice(0, 0)))
    _add(f"fewer-columns-{_short}", _table(_path, lambda table: table.select([0])))
    _add(f"text-instead-{_short}", _bytes(_path, b"PAR1 this is no table PAR1"))
    _add(f"cut-short-{_short}", lambda root, p=_path: os.truncate(root / p, 40))
    _add(
        f"twice-{_short}",
        _table(_path, lambda table: pa.concat_tables([table, table])),
    )
_add(
    "strings-for-numbers", _table(MODELS, lambda t: t.set_column(0, "concept", t[0].cast("string")))
)
_add(
    "huge-footer",
    lambda root: _bytes(NATURAL, b"PAR1" + b"\0" * 100 + b"\xff\xff\xff\x7fPAR1")(root),
)
_add(
    "garbage-footer", _bytes(NATURAL, b"PAR1" + os.urandom(400) + struct.pack("<I", 400) + b"PAR1")
)


def _rows(path: str, rows: int) -> Maker:
    """A million million rows in some bytes: one value, run-length encoded."""

    def make(root: Path) -> None:
        schema = pq.read_schema(root / path)
        block = pa.table(
            {f.name: pa.nulls(1_000_000, f.type) for f in schema}, schema=schema.remove_metadata()
        )
        with pq.ParquetWriter(root / path, block.schema, compression="zstd") as writer:
            for _ in range(rows // 1_000_000):
                writer.write_table(block)

    return make


_add("many-rows-natural", _rows(NATURAL, 8_000_000))
_add("many-rows-pairs", _rows(PAIRS, 8_000_000))


def _bomb(root: Path) -> None:
    """A caption of a megabyte, once in the file and a million times in memory."""
    word = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["w" * 1_000_000])
    ids = pa.array([f"{i:016x}" for i in range(100_000)])
    table = pa.table({"pair_id": ids, "caption": word.cast(pa.dictionary(pa.int32(), pa.string()))})
    pq.write_table(table, root / NATURAL, use_dictionary=["caption"], store_schema=False)


_add("dictionary-bomb", _bomb)
_add("long-lists", _all(CONCEPTS, "nearest", list(range(60)) * 300))
_add("zeros-that-inflate", _all(THUMBNAILS, "image", {"bytes": bytes(5_000_000), "path": ""}))


def _repeated(root: Path) -> None:
    """One picture of a megabyte, once in the file and for each of 5,000 rows in memory."""
    cell = {"bytes": b"RIFF" + os.urandom(1_000_000), "path": "x"}
    schema = pq.read_schema(root / THUMBNAILS)
    block = pa.table(
        {
            "source": ["natural"] * 50,
            "pair_id": ["p"] * 50,
            "caption": [""] * 50,
            "image": pa.array([cell] * 50, schema.field("image").type),
        },
        schema=schema,
    )
    with pq.ParquetWriter(root / THUMBNAILS, schema, dictionary_pagesize_limit=2**30) as writer:
        for _ in range(100):
            writer.write_table(block)


_add("images-repeated", _repeated)

# ---- sparse files --------------------------------------------------------------------------------

_ENERGIES, _HEAT = "deltas/energies/natural.safetensors", f"deltas/heatmaps/{MODEL}.safetensors"
_add("energies-nan", _tensors(_ENERGIES, lambda t: _put(t, "energies", 0, NAN)))
_add("energies-negative", _tensors(_ENERGIES, lambda t: _put(t, "energies", 0, -1)))
_add("energies-concept-beyond", _tensors(_ENERGIES, lambda t: _put(t, "concepts", -1, 60)))
_add("energies-concept-below", _tensors(_ENERGIES, lambda t: _put(t, "concepts", 0, -5)))
_add("energies-unsorted", _tensors(_ENERGIES, lambda t: t.update(concepts=t["concepts"][::-1])))
_add("energies-indptr-huge", _tensors(_ENERGIES, lambda t: _put(t, "indptr", -1, 2**60)))
_add("energies-indptr-falls", _tensors(_ENERGIES, lambda t: _put(t, "indptr", 1, 10**6)))
_add("energies-indptr-negative", _tensors(_ENERGIES, lambda t: _put(t, "indptr", 0, -1)))
_add("energies-other-concepts", _tensors(_ENERGIES, lambda t: None, {"n_concepts": "61"}))
_add("energies-no-concepts", _tensors(_ENERGIES, lambda t: None, None))
_add("energies-many-concepts", _tensors(_ENERGIES, lambda t: None, {"n_concepts": "9" * 5000}))
_add("energies-types", _tensors(_ENERGIES, lambda t: t.update(energies=t["energies"].astype("f8"))))
_add("energies-lacking", _tensors(_ENERGIES, lambda t: t.pop("concepts").sum() and None))
_add("energies-fewer-rows", _tensors(_ENERGIES, lambda t: t.update(indptr=t["indptr"][:-1])))
_add("energies-text", _bytes(_ENERGIES, b"nothing of the kind"))
_add("energies-long-header", _bytes(_ENERGIES, struct.pack("<Q", 2**62) + b"{}"))
_add("energies-deep-header", _bytes(_ENERGIES, struct.pack("<Q", 200_000) + b"[" * 200_000))
_add("energies-false-offsets", _bytes(_ENERGIES, struct.pack("<Q", 80) + json.dumps(
    {"indptr": {"dtype": "I64", "shape": [10**12], "data_offsets": [0, 8]}}).ljust(80).encode()
    + bytes(8)))  # fmt: skip
_add("heat-patch-beyond", _tensors(_HEAT, lambda t: _put(t, "patches", 0, 60_000), None))
_add("heat-row-beyond", _tensors(_HEAT, lambda t: _put(t, "keys", (-1, 1), 10**9), None))
_add("heat-concept-beyond", _tensors(_HEAT, lambda t: _put(t, "keys", (-1, 0), 10**9), None))
_add("heat-negative", _tensors(_HEAT, lambda t: _put(t, "keys", (0, 0), -3), None))
_add("heat-unsorted", _tensors(_HEAT, lambda t: t.update(keys=t["keys"][::-1]), None))
_add("heat-nan", _tensors(_HEAT, lambda t: _put(t, "values", 0, NAN), None))
_add("heat-indptr", _tensors(_HEAT, lambda t: _put(t, "indptr", 1, 10**9), None))
_add("heat-lacking", _tensors(_HEAT, lambda t: t.pop("values").sum() and None, None))
_add("heat-shape", _tensors(_HEAT, lambda t: t.update(keys=t["keys"].ravel()), None))


def _features(change: Callable[[np.ndarray], np.ndarray], listed: bool = True) -> Maker:
    def make(root: Path) -> None:
        path = root / "deltas/features/natural.safetensors"
        path.parent.mkdir()
        both = np.zeros((40, 8), np.float16)
        save_file({"class_token": both, "mean_patch_token": change(both)}, path)
        if listed:
            _list(root, "deltas/features/natural.safetensors")

    return make


def _list(root: Path, name: str, **entry: Any) -> None:
    manifest = read_json(root / "bundle.json")
    manifest["files"][name] = {"sha256": "0" * 64, "bytes": 0, **entry}
    write_json(root / "bundle.json", manifest)


_add("features-nan", _features(lambda f: f + np.float16(NAN)))
_add("features-shape", _features(lambda f: f[:, :4].copy()))
_add("features-rows", _features(lambda f: f[:9].copy()))
_add("features-unlisted", _features(lambda f: f, listed=False))

# ---- the manifest --------------------------------------------------------------------------------

_VALUES: list[tuple[tuple[Any, ...], list[Any]]] = [
    (("concept_space", "n_concepts"), [10**12, 0, -1, 1.5, True, "60"]),
    (("concept_space", "layout", "grid"), [[0, 0], [10**9, 10**9], [16], "16x16", [1.5, 2]]),
    (("name",), ["n" * 10**6, 7]),
    (("models", 0, "name"), ["../x", "", "a/b", "natural", ".x", "a\nb", "x" * 5000, "con:x"]),
    (("models", 0, "title"), [None, "t" * 10**6, {"a": 1}]),
    (("models", 0, "pairs"), [10**9, -1, "many"]),
    (("models", 0, "design"), ["sideways", ["paired"]]),
    (("models", 0, "settings", "tau"), [0, -1, 1e308, "warm"]),
    (("models", 0, "settings", "confidence"), [0, 1, 95]),
    (("models", 0, "settings", "tokens"), ["none", []]),
    (("models", 0, "null", "flagged"), [7, "x"]),
    (("models", 0, "counts"), [[], {"absolute": {"dead": 1e99}}]),
    (("models",), [{}, "x", [[]]]),
    (("files",), [[], None]),
    (("packages",), [[1]]),
    (("schema_version",), [99, True, "2." + "9" * 400, None, []]),
]
for _where, _values in _VALUES:
    for _number, _value in enumerate(_values):
        _add(
            f"manifest-{'.'.join(map(str, _where))}-{_number}",
            _set(*_where, value=_value),
            hash_again=False,
        )


def _named(name: str) -> Maker:
    return _manifest(lambda m: m["files"].update({name: {"sha256": "0" * 64, "bytes": 1}}))


for _number, _name in enumerate(
    ["../../etc/passwd", "/etc/passwd", "deltas//x.parquet", "deltas/./x", "C:/x", "a\\b", "",
     "sae/" + "x" * 4000, "deltas/elsewhere.parquet", "secret.txt", "sae/pytorch_model.bin"]
):  # fmt: skip
    _add(f"manifest-names-{_number}", _named(_name), hash_again=False)
for _number, _text in enumerate(
    [b"", b"[]", b"{", b"\xff\xfe{}", b"[" * 200_000, b'{"name": NaN}',
     b'{"a": 1' + b"0" * 9999 + b"}",
     b"null", b'{"schema_version": "2.0"}', b'{"schema_version": "2.0", "name": "\\ud800"}']
):  # fmt: skip
    _add(f"manifest-text-{_number}", _bytes("bundle.json", _text), hash_again=False)
_add("manifest-large", lambda root: os.truncate(root / "bundle.json", 2**33), hash_again=False)
for _path in (
    MODELS,
    PAIRS,
    _ENERGIES,
    _HEAT,
    CONCEPTS,
    THUMBNAILS,
    GENERATIONS,
    "sae/config.json",
):
    _add(
        f"dropped-{_path.replace('/', '-')}",
        _manifest(lambda m, p=_path: m["files"].pop(p) and None),
        hash_again=False,
    )

# ---- links, pipes and files of others ------------------------------------------------------------


def _link(name: str, target: str = "/etc/passwd") -> Maker:
    def make(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return make


for _number, _name in enumerate(
    ["sae/config.json", "sae/secret", "backbone/model.safetensors", "deltas/more/x", CONCEPTS,
     "README.md", "sae/README.md", "x", "images/x/00000-of-00001.parquet"]
):  # fmt: skip
    _add(f"link-{_number}", _link(_name), hash_again=False)


def _folder_link(root: Path) -> None:
    (root / "sae").rename(root.parent / "elsewhere")
    (root / "sae").symlink_to(root.parent / "elsewhere")


_add("link-folder", _folder_link, hash_again=False)


def _manifest_link(root: Path) -> None:
    (root / "bundle.json").rename(root.parent / "m.json")
    (root / "bundle.json").symlink_to(root.parent / "m.json")


_add("link-manifest", _manifest_link, hash_again=False)


def _pipe(name: str) -> Maker:
    def make(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        os.mkfifo(root / name)

    return make


for _number, _name in enumerate(
    [CONCEPTS, "bundle.json", "sae/config.json", "sae/pipe", _ENERGIES]
):
    _add(f"pipe-{_number}", _pipe(_name), hash_again=False)
for _number, _name in enumerate(["sae/id_rsa", "deltas/notes.txt", "pairs/more.parquet"]):
    _add(f"unlisted-{_number}", _bytes(_name, b"secret"), hash_again=False)


# ---- networks ------------------------------------------------------------------------------------


def _json(path: str, value: Any) -> Maker:
    def make(root: Path) -> None:
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(json.dumps(value))
        _list(root, path)

    return make


_add("sae-config-list", _json("sae/config.json", [1]))
_add("sae-config-concepts", _json("sae/config.json", {"n_concepts": 10**9}))
_add("sae-quality", _json("sae/quality.json", {"r2": "much"}))


def _backbone(config: dict[str, Any], pixels: dict[str, Any] | None = None) -> Maker:
    def make(root: Path) -> None:
        (root / "backbone").mkdir()
        save_file({"w": np.zeros((4, 4), np.float32)}, root / "backbone/model.safetensors")
        _list(root, "backbone/model.safetensors")
        _json("backbone/config.json", {"model_type": "dinov2", **config})(root)
        _json("backbone/preprocessor_config.json", pixels or {})(root)

    return make


_add("backbone-layers", _backbone({"num_hidden_layers": 10**6}))
_add("backbone-type", _backbone({"model_type": "bert"}))
_add("backbone-width", _backbone({"hidden_size": 10**12}))
_add("backbone-pixels", _backbone({}, {"size": {"shortest_edge": 10**7}, "crop_size": 224}))
_add("backbone-std", _backbone({}, {"size": 256, "crop_size": 224, "image_std": [0, 1, 1]}))


def names() -> Iterator[str]:
    yield from MAKERS
