"""The random audit's draw: a number in [0, 1) that the sender of a case cannot choose.

The draw is a keyed hash of the case's external id under a secret seed. It does not depend on the
policy, on the order of cases or on their features; whoever holds the seed can check it later.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

_BLOCK_BYTES = 64  # SHA-256's block, to which HMAC pads its key (RFC 2104, section 2)
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
_KEPT_BITS = 53  # a double holds 53 bits exactly, so every platform gets the same number


def draw(seed: bytes, external_id: str) -> float:
    """Return the draw of one case.

    Definition: the top 53 bits of HMAC-SHA256(seed, external_id in UTF-8), divided by 2^53; this
    is HMAC / 2^256 rounded down to a double.
    Parameters: `seed`, the secret of one use case and year, any length; `external_id`, the
    sender's id of the case.
    Returns: u in [0, 1).
    Errors: UnicodeEncodeError when the id holds a lone surrogate.
    Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
    """
    return float(draws(seed, [external_id])[0])


def draws(seed: bytes, external_ids: Iterable[str]) -> npt.NDArray[np.float64]:
    """Return the draws of many cases, in their order.

    Definition: as `draw`. The two keyed hash states of HMAC are made once and copied per case.
    Parameters: `seed`, as for `draw`; `external_ids`, any number of ids.
    Returns: float64 array of u in [0, 1), one per id.
    Errors: UnicodeEncodeError when an id holds a lone surrogate.
    Source: RFC 2104, section 4, on storing the keyed states.
    """
    key = hashlib.sha256(seed).digest() if len(seed) > _BLOCK_BYTES else seed
    key = key.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(key.translate(_INNER_PAD)).copy
    outer = hashlib.sha256(key.translate(_OUTER_PAD)).copy
    digests = bytearray()
    for external_id in external_ids:
        message_hash = inner()
        message_hash.update(external_id.encode())
        keyed_hash = outer()
        keyed_hash.update(message_hash.digest())
        digests += keyed_hash.digest()[:8]
    top_bits = np.frombuffer(digests, dtype=">u8") >> np.uint64(64 - _KEPT_BITS)
    return top_bits.astype(np.float64) * 2.0**-_KEPT_BITS
