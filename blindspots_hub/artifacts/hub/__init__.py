"""A bundle on the Hugging Face Hub: published in versions, found again by commit sha.

import blindspots_hub as bh

bh.push("runs/mine", "my-name", "1.0.0")
bh.pull("my-name/mine@1.0.0", "elsewhere")
"""
