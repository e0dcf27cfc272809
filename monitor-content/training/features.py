"""The features of the injection model and their scores, as monitor-content/src/injection/ computes them in Rust.

A text is read character by character: lower-cased, white space and control characters as one space, digits as '0',
a third and further repetition of one character left out. Each character adds its 3-, 4- and 5-gram, each word its
1-, 2- and 3-gram, hashed into 2^18 buckets for characters and 2^18 for words. The score of a span is

    bias + scale * sum(weights of its features) / sqrt(max(features, FLOOR))

so that it follows from two prefix sums. Spans end at checkpoints: the end of a word at least CHECKPOINT characters
after the last one, any character FORCED characters after it, and the end of the text. They start BACK checkpoints
earlier (or at the text's start). A text's score is the largest of its spans'.
"""

import numpy as np
from numba import njit

BITS = 18
BUCKETS = 1 << BITS
FLOOR = 100
CHECKPOINT = 32
FORCED = 96
BACK = (4, 16, 64)
MAX_WORD = 32

C0 = 0x9E3779B1
M1 = 0x85EBCA6B
M2 = (M1 * M1) & 0xFFFFFFFF
M3 = (M2 * M1) & 0xFFFFFFFF
M4 = (M3 * M1) & 0xFFFFFFFF
K1 = 0xC2B2AE35
K2 = 0x27D4EB2F
K3 = 0x165667B1
MASK = 0xFFFFFFFF

# Classes of characters.
SPACE, OTHER, WORD, ALONE = 0, 1, 2, 3


def lower(c):
    """Simple lower case of ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic."""
    if 0x41 <= c <= 0x5A or (0xC0 <= c <= 0xDE and c != 0xD7) or (0x391 <= c <= 0x3A9) or (0x410 <= c <= 0x42F):
        return c + 32
    if 0x400 <= c <= 0x40F:
        return c + 80
    if 0x100 <= c <= 0x137 or 0x14A <= c <= 0x177 or 0x460 <= c <= 0x481 or 0x490 <= c <= 0x4BF:
        return c | 1
    if 0x139 <= c <= 0x148 or 0x179 <= c <= 0x17E:
        return c + (c & 1)
    return c


def kind(c):
    if c <= 0x20 or 0x7F <= c <= 0xA0 or c in (0x1680, 0x3000, 0xFEFF):
        return SPACE
    if 0x2000 <= c <= 0x200F or 0x2028 <= c <= 0x202F or 0x205F <= c <= 0x2064:
        return SPACE
    if c < 0x80:
        return WORD if chr(c).isalnum() else OTHER
    if c < 0xC0 or c in (0xD7, 0xF7) or 0x2000 <= c <= 0x2BFF or 0x3000 <= c <= 0x303F:
        return OTHER
    if 0x0E00 <= c <= 0x0EFF or 0x3040 <= c <= 0x30FF or 0x3400 <= c <= 0x4DBF or 0x4E00 <= c <= 0x9FFF:
        return ALONE
    if 0xF900 <= c <= 0xFAFF or 0x20000 <= c <= 0x3FFFF:
        return ALONE
    if 0xFE00 <= c <= 0xFE6F or 0xFF00 <= c <= 0xFF0F or 0xE000 <= c <= 0xF8FF or c >= 0x1F000:
        return OTHER
    return WORD


def tables():
    code = np.zeros(0x110000, np.uint32)
    kinds = np.zeros(0x110000, np.uint8)
    for c in range(0x110000):
        k = kind(c)
        kinds[c] = k
        d = 0x20 if k == SPACE else 0x30 if 0x30 <= c <= 0x39 else lower(c)
        v = (d * C0) & MASK
        code[c] = v ^ (v >> 15)
    return code, kinds


CODE, KIND = tables()
SPACE_CODE = int(CODE[0x20])


@njit(cache=True)
def _slot(h, k, base):
    h = h & 0xFFFFFFFF
    h = h ^ (h >> 13)
    return np.int32((((h * k) & 0xFFFFFFFF) >> (32 - BITS)) + base)


