"""Timeloom: recurrent sequence learning.

Write one step of a recurrence, get the whole time loop; train, evaluate and ship sequence models with one command each.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timeloom.cells import CfCCell as CfCCell
    from timeloom.cells import ClockworkCell as ClockworkCell
    from timeloom.cells import CoRNNCell as CoRNNCell
    from timeloom.cells import CoupledLSTMCell as CoupledLSTMCell
    from timeloom.cells import ElmanCell as ElmanCell
    from timeloom.cells import GRUCell as GRUCell
    from timeloom.cells import GRUResetBeforeCell as GRUResetBeforeCell
    from timeloom.cells import IndRNNCell as IndRNNCell
    from timeloom.cells import IRNNCell as IRNNCell
    from timeloom.cells import JANETCell as JANETCell
    from timeloom.cells import JordanCell as JordanCell
    from timeloom.cells import LayerNormLSTMCell as LayerNormLSTMCell
    from timeloom.cells import LiGRUCell as LiGRUCell
    from timeloom.cells import LSTM1997Cell as LSTM1997Cell
    from timeloom.cells import LSTMCell as LSTMCell
    from timeloom.cells import MGUCell as MGUCell
    from timeloom.cells import MinGRUCell as MinGRUCell
    from timeloom.cells import MinLSTMCell as MinLSTMCell
    from timeloom.cells import PeepholeLSTMCell as PeepholeLSTMCell
    from timeloom.cells import SCRNCell as SCRNCell
    from timeloom.cells import SLSTMCell as SLSTMCell
    from timeloom.cells import SRUCell as SRUCell
    from timeloom.cells import initialise as initialise
    from timeloom.core import Padded as Padded
    from timeloom.core import TimeloomError as TimeloomError
    from timeloom.layers import GRU as GRU
    from timeloom.layers import IRNN as IRNN
    from timeloom.layers import JANET as JANET
    from timeloom.layers import LSTM as LSTM
    from timeloom.layers import LSTM1997 as LSTM1997
    from timeloom.layers import MGU as MGU
    from timeloom.layers import RNN as RNN
    from timeloom.layers import SCRN as SCRN
    from timeloom.layers import SLSTM as SLSTM
    from timeloom.layers import SRU as SRU
    from timeloom.layers import CfC as CfC
    from timeloom.layers import Clockwork as Clockwork
    from timeloom.layers import CoRNN as CoRNN
    from timeloom.layers import CoupledLSTM as CoupledLSTM
    from timeloom.layers import Elman as Elman
    from timeloom.layers import GRUResetBefore as GRUResetBefore
    from timeloom.layers import IndRNN as IndRNN
    from timeloom.layers import Jordan as Jordan
    from timeloom.layers import LayerNormLSTM as LayerNormLSTM
    from timeloom.layers import LiGRU as LiGRU
    from timeloom.layers import MinGRU as MinGRU
    from timeloom.layers import MinLSTM as MinLSTM
    from timeloom.layers import PeepholeLSTM as PeepholeLSTM
    from timeloom.layers import Recurrent as Recurrent
    from timeloom.layers import describe as describe
    from timeloom.layers import references as references
    from timeloom.scan import Cell as Cell
    from timeloom.tasks import load as load

__version__ = "0.1.0"

ROOMS = {
    "Cell": "timeloom.scan",
    "CfC": "timeloom.layers",
    "CfCCell": "timeloom.cells",
    "Clockwork": "timeloom.layers",
    "ClockworkCell": "timeloom.cells",
    "CoRNN": "timeloom.layers",
    "CoRNNCell": "timeloom.cells",
    "CoupledLSTM": "timeloom.layers",
    "CoupledLSTMCell": "timeloom.cells",
    "Elman": "timeloom.layers",
    "ElmanCell": "timeloom.cells",
    "GRU": "timeloom.layers",
    "GRUCell": "timeloom.cells",
    "GRUResetBefore": "timeloom.layers",
    "GRUResetBeforeCell": "timeloom.cells",
    "IRNN": "timeloom.layers",
    "IRNNCell": "timeloom.cells",
    "IndRNN": "timeloom.layers",
    "IndRNNCell": "timeloom.cells",
    "JANET": "timeloom.layers",
    "JANETCell": "timeloom.cells",
    "Jordan": "timeloom.layers",
    "JordanCell": "timeloom.cells",
    "LSTM": "timeloom.layers",
    "LSTM1997": "timeloom.layers",
    "LSTM1997Cell": "timeloom.cells",
    "LSTMCell": "timeloom.cells",
    "LayerNormLSTM": "timeloom.layers",
    "LayerNormLSTMCell": "timeloom.cells",
    "LiGRU": "timeloom.layers",
    "LiGRUCell": "timeloom.cells",
    "MGU": "timeloom.layers",
    "MGUCell": "timeloom.cells",
    "MinGRU": "timeloom.layers",
    "MinGRUCell": "timeloom.cells",
    "MinLSTM": "timeloom.layers",
    "MinLSTMCell": "timeloom.cells",
    "Padded": "timeloom.core",
    "PeepholeLSTM": "timeloom.layers",
    "PeepholeLSTMCell": "timeloom.cells",
    "RNN": "timeloom.layers",
    "Recurrent": "timeloom.layers",
    "SCRN": "timeloom.layers",
    "SCRNCell": "timeloom.cells",
    "SLSTM": "timeloom.layers",
    "SLSTMCell": "timeloom.cells",
    "SRU": "timeloom.layers",
    "SRUCell": "timeloom.cells",
    "TimeloomError": "timeloom.core",
    "describe": "timeloom.layers",
    "initialise": "timeloom.cells",
    "load": "timeloom.tasks",
    "references": "timeloom.layers",
}


__all__ = sorted(ROOMS)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    # Each name brings its room when it is first asked for: the command line answers before torch is loaded, and
    # whoever wants only a layer does not wait for what training needs.
    if name in ("cells", "layers", "scan"):
        return import_module(f"timeloom.{name}")
    if name in ROOMS:
        return getattr(import_module(ROOMS[name]), name)
    raise AttributeError(f"module 'timeloom' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, "cells", "layers", "scan", *(name for name in globals() if name.startswith("__"))})
