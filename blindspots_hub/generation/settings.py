"""What a generation is asked for, apart from its caption."""

from __future__ import annotations

from dataclasses import dataclass

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.dtypes import DTYPES, DType


@dataclass(frozen=True)
class GenerationSettings:
    """Size, steps, guidance and number format of a generation; None is the pipeline's own default.

    `height` and `width` are pixels, `num_inference_steps` the denoising steps, `guidance_scale` the
    classifier-free guidance scale. `dtype` is the number format: None runs the weights in their own
    on CUDA devices and in float32 everywhere else, because half precision is slow on CPUs and gives
    black images on MPS. The paper generates at 512×512 with the steps and guidance that each
    pipeline has (section 4). A value out of range raises `BlindspotsError`.
    """

    height: int | None = None
    width: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    dtype: DType | None = None

    def __post_init__(self) -> None:
        for name, size in (("height", self.height), ("width", self.width)):
            if size is not None and not (8 <= size <= 4096 and size % 8 == 0):
                raise BlindspotsError(
                    f"{name} {size} is no size that pipelines can draw: "
                    "use a multiple of 8 from 8 to 4096."
                )
        if self.num_inference_steps is not None and not 1 <= self.num_inference_steps <= 1000:
            raise BlindspotsError(
                f"num_inference_steps {self.num_inference_steps} is out of range: use 1 to 1000."
            )
        if self.guidance_scale is not None and not 0 <= self.guidance_scale <= 100:
            raise BlindspotsError(
                f"guidance_scale {self.guidance_scale} is out of range: use 0 to 100."
            )
        if self.dtype not in (None, *DTYPES):
            raise BlindspotsError(
                f"dtype {self.dtype!r} is unknown: use float32, float16 or bfloat16."
            )
