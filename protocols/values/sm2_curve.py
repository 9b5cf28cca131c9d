"""The curve of SM2, as far as a verification needs it (GB/T 32918.5, recommended parameters): sums of two multiples.

Nothing here is secret (a public key, a signature), so it may be fast instead of even: Jacobian coordinates, both
multiples in one run. That is some 3 ms where the library, made to be read, takes 80 ms and holds the interpreter.
"""

P = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_00000000_FFFFFFFF_FFFFFFFF
A = P - 3
B = 0x28E9FA9E_9D9F5E34_4D5A9E4B_CF6509A7_F39789F5_15AB8F92_DDBCBD41_4D940E93
N = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123
"""The order of ``G``; a prime, and with it the number of all points."""
G = (
    0x32C4AE2C_1F198119_5F990446_6A39C994_8FE30BBF_F2660BE1_715A4589_334C74C7,
    0xBC3736A2_F4F6779C_59BDCEE3_6B692153_D0A9877C_C62A4740_02DF32E5_2139F0A0,
)

Point = tuple[int, int]
"""x, y; never the point at infinity."""
_Jacobian = tuple[int, int, int]
"""x = X/Z², y = Y/Z³; Z = 0 at infinity."""
_INFINITY: _Jacobian = (1, 1, 0)


def is_on_curve(point: Point) -> bool:
    """Whether it is a point of the curve, written with the smallest numbers."""
    x, y = point
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x + A) * x - B) % P == 0


def x_of_sum(s: int, t: int, point: Point) -> int | None:
    """x of s·G + t·``point``, None when that is the point at infinity. Both factors in 1 … N-1."""
    base, other = (*G, 1), (*point, 1)
    both = _add(base, other)
    steps = (None, base, other, both)
    total = _INFINITY
    for bit in range(max(s.bit_length(), t.bit_length()) - 1, -1, -1):
        total = _double(total)
        step = steps[(s >> bit & 1) + 2 * (t >> bit & 1)]
        if step is not None:
            total = _add(total, step)
    x, _, z = total
    return x * pow(z, -2, P) % P if z else None


def _double(point: _Jacobian) -> _Jacobian:
    """The doubling for a = -3 (Bernstein and Lange, dbl-2001-b)."""
    x, y, z = point
    if not z:
        return _INFINITY
    delta, gamma = z * z % P, y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    new_x = (alpha * alpha - 8 * beta) % P
    new_z = ((y + z) ** 2 - gamma - delta) % P
    return new_x, (alpha * (4 * beta - new_x) - 8 * gamma * gamma) % P, new_z


def _add(one: _Jacobian, two: _Jacobian) -> _Jacobian:
    """Any two points (add-2007-bl without its scaling)."""
    x1, y1, z1 = one
    x2, y2, z2 = two
    if not z1:
        return two
    if not z2:
        return one
    z1z1, z2z2 = z1 * z1 % P, z2 * z2 % P
    u1, s1 = x1 * z2z2 % P, y1 * z2 * z2z2 % P
    h, r = (x2 * z1z1 - u1) % P, (y2 * z1 * z1z1 - s1) % P
    if not h:
        return _INFINITY if r else _double(one)
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x = (r * r - hhh - 2 * v) % P
    return x, (r * (v - x) - s1 * hhh) % P, z1 * z2 * h % P
