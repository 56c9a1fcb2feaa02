"""Commands run in this process, each with its own flags alone; and small files for them."""

import importlib
import sys

import av
import numpy as np
import pytest
import scipy.io.wavfile
from absl import flags

from v2a_jax.bin.main import launch

BIN = "v2a_jax.bin."
COMMANDS = (BIN, "launch.")


def take_flags():
    """Removes all commands' flags, for two commands may name a flag alike; what was removed."""
    values, taken = flags.FLAGS, {}
    for name in list(values):
        module = values.find_module_defining_flag(name) or ""
        if module.startswith(COMMANDS) or name.startswith("config."):
            taken[name] = module, values[name]
    for name in taken:
        delattr(values, name)
    return taken


@pytest.fixture
def v2a(monkeypatch, capfd):
    """v2a(command, *arguments) -> exit status and the lines of stderr; `output` has stdout's."""
    before = take_flags()

    def run(command, *arguments):
        take_flags()
        # The second is what ml_collections loads a --config file into, over what is there.
        for name in (BIN + command, "config_config"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        module = importlib.import_module(BIN + command)
        argv = [f"v2a {command}", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", argv)  # where ml_collections looks for --config.field
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            launch(module.run)
        shown = capfd.readouterr()
        run.output = shown.out.splitlines()
        return ended.value.code, shown.err.splitlines()

    yield run
    take_flags()
    for name, (module, flag) in before.items():
        flags.FLAGS[name] = flag
        flags.FLAGS.register_flag_by_module(module, flag)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A silent video of 15 frames at 25 a second."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for k in range(15):
            picture = np.full((32, 32, 3), 10 * k, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        output.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def rattle():
    """rattle(seconds) -> float32[N,C]: ten bursts of noise a second, different in each channel."""

    def make(seconds, rate=16000, channels=1):
        time = np.arange(round(seconds * rate)) / rate
        noise = np.random.default_rng(0).standard_normal((len(time), channels))
        return (0.1 * np.exp(-20 * (time % 0.1))[:, None] * noise).astype(np.float32)

    return make


@pytest.fixture
def sound(tmp_path, rattle):
    """sound(name, ..) writes a rattle as a WAV file and returns its path."""

    def write(name="in.wav", *, seconds=4.0, rate=16000, channels=1):
        path = tmp_path / name
        scipy.io.wavfile.write(path, rate, rattle(seconds, rate, channels))
        return path

    return write
