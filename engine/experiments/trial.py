"""One variant with one seed on one rung: learned or recalled, judged on validation rows, kept as a file."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.bundle import Bundle
from engine.decide import Runtime, decide_record
from engine.errors import InputError
from engine.experiments.cache import Cache, arrays_to_bytes, key_of, read_arrays
from engine.experiments.judge import judge
from engine.experiments.memory import embedding_key, model_shape, recall_or_learn
from engine.experiments.race import Rung
from engine.experiments.variants import Variant
from engine.files import write_whole
from engine.manifest import digest_of
from engine.references import REFERENCES
from engine.ruleparts import check_files, rule_parts
from engine.training.build import contents_of
from engine.training.prepare import Prepared, prepare
from engine.training.reuse import canonical_json
from engine.training.split import thinned

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.project import Project
    from engine.training.embed import Progress
    from rules.checked_rules import CheckedRules

RECORDS = 32
PASSES = 5
_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)  # of the bundles made here: only their digest is used


@dataclass(frozen=True)
class Trial:
    """What came out of one run.

    rows: by measure, one figure for each validation row. kinds: chosen, by classifier. refused: by
    classifier, the candidates that cannot be served, and why. digest: of the bundle, which a run on all rows
    gives alone; decides: the same without reference rows, which shape no outcome. seconds: of making the
    model, whenever that was; `spent_s` of these now. serve_us: of one record, microseconds.
    """

    rows: Mapping[str, np.ndarray] = field(repr=False)
    kinds: Mapping[str, str]
    refused: Mapping[str, Mapping[str, str]]
    digest: str
    decides: str
    model_bytes: int
    seconds: float
    spent_s: float
    serve_us: float
    epochs: int
    train_rows: int
    embedded_rows: int

    def to_bytes(self) -> bytes:
        """The trial as a file holds it."""
        about = {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("rows", "kinds")
        }
        told = json.dumps({**about, "kinds": dict(self.kinds)}).encode()
        return arrays_to_bytes({"about": np.frombuffer(told, np.uint8), **self.rows})

    @classmethod
    def read(cls, path: Path) -> Trial | None:
        """Read such a file; None where there is none, or a damaged one. Nothing is embedded by reading."""
        arrays = read_arrays(path)
        if arrays is None or "about" not in arrays:
            return None
        about = json.loads(arrays.pop("about").tobytes())
        return cls(rows=arrays, **{**about, "embedded_rows": 0})


class Workshop:
    """Runs trials of one experiment: reads rows once, checks rules once, and remembers what was learned.

    folder: where finished trials are kept. label: whose classifiers count.
    """

    def __init__(
        self,
        train: pa.Table,
        test: pa.Table | None,
        *,
        cache: Cache,
        folder: Path,
        label: str | None = None,
    ) -> None:
        self._train, self._test = train, test
        self._cache, self._folder, self._label = cache, folder, label
        self._prepared: dict[bytes, Prepared] = {}
        self._checked: dict[bytes, CheckedRules] = {}

    def prepared(self, project: Project) -> Prepared:
        """The rows of a project, read once for all that have its fields."""
        key = canonical_json([project.schema.to_json(), project.id])
        if key not in self._prepared:
            self._prepared[key] = prepare(project, self._train, self._test)
        return self._prepared[key]

    def checked(self, variant: Variant) -> CheckedRules:
        """The checked rules of a variant. Raises CheckFailed."""
        project = variant.project
        key = canonical_json(
            [
                project.schema.to_json(),
                list(project.scores),
                list(project.outcomes),
                project.event_time,
                _hashes(variant.rules),
            ]
        )
        if key not in self._checked:
            self._checked[key] = check_files(
                variant.rules,
                project.root,
                project.schema,
                project.scores,
                project.outcomes,
                project.event_time,
            )
        return self._checked[key]

    def embedding(self, variant: Variant, rung: Rung) -> str:
        """The key of a variant's embedding on a rung: variants that share it train it once."""
        prepared = self.prepared(variant.project)
        project, parts = self._on(variant.project, prepared, rung)
        return embedding_key(project, prepared.data, parts.parts, prepared.versions)

    def model(self, variant: Variant) -> str:
        """The key of a variant's model on all rows: those that share it differ in policy and rules."""
        prepared = self.prepared(variant.project)
        embedding = embedding_key(variant.project, prepared.data, prepared.parts, prepared.versions)
        return key_of(step="model", **model_shape(variant.project, embedding, early=False))

    def run(self, variant: Variant, rung: Rung, progress: Progress) -> Trial:
        """Run a trial, or give what it came to when it was run."""
        checked, prepared = self.checked(variant), self.prepared(variant.project)
        project, on_rung = self._on(variant.project, prepared, rung)
        embedding = embedding_key(project, prepared.data, on_rung.parts, prepared.versions)
        path = self._folder / f"{self._trial_key(project, checked, embedding, rung)}.npz"
        found = Trial.read(path)
        if found is not None:
            return found
        began = time.perf_counter()
        early = not rung.whole
        model = recall_or_learn(
            project, on_rung.rows, on_rung.parts, embedding, self._cache, progress, early=early
        )
        contents = contents_of(project, checked, model.parts)
        bundle = Bundle.create(contents, lineage={}, created=_MOMENT)
        runtime = Runtime.open(bundle, checked=checked)
        validation = on_rung.validation
        judged = judge(project, model.chosen, runtime, validation, self._label)
        trial = Trial(
            rows=judged.rows,
            kinds={name: one.kind for name, one in model.chosen.items()},
            refused={
                name: {one["kind"]: one["refused"] for one in ran if one["refused"]}
                for name, ran in model.report["candidates"].items()
            },
            digest=bundle.digest,
            decides=digest_of(
                {path: part for path, part in bundle.manifest.parts.items() if path != REFERENCES}
            ),
            model_bytes=sum(len(data) for data in model.parts.values()),
            seconds=model.seconds,
            spent_s=time.perf_counter() - began,
            serve_us=_serving_us(runtime, validation.fields) if rung.whole else 0.0,
            epochs=int(model.report["embedding"]["epochs"]),
            train_rows=len(on_rung.parts.train),
            embedded_rows=model.embedded_rows,
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, trial.to_bytes())
        self._cache.trim()
        return trial

    def bundle(self, variant: Variant) -> Bundle:
        """The bundle of a variant on all rows, from what is remembered of it."""
        checked, prepared = self.checked(variant), self.prepared(variant.project)
        embedding = embedding_key(variant.project, prepared.data, prepared.parts, prepared.versions)
        model = recall_or_learn(
            variant.project, prepared.rows, prepared.parts, embedding, self._cache, lambda _, __: None
        )
        return Bundle.create(contents_of(variant.project, checked, model.parts), lineage={}, created=_MOMENT)

    def _on(self, project: Project, prepared: Prepared, rung: Rung) -> tuple[Project, Prepared]:
        """The project and its rows as a rung has them."""
        if rung.whole:
            return project, prepared
        embedding = project.embedding
        shorter = replace(
            embedding,
            epochs=max(1, round(embedding.epochs * rung.epochs)),
            distil_steps=max(1, round(embedding.distil_steps * rung.epochs)),
        )
        strata = next(iter(prepared.rows.codes.values()))
        parts = thinned(prepared.parts, rung.rows, strata, project.split.seed)
        return replace(project, embedding=shorter), replace(prepared, parts=parts)

    def _trial_key(self, project: Project, checked: CheckedRules, embedding: str, rung: Rung) -> str:
        value = project.evaluation.value
        return key_of(
            step="trial",
            holds=list(Trial.__dataclass_fields__),
            **model_shape(project, embedding, early=not rung.whole),
            outcomes=list(project.outcomes),
            policy=project.policy.to_json(),
            rules=_hashes(rule_parts(checked)),
            value=None if value is None else value.text,
            label=self._label,
        )


def same_rows(base: Prepared, other: Prepared, name: str) -> None:
    """Refuse a variant that is judged on other rows. Raises InputError."""
    if base.rows.rows != other.rows.rows or not np.array_equal(base.parts.validation, other.parts.validation):
        raise InputError(
            f"variant '{name}' reads {other.rows.rows:,} rows where the project reads {base.rows.rows:,}: "
            "variants are compared on the same rows; leave the change of 'fields' out"
        )


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def _serving_us(runtime: Runtime, fields: pa.RecordBatch) -> float:
    """One decision, in microseconds: the quickest of a few passes over a few records."""
    records = fields.slice(0, RECORDS).to_pylist()
    times = []
    for _ in range(PASSES):
        began = time.perf_counter()
        for record in records:
            decide_record(runtime, record, now=_MOMENT)
        times.append((time.perf_counter() - began) / len(records))
    return min(times) * 1e6
