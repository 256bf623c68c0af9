import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch_writing as writing
from torch_writing import ORDERED_DICT, REBUILD, Call, Name, pickled

from kerasad.backbones import torch_file
from kerasad.backbones.torch_file import read_torch_tensors
from kerasad.errors import InputError

GENERATOR = np.random.default_rng(0)
ARRAYS = {
    "conv.weight": GENERATOR.normal(size=(2, 3, 4, 5)).astype("float32"),
    "bn.bias": GENERATOR.normal(size=7).astype("float32"),
}
FORMATS = ["zip", "sequential"]


def content_of(format_, values, storages, **options):
    make = writing.zip_content if format_ == "zip" else writing.sequential_content
    return make(values, storages, **options)


def arrays_content(format_, arrays, **options):
    values = writing.described(arrays, sequential=format_ == "sequential")
    return content_of(format_, values, writing.numbers(arrays), **options)


@pytest.fixture
def read(tmp_path):
    """Writes bytes to a file and reads them as tensors, with the right digest."""

    def read(content):
        path = tmp_path / "file.pth"
        return read_torch_tensors(path, sha256=writing.write(path, content))

    return read


def check_same(tensors, arrays):
    assert list(tensors) == list(arrays)
    for name, array in arrays.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array, strict=True)


@pytest.mark.parametrize("format_", FORMATS)
def test_both_formats_give_back_what_was_written(read, format_):
    check_same(read(arrays_content(format_, ARRAYS)), ARRAYS)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("dtype", writing.STORAGES)
def test_every_type_of_number_is_kept(read, format_, dtype):
    arrays = {"x": (GENERATOR.random((3, 2)) * 100).astype(dtype), "one": np.array(1, dtype)}
    options = {"itemsize": np.dtype(dtype).itemsize} if format_ == "sequential" else {}
    check_same(read(arrays_content(format_, arrays, **options)), arrays)


@pytest.mark.parametrize("format_", FORMATS)
def test_tensors_may_be_views_of_one_storage(read, format_):
    array = np.arange(24, dtype="float32")
    where = writing.stored(array, "0", sequential=format_ == "sequential")
    values = {
        "transposed": Call(REBUILD, (where, 0, (6, 4), (1, 6), False, Call(ORDERED_DICT, ()))),
        "rest": Call(REBUILD, (where, 20, (4,), (1,), False, Call(ORDERED_DICT, ()))),
        "empty": Call(REBUILD, (where, 0, (0, 9), (9, 1), False, Call(ORDERED_DICT, ()))),
    }
    tensors = read(content_of(format_, values, {"0": array.tobytes()}))
    np.testing.assert_array_equal(tensors["transposed"], array.reshape(4, 6).T)
    np.testing.assert_array_equal(tensors["rest"], array[20:])
    assert tensors["empty"].shape == (0, 9)


def test_tensors_cannot_be_written_to(read):
    with pytest.raises(ValueError, match="read-only"):
        read(arrays_content("sequential", ARRAYS))["bn.bias"][0] = 1


def test_parameters_and_the_older_ways_of_writing_are_read_as_tensors(read):
    array = ARRAYS["bn.bias"]
    where = writing.stored(array, "0", sequential=True)
    old = Call(Name("torch._utils", "_rebuild_tensor"), (where, 0, (7,), (1,)))
    parameter = Name("torch.nn.parameter", "Parameter")
    rebuilt = Name("torch._utils", "_rebuild_parameter")
    pairs = [
        ["old", old],
        ["new", Call(parameter, (old,), new=True, state=(True, False, Call(ORDERED_DICT, ())))],
        ["rebuilt", Call(rebuilt, (old, True, Call(ORDERED_DICT, ())))],
    ]
    values = Call(ORDERED_DICT, (pairs,), state={"_metadata": Call(ORDERED_DICT, ())})
    content = writing.sequential_content(values, {"0": array.tobytes()})
    check_same(read(content), {"old": array, "new": array, "rebuilt": array})


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("format_", [*FORMATS, "bare"])
@pytest.mark.parametrize("protocol", range(6))
def test_a_command_in_a_pickle_is_refused_by_name_and_never_runs(read, tmp_path, format_, protocol):
    marker = tmp_path / "it_ran"
    payload = pickle.dumps(Evil(marker), protocol)
    content = payload if format_ == "bare" else content_of(format_, payload, {})
    with pytest.raises(InputError, match=rf"`{os.name}\.system`"):
        read(content)
    assert not marker.exists()
    pickle.loads(payload)
    assert marker.exists(), "the payload would not have run anywhere"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("torch", "load"),
        ("torch.storage", "_load_from_bytes"),
        ("kerasad.backbones.tensor_pickle", "_tensor"),
    ],
)
def test_globals_beyond_the_few_of_tensors_are_refused_by_name(read, module, name):
    with pytest.raises(InputError, match=rf"`{module}\.{name}`"):
        read(writing.zip_content({"x": Call(Name(module, name), ())}, {}))


