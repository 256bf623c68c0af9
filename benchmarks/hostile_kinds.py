"""Files that cost far more than they seem to: a function of a folder writes one of each kind."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write_all(folder: Path) -> list[Path]:
    """Writes every kind into a folder, and returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {**png_kinds(), **jpeg_kinds(), **bmp_kinds(), **tiff_kinds()}
    for name, data in kinds.items():
        (folder / name).write_bytes(data)
    sparse = {
        "png_800_mb_sparse.png": sparse_png(),
        "bmp_147_mb_sparse.bmp": bmp(7000, 7000, 24, 0),
    }
    sparse["jpeg_of_64_pixels_and_867_mb.jpg"] = photo("JPEG", 8)
    sizes = (800_000_000, 54 + 7000 * 7000 * 3, 867_000_000)
    for (name, start), size in zip(sparse.items(), sizes, strict=True):
        with (folder / name).open("wb") as file:
            file.write(start)
            file.truncate(size)  # a hole, which takes no place on the disk
    return sorted(path for path in folder.iterdir())


def png_kinds() -> dict[str, bytes]:
    """Returns PNG files by name."""
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(7_900_000), 9))
    profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1_000_000_000), 1))
    frames = [Image.fromarray(stripes(64, seed)) for seed in range(2)]
    animation = io.BytesIO()
    frames[0].save(animation, "PNG", save_all=True, append_images=frames[1:] * 200)
    large = flat_png(7000, 7000, 8, 2)
    return {
        "png_100_mp_of_one_bit.png": flat_png(10_000, 10_000, 1, 0),
        "png_49_mp_of_one_bit.png": flat_png(7000, 7000, 1, 0),
        "png_49_mp_rgba.png": flat_png(7000, 7000, 8, 6),
        "png_24_mp_of_16_bits_interlaced.png": flat_png(4900, 4900, 16, 6, interlaced=True),
        "png_49_mp_turned.png": flat_png(7000, 7000, 8, 2, chunk(b"eXIf", exif(6))),
        "png_49_mp_cut_off.png": large[: len(large) // 2],
        "png_line_of_70000.png": flat_png(1, 70_000, 8, 2),
        "png_line_of_65000.png": flat_png(65_000, 1, 8, 2),
        "png_with_1_gb_behind_its_pixels.png": flat_png(128, 128, 8, 2, tail=1_000_000_000),
        "png_9_mp_with_20_gb_behind_its_pixels.png": png_with_a_tail(3000, 3000, 20_000),
        "png_9_mp_with_2_gb_behind_its_pixels.png": png_with_a_tail(3000, 3000, 2000),
        "png_4_mp_with_5_gb_of_noise_and_zeros.png": png_with_hidden_zeros(2000, 2000, 5400),
        "png_4_mp_with_noise_before_5_gb.png": png_with_hidden_zeros(2000, 2000, 4600, 3 * 10**6),
        "png_4_mp_as_slow_as_is_read.png": png_as_slow_as_is_read(2000, 2000),
        "png_9_mp_of_2000000_chunks.png": png_with_a_tail(3000, 3000, 0, empty_chunks=2_000_000),
        "png_of_100_text_bombs.png": flat_png(128, 128, 8, 2, text * 100),
        "png_of_16_text_bombs.png": flat_png(128, 128, 8, 2, text * 16),
        "png_of_a_profile_bomb.png": flat_png(128, 128, 8, 2, profile),
        "png_of_100000_chunks.png": flat_png(128, 128, 8, 2, chunk(b"teXt", b"") * 100_000),
        "png_animation.png": animation.getvalue(),
    }


def jpeg_kinds() -> dict[str, bytes]:
    """Returns JPEG files by name."""
    small = photo("JPEG", 64)
    smooth = Image.fromarray(stripes(128)).resize((6400, 6400), Image.Resampling.BILINEAR)
    cmyk, restarts = io.BytesIO(), io.BytesIO()
    smooth.convert("CMYK").save(cmyk, "JPEG", progressive=True, subsampling=0, quality=60)
    smooth.resize((2000, 2000)).save(restarts, "JPEG", restart_marker_blocks=1)
    directory = struct.pack("<H", 5000) + struct.pack("<HHII", 1, 4, 2**30, 0) * 5000
    huge, loop = b"II*\0" + struct.pack("<I", 8) + directory, exif(6)[:4] + struct.pack("<I", 4)
    return {
        "jpeg_claims_100_mp.jpg": progressive(10_000, 10_000, 2)[:2400] + b"\xff\xd9",
        "jpeg_claims_49_mp.jpg": progressive(7000, 7000, 2)[:2400] + b"\xff\xd9",
        "jpeg_49_mp_of_32_scans.jpg": progressive(7000, 7000, 32),
        "jpeg_49_mp_of_8000_scans.jpg": progressive(7000, 7000, 8000),
        "jpeg_12_mp_of_40000_scans.jpg": progressive(3500, 3500, 40_000),
        "jpeg_41_mp_cmyk_progressive.jpg": cmyk.getvalue(),
        "jpeg_41_mp_cut_off.jpg": cmyk.getvalue()[: len(cmyk.getvalue()) // 2],
        "jpeg_of_65000_segments.jpg": small[:2] + segment(0xFE, b"x") * 65_000 + small[2:],
        "jpeg_of_restart_markers.jpg": restarts.getvalue(),
        "jpeg_with_10_mb_of_fill.jpg": small[:-2] + b"\xff" * 10_000_000 + small[-2:],
        "jpeg_arithmetic.jpg": progressive(2000, 2000, 8, frame=0xCA),
        "jpeg_12_bits.jpg": progressive(2000, 2000, 8, bits=12),
        "jpeg_huge_exif.jpg": small[:2] + segment(0xE1, b"Exif\0\0" + huge) + small[2:],
        "jpeg_exif_loop.jpg": small[:2] + segment(0xE1, b"Exif\0\0" + loop) + small[2:],
    }


def bmp_kinds() -> dict[str, bytes]:
    """Returns BMP files by name."""
    return {
        "bmp_49_mp_of_32_bits.bmp": bmp(7000, 7000, 32, 0) + bytes(100),
        "bmp_negative_width.bmp": bmp(-7000, 7000, 24, 0) + bytes(100),
        "bmp_negative_height_cut_off.bmp": bmp(7000, -7000, 24, 0) + bytes(100),
        "bmp_run_lengths_49_mp.bmp": bmp(7000, 7000, 8, 1) + b"\xff\0" * 200_000,
        "bmp_run_lengths_1_mp.bmp": bmp(1000, 1000, 8, 1) + b"\x01\0" * 1_000_000,
        "bmp_run_lengths_of_nothing.bmp": bmp(1000, 1000, 8, 1) + b"\0\2\0\0" * 450_000,
    }


def tiff_kinds() -> dict[str, bytes]:
    """Returns TIFF files by name."""
    bomb = zlib.compress(bytes(1_000_000_000), 9)
    rgb = {258: 16, 277: 3, 262: 2, 259: 8}
    rows = zlib.compress(bytes(4900 * 4900 * 6), 9)
    many = progressive(2000, 2000, 8000)
    large = {322: 60_000, 323: 60_000, 324: 8, 325: 100}
    return {
        "tiff_strip_bomb.tif": tiff(128, 128, {**rgb}, bomb),
        "tiff_strip_bomb_8_bits.tif": tiff(128, 128, {**rgb, 258: 8}, bomb),
        "tiff_24_mp_of_16_bits.tif": tiff(4900, 4900, rgb, rows),
        "tiff_100_mp_of_8_bits.tif": tiff(10_000, 10_000, {**rgb, 258: 8}, bomb),
        "tiff_of_one_large_tile.tif": tiff(128, 128, {**rgb, 258: 8, **large}, bomb),
        "tiff_of_60000_strips_of_all_bytes.tif": tiff_of_strips(60_000, rows),
        "tiff_of_900_tags_of_4_gb.tif": tiff(
            128, 128, {**rgb, **{tag: (7, 2**32 - 1, 8) for tag in range(60_000, 60_900)}}, rows
        ),
        "tiff_directory_loop.tif": tiff(128, 128, rgb, rows, again=True),
        "tiff_jpeg_of_8000_scans.tif": tiff(2000, 2000, {258: 8, 277: 1, 262: 1, 259: 7}, many),
    }


def stripes(side, seed=0):
    """Returns uint8 (side, side, 3): stripes with noise."""
    rng = np.random.default_rng(seed)
    rows = 128 + 60 * np.sin(np.arange(side) / 3)[:, None, None]
    return np.clip(rows + rng.normal(0, 8, (side, side, 3)), 0, 255).astype("uint8")


def photo(kind, side=96, seed=0):
    """Returns the bytes of a harmless image."""
    file = io.BytesIO()
    Image.fromarray(stripes(side, seed)).save(file, kind)
    return file.getvalue()


def chunk(kind, content):
    """Returns a chunk of a PNG."""
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def flat_png(height, width, bits, colour, before=b"", tail=0, interlaced=False):
    """Returns a PNG of zeros; `tail` bytes follow in the stream behind the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    row = -(-width * bits * {0: 1, 2: 3, 6: 4}[colour] // 8)
    packer = zlib.compressobj(9)
    # Interlaced rows are shorter and more, with a byte before each.
    total = (row + 1) * height + interlaced * (height * 2) + tail
    stream = b"".join(packer.compress(bytes(min(2**24, total - i))) for i in range(0, total, 2**24))
    pixels = chunk(b"IDAT", stream + packer.flush())
    return PNG_SIGNATURE + chunk(b"IHDR", header) + before + pixels + chunk(b"IEND", b"")


def png_with_a_tail(height, width, megabytes, empty_chunks=0):
    """Returns a PNG of zeros whose stream goes on with more of them, and never ends."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer, more = zlib.compressobj(9), zlib.compressobj(9, zlib.DEFLATED, -15)
    # A full flush: what follows does not depend on what was before, and can be repeated.
    pixels = packer.compress(bytes((3 * width + 1) * height)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = more.compress(bytes(10**7)) + more.flush(zlib.Z_FULL_FLUSH)
    chunks = chunk(b"IDAT", pixels + again * (megabytes // 10)) + chunk(b"IDAT", b"") * empty_chunks
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunks + chunk(b"IEND", b"")


def png_with_hidden_zeros(height, width, megabytes, noise=0):
    """Returns a PNG of zeros, and of some noise, with 64 bytes of noise before 60,000 zeros each.

    The packed bytes behind the pixels look like pixels, and unpack to 500 times their size.
    """
    rng = np.random.default_rng(0)
    rows = np.zeros((height, 3 * width + 1), "uint8")
    rows[: noise // (3 * width), 1:] = rng.integers(0, 256, (noise // (3 * width), 3 * width))
    packer, more = zlib.compressobj(9), zlib.compressobj(9, zlib.DEFLATED, -15)
    pixels = packer.compress(rows.tobytes()) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = np.zeros((166, 60_064), "uint8")  # 10 MB
    tail[:, :64] = rng.integers(0, 256, (166, 64))
    again = more.compress(tail.tobytes()) + more.flush(zlib.Z_FULL_FLUSH)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = chunk(b"IDAT", pixels + again * (megabytes // 10))
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunks + chunk(b"IEND", b"")


def png_as_slow_as_is_read(height, width):
    """Returns a PNG of zeros that is as long as it may be, and ends in as many zeros as it may.

    All pixels but the last row come first, and then blocks of nothing, so that each start of the
    stream unpacks to nearly all pixels.
    """
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    row = 4 * width + 1
    packer, more = zlib.compressobj(9), zlib.compressobj(9, zlib.DEFLATED, -15)
    pixels = packer.compress(bytes(row * (height - 1))) + packer.flush(zlib.Z_FULL_FLUSH)
    again = more.compress(bytes(10**7)) + more.flush(zlib.Z_FULL_FLUSH)
    end = again * (780_000 // len(again))
    blocks = b"\0\0\0\xff\xff" * ((18_200_000 - len(pixels) - len(end)) // 5)
    chunks = chunk(b"IDAT", pixels + blocks + end)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunks + chunk(b"IEND", b"")


def sparse_png():
    """Returns the start of a PNG whose text of 790 MB is a hole in the file."""
    start = flat_png(128, 128, 8, 2)
    return start[:33] + struct.pack(">I", 790_000_000) + b"tEXt"


def segment(marker, content):
    """Returns a segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def exif(orientation):
    """Returns an Exif block with nothing but an orientation."""
    return b"II*\0" + struct.pack("<IHHHIII", 8, 1, 274, 3, 1, orientation, 0)


def progressive(height, width, num_scans, frame=0xC2, bits=8):
    """Returns a grey JPEG of one value in any number of scans."""
    blocks = -(-height // 8) * -(-width // 8)
    code = bytes([1] + [0] * 15)
    data = b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1] * 64))
    data += segment(frame, struct.pack(">BHHB", bits, height, width, 1) + bytes([1, 0x11, 0]))
    data += segment(0xC4, b"\0" + code + b"\0") + segment(0xC4, b"\x10" + code + b"\xe0")
    data += segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(-(-blocks // 8))
    # Runs of 32767 blocks without an edge: a bit 0, and 14 bits 1.
    run = bytes([0x7F, 0xFF, 0x00]) * (blocks // 16_384 + 1)
    scan = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + run.replace(b"\xff\x00", b"\xff\x00")
    return data + scan * (num_scans - 1) + b"\xff\xd9"


def bmp(width, height, bits, compression):
    """Returns the header of a BMP and, of 8 bits, its palette."""
    palette = bytes(1024) if bits == 8 else b""
    start = 54 + len(palette)
    size = start + abs(width * height) * bits // 8
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, start) + info + palette


def tiff(height, width, tags, strip, again=False):
    """Returns a TIFF of one strip; its directory follows itself with `again`."""
    content = b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip
    tags = {256: width, 257: height, 273: 8, 278: height, 279: len(strip), **tags}
    entries = [
        struct.pack("<HHII", tag, *(value if isinstance(value, tuple) else (4, 1, value)))
        for tag, value in sorted(tags.items())
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(entries)
    return content + directory + struct.pack("<I", (8 + len(strip)) * again)


def tiff_of_strips(count, strip):
    """Returns a TIFF of one row a strip; each strip is said to be the whole file."""
    arrays = struct.pack(f"<{2 * count}I", *[8] * count, *[len(strip)] * count)
    tags = {258: 8, 259: 8, 262: 1, 277: 1, 278: 1}
    tags |= {273: (4, count, 8 + len(strip)), 279: (4, count, 8 + len(strip) + 4 * count)}
    return tiff(count, 100, tags, strip + arrays)
