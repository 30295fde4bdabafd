"""The twenty shapes that images show, as masks over a shape's own coordinates.

Every mask is made by exactly rounded operations (+ - * / sqrt floor, comparisons) of single NumPy
calls, so that the same bits come out on every machine.
"""
# ruff: noqa: PLR2004 (a shape is its numbers)

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]


def _disc(u: Plane, v: Plane) -> Mask:
    return u * u + v * v < 1


def _ring(u: Plane, v: Plane) -> Mask:
    square = u * u + v * v
    return (square < 1) & (square > 0.375)


def _square(u: Plane, v: Plane) -> Mask:
    return np.maximum(abs(u), abs(v)) < 0.875


def _frame(u: Plane, v: Plane) -> Mask:
    most = np.maximum(abs(u), abs(v))
    return (most < 0.9375) & (most > 0.5625)


def _triangle(u: Plane, v: Plane) -> Mask:
    return (v > -0.625) & (v + 1.75 * abs(u) < 1.125)


def _hexagon(u: Plane, v: Plane) -> Mask:
    return np.maximum(0.875 * abs(u) + 0.5 * abs(v), abs(v)) < 0.875


def _ellipse(u: Plane, v: Plane) -> Mask:
    return u * u + 4 * v * v < 1


def _half_disc(u: Plane, v: Plane) -> Mask:
    return (u * u + (v + 0.375) * (v + 0.375) < 1) & (v > -0.375)


def _plus(u: Plane, v: Plane) -> Mask:
    return (np.minimum(abs(u), abs(v)) < 0.3125) & (np.maximum(abs(u), abs(v)) < 1)


def _tee(u: Plane, v: Plane) -> Mask:
    top = (abs(v + 0.6875) < 0.3125) & (abs(u) < 1)
    return top | ((abs(u) < 0.3125) & (abs(v) < 1))


def _ell(u: Plane, v: Plane) -> Mask:
    side = (abs(u + 0.5) < 0.3125) & (abs(v) < 1)
    return side | ((abs(v - 0.6875) < 0.3125) & (abs(u) < 0.8125))


def _crescent(u: Plane, v: Plane) -> Mask:
    mask: Mask = (u * u + v * v < 1) & ((u - 0.5) * (u - 0.5) + v * v > 0.625)
    return mask


def _checker(u: Plane, v: Plane) -> Mask:
    odd = (np.floor(2 * u) + np.floor(2 * v)) % 2 == 1
    mask: Mask = (np.maximum(abs(u), abs(v)) < 1) & odd
    return mask


def _stripes(u: Plane, v: Plane) -> Mask:
    mask: Mask = (np.maximum(abs(u), abs(v)) < 1) & (np.floor(2.5 * u + 0.5) % 2 == 0)
    return mask


def _target(u: Plane, v: Plane) -> Mask:
    distance = np.sqrt(u * u + v * v)
    return (distance < 1) & ((distance < 0.3125) | (distance > 0.6875))


def _astroid(u: Plane, v: Plane) -> Mask:
    return np.sqrt(abs(u)) + np.sqrt(abs(v)) < 1.125


def _dumbbell(u: Plane, v: Plane) -> Mask:
    aside = abs(u) - 0.625
    mask: Mask = (aside * aside + v * v < 0.1875) | ((abs(v) < 0.125) & (abs(u) < 0.625))
    return mask


def _cup(u: Plane, v: Plane) -> Mask:
    sides = (abs(abs(u) - 0.6875) < 0.25) & (abs(v) < 0.9375)
    return sides | ((abs(v - 0.6875) < 0.25) & (abs(u) < 0.9375))


def _aitch(u: Plane, v: Plane) -> Mask:
    sides = (abs(abs(u) - 0.6875) < 0.25) & (abs(v) < 0.9375)
    return sides | ((abs(v) < 0.25) & (abs(u) < 0.9375))


def _bow_tie(u: Plane, v: Plane) -> Mask:
    return (0.875 * abs(v) < abs(u)) & (abs(u) < 0.9375) & (abs(v) < 0.9375)


SHAPES: tuple[Callable[[Plane, Plane], Mask], ...] = (
    _disc,
    _ring,
    _square,
    _frame,
    _triangle,
    _hexagon,
    _ellipse,
    _half_disc,
    _plus,
    _tee,
    _ell,
    _crescent,
    _checker,
    _stripes,
    _target,
    _astroid,
    _dumbbell,
    _cup,
    _aitch,
    _bow_tie,
)
