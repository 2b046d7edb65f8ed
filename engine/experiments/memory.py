"""A memory for fits that outlives them: embeddings, candidates and whole models, kept by what shaped them.

A key is over the data, the row numbers, the parts of the project that enter the step, and the versions of
the libraries. A new kind of classifier finds the embedding there; a new rule or threshold finds the model.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from engine.errors import OutputError
from engine.experiments.cache import Cache, key_of
from engine.experiments.courses import Courses, Note
from engine.project.encoders import encoder_identity

if TYPE_CHECKING:
    from engine.project import Project
    from engine.training.build import Learner
    from engine.training.candidate import Candidate
    from engine.training.embed import Progress
    from engine.training.learn import EmbeddedReport
    from engine.training.prepare import Prepared
    from engine.training.rows import Labelled
    from engine.training.split import Parts

Arrays = Mapping[str, np.ndarray]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Chosen:
    """The classifier that was chosen for a place: what it says of validation rows with a label.

    losses: cross-fitted, `(n,)` float64. margins: `(n, margins)` float64, before calibration.
    """

    kind: str
    losses: np.ndarray = field(repr=False)
    margins: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Recollection:
    """A learned model: its parts, the report, what was chosen; and what it cost to make.

    `embedded_rows` were run through a network for it now; `seconds` are of its making, whenever that was.
    """

    parts: Mapping[str, bytes]
    report: Mapping[str, Any]
    chosen: Mapping[str, Chosen]
    embedded_rows: int
    seconds: float


def embedding_key(
    project: Project, data: Mapping[str, str], parts: Parts, versions: Mapping[str, str]
) -> str:
    """The key of an embedding of these training and validation rows."""
    return key_of(
        step="embedding",
        data=dict(data),
        rows=[hashlib.sha256(rows.tobytes()).hexdigest() for rows in (parts.train, parts.validation)],
        fields=project.schema.to_json(),
        id=project.id,
        labels=[
            [name, label.column, label.positive, list(label.classes), label.weight]
            for name, label in project.labels.items()
        ],
        embedding=project.embedding.to_mapping(),
        encoders=encoder_identity(project),
        slots=[slot.name for slot in project.embedding.slots],
        libraries=dict(versions),
    )


def model_shape(project: Project, embedding: str, *, early: bool) -> dict[str, Any]:
    """What a model on an embedding, given by its key, hangs on."""
    return {
        "early": early,
        "references": project.data.references,
        "embedding": embedding,
        "seed": project.split.seed,
        "classifiers": [
            [name, spec.label, spec.written_candidates(), list(spec.scores)]
            for name, spec in project.classifiers.items()
        ],
    }


def recall_or_learn(
    project: Project,
    rows: Labelled,
    parts: Parts,
    embedding: str,
    cache: Cache,
    progress: Progress,
    *,
    early: bool = False,
    note: Note = lambda _: None,
) -> Recollection:
    """The model of a project on these rows, from the cache as far as that goes; the same bytes either way.

    `embedding` is the key of its embedding. An `early` model is of a part of the rows: it takes the best of
    its classifiers, not the simplest that is as good. `note` hears where a training that was cut off goes on.
    """
    key = key_of(step="model", **model_shape(project, embedding, early=early))
    found = cache.get(key)
    if found is not None:
        return _read(found)
    # torch and scikit-learn take seconds to import, and a new rule needs neither.
    from engine.training.choose import choose, choose_best
    from engine.training.learn import learn

    began = time.perf_counter()
    rows_embedded = len(parts.train) + len(parts.validation)
    remembering = _Remembering(cache, embedding, project.split.seed, rows_embedded, note)
    learned = learn(project, rows, parts, progress, remembering, choose_best if early else choose)
    seconds = time.perf_counter() - began + remembering.saved_seconds
    chosen = {
        name: Chosen(choice.chosen.kind, choice.chosen.losses, choice.chosen.margins)
        for name, choice in learned.choices.items()
    }
    made = Recollection(learned.parts, learned.report, chosen, remembering.embedded_rows, seconds)
    cache.put(key, _written(made))
    return made


def remembering_learner(cache: Cache, note: Note) -> Learner:
    """What learns the model of a fit with this cache: a fit that was killed goes on where it was."""
    spare = _Spare(cache, note)

    def learned(
        project: Project, prepared: Prepared, progress: Progress
    ) -> tuple[Mapping[str, bytes], Mapping[str, Any]]:
        embedding = embedding_key(project, prepared.data, prepared.parts, prepared.versions)
        made = recall_or_learn(project, prepared.rows, prepared.parts, embedding, spare, progress, note=note)
        with suppress(OSError):
            spare.trim()
        return made.parts, made.report

    return learned


class _Spare(Cache):
    """The cache of a fit, which is there to save time: where nothing can be kept the fit goes on without."""

    def __init__(self, cache: Cache, note: Note) -> None:
        super().__init__(cache.root, most=cache.most)
        self._note, self._told = note, False

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep arrays under a key, or say once why not."""
        try:
            super().put(key, arrays)
        except (OSError, OutputError) as error:
            if not self._told:
                self._note(f"nothing is kept for a fit that is cut off: {error}")
            self._told = True

    def remove(self, key: str) -> None:
        """Keep nothing under a key, as far as that can be had."""
        with suppress(OSError):
            super().remove(key)


