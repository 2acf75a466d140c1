"""Where the page is served, ZeroGPU, and how long a run takes there."""
