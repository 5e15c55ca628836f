"""Text patterns that cannot blow up: a regular subset, matched in time linear in the text.

Python's `re` backtracks, so that a pattern such as `(a+)+$` takes time exponential in the value it
meets. Here the pattern becomes a non-deterministic automaton whose reachable states are followed
together (Thompson 1968), and each set of states is remembered with its successors.

The subset: literals, `.`, classes `[...]`, `\\d \\D \\w \\W \\s \\S`, escaped punctuation, groups
`(...)` and `(?:...)`, `|`, `* + ? {n} {n,} {n,m}`, and the anchors `^` and `$`, which are the start
and the very end of the value. Backreferences, look-around, named groups, flags, lazy and possessive
quantifiers and `\\b` are refused. A pattern is searched for anywhere in the value.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

MAX_PATTERN_CHARACTERS: Final = 200
MAX_STEPS: Final = 2_000
_MAX_REPEAT: Final = 100
_MAX_REMEMBERED: Final = 1_000  # sets of states kept before the memory is emptied

_REPEAT = re.compile(r"\{(\d{1,4})(?:(,)(\d{1,4})?)?\}")
_SIMPLE_REPEATS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_CLASS_LETTERS: Final = "dDwWsS"
_CONTROL_LETTERS: Final = "tnrfv"


class UnsafePatternError(ValueError):
    """The pattern is not in the safe subset; the message says which part and why."""


@dataclass(slots=True)
class _Program:
    """Instructions of the automaton; `kinds[k]` says what instruction k is, `nexts[k]` where to."""

    kinds: list[str] = field(default_factory=list)
    nexts: list[tuple[int, ...]] = field(default_factory=list)
    tests: list[Callable[[str], object]] = field(default_factory=list)

    def add(
        self, kind: str, nexts: tuple[int, ...] = (), test: Callable[[str], object] = bool
    ) -> int:
        if len(self.kinds) >= MAX_STEPS:
            raise UnsafePatternError(f"with its repeats written out it exceeds {MAX_STEPS} steps")
        self.kinds.append(kind)
        self.nexts.append(nexts)
        self.tests.append(test)
        return len(self.kinds) - 1


# A parsed part adds its instructions in front of `follow` and returns where it begins.
_Part = Callable[[_Program, int], int]


def _character(source: str) -> _Part:
    test = re.compile(source).fullmatch
    return lambda program, follow: program.add("test", (follow,), test)


def _anchor(kind: str) -> _Part:
    return lambda program, follow: program.add(kind, (follow,))


def _join(parts: list[_Part]) -> _Part:
    def emit(program: _Program, follow: int) -> int:
        for part in reversed(parts):
            follow = part(program, follow)
        return follow

    return emit


def _either(parts: list[_Part]) -> _Part:
    def emit(program: _Program, follow: int) -> int:
        return program.add("split", tuple(part(program, follow) for part in parts))

    return emit if len(parts) > 1 else parts[0]


def _repeat(part: _Part, low: int, high: int | None) -> _Part:
    def emit(program: _Program, follow: int) -> int:
        if high is None:
            follow_or_again = program.add("split")
            program.nexts[follow_or_again] = (part(program, follow_or_again), follow)
            follow = follow_or_again
        else:
            leave = follow
            for _ in range(high - low):
                follow = program.add("split", (part(program, follow), leave))
        for _ in range(low):
            follow = part(program, follow)
        return follow

    return emit


class _Parser:
    """Recursive descent over the pattern; `at` is the position of the next character."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def parse(self) -> _Part:
        part = self.alternatives()
        if self.at < len(self.pattern):
            raise UnsafePatternError(f"unmatched ')' at character {self.at + 1}")
        return part

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def alternatives(self) -> _Part:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.sequence())
        return _either(branches)

    def sequence(self) -> _Part:
        parts = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated())
        return _join(parts)

    def repeated(self) -> _Part:
        start = self.at
        part = self.atom()
        bounds = self.bounds()
        if bounds is None:
            return part
        if self.pattern[start] in "^$":
            raise UnsafePatternError("an anchor cannot be repeated")
        if self.peek() in ("*", "+", "?") or _REPEAT.match(self.pattern, self.at):
            raise UnsafePatternError(f"a repeat of a repeat at character {self.at + 1}")
        return _repeat(part, *bounds)

    def bounds(self) -> tuple[int, int | None] | None:
        if (sign := self.peek()) in _SIMPLE_REPEATS:
            self.at += 1
            return _SIMPLE_REPEATS[sign]
        if sign != "{":
            return None
        found = _REPEAT.match(self.pattern, self.at)
        if not found:
            raise UnsafePatternError("'{' must begin {n}, {n,} or {n,m}; write \\{ for itself")
        self.at = found.end()
        low = int(found[1])
        high = low if not found[2] else int(found[3]) if found[3] else None
        if max(low, high or 0) > _MAX_REPEAT or (high is not None and high < low):
            raise UnsafePatternError(f"{found[0]} must count upwards to at most {_MAX_REPEAT}")
        return low, high

    def atom(self) -> _Part:
        sign = self.peek()
        if sign in ("*", "+", "?", "{"):
            raise UnsafePatternError(f"nothing to repeat at character {self.at + 1}")
        if sign == "(":
            return self.group()
        if sign == "[":
            return _character(self.character_class())
        if sign == "\\":
            return _character(self.escape())
        self.at += 1
        if sign in "^$":
            return _anchor("start" if sign == "^" else "end")
        return _character(sign if sign == "." else re.escape(sign))

    def group(self) -> _Part:
        self.at += 1
        if self.peek() == "?":
            if self.pattern[self.at : self.at + 2] != "?:":
                raise UnsafePatternError("of the (?...) forms only (?:...) is allowed")
            self.at += 2
        part = self.alternatives()
        if self.peek() != ")":
            raise UnsafePatternError("a '(' is never closed")
        self.at += 1
        return part

    def escape(self) -> str:
        letter = self.pattern[self.at + 1 : self.at + 2]
        known = letter in _CLASS_LETTERS or letter in _CONTROL_LETTERS
        if not letter or (letter.isalnum() and not known) or not letter.isascii():
            raise UnsafePatternError(f"the escape '\\{letter}' is not allowed")
        self.at += 2
        return "\\" + letter

    def character_class(self) -> str:
        source = "["
        self.at += 1
        if self.peek() == "^":
            source, self.at = "[^", self.at + 1
        while (sign := self.peek()) != "]":
            if sign in ("", "["):
                raise UnsafePatternError("a '[' is never closed; inside a class write \\[")
            if sign == "\\":
                source += self.escape()
                continue
            # Doubled signs are reserved for set operations in later versions of `re`.
            source += sign if sign == "-" and source[-1] != "-" else re.escape(sign)
            self.at += 1
        self.at += 1
        try:
            re.compile(source + "]")
        except re.error as error:
            raise UnsafePatternError(f"the class {source}] is not valid: {error.msg}") from error
        return source + "]"


