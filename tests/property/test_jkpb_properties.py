"""What holds for JK PB whatever the line brings and whatever a pack measures."""

from __future__ import annotations

from contextlib import suppress
from struct import calcsize, unpack_from

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.bms.fields import Field
from packbank.bms.jkpb import JkPb
from packbank.bms.jkpb_fields import SETTINGS, STATUS, settings_layout, status_layout
from packbank.bms.jkpb_frames import MARK, REGISTERS
from packbank.bms.protocol import Row, Topic
from packbank.cext.framing import FRAME_SIZE, Scanner, acknowledgement, request, seal
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column
from packbank.model.identity import Identity

ADDRESSES = st.integers(1, 15)
TOPICS = st.sampled_from(list(Topic))
RAW = {"u8": (0, 0xFF), "i8": (-0x80, 0x7F), "u16": (0, 0xFFFF), "i16": (-0x8000, 0x7FFF)}
RAW |= {"u32": (0, 0xFFFF_FFFF), "i32": (-0x8000_0000, 0x7FFF_FFFF)}
CODES = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i"}


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from([1, 2, 3, 5]))
    frame = bytearray(MARK + bytes([kind]) + draw(st.binary(min_size=295, max_size=295)))
    if MARK in frame[1:]:
        frame[5:] = bytes(295)
    seal(frame)
    return bytes(frame)


@st.composite
def pieces(draw: st.DrawFn) -> bytes:
    """Something a line may bring: a whole unit, a piece of one, one with an error, noise."""
    frame = draw(frames())
    address, register = draw(st.integers(0, 15)), draw(st.sampled_from(sorted(REGISTERS.values())))
    unit = draw(
        st.sampled_from([frame, request(address, register), acknowledgement(address, register)])
        | st.just(frame + acknowledgement(address, register))
    )
    what = draw(st.integers(0, 3))
    if what == 0:
        return unit
    if what == 1:
        return unit[: draw(st.integers(0, len(unit)))]
    if what == 2:
        broken = bytearray(unit)
        broken[draw(st.integers(0, len(unit) - 1))] ^= 1 << draw(st.integers(0, 7))
        return bytes(broken)
    return draw(st.binary(max_size=40) | st.sampled_from([b"\x55", MARK[:3], MARK]))


STREAMS = st.lists(pieces(), max_size=8).map(b"".join)


@st.composite
def chunked(draw: st.DrawFn) -> list[bytes]:
    stream = draw(STREAMS)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@given(chunked())
@settings(max_examples=300, deadline=None)
def test_any_bytes_in_any_chunks_give_frames_or_a_frame_error_never_anything_else_never_unbounded_memory(
    chunks: list[bytes],
) -> None:
    exchange, ear, scanner = JkPb().exchange("status", 3), JkPb().overhear(), Scanner()
    row = np.full(COLUMNS, np.nan)
    complete = False
    for chunk in chunks:
        scanner.feed(chunk)
        assert scanner.held < FRAME_SIZE
        ear.feed(chunk, 0.0)
        complete = exchange.feed(chunk) if chunk else complete
    if not complete:
        exchange.feed(b"")
    assert all(isinstance(error, FrameError) for error in (*exchange.rejected, *ear.rejected))
    if complete:
        JkPb().decode(exchange.address, exchange.question, exchange.answer, row, Identity())
        with suppress(FrameError):
            JkPb().check(row, np.full(COLUMNS, np.nan))
    JkPb().describe(b"".join(chunks))


@given(chunked())
@settings(max_examples=200, deadline=None)
def test_chunks_do_not_matter(chunks: list[bytes]) -> None:
    whole, cut = Scanner(), Scanner()
    stream = b"".join(chunks)
    assert whole.feed(stream) + whole.flush() == [u for chunk in chunks for u in cut.feed(chunk)] + cut.flush()
    one, many = JkPb().exchange("status", 3), JkPb().exchange("status", 3)
    if stream:
        one.feed(stream)
    for chunk in filter(None, chunks):
        many.feed(chunk)
    assert many.feed(b"\xff") == one.feed(b"\xff")  # one byte more may settle what is still open
    assert [error.reason for error in one.rejected] == [error.reason for error in many.rejected]


@given(STREAMS, TOPICS, ADDRESSES)
@settings(deadline=None)
def test_what_scans_as_a_unit_stands_in_the_stream_and_checks(stream: bytes, topic: Topic, address: int) -> None:
    end = 0
    for unit in Scanner().feed(stream):
        assert stream[unit.start : unit.start + len(unit.data)] == unit.data
        if unit.kind == "frame":
            assert sum(unit.data[:-1]) & 0xFF == unit.data[-1]
            assert unit.data.startswith(MARK)
        if unit.kind != "bad":
            assert unit.start >= end
            end = unit.start + len(unit.data)


