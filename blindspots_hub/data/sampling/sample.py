"""Draw N valid caption-image pairs from a table of captions and addresses.

Candidates come in an order that seed and revision fix; many are fetched at once, but they are
judged in their order and written in blocks. So a run that is stopped goes on where it was, and
which pairs it ends with depends on what the addresses answer and on nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from blindspots_hub.data.fetching.causes import NETWORK, NotFetched
from blindspots_hub.data.fetching.many import FromWeb, Web, fetch_images
from blindspots_hub.data.sampling.about import ABOUT, check_same, judging
from blindspots_hub.data.sampling.blocks import (
    BLOCK,
    is_cut,
    remove_from,
    whole_blocks,
    write_block,
)
from blindspots_hub.data.sampling.candidates import Candidate, candidates
from blindspots_hub.data.sampling.columns import Columns, Safety
from blindspots_hub.data.sampling.near_copies import Seen
from blindspots_hub.data.sampling.rows import attempt, pair_rows, recorded, unfetched
from blindspots_hub.data.sampling.tables import open_tables
from blindspots_hub.data.spool import Spool
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.files import sweep, write_json
from blindspots_hub.utils.folder_lock import only_one_run
from blindspots_hub.utils.passing import PassingFault

LAION = "laion/relaion2B-en-research-safe"
"""The data set of the paper's pairs; its owner wants its terms accepted first."""

STAGE = "sample pairs"

_ENOUGH_TO_TELL = 32
"""Addresses of a block of which one must answer, or the network is taken to be away."""


@dataclass(frozen=True)
class Sample:
    """A sample on disk.

    Attributes:
        folder: where it lies; `pairs_from` reads it.
        pairs: valid pairs.
        wanted: how many were asked for.
        causes: candidates by cause, those that are pairs under "ok".
        mismatches: images whose recorded size or hash no longer holds.
    """

    folder: Path
    pairs: int
    wanted: int
    causes: dict[str, int]
    mismatches: dict[str, int]

    @property
    def left_out(self) -> str:
        """What gave no pair, in words."""
        rest = sorted((n, cause) for cause, n in self.causes.items() if cause not in _NO_FAULT)
        return ", ".join(f"{n:,} {cause}" for n, cause in reversed(rest)) or "none was left out"


_NO_FAULT = ("ok", "not_needed")


def sampling(
    source: str | Path,
    folder: Path,
    pairs: int,
    seed: int = 0,
    *,
    safety: Safety | None = None,
    web: Web | None = None,
    caption_column: str | None = None,
    url_column: str | None = None,
) -> Work[Sample]:
    """Draw `pairs` valid pairs of `source` into `folder`; see `runs.sample.sample`."""
    if pairs < 1:
        raise BlindspotsError(f"{pairs} pairs were asked for: ask for at least 1.")
    web, safety = web or Web(), safety or Safety()
    folder = Path(folder)
    with only_one_run(folder, f"sample {source}"):
        tables = open_tables(source, folder / ".candidates.parquet")
        columns = Columns.of(tables.names, str(source), safety, url_column, caption_column)
        how = {
            "bounds": judging(web),
            "safety": asdict(safety),
            "url": columns.url,
            "caption": columns.caption,
        }
        asked = {"source": tables.source, "revision": tables.identity, "seed": seed, "how": how}
        check_same(folder, asked)
        run = _Run(folder, pairs, columns, web)
        yield from run.resuming()
        write_json(folder / ABOUT, {**asked, **run.counts(False)})
        if not run.enough:
            start = run.blocks * BLOCK
            yield from run.fetching(candidates(tables, columns, seed, start))
        sweep(folder)
        (folder / ".candidates.parquet").unlink(missing_ok=True)
        write_json(folder / ABOUT, {**asked, **run.counts(True)})
    found = run.sample
    if found.pairs < pairs:
        raise BlindspotsError(
            f"{folder} holds {found.pairs:,} pairs, not {pairs:,}: all "
            f"{sum(found.causes.values()):,} rows of {source} are used up ({found.left_out}). "
            + (
                f"Go on with these (--pairs-from {folder} --pairs {found.pairs}), or sample "
                if found.pairs > 1
                else "Sample "
            )
            + "another table."
        )
    return found