@pytest.mark.parametrize(
    "values",
    [
        Call(Name("torch", "FloatStorage"), (10,)),
        Call(ORDERED_DICT, (1, 2, 3)),
        Call(ORDERED_DICT, ("ab",)),
        Call(Call(ORDERED_DICT, ()), ()),
        Call(REBUILD, (3, 0, (1,), (1,), False)),
        Call(Name("torch.nn.parameter", "Parameter"), (3,), new=True),
        [1, 2],
        {"x": 3},
        {"x": {"y": 3}},
        {3: 4},
        Name("torch", "FloatStorage"),
        writing.Stored(("module", Name("torch", "FloatStorage"), "0", "cpu", 1)),
        writing.Stored(("storage", "torch.FloatStorage", "0", "cpu", 1)),
    ],
)
def test_pickles_of_other_things_than_named_tensors_are_refused(read, values):
    with pytest.raises(InputError, match=r"cannot be read as a PyTorch file of tensors: it"):
        read(writing.zip_content(values, {}))


def test_a_pickle_cannot_change_the_functions_that_it_names(read):
    # The state of a function would become its attributes: `__defaults__` first of all.
    state = (None, {"__defaults__": (1,)})
    values = pickled(REBUILD)[:-1] + pickled(state)[2:-1] + b"b."
    with pytest.raises(InputError, match="in the wrong place"):
        read(writing.zip_content(values, {}))


def test_a_deeply_nested_key_is_refused_before_it_is_hashed(read):
    key = b")" + b"\x85" * 100_000
    with pytest.raises(InputError, match="a tuple in the wrong place"):
        read(writing.zip_content(b"\x80\x02}" + key + b"K\x00s.", {}))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (8,), (1,)),
        (1, (7,), (1,)),
        (0, (4,), (3,)),
        (2**41, (1,), (1,)),
        (-1, (2,), (1,)),
        (0, (-2,), (1,)),
        (6, (2,), (-1,)),
        (0, (10**6, 10**6), (0, 0)),
        (0, (2,), (1, 1)),
        (0, (1,) * 60, (1,) * 60),
        (0, (True,), (1,)),
    ],
)
def test_tensors_that_leave_their_storage_are_refused(read, format_, offset, shape, strides):
    array = np.zeros(7, "float32")
    where = writing.stored(array, "0", sequential=format_ == "sequential")
    values = {"x": Call(REBUILD, (where, offset, shape, strides, False, None))}
    with pytest.raises(InputError, match="describes a tensor"):
        read(content_of(format_, values, {"0": array.tobytes()}))


@pytest.mark.parametrize("format_", FORMATS)
def test_a_storage_of_another_size_than_described_is_refused(read, format_):
    values = writing.described(ARRAYS, sequential=format_ == "sequential")
    storages = writing.numbers(ARRAYS)
    for key, changed in [("1", storages["1"][:-4]), ("0", storages["0"] + bytes(4))]:
        with pytest.raises(InputError, match=r"in another size|ends too early"):
            read(content_of(format_, values, {**storages, key: changed}))


@pytest.mark.parametrize("format_", FORMATS)
def test_a_storage_that_is_not_there_is_refused(read, format_):
    values = writing.described(ARRAYS, sequential=format_ == "sequential")
    with pytest.raises(InputError, match=r"lacks|does not fit"):
        read(content_of(format_, values, {"0": writing.numbers(ARRAYS)["0"]}))


def test_numbers_of_no_tensor_are_refused(read):
    storages = {**writing.numbers(ARRAYS), "extra": bytes(8)}
    with pytest.raises(InputError, match="belong to no tensor"):
        read(writing.sequential_content(writing.described(ARRAYS, sequential=True), storages))


def test_one_storage_described_in_two_ways_is_refused(read):
    arrays = {"x": np.zeros(4, "float32"), "y": np.zeros(4, "int32")}
    values = {name: writing.tensor(array, "0") for name, array in arrays.items()}
    with pytest.raises(InputError, match="in two ways"):
        read(writing.zip_content(values, {"0": bytes(16)}))