@njit(cache=True)
def _features(points, codes, kinds, space):
    """Feature buckets of a text in order, and the number of them at each checkpoint (0 first, all of them last)."""
    n = len(points)
    out = np.empty(6 * n + 8, np.int32)
    checks = np.empty(n + 2, np.int64)
    checks[0] = 0
    filled, count = 0, 1
    p1 = p2 = p3 = p4 = np.uint64(space)
    w = w1 = w2 = np.uint64(0)
    length, words, since = 0, 0, 0
    repeats = 0
    for at in range(n + 1):
        final = at == n
        v = np.uint64(space) if final else np.uint64(codes[points[at]])
        k = 0 if final else kinds[points[at]]
        if not final:
            if v == p1:
                repeats += 1
                if repeats > 1 or k == 0:
                    continue
            else:
                repeats = 0
        ended = False
        if length > 0 and (k != 2 or length >= MAX_WORD or final):
            w = w & np.uint64(MASK)
            out[filled] = _slot(w, np.uint64(K1), BUCKETS)
            filled += 1
            if words >= 1:
                out[filled] = _slot(w1 * np.uint64(M1) + w, np.uint64(K2), BUCKETS)
                filled += 1
            if words >= 2:
                out[filled] = _slot(w2 * np.uint64(M2) + w1 * np.uint64(M1) + w, np.uint64(K3), BUCKETS)
                filled += 1
            w2, w1, w = w1, w, np.uint64(0)
            words += 1
            length = 0
            ended = True
        if final:
            break
        if (ended and since >= CHECKPOINT) or since >= FORCED:
            checks[count] = filled
            count += 1
            since = 0
        since += 1
        h3 = (v + p1 * np.uint64(M1) + p2 * np.uint64(M2)) & np.uint64(MASK)
        h4 = (h3 + p3 * np.uint64(M3)) & np.uint64(MASK)
        h5 = (h4 + p4 * np.uint64(M4)) & np.uint64(MASK)
        out[filled] = _slot(h3, np.uint64(K1), 0)
        out[filled + 1] = _slot(h4, np.uint64(K2), 0)
        out[filled + 2] = _slot(h5, np.uint64(K3), 0)
        filled += 3
        p4, p3, p2, p1 = p3, p2, p1, v
        if k >= 2:
            turned = ((w << np.uint64(5)) | (w >> np.uint64(27))) & np.uint64(MASK)
            w = ((turned ^ v) * np.uint64(C0)) & np.uint64(MASK)
            length = MAX_WORD if k == 3 else length + 1
    if checks[count - 1] != filled or count == 1:
        checks[count] = filled
        count += 1
    return out[:filled].copy(), checks[:count].copy()


def features(text):
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return _features(points, CODE, KIND, SPACE_CODE)


@njit(cache=True)
def spans(weights, buckets, checks):
    """For each checkpoint the best score of the spans that end there, and the checkpoint where that span starts."""
    sums = np.empty(len(checks), np.float64)
    total = 0.0
    at = 0
    for j in range(len(checks)):
        while at < checks[j]:
            total += weights[buckets[at]]
            at += 1
        sums[j] = total
    best = np.full(len(checks), -1e9)
    start = np.zeros(len(checks), np.int64)
    for j in range(1, len(checks)):
        for b in BACK:
            i = max(0, j - b)
            z = (sums[j] - sums[i]) / np.sqrt(max(checks[j] - checks[i], FLOOR))
            if z > best[j]:
                best[j] = z
                start[j] = i
            if i == 0:
                break
    return best, start


@njit(cache=True)
def fit(weights, bias, flat, starts, ends, labels, importance, order, rate, total):
    """One epoch of stochastic gradient descent on the logistic loss; returns the bias."""
    for s in order:
        n = max(ends[s] - starts[s], FLOOR)
        norm = 1.0 / np.sqrt(n)
        z = 0.0
        for f in range(starts[s], ends[s]):
            z += weights[flat[f]]
        z = z * norm + bias
        p = 1.0 / (1.0 + np.exp(-z))
        g = (p - labels[s]) * importance[s] * rate
        bias -= 0.02 * g
        step = g * norm
        if abs(step) > 1e-7:
            for f in range(starts[s], ends[s]):
                weights[flat[f]] -= step
    return bias