class _Run:
    """A sample that is being drawn."""

    def __init__(self, folder: Path, wanted: int, columns: Columns, web: Web) -> None:
        self.folder, self.wanted, self.columns, self.web = folder, wanted, columns, web
        self.blocks = 0
        self.causes: Counter[str] = Counter()
        self.mismatches: Counter[str] = Counter()
        self._seen = Seen()
        self._waiting: dict[int, Candidate] = {}
        self._done: dict[int, FromWeb | NotFetched | str] = {}
        self._spools: dict[int, Spool] = {}

    @property
    def enough(self) -> bool:
        return len(self._seen) >= self.wanted

    @property
    def sample(self) -> Sample:
        """What there is."""
        causes, mismatches = (
            dict(sorted(self.causes.items())),
            dict(sorted(self.mismatches.items())),
        )
        return Sample(self.folder, len(self._seen), self.wanted, causes, mismatches)

    def counts(self, finished: bool) -> dict[str, Any]:
        """For `ABOUT`."""
        found = self.sample
        return {
            "wanted": self.wanted,
            "finished": finished,
            "pairs": found.pairs if finished else None,
            "causes": found.causes if finished else None,
            "mismatches": found.mismatches if finished else None,
        }

    def resuming(self) -> Work[None]:
        """Take up the blocks that are whole."""
        blocks = list(whole_blocks(self.folder))
        have = sum(table["cause"].to_pylist().count("ok") for table in blocks)
        if blocks and have > self.wanted:
            raise BlindspotsError(
                f"{self.folder} holds {have:,} pairs already: take {self.wanted:,} of them with "
                f"--pairs-from {self.folder} --pairs {self.wanted}."
            )
        if blocks and is_cut(blocks[-1]) and have < self.wanted:
            blocks.pop()  # more are wanted now: its last candidates count
        remove_from(self.folder, len(blocks))
        for table in blocks:
            for row in table.to_pylist():
                self._count(row)
                if row["cause"] == "ok":
                    self._seen.take(row["sha256"], row["perceptual_hash"], row["place"])
        self.blocks = len(blocks)
        yield Event(STAGE, len(self._seen), self.wanted)

    def fetching(self, rows: Iterator[Candidate]) -> Work[None]:
        """Fetch candidates until enough of them are pairs."""
        order: list[int] = []
        work = fetch_images(self._addresses(rows, order), self.web)
        try:
            for index, found in work:
                self._keep(order[index], found)
                while not self.enough and self._block_done():
                    self._commit(BLOCK)
                    yield Event(STAGE, len(self._seen), self.wanted)
                if self.enough:
                    return
        finally:
            work.close()
            for spool in self._spools.values() if self.enough else ():
                spool.close()
        while not self.enough and self._block_done():
            self._commit(BLOCK)
        if not self.enough and self._waiting:
            self._commit(len(self._waiting))
        yield Event(STAGE, len(self._seen), self.wanted)

    def _addresses(self, rows: Iterator[Candidate], order: list[int]) -> Iterator[object]:
        """Addresses of the candidates that are worth fetching; the others are judged at once."""
        for row in rows:
            cause = unfetched(row)
            self._waiting[row.place] = row
            if cause is not None:
                self._done[row.place] = cause
            else:
                order.append(row.place)
                yield row.url

    def _keep(self, place: int, found: FromWeb | NotFetched) -> None:
        """Note what became of an address; images go to disk until their block is written."""
        if isinstance(found, FromWeb):
            block = place // BLOCK
            if block not in self._spools:
                self._spools[block] = Spool()
            self._spools[block].add(str(place), found.image.content)
            found = replace(found, image=replace(found.image, content=b""))
        self._done[place] = found

    def _block_done(self) -> bool:
        first = self.blocks * BLOCK
        return all(place in self._done for place in range(first, first + BLOCK))

    def _commit(self, size: int) -> None:
        """Judge a block's candidates in their order, and write it."""
        first = self.blocks * BLOCK
        places = range(first, first + size)
        self._network_there(places)
        spool = self._spools.pop(self.blocks, None)
        attempts: list[dict[str, Any]] = []
        pairs: list[dict[str, Any]] = []
        for place in places:
            row, found = self._waiting.pop(place), self._done.pop(place)
            told = attempt(row, found)
            if isinstance(found, FromWeb):
                self._judge(told, found, place)
                told |= recorded(row, found, spool)
            attempts.append(told)
            if told["cause"] == "ok":
                pairs.append(told)
        cut = any(told["cause"] == "not_needed" for told in attempts)
        write_block(self.folder, self.blocks, attempts, pair_rows(pairs, spool), cut)
        for told in attempts:
            self._count(told)
        if spool is not None:
            spool.close()
        self.blocks += 1

    def _judge(self, told: dict[str, Any], found: FromWeb, place: int) -> None:
        image = found.image
        if self.enough:
            told["cause"] = "not_needed"
        elif copy := self._seen.copy_of(image.sha256, image.perceptual_hash):
            told["cause"], told["copy_of"] = copy
        else:
            self._seen.take(image.sha256, image.perceptual_hash, place)

    def _network_there(self, places: range) -> None:
        asked = [one for place in places if not isinstance(one := self._done[place], str)]
        lost = [one for one in asked if isinstance(one, NotFetched) and one.cause in NETWORK]
        if len(asked) >= _ENOUGH_TO_TELL and len(lost) == len(asked):
            causes = Counter(one.cause for one in lost)
            told = ", ".join(f"{n:,} {cause}" for cause, n in causes.most_common())
            raise PassingFault(
                f"None of {len(asked):,} addresses in a row answers ({told}): look at the network "
                "and run the same again, it goes on from here; where it is well, these addresses "
                "are dead: sample another table."
            )

    def _count(self, told: dict[str, Any]) -> None:
        self.causes[told["cause"]] += 1
        for name in ("size_matches", "hash_matches"):
            if told.get(name) is False and told["cause"] == "ok":
                self.mismatches[name.replace("_matches", "")] += 1
