"""A bundle on the Hugging Face Hub: published in versions, found again by commit sha.

from blindspots_hub.artifacts.hub import pull, push

push("runs/mine", "my-name", "1.0.0")
pull("my-name/mine@1.0.0", "elsewhere")
"""

from blindspots_hub.artifacts.hub.publish import push

__all__ = ["pull", "push"]
