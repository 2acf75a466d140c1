"""Images decoded and preprocessed in threads, while those before them are encoded.

Decoding and resizing let go of Python's lock, so that threads do them at once. What comes out
depends on the image alone, in whatever order the threads end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Union

from PIL import Image

from blindspots_hub.data.images import is_blank
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.coded import Failure
from blindspots_hub.serving.zerogpu import ON_ZEROGPU
from blindspots_hub.utils.cores import cores
from blindspots_hub.utils.passing import PassingFault

if TYPE_CHECKING:
    import numpy as np
    import torch

ImageLoader = Callable[[], Image.Image]
"""Decodes one image; raises `BlindspotsError` where it cannot, `NoImage` where there is none."""

Pixels = Union["np.ndarray", Failure]
"""A preprocessed image, float32 (3, crop, crop), or why there is none."""

AHEAD = 2
"""Batches that are loaded ahead of the one that is encoded: what bounds the memory.

On ZeroGPU none is: a worker is forked for every batch that is encoded, and it is no time to fork
while threads are at work.
"""

MOST_THREADS = 16


class NoImage(BlindspotsError):
    """There is nothing to decode; `cause` is what the image is counted by."""

    def __init__(self, cause: str, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


def threads() -> int:
    """How many threads load images: one a core of this process, `MOST_THREADS` at most."""
    return min(cores(), MOST_THREADS)


def loading(
    batches: Iterable[Sequence[str]],
    images: Mapping[str, ImageLoader],
    preprocess: Callable[[Image.Image], torch.Tensor],
    beside: Callable[[str, Image.Image], None] | None = None,
) -> Generator[dict[str, Pixels], None, None]:
    """What became of every image of each batch, batch after batch, in the order of its ids.

    One that cannot be decoded, or is blank, does not stop the others; a disk that stays away does
    (`PassingFault`), as does an error that is no `BlindspotsError`: they say nothing of the image.
    `beside(image_id, image)` is called in the threads with every image that is measured.
    Closing the iterator waits for the images in the threads' hands and leaves the rest.
    """

    def load(image_id: str) -> Pixels:
        try:
            image = images[image_id]()
            if is_blank(image):
                return Failure("blank", "The image is all one colour.")
            if beside is not None:
                beside(image_id, image)
            return preprocess(image).numpy()
        except PassingFault:
            raise  # no fact about the image: the run ends here, and goes on when the disk does
        except NoImage as error:
            return Failure(error.cause, str(error))
        except BlindspotsError as error:
            return Failure("unreadable", str(error))

    ahead = 0 if ON_ZEROGPU else AHEAD
    waiting: deque[dict[str, Future[Pixels]]] = deque()
    with ThreadPoolExecutor(threads(), thread_name_prefix="load") as pool:
        try:
            for batch in batches:
                waiting.append({image_id: pool.submit(load, image_id) for image_id in batch})
                if len(waiting) > ahead:
                    yield _loaded(waiting)
            while waiting:
                yield _loaded(waiting)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _loaded(waiting: deque[dict[str, Future[Pixels]]]) -> dict[str, Pixels]:
    return {image_id: future.result() for image_id, future in waiting.popleft().items()}
