"""Captions of scenes, and what a caption says: a small grammar and its parser.

Captions leave much open, as those of the web do, and a known share of them is noisy. A caption's
record says which, and what it states.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from blindspots_hub.planted import factors as f
from blindspots_hub.planted.dice import Dice
from blindspots_hub.planted.scene import NATURAL, Prior, Scene
from blindspots_hub.planted.templates import PHRASES

NOISE: dict[str, float] = {"file name": 0.04, "shop title": 0.05, "missing object": 0.03}
"""Share of each kind of noisy caption among captions of scenes that are no template."""

NOISY_SHARE = sum(NOISE.values())
"""Share of noisy captions among scenes that are no template."""

STATE_COLOUR = 0.9
STATE_BACKGROUND = 0.9
STATE_LIGHT = 0.9
"""Probabilities that a caption states the colour, the background, a light other than daylight."""

STATE_SHADOW = 0.9
STATE_PRINTED = 0.5
"""Probabilities that a shadow, that print is stated; blank pages and palm trees always are."""

_SENTENCES = 1 - NOISE["file name"] - NOISE["shop title"]


def _unsaid(probability: float, stated: float) -> float:
    """Probability that a thing is there given that the caption does not say so (Bayes)."""
    return probability * (1 - stated) / (1 - probability * stated)


UNSTATED: Prior = replace(
    NATURAL,
    shadow_under_animal=_unsaid(f.SHADOW_UNDER_ANIMAL, _SENTENCES * STATE_SHADOW),
    shadow_under_object=_unsaid(f.SHADOW_UNDER_OBJECT, _SENTENCES * STATE_SHADOW),
    palm=_unsaid(f.PALM_IN_SCENERY, _SENTENCES),
    lights={
        light: weight * (1 if light == "daylight" else 1 - _SENTENCES * STATE_LIGHT)
        for light, weight in f.LIGHTS.items()
    },
    template=0.0,
)
"""What to expect of whatever a caption does not state.

