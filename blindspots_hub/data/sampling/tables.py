"""Tables of captions and addresses: parquet of this machine or of a Hub data set, text made so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.data.column_names import listed
from blindspots_hub.data.identity import HUB_ID
from blindspots_hub.data.parquet_rows import plain_rows
from blindspots_hub.data.text_tables import column_of, json_lines, separated
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic, fingerprint, near_name
from blindspots_hub.utils.hub_errors import call_hub
from blindspots_hub.utils.hub_probe import HubUnreachable, hub_reachable

TEXT = (".csv", ".tsv", ".jsonl")
_TAIL = 1 << 20
_GROUP = 10_000


class Tables:
    """Parquet files of one table, opened as they are needed.

    `files` are their names, in order; `identity` says which rows they hold: a commit's sha of the
    Hub, or "sha256:…" over sizes and ends of files, where parquet keeps its index.
    """

    def __init__(
        self,
        source: str,
        files: Sequence[str],
        identity: str,
        opener: Callable[[str], IO[bytes] | str],
    ) -> None:
        self.source, self.files, self.identity = source, list(files), identity
        self._opener = opener
        self._sizes: dict[int, list[int]] = {}
        self._open = lru_cache(maxsize=16)(self._opened)

    @property
    def names(self) -> list[str]:
        """Names of the columns, of the first file."""
        return list(self._open(0).schema_arrow.names)

    def group_sizes(self, file: int) -> list[int]:
        """Rows of every row group of a file."""
        if file not in self._sizes:
            about = self._open(file).metadata
            self._sizes[file] = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
        return self._sizes[file]

    def rows(
        self, file: int, group: int, columns: Sequence[str], rows: Sequence[int]
    ) -> list[Mapping[str, Any]]:
        """These rows of a row group, in this order, without cells of columns that its file lacks.

        The first two `columns`, address and caption, are in every file, or it is told.
        """

        def cells() -> list[Mapping[str, Any]]:
            names = self._open(file).schema_arrow.names
            found = {name: column_of(names, (name.strip().lower(),)) for name in columns}
            spelt = {there: name for name, there in found.items() if there is not None}
            if lacking := [name for name in columns[:2] if name not in spelt.values()]:
                raise BlindspotsError(
                    f"{self.files[file]} of {self.source} has no column {lacking[0]} (it has "
                    f"{listed(names)}): take it out, as the other files have one."
                )
            table = self._open(file).read_row_group(group, columns=[n for n in names if n in spelt])
            read = plain_rows(table.take(pa.array(rows)))
            return [{spelt[name]: row[name] for name in row} for row in read]

        return self._told(cells, self.files[file])

    def _opened(self, file: int) -> pq.ParquetFile:
        name = self.files[file]
        return self._told(lambda: pq.ParquetFile(self._opener(name), pre_buffer=True), name)

    def _told(self, read: Callable[[], Any], name: str) -> Any:
        try:
            return call_hub(read, f"{name} of {self.source}", "read")
        except (pa.ArrowException, OSError) as error:
            raise BlindspotsError(
                f"{name} of {self.source} is not a readable parquet file ({error}): fetch it again."
            ) from error


def open_tables(source: str | Path, made: Path) -> Tables:
    """The table that `source` names: a file, a folder of parquet, or a Hub data set [@revision].

    A text table (CSV, TSV, JSON lines) is written as parquet to the file `made` first. Raises
    `BlindspotsError` where there is none, or the Hub does not let it be read.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(one for one in path.rglob("*.parquet") if one.is_file())
        if not files:
            raise BlindspotsError(
                f"{path} holds no .parquet files: give a table of captions and addresses."
            )
        return _local(str(source), path, files, _identity(path, files))
    if path.is_file():
        if path.suffix.lower() not in (*TEXT, ".parquet"):
            raise BlindspotsError(
                f"{path} is no table that is read here: give a .parquet, .csv, .tsv or .jsonl file."
            )
        if path.suffix.lower() in TEXT:
            made = _as_parquet(path, made)
            return _local(str(source), made.parent, [made], _identity(path.parent, [path]))
        return _local(str(source), path.parent, [path], _identity(path.parent, [path]))
    meant = near_name(path)
    if meant is None and HUB_ID.fullmatch(str(source)):
        return _hub(str(source))
    guess = f"did you mean {meant}? " if meant else ""
    raise BlindspotsError(
        f"{source} does not exist: {guess}Give a .parquet, .csv, .tsv or .jsonl file of captions "
        "and addresses, or the id of a Hub data set."
    )


