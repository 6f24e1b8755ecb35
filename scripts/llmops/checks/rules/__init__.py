"""The rules: a module, or a package with a module per topic, for each theme. Nothing else stands here."""

from importlib import import_module
from pkgutil import iter_modules

for _theme in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_theme}")
