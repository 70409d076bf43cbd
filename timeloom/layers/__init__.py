"""What turns cells into layers."""

from timeloom.layers.by_name import cell_named
from timeloom.layers.describe import describe, references
from timeloom.layers.doctor import Doctor
from timeloom.layers.drop_in import GRU, LSTM, RNN
from timeloom.layers.evaluating import evaluating
from timeloom.layers.inside import gates_over_time, gradient_flow, saturated, step_eigenvalues, watched_steps
from timeloom.layers.large_softmax import large_cross_entropy
from timeloom.layers.named import (
    IRNN,
    JANET,
    LSTM1997,
    MGU,
    SCRN,
    SLSTM,
    SRU,
    CfC,
    Clockwork,
    CoRNN,
    CoupledLSTM,
    Elman,
    GRUResetBefore,
    IndRNN,
    Jordan,
    LayerNormLSTM,
    LiGRU,
    MinGRU,
    MinLSTM,
    PeepholeLSTM,
)
from timeloom.layers.pooling import Pool, Pooling
from timeloom.layers.recurrent import Recurrent
from timeloom.layers.shared_linear import SharedLinear
from timeloom.layers.spelling import (
    ConvolutionalSpeller,
    RecurrentSpeller,
    Speller,
    Spelling,
    speller_of,
    spelt,
)
from timeloom.layers.states import detached

__all__ = [
    "GRU",
    "IRNN",
    "JANET",
    "LSTM",
    "LSTM1997",
    "MGU",
    "RNN",
    "SCRN",
    "SLSTM",
    "SRU",
    "CfC",
    "Clockwork",
    "CoRNN",
    "ConvolutionalSpeller",
    "CoupledLSTM",
    "Doctor",
    "Elman",
    "GRUResetBefore",
    "IndRNN",
    "Jordan",
    "LayerNormLSTM",
    "LiGRU",
    "MinGRU",
    "MinLSTM",
    "PeepholeLSTM",
    "Pool",
    "Pooling",
    "Recurrent",
    "RecurrentSpeller",
    "SharedLinear",
    "Speller",
    "Spelling",
    "cell_named",
    "describe",
    "detached",
    "evaluating",
    "gates_over_time",
    "gradient_flow",
    "large_cross_entropy",
    "references",
    "saturated",
    "speller_of",
    "spelt",
    "step_eigenvalues",
    "watched_steps",
]
