"""How packs share a current, and what that allows: one pass over the packs in place of a hundred small arrays.

The formulas, their meaning and their constants are in aggregator/share.py and aggregator/predict.py.
"""

cimport cython
from libc.math cimport INFINITY, NAN, fabs, fmax, fmin, isnan, sqrt

from packbank.cext.arrays cimport Arrays

cdef double TINY = 1e-12

cdef double ROUNDING = 1e-9  # of a sum of squares: what its difference may be below 0 by rounding alone


cdef struct Line:
    double* exchange
    double* weight
    double* xx
    double* xw
    double* ww


cdef Line _line(Arrays arrays, lines) except *:
    """The five arrays of ``lines``, read only."""
    exchange, weight, xx, xw, ww = lines
    return Line(
        arrays.numbers(exchange), arrays.numbers(weight), arrays.numbers(xx), arrays.numbers(xw), arrays.numbers(ww)
    )


cdef Line _rows(double* block, Py_ssize_t packs) noexcept:
    """The five rows of a block of shape ``(5, packs)``."""
    return Line(block, block + packs, block + 2 * packs, block + 3 * packs, block + 4 * packs)


@cython.final
cdef class LineFilter:
    """Follows lines: how they wander, and what currents show of them."""

    cdef double drift, drift_current, drift_exchange, drift_weight, weight_error
    cdef double noise_amperes, noise_fraction, still, surprise, least_weight

    def __init__(
        self, *, double drift, double drift_current, double drift_exchange, double drift_weight, double weight_error,
        double noise_amperes, double noise_fraction, double still, double surprise, double least_weight,
    ):
        self.drift, self.drift_current, self.drift_exchange = drift, drift_current, drift_exchange
        self.drift_weight, self.weight_error = drift_weight, weight_error
        self.noise_amperes, self.noise_fraction = noise_amperes, noise_fraction
        self.still, self.surprise, self.least_weight = still, surprise, least_weight

    def wander(self, lines, prior, size, flow, double dt, block, /):
        cdef Arrays arrays = Arrays()
        cdef Line old = _line(arrays, lines)
        cdef double* priors = arrays.numbers(prior)
        cdef double* sizes = arrays.numbers(size)
        cdef double* charge = arrays.numbers(flow, 2)
        cdef double* discharge = charge + arrays.packs
        cdef Line out = _rows(arrays.numbers(block, 5, True), arrays.packs)
        cdef Py_ssize_t i
        cdef double by, loose, weight
        for i in range(arrays.packs):
            weight = old.weight[i]
            by = self.drift * sizes[i] + self.drift_current * (charge[i] + discharge[i])
            by += self.drift_exchange * fabs(old.exchange[i])
            loose = self.weight_error * fmax(priors[i], weight)
            out.exchange[i], out.weight[i], out.xw[i], out.ww[i] = old.exchange[i], weight, old.xw[i], old.ww[i]
            out.xx[i] = old.xx[i] + by * by * dt
            if old.ww[i] < loose * loose:
                out.ww[i] += (self.drift_weight * weight) * (self.drift_weight * weight) * dt

    def learn(self, block, prior, chosen, current, error, double drive, double level, /):
        cdef Arrays arrays = Arrays()
        cdef double* priors = arrays.numbers(prior)
        cdef Line line = _rows(arrays.numbers(block, 5, True), arrays.packs)
        cdef const unsigned char* among = arrays.mask(chosen)
        cdef double* currents = arrays.numbers(current)
        cdef double* errors = arrays.numbers(error)
        cdef Py_ssize_t i
        cdef double whole = 0.0, left = 0.0, noise = 0.0, unknown = 0.0, gone, of_drive
        cdef bint partly = False
        for i in range(arrays.packs):
            if among[i] and not isnan(currents[i]):
                whole += line.weight[i]
                left += currents[i] - line.exchange[i]
                noise += self.noise(currents[i], errors[i])
                unknown += line.xx[i]
            elif among[i]:
                partly = True
        if whole <= 0.0:
            return drive, level
        if partly:
            noise += unknown  # what they exchange with those that are missing may be taken for a drive
        drive = left / whole
        if fabs(drive - level) >= self.still * sqrt(noise) / whole:  # else noise would teach weights
            level = drive
        for i in range(arrays.packs):
            if among[i] and not isnan(currents[i]):
                gone = currents[i] - line.exchange[i] - line.weight[i] * drive
                of_drive = line.weight[i] / whole  # the others' noise is in the drive, and so in what is gone
                self.correct(
                    line, i, gone, self.noise(currents[i], errors[i]) + of_drive * of_drive * noise, level,
                    self.weight_error * fmax(priors[i], line.weight[i]),
                )
            line.weight[i] = fmax(line.weight[i], self.least_weight * priors[i])
        return drive, level

    cdef double noise(self, double current, double error) noexcept:
        """A^2, variance of a current that was measured."""
        cdef double gain = self.noise_fraction * current
        return self.noise_amperes * self.noise_amperes + gain * gain + error * error

    cdef void correct(self, Line line, Py_ssize_t i, double off, double noise, double level, double loose) noexcept:
        """One step of a pack's Kalman filter with a current that is ``off`` A from its line.

        ``loose`` is the error of a weight of which nothing is known: a surprise makes none larger.
        """
        cdef double by_x = line.xx[i] + level * line.xw[i]
        cdef double by_w = line.xw[i] + level * line.ww[i]
        cdef double spread = by_x + level * by_w
        cdef double wider = off * off / (self.surprise * (spread + noise))
        cdef double gain, of_weight
        if wider > 1.0:
            of_weight = fmax(fmin(wider, loose * loose / fmax(line.ww[i], TINY)), 1.0)
            line.xx[i] *= wider
            line.xw[i] *= sqrt(wider * of_weight)
            line.ww[i] *= of_weight
            by_x = line.xx[i] + level * line.xw[i]
            by_w = line.xw[i] + level * line.ww[i]
            spread = by_x + level * by_w
        gain = 1.0 / (spread + noise)
        line.exchange[i] += gain * by_x * off
        line.weight[i] += gain * by_w * off
        line.xx[i] -= gain * by_x * by_x
        line.xw[i] -= gain * by_x * by_w
        line.ww[i] -= gain * by_w * by_w


