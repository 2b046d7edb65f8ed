"""The runtime: one bundle, opened for deciding; nothing of it ever changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engine.bundle import Bundle
from engine.errors import BundleError, InputError
from engine.manifest import ENCODERS, MODEL
from engine.model import ENCODING, SCORES, Model
from engine.reasons import ReasonCodes, read_reasons
from engine.references import REFERENCES
from engine.schema import Schema
from engine.values import plain_value
from rules.checked_rules import CheckedRules
from rules.errors import RulesError
from rules.expression import CheckedExpression, Name, walk
from rules.policy import Policy
from rules.restore import restore_rules
from rules.ruleset import RuleSet

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "schema.json"
POLICY_PART = "policy.json"
EXPRESSIONS = "expressions.json"
MODEL_PARTS = (MODEL, ENCODING, SCORES, SCHEMA)


@dataclass(frozen=True, eq=False)
class Runtime:
    """What decides: the schema, the model, the policy and the rules of one bundle. Safe to share."""

    bundle: Bundle
    schema: Schema
    outcomes: tuple[str, ...]
    id_column: str | None
    model: Model
    policy: Policy
    rules: RuleSet
    score_variables: tuple[str, ...]
    no_scores: Mapping[str, None]
    reasons: Mapping[str, ReasonCodes]

    @classmethod
    def open(
        cls, bundle: Bundle, *, checked: CheckedRules | None = None, like: Runtime | None = None
    ) -> Runtime:
        """Open a bundle for deciding.

        `checked` are its rules where they have just been checked. The model of `like` is used again where it
        is the same, as after a rule edit. Raises BundleError naming the part that cannot be used.
        """
        schema, outcomes, id_column = _read_schema(bundle)
        if like is not None and _same_model(bundle, like.bundle):
            model = like.model
        else:
            model = Model.open(bundle.parts, schema)
        types = {variable.name: variable.type for variable in schema.variables()}
        rules = checked or _restore_rules(bundle, model.scores, outcomes, types)
        return cls(
            bundle=bundle,
            schema=schema,
            outcomes=outcomes,
            id_column=id_column,
            model=model,
            policy=_restore_policy(bundle, model.scores, outcomes, types),
            rules=RuleSet.compile(rules),
            score_variables=tuple(f"scores.{name}" for name in model.scores),
            no_scores=dict.fromkeys(model.scores),
            reasons=read_reasons(bundle, model.classifiers),
        )

    @cached_property
    def outcome_names(self) -> pa.Array:
        """The outcomes as a column, for codes to be taken from."""
        # Made when first asked for: pa.array imports pandas where there is one, and one record needs neither.
        import pyarrow as pa

        return pa.array(self.outcomes, pa.string())

    @property
    def digest(self) -> str:
        """The digest of the bundle: what every decision names."""
        return self.bundle.digest


def identity(value: Any) -> str | None:
    """Write a record's id as text: text as it is, a whole number in digits; a missing one stays missing.

    So does one that no text can hold (half a surrogate pair, 5,000 digits): it is no reason not to decide.
    """
    if value is None or (type(value) is str and value.isascii()):
        return value
    try:
        value = plain_value(value)
        if value is None:
            return None
        text = str(int(value) if isinstance(value, float) and value.is_integer() else value)
        text.encode()
    except Exception:  # whatever a value of any class may raise when it is asked for its text
        return None
    return text


def _read_schema(bundle: Bundle) -> tuple[Schema, tuple[str, ...], str | None]:
    described = bundle.json(SCHEMA)
    if not isinstance(described, dict):
        raise BundleError("no JSON object", part=SCHEMA)
    outcomes, id_column = described.get("outcomes"), described.get("id")
    if not isinstance(outcomes, list) or not outcomes or not all(isinstance(name, str) for name in outcomes):
        raise BundleError("states no list of outcomes", part=SCHEMA)
    if id_column is not None and not isinstance(id_column, str):
        raise BundleError("the id is no column's name", part=SCHEMA)
    try:
        schema = Schema.from_json(described.get("fields"))
    except InputError as error:
        raise BundleError(str(error), part=SCHEMA) from None
    event_time = described.get("event_time")
    times = [field.name for field in schema.fields if field.type == "timestamp"]
    if event_time is not None and event_time not in times:
        raise BundleError("the event's time is no timestamp field", part=SCHEMA)
    return schema, tuple(outcomes), id_column


def _restore_rules(
    bundle: Bundle, scores: Sequence[str], outcomes: Sequence[str], types: Mapping[str, str]
) -> CheckedRules:
    try:
        rules = restore_rules(
            bundle.folder("rules/"),
            bundle.folder("lists/"),
            bundle.json(EXPRESSIONS),
            scores=scores,
            outcomes=outcomes,
        )
    except RulesError as error:
        raise BundleError(str(error), part=EXPRESSIONS) from None
    later = {**types, **dict.fromkeys((f"scores.{name}" for name in scores), "double"), "proposed": "string"}
    for rule in rules.rules:
        known = types if rule.rule.stage == "before" else later
        for expression in rule.expressions:
            _check_names(expression, known, EXPRESSIONS)
    for table in rules.tables:
        for one in table.reads:
            _check_names(one, types if table.table.stage == "before" else later, EXPRESSIONS)
    return rules


def _restore_policy(
    bundle: Bundle, scores: Sequence[str], outcomes: Sequence[str], types: Mapping[str, str]
) -> Policy:
    try:
        policy = Policy.restore(bundle.json(POLICY_PART))
    except RulesError as error:
        raise BundleError(str(error), part=POLICY_PART) from None
    if policy.outcomes != tuple(outcomes):
        raise BundleError("its outcomes are not those of schema.json", part=POLICY_PART)
    for condition in policy.conditions:
        known = {**types, **dict.fromkeys((f"scores.{name}" for name in scores), "double")}
        _check_names(condition, known, POLICY_PART)
    return policy


def _check_names(condition: CheckedExpression, types: Mapping[str, str], part: str) -> None:
    """Refuse an expression checked against other fields than these: it would fail, or lie, while deciding."""
    for node in walk(condition.node):
        if isinstance(node, Name) and types.get(node.name) != node.type:
            found = types.get(node.name, "nothing")
            message = f"{condition.text!r} needs '{node.name}' as {node.type}; here it is {found}"
            raise BundleError(message, part=part)


def _same_model(bundle: Bundle, other: Bundle) -> bool:
    ours, theirs = bundle.manifest.parts, other.manifest.parts
    if (REFERENCES in ours) != (REFERENCES in theirs):
        return False
    encoders = {part for part in {*ours, *theirs} if part.startswith(ENCODERS)}
    if not encoders <= set(ours) & set(theirs):
        return False
    shared = (*MODEL_PARTS, *({REFERENCES} & set(ours)), *encoders)
    return all(ours[part].sha256 == theirs[part].sha256 for part in shared)
