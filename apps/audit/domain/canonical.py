"""RFC 8785 canonical JSON: one value, one sequence of bytes: a hash of it means the value."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring

# The integers that an IEEE 754 double, JSON's number type in RFC 8785, holds without a neighbour
# that rounds to it (RFC 7493 section 2.2).
MAX_SAFE_INTEGER = 2**53 - 1

Scalar = str | int | bool | None

# A decimal point is written out up to here; beyond it the exponent form begins
# (ECMA-262 Number::toString, steps 6 to 10).
_LARGEST_PLAIN_POINT = 21
_SMALLEST_PLAIN_POINT = -6


def canonical_json(value: object) -> bytes:
    """Encode a value as canonical JSON.

    Members are sorted by the UTF-16 code units of their names, numbers are written as ECMAScript
    writes them, strings with the shortest escapes, nothing is left between tokens.

    value: None, bool, int within +-(2**53 - 1), finite float, str without lone surrogates, list or
    tuple of these, mapping from str to these, at any depth that the interpreter's stack allows.
    An int outside that range is refused: RFC 8785 numbers are IEEE 754 doubles, and rounding one
    silently would let two different values share a hash. A float of any size is written.
    Returns UTF-8 bytes.
    Raises ValueError naming what cannot be encoded.
    Source: RFC 8785 section 3.2; ECMA-262 Number::toString.
    """
    parts: list[str] = []
    try:
        _write(value, parts)
    except RecursionError:
        raise ValueError("the value is nested too deeply, or contains itself") from None
    return _utf8("".join(parts))


class FlatRecordEncoder:
    """Encode flat records of one shape fast: canonical JSON of `dict(zip(keys, values))`.

    The constructor sorts the keys once and keeps a template; each record then costs one call of
    the C string encoder per text value.

    Source: RFC 8785 section 3.2.3 (sorting); ASCII keys sort alike by code point and code unit.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Prepare for records with these keys.

        keys: unique ASCII strings, in the order in which `encode` is given the values.
        Raises ValueError naming a key that is not ASCII text or comes twice.
        """
        for key in keys:
            if not isinstance(key, str) or not key.isascii():
                raise ValueError(f"the key {key!r} is not ASCII text")
        if len(set(keys)) != len(keys):
            raise ValueError(f"a key comes twice in {list(keys)!r}")
        self.keys = tuple(keys)
        self._order = sorted(range(len(keys)), key=lambda position: keys[position])
        self._in_order = self._order == list(range(len(keys)))
        members = (encode_basestring(keys[p]).replace("%", "%%") + ":%s" for p in self._order)
        self._template = "{" + ",".join(members) + "}"

    def encode(self, values: Sequence[Scalar]) -> bytes:
        """Encode one record.

        values: str, int within +-(2**53 - 1), bool or None, one for each key, in the keys' order.
        Returns UTF-8 bytes, equal to `canonical_json(dict(zip(keys, values)))`.
        Raises ValueError for another number of values, another type, an int out of range, or a
        lone surrogate.
        """
        if len(values) != len(self.keys):
            raise ValueError(f"{len(values)} values for {len(self.keys)} keys")
        quote = encode_basestring
        texts: list[str] = []
        add = texts.append
        # The loop is flat because it is the hot path of sealing: text is by far the most common
        # value, and a call per value would cost a quarter of the whole.
        for value in values if self._in_order else [values[p] for p in self._order]:
            if value.__class__ is str:
                add(quote(value))
            elif value is None:
                add("null")
            else:
                add(_flat_scalar(value))
        return _utf8(self._template % tuple(texts))


def _flat_scalar(value: object) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, str):
        return encode_basestring(value)
    raise ValueError(f"a flat record cannot hold {value!r} of type {type(value).__name__}")


def _write(value: object, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(encode_basestring(value))
    elif value is None:
        parts.append("null")
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, int):
        parts.append(_integer(value))
    elif isinstance(value, float):
        parts.append(_double(value))
    elif isinstance(value, Mapping):
        _write_object(value, parts)
    elif isinstance(value, (list, tuple)):
        _write_array(value, parts)
    else:
        raise ValueError(f"JSON has no form for {value!r} of type {type(value).__name__}")


def _write_object(members: Mapping[object, object], parts: list[str]) -> None:
    names: list[str] = []
    for name in members:
        if not isinstance(name, str):
            raise ValueError(f"the member name {name!r} is not text")
        names.append(name)
    # Big-endian UTF-16 bytes compare as their code units do.
    names.sort(key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    separator = "{"
    for name in names:
        parts += (separator, encode_basestring(name), ":")
        _write(members[name], parts)
        separator = ","
    parts.append("}" if names else "{}")


def _write_array(items: Sequence[object], parts: list[str]) -> None:
    separator = "["
    for item in items:
        parts.append(separator)
        _write(item, parts)
        separator = ","
    parts.append("]" if items else "[]")


def _integer(value: int) -> str:
    if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        # In hexadecimal, since Python refuses to write huge integers in decimal.
        raise ValueError(f"the integer {hex(value)[:40]} is beyond 2**53 - 1, the last safe one")
    return int.__repr__(value)


def _double(value: float) -> str:
    """Write a double as ECMAScript does; Python's repr already has the shortest digits."""
    if not math.isfinite(value):
        raise ValueError(f"JSON has no form for {value!r}")
    if value == 0:
        return "0"
    sign, digit_tuple, exponent = Decimal(float.__repr__(value)).normalize().as_tuple()
    digits = "".join(map(str, digit_tuple))
    point = len(digits) + int(exponent)
    return ("-" if sign else "") + _place_point(digits, point)


def _place_point(digits: str, point: int) -> str:
    """Lay out 0.DIGITS x 10**point (ECMA-262 Number::toString, steps 6 to 10)."""
    if len(digits) <= point <= _LARGEST_PLAIN_POINT:
        return digits + "0" * (point - len(digits))
    if 0 < point <= _LARGEST_PLAIN_POINT:
        return f"{digits[:point]}.{digits[point:]}"
    if _SMALLEST_PLAIN_POINT < point <= 0:
        return f"0.{'0' * -point}{digits}"
    mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{point - 1:+d}"


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        surrogate = text[error.start]
        raise ValueError(f"the text holds the lone surrogate U+{ord(surrogate):04X}") from None
