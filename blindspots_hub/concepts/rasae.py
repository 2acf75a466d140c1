"""The relaxed archetypal sparse autoencoder: tokens to sparse concept codes and back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import nn
from torch.nn import functional

from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.domain import DOMAIN
from blindspots_hub.concepts.encoder.fast_encoder import FastEncoder
from blindspots_hub.concepts.rasae_config import RASAEConfig
from blindspots_hub.concepts.source import model_folder, open_safetensors
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic, json_bytes, read_json, write_json

__all__ = ["RASAE", "RASAEConfig"]

_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"


def model_files(
    source: str | Path, revision: str | None = None, token: str | bool | None = None
) -> Path:
    """The folder of an RA-SAE's files, fetched where `source` is a Hub id; see `model_folder`."""
    needed = (_CONFIG, _WEIGHTS)
    return model_folder(source, revision, needed=needed, allow=(*needed, DOMAIN), token=token)


class RASAE(nn.Module, PyTorchModelHubMixin):
    """A trained RA-SAE for inference (METHOD section 2; the paper's section 4, appendix B).

    encoder: Linear d → n, LayerNorm over the n concepts, ReLU; dictionary (n, d): the fused atoms.
    Fresh weights are Xavier/Glorot, as the paper's are before training.
    """

    def __init__(self, config: RASAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.Linear(config.d, config.n_concepts)
        self.norm = nn.LayerNorm(config.n_concepts, eps=config.layer_norm_eps)
        self.dictionary: torch.Tensor
        self._fast: FastEncoder | None = None
        self.register_buffer("dictionary", torch.zeros(config.n_concepts, config.d))
        nn.init.xavier_uniform_(self.encoder.weight)
        nn.init.zeros_(self.encoder.bias)

    def pre_codes(self, tokens: torch.Tensor) -> torch.Tensor:
        """Codes before sparsity, ReLU(LayerNorm(W a + b)): dense (T, n) of `tokens` (T, d).

        In plain float32 operations: what `encode` is held against.
        """
        return functional.relu(self.norm(self.encoder(tokens)))

    def encode(self, tokens: torch.Tensor) -> SparseCodes:
        """Sparse codes of `tokens` (T, d), in memory bounded whatever T is.

        `topk` keeps the k largest codes of a token, equal ones by the lower concept id, and only
        positive ones; `batch_topk` keeps the codes that are at least the threshold. A code depends
        on its token and concept alone, to the bit, in whatever batch, order or chunk. It is within
        1 ulp of float32 of the float64 value; the same rule in float64 gives other fires only where
        two codes, or a code and the threshold, are as near as that, and on `pre_codes` only where
        they are as near as the rounding of float32 sums (a part in 10⁶ at the paper's size). The
        first call folds the weights (seconds at the paper's size) and keeps them once more in
        bfloat16 or float32.
        """
        return self._fast_encoder().encode(self._checked(tokens))

    def encode_images(self, tokens: torch.Tensor) -> list[SparseCodes]:
        """Sparse codes of each image of `tokens` (B, T, d)."""
        count = tokens.shape[1]
        codes = self.encode(tokens.flatten(0, 1))
        return [codes.rows(i * count, (i + 1) * count) for i in range(len(tokens))]

    def _fast_encoder(self) -> FastEncoder:
        """Of the weights as they are now; made anew when they have changed."""
        weights = (self.encoder.weight, self.encoder.bias, self.norm.weight, self.norm.bias)
        if self._fast is None or not self._fast.is_of(weights):
            self._fast = FastEncoder(self.config, *weights)
        return self._fast

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> RASAE:
        self._fast = None  # the weights move or change their type
        return super()._apply(fn, recurse)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fast": None}  # copies and pickles make their own

    @torch.no_grad()
    def decode(self, codes: SparseCodes) -> torch.Tensor:
        """Reconstructed tokens z D: (T, d) float32, on this model's device."""
        device = self.dictionary.device
        return functional.embedding_bag(
            torch.from_numpy(codes.concepts).to(device, torch.int64),
            self.dictionary,
            offsets=torch.from_numpy(codes.indptr[:-1]).to(device),
            per_sample_weights=torch.from_numpy(codes.values).to(device),
            mode="sum",
        )

    def _checked(self, tokens: torch.Tensor) -> torch.Tensor:
        if tokens.ndim != 2 or tokens.shape[1] != self.config.d:
            raise BlindspotsError(
                f"This RA-SAE reads tokens of width {self.config.d}, not {tuple(tokens.shape)}: "
                f"use the backbone that it was trained on ({self.config.backbone})."
            )
        tokens = tokens.to(self.dictionary.device, torch.float32)
        if tokens.numel() and not torch.stack(tokens.aminmax()).isfinite().all():
            raise BlindspotsError(
                "Tokens hold NaN or infinity, so they have no codes: check the image and the "
                "backbone that they come from."
            )
        return tokens

    @property
    def fingerprint(self) -> str:
        """Hex sha256 of the configuration and the weights as they are stored; hashes them anew."""
        digest = hashlib.sha256(json_bytes(self.config.to_json()))
        for name, tensor in sorted(self._stored(self.config).items()):
            digest.update(name.encode())
            digest.update(tensor.numpy().data)
        return digest.hexdigest()

    def stored_as(self, weights_dtype: Literal["float32", "float16"]) -> RASAE:
        """This model with its two matrices rounded to `weights_dtype`.

        Rounded at once, so that what is measured before saving is what is loaded afterwards.
        """
        config = replace(self.config, weights_dtype=weights_dtype)
        return RASAE.from_weights(config, self._stored(config))

    def _stored(self, config: RASAEConfig) -> dict[str, torch.Tensor]:
        """The tensors as model.safetensors holds them under `config`."""
        tensors = {name: tensor.detach().cpu() for name, tensor in self.state_dict().items()}
        for name in ("encoder.weight", "dictionary"):
            tensors[name] = tensors[name].to(getattr(torch, config.weights_dtype))
        return {name: tensor.contiguous() for name, tensor in tensors.items()}

    @classmethod
    def from_weights(cls, config: RASAEConfig, weights: Mapping[str, torch.Tensor]) -> RASAE:
        """A model in eval mode and fp32 from its tensors; `BlindspotsError` where they don't fit.

        The names: encoder.weight (n, d), encoder.bias (n,), norm.weight (n,), norm.bias (n,),
        dictionary (n, d).
        """
        with torch.device("meta"):
            model = cls(config)
        own = {}
        for name, expected in model.state_dict().items():
            found = tuple(weights[name].shape) if name in weights else "nothing"
            if found != tuple(expected.shape):
                raise BlindspotsError(
                    f"The RA-SAE's weights hold {found} for {name} where its config.json asks for "
                    f"{tuple(expected.shape)}: take the two files that belong together."
                )
            own[name] = weights[name].to(torch.float32)
        model.load_state_dict(own, assign=True)
        return model.eval().requires_grad_(False)

    def _save_pretrained(self, save_directory: Path) -> None:
        from safetensors.torch import save_file

        with atomic(save_directory / _WEIGHTS) as partial:
            save_file(self._stored(self.config), partial, metadata={"format": "pt"})
        write_json(save_directory / _CONFIG, self.config.to_json())

    def save_pretrained(self, save_directory: str | Path, **_hub: Any) -> None:
        """Write config.json and model.safetensors to `save_directory`, and nothing else.

        What the Hub mixin passes besides is for the card, which is written elsewhere.
        """
        self._save_pretrained(Path(save_directory))

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | Path,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> RASAE:
        """Load a model from a folder or, by its id, from the Hub, on the CPU.

        Raises `BlindspotsError` for missing or damaged files, a configuration that is not this
        model's (a batch_topk model without its threshold among them), weights of other shapes, and
        where the Hub is needed and cannot be reached.
        """
        folder = model_files(pretrained_model_name_or_path, revision, token)
        config = RASAEConfig.from_json(read_json(folder / _CONFIG))
        with open_safetensors(folder / _WEIGHTS) as tensors:
            weights = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
        return cls.from_weights(config, weights)
