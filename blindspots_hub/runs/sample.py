"""`sample`, `link_rot`: captioned images from the web, to evaluate models on."""

from __future__ import annotations

from pathlib import Path

from blindspots_hub.data.fetching.many import Web
from blindspots_hub.data.sampling.columns import Safety
from blindspots_hub.data.sampling.link_rot import LinkRot, asking_again
from blindspots_hub.data.sampling.sample import LAION, Sample, sampling
from blindspots_hub.paper import PAIRS
from blindspots_hub.progress import Call, Work


@Call
def sample(
    output_dir: str | Path,
    pairs: int = PAIRS,
    *,
    source: str | Path = LAION,
    seed: int = 0,
    safety: Safety | None = None,
    caption_column: str | None = None,
    url_column: str | None = None,
    web: Web | None = None,
) -> Work[Sample]:
    """Draw valid caption-image pairs from a table of captions and addresses into `output_dir`.

    `source` is a Hub data set (`org/name[@revision]`, LAION's unless said otherwise), or a
    .parquet, .csv, .tsv or .jsonl file, or a folder of parquet, with a column of addresses (url,
    image_url) and one of captions. `seed` and the table's revision fix which rows are tried and in
    which order. A pair is valid when its address answers with an image that decodes within
    `web.limits`, its row passes `safety`, and no earlier one is the same file or looks the same
    (METHOD, "Pairs from the web").

    `output_dir` then is what `pairs_from` takes; `attempts/` in it tells of every row that was
    tried. Run again it goes on where it stopped, and with more `pairs` it goes on from there.
    Raises `BlindspotsError` where the table cannot be read, where it has too few valid rows (what
    was found stays and can be used), and where the network is away.
    """
    return (
        yield from sampling(
            source,
            Path(output_dir),
            pairs,
            seed,
            safety=safety,
            web=web,
            caption_column=caption_column,
            url_column=url_column,
        )
    )


@Call
def link_rot(
    folder: str | Path, out: str | Path | None = None, *, web: Web | None = None
) -> Work[LinkRot]:
    """Ask a sample's addresses again and tell how many still give the same image.

    `folder` is what `sample` wrote and stays as it is; the table goes to `out`, or to
    `link_rot.parquet` in the folder.
    """
    return (yield from asking_again(Path(folder), None if out is None else Path(out), web))
