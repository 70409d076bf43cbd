"""Each cell as a layer: `GRUResetBefore(80, 256)` is `Recurrent(GRUResetBeforeCell(80, 256))`."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from timeloom import cells
from timeloom.core import UsageError
from timeloom.layers.recurrent import Recurrent
from timeloom.scan import Cell
from timeloom.scan.cell import check_size

OF_A_LAYER = set(inspect.signature(Recurrent.__init__).parameters) - {"self", "cell"}


class Layer(Recurrent):
    """A `Recurrent` over cells of one class.

    Args:
        input_size: Features of x.
        hidden_size: Units.
        num_layers: Layers, each reading what the one below it emits.
        options: Those of `Recurrent` (bidirectional, dropout, batch_first=True, zoneout, ...) and those of the cell.
    """

    cell_class: ClassVar[type[Cell]]

    def __init_subclass__(cls) -> None:
        """Have the cell's own words in the layer's help."""
        super().__init_subclass__()
        if "cell_class" in vars(cls):
            about = (
                "It takes the options of the cell and of `Recurrent`, is batch first, and its state is a tuple with "
            )
            about += f"a `{cls.cell_class.__name__}.State` for each layer and direction."
            cls.__doc__ = f"{cls.__doc__}\n\n{about}\n\n{inspect.cleandoc(cls.cell_class.__doc__ or '')}\n"

    def __init__(self, input_size: int, hidden_size: int, num_layers: int | None = None, **options: Any):
        name, kind = type(self).__name__, self.cell_class
        own = set(inspect.signature(kind.__init__).parameters) - {"self", "input_size", "hidden_size"}
        if unknown := sorted(set(options) - own - OF_A_LAYER):
            known = ", ".join(sorted(own | OF_A_LAYER))
            raise UsageError(f"{name}: there is no option {unknown[0]}; there are {known}")
        check_size(name, "input_size", input_size)
        check_size(name, "hidden_size", hidden_size)
        cell = kind(input_size, hidden_size, **{key: value for key, value in options.items() if key in own})
        super().__init__(cell, num_layers, **{key: value for key, value in options.items() if key in OF_A_LAYER})


class Elman(Layer):
    """A layer of `ElmanCell`."""

    cell_class = cells.ElmanCell


class IRNN(Layer):
    """A layer of `IRNNCell`."""

    cell_class = cells.IRNNCell


class Jordan(Layer):
    """A layer of `JordanCell`."""

    cell_class = cells.JordanCell


class Clockwork(Layer):
    """A layer of `ClockworkCell`."""

    cell_class = cells.ClockworkCell


class SCRN(Layer):
    """A layer of `SCRNCell`."""

    cell_class = cells.SCRNCell


class IndRNN(Layer):
    """A layer of `IndRNNCell`."""

    cell_class = cells.IndRNNCell


class CoRNN(Layer):
    """A layer of `CoRNNCell`."""

    cell_class = cells.CoRNNCell


class LSTM1997(Layer):
    """A layer of `LSTM1997Cell`."""

    cell_class = cells.LSTM1997Cell


class PeepholeLSTM(Layer):
    """A layer of `PeepholeLSTMCell`."""

    cell_class = cells.PeepholeLSTMCell


class CoupledLSTM(Layer):
    """A layer of `CoupledLSTMCell`."""

    cell_class = cells.CoupledLSTMCell


class LayerNormLSTM(Layer):
    """A layer of `LayerNormLSTMCell`."""

    cell_class = cells.LayerNormLSTMCell


class SLSTM(Layer):
    """A layer of `SLSTMCell`."""

    cell_class = cells.SLSTMCell


class JANET(Layer):
    """A layer of `JANETCell`."""

    cell_class = cells.JANETCell


class GRUResetBefore(Layer):
    """A layer of `GRUResetBeforeCell`."""

    cell_class = cells.GRUResetBeforeCell


class MGU(Layer):
    """A layer of `MGUCell`."""

    cell_class = cells.MGUCell


class LiGRU(Layer):
    """A layer of `LiGRUCell`."""

    cell_class = cells.LiGRUCell


class CfC(Layer):
    """A layer of `CfCCell`."""

    cell_class = cells.CfCCell


class MinGRU(Layer):
    """A layer of `MinGRUCell`."""

    cell_class = cells.MinGRUCell


class MinLSTM(Layer):
    """A layer of `MinLSTMCell`."""

    cell_class = cells.MinLSTMCell


class SRU(Layer):
    """A layer of `SRUCell`."""

    cell_class = cells.SRUCell
