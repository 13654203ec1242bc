"""What bytes of JK PB are, for ``packbank decode``: a frame alone or with its acknowledgement, a request, whatever."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from packbank.bms import trust
from packbank.bms.describe import row_values
from packbank.bms.fields import columns_of
from packbank.bms.jkpb_fields import ALARM_NAMES, SETTINGS, STATUS
from packbank.bms.jkpb_frames import KINDS, MARK, TYPE, fill, refusal, topic_asked, topic_of
from packbank.bms.protocol import Description, Row, Topic
from packbank.cext.framing import ACK_REACH, Scanner, Unit
from packbank.errors import FrameError
from packbank.model.columns import COLUMNS, Column
from packbank.model.identity import Identity

_FIELDS = {Topic.STATUS: STATUS, Topic.SETTINGS: SETTINGS}


def describe(data: bytes) -> Description:
    """As Protocol.describe; the first frame counts, else the first request or acknowledgement."""
    scanner = Scanner()
    units = [*scanner.feed(data), *scanner.flush()]
    frames = [unit for unit in units if unit.kind in ("frame", "bad")]
    if frames:
        return _describe_frame(frames[0], units, data)
    if units:
        return _describe_modbus(units[0])
    return Description("unknown", f"no JK PB frame, request or acknowledgement in these {len(data)} bytes")


def _describe_modbus(unit: Unit) -> Description:
    """A request, a write, or an acknowledgement: Modbus function 16."""
    topic = topic_asked(unit.data)
    values: dict[str, object] = {"register": f"0x{unit.data[2:4].hex()}", "topic": topic.value if topic else None}
    if unit.kind == "request":
        values["value"] = int.from_bytes(unit.data[7:-2])
    return Description(unit.kind, address=unit.data[0], values=values)


def _describe_frame(frame: Unit, units: list[Unit], data: bytes) -> Description:
    topic = topic_of(frame.data) if len(frame.data) > TYPE else None
    kind = topic.value if topic else "unknown"
    if frame.kind == "bad":
        return Description(kind, str(refusal(frame.data)))
    if topic is None:
        known = ", ".join(f"{number} {name}" for name, number in KINDS.items())
        return Description(kind, f"type: frame type {frame.data[TYPE]}, known are {known}")
    row = np.full(COLUMNS, np.nan)
    try:
        acknowledged = _acknowledged(frame, units, data, topic)
        identity = fill(frame.data, topic, row, Identity())
        trust.check(row, row)
    except FrameError as error:
        return Description(kind, str(error))
    reported = row[Column.DEVICE_ADDRESS]
    address = int(reported) if acknowledged is None and np.isfinite(reported) else acknowledged
    return Description(kind, address=address, values=_values(topic, row, identity))


def _acknowledged(frame: Unit, units: list[Unit], data: bytes, topic: Topic) -> int | None:
    """The address in the acknowledgement behind ``frame``, ``None`` without one; FrameError when it is wrong."""
    end = frame.start + len(frame.data)
    behind = [unit for unit in units if unit.start >= end]
    if behind and behind[0].kind == "ack" and behind[0].start - end <= ACK_REACH:
        if topic_asked(behind[0].data) is not topic:
            raise FrameError("ack", f"the acknowledgement is of register 0x{behind[0].data[2:4].hex()}, not of {topic}")
        return behind[0].data[0]
    rest = data[end : end + ACK_REACH].split(MARK)[0]
    if not behind and b"\x10\x16" in rest:
        raise FrameError("ack", f"what follows the frame, {rest.hex()}, is no acknowledgement with a right CRC")
    return None


def _values(topic: Topic, row: Row, identity: Identity) -> dict[str, object]:
    if topic is Topic.ABOUT:
        return {key: value if value != "" else None for key, value in asdict(identity).items()}
    values = row_values(row, columns_of(_FIELDS[topic]))
    if topic is Topic.STATUS:
        bits = int(row[Column.ALARM_BITS])
        values["alarms"] = [_alarm_name(bit) for bit in range(32) if bits >> bit & 1]
    return values


def _alarm_name(bit: int) -> str:
    return ALARM_NAMES[bit] if bit < len(ALARM_NAMES) else f"bit {bit}"
