"""Where the class token, the registers and the patches lie in a row of tokens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TokenLayout:
    """Order of one image's tokens: `cls` class tokens, `registers` registers, then the patches.

    The patches of `grid` = (rows, columns) follow row by row from the image's top left corner.
    DINOv2 ViT-B/14 with registers at 224 px: 1 + 4 + 16 · 16 = 261 tokens (METHOD section 1).
    """

    cls: int
    registers: int
    grid: tuple[int, int]

    @property
    def tokens(self) -> int:
        """Tokens an image (T)."""
        return self.cls + self.registers + self.grid[0] * self.grid[1]

    @property
    def patches(self) -> slice:
        """The patch tokens."""
        return slice(self.cls + self.registers, self.tokens)