Silence is a statement: captions tell of palm trees and shadows that are there and never of those
that are not. A painter who filled gaps from `NATURAL` would paint too many; one who fills them from
here keeps every factor's natural frequency, so that a model without faults has no blindspots.
"""

MAX_CHARACTERS = 2000
"""The parser reads no further: real text encoders truncate too."""

NOUNS: dict[str, tuple[str, str]] = {
    "dog": ("dog", "dogs"),
    "flower": ("flower", "flowers"),
    "cat": ("cat", "cats"),
    "mug": ("mug", "mugs"),
    "document": ("document page", "document pages"),
    "car": ("car", "cars"),
    "apple": ("apple", "apples"),
    "chair": ("chair", "chairs"),
    "boat": ("sailing boat", "sailing boats"),
    "shirt": ("shirt on a hanger", "shirts on hangers"),
    "hand": ("hand", "hands"),
    "lamp": ("table lamp", "table lamps"),
    "clock": ("wall clock", "wall clocks"),
    "umbrella": ("umbrella", "umbrellas"),
    "bird feeder": ("bird feeder", "bird feeders"),
    "pan": ("frying pan", "frying pans"),
    "glossy disc": ("glossy disc", "glossy discs"),
    "kite": ("kite", "kites"),
    "teapot": ("teapot", "teapots"),
    "key": ("key", "keys"),
    "guitar": ("guitar", "guitars"),
    "palm tree": ("palm tree", "palm trees"),
}
"""Singular and plural of each object, as captions write them."""

_ALSO: dict[str, str] = {
    "puppy": "dog", "puppies": "dog", "kitten": "cat", "kittens": "cat", "daisy": "flower",
    "daisies": "flower", "cup": "mug", "cups": "mug", "document": "document",
    "documents": "document", "page": "document", "pages": "document", "boat": "boat",
    "boats": "boat", "sailboat": "boat", "sailboats": "boat", "shirt": "shirt",
    "shirts": "shirt", "t-shirt": "shirt", "t-shirts": "shirt", "clothing on a hanger": "shirt",
    "clothes on hangers": "shirt", "lamp": "lamp", "lamps": "lamp", "clock": "clock",
    "clocks": "clock", "feeder": "bird feeder", "feeders": "bird feeder", "pan": "pan",
    "pans": "pan", "disc": "glossy disc", "discs": "glossy disc", "cd": "glossy disc",
    "cds": "glossy disc", "palm": "palm tree", "palms": "palm tree",
}  # fmt: skip
"""Other words that people use for an object in a prompt of their own."""

PLACES: dict[str, str] = {
    "plain": "against a plain wall",
    "grass": "in the grass",
    "sky": "under an open sky",
    "brick": "in front of a brick wall",
    "beach": "on the beach",
    "tiles": "on kitchen tiles",
    "cloth": "on a checked cloth",
    "wood": "on a wooden table",
    "snow": "in the snow",
    "pebbles": "on pebbles",
}
"""How captions state each background."""

_PLACE_WORDS: dict[str, str] = {
    "plain": r"plain (?:wall|background|backdrop)",
    "grass": r"grass|lawn|meadow",
    "sky": r"sky",
    "brick": r"brick",
    "beach": r"beach|sand",
    "tiles": r"tiles?|tiled",
    "cloth": r"checked cloth|tablecloth|gingham",
    "wood": r"wood|wooden",
    "snow": r"snow(?! is falling)|snowy",
    "pebbles": r"pebbles?",
}

WEATHERS: dict[str, str] = {
    "dusk": "at dusk",
    "rain": "in the rain",
    "snowfall": "while snow is falling",
}
"""How captions state each light other than daylight."""

_WEATHER_WORDS: dict[str, str] = {
    "dusk": r"dusk|sunset",
    "rain": r"rain|rainy",
    "snowfall": r"snowfall|snow is falling",
    "daylight": r"daylight",
}

_NUMBERS: dict[str, int] = {
    "a": 1, "an": 1, "one": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "1": 1, "2": 2, "3": 3, "4": 4, "5": 5,
}  # fmt: skip
_SHOP_WORDS = (
    "350ml - FREE SHIPPING",
    "NEW 2024 | Sale 30%",
    "(Set) Best Price!!",
    "Premium Quality - Shop Now",
)
_WORDS = {1: "a", 2: "two", 3: "three", 4: "four", 5: "five"}

_OBJECT_OF: dict[str, str] = {word: name for name, nouns in NOUNS.items() for word in nouns} | _ALSO
_OBJECT = re.compile(
    r"\b(?:(?P<number>" + "|".join(_NUMBERS) + r") )?"
    r"(?:(?P<page>blank|empty|printed) )?"
    r"(?:(?:" + "|".join([*f.COLOURS, *f.FURS, "gray"]) + r") )?"
    r"(?P<noun>" + "|".join(sorted(map(re.escape, _OBJECT_OF), key=len, reverse=True)) + r")\b"
)
_COLOUR = re.compile(r"\b(" + "|".join(dict.fromkeys([*f.COLOURS, *f.FURS, "gray"])) + r")\b")
_PAGE = re.compile(r"\b(blank|empty|printed)\b")
_PALM = re.compile(r"\bnext to a palm tree\b|\bwith (?:a |some )?palm trees?\b")
_SHADOW = re.compile(r"\b(casting|with|without|no)(?: a| any)? shadows?\b")
_PLACE = {name: re.compile(rf"\b(?:{words})\b") for name, words in _PLACE_WORDS.items()}
_WEATHER = {name: re.compile(rf"\b(?:{words})\b") for name, words in _WEATHER_WORDS.items()}
_TEMPLATE_OF = {phrase.lower(): name for name, phrase in PHRASES.items()}


@dataclass(frozen=True)
class Caption:
    """A caption and the record of how it was written."""

    text: str
    noisy: bool
    kind: str
    """`plain`, `template`, or one of `NOISE`."""
    stated: dict[str, Any] = field(default_factory=dict)
    """The fields of `Scene` that the text states, with the values it states."""


def caption(scene: Scene, seed: int) -> Caption:
    """Write a caption of `scene`; `parse` of its text gives exactly what it states."""
    if scene.template is not None:
        return Caption(PHRASES[scene.template], False, "template", {"template": scene.template})
    dice = Dice(seed, "caption")
    kind = dice.choose({"plain": 1 - NOISY_SHARE, **NOISE})
    if kind == "file name":
        number = 1000 + dice.below(9000)
        text = dice.pick([f"IMG_{number}.jpg", f"DSC0{number}.JPG", f"{number}_large_v2.png"])
        return Caption(text, True, kind)
    if kind == "shop title":
        return _shop_title(scene, dice)
    return _sentence(scene, dice, kind)


def _shop_title(scene: Scene, dice: Dice) -> Caption:
    stated: dict[str, Any] = {"object": scene.object}
    words = [NOUNS[scene.object][0].title()]
    if scene.colour is not None:
        words.append(scene.colour.title())
        stated["colour"] = scene.colour
    if scene.page == "blank":
        words.append("Blank")
        stated["page"] = "blank"
    words.append(dice.pick(_SHOP_WORDS))
    return Caption(" ".join(words), True, "shop title", stated)


def _sentence(scene: Scene, dice: Dice, kind: str) -> Caption:
    stated: dict[str, Any] = {}
    if kind == "missing object":
        words = [dice.pick(["lovely picture, taken", "what a nice view", "my favourite photo"])]
    else:
        words = [dice.pick(["a photo of", "photo of", "a picture of", "close-up of", ""])]
        stated.update(object=scene.object, count=scene.count)
        words.append(_noun_phrase(scene, dice, stated))
    if dice.chance(STATE_BACKGROUND):
        words.append(PLACES[scene.background])
        stated["background"] = scene.background
    if scene.palm:
        words.append("next to a palm tree")
        stated["palm"] = True
    if dice.chance(STATE_LIGHT) and scene.light != "daylight":
        words.append(WEATHERS[scene.light])
        stated["light"] = scene.light
    text = " ".join(word for word in words if word)
    if dice.chance(STATE_SHADOW) and scene.shadow:
        text += ", casting a shadow"
        stated["shadow"] = True
    return Caption(text, kind != "plain", kind, stated)


def _noun_phrase(scene: Scene, dice: Dice, stated: dict[str, Any]) -> str:
    words = []
    if scene.page == "blank" or (scene.page == "printed" and dice.chance(STATE_PRINTED)):
        words.append(scene.page)
        stated["page"] = scene.page
    if scene.colour is not None and dice.chance(STATE_COLOUR):
        words.append(scene.colour)
        stated["colour"] = scene.colour
    words.append(NOUNS[scene.object][scene.count > 1])
    number = _WORDS[scene.count]
    if number == "a" and words[0][0] in "aeiou":
        number = "an"
    return " ".join([number, *words])


def parse(text: str) -> dict[str, Any]:
    """The fields of `Scene` that `text` states, with their values.

    Reads any text: what it does not understand it leaves out, nonsense gives `{}`. Of two objects
    the first one counts. Only the first `MAX_CHARACTERS` are read.
    """
    words = re.sub(r"\s+", " ", text[:MAX_CHARACTERS].lower()).strip()
    if words in _TEMPLATE_OF:
        return {"template": _TEMPLATE_OF[words]}
    stated: dict[str, Any] = {}
    scenery = _PALM.search(words)
    if scenery:
        stated["palm"] = True
        words = words[: scenery.start()] + "," + words[scenery.end() :]
    found = _OBJECT.search(words)
    if found:
        stated["object"] = _OBJECT_OF[found["noun"]]
        if found["number"]:
            stated["count"] = _NUMBERS[found["number"]]
        colour = _COLOUR.search(words)
        if colour and f.palette(stated["object"]):
            name = "grey" if colour[1] == "gray" else colour[1]
            if name in f.palette(stated["object"]):
                stated["colour"] = name
        page = _PAGE.search(words)
        if page and stated["object"] == "document":
            stated["page"] = "printed" if page[1] == "printed" else "blank"
    for key, patterns in (("background", _PLACE), ("light", _WEATHER)):
        for value, pattern in patterns.items():
            if pattern.search(words):
                stated[key] = value
                break
    shadow = _SHADOW.search(words)
    if shadow:
        stated["shadow"] = shadow[1] in ("casting", "with")
    return stated
