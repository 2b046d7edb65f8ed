"""What serving imports is what the packages say it imports, seen in a fresh process."""

import subprocess
import sys

import pytest

TRAINING_ONLY = {"torch", "sklearn", "skl2onnx", "onnx", "onnxscript", "scipy"}
COMMAND_LINE_ONLY = {"typer", "rich", "click"}


def loaded_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after `statement`."""
    report = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", report], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import engine",
        "import engine.decide, engine.score, engine.bundle, engine.tabular, engine.explain",
        "import engine.lifecycle.registry, engine.lifecycle.live",
        "import embeddings, embeddings.encode",
    ],
)
def test_serving_imports_nothing_of_training_or_the_command_line(statement: str) -> None:
    """The serving modules load neither the train extra nor the command line's packages."""
    assert not loaded_after(statement) & (TRAINING_ONLY | COMMAND_LINE_ONLY)


def test_rules_import_no_model_runtime() -> None:
    """`import rules` loads neither onnxruntime, nor the engine, nor the embeddings."""
    assert not loaded_after("import rules") & {"onnxruntime", "engine", "embeddings", *TRAINING_ONLY}


def test_embeddings_import_no_rules() -> None:
    """`import embeddings` loads neither the rules nor the engine."""
    assert not loaded_after("import embeddings") & {"rules", "engine"}
