"""The rules: a module, or a package with a module per topic, for each theme. Nothing else stands here."""

from importlib import import_module
from pkgutil import walk_packages

for _module in sorted(module.name for module in walk_packages(__path__, f"{__name__}.")):
    import_module(_module)
