"""One recurrence per file."""

from typing import Literal

from timeloom.cells.cfc import CfCCell
from timeloom.cells.clockwork import ClockworkCell
from timeloom.cells.cornn import CoRNNCell
from timeloom.cells.coupled_lstm import CoupledLSTMCell
from timeloom.cells.elman import ElmanCell
from timeloom.cells.gru import GRUCell
from timeloom.cells.gru_reset_before import GRUResetBeforeCell
from timeloom.cells.indrnn import IndRNNCell
from timeloom.cells.initial import initialise
from timeloom.cells.irnn import IRNNCell
from timeloom.cells.janet import JANETCell
from timeloom.cells.jordan import JordanCell
from timeloom.cells.layer_norm_lstm import LayerNormLSTMCell
from timeloom.cells.ligru import LiGRUCell
from timeloom.cells.lstm import LSTMCell
from timeloom.cells.lstm1997 import LSTM1997Cell
from timeloom.cells.mgu import MGUCell
from timeloom.cells.min_gru import MinGRUCell
from timeloom.cells.min_lstm import MinLSTMCell
from timeloom.cells.peephole_lstm import PeepholeLSTMCell
from timeloom.cells.scrn import SCRNCell
from timeloom.cells.slstm import SLSTMCell
from timeloom.cells.sru import SRUCell
from timeloom.scan import Cell

# By the names that the command line has for them.
CellName = Literal[
    "elman",
    "irnn",
    "jordan",
    "clockwork",
    "scrn",
    "indrnn",
    "cornn",
    "lstm",
    "lstm1997",
    "peephole-lstm",
    "coupled-lstm",
    "layer-norm-lstm",
    "slstm",
    "janet",
    "gru",
    "gru-reset-before",
    "mgu",
    "ligru",
    "cfc",
    "min-gru",
    "min-lstm",
    "sru",
]
CELLS: dict[str, type[Cell]] = {
    "elman": ElmanCell,
    "irnn": IRNNCell,
    "jordan": JordanCell,
    "clockwork": ClockworkCell,
    "scrn": SCRNCell,
    "indrnn": IndRNNCell,
    "cornn": CoRNNCell,
    "lstm": LSTMCell,
    "lstm1997": LSTM1997Cell,
    "peephole-lstm": PeepholeLSTMCell,
    "coupled-lstm": CoupledLSTMCell,
    "layer-norm-lstm": LayerNormLSTMCell,
    "slstm": SLSTMCell,
    "janet": JANETCell,
    "gru": GRUCell,
    "gru-reset-before": GRUResetBeforeCell,
    "mgu": MGUCell,
    "ligru": LiGRUCell,
    "cfc": CfCCell,
    "min-gru": MinGRUCell,
    "min-lstm": MinLSTMCell,
    "sru": SRUCell,
}

__all__ = [
    "CELLS",
    "CellName",
    "CfCCell",
    "ClockworkCell",
    "CoRNNCell",
    "CoupledLSTMCell",
    "ElmanCell",
    "GRUCell",
    "GRUResetBeforeCell",
    "IRNNCell",
    "IndRNNCell",
    "JANETCell",
    "JordanCell",
    "LSTM1997Cell",
    "LSTMCell",
    "LayerNormLSTMCell",
    "LiGRUCell",
    "MGUCell",
    "MinGRUCell",
    "MinLSTMCell",
    "PeepholeLSTMCell",
    "SCRNCell",
    "SLSTMCell",
    "SRUCell",
    "initialise",
]