class _Remembering:
    """The memory of one fit; it notes what was made anew and what that saved."""

    def __init__(self, cache: Cache, embedding: str, seed: int, rows: int, note: Note) -> None:
        self._cache, self._embedding, self._seed, self._rows = cache, embedding, seed, rows
        self.keeper = Courses(cache, embedding, note)
        self.embedded_rows = 0
        self.saved_seconds = 0.0

    def embedded(self, make: Callable[[], EmbeddedReport]) -> EmbeddedReport:
        from engine.experiments.written import embedded_to_arrays, read_embedded

        made, fresh = self._kept(self._embedding, make, embedded_to_arrays, read_embedded)
        self.keeper.clear()
        self.embedded_rows += self._rows if fresh else 0
        return made

    def candidate(self, label: str, kind: str, make: Callable[[], Candidate]) -> Candidate:
        from engine.experiments.written import candidate_to_arrays, read_candidate

        key = key_of(step="candidate", embedding=self._embedding, label=label, kind=kind, seed=self._seed)
        made, _ = self._kept(key, make, candidate_to_arrays, read_candidate)
        return made

    def references(self, count: int | None, make: Callable[[], dict[str, bytes]]) -> dict[str, bytes]:
        from engine.experiments.written import parts_to_arrays, read_parts

        key = key_of(step="references", embedding=self._embedding, count=count, seed=self._seed)
        made, _ = self._kept(key, make, parts_to_arrays, read_parts)
        return made

    def _kept(
        self,
        key: str,
        make: Callable[[], Made],
        write: Callable[[Made], Arrays],
        read: Callable[[Arrays], Made],
    ) -> tuple[Made, bool]:
        """What is kept, or made and kept; and whether it was made now."""
        found = self._cache.get(key)
        if found is not None:
            self.saved_seconds += float(found["seconds"][0])
            return read(found), False
        began = time.perf_counter()
        made = make()
        seconds = np.array([time.perf_counter() - began])
        self._cache.put(key, {**write(made), "seconds": seconds})
        return made, True


def _written(made: Recollection) -> dict[str, np.ndarray]:
    from engine.experiments.written import bytes_array, text_array

    about = {
        "report": dict(made.report),
        "parts": list(made.parts),
        "kinds": {name: one.kind for name, one in made.chosen.items()},
        "seconds": made.seconds,
    }
    arrays = {"about": text_array(about)}
    for place, data in enumerate(made.parts.values()):
        arrays[f"part.{place}"] = bytes_array(data)
    for place, one in enumerate(made.chosen.values()):
        arrays |= {f"losses.{place}": one.losses, f"margins.{place}": one.margins}
    return arrays


def _read(arrays: Arrays) -> Recollection:
    import json

    about = json.loads(arrays["about"].tobytes())
    parts = {name: arrays[f"part.{place}"].tobytes() for place, name in enumerate(about["parts"])}
    chosen = {
        name: Chosen(kind, arrays[f"losses.{place}"], arrays[f"margins.{place}"])
        for place, (name, kind) in enumerate(about["kinds"].items())
    }
    return Recollection(parts, about["report"], chosen, 0, about["seconds"])