@pytest.mark.parametrize("format_", FORMATS)
def test_big_endian_files_are_refused(read, format_):
    options = {"order": b"big"} if format_ == "zip" else {"little_endian": False}
    with pytest.raises(InputError, match="big-endian"):
        read(arrays_content(format_, ARRAYS, **options))


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_cut_off_anywhere_is_refused(read, format_):
    content = arrays_content(format_, ARRAYS)
    for length in [*range(0, len(content), 37), len(content) - 1]:
        with pytest.raises(InputError, match="file of tensors"):
            read(content[:length])


@pytest.mark.filterwarnings("ignore:invalid escape")
@pytest.mark.parametrize("format_", FORMATS)
def test_damaged_files_are_read_or_refused_in_one_sentence(read, format_):
    content = arrays_content(format_, {name: array[:1] for name, array in ARRAYS.items()})
    generator, refused = np.random.default_rng(1), 0
    for _ in range(600):
        damaged = bytearray(content)
        for position in generator.integers(0, len(content), generator.integers(1, 4)):
            damaged[position] = generator.integers(256)
        try:
            read(bytes(damaged))
        except InputError:
            refused += 1
    assert refused > 200


def test_a_compressed_archive_is_refused_before_it_unfolds(read):
    bomb = {"x": np.zeros(10_000_000, "float32")}
    content = arrays_content("zip", bomb, compression=zipfile.ZIP_DEFLATED)
    assert len(content) < 100_000
    with pytest.raises(InputError, match="compressed"):
        read(content)


def test_an_archive_that_counts_the_same_bytes_many_times_is_refused(read):
    file = io.BytesIO(arrays_content("zip", ARRAYS))
    with zipfile.ZipFile(file, "a") as archive:
        largest = archive.getinfo("archive/data/0")
        for index in range(50):
            again = zipfile.ZipInfo(f"archive/data/again{index}")
            for attribute in ("file_size", "compress_size", "CRC", "header_offset"):
                setattr(again, attribute, getattr(largest, attribute))
            archive.filelist.append(again)
        archive.writestr("archive/last", b"")
    with pytest.raises(InputError, match="larger than the file"):
        read(file.getvalue())


def test_an_archive_with_two_entries_of_one_name_is_refused(read):
    file = io.BytesIO(arrays_content("zip", ARRAYS))
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("archive/data/0", b"")
    with pytest.raises(InputError, match="two entries"):
        read(file.getvalue())


def test_the_digest_is_compared_before_anything_is_interpreted(tmp_path, monkeypatch):
    path = tmp_path / "file.pth"
    digest = writing.write(path, arrays_content("zip", ARRAYS))
    check_same(read_torch_tensors(path, sha256=["0" * 64, digest]), ARRAYS)

    def fail(*_):
        raise AssertionError("it was interpreted")

    monkeypatch.setattr(torch_file, "_read_zip", fail)
    with pytest.raises(InputError, match=rf"its sha256 is {digest}, and should be {'0' * 64}"):
        read_torch_tensors(path, sha256="0" * 64)


@pytest.mark.parametrize("digest", ["", "5c106c", "12345678", "F" * 64, "g" * 64, "0" * 63])
def test_a_digest_is_whole_or_a_published_prefix(tmp_path, digest):
    path = tmp_path / "file.pth"
    writing.write(path, arrays_content("zip", ARRAYS))
    with pytest.raises(InputError, match="64 lower-case hexadecimal digits"):
        read_torch_tensors(path, sha256=digest)


def test_a_published_prefix_is_enough(tmp_path):
    path = tmp_path / "file.pth"
    digest = writing.write(path, arrays_content("zip", ARRAYS))
    with pytest.raises(InputError, match="not the expected file"):
        read_torch_tensors(path, sha256=torch_file.TORCHVISION_RESNET18)
    prefix = digest[:8]
    check_same(read_torch_tensors(path, sha256=prefix, prefixes=(prefix,)), ARRAYS)


def test_paths_that_hold_no_such_file_are_named(tmp_path):
    for path in (tmp_path, tmp_path / "absent.pth"):
        with pytest.raises(InputError, match=f"{path.name} is not a file"):
            read_torch_tensors(path, sha256="0" * 64)
    path = tmp_path / "large.pth"
    path.write_bytes(bytes(101))
    with pytest.raises(InputError, match=r"large.pth is larger"):
        read_torch_tensors(path, sha256="0" * 64, max_bytes=100)
