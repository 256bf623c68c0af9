import subprocess
import sys

from kerasad import memory

PRINT_PEAK = "import runpy, sys; print(runpy.run_path(sys.argv[1])['peak_memory_mb']())"


def peak_of_a_child():
    command = [sys.executable, "-c", PRINT_PEAK, memory.__file__]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_the_peak_grows_with_what_was_held_and_stays_when_it_is_freed():
    before = memory.peak_memory_mb()
    held = b"x" * (64 * 2**20 + int(before * 2**20))
    after = memory.peak_memory_mb()
    assert after >= before + 64
    del held
    assert memory.peak_memory_mb() >= after - 1  # the system counts pages in batches


def test_the_peak_of_a_process_is_its_own_and_not_of_the_one_that_started_it():
    # This process has imported TensorFlow; the child imports nothing.
    assert memory.peak_memory_mb() > 200
    assert peak_of_a_child() < 100
