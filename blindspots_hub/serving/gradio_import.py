"""Gradio without what costs this page a third of its start and a quarter of a click."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


def lighten(mcp: bool) -> None:
    """Call it before gradio is first imported; later it changes nothing.

    - Gradio (6.31) parses the source of each of its components and writes stubs for editors beside
      it whenever it is imported: 1.5 s of 4, and two servers that start at once write the same
      files. Nothing that runs needs them.
    - `gr.HTML` searches its script by a regular expression for every attribute that it lacks, and
      is asked for eight of them whenever it is sent.
    - Blocks make their web application, of hundreds of routes, whenever they are left, and once
      more where they are launched or mounted: only then is it asked for anything.
    - It imports its command line (0.2 s) for one function, and IPython for its magics.
    - Without `mcp` the package of that name is not imported, and taken for absent.

    Packages that were left out are found by whoever asks for them afterwards. A gradio that has
    none of these functions any more is imported as it is.
    """
    if "gradio" not in sys.modules:
        sys.meta_path.insert(0, _Light(mcp))


class _Light(MetaPathFinder):
    """While gradio is imported: some modules changed, some absent, its command line later."""

    def __init__(self, mcp: bool) -> None:
        self.absent = {"IPython"} if mcp else {"IPython", "mcp"}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if name in self.absent and _importing_gradio():
            raise ModuleNotFoundError(f"{name} is left out while gradio is imported", name=name)
        if name not in _CHANGED and name not in _LATER:
            return None
        found = PathFinder.find_spec(name, path)
        if found is not None and found.loader is not None:
            known = name in _CHANGED
            found.loader = _Changed(found.loader, _CHANGED[name]) if known else _Later(found.loader)
        return found


class _Changed(Loader):
    """Loads a module as its own loader does, and then changes it."""

    def __init__(self, loader: Loader, change: Callable[[ModuleType], None]) -> None:
        self.loader, self.change = loader, change

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See `importlib.abc.Loader`."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        self.loader.exec_module(module)
        self.change(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)


class _Later(_Changed):
    """Loads a package when somebody looks for something in it; its modules are found before."""

    def __init__(self, loader: Loader) -> None:
        super().__init__(loader, lambda _: None)

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""

        def real(name: str) -> Any:
            if name.startswith("__"):  # the import system asks for what no module need have
                raise AttributeError(name)
            names = module.__dict__
            for stands_in in ("__getattr__", "deploy"):
                names.pop(stands_in, None)
            self.loader.exec_module(module)
            return getattr(module, name)

        module.__dict__["__getattr__"] = real
        if module.__name__ == "gradio.cli":  # all that gradio itself takes from it
            module.__dict__["deploy"] = lambda *given, **named: real("deploy")(*given, **named)


def _write_no_stubs(module: Any) -> None:
    if hasattr(module, "create_or_modify_pyi"):
        module.create_or_modify_pyi = lambda *_: None


def _look_before_searching(module: Any) -> None:
    search = module.HTML.__dict__.get("__getattr__")
    if search is None:
        return

    def lacking(self: Any, name: str) -> Any:
        script = self.__dict__.get("js_on_load") or ""
        if any(f"{quote}{name}" in script for quote in ("'", '"', "`")):
            return search(self, name)  # an event that the script raises
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    module.HTML.__getattr__ = lacking


def _make_no_routes_before_launch(module: Any) -> None:
    made = module.App.__dict__.get("create_app")
    if not isinstance(made, staticmethod):
        return

    def create_app(blocks: Any, *given: Any, **named: Any) -> Any:
        if not given and list(named) == ["mcp_server"]:  # as `Blocks.__exit__` and `queue` ask
            return None
        return made.__func__(blocks, *given, **named)

    module.App.create_app = staticmethod(create_app)


_CHANGED: dict[str, Callable[[ModuleType], None]] = {
    "gradio.component_meta": _write_no_stubs,
    "gradio.components.html": _look_before_searching,
    "gradio.routes": _make_no_routes_before_launch,
}


_LATER = {"gradio.cli", "gradio.cli.commands"}


def _importing_gradio() -> bool:
    """Whether gradio is being imported: afterwards mcp is found by whoever asks for it."""
    gradio = sys.modules.get("gradio")
    return gradio is not None and getattr(gradio.__spec__, "_initializing", False)
