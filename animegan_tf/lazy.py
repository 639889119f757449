"""Public names of a package, loaded on first use: importing the package stays cheap."""

import importlib


def load(package, module_of, name):
    """`name` from the module of `package` that `module_of`, a dict, says; for `__getattr__`."""
    if name in module_of:
        return getattr(importlib.import_module(f"{package}.{module_of[name]}"), name)
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
