"""``dataclass(frozen=True)`` for what is defined before the first picture of a filter.

Python's own compiles six functions for each class, which takes 0.5 ms; the 36 classes here took 20 of the 150 ms until
the first picture. These are written once and look the fields up, for 0.06 ms a class. An instance takes 4 µs to make
in place of 1, so what is made by the thousand stays with Python's own; so does
what users make themselves, since the site shows the arguments of those alone.
"""

from typing import TYPE_CHECKING

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses

    def dataclass(*, frozen, eq=True):
        """The decorator; classes must be frozen.

        They cannot be keyword-only or have slots, class variables, or fields with ``init=False`` or ``hash``.
        """
        assert frozen
        functions = (_init, _repr, _setattr, _delattr, *((_eq, _hash) if eq else ()))

        def define(cls):
            own = vars(cls)
            cls = dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
            fields = dataclasses.fields(cls)
            assert len(fields) == len(cls.__dataclass_fields__) and all(f.init and f.hash is None for f in fields)
            for function in functions:
                name = f"_{function.__name__}__"
                if own.get(name) is None:
                    setattr(cls, name, function)
            return cls

        return define

    def _init(self, *values, **named):
        fields = type(self).__dataclass_fields__
        given = dict(zip(fields, values))  # noqa: B905 - too many are looked for below
        if len(values) > len(fields) or not fields.keys() >= named.keys() or not given.keys().isdisjoint(named):
            raise TypeError(f"{type(self).__name__} takes {', '.join(fields)}, each once")
        given |= named
        for name, field in fields.items():
            if name in given:
                value = given[name]
            elif field.default is not dataclasses.MISSING:
                value = field.default
            elif field.default_factory is not dataclasses.MISSING:
                value = field.default_factory()
            else:
                raise TypeError(f"{type(self).__name__} needs {name}")
            object.__setattr__(self, name, value)
        if check := getattr(self, "__post_init__", None):
            check()

    def _compared(self):
        return tuple(getattr(self, f.name) for f in dataclasses.fields(self) if f.compare)

    def _repr(self):
        shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
        return f"{type(self).__qualname__}({shown})"

    def _eq(self, other):
        return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented

    def _hash(self):
        return hash(_compared(self))

    def _setattr(self, name, value):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def _delattr(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