@given(frames(), TOPICS, ADDRESSES, st.integers(0, 15))
@settings(deadline=None)
def test_only_its_own_acknowledgement_makes_a_frame_an_answer(
    frame: bytes, topic: Topic, address: int, acknowledger: int
) -> None:
    kinds = {1: Topic.SETTINGS, 2: Topic.STATUS, 3: Topic.ABOUT}
    for acknowledged in Topic:
        exchange = JkPb().exchange(topic.value, address)
        complete = exchange.feed(frame + acknowledgement(acknowledger, REGISTERS[acknowledged]))
        assert complete == (acknowledger == address and acknowledged is topic and kinds.get(frame[4]) is topic)


def _values(draw: st.DrawFn, table: tuple[Field, ...]) -> Row:
    """A row that the table can hold exactly; it skips rows whose column another one has already given."""
    row = np.full(COLUMNS, np.nan)
    for field in table:
        low, high = RAW[field.kind]
        for column in range(field.column, field.column + field.count):
            raw = draw(st.integers(0 if field.sign is not None else low, high))
            gone = field.present is not None and draw(st.booleans())
            if not gone and raw != field.absent:
                row[column] = (raw + field.shift) / round(1 / field.scale)
                if field.sign is not None:
                    row[column] = np.copysign(row[column], row[field.sign])
    return row


@st.composite
def status_rows(draw: st.DrawFn) -> Row:
    row = _values(draw, STATUS)
    row[CELL_VOLTAGES.stop : 2 * CELL_VOLTAGES.stop][np.isnan(row[CELL_VOLTAGES])] = np.nan
    row[CELL_VOLTAGES][np.isnan(row[CELL_VOLTAGES.stop : 2 * CELL_VOLTAGES.stop])] = np.nan
    return row


@given(status_rows())
@settings(max_examples=50, deadline=None)
def test_a_status_row_survives_encoding(row: Row) -> None:
    again = np.full(COLUMNS, np.nan)
    status_layout().decode_into(status_layout().encode_from(row), again)
    columns = sorted({c for f in STATUS for c in range(f.column, f.column + f.count)})
    np.testing.assert_array_equal(again[columns], row[columns])


@st.composite
def settings_rows(draw: st.DrawFn) -> Row:
    row = _values(draw, SETTINGS)
    heater, alarm = [Column.HEATING_START, Column.HEATING_STOP], [Column.BATTERY_OTA, Column.BATTERY_OTA_RECOVERY]
    gone, there = draw(st.permutations([heater, alarm]))
    row[gone] = np.nan
    row[there] = [draw(st.integers(-128, 127)) for _ in there]
    return row


@given(settings_rows())
@settings(max_examples=50, deadline=None)
def test_a_settings_row_survives_encoding(row: Row) -> None:
    again = np.full(COLUMNS, np.nan)
    settings_layout().decode_into(settings_layout().encode_from(row), again)
    np.testing.assert_array_equal(again, row)


@given(frames())
@settings(max_examples=100, deadline=None)
def test_decoding_agrees_with_struct(frame: bytes) -> None:
    for table, layout in ((STATUS, status_layout()), (SETTINGS, settings_layout())):
        row = np.full(COLUMNS, np.nan)
        layout.decode_into(frame, row)
        for field in table:
            for k in range(field.count):
                code = "<" + CODES[field.kind]
                (raw,) = unpack_from(code, frame, field.offset + k * calcsize(code))
                value = row[field.column + k]
                if field.present is not None:
                    bit = field.present.bit + k
                    if frame[field.present.offset + bit // 8] >> bit % 8 & 1 != field.present.when:
                        assert np.isnan(value)
                        continue
                if raw == field.absent:
                    assert np.isnan(value)
                    continue
                expected = raw / round(1 / field.scale)
                assert value == (np.copysign(expected, row[field.sign]) if field.sign is not None else expected)


@given(frames(), st.binary(max_size=30), st.integers(0, 329))
@settings(deadline=None)
def test_concealing_shows_whole_units_and_nothing_else(frame: bytes, noise: bytes, cut: int) -> None:
    stream = (noise + frame)[:cut]
    shown = JkPb().conceal(stream)
    units = [unit for unit in Scanner().feed(stream) if unit.kind != "bad"]
    allowed = {at for unit in units for at in range(unit.start, unit.start + len(unit.data))}
    assert len(shown) == len(stream)
    assert {(u.kind, u.start) for u in Scanner().feed(shown)} <= {(u.kind, u.start) for u in units}
    assert not any(byte for at, byte in enumerate(shown) if at not in allowed)
