"""An encoder of the user's: a text → a vector, by an ONNX graph that reads word pieces, as it came.

Texts go through one at a time, each filled up to the same number of places: a text has the same vector
alone and among others, bit for bit, whatever the graph is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from embeddings.errors import EncodingError, OutputError
from embeddings.wordpiece import WordPieces

POOLS = ("mean", "first")
NUMBERS, MASK, KINDS = "input_ids", "attention_mask", "token_type_ids"
MOST_WIDTH = 4_096
MOST_TOKENS = 512
_MOST_REMEMBERED = 4_096
_PREFIX = re.compile(r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ")


@dataclass(frozen=True, eq=False)
class TextModel:
    """`onnx` and `vocabulary` are the files' bytes; `output` names the graph's output.

    Where that gives a vector for each piece, `(1, tokens, width)`, `pool` makes one of them: the mean over
    the text's own pieces, or the first.
    """

    onnx: bytes = field(repr=False)
    vocabulary: bytes = field(repr=False)
    tokens: int
    output: str
    lower: bool = True
    pool: str = "mean"

    def __post_init__(self) -> None:
        object.__setattr__(self, "_remembered", {})

    def vector(self, text: str) -> np.ndarray:
        """Give a text's vector `(width,)` float32; all NaN where the graph gives what is no number.

        Raises `EncodingError` where the graph does not run, or gives no vector.
        """
        remembered: dict[str, np.ndarray] = self._remembered  # type: ignore[attr-defined]
        found = remembered.get(text)
        if found is None:
            found = self._run(self._pieces.numbers(text, self.tokens))
            found.setflags(write=False)
            if len(remembered) >= _MOST_REMEMBERED:
                remembered.clear()
            remembered[text] = found
        return found

    def check_vocabulary(self) -> None:
        """Read the vocabulary. Raises `EncodingError` where it is none."""
        _ = self._pieces

    def check(self) -> int:
        """Try the graph on no text and on the last piece of the vocabulary; give the vectors' dimensions.

        Raises `EncodingError` where it does not run on both, or gives them other dimensions.
        """
        last = len(self._pieces.pieces) - 1
        widths = {len(self._run([last] * 3)), len(self.vector("")), len(self._run([last] * self.tokens))}
        if len(widths) > 1:
            raise EncodingError("its vectors differ in length from text to text")
        return widths.pop()

    def check_steady(self) -> None:
        """Run the graph twice, and once more opened anew.

        Raises `EncodingError` where a text's bits differ: one digest would decide differently.
        """
        last = len(self._pieces.pieces) - 1
        tried = ([last] * 3, self._pieces.numbers("", self.tokens))
        runs = (self._run, self._run, replace(self)._run)  # noqa: SLF001 — the same model, opened anew
        made = [[run(numbers).tobytes() for numbers in tried] for run in runs]
        if made[0] != made[1] or made[0] != made[2]:
            raise EncodingError("its vectors differ from run to run")

    @cached_property
    def _pieces(self) -> WordPieces:
        return WordPieces.read(self.vocabulary, lower=self.lower)

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(self.onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no base but this
            raise EncodingError(f"onnxruntime refuses it: {_first_line(error)}") from None
        names = [one.name for one in session.get_inputs()]
        if NUMBERS not in names or not set(names) <= {NUMBERS, MASK, KINDS}:
            raise EncodingError(
                f"its inputs are {', '.join(names)}; an encoder of word pieces takes {NUMBERS}, and maybe "
                f"{MASK} and {KINDS}, each int64 (texts, pieces)"
            )
        for one in session.get_inputs():
            self._check_input(one)
        outputs = [one.name for one in session.get_outputs()]
        if self.output not in outputs:
            raise OutputError(f"it has no output '{self.output}'; there are {', '.join(outputs)}")
        return session

    def _check_input(self, given: Any) -> None:
        """Refuse what no array of `(1, tokens)` int64 fits: onnxruntime says so in words of its own."""
        if given.type != "tensor(int64)":
            raise EncodingError(
                f"input {given.name} is {given.type}; an encoder of word pieces takes tensor(int64)"
            )
        shape = [side if isinstance(side, int) else None for side in given.shape]
        if not shape:  # it does not say
            return
        if len(shape) != 2 or shape[0] not in (None, 1):
            raise EncodingError(f"input {given.name} takes {given.shape}, and not (texts, pieces)")
        if shape[1] not in (None, self.tokens):
            raise EncodingError(
                f"input {given.name} takes {shape[1]} pieces and no other number; say 'tokens: {shape[1]}'"
            )

    def _run(self, numbers: list[int]) -> np.ndarray:
        filled = np.full((1, self.tokens), self._pieces.padding, np.int64)
        filled[0, : len(numbers)] = numbers
        mask = np.zeros((1, self.tokens), np.int64)
        mask[0, : len(numbers)] = 1
        session = self._session
        given = {NUMBERS: filled, MASK: mask, KINDS: np.zeros_like(mask)}
        feed = {one.name: given[one.name] for one in session.get_inputs()}
        try:
            made = np.asarray(session.run([self.output], feed)[0])
        except Exception as error:
            raise EncodingError(f"it does not run: {_first_line(error)}") from None
        if made.dtype.kind != "f" or made.ndim not in (2, 3) or made.shape[0] != 1:
            shape = " x ".join(map(str, made.shape))
            raise OutputError(
                f"output '{self.output}' gives {shape} {made.dtype} for one text, and no vector"
            )
        if made.ndim == 3:
            pieces = made[0, : len(numbers)].astype(np.float64)
            made = (pieces.mean(axis=0) if self.pool == "mean" else pieces[0])[None]
        vector = made[0].astype(np.float32)
        if not 1 <= len(vector) <= MOST_WIDTH:
            raise EncodingError(f"a vector of {len(vector)} dimensions; from 1 to {MOST_WIDTH} are allowed")
        return vector if np.isfinite(vector).all() else np.full(len(vector), np.nan, np.float32)


def _first_line(error: Exception) -> str:
    said = (str(error) or type(error).__name__).splitlines()[0]
    return _PREFIX.sub("", said)[:300]