class SafePattern:
    """A compiled pattern; equal and hashed by its source."""

    def __init__(self, source: str) -> None:
        """Compile the pattern.

        Parameters: `source`, at most 200 characters of the subset described above.
        Errors: UnsafePatternError, naming the part that is refused.
        Source: K. Thompson, Regular expression search algorithm, CACM 11 (1968) 419-422.
        """
        if len(source) > MAX_PATTERN_CHARACTERS:
            raise UnsafePatternError(f"it is longer than {MAX_PATTERN_CHARACTERS} characters")
        self.source = source
        self._program = _Program()
        self._accept = self._program.add("accept")
        entry = _Parser(source).parse()(self._program, self._accept)
        self._first = self._reach({entry}, at_start=True)
        self._again = self._reach({entry}, at_start=False)
        self._successors: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def search(self, text: str) -> bool:
        """Return whether the pattern occurs anywhere in `text`, in time linear in its length."""
        states = self._first
        successors = self._successors
        for sign in text:
            if self._accept in states:
                return True
            following = successors.get((states, sign))
            states = self._step(states, sign) if following is None else following
        return self._accept in self._reach(states, at_start=not text, at_end=True)

    def _step(self, states: frozenset[int], sign: str) -> frozenset[int]:
        program = self._program
        reached = {
            program.nexts[state][0]
            for state in states
            if program.kinds[state] == "test" and program.tests[state](sign)
        }
        following = self._reach(reached, at_start=False) | self._again
        if len(self._successors) >= _MAX_REMEMBERED:
            self._successors.clear()
        self._successors[states, sign] = following
        return following

    def _reach(
        self, states: set[int] | frozenset[int], *, at_start: bool, at_end: bool = False
    ) -> frozenset[int]:
        """Follow splits and the anchors that hold here; states that read a character remain."""
        open_kinds = {"split"} | ({"start"} if at_start else set()) | ({"end"} if at_end else set())
        seen = set(states)
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if self._program.kinds[state] in open_kinds:
                fresh = [state for state in self._program.nexts[state] if state not in seen]
                seen.update(fresh)
                waiting.extend(fresh)
        return frozenset(seen)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SafePattern) and self.source == other.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"SafePattern({self.source!r})"