def centre(block, prior, chosen, moved, double drive, double level, /):
    cdef Arrays arrays = Arrays()
    cdef double* priors = arrays.numbers(prior)
    cdef Line line = _rows(arrays.numbers(block, 5, True), arrays.packs)
    cdef const unsigned char* among = arrays.mask(chosen)
    cdef const unsigned char* moves = arrays.mask(moved)
    cdef Py_ssize_t i
    cdef double weight = 0.0, exchange = 0.0, usual = 0.0, shift, scale
    for i in range(arrays.packs):
        if among[i]:
            weight += line.weight[i]
            exchange += line.exchange[i]
            usual += priors[i]
    if weight <= 0.0:
        return drive, level
    shift, scale = exchange / weight, usual / weight
    for i in range(arrays.packs):
        if moves[i]:
            line.exchange[i] -= shift * line.weight[i]
            line.weight[i] *= scale
            line.xx[i] += shift * (shift * line.ww[i] - 2.0 * line.xw[i])
            line.xw[i] = (line.xw[i] - shift * line.ww[i]) * scale
            line.ww[i] *= scale * scale
    return (drive + shift) / scale, (level + shift) / scale


def shares(weight, chosen, out, /):
    cdef Arrays arrays = Arrays()
    cdef const double* weights = arrays.numbers(weight)
    cdef const unsigned char* among = arrays.mask(chosen, 2)
    cdef double* share = arrays.numbers(out, 2, True)
    cdef Py_ssize_t _direction, i
    cdef double whole
    for _direction in range(2):
        whole = 0.0
        for i in range(arrays.packs):
            whole += weights[i] if among[i] else 0.0
        for i in range(arrays.packs):
            share[i] = weights[i] / fmax(whole, TINY) if among[i] else 0.0
        among, share = among + arrays.packs, share + arrays.packs


cdef struct Sums:
    double exchange
    double weight
    double xx
    double xw
    double ww


cdef Sums _sums(Line line, const unsigned char* among, Py_ssize_t packs) noexcept:
    """Over the packs of a mask."""
    cdef Sums sums = Sums(0.0, 0.0, 0.0, 0.0, 0.0)
    cdef Py_ssize_t i
    for i in range(packs):
        if among[i]:
            sums.exchange += line.exchange[i]
            sums.weight += line.weight[i]
            sums.xx += line.xx[i]
            sums.xw += line.xw[i]
            sums.ww += line.ww[i]
    return sums


