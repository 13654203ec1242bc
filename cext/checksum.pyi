"""Checksums of the BMS protocols over any bytes-like object."""

from typing_extensions import Buffer

def crc16_modbus(data: Buffer, /) -> int:
    """CRC-16/MODBUS: polynomial 0x8005 reflected, initial 0xFFFF, sent low byte first."""

def sum8(data: Buffer, /) -> int:
    """Sum of all bytes, 8 bits: JK PB frames, Daly."""

def sum16(data: Buffer, /) -> int:
    """Sum of all bytes, 16 bits: JK 4E57."""

def sum_xor8(data: Buffer, /) -> int:
    """Sum of all bytes xor the xor of all bytes, 8 bits: EG4 LifePower."""
