"""Names of parts of the map, from the labels of the concepts that lie there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from blindspots_hub.explorer.map.map_data import Cluster

LEAST = 5
"""Concepts of a cluster that has a name."""

MOST = 60
"""Clusters that are named, the largest."""


def cluster_names(xy: np.ndarray, cluster: np.ndarray, labels: Sequence[str]) -> list[Cluster]:
    """A name for each cluster: the label that is far more common there than elsewhere.

    `xy` (n, 2), NaN where a concept is not on the map, `cluster` (n,), -1 for none. A label's worth
    is its count in the cluster by the logarithm of how many times more common it is there; what
    only one concept is called names no cluster, and no name is given twice.
    """
    placed = np.isfinite(xy).all(1) & (cluster >= 0)
    members: dict[int, list[int]] = {}
    for concept in np.flatnonzero(placed).tolist():
        members.setdefault(int(cluster[concept]), []).append(concept)
    everywhere = Counter(label for label in labels if label)
    named: list[Cluster] = []
    said: set[str] = set()
    for _, concepts in sorted(members.items(), key=lambda one: (-len(one[1]), one[0])):
        if len(named) == MOST or len(concepts) < LEAST:
            break
        name = _name([labels[k] for k in concepts], everywhere, len(labels), said)
        if name:
            middle = np.median(xy[concepts], axis=0)
            said.add(name)
            named.append(Cluster(float(middle[0]), float(middle[1]), name, len(concepts)))
    return named


def _name(
    labels: Sequence[str], everywhere: Counter[str], n_concepts: int, said: set[str]
) -> str | None:
    here = Counter(label for label in labels if label and label not in said)
    worth = {
        label: count * np.log(count / len(labels) * n_concepts / everywhere[label])
        for label, count in here.items()
        if count > 1
    }
    best = max(worth, key=lambda label: (worth[label], label), default=None)
    return best if best is not None and worth[best] > 0 else None