def table_identity(source: str | Path) -> str:
    """Which rows `source` holds, as `Tables.identity` has it; nothing is read but ends of files."""
    path = Path(source).expanduser()
    if path.is_dir():
        return _identity(path, sorted(path.rglob("*.parquet")))
    if path.is_file():
        return _identity(path.parent, [path])
    return _commit(str(source))


def _identity(folder: Path, files: Sequence[Path]) -> str:
    about = [[f.relative_to(folder).as_posix(), f.stat().st_size, _tail(f)] for f in files]
    return f"sha256:{fingerprint(about)}"


def _local(source: str, folder: Path, files: Sequence[Path], identity: str) -> Tables:
    names = [one.relative_to(folder).as_posix() for one in files]
    return Tables(source, names, identity, lambda name: str(folder / name))


def _tail(path: Path) -> str:
    with open(path, "rb") as handle:
        handle.seek(max(path.stat().st_size - _TAIL, 0))
        return hashlib.sha256(handle.read()).hexdigest()


def _as_parquet(path: Path, made: Path) -> Path:
    """The text table `path` as parquet, all its cells as text."""
    from blindspots_hub.data.sampling.columns import CAPTION, URL

    table = json_lines(path) if path.suffix.lower() == ".jsonl" else separated(path, (CAPTION, URL))
    if not table.columns:
        raise BlindspotsError(f"{path} is empty: give a table of captions and addresses.")
    schema = pa.schema([(name, pa.string()) for name in table.columns])

    def text(value: object) -> str | None:
        told = None if value is None else value if isinstance(value, str) else _words(value)
        try:
            return told if told is None else told.encode().decode()
        except UnicodeEncodeError:  # halves of signs, which JSON can spell: no text
            return None

    with atomic(made) as partial, pq.ParquetWriter(partial, schema) as writer:
        rows: list[dict[str, str | None]] = []
        for _, row in table.rows:
            rows.append({name: text(row.get(name)) for name in table.columns})
            if len(rows) == _GROUP:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema))
    return made


def _words(value: Any) -> str:
    """The first text of a list, as of several captions of an image; else the value, spelt."""
    if isinstance(value, list):
        return next((one for one in value if isinstance(one, str) and one.strip()), "")
    return str(value)


def _commit(source: str) -> str:
    """The sha that a data set's revision stands at."""
    if not hub_reachable():
        raise HubUnreachable(
            f"{source} is no table here, and the Hugging Face Hub cannot be reached: connect, or "
            "give a .parquet file of captions and addresses."
        )
    from huggingface_hub import HfApi

    name, _, revision = source.partition("@")
    about = call_hub(
        lambda: HfApi().dataset_info(name, revision=revision or None),
        f"The data set {source}",
        "read",
    )
    return str(about.sha)


def _hub(source: str) -> Tables:
    """The parquet files of a Hub data set at one commit, read by ranges of bytes."""
    sha, name = _commit(source), source.partition("@")[0]
    from huggingface_hub import HfApi, HfFileSystem

    listed = call_hub(
        lambda: HfApi().list_repo_files(name, repo_type="dataset", revision=sha),
        f"The data set {source}",
        "read",
    )
    files = sorted(one for one in listed if one.endswith(".parquet"))
    if not files:
        raise BlindspotsError(
            f"The data set {source} has no parquet files: give one that has, such as LAION's."
        )
    system = HfFileSystem(skip_instance_cache=True)

    def opener(file: str) -> IO[bytes]:
        opened: IO[bytes] = system.open(f"datasets/{name}@{sha}/{file}", "rb")
        return opened

    return Tables(name, files, sha, opener)
