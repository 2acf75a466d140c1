"""The concept map: WebGL2, or Canvas2D where there is none."""
