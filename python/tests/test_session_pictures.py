"""Pictures: matplotlib's figures and PIL's images."""

import base64
import struct

import pytest
from test_session_host import Host

pytest.importorskip("matplotlib")


def size(data):
    """Width and height of a PNG."""
    content = base64.b64decode(data["image/png"])
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">II", content[16:24])


def test_figures_left_open_are_shown_and_closed():
    with Host() as host:
        result = host.run(
            "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\nplt.figure(figsize=(2, 1))\nprint('x')\n7"
        )
        assert [size(data) for data in result.displays] == [(640, 480), (200, 100)]
        assert result.plain == "7"
        assert result.err == ""
        assert host.run("plt.get_fignums()").plain == "[]"
        assert host.run("1").displays == []


def test_a_figure_as_the_value_is_shown_once():
    with Host() as host:
        result = host.run("import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nfig")
        assert size(result.data) == (640, 480)
        assert result.displays == []
        result = host.run("ax.plot([1, 2])\nfig")
        assert size(result.data) == (640, 480)


def test_show_shows_at_its_place():
    with Host() as host:
        code = "from matplotlib.pyplot import plot, show\nplot([1]); print('before'); show(); print('after')"
        result = host.run(code)
        assert result.kinds == ["stream", "display", "stream", "done"]
        assert result.err == ""
        result = host.run("import matplotlib; matplotlib.use('Agg'); plot([1]); show(block=False); display(5)")
        assert len(result.displays) == 2 and result.err == ""


def test_figures_are_shown_after_an_error():
    with Host() as host:
        result = host.run("import matplotlib.pyplot as plt\nplt.plot([1])\n1 / 0")
        assert result.status == "error"
        assert len(result.displays) == 1


def test_a_figure_that_cannot_be_drawn_is_reported():
    with Host() as host:
        result = host.run("import matplotlib.pyplot as plt\n_ = plt.title('$\\\\broken$')\n5")
        assert result.plain == "5"
        assert "Figure 1 cannot be drawn:" in result.err
        assert host.run("plt.get_fignums()").plain == "[]"


def test_matplot_lines_of_glues_kernel():
    with Host() as host:
        result = host.run("import matplotlib.pyplot as plt\nplt.bar([1], [2])\n%matplot plt")
        assert len(result.displays) == 1
        assert result.data is None


def test_pandas_plots():
    with Host() as host:
        result = host.run("import pandas as pd\nax = pd.Series([1, 2]).plot()")
        assert len(result.displays) == 1


def test_images():
    with Host() as host:
        result = host.run("from PIL import Image\nImage.new('RGB', (30, 20), 'red')")
        assert size(result.data) == (30, 20)
        assert set(result.data) == {"text/plain", "image/png"}
        assert [size(d) for d in host.run("display(Image.new('L', (5, 6)))").displays] == [(5, 6)]


def test_subprocesses_draw_without_a_screen():
    with Host() as host:
        code = (
            "import subprocess, sys\ndraw = 'import matplotlib.pyplot as p; p.plot([1]); print(p.get_backend())'\n"
            "subprocess.run([sys.executable, '-c', draw], "
            "capture_output=True, text=True).stdout.strip().lower()"
        )
        assert host.run(code).plain == "'agg'"
