"""The networks of one public table and seed: a plain tower, an ensemble, and the tower that this teaches."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import torch

from benchmarks.kept import kept
from benchmarks.public import Case, case
from embeddings.body import START_STEPS, paired_gain, teach
from embeddings.derived import INPUT, Derived, fit_derived, with_derived
from embeddings.distil import distil
from embeddings.encode import Encoding
from embeddings.fit import fit_encoding
from embeddings.network import Network
from embeddings.rows import Rows
from embeddings.spec import Spec
from embeddings.train import Trained, fit, judge, prepared, seeded
from engine.training.embed import slots_of

_MODULES = "body course derived design distil encode ensemble fields fit network rows spec tokens train words"
_SHAPE_A_LOSS = (
    *(f"embeddings/{name}.py" for name in _MODULES.split()),
    *("engine/training/rows.py", "engine/training/split.py", "engine/training/targets.py"),
    *("benchmarks/public.py", "benchmarks/taught.py"),
)


@dataclass(frozen=True)
class Losses:
    """Of one table and seed, on test rows, in nats: the three networks' losses and what the paired
    differences to the plain tower are known by; last, whether `body: auto` would take the taught tower.
    """

    plain: float
    teacher: float
    student: float
    teacher_error: float
    student_error: float
    taken: bool


@dataclass(frozen=True)
class Given:
    """What the networks of one table and seed learn from, and its test rows."""

    spec: Spec
    encoding: Encoding
    derived: Derived | None
    classes: dict[str, int]
    rows: Rows
    validation: Rows
    test: Rows

    def tower(self, spec: Spec) -> Trained:
        """The tower that the labels teach."""
        network = Network(spec, self.encoding, self.classes, self.derived)
        return fit(spec, network, self.rows, self.validation, None)

    def teacher(self, spec: Spec) -> Trained:
        """The ensemble."""
        return teach(spec, self.encoding, self.classes, self.derived, self.rows, self.validation, None)

    def student(self, plain: Trained, teacher: Trained) -> Trained:
        """The plain tower, when the ensemble has taught it further."""
        spec = replace(self.spec, distil_steps=min(START_STEPS, self.spec.distil_steps))
        return distil(
            spec,
            self.encoding,
            self.classes,
            self.derived,
            teacher.network,
            self.rows,
            self.validation,
            None,
            start=plain.network,
        )


def losses(name: str, seed: int) -> Losses:
    """Train the three networks, or read what came of it before."""

    def make() -> dict[str, Any]:
        began = time.perf_counter()
        found = trained(given(case(name, seed)))
        seconds = time.perf_counter() - began
        print(f"{name} seed {seed}: {found} in {seconds:.0f} s", file=sys.stderr, flush=True)
        return asdict(found)

    return Losses(**kept("distil", f"{name}-{seed}", _SHAPE_A_LOSS, make))


def given(of: Case) -> Given:
    """Encode a table's rows as a fit does."""
    training, validating, testing = (
        of.rows.take(at) for at in (of.parts.train, of.parts.validation, of.parts.test)
    )
    spec = replace(of.project.embedding, slots=slots_of(of.project)).sized(len(of.parts.train))
    encoding = fit_encoding(spec, pa.Table.from_batches([training.fields]))
    inputs = encoding.batch(training.fields)
    derived, own = fit_derived(spec, encoding, inputs, training.codes) or (None, None)
    rows, validation, classes = prepared(
        spec,
        inputs if own is None else {**inputs, INPUT: own},
        training.codes,
        with_derived(encoding.batch(validating.fields), derived),
        validating.codes,
    )
    test = Rows.of(with_derived(encoding.batch(testing.fields), derived), testing.codes, "test")
    return Given(spec, encoding, derived, classes, rows, validation, test)


def trained(of: Given) -> Losses:
    """Train all three and judge them on test rows."""
    with seeded(of.spec.seed, torch.device("cpu")):
        plain = of.tower(of.spec)
        teacher = of.teacher(of.spec)
        student = of.student(plain, teacher)
        gain, error = paired_gain(plain.network, teacher.network, of.validation)
        return Losses(
            *(judge(one.network, of.test) for one in (plain, teacher, student)),
            *(paired_gain(plain.network, one.network, of.test)[1] for one in (teacher, student)),
            gain > error,
        )