def one_side(lines, double sign, double drive, chosen, block, /):
    cdef Arrays arrays = Arrays()
    cdef Line line = _line(arrays, lines)
    cdef const unsigned char* among = arrays.mask(chosen)
    cdef Line out = _rows(arrays.numbers(block, 5, True), arrays.packs)
    cdef double* others = out.weight  # the weights stay where they are: their place is that of the others' part
    cdef Sums sums = _sums(line, among, arrays.packs)
    cdef Py_ssize_t i
    cdef double share, own, rest, of
    for i in range(arrays.packs):
        of = 1.0 if among[i] else 0.0
        share = line.weight[i] / (fmax(sums.weight, TINY) if among[i] else sums.weight + line.weight[i])
        own, rest = (1.0 - share) * (1.0 - share), share * share
        out.exchange[i] = sign * line.exchange[i]
        others[i] = 1.0 - share
        out.xx[i] = own * line.xx[i] + rest * (sums.xx - of * line.xx[i])
        out.xw[i] = sign * (own * line.xw[i] + rest * (sums.xw - of * line.xw[i]))
        out.ww[i] = own * line.ww[i] + rest * (sums.ww - of * line.ww[i])
    return sign * sums.exchange + sums.weight * drive if sums.weight > 0.0 else NAN


cdef double _root(double room, double weight, double xx, double xw, double ww, double z2) noexcept:
    """The largest root ``v`` of ``weight v + z sqrt(xx + 2 v xw + v^2 ww) = room``, by squaring; ``-inf``: none."""
    cdef double a = weight * weight - z2 * ww
    cdef double b = room * weight + z2 * xw
    cdef double c = room * room - z2 * xx
    # b^2 - a c without the terms that cancel: exactly 0 where nothing is uncertain
    cdef double of_line = weight * weight * xx + 2.0 * room * weight * xw + room * room * ww
    cdef double square = z2 * (of_line - z2 * (xx * ww - xw * xw))
    cdef double root = sqrt(fmax(square, 0.0))
    cdef double found
    if not square >= -ROUNDING * b * b:
        return -INFINITY
    if b > 0.0:
        found = c / (b + root)  # one root, without the difference of equals
    elif a != 0.0:
        found = (b - root) / a
    else:
        return -INFINITY
    return found if room - weight * found >= -1e-6 * (1.0 + fabs(room)) else -INFINITY


def highest_drives(side, limits, double drive, double sigmas, double step_error, drives, /):
    cdef Arrays arrays = Arrays()
    exchange, weight, xx, xw, ww, others = side
    cdef Line line = _line(arrays, (exchange, weight, xx, xw, ww))
    cdef double* rest = arrays.numbers(others)
    cdef double* limit = arrays.numbers(limits)
    cdef double* out = arrays.numbers(drives, 1, True)
    cdef double z2 = sigmas * sigmas
    cdef Py_ssize_t i
    cdef double room, flat, beyond, w
    for i in range(arrays.packs):
        w, room = line.weight[i], limit[i] - line.exchange[i]
        flat = _root(room, w, line.xx[i], line.xw[i], line.ww[i], z2)
        if flat > drive:
            beyond = step_error * w * rest[i]
            flat = fmax(_root(room + beyond * drive, w + beyond, line.xx[i], line.xw[i], line.ww[i], z2), drive)
        out[i] = flat


def lowest_drive(exchange, weight, drives, own, sure, maybe, one_way, /):
    cdef Arrays arrays = Arrays()
    cdef double* at_rest = arrays.numbers(exchange)
    cdef double* weights = arrays.numbers(weight)
    cdef double* highest = arrays.numbers(drives)
    cdef double* limit = arrays.numbers(own)
    cdef const unsigned char* certain = arrays.mask(sure)
    cdef const unsigned char* possible = arrays.mask(maybe)
    cdef const unsigned char* forward = arrays.mask(one_way)
    cdef Py_ssize_t i, pack = -1, neediest = -1
    cdef double drive = INFINITY, least = INFINITY, whole = 0.0, carried = 0.0, flow
    cdef bint narrower = False
    for i in range(arrays.packs):
        if certain[i]:
            whole += weights[i]
            if pack < 0 or highest[i] < drive:
                pack, drive = i, highest[i]
        if (certain[i] or possible[i]) and (neediest < 0 or limit[i] / weights[i] < least):
            neediest, least = i, limit[i] / weights[i]
    if pack < 0:
        return -1, NAN, -1, NAN, 0.0, False
    for i in range(arrays.packs):
        flow = at_rest[i] + weights[i] * drive
        if certain[i]:
            carried += flow
        if possible[i]:
            if not forward[i]:
                carried += fmin(flow, 0.0)
            narrower = narrower or highest[i] < drive
    return pack, -INFINITY if drive == -INFINITY else carried, neediest, least, whole, narrower
