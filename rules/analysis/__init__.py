"""What can be said of rules without running them: proofs and counterexamples, never guesses.

`analyse` takes checked rules and gives findings; `measure` says what the inline tests cover.
"""

from rules.analysis.coverage import RuleCoverage, measure
from rules.analysis.overview import Analysis, analyse
from rules.analysis.report import Undecided

__all__ = ["Analysis", "RuleCoverage", "Undecided", "analyse", "measure"]
