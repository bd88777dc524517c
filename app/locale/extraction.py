"""Finding the texts in the code, for developers: what the catalogues must hold, and what is wrong with the calls.

A text is the literal first argument of `t`, `UserError` or a UserError's subclass, or the two first of `tn`.
Commands declare theirs as plain strings, which `app.interactions.registration.messages` lists.
A template at the top of a module may have placeholders without values: `Text.filled` gives them.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages.catalog import Catalog

SINGLE = "t"
PLURAL = "tn"
ERROR = "UserError"


@dataclass(frozen=True, slots=True)
class Found:
    """One text in the code: where, and as gettext keys it."""

    path: str
    line: int
    message: str
    plural: str | None = None
    context: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return what identifies it in a catalogue."""
        return self.context, self.message


@dataclass(slots=True)
class Extraction:
    """The texts of a tree and the complaints about calls that cannot be translated."""

    found: list[Found] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def template(self) -> Catalog:
        """Return a catalogue with every text and no translations, in order of place."""
        catalog = Catalog(fuzzy=False)
        for one in sorted(self.found, key=lambda found: (found.path, found.line)):
            message = one.message if one.plural is None else (one.message, one.plural)
            catalog.add(message, locations=[(one.path, one.line)], context=one.context or None)
        return catalog


def extract(root: Path) -> Extraction:
    """Read all Python files below `root/app`. Paths are relative to `root`."""
    extraction = Extraction()
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(root.glob("app/**/*.py"))}
    errors = _subclasses(trees.values())
    for path, tree in trees.items():
        _Visitor(str(path.relative_to(root)), errors, extraction).visit(tree)
    return extraction


def placeholders(text: str) -> frozenset[str]:
    """Return the names in braces. Raises ValueError for a text that cannot be formatted."""
    found = set()
    for _, name, spec, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ValueError(f"{{{name}}} is not a plain name; write braces twice to show them")
        found.add(name)
    return frozenset(found)


def _subclasses(trees: Iterable[ast.Module]) -> frozenset[str]:
    """Return the names of UserError and of every class that derives from it."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    known = {ERROR}
    while True:
        more = {
            one.name for one in classes if any(isinstance(b, ast.Name) and b.id in known for b in one.bases)
        }
        if more <= known:
            return frozenset(known)
        known |= more


class _Visitor(ast.NodeVisitor):
    def __init__(self, path: str, errors: frozenset[str], extraction: Extraction) -> None:
        self._path, self._errors, self._extraction = path, errors, extraction
        self._functions = 0

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._functions += 1
        self.generic_visit(node)
        self._functions -= 1

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in self._errors and node.args and isinstance(node.args[0], ast.Constant):
            if isinstance(node.args[0].value, str):
                self._take(node, node.args[0].value, None)
        elif name == SINGLE and node.args:
            for message in self._literals(node, node.args[0]):
                self._take(node, message, None)
        elif name == PLURAL and len(node.args) >= 2:
            for one, many in zip(
                self._literals(node, node.args[0]), self._literals(node, node.args[1]), strict=False
            ):
                self._take(node, one, many)

    def _literals(self, node: ast.Call, argument: ast.expr) -> Iterator[str]:
        match argument:
            case ast.Constant(value=str(text)):
                yield text
            case ast.IfExp(body=body, orelse=orelse):
                yield from self._literals(node, body)
                yield from self._literals(node, orelse)
            case _:
                self._complain(node, "the text must be a literal, or nobody can translate it")

    def _take(self, node: ast.Call, message: str, plural: str | None) -> None:
        try:
            wanted = placeholders(message) | placeholders(plural or "")
        except ValueError as error:
            self._complain(node, str(error))
            return
        given = {keyword.arg for keyword in node.keywords} | ({"count"} if plural is not None else set())
        template = not self._functions and not node.keywords  # filled in later, with Text.filled
        if not template and None not in given and (missing := wanted - given):
            self._complain(node, f"no value for {', '.join(sorted(missing))}")
        self._extraction.found.append(Found(self._path, node.lineno, message, plural))

    def _complain(self, node: ast.Call, problem: str) -> None:
        self._extraction.problems.append(f"{self._path}:{node.lineno}: {problem}")
